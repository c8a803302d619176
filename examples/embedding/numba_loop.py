"""A network inside a loop that Numba compiles: it learns, predicts, and is the right-hand side of an ODE."""

import time

import numba
import numpy as np

import fastbp

rng = np.random.default_rng(0)
# A pendulum with friction, (angle, speed)' = f(angle, speed): the network learns f from samples.
X = rng.uniform(-2, 2, (2000, 2))
T = np.stack([X[:, 1], -np.sin(X[:, 0]) - 0.2 * X[:, 1]], axis=1)
net = fastbp.Network([2, 16, 2], "tanh", "identity", seed=0)

c = net.ctypes  # as long as this lives, so does the handle
handle, begin, end, train_step, predict = c.address, c.begin, c.end, c.train_step, c.predict


@numba.njit
def train(X, T, epochs, learning_rate):
    """On-line learning; returns a status of fastbp.h."""
    error = np.empty(1)
    status = begin(handle)
    for _ in range(epochs):
        for i in range(len(X)):
            if status == 0:
                status = train_step(handle, X[i].ctypes, T[i].ctypes, 1, learning_rate, error.ctypes)
    end(handle)
    return status


@numba.njit
def swing(state, step, steps):
    """The path of the learnt pendulum, by the classical method of Runge and Kutta."""
    path = np.empty((steps, 2))
    k1, k2, k3, k4 = np.empty(2), np.empty(2), np.empty(2), np.empty(2)
    for i in range(steps):
        predict(handle, state.ctypes, 1, k1.ctypes)
        between = state + step / 2 * k1
        predict(handle, between.ctypes, 1, k2.ctypes)
        between = state + step / 2 * k2
        predict(handle, between.ctypes, 1, k3.ctypes)
        between = state + step * k3
        predict(handle, between.ctypes, 1, k4.ctypes)
        state = state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path[i] = state
    return path


train(X[:1], T[:1], 1, 0.01), swing(X[0], 0.01, 1)  # Numba compiles at the first call
start = time.perf_counter()
status = train(X, T, 100, 0.02)
print(f"training step: status {status}, {1e9 * (time.perf_counter() - start) / (100 * len(X)):.0f} ns a call")
print(f"RMS error: {net.rms(X, T):.3f}")
start = time.perf_counter()
path = swing(np.array([1.5, 0.0]), 0.01, 1000)
print(f"prediction: {1e9 * (time.perf_counter() - start) / 4000:.0f} ns a call, Runge and Kutta's sums included")
print("after 10 seconds:", path[-1].round(2))
