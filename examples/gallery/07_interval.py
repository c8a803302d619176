"""
An interval around a fit
========================

A network says nothing about how certain it is. Forty networks do, each from a seed of its own and from samples that are
drawn anew with replacement (Breiman 1996): where data are scarce they disagree. With the noise, which the residuals
show, their spread makes an interval that most new measurements fall into.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp


def truth(x):
    return np.sin(3 * x) + 0.5 * x


rng = np.random.default_rng(1)
x = np.concatenate([rng.uniform(-2, -0.3, 60), rng.uniform(0.9, 2, 40)])     # a gap, from -0.3 to 0.9
t = truth(x) + rng.normal(0, 0.15, len(x))

nets = []
for seed in range(40):
    drawn = np.random.default_rng(seed).integers(len(x), size=len(x))
    net = fastbp.Network([1, 12, 1], "tanh", "identity", seed=seed)
    net.fit(x[drawn, None], t[drawn], epochs=800, batch_size=10, optimizer=fastbp.Adam(0.01, l2=1e-3))
    nets.append(net)

at_data = np.mean([net.predict(x[:, None])[:, 0] for net in nets], axis=0)
noise = np.std(t - at_data)


def interval(x):
    curves = np.array([net.predict(x[:, None])[:, 0] for net in nets])
    mean, spread = curves.mean(axis=0), np.hypot(curves.std(axis=0), noise)
    return mean, mean - 1.96 * spread, mean + 1.96 * spread


new = rng.uniform(-2, 2, 1000)
_, low, high = interval(new)
inside = np.mean((low < (t_new := truth(new) + rng.normal(0, 0.15, 1000))) & (t_new < high))
print(f"noise {noise:.2f} (true: 0.15); {inside:.0%} of 1000 new measurements are within the interval")

# %%
# The interval is wide in the gap, where there are no data, and beyond the ends.
grid = np.linspace(-2.3, 2.3, 300)
mean, low, high = interval(grid)
fig, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
ax.fill_between(grid, low, high, color="tab:blue", alpha=0.2, linewidth=0, label="interval for a new measurement")
ax.plot(grid, mean, color="tab:blue", linewidth=2, label="mean of 40 networks")
ax.plot(grid, truth(grid), color="black", linestyle="--", linewidth=1, label="truth")
ax.plot(x, t, ".", color="tab:orange", label="data")
ax.set(xlabel="x", ylabel="y", xlim=(-2.3, 2.3), ylim=(-3, 3.2))
ax.legend(ncols=2, loc="upper left")
plt.show()
