"""
The perceptron's line moves
===========================

A single threshold neuron splits the plane by a line. It learns on-line: a point on the right side changes nothing, a
point on the wrong side moves the line. The points can be separated, so the moves come to an end.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.plot import DecisionDisplay

rng = np.random.default_rng(4)
X = rng.uniform(-1, 1, (120, 2))
side = X @ [1.0, 2.0] - 0.3
X, T = X[abs(side) > 0.2], (side > 0)[abs(side) > 0.2].astype(float)

net = fastbp.Network([2, 1], "threshold", init=[([[1.0], [-0.5]], [0.2])])
lines = [net.params]            # the two weights and the bias
for _ in range(20):
    for x, t in zip(X, T, strict=True):
        net.train_step(x, t, learning_rate=0.1)
        if (net.params != lines[-1]).any():
            lines.append(net.params)
print(f"{len(lines) - 1} moves; {np.sum(net.predict(X)[:, 0] != T)} of {len(X)} points are on the wrong side")

# %%
# The line is where w1 x1 + w2 x2 + b = 0. The first line is dotted, later ones are darker, and the last is thick.
fig, ax = plt.subplots(figsize=(7.5, 5.5), layout="constrained")
DecisionDisplay.from_network(net, X, T, limits=[(-1, 1), (-1, 1)]).plot(ax)
for i, (w1, w2, b) in enumerate(lines):
    last = i == len(lines) - 1
    ax.axline((0, -b / w2), slope=-w1 / w2, color="black", alpha=0.25 + 0.75 * i / (len(lines) - 1) if i else 1,
              linewidth=3 if last else 1.2, linestyle="-" if i else ":")
plt.show()
