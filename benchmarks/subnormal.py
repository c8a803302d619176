"""Whether subnormal numbers slow fastbp down: ``python benchmarks/subnormal.py``.

Some processors take a hundred times as long for a number below the least normal one. Every activation and every loss
is timed with ordinary samples and parameters and with some that go down to the least subnormal number. Every optimizer
is timed with gradients and without: then what it remembers decays, and so do the parameters where they have a penalty.
Exits with 1 where one takes more than 1.5 times as long.
"""

import sys
import warnings

import numpy as np

import fastbp
from fastbp import bench
from fastbp.losses import TABLE

ACTIVATIONS = [name for name in fastbp.activations.TABLE if name != "softmax"]
SIZES, SAMPLES, LIMIT = (16, 32, 8), 128, 1.5
MU = 0.9
# Until MU to that power is below all numbers of the dtype.
STEPS = {"float32": 2000, "float64": 10_000}
OPTIMIZERS = {
    "SGD": fastbp.SGD(1e-3),
    "SGD, momentum": fastbp.SGD(1e-3, MU),
    "SGD, Nesterov's": fastbp.SGD(1e-3, MU, nesterov=True),
    "SGD, L2": fastbp.SGD(0.02, l2=5.0),
    "SGD, L1": fastbp.SGD(1e-3, l1=0.1),
    "Adam": fastbp.Adam(1e-3, MU, MU),
    "Nadam": fastbp.Nadam(1e-3, MU, MU),
    "AdamW": fastbp.AdamW(0.1, MU, MU, decay=1.0),
    "RMSprop": fastbp.RMSprop(1e-3, MU),
    "Adagrad": fastbp.Adagrad(1e-3),
    "Rprop": fastbp.Rprop(),
}


def numbers(rng, shape, dtype, decayed, positive=False):
    """Numbers below 1, or of all sizes down to the least that there is."""
    values = rng.uniform(0.1, 0.9, shape)
    if not positive:
        values *= rng.choice([-1, 1], shape)
    if decayed:
        values *= 2.0 ** rng.uniform(np.log2(float(np.finfo(dtype).smallest_subnormal)), 0, shape)
    return values.astype(dtype)


def step(loss, hidden, output, dtype, decayed):
    """A prediction and an update, hardly of any size, with ordinary or with decayed numbers."""
    rng = np.random.default_rng(1)
    net = fastbp.Network(SIZES, [hidden, output], loss=loss, dtype=dtype)
    net.params = numbers(rng, net.params.shape, dtype, decayed)
    X = numbers(rng, (SAMPLES, SIZES[0]), dtype, decayed)
    T = numbers(rng, (SAMPLES, SIZES[-1]), dtype, decayed, positive=True)
    least = float(np.finfo(dtype).tiny)

    def run():
        net.predict(X)
        net.train_step(X, T, least)

    return run


def training(optimizer, dtype, decayed):
    """Many updates from the same start; decayed: after one of them the targets are always reached."""
    rng = np.random.default_rng(1)
    net = fastbp.Network(SIZES, "tanh", "identity", reduction="mean", dtype=dtype, seed=1)
    start = net.params
    X, T, Y = (numbers(rng, (4, n), dtype, False) for n in (SIZES[0], SIZES[-1], SIZES[-1]))

    def run():
        net.params = start
        optimizer.reset()
        net.train_step(X, T, optimizer=optimizer)
        for _ in range(STEPS[dtype]):
            net.predict(X, Y)
            net.train_step(X, Y if decayed else T, optimizer=optimizer)

    return run


def product(dtype, decayed):
    """NumPy's product, in the mode of the process: what subnormal numbers cost on this processor."""
    values = np.full(4096, np.finfo(dtype).tiny / 2 if decayed else 0.7, dtype)
    out = np.empty_like(values)
    return lambda: np.multiply(values, dtype(0.7), out)


def jobs(dtype):
    """What is timed, by name: a function that makes it of whether its numbers are to be decayed."""
    yield "NumPy's product, for comparison", lambda decayed: product(np.dtype(dtype).type, decayed)
    for name in ACTIVATIONS:
        yield f"activation {name}", lambda decayed, name=name: step("squared_error", name, "identity", dtype, decayed)
    for name, facts in TABLE.items():
        output = facts.activation or "identity"
        yield f"loss {name}", lambda decayed, name=name, output=output: step(name, "tanh", output, dtype, decayed)
    for name, optimizer in OPTIMIZERS.items():
        yield f"optimizer {name}", lambda decayed, optimizer=optimizer: training(optimizer, dtype, decayed)


def main():
    slow = False
    warnings.simplefilter("ignore", fastbp.UnreachableTargetsWarning)    # rows for cross-entropy do not sum to 1
    for dtype in ("float32", "float64"):
        for name, job in jobs(dtype):
            rounds, _ = bench.measured({decayed: job(decayed) for decayed in (False, True)}, shortest=1)
            ratio = min(rounds[True]) / min(rounds[False])
            own = not name.startswith("NumPy")
            slow |= own and ratio > LIMIT
            print(f"{dtype} {name:<32}{ratio:8.2f} times as long{'  TOO SLOW' * (own and ratio > LIMIT)}", flush=True)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
