"""Long batches of narrow layers, whose samples stand along the lanes of vectors, against the oracle."""

import numpy as np
import pytest
from reference import ACTIVATIONS, Reference, assert_close, random_problem

import fastbp

# One layer to four, around the lanes of a vector; the last two have no padding in some of the modules, or all.
SHAPES = [
    *[(1, V - 1, V, V + 1, 2 * V + 3) for V in (2, 4, 8, 16)],
    *[(2 * V + 3, V + 1, V, V - 1, 1) for V in (2, 4, 8, 16)],
    (3, 1),
    (19, 5),
    (64, 3, 1),
    (8, 32, 4),
    (16, 16),
]
# Blocks of one panel more or less than the least, full and not, and what is left of a batch behind the last panel.
BATCHES = [127, 128, 160, 193, 512, 577, 701]


def problem(rng, layer_sizes, activations, n_samples, dtype, loss="squared_error"):
    layers, X, T = random_problem(rng, layer_sizes, n_samples)
    net = fastbp.Network(layer_sizes, activations, loss=loss, reduction="mean", dtype=dtype, init=layers)
    return net, Reference.of(net), X.astype(dtype), T.astype(dtype)


def check(net, oracle, X, T, weights=None):
    terms = sum(net.layer_sizes) + len(X)
    error, gradient = net.gradient(X, T, sample_weight=weights)
    expected, expected_gradient = oracle.gradient(X, T, 1.0 if weights is None else weights)
    assert_close(net.predict(X), oracle.predict(X), net.dtype, terms)
    assert_close(error, expected, net.dtype, terms)
    assert_close(gradient, expected_gradient, net.dtype, terms)


@pytest.mark.parametrize("n_samples", BATCHES)
@pytest.mark.parametrize("layer_sizes", SHAPES, ids=str)
def test_shapes(isa, dtype, rng, layer_sizes, n_samples):
    activations = ["tanh", "silu", "sigmoid", "identity"][: len(layer_sizes) - 1]
    net, oracle, X, T = problem(rng, layer_sizes, activations, n_samples, dtype)
    check(net, oracle, X, T)
    check(net, oracle, X, T, rng.uniform(0, 2, n_samples).astype(dtype))


@pytest.mark.parametrize("place", ["hidden", "output"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(isa, dtype, rng, activation, place):
    activations = [activation, "identity"] if place == "hidden" else ["tanh", activation]
    check(*problem(rng, (3, 5, 3), activations, 261, dtype))


def test_a_fused_loss(isa, dtype, rng):
    net, oracle, X, _ = problem(rng, (4, 7, 3), ["tanh", "softmax"], 261, dtype, "cross_entropy")
    check(net, oracle, X, np.eye(3, dtype=dtype)[rng.integers(3, size=261)])


def test_a_loss_of_the_users(isa, dtype, rng):
    net, oracle, X, T = problem(rng, (4, 7, 3), "tanh", 261, dtype)
    own = fastbp.Network(
        (4, 7, 3), "tanh", loss=lambda Y, T: (((Y - T) ** 2).sum() / 2, Y - T), reduction="mean", dtype=dtype
    )
    own.params = net.params
    check(own, oracle, X, T)


def test_batches_in_another_order(isa, dtype, rng):
    net, oracle, X, T = problem(rng, (3, 5, 2), "tanh", 700, dtype)
    order = rng.permutation(700)
    net._train_epoch(net._samples(X, T), order, 300, fastbp.SGD(0.1), 0)
    for start in range(0, 700, 300):
        rows = order[start : start + 300]
        oracle.params = oracle.params - 0.1 * oracle.gradient(X[rows], T[rows])[1]
    assert_close(net.params, oracle.params, dtype, terms=1000)


def test_dropout_follows_the_oracle(isa, dtype, rng):
    # Sample i has an input of its own, whose weights show which neurons were kept; the second half weighs nothing.
    net, oracle, _, T = problem(rng, (64, 5, 2), "tanh", 128, dtype)
    X = np.vstack([np.eye(64, dtype=dtype)] * 2)
    weights = np.repeat([2.0, 0.0], 64).astype(dtype)
    before = net.params
    net._train_epoch(net._samples(X, T, weights), None, 128, fastbp.SGD(0.1), 0, (0.5,), 7)
    (W, b), (V, c) = oracle.layers
    factors = 2.0 * (net.weights[0] != W)
    assert 100 < np.count_nonzero(factors) < 220
    hidden = np.tanh(W + b)
    Y = np.tanh(hidden * factors @ V + c)
    D = 2 * (Y - T[:64]) * (1 - Y * Y)
    D_hidden = (D @ V.T) * factors * (1 - hidden * hidden)
    gradient = np.concatenate(
        [D_hidden.ravel(), D_hidden.sum(axis=0), ((hidden * factors).T @ D).ravel(), D.sum(axis=0)]
    )
    assert_close((before - net.params) / 0.1 * 128, gradient, dtype, terms=128 * 128 * 100)
