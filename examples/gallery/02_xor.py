"""
Exclusive or, and how often it is learnt
========================================

No single neuron computes exclusive or. Two hidden neurons can, but from many a start gradient descent ends in a local
minimum, where some of the four answers stay wrong. More hidden neurons make that rare. Each share below is from
10,000 starts, which one ``Population`` trains at once.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.plot import ResponseDisplay

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
T = np.array([0, 1, 1, 0], dtype="float32")
STARTS, STEP, STEPS = 10_000, 50, 20

start = time.perf_counter()
curves = {}
for hidden in (2, 3, 4, 8):
    pop = fastbp.Population(STARTS, [2, hidden, 1], "tanh", "sigmoid", dtype="float32", seed=hidden)
    curves[hidden] = [0.0]
    for _ in range(STEPS):
        pop.fit(X, T, epochs=STEP, learning_rate=0.5)
        right = (abs(pop.predict(X)[:, :, 0] - T) < 0.1).all(axis=1)
        curves[hidden].append(100 * right.mean())
    print(f"{hidden} hidden neurons: {curves[hidden][-1]:.1f} % of the networks have learnt it")
print(f"{4 * STARTS * STEP * STEPS * len(X) / 1e6:.0f} million updates in {time.perf_counter() - start:.1f} s")

# %%
# On the left is how often it has been learnt after so many epochs; on the right, what one network with eight hidden
# neurons gives between the four corners that it was taught: 1 at the white ones, 0 at the black ones.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (hidden, curve), style in zip(curves.items(), [":", "-.", "--", "-"], strict=True):
    left.plot(STEP * np.arange(STEPS + 1), curve, style, linewidth=2, label=f"{hidden} hidden neurons")
left.set(xlabel="epochs", ylabel=f"% of {STARTS:,} starts", xlim=(0, STEP * STEPS), ylim=(0, 103))
left.legend(loc="lower right")
ResponseDisplay.from_network(pop[0], limits=[(-0.4, 1.4), (-0.4, 1.4)]).plot(right)
right.scatter(*X.T, c=T, cmap="gray", edgecolor="gray", s=120, zorder=3)
plt.show()
