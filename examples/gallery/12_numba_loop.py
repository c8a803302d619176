"""
A network inside Numba's loop
=============================

A network has learnt the force of an oscillator from noisy measurements. The equation of motion is then integrated in a
loop that Numba compiles, and which calls the network by the functions and the address of ``net.ctypes``. No Python runs
in between, so a million steps take a fraction of a second.
"""

import time

import matplotlib.pyplot as plt
import numba
import numpy as np

import fastbp

rng = np.random.default_rng(0)
position = rng.uniform(-1.7, 1.7, (400, 1))
force = position - position**3 + rng.normal(0, 0.05, position.shape)        # Duffing's oscillator has two wells
net = fastbp.Network([1, 12, 1], "tanh", "identity", seed=0)
net.fit(position, force, epochs=1000, batch_size=16, optimizer="adam", schedule="cosine")
print(f"RMS error of the force: {net.rms(position, position - position**3):.3f}")

c = net.ctypes          # as long as this lives, so does the handle
predict, handle = c.predict, c.address


@numba.njit
def section(x, v, periods, drive=0.3, friction=0.2, steps=200):
    """Position and speed once in each period of the drive: a section after Poincaré."""
    points, dt = np.empty((periods, 2)), 2 * np.pi / 1.2 / steps
    place, pull = np.empty(1), np.empty(1)
    for period in range(periods):
        for step in range(steps):
            place[0] = x
            predict(handle, place.ctypes, 1, pull.ctypes)
            v += dt * (pull[0] - friction * v + drive * np.cos(2 * np.pi * step / steps))
            x += dt * v
        points[period] = x, v
    return points


section(0.0, 0.0, 1)    # compiles
start = time.perf_counter()
points = section(0.1, 0.0, 5000)
print(f"{time.perf_counter() - start:.2f} s for a million steps")

# %%
# The driven oscillator is chaotic: its section is a fractal, folded again and again.
fig, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.plot(*points[100:].T, ".", markersize=2, color="tab:blue")
ax.set(xlabel="position", ylabel="speed", title="Once in each period of the drive")
plt.show()
