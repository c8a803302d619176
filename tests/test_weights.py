"""fit with weights of samples and of classes, and with dropout."""

import math

import numpy as np
import pytest
from training_problem import M, network

import fastbp
from fastbp.training.class_weight import class_weights


def test_sample_weight_is_that_of_the_gradient(dtype, data):
    X, T = data
    weights = np.arange(M) / 3
    net, by_hand = network(dtype=dtype), network(dtype=dtype)
    net.fit(X, T, epochs=1, batch_size="full", learning_rate=0.1, sample_weight=weights)
    _, gradient = by_hand.gradient(X, T, sample_weight=weights)
    np.testing.assert_allclose(net.params, by_hand.params - 0.1 * gradient, rtol=64 * np.finfo(dtype).eps)


def test_weights_stay_with_their_samples_when_some_are_held_out(data):
    X, T = data
    weights = np.arange(1.0, M + 1)
    whole, cut = network(), network()
    whole.fit(X[:7], T[:7], epochs=2, shuffle=False, sample_weight=weights[:7])
    cut.fit(X, T, epochs=2, shuffle=False, sample_weight=weights, validation_fraction=0.3)
    np.testing.assert_array_equal(whole.params, cut.params)


def test_class_weight_is_a_sample_weight(rng):
    X, labels = rng.normal(size=(12, 3)), rng.integers(0, 3, 12)
    options = {"epochs": 2, "shuffle": False}
    by_class, by_sample = (fastbp.Network([3, 3], "softmax", loss="cross_entropy", seed=1) for _ in range(2))
    by_class.fit(X, labels, class_weight={0: 1, 1: 2, 2: 0.5}, sample_weight=X[:, 0] ** 2, **options)
    by_sample.fit(X, labels, sample_weight=np.array([1, 2, 0.5])[labels] * X[:, 0] ** 2, **options)
    np.testing.assert_array_equal(by_class.params, by_sample.params)


@pytest.mark.parametrize("weights", [np.ones(M - 1), -np.ones(M), np.full(M, math.nan), np.zeros(M)])
def test_bad_sample_weight(data, weights):
    net = network()
    before = net.params
    with pytest.raises(ValueError, match="sample_weight"):
        net.fit(*data, sample_weight=weights)
    np.testing.assert_array_equal(net.params, before)


def test_dropout_follows_from_the_seed(data):
    def trained(dropout, seed=1):
        net = network()
        net.fit(*data, epochs=2, dropout=dropout, seed=seed)
        return net.params

    np.testing.assert_array_equal(trained(0.5), trained([0.5]))
    np.testing.assert_array_equal(trained(0.0), trained([0.0]))
    assert (trained(0.5) != trained(0.0)).any()
    assert (trained(0.5) != trained(0.5, seed=2)).any()


def test_dropout_of_batches(data):
    X, T = data
    dropped, again, whole = network(), network(), network()
    dropped.fit([(X, T)], None, epochs=2, dropout=0.5, seed=1)
    again.fit([(X, T)], None, epochs=2, dropout=0.5, seed=1)
    whole.fit([(X, T)], None, epochs=2, seed=1)
    np.testing.assert_array_equal(dropped.params, again.params)
    assert (dropped.params != whole.params).any()


# ---------------------------------------------------------------- class weights

def test_class_weights_by_label():
    net = fastbp.Network([1, 3], "softmax", loss="cross_entropy")
    labels = np.array([0, 0, 2, 0])
    expected = [1, 1, 5, 1]
    for targets in (labels, np.eye(3)[labels]):
        np.testing.assert_array_equal(class_weights(net, targets, {0: 1, 2: 5}), expected)
    # M / (classes that occur * samples of the class), as in scikit-learn
    np.testing.assert_allclose(class_weights(net, labels, "balanced"), [2 / 3, 2 / 3, 2, 2 / 3])


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_class_weights_of_one_output(shape):
    net, targets = fastbp.Network([1, 1]), np.array([0.0, 1, 1, 1]).reshape(shape)
    np.testing.assert_allclose(class_weights(net, targets, "balanced"), [2, 2 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(class_weights(net, targets, {0: 3, 1: 1}), [3, 1, 1, 1])


@pytest.mark.parametrize(
    ("sizes", "targets", "class_weight", "sample_weight", "name"),
    [
        ([1, 1], [0.5, 1], "balanced", None, "class_weight needs targets"),
        ([1, 2], [[1, 1], [0, 1]], "balanced", None, "class_weight needs targets"),
        ([1, 1], [0, 1], {0: 1}, None, "class_weight must have a weight for every label in T, got none for 1"),
        ([1, 1], [0, 1], {0: 1, 1: 1, 2: 1}, None, "class_weight must have labels"),
        ([1, 1], [0, 1], {0: 1, 1: -1}, None, "class_weight"),
        ([1, 1], [0, 1], "balanced", [1, 2, 3], "sample_weight"),
        ([1, 1], [0, 1], {0: 0, 1: 0}, None, "one positive.* after class_weight"),
    ],
)
def test_class_weights_refuse(sizes, targets, class_weight, sample_weight, name):
    with pytest.raises(ValueError, match=name):
        fastbp.Network(sizes).fit(np.zeros((len(targets), 1)), targets, class_weight=class_weight,
                                  sample_weight=sample_weight)


def test_class_weights_are_not_told_to_a_loss_of_ones_own():
    net = fastbp.Network([1, 1], loss=lambda Y, T: (0.5 * ((Y - T) ** 2).sum(), Y - T))
    with pytest.raises(ValueError, match="class_weight cannot be used with a loss function of your own"):
        net.fit([[0.0], [1.0]], [[0.0], [1.0]], class_weight="balanced")
