"""
On-line learning on a drifting stream
=====================================

Samples arrive one at a time, and what is to be learnt changes: slowly all the time, and suddenly in the middle. A
network that goes on learning, with one update per sample, follows. A copy that stops learning after a quarter does not.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastbp

rng = np.random.default_rng(0)
n = 40_000
X = rng.uniform(-1, 1, (n, 3))
phase = np.linspace(0, 2, n) + np.where(np.arange(n) < n // 2, 0, 1.5)
T = np.sin(2 * X[:, 0] + phase) + X[:, 1] * X[:, 2] + rng.normal(0, 0.1, n)

net = fastbp.Network([3, 16, 1], "tanh", "identity", seed=0)
squares = {"goes on learning": np.empty(n), "stops after a quarter": np.empty(n)}
start = time.perf_counter()
for i, (x, t) in enumerate(zip(X, T, strict=True)):
    squares["goes on learning"][i] = 2 * net.train_step(x, t, learning_rate=0.05)    # E is half the squared error
    if i == n // 4:
        frozen = net.copy()
print(f"{1e6 * (time.perf_counter() - start) / n:.2f} µs for a sample, the loop included")
squares["stops after a quarter"][:] = squares["goes on learning"]
after = slice(n // 4 + 1, None)
squares["stops after a quarter"][after] = (frozen.predict(X[after])[:, 0] - T[after]) ** 2

# %%
# Each error is that of a sample before the network learns from it, here as the root of the mean over 500 samples.
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (name, values), color in zip(squares.items(), ("tab:blue", "tab:orange"), strict=True):
    rms = np.sqrt(values.reshape(-1, 500).mean(axis=1))
    print(f"{name}: RMS error {rms[60:].mean():.2f} in the last quarter")
    ax.plot(np.arange(250, n, 500), rms, color=color, label=name)
ax.axhline(0.1, color="black", linestyle=":", label="noise")
ax.axvline(n // 2, color="gray", linewidth=0.8)
ax.text(n // 2, 1.45, "sudden change ", color="dimgray", ha="right")
ax.set(xlabel="samples seen", ylabel="RMS error", ylim=(0, None), xlim=(0, n))
ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.55))
plt.show()
