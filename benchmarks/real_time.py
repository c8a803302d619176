"""Whether fastbp can sit in a loop that must not be late: ``python benchmarks/real_time.py``.

Needs Linux, cc and strace. First ten million predictions and ten million updates of bound networks are made in
processes of their own: one in which hooks.c counts allocations and locks, one that strace watches. There must be none,
and no system call: exits with 1 otherwise. Then single calls are timed beside those of ONNX Runtime and PyTorch, and
the slowest of them shown.
"""

import ctypes
import gc
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from threading import Lock
from time import perf_counter_ns

from fastbp.bench import named, peers

peers.one_thread()

import numpy as np  # noqa: E402

import fastbp  # noqa: E402

CALLS, CONTROLS = 10_000_000, 10
TIMED, BLOCK = 200_000, 1000
SIZES = (4, 16, 3)
MARK = b"-- mark --\n"


def calls():
    """Bound calls by name, of both dtypes, with and without an optimizer."""
    for dtype in ("float32", "float64"):
        x, t = np.full(SIZES[0], 0.5, dtype), np.full(SIZES[-1], 0.25, dtype)
        net = fastbp.Network(SIZES, "tanh", dtype=dtype, seed=1)
        yield f"predict {dtype}", net.bind(x, out=np.empty(SIZES[-1], dtype)).predict
        for name, optimizer in (("", None), (", Adam", fastbp.Adam())):
            net = fastbp.Network(SIZES, "tanh", dtype=dtype, seed=1)
            yield f"step {dtype}{name}", net.bind(x, t, optimizer=optimizer).step


def loop(call, n):
    for _ in repeat(None, n):
        call()


def count():
    """In a process with hooks.c: what many calls ask for beyond what a few do, which is what the counting takes."""
    counters = [ctypes.c_long.in_dll(ctypes.CDLL(None), name) for name in ("allocations", "locks")]

    def asked(call, n):
        before = [counter.value for counter in counters]
        loop(call, n)
        return [counter.value - start for counter, start in zip(counters, before, strict=True)]

    def asks():
        with Lock():
            bytearray(100)

    if not all(number >= CONTROLS for number in asked(asks, CONTROLS)):
        raise SystemExit("hooks.c does not count")
    for name, call in calls():
        _, _, few, many = asked(call, 100), asked(call, 1), asked(call, 1), asked(call, CALLS)
        print(name, *(more - less for more, less in zip(many, few, strict=True)), sep=";", flush=True)


def mark():
    """In a process under strace: many calls between two lines written to stderr."""
    for _, call in calls():
        loop(call, 100)
        os.write(2, MARK)
        loop(call, CALLS)
        os.write(2, MARK)


def requests():
    """Of each call: allocations, locks and system calls."""
    here = Path(__file__)
    with tempfile.TemporaryDirectory() as folder:
        hooks, trace = Path(folder) / "hooks.so", Path(folder) / "trace"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", here.with_name("hooks.c"), "-o", hooks], check=True)
        # Without Python's own pools every object that is made asks the C library.
        environment = os.environ | {"LD_PRELOAD": str(hooks), "PYTHONMALLOC": "malloc"}
        counted = subprocess.check_output([sys.executable, here, "count"], env=environment, text=True)
        subprocess.run(["strace", "-f", "-o", trace, sys.executable, here, "mark"], check=True,
                       stderr=subprocess.DEVNULL)
        lines = trace.read_text().splitlines()
    marks = [i for i, line in enumerate(lines) if "-- mark --" in line]
    system_calls = [last - first - 1 for first, last in zip(marks[::2], marks[1::2], strict=True)]
    for line, number in zip(counted.splitlines(), system_calls, strict=True):
        name, allocations, locks = line.split(";")
        yield name, int(allocations), int(locks), number


def latencies(runs):
    """Nanoseconds of single calls, in turn by blocks, without Python's garbage collection."""
    times = {name: np.empty(TIMED, np.int64) for name in runs}
    gc.collect()
    gc.disable()
    for start in range(0, TIMED, BLOCK):
        for name, run in runs.items():
            row = times[name]
            for i in range(start, start + BLOCK):
                before = perf_counter_ns()
                run()
                row[i] = perf_counter_ns() - before
    gc.enable()
    return times


def main():
    failed = False
    for name, *numbers in requests():
        failed |= any(numbers)
        print(f"{CALLS} x {name:<22}" + ", ".join(f"{number} {what}" for number, what in zip(
            numbers, ("allocations", "locks", "system calls"), strict=True)), flush=True)
    for workload in named(["W2 16-64-64-8", "W1 4-8-3 f32"]):
        workload, runs = replace(workload, samples=1), {}
        for peer in ("fastbp_bind", "onnxruntime", "torch"):
            try:
                adapter = peers.load(peer)
            except ImportError:
                continue
            prepared = adapter.prepare(workload, *workload.problem())
            if prepared is not None:
                runs[adapter.NAME] = prepared[0]
                loop(prepared[0], 1000)
        print(f"{workload.name}: {workload.job}, {TIMED} times, in microseconds")
        for name, values in latencies(runs).items():
            percents = "".join(f"   {p} %: {np.percentile(values, p) / 1e3:8.2f}" for p in (50, 99, 99.9, 99.99))
            print(f"  {name:<16}{percents}   slowest: {values.max() / 1e3:8.1f}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit({"count": count, "mark": mark}[sys.argv[1]]() if sys.argv[1:] else main())
