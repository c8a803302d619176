"""
Two spirals
===========

Two spirals of 97 points each wind three times around each other (Lang and Witbrock 1988). A network with two hidden
layers separates them by batch learning: each update sums over all points.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp

i = np.arange(97)
angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
spiral = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]) / 6.5
X, T = np.concatenate([spiral, -spiral]), np.repeat([1.0, 0.0], 97)

net = fastbp.Network([2, 30, 30, 1], "tanh", "sigmoid", loss="binary_cross_entropy", reduction="mean", seed=0)
history = net.fit(X, T, epochs=3000, batch_size="full", optimizer="adam", learning_rate=0.01)
right = np.mean((net.predict(X)[:, 0] > 0.5) == T)
print(f"{right:.0%} of the points are on the right side after {history.seconds[-1]:.2f} s")

# %%
# Between the points, too, the border follows the spirals.
grid = np.linspace(-1.15, 1.15, 250)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
fig, ax = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
regions = ax.contourf(grid, grid, net.predict(plane).reshape(250, 250), levels=np.linspace(0, 1, 11), cmap="PuOr_r",
                      alpha=0.8)
for t, color, marker in [(1, "tab:orange", "^"), (0, "indigo", "o")]:
    ax.scatter(*X[t == T].T, s=30, color=color, marker=marker, edgecolor="white", linewidth=0.7)
ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
fig.colorbar(regions, ax=ax, label="probability of the triangles' spiral")
plt.show()
