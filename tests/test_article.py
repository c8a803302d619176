"""article.md in its own words: the worked 2-2-2-1 network neuron by neuron, the perceptron rule, XOR."""

import math
from itertools import pairwise

import numpy as np
import pytest

import fastbp


def g(r):
    return 1 / (1 + math.exp(-r))


def slope(r):
    return g(r) * (1 - g(r))


# The worked network: inputs x1, x2; neurons 1, 2; neurons 3, 4; neuron 5. w[A, B] leads from node A to neuron B.
w = {
    ("x1", 1): 0.3, ("x1", 2): -0.7, ("x2", 1): 0.8, ("x2", 2): 0.2,
    (1, 3): -0.5, (1, 4): 0.9, (2, 3): 0.6, (2, 4): -0.4,
    (3, 5): 1.1, (4, 5): -0.8,
}  # fmt: skip
b = {1: 0.1, 2: -0.2, 3: 0.05, 4: 0.3, 5: -0.15}
SAMPLES = [((0.5, -1.0), 0.2), ((-0.3, 0.8), 0.9), ((1.5, 0.4), 0.6)]
LAYERS = [("x1", "x2"), (1, 2), (3, 4), (5,)]


def worked_network():
    init = [
        ([[w[A, B] for B in neurons] for A in nodes], [b[B] for B in neurons]) for nodes, neurons in pairwise(LAYERS)
    ]
    return fastbp.Network([2, 2, 2, 1], "sigmoid", init=init)


def by_layer(values):
    """{neuron: value} as one list per layer, as the trace of one sample has it."""
    return [[values[B] for B in neurons] for neurons in LAYERS[1:]]


def ripple(x, t):
    """One sample through the article's formulas: r, a, e, d per neuron and the gradients of this sample."""
    a = {"x1": x[0], "x2": x[1]}
    r = {}
    for B, A1, A2 in [(1, "x1", "x2"), (2, "x1", "x2"), (3, 1, 2), (4, 1, 2), (5, 3, 4)]:
        r[B] = a[A1] * w[A1, B] + a[A2] * w[A2, B] + b[B]
        a[B] = g(r[B])

    e = {5: a[5] - t}
    e[3] = e[5] * slope(r[5]) * w[3, 5]
    e[4] = e[5] * slope(r[5]) * w[4, 5]
    e[1] = e[3] * slope(r[3]) * w[1, 3] + e[4] * slope(r[4]) * w[1, 4]
    e[2] = e[3] * slope(r[3]) * w[2, 3] + e[4] * slope(r[4]) * w[2, 4]

    d = {B: e[B] * slope(r[B]) for B in r}
    dw = {(A, B): d[B] * a[A] for A, B in w}
    return r, a, e, d, dw


def test_every_neuron_of_the_worked_network():
    for x, t in SAMPLES:
        r, a, e, d, _ = ripple(x, t)
        trace = worked_network().backprop(x, [t])
        parts = [(trace.net_inputs, r), (trace.outputs, a), (trace.error_signals, e), (trace.deltas, d)]
        for computed, by_hand in parts:
            for layer, expected in zip(computed, by_layer(by_hand), strict=True):
                np.testing.assert_allclose(layer, expected, rtol=1e-13)
        assert trace.error == pytest.approx((a[5] - t) ** 2 / 2, rel=1e-13)


def test_gradients_of_the_worked_network_are_sums_over_the_samples():
    ripples = [ripple(x, t) for x, t in SAMPLES]
    dw = {edge: sum(sample_dw[edge] for *_, sample_dw in ripples) for edge in w}
    db = {B: sum(d[B] for _, _, _, d, _ in ripples) for B in b}

    X, T = np.array([x for x, _ in SAMPLES]), np.array([[t] for _, t in SAMPLES])
    trace = worked_network().backprop(X, T)
    for computed, nodes, neurons in zip(trace.weight_gradients, LAYERS, LAYERS[1:], strict=False):
        np.testing.assert_allclose(computed, [[dw[A, B] for B in neurons] for A in nodes], rtol=1e-12)
    for computed, expected in zip(trace.bias_gradients, by_layer(db), strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-12)


def test_update_takes_all_gradients_at_the_old_weights():
    x, t = SAMPLES[0]
    _, _, _, d, dw = ripple(x, t)
    net = worked_network()
    net.train_step(x, [t], learning_rate=0.5)
    for W, bias, nodes, neurons in zip(net.weights, net.biases, LAYERS, LAYERS[1:], strict=False):
        np.testing.assert_allclose(W, [[w[A, B] - 0.5 * dw[A, B] for B in neurons] for A in nodes], rtol=1e-13)
        np.testing.assert_allclose(bias, [b[B] - 0.5 * d[B] for B in neurons], rtol=1e-13)


def separable(rng, margin=0.2, n_samples=60):
    """Points of the square on both sides of x1 + x2 = 0.3, none nearer to that line than the margin."""
    X = rng.uniform(-1, 1, (4 * n_samples, 2))
    distance = (X.sum(axis=1) - 0.3) / math.sqrt(2)
    keep = abs(distance) > margin
    return X[keep][:n_samples], (distance[keep][:n_samples, None] > 0).astype(float)


def test_threshold_neuron_follows_the_perceptron_rule(rng):
    X, T = separable(rng)
    net = fastbp.Network([2, 1], "threshold", init=[-0.4, 0.3, 0.2])
    v, bias = np.array([-0.4, 0.3]), 0.2
    for x, t in zip(X, T, strict=True):
        y = 1.0 if x @ v + bias >= 0 else 0.0
        v, bias = v - 0.5 * (y - t) * x, bias - 0.5 * (y - t)
        net.train_step(x, t, learning_rate=0.5)
        np.testing.assert_allclose(net.params, [*v, *bias], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shuffle", [False, True])
def test_perceptron_converges_on_separable_data(rng, shuffle):
    X, T = separable(rng)
    net = fastbp.Network([2, 1], "threshold", init=np.zeros(3))
    history = net.fit(X, T, epochs=200, learning_rate=0.1, shuffle=shuffle, seed=0)
    np.testing.assert_array_equal(net.predict(X), T)
    # Novikoff: from zero weights, at most (R / gamma)^2 mistakes are ever made, each of which has E = 1/2. The
    # inputs carry a 1 for the bias; gamma is the margin of the separator (1, 1, -0.3) in that space.
    inputs, separator = np.c_[X, np.ones(len(X))], np.array([1, 1, -0.3])
    gamma = abs(inputs @ separator).min() / np.linalg.norm(separator)
    radius = np.linalg.norm(inputs, axis=1).max()
    assert 0 < 2 * history.error.sum() <= (radius / gamma) ** 2
    assert history.error[-1] == 0


@pytest.mark.parametrize("batch_size", [1, "full"])
def test_xor(batch_size):
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    T = np.array([[0], [1], [1], [0]])
    init = [([[4, -4], [-4, 4]], [-1, -1]), ([[1], [1]], [0])]
    net = fastbp.Network([2, 2, 1], init=init)
    history = net.fit(X, T, epochs=5000, batch_size=batch_size, learning_rate=1.0, seed=0)
    assert history.rms[-1] < 0.05 < 0.4 < history.rms[0]
    np.testing.assert_array_equal(net.predict(X).round(), T)
