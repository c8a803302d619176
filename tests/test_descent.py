"""Plain descent by few rows, whose gradient goes into the parameters at once (_kernels/train.pxi)."""

import numpy as np
import pytest
from reference import Reference, assert_close, random_problem

import fastbp

SHAPES = [
    *[(V + difference, V + difference, 3) for V in (2, 4, 8, 16) for difference in (-1, 0, 1)],
    (35, 35, 35, 1),
    (1, 19, 2),
    (300, 7),
    (40, 1),
]
LOSSES = [("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy"), ("identity", "huber")]
PROBLEMS = [
    *[(sizes, m, "tanh", "squared_error", "sum") for sizes in SHAPES for m in (2, 5)],
    *[((35, 35, n), 3, *of, "mean") for of in LOSSES for n in (1, 4) if n > 1 or of[0] != "softmax"],
]


def problem(rng, layer_sizes, n_samples, output, dtype, **options):
    layers, X, T = random_problem(rng, layer_sizes, n_samples)
    if output in ("sigmoid", "softmax"):
        T = np.abs(T)
    if output == "softmax":
        T /= T.sum(axis=1, keepdims=True)
    net = fastbp.Network(layer_sizes, "tanh", output, dtype=dtype, init=layers, **options)
    return net, X.astype(dtype), T.astype(dtype)


@pytest.mark.parametrize(("layer_sizes", "m", "output", "loss", "reduction"), PROBLEMS, ids=str)
def test_an_epoch(isa, dtype, rng, layer_sizes, m, output, loss, reduction):
    net, X, T = problem(rng, layer_sizes, 2 * m + 1, output, dtype, loss=loss, reduction=reduction)
    oracle, order = Reference.of(net), rng.permutation(len(X))
    weights = rng.uniform(0.5, 2, len(X)).astype(dtype) if reduction == "sum" else np.ones(len(X), dtype)
    samples = net._samples(X, T, weights if reduction == "sum" else None)
    for places in (None, order):
        net._train_epoch(samples, places, m, fastbp.SGD(0.05), 0)
        rows = np.arange(len(X)) if places is None else order
        for batch in np.split(rows, [m, 2 * m]):
            oracle.params = oracle.params - 0.05 * oracle.gradient(X[batch], T[batch], weights[batch])[1]
        assert_close(net.params, oracle.params, net.dtype, sum(layer_sizes) + len(X))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_refused_update_changes_nothing(isa, dtype, rng, value):
    net, X, T = problem(rng, (20, 30, 4), 6, "identity", dtype)
    samples, before = net._samples(X, T), net.params
    samples.t[4, 2] = value     # behind the door's back
    with pytest.raises(fastbp.DivergenceError):
        net._train_epoch(samples, None, 6, fastbp.SGD(np.finfo(dtype).max / 4), 0)
    np.testing.assert_array_equal(net.params, before)


def test_a_step_that_only_its_bound_forbids(isa, dtype):
    """The largest input meets a delta of 0 in another row, so the gradient is small, but the product of sums is not."""
    huge = 2.0 ** (1000 if dtype == "float64" else 100)
    X, T = np.zeros((2, 40), dtype), np.zeros((2, 1), dtype)
    X[0, 0], X[1, 1], T[1] = huge, 1, 2 ** 100 if dtype == "float64" else 2 ** 40
    net = fastbp.Network([40, 1], "identity", dtype=dtype, init="zeros")
    net.train_step(X, T, 1)
    np.testing.assert_array_equal(net.weights[0][:, 0], [0, T[1, 0], *[0] * 38])
    np.testing.assert_array_equal(net.biases[0], T[1])


@pytest.mark.parametrize("sizes", [(400, 300, 10), (500, 400, 1)], ids=str)
def test_bits_do_not_depend_on_the_number_of_threads(isa, dtype, rng, sizes):
    net, X, T = problem(rng, sizes, 200, "tanh", dtype)
    results = []
    for threads in (1, 2, 3, 8):
        trained = net.copy()
        trained.fit(X, T, epochs=2, batch_size=70, learning_rate=0.01, seed=1, threads=threads)
        results.append(trained.params)
    for params in results[1:]:
        np.testing.assert_array_equal(params, results[0])


@pytest.mark.parametrize("layer_sizes", [(3, 4, 1), (3, 4, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_recorded_error_of_samples_in_any_order(isa, dtype, rng, layer_sizes, m):
    """Also of a last batch of one row, whose targets are gathered where its errors will stand."""
    net, X, T = problem(rng, layer_sizes, 7, "identity", dtype)
    order = rng.permutation(7)
    for optimizer in (fastbp.SGD(1e-9), fastbp.Adam(1e-9)):
        error, squares = net._train_epoch(net._samples(X, T), order, m, optimizer, 0)
        differences = (Reference.of(net).predict(X) - T) ** 2
        np.testing.assert_allclose([error, squares], [0.5 * differences.sum(), differences.sum()], rtol=1e-5)
