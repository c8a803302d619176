"""A fair race against NumPy: both sides make the same updates, each in one thread.

Both sides train an 8-32-32-1 network by mini-batches of 32 and plain gradient descent, in float32. First they have to
agree. Then they take turns, so that a processor that slows down or is shared slows both, and the medians are compared.
`python -m fastbp bench` compares more workloads and more libraries.
"""

import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before the import of NumPy, which reads them; fastbp uses one thread, too

import numpy as np  # noqa: E402

import fastbp  # noqa: E402

SIZES, BATCH, RATE, ROUNDS = [8, 32, 32, 1], 32, 0.001, 15

rng = np.random.default_rng(0)
X = rng.standard_normal((6400, SIZES[0]), dtype=np.float32)
T = np.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:3]

net = fastbp.Network(SIZES, "tanh", "identity", dtype="float32", seed=0)
weights, biases = [W.copy() for W in net.weights], [b.copy() for b in net.biases]


def fastbp_epoch():
    net.fit(X, T, epochs=1, batch_size=BATCH, learning_rate=RATE, shuffle=False)


def numpy_epoch():
    for first in range(0, len(X), BATCH):
        outputs = [X[first:first + BATCH]]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            outputs.append(np.tanh(outputs[-1] @ W + b))
        delta = outputs[-1] @ weights[-1] + biases[-1] - T[first:first + BATCH]
        for l in reversed(range(len(weights))):
            dW, db = outputs[l].T @ delta, delta.sum(axis=0)
            if l > 0:
                delta = (delta @ weights[l].T) * (1 - outputs[l] ** 2)
            weights[l] -= RATE * dW
            biases[l] -= RATE * db


def seconds(epoch):
    start = time.perf_counter()
    epoch()
    return time.perf_counter() - start


numpy_epoch()
fastbp_epoch()
difference = max(abs(ours - theirs).max() for ours, theirs in zip(net.weights, weights, strict=True))
print(f"largest difference of a weight after one epoch: {difference:.0e}")
assert difference < 1e-4

times = [(seconds(numpy_epoch), seconds(fastbp_epoch)) for _ in range(ROUNDS)]
theirs, ours = map(statistics.median, zip(*times, strict=True))
ratios = sorted(a / b for a, b in times)
print(f"an epoch by NumPy {theirs * 1e3:.2f} ms, by fastbp {ours * 1e3:.2f} ms")
print(f"NumPy takes {statistics.median(ratios):.1f} times as long, from {ratios[0]:.1f} to {ratios[-1]:.1f}")
