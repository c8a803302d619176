"""What the methods that make each step of all samples have in common: some steps are only tried."""

import numpy as np
import pytest
from reference import random_problem

import fastbp
from fastbp import LevenbergMarquardt

METHODS = {
    "lbfgs": lambda: "lbfgs",
    "lm": lambda: LevenbergMarquardt(mu=1e-12),
    "bayesian": lambda: LevenbergMarquardt(mu=1e-12, bayesian=True),
}


@pytest.fixture(params=METHODS)
def method(request):
    if request.param == "lbfgs":
        pytest.importorskip("scipy")
    return METHODS[request.param]


@pytest.fixture
def problem():
    layers, X, T = random_problem(np.random.default_rng(7), [3, 6, 2], 40)
    return fastbp.Network([3, 6, 2], "tanh", "identity", init=layers), X, T


def test_an_interruption_keeps_the_last_finished_epoch(monkeypatch, problem, method):
    net, X, T = problem
    twin = net.copy()
    calls, loss, last = [], fastbp.Network._loss_of, None

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == last:
            raise KeyboardInterrupt
        return loss(self, *arguments)

    monkeypatch.setattr(fastbp.Network, "_loss_of", interrupted)
    twin.fit(X, T, epochs=3, optimizer=method())
    calls, last = [], len(calls) + 1        # while the fourth step is being tried
    history = net.fit(X, T, epochs=9, optimizer=method())
    assert history.stop_reason == "interrupted" and len(history) == 3
    np.testing.assert_array_equal(net.params, twin.params)


def test_the_network_never_has_parameters_that_are_only_tried(monkeypatch, problem, method):
    """Other threads predict with it meanwhile."""
    net, X, T = problem
    accepted, tried, loss = [net.params], [], fastbp.Network._loss_of

    def watched(self, *arguments):
        tried.append(self.params)
        np.testing.assert_array_equal(net.params, accepted[-1])
        return loss(self, *arguments)

    monkeypatch.setattr(fastbp.Network, "_loss_of", watched)
    history = net.fit(X, T, epochs=30, optimizer=method(),
                      callbacks=lambda state: accepted.append(state.network.params))
    assert len(tried) > len(history) + 1        # some were refused
