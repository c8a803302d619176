"""How often `fastbp.PredictionInterval` holds new targets: ``python benchmarks/intervals.py``.

Each repetition draws data of a known curve and known noise, trains a network and asks for the intervals of 200 new
targets. Over 200 repetitions intervals for 95 % should hold 93 to 97 % of them.
"""

import sys

import numpy as np

import fastbp

REPETITIONS, NEW = 200, 200
CURVES = {
    "sin(3 x), noise 0.2, 60 samples, 1-6-1": (lambda X: np.sin(3 * X), 1, 60, 0.2, [1, 6, 1]),
    "sin(10 x) / (10 x), noise 0.1, 100 samples, 1-10-1": (lambda X: np.sinc(10 * X / np.pi), 1, 100, 0.1, [1, 10, 1]),
    "x1 x2 + x1, noise 0.1, 150 samples, 2-8-1": (lambda X: X[:, :1] * X[:, 1:] + X[:, :1], 2, 150, 0.1, [2, 8, 1]),
    "sin(3 x) and x^2, noise 0.2, 60 samples, 1-8-2": (
        lambda X: np.hstack([np.sin(3 * X), X**2]), 1, 60, 0.2, [1, 8, 2]),
}


def coverage(curve, n_inputs, samples, noise, layer_sizes, repetitions=REPETITIONS, level=0.95):
    """The share of new targets in their intervals, and the mean estimate of the noise."""
    held, noises = [], []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)

        def draw(m, rng=rng):
            X = rng.uniform(-1, 1, (m, n_inputs))
            Y = curve(X)
            return X, Y + rng.normal(0, noise, Y.shape)

        X, T = draw(samples)
        net = fastbp.Network(layer_sizes, "tanh", "identity", seed=seed)
        net.fit(X, T, epochs=100, optimizer=fastbp.LevenbergMarquardt(bayesian=True))
        X_new, T_new = draw(NEW)
        interval = fastbp.PredictionInterval(net, X, T, level)
        low, high = interval(X_new)
        held.append(np.mean((low <= T_new) & (T_new <= high)))
        noises.append(interval.noise.mean())
    return np.mean(held), np.mean(noises)


def main():
    failed = False
    for name, problem in CURVES.items():
        share, noise = coverage(*problem)
        failed |= not 0.93 <= share <= 0.97
        print(f"{name:<55} {share:.1%} of the new targets, noise estimated as {noise:.3f}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
