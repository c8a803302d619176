"""`fit(optimizer="lbfgs")`."""

import sys

import numpy as np
import pytest
from reference import Reference, random_problem

import fastbp


def problem(dtype="float64", **options):
    layers, X, T = random_problem(np.random.default_rng(7), [3, 6, 2], 40)
    return fastbp.Network([3, 6, 2], "tanh", "identity", init=layers, dtype=dtype, **options), X, T


def test_without_scipy_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    net, X, T = problem()
    with pytest.raises(ImportError, match=r'optimizer="lbfgs" needs SciPy: pip install "fastbp\[scipy\]"'):
        net.fit(X, T, optimizer="lbfgs")


@pytest.fixture(autouse=True)
def needs_scipy(request):
    if "without" not in request.node.name:
        pytest.importorskip("scipy")


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_gradient_vanishes(isa, reduction):
    net, X, T = problem(reduction=reduction)
    weights = np.linspace(0.5, 2, len(X))
    net = fastbp.Network([3, 2], "tanh", init=net.params[:8], reduction=reduction)     # convex enough to come to an end
    history = net.fit(X, T / 2, epochs=3000, optimizer="lbfgs", sample_weight=weights)
    assert history.stop_reason in ("min_gradient", "no_progress") and (np.diff(history.error) <= 0).all()
    gradient = Reference.of(net).gradient(X, T / 2, weights)[1]
    assert abs(gradient).max() < 1e-5
    assert history.error[-1] == pytest.approx(net.error(X, T / 2, weights), rel=1e-12)


def test_every_iteration_is_an_epoch(dtype):
    net, X, T = problem(dtype)
    states = []
    history = net.fit(X, T, epochs=7, optimizer="lbfgs", callbacks=lambda state: states.append(
        (state.epoch, state.error, net.error(X, T))), validation_data=(X, -T))
    assert history.stop_reason == "epochs" and len(history) == 7
    assert [state[0] for state in states] == list(range(7))
    np.testing.assert_allclose(history.error, [state[2] for state in states], rtol=1e-6)
    assert len(history.validation_error) == 7 and history.mu.size == 0
    # A training that is cut off has come as far as the longer one had.
    again, longer = problem(dtype)[0], problem(dtype)[0]
    assert again.fit(X, T, epochs=7, optimizer="lbfgs").error.tolist() == longer.fit(
        X, T, epochs=12, optimizer="lbfgs").error[:7].tolist()
    assert again.params.tobytes() == net.params.tobytes()


def test_other_losses():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(60, 2)), rng.integers(0, 3, 60)
    net = fastbp.Network([2, 8, 3], "tanh", "softmax", loss="cross_entropy", reduction="mean", seed=0)
    before = net.error(X, labels)
    net.fit(X, labels, epochs=100, optimizer="lbfgs", class_weight="balanced")
    assert net.error(X, labels) < 0.7 * before
    own = fastbp.Network([2, 3, 1], "tanh", "identity", loss=lambda Y, T: (np.sum((Y - T)**4), 4 * (Y - T)**3), seed=0)
    before = own.error(X, X[:, :1])
    own.fit(X, X[:, :1], epochs=30, optimizer="lbfgs")
    assert own.error(X, X[:, :1]) < 0.1 * before


def test_stopping_early():
    net, X, T = problem()
    assert net.fit(X, T, epochs=500, optimizer="lbfgs", desired_error=net.rms(X, T) / 2).stop_reason == "desired_error"
    net, X, T = problem()
    history = net.fit(X[::2], T[::2], epochs=500, optimizer="lbfgs", validation_data=(X[1::2], T[1::2]), patience=3)
    assert history.stop_reason == "patience"
    assert net.error(X[1::2], T[1::2]) == pytest.approx(history.validation_error[history.best_epoch])
    assert net.fit(X, T, epochs=500, optimizer="lbfgs", callbacks=lambda state: state.epoch == 2).epochs == 3


def test_no_parameters_are_measured_twice(monkeypatch):
    """Each time is a pass over the samples."""
    net, X, T = problem()
    measured, loss = [], fastbp.Network._loss_of

    def watched(self, *arguments):
        measured.append(self.params.tobytes())
        return loss(self, *arguments)

    monkeypatch.setattr(fastbp.Network, "_loss_of", watched)
    net.fit(X, T, epochs=10, optimizer="lbfgs")
    assert len(measured) == len(set(measured)) > 10


def test_parameters_from_a_callback_last_until_the_next_iteration():
    net, X, T = problem()
    twin = net.copy()

    def change(state):
        state.network.params = np.full(net.n_params, 0.1)

    history = net.fit(X, T, epochs=5, optimizer="lbfgs", callbacks=change)
    np.testing.assert_array_equal(history.error, twin.fit(X, T, epochs=5, optimizer="lbfgs").error)
    np.testing.assert_array_equal(net.params, np.full(net.n_params, 0.1, net.dtype))


@pytest.mark.parametrize(("options", "message"), [
    ({"batch_size": 8}, "batch_size must be left out with LBFGS"), ({"learning_rate": 1.0}, "learning_rate must be"),
    ({"schedule": "step"}, "schedule cannot"), ({"dropout": 0.5}, "dropout cannot"),
    ({"checkpoint": "c"}, "checkpoint cannot be used with LBFGS"), ({"resume": "c"}, "resume cannot be used with LB"),
])
def test_what_contradicts_it(options, message):
    net, X, T = problem()
    before = net.params
    with pytest.raises(ValueError, match=message):
        net.fit(X, T, optimizer="lbfgs", **options)
    with pytest.raises(ValueError, match="batches cannot"):
        net.fit([(X, T)], optimizer="lbfgs")
    np.testing.assert_array_equal(net.params, before)


def test_numbers_that_are_not_finite():
    net, X, T = problem()
    with pytest.raises(fastbp.DivergenceError, match="Targets are as large as"):
        net.fit(X, T * 1e200, epochs=3, optimizer="lbfgs")
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="parameters must be finite"):
        net.fit(X, T, epochs=3, optimizer="lbfgs")
