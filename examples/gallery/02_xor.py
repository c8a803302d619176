"""
Exclusive or, and how often it is learnt
========================================

No single neuron computes exclusive or. Two hidden neurons can, but from many a start gradient descent ends in a local
minimum, where some of the four answers stay wrong. More hidden neurons make that rare. Each share below is from a
hundred seeds.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
T = np.array([[0], [1], [1], [0]], dtype=float)


def learnt(hidden, activation, seed):
    net = fastbp.Network([2, hidden, 1], activation, "sigmoid", seed=seed)
    net.fit(X, T, epochs=2000, learning_rate=0.5)
    return bool(np.all(abs(net.predict(X) - T) < 0.1))


sizes = [2, 3, 4, 5, 6, 8]
shares = {activation: [sum(learnt(hidden, activation, seed) for seed in range(100)) for hidden in sizes]
          for activation in ("tanh", "relu")}
for activation, share in shares.items():
    print(activation, dict(zip(sizes, share, strict=True)))

# %%
# On the left is how often the network learns; on the right, what one network with six hidden neurons gives between the
# four corners that it was taught.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for offset, (activation, share) in zip((-0.2, 0.2), shares.items(), strict=True):
    bars = left.bar(np.arange(len(sizes)) + offset, share, 0.38, label=activation)
    left.bar_label(bars, fontsize=9)
left.set(xticks=np.arange(len(sizes)), xticklabels=sizes, xlabel="hidden neurons", ylim=(0, 110),
         ylabel="seeds of 100 that learn it")
left.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))

net = fastbp.Network([2, 6, 1], "tanh", "sigmoid", seed=0)
net.fit(X, T, epochs=2000, learning_rate=0.5)
grid = np.linspace(-0.4, 1.4, 120)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
surface = right.contourf(grid, grid, net.predict(plane).reshape(120, 120), levels=np.linspace(0, 1, 11), cmap="PuOr_r")
right.scatter(*X.T, c=T[:, 0], cmap="PuOr_r", edgecolor="black", s=120)
right.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
fig.colorbar(surface, ax=right, label="output")
plt.show()
