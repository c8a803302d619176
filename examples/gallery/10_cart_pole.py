"""
A pole on a cart, by evolution
==============================

There is no target to learn from here, only a count of how long the pole stays up. So the parameters evolve: vectors are
drawn around a mean, and the mean moves to the best of them. ``net.params`` sets all parameters, and a bound call runs
the network in the loop.
"""

from math import cos, sin

import matplotlib.pyplot as plt
import numpy as np

import fastbp

START = [0.4, 0.2, 0.15, 0.2]       # how far from 0 position, speed, angle and angular speed may be at the start
net = fastbp.Network([4, 6, 1], "tanh", seed=0)
policy = net.bind(x := np.zeros(4))


def ride(start):
    """Positions and angles, one for each of up to 500 steps of 20 ms, until the pole falls (Barto et al. 1983)."""
    position, speed, angle, spin = start
    path = []
    while len(path) < 500 and abs(position) < 2.4 and abs(angle) < 0.2095:
        path.append((position, np.degrees(angle)))
        x[:] = position, speed, 5 * angle, spin
        force = 10 * policy.predict()[0]
        push = (force + 0.05 * spin**2 * sin(angle)) / 1.1
        turn = (9.8 * sin(angle) - cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * cos(angle) ** 2 / 1.1))
        position, speed = position + 0.02 * speed, speed + 0.02 * (push - 0.05 * turn * cos(angle) / 1.1)
        angle, spin = angle + 0.02 * spin, spin + 0.02 * turn
    return path


rng = np.random.default_rng(0)
mean, size, history = np.array(net.params), 1.0, []
for _ in range(25):
    population, scores = mean + size * rng.normal(size=(30, net.n_params)), []
    starts = rng.uniform(-1, 1, (3, 4)) * START
    for net.params in population:
        scores.append(np.mean([len(ride(start)) for start in starts]))
    mean, size = population[np.argsort(scores)[-6:]].mean(axis=0), size * 0.93
    history.append((max(scores), np.median(scores)))
net.params = mean
print("new starts:", [len(ride(start)) for start in rng.uniform(-1, 1, (10, 4)) * START], "of 500 steps")

# %%
# The mean of the last generation is the controller. On the right it starts with the pole tilted by eight degrees.
path = ride([0.5, 0, np.radians(8), 0])
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(history, label=["best of 30", "median"])
left.set(xlabel="generation", ylabel="steps until it falls", ylim=(0, 520))
right.plot(0.02 * np.arange(len(path)), path, label=["cart, m", "pole, degrees"])
right.set(xlabel="time, s")
left.legend(), right.legend()
plt.show()
