"""
A surrogate of an expensive function, and its gradient
======================================================

A simulation takes a speed and an angle and gives the distance that a ball flies through air. A network that has learnt
from 300 runs stands in for it: it takes less than a microsecond, and it has derivatives. They find the angle of the
longest throw for each speed.
"""

from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np

import fastbp
from fastbp.interop.scaling import fold


def distance(speed, angle, dt=0.005):
    """Metres that a ball flies, with drag in proportion to the square of its speed; by Euler's method."""
    x, y, vx, vy = 0.0, 0.0, speed * np.cos(angle), speed * np.sin(angle)
    while y >= 0:
        drag = 0.03 * np.hypot(vx, vy)
        x, y, vx, vy = x + dt * vx, y + dt * vy, vx - dt * drag * vx, vy - dt * (9.81 + drag * vy)
    return x


rng = np.random.default_rng(0)
runs = rng.uniform([10, 0.1], [50, 1.4], (300, 2))
results = np.array([distance(*run) for run in runs])
middle, half = np.array([30, 0.75]), np.array([20, 0.65])
net = fastbp.Network([2, 20, 20, 1], "tanh", "identity", seed=0)
net.fit((runs - middle) / half, results / 30, epochs=3000, batch_size=20, optimizer="adam", schedule="cosine")
surrogate = fold(net, input_mean=middle, input_scale=half, output_scale=30)

test = rng.uniform([10, 0.1], [50, 1.4], (200, 2))
print(f"RMS error on new runs: {surrogate.rms(test, [distance(*run) for run in test]):.2f} m")
run = min(repeat(lambda: distance(*test[0]), number=1, repeat=50))
call = min(repeat(surrogate.bind(test[0]).predict, number=1000, repeat=50)) / 1000
print(f"a run takes {1e6 * run:.0f} µs, the network {1e6 * call:.2f} µs")

# %%
# Newton's method with the network's own derivatives finds where the slope by the angle is 0.
best = np.column_stack([np.linspace(12, 48, 40), np.full(40, 0.7)])
for _ in range(6):
    best[:, 1] -= surrogate.jacobian(best)[:, 0, 1] / surrogate.hessian(best)[:, 0, 1, 1]
speeds, angles = np.linspace(10, 50, 80), np.linspace(0.1, 1.4, 80)
plane = np.stack(np.meshgrid(speeds, angles), axis=-1).reshape(-1, 2)
fig, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
contours = ax.contourf(speeds, np.degrees(angles), surrogate.predict(plane).reshape(80, 80), 14, cmap="cividis")
ax.plot(runs[:, 0], np.degrees(runs[:, 1]), ".", color="white", markersize=6, label="a run of the simulation")
ax.plot(best[:, 0], np.degrees(best[:, 1]), color="tab:orange", linewidth=3, label="best angle, by derivatives")
ax.set(xlabel="speed, m/s", ylabel="angle, degrees")
ax.legend(loc="lower left", facecolor="dimgray", labelcolor="white")
fig.colorbar(contours, ax=ax, label="distance, m")
plt.show()
