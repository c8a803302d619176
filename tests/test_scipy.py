"""Batch learning by SciPy's L-BFGS."""

import numpy as np
import pytest
from reference import Reference, random_problem

import fastbp

pytest.importorskip("scipy")
from fastbp.interop.scipy import minimize


def problem(rng, dtype="float64", reduction="mean"):
    layers, X, T = random_problem(rng, [3, 6, 2], 40)
    return fastbp.Network([3, 6, 2], "tanh", "identity", init=layers, dtype=dtype, reduction=reduction), X, T


def test_it_finds_what_least_squares_finds(rng):
    X, T = rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    net = fastbp.Network([4, 2], "identity", reduction="mean", seed=0)
    minimize(net, X, T, tol=1e-9)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(50)]), T)[0]
    np.testing.assert_allclose(np.vstack([net.weights[0], net.biases[0]]), solution, atol=1e-6)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_gradient_vanishes_where_it_stops(isa, rng, reduction):
    net, X, T = problem(rng, reduction=reduction)
    weights = rng.uniform(0.5, 2, len(X))
    result = minimize(net, X, T, l2=0.1, sample_weight=weights, max_iter=500, tol=1e-7)
    oracle = Reference.of(net)
    is_weight = np.concatenate([np.repeat([1.0, 0.0], [W.size, b.size]) for W, b in oracle.layers])
    gradient = oracle.gradient(X, T, weights)[1] + 0.1 * is_weight * oracle.params
    assert abs(gradient).max() < 1e-5
    penalty = 0.05 * (is_weight * oracle.params**2).sum()
    assert result.fun == pytest.approx(oracle.error(X, T, weights) + penalty, rel=1e-9)


def test_single_precision_learns_too(rng):
    net, X, T = problem(rng, "float32")
    before = net.error(X, T)
    minimize(net, X, T, max_iter=50)
    assert net.error(X, T) < before / 2


def test_an_interrupted_search_keeps_the_best(rng, monkeypatch):
    net, X, T = problem(rng)
    before, calls = net.error(X, T), []
    gradient = fastbp.Network.gradient

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return gradient(*arguments, **options)

    monkeypatch.setattr(fastbp.Network, "gradient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        minimize(net, X, T)
    assert net.error(X, T) < before


@pytest.mark.parametrize(("options", "message"), [
    ({"l2": -1}, "l2"), ({"tol": -1}, "tol"), ({"max_iter": 0}, "max_iter"), ({"sample_weight": [1]}, "sample_weight")])
def test_wrong_arguments_change_nothing(rng, options, message):
    net, X, T = problem(rng)
    before = net.params
    with pytest.raises(ValueError, match=message):
        minimize(net, X, T, **options)
    np.testing.assert_array_equal(net.params, before)
