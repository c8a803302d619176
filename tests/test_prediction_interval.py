"""Intervals for new targets."""

import math

import numpy as np
import pytest
from reference import Reference

import fastbp
from fastbp.prediction_interval import student_quantile


def trained(seed=0, m=60, dtype="float64", sizes=(1, 6, 1), epochs=80, noise=0.2):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (m, 1)).astype(dtype)
    T = (np.sin(3 * X) + rng.normal(0, noise, (m, sizes[-1]))).astype(dtype)
    net = fastbp.Network(sizes, "tanh", "identity", seed=seed, dtype=dtype)
    net.fit(X, T, epochs=epochs, optimizer=fastbp.LevenbergMarquardt(bayesian=True))
    return net, X, T


def test_it_is_the_delta_method(isa, dtype):
    net, X, T = trained(dtype=dtype, sizes=(1, 5, 2))
    interval = fastbp.PredictionInterval(net, X, T, level=0.9)
    X_new = np.linspace(-1.5, 1.5, 7, dtype=dtype)[:, None]
    oracle = Reference.of(net)
    J = oracle.param_jacobian(X).reshape(-1, net.n_params)
    H, w = J.T @ J, oracle.params
    e = oracle.predict(X) - T
    damping = 1.0
    for _ in range(2000):      # alpha / beta of largest evidence
        gamma = np.trace(np.linalg.solve(H + damping * np.eye(len(w)), H))
        damping = gamma / (w @ w) * np.sum(e * e) / (e.size - gamma)
    A = np.linalg.inv(H + damping * np.eye(len(w)))
    g = oracle.param_jacobian(X_new)
    s = np.sqrt(np.sum(e * e, axis=0) / ((e.size - gamma) / 2))
    half = student_quantile(0.9, e.size - gamma) * s * np.sqrt(1 + np.einsum("mkp,pq,mkq->mk", g, A @ H @ A, g))
    low, high = interval(X_new)
    tolerance = {"float64": 1e-5, "float32": 2e-2}[dtype]
    np.testing.assert_allclose(low, oracle.predict(X_new) - half, atol=tolerance)
    np.testing.assert_allclose(high, oracle.predict(X_new) + half, atol=tolerance)
    np.testing.assert_allclose(interval.noise, s, rtol=tolerance)
    assert interval.effective_parameters == pytest.approx(gamma, rel=10 * tolerance)
    assert low.dtype == high.dtype == dtype
    single = interval(X_new[2])
    assert single[0].shape == (2,)
    np.testing.assert_allclose(single, (low[2], high[2]), rtol=1e-5)
    assert "noise=" in repr(interval) and "level=0.9" in repr(interval)


def test_coverage():
    """A small version of benchmarks/intervals.py: 25 times 100 targets, whose share has a standard error of 1 %."""
    held = []
    for seed in range(25):
        net, X, T = trained(seed)
        low, high = fastbp.PredictionInterval(net, X, T)(np.linspace(-1, 1, 100)[:, None])
        rng = np.random.default_rng(1000 + seed)
        new = np.sin(3 * np.linspace(-1, 1, 100)[:, None]) + rng.normal(0, 0.2, (100, 1))
        held.append(np.mean((low <= new) & (new <= high)))
    assert 0.92 < np.mean(held) < 0.98


def test_it_is_wider_where_there_are_no_data_and_at_higher_levels():
    net, X, T = trained()
    low, high = fastbp.PredictionInterval(net, X, T)([[0.0], [2.0]])
    assert (high - low)[1] > 1.2 * (high - low)[0]
    narrow_low, narrow_high = fastbp.PredictionInterval(net, X, T, level=0.5)([[0.0], [2.0]])
    assert (narrow_high - narrow_low < high - low).all()


def test_a_network_that_is_trained_further_changes_no_interval():
    net, X, T = trained()
    interval = fastbp.PredictionInterval(net, X, T)
    before = interval(X)
    net.params = np.zeros(net.n_params)
    np.testing.assert_array_equal(interval(X), before)


def test_what_is_refused():
    net, X, T = trained(epochs=5)
    for level in (0, 0.9999, 1 - 1e-9, 1 - 1e-16, 1, -1, np.nan):
        with pytest.raises(ValueError, match=r"level must be above 0 and below 0\.9999, got"):
            fastbp.PredictionInterval(net, X, T, level=level)
    with pytest.raises(ValueError, match="net must have the loss 'squared_error', got Huber"):
        fastbp.PredictionInterval(fastbp.Network([1, 1], loss="huber"), X, T)
    with pytest.raises(ValueError, match="got one sample"):
        fastbp.PredictionInterval(net, X[0], T[0])
    with pytest.raises(ValueError, match="X must hold more samples: 1 residual"):
        fastbp.PredictionInterval(net, X[:1], T[:1] + 1)
    with pytest.raises(ValueError, match="T must be finite"):
        fastbp.PredictionInterval(net, X, T * np.nan)
    with pytest.raises(TypeError, match=r"net must be a fastbp\.Network, got str 'a'"):
        fastbp.PredictionInterval("a", X, T)
    with pytest.raises(ValueError, match="net must have residuals and derivatives whose squares are finite"):
        fastbp.PredictionInterval(net, X, T + 1e200)


@pytest.mark.parametrize(("X_new", "error", "message"), [
    ([[0.0, 1.0]], ValueError, r"X_new must have the shape \(1,\) or \(M, 1\), got \(1, 2\)"),
    (0.0, ValueError, r"X_new must have the shape .* got \(\)"),
    ([[np.nan]], ValueError, r"X_new must be finite, got nan at index \(0, 0\)"),
    # In a later block of rows: the index is that of the whole.
    (np.where(np.arange(60_000) == 59_990, np.inf, 0)[:, None], ValueError, r"X_new .* got inf at index \(59990, 0\)"),
    ([["a"]], TypeError, "X_new must hold real numbers"),
])
def test_new_inputs_that_are_refused(X_new, error, message):
    net, X, T = trained(epochs=5)
    with pytest.raises(error, match=message):
        fastbp.PredictionInterval(net, X, T)(X_new)


def test_a_perfect_fit_leaves_no_noise():
    X = np.linspace(-1, 1, 20)[:, None]
    net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [1.0])])
    low, high = fastbp.PredictionInterval(net, X, 2 * X + 1)(X)
    np.testing.assert_allclose(high - low, 0, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_perfect_fit_of_a_network_whose_parameters_the_data_do_not_determine(dtype):
    line = fastbp.Network([2, 1], "identity", init=[([[1.0], [2.0]], [0.0])], dtype=dtype)
    X = np.column_stack([np.linspace(0, 1, 10), np.zeros(10)])      # nothing depends on one of the weights
    interval = fastbp.PredictionInterval(line, X, line.predict(X))
    np.testing.assert_array_equal(interval([[0.5, 0.0]]), [[[0.5]], [[0.5]]])
    assert interval.effective_parameters == pytest.approx(2) and interval.noise == 0
    net, X, _ = trained(dtype=dtype)
    y = net.predict(X)
    np.testing.assert_array_equal(fastbp.PredictionInterval(net, X, y)(X), [y, y])
    dead = fastbp.Network([1, 1], "relu", init=[([[1.0]], [-9.0])], dtype=dtype)
    interval = fastbp.PredictionInterval(dead, X, np.zeros_like(X))
    np.testing.assert_array_equal(interval([[0.0]]), [[[0.0]], [[0.0]]])
    assert interval.effective_parameters == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-150, 1e-3, 1.0])
def test_the_damping_solves_its_equation_however_small_the_parameters(size):
    net, X, T = trained(epochs=2)
    net.params = size * net.params
    interval = fastbp.PredictionInterval(net, X, T)
    low, high = interval(X)
    assert (low < high).all()
    if size < 1e-100:
        # Such weights are most likely where they say nothing of the data; what is left is the noise.
        s = np.sqrt(np.mean((net.predict(X) - T)**2))
        assert interval.effective_parameters < 1e-50 and interval.noise == pytest.approx(s)
        assert high - low == pytest.approx(2 * s * student_quantile(0.95, len(X)))
    else:
        J, w = Reference.of(net).param_jacobian(X)[:, 0], net.params
        gamma = interval.effective_parameters
        k = gamma / (w @ w) * np.sum((net.predict(X) - T)**2) / (len(X) - gamma)
        assert gamma == pytest.approx(np.trace(np.linalg.solve(J.T @ J + k * np.eye(len(w)), J.T @ J)), rel=1e-6)


# From the tables of any book; the last column is the normal distribution's.
@pytest.mark.parametrize(("level", "quantiles"), [
    (0.9, {1: 6.313752, 2: 2.919986, 5: 2.015048, 30: 1.697261, 1e9: 1.644854}),
    (0.95, {1: 12.706205, 2: 4.302653, 5: 2.570582, 30: 2.042272, 1e9: 1.959964}),
    (0.99, {1: 63.656741, 2: 9.924843, 5: 4.032143, 30: 2.749996, 1e9: 2.575829}),
])
def test_quantiles_of_student(level, quantiles):
    for freedom, value in quantiles.items():
        assert student_quantile(level, freedom) == pytest.approx(value, abs=1e-6 * max(1, value))


def test_quantiles_of_student_between_whole_numbers():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2.5, 7.3, 99.9, 9_999, 10_001, 1e6):
        for level in (1e-9, 0.5, 0.95, 0.999, 0.9998):
            assert math.isclose(student_quantile(level, freedom), stats.t.ppf((1 + level) / 2, freedom), rel_tol=1e-7)
    # The worst case: just above one degree of freedom, at the highest level.
    assert math.isclose(student_quantile(0.99989, 1.01), stats.t.ppf(0.999945, 1.01), rel_tol=1e-3)
