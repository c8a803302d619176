"""
An interval around a fit
========================

A network says nothing about how certain it is. There are two ways to find out. ``PredictionInterval`` looks at how far
the parameters could move without a much worse fit: the delta method. A ``Population`` of forty networks shows how far
they disagree, each with initial weights of its own and samples drawn anew with replacement (Breiman 1996).
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.plot import ResponseDisplay


def truth(x):
    return np.sin(3 * x) + 0.5 * x


rng = np.random.default_rng(1)
x = np.concatenate([rng.uniform(-2, -0.3, (60, 1)), rng.uniform(0.9, 2, (40, 1))])     # a gap, from -0.3 to 0.9
t = truth(x) + rng.normal(0, 0.15, x.shape)

net = fastbp.Network([1, 12, 1], "tanh", "identity", seed=0)
net.fit(x, t, epochs=200, optimizer=fastbp.LevenbergMarquardt(bayesian=True))
delta = fastbp.PredictionInterval(net, x, t)

# How often each network's bootstrap has drawn each sample is the sample's weight.
drawn = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), 40)
pop = fastbp.Population(40, [1, 12, 1], "tanh", "identity", reduction="mean", seed=0)
pop.fit(x, t, epochs=800, batch_size=10, optimizer=fastbp.Adam(0.01, l2=1e-4), sample_weight=drawn, seed=0)
noise = np.std(t - pop.mean_and_std(x)[0])


def ensemble(x):
    mean, std = pop.mean_and_std(x)
    half = 1.96 * np.hypot(std, noise)
    return mean - half, mean + half


x_new = rng.uniform(-2, 2, (2000, 1))
t_new = truth(x_new) + rng.normal(0, 0.15, x_new.shape)

# %%
# Both intervals, for 95 % of new measurements, are wide in the gap, where there are no data, and beyond the ends.
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
grid = np.linspace(-2.3, 2.3, 300)
for ax, name, interval in zip(axes, ["delta method", "ensemble"], [delta, ensemble], strict=True):
    low, high = interval(x_new)
    print(f"{name}: {np.mean((low < t_new) & (t_new < high)):.1%} of 2000 new measurements are within the interval")
    low, high = np.squeeze(interval(grid[:, None]))
    ResponseDisplay([grid], (low + high) / 2, low=low, high=high, points=x, targets=t, feature_names=["x"],
                    output_name="y").plot(ax)
    ax.plot(grid, truth(grid), color="black", linestyle="--", linewidth=1, label="truth")
    ax.set(title=name, ylim=(-3, 3.2))
    curve = "network" if interval is delta else "mean of 40"
    ax.legend(["interval", "data", curve, "truth"], loc="upper left", ncols=2)
plt.show()
