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
    for level in (0, 1, -1, np.nan):
        with pytest.raises(ValueError, match="level must be above 0 and below 1"):
            fastbp.PredictionInterval(net, X, T, level=level)
    with pytest.raises(ValueError, match="net must have the loss 'squared_error', got Huber"):
        fastbp.PredictionInterval(fastbp.Network([1, 1], loss="huber"), X, T)
    with pytest.raises(ValueError, match="got one sample"):
        fastbp.PredictionInterval(net, X[0], T[0])
    with pytest.raises(ValueError, match="X must hold more samples: 1 residual"):
        fastbp.PredictionInterval(net, X[:1], T[:1] + 1)
    with pytest.raises(ValueError, match="T must be finite"):
        fastbp.PredictionInterval(net, X, T * np.nan)
    with pytest.raises(ValueError, match="X must have the shape"):
        fastbp.PredictionInterval(net, X, T)([[0.0, 1.0]])
    with pytest.raises(ValueError, match="X must be finite"):
        fastbp.PredictionInterval(net, X, T)([[np.nan]])


def test_a_perfect_fit_leaves_no_noise():
    X = np.linspace(-1, 1, 20)[:, None]
    net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [1.0])])
    low, high = fastbp.PredictionInterval(net, X, 2 * X + 1)(X)
    np.testing.assert_allclose(high - low, 0, atol=1e-12)


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
        for level in (0.5, 0.95, 0.999):
            assert math.isclose(student_quantile(level, freedom), stats.t.ppf((1 + level) / 2, freedom), rel_tol=1e-7)
