"""
Two spirals
===========

Two spirals of 97 points each wind three times around each other (Lang and Witbrock 1988). A network with three
hidden layers separates them by batch learning: each update sums over all points. The last of these layers has but two
neurons, so it can be looked into.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.plot import DecisionDisplay, HiddenSpaceDisplay

i = np.arange(97)
angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
spiral = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]) / 6.5
X, T = np.concatenate([spiral, -spiral]), np.repeat([1.0, 0.0], 97)

net = fastbp.Network([2, 30, 30, 2, 1], "tanh", "sigmoid", loss="binary_cross_entropy", reduction="mean", seed=2)
history = net.fit(X, T, epochs=3000, batch_size="full", optimizer="adam", learning_rate=0.01,
                  schedule="cosine")
right = np.mean((net.predict(X)[:, 0] > 0.5) == T)
print(f"{right:.0%} of the points are on the right side after {history.seconds[-1]:.2f} s")

# %%
# On the left is what the network makes of the plane; between the points, too, the border follows the spirals. On the
# right are the same points as the output neuron sees them, by the outputs of the last hidden layer: unwound, so that a
# line parts them.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
names = ["spiral 1", "spiral 2"]
DecisionDisplay.from_network(net, X, T, class_names=names).plot(left).ax_.set(aspect="equal", title="inputs")
HiddenSpaceDisplay.from_network(net, X, T, class_names=names).plot(right).ax_.set(title="last hidden layer")
left.get_legend().remove()
plt.show()
