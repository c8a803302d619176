"""
A sweep of 5,000 networks
=========================

Which learning rate, and how much regularisation? One ``Population`` tries all of them: twenty rates, ten penalties,
and 25 initial weights for each pair. Every network has its own settings and stops when its own validation error has not
fallen for 20 epochs.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastbp

RATES, PENALTIES, SEEDS = np.geomspace(0.003, 1, 20), np.geomspace(1e-5, 1e-1, 10), 25

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (192, 4)).astype("float32")
T = (np.sin(3 * X[:, 0]) * X[:, 1] + X[:, 2] ** 2 + rng.normal(0, 0.2, 192)).astype("float32")
train, held = slice(0, 96), slice(96, 192)

rate, penalty, _ = (axis.ravel() for axis in np.meshgrid(RATES, PENALTIES, np.arange(SEEDS), indexing="ij"))
pop = fastbp.Population(rate.size, [4, 12, 1], "tanh", "identity", reduction="mean", dtype="float32", seed=1)
start = time.perf_counter()
history = pop.fit(X[train], T[train], epochs=200, batch_size=16, learning_rate=rate, l2=penalty, seed=2,
                  validation_data=(X[held], T[held]), patience=20)
print(f"{len(pop):,} networks in {time.perf_counter() - start:.1f} s, of which {len(history.diverged)} diverged")

best = np.nanmin(history.validation_rms, axis=1, initial=np.inf).reshape(RATES.size, PENALTIES.size, SEEDS)
median = np.median(best, axis=2)
i, j = np.unravel_index(median.argmin(), median.shape)
print(f"RMS error {median[i, j]:.2f} by rate {RATES[i]:.2g} and penalty {PENALTIES[j]:.1g}; the noise alone is 0.2")

# %%
# Each field is the median of its 25 networks; the circle marks the best one.
fig, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
across, up = np.log10(RATES), np.log10(PENALTIES)
mesh = ax.pcolormesh(across, up, median.T, shading="nearest", cmap="viridis_r", vmax=2 * median.min())
ax.plot(across[i], up[j], "o", markersize=16, markerfacecolor="none", color="black", markeredgewidth=2)
ax.set(xlabel=r"$\log_{10}$ of the learning rate", ylabel=r"$\log_{10}$ of the penalty")
fig.colorbar(mesh, ax=ax, label="RMS error on the validation data", extend="max")
plt.show()
