"""Instructions a step of representative jobs, counted by valgrind: ``python benchmarks/instructions.py``.

Unlike times they repeat on a noisy machine. Exits with 1 where one has grown by more than 5 % over instructions.json;
``--update`` writes that file anew. The budget holds for the compiler of Debian 12 and Python 3.11; other versions of
either change the figures, and then a budget of their own is wanted.

valgrind knows no AVX-512, so the kernels of x86_v3 are counted.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUDGET = Path(__file__).with_suffix(".json")
GROWTH = 1.05
PROLOGUE = """
import sys
import numpy as np
import fastbp
n = int(sys.argv[1])
def data(rows, columns):
    return np.full((rows, columns), 0.3, "float32")
def network(sizes, hidden, output, **options):
    return fastbp.Network(sizes, [hidden] * (len(sizes) - 2) + [output], dtype="float32", seed=1, **options)
"""
EPOCH = """
net = network([8, 32, 32, 1], "tanh", "identity", reduction="mean")
X, T = data(320, 8), data(320, 1)
net.fit(X, T, epochs=n, batch_size=32, optimizer=fastbp.{optimizer})
"""
# Name: the program, the steps of its shorter run (the longer one takes twice as many), and what a step is.
JOBS = {
    "train_step 2-2-1": ("""
def loop(step, x, t):
    for _ in range(n):
        step(x, t, 0.1)
loop(network([2, 2, 1], "sigmoid", "sigmoid").train_step, data(1, 2)[0], data(1, 1)[0])
""", 50_000, "sample"),
    "on-line 16-32-8": ("""
net = network([16, 32, 8], "sigmoid", "sigmoid")
net.fit(data(500, 16), data(500, 8), epochs=n, shuffle=False)
""", 100, "500 samples"),
    "predict 16-64-64-8": ("""
def loop(predict, x):
    for _ in range(n):
        predict(x)
loop(network([16, 64, 64, 8], "tanh", "identity").predict, data(1, 16)[0])
""", 20_000, "sample"),
    "epoch 8-32-32-1, momentum": (EPOCH.format(optimizer="SGD(0.01, 0.9)"), 150, "320 samples"),
    "epoch 8-32-32-1, Adam": (EPOCH.format(optimizer="Adam()"), 150, "320 samples"),
    "normal equations 1-20-1": ("""
from fastbp._core import NormalEquations
net = fastbp.Network([1, 20, 1], "tanh", "identity", seed=1)
samples, equations = net._samples(np.linspace(-1, 1, 500)[:, None], np.zeros(500)), NormalEquations(net)
for _ in range(n):
    equations.add_up(net, samples)
""", 50, "500 samples"),
    "population 4-16-3, batches": ("""
pop = fastbp.Population(64, [4, 16, 3], dtype="float32", seed=1)
pop.fit(data(128, 4), data(128, 3), epochs=n, batch_size=32)
""", 20, "64 x 128 samples"),
    "population 2-2-1, on-line": ("""
pop = fastbp.Population(64, [2, 2, 1], dtype="float32", seed=1)
pop.fit(data(128, 2), data(128, 1), epochs=n)
""", 40, "64 x 128 samples"),
    "predict rows 16-64-64-8": ("""
net = network([16, 64, 64, 8], "tanh", "identity")
X, out = data(512, 16), data(512, 8)
for _ in range(n):
    net.predict(X, out)
""", 60, "512 samples"),
}


def instructions(program, steps):
    """Instructions of a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", sys.executable, "-c",
                 PROLOGUE + program, str(steps)]
        environment = os.environ | {"PYTHONHASHSEED": "0", "FASTBP_ISA": "x86_v3", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"valgrind failed:\n{done.stderr[-2000:]}")
    return int(found[1])


def count(job):
    """Instructions a step, by the difference of two runs, which leaves start and end of the process out."""
    program, steps, _ = JOBS[job]
    return round((instructions(program, 2 * steps) - instructions(program, steps)) / steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the budget anew")
    update = parser.parse_args().update
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        counts = dict(zip(JOBS, pool.map(count, JOBS), strict=True))
    if update:
        BUDGET.write_text(json.dumps(counts, indent=1) + "\n")
    budget = json.loads(BUDGET.read_text())
    grown = False
    for job, value in counts.items():
        ratio = value / budget[job]
        grown |= ratio > GROWTH
        print(f"{job:<28}{value:>10,} instructions a step of {JOBS[job][2]:<12}{ratio - 1:+7.1%}"
              f"{'  TOO MANY' * (ratio > GROWTH)}")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
