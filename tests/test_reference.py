"""The oracle itself: its gradients against differences of its errors, its optimizers against steps done by hand."""

import numpy as np
import pytest
from reference import (
    ACTIVATIONS,
    SGD,
    Adam,
    Reference,
    assert_away_from_kinks,
    central_difference,
    random_problem,
)

CASES = [
    *[([name, name], "squared_error") for name in ACTIVATIONS if name != "threshold"],
    (["tanh", "softmax"], "cross_entropy"),
]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("activations", "loss"), CASES, ids=str)
def test_gradients_are_those_of_the_error(rng, activations, loss, reduction):
    layers, X, T = random_problem(rng, [3, 4, 2], 5)
    T, sample_weight = abs(T), rng.uniform(0, 2, 5)  # cross-entropy takes no negative targets
    net = Reference(layers, activations, loss=loss, reduction=reduction)
    assert_away_from_kinks(net, X)

    def error_at(params):
        moved = Reference(net.layers, activations, loss=loss, reduction=reduction)
        moved.params = params
        return moved.error(X, T, sample_weight)

    def close(computed, differences):
        np.testing.assert_allclose(computed, differences, rtol=0, atol=1e-9)

    one = X[:1]
    rows = [central_difference(lambda x, n=n: net.predict(x)[0, n], one) for n in range(2)]
    close(net.gradient(X, T, sample_weight)[1], central_difference(error_at, net.params))
    close(net.input_gradient(X, T), central_difference(lambda X: net.error(X, T), X))
    close(net.jacobian(one), np.stack(rows, axis=1))


def test_momentum_by_hand():
    plain, nesterov = SGD(0.1, momentum=0.5), SGD(0.1, momentum=0.5, nesterov=True)
    assert plain.step(1.0, 2.0) == pytest.approx(0.8)  # v = -0.2
    assert plain.step(0.8, 1.0) == pytest.approx(0.6)  # v = -0.1 - 0.1
    assert nesterov.step(1.0, 2.0) == pytest.approx(0.7)  # v = -0.2, then 0.5 v - 0.2
    assert nesterov.step(0.7, 1.0) == pytest.approx(0.5)  # v = -0.2, then 0.5 v - 0.1


def test_adam_by_hand():
    # The corrections make m_hat = g and v_hat = g^2 at the first step: it has the length h whatever g is.
    adam = Adam(0.1, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    assert adam.step(1.0, 4.0) == pytest.approx(0.9)
    # m = 0.5 * 2 + 0.5 * 2, over 1 - 0.25; v = 0.75 * 4 + 0.25 * 4, over 1 - 0.5625.
    assert adam.step(0.9, 2.0) == pytest.approx(0.9 - 0.1 * (2 / 0.75) / np.sqrt(4 / 0.4375))
