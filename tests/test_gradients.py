"""Every activation's gradients, hidden and output, against 4th-order central differences of fastbp's own error."""

import numpy as np
import pytest
from reference import ACTIVATIONS, Reference, assert_away_from_kinks, central_difference, random_problem

import fastbp

SLOPED = [name for name in ACTIVATIONS if name != "threshold"]


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("place", ["hidden", "output"])
@pytest.mark.parametrize("activation", SLOPED)
def test_gradients_are_those_of_the_error(isa, rng, activation, place, reduction, weighted):
    activations = [activation, "identity"] if place == "hidden" else ["tanh", activation]
    layers, X, T = random_problem(rng, [3, 4, 2], 5)
    assert_away_from_kinks(Reference(layers, activations), X)
    net = fastbp.Network([3, 4, 2], activations, reduction=reduction, init=layers)
    sample_weight = rng.uniform(0, 2, 5) if weighted else None

    def error_at(params):
        net.params = params
        return net.gradient(X, T, sample_weight=sample_weight)[0]

    params = net.params
    differences = central_difference(error_at, params)
    net.params = params
    error, gradient = net.gradient(X, T, sample_weight=sample_weight)
    np.testing.assert_allclose(gradient, differences, rtol=0, atol=1e-9)
    if not weighted:
        assert error == pytest.approx(net.error(X, T), rel=1e-14)
        differences = central_difference(lambda X: net.error(X, T), X)
        np.testing.assert_allclose(net.input_gradient(X, T), differences, rtol=0, atol=1e-9)


@pytest.mark.parametrize("activation", SLOPED)
def test_jacobian_is_the_derivative_of_predict(isa, rng, activation):
    layers, X, _ = random_problem(rng, [3, 4, 2], 5)
    assert_away_from_kinks(Reference(layers, [activation] * 2), X)
    net = fastbp.Network([3, 4, 2], activation, init=layers)
    x = X[0]
    rows = [central_difference(lambda x, n=n: net.predict(x)[n], x) for n in range(2)]
    np.testing.assert_allclose(net.jacobian(x), rows, rtol=0, atol=1e-9)


def test_threshold_hands_its_error_signal_straight_through(isa, dtype, rng):
    layers, X, T = random_problem(rng, [3, 9, 4, 2], 6)
    net = fastbp.Network([3, 9, 4, 2], "threshold", dtype=dtype, init=layers)
    trace = net.backprop(X, T)
    for error_signal, delta in zip(trace.error_signals, trace.deltas, strict=True):
        np.testing.assert_array_equal(delta, error_signal)


def test_mean_is_the_sum_divided_by_the_samples(rng):
    # By the samples and not by the outputs; the error signals too, so that they are still those of E.
    layers, X, T = random_problem(rng, [3, 4, 2], 5)
    total, mean = (fastbp.Network([3, 4, 2], reduction=reduction, init=layers) for reduction in ("sum", "mean"))
    assert mean.error(X, T) == pytest.approx(total.error(X, T) / 5)
    np.testing.assert_allclose(mean.gradient(X, T)[1], total.gradient(X, T)[1] / 5)
    np.testing.assert_allclose(mean.backprop(X, T).error_signals[0], total.backprop(X, T).error_signals[0] / 5)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_integer_sample_weights_repeat_the_samples(isa, rng, reduction):
    layers, X, T = random_problem(rng, [3, 4, 2], 5)
    net = fastbp.Network([3, 4, 2], reduction=reduction, init=layers)
    repeats = np.array([2, 0, 1, 3, 1])
    error, gradient = net.gradient(X, T, sample_weight=repeats)
    expected = net.gradient(np.repeat(X, repeats, axis=0), np.repeat(T, repeats, axis=0))
    assert error == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-12)
