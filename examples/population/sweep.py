"""A sweep over learning rates, penalties and seeds: ``python sweep.py 10000`` networks, trained in one call.

Each network has its own rate, its own l2 penalty, its own initial weights and its own early stopping. The table has the
median of the validation error over the seeds, as a multiple of the best one; 99 stands for more.
"""

import sys

import numpy as np

import fastbp

networks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
rates, penalties = np.geomspace(0.003, 1, 10), np.concatenate([[0], np.geomspace(1e-5, 1e-1, 4)])
seeds = max(1, networks // (rates.size * penalties.size))

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (192, 4)).astype("float32")
T = (np.sin(3 * X[:, 0]) * X[:, 1] + X[:, 2] ** 2 + rng.normal(0, 0.2, 192)).astype("float32")
train, held = slice(0, 96), slice(96, 192)

rate, penalty, _ = (axis.ravel() for axis in np.meshgrid(rates, penalties, np.arange(seeds), indexing="ij"))
pop = fastbp.Population(rate.size, [4, 12, 1], "tanh", "identity", reduction="mean", dtype="float32", seed=1)
history = pop.fit(X[train], T[train], epochs=200, batch_size=16, learning_rate=rate, l2=penalty, seed=2,
                  validation_data=(X[held], T[held]), patience=20)
print(f"{len(pop):,} networks: {history!r}")

best = np.nanmin(history.validation_rms, axis=1, initial=np.inf)
table = np.median(best.reshape(rates.size, penalties.size, seeds), axis=2)
print(f"best median of the validation RMS error: {table.min():.3f}; the noise has 0.2. As multiples of it:")
print("rate \\ l2  " + "".join(f"{penalty:>10.2g}" for penalty in penalties))
for value, row in zip(rates, table / table.min(), strict=True):
    print(f"{value:>9.3g}  " + "".join(f"{min(ratio, 99):>10.2f}" for ratio in row))
