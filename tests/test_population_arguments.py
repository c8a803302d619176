"""What populations take as arguments, and refuse: as a Network does, and before anything has changed."""

import numpy as np
import pytest

import fastbp

X = np.random.default_rng(0).normal(size=(4, 2))
WIDTHS = [3, 40]        # in lanes, and one after another


def outcome(call):
    """The numbers that a call gives, or the type and the text of its error."""
    try:
        return np.asarray(call())
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("labels", [
    np.array([0, 1, 2, 0], object), [0, 1, 2, 0], np.array([0, 1, 2, 0], "u1"), np.eye(3)[[0, 1, 2, 0]].astype(object),
    np.array([0.0, 1, 2, 0]), [True, False, True, False], list("abca"), [0, None, 1, 2], [0, 1, 2, 5],
    np.array([0, 1, 2, 2**70], object), [0, 1, 2], [[0], [1], [2], [0]]], ids=str)
def test_labels_are_taken_or_refused_as_by_a_network(labels, width):
    pop = fastbp.Population(3, [2, width, 3], "tanh", "softmax", loss="cross_entropy", seed=0)
    for name in ("error", "gradient", "fit"):
        def call(one, name=name):
            result = getattr(one, name)(X, labels)
            return getattr(result, "error", result[0] if name == "gradient" else result)

        got, expected = outcome(lambda: call(pop.copy())), outcome(lambda: call(pop[1]))
        if isinstance(expected, tuple) and np.ndim(labels) < 2:
            assert got == expected
        elif isinstance(expected, tuple):
            assert got[0] is expected[0]
            assert got[1].endswith("got (4, 1); numpy.ravel(T) makes them one label for each sample")
        elif name != "fit":     # whose orders differ
            np.testing.assert_allclose(got[1], expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_of_each_network(width):
    pop = fastbp.Population(2, [2, width, 3], "tanh", "softmax", loss="cross_entropy", seed=0)
    labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    expected = [net.error(X, of_net) for net, of_net in zip(pop, labels, strict=True)]
    np.testing.assert_allclose(pop.error(X, labels.astype(object)), expected)
    with pytest.raises(TypeError, match=r"T must hold integer labels.*makes integers of them"):
        pop.error(X, labels.astype(float))
    with pytest.raises(ValueError, match=r"or \(2, 4\) for integer labels, got \(2, 3\)$"):
        pop.error(X, labels[:, :3])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("call", ["error", "rms", "gradient", "train_step"])
@pytest.mark.parametrize(("n_outputs", "targets"), [
    (3, np.arange(6.0).reshape(2, 3)), (1, [0.5, 0.7]), (1, [[0.5], [0.7]]), (3, [1, 2])], ids=str)
def test_one_sample_with_targets_of_each_network(n_outputs, targets, call, width):
    of_labels = np.ndim(targets) == 1 and n_outputs == 3
    pop = fastbp.Population(2, [2, width, n_outputs], "tanh", "softmax" if of_labels else "identity", seed=0,
                            loss="cross_entropy" if of_labels else "squared_error")
    nets = [*pop]
    got = getattr(pop, call)(X[0], targets)
    for i, net in enumerate(nets):
        expected = getattr(net, call)(X[0], targets[i])
        np.testing.assert_allclose(got[0][i] if call == "gradient" else got[i],
                                   expected[0] if call == "gradient" else expected)
        np.testing.assert_allclose(pop.params[i], net.params)
        if call == "gradient":
            np.testing.assert_allclose(got[1][i], expected[1], rtol=1e-9, atol=1e-12)
    if not of_labels:
        with pytest.raises(ValueError, match=r"T must be finite.* for network 1"):
            pop.error(X[0], [targets[0], np.full_like(targets[1], np.nan)])


def test_one_sample_with_one_label():
    pop = fastbp.Population(2, [2, 3, 3], "tanh", "softmax", loss="cross_entropy", seed=0)
    np.testing.assert_allclose(pop.error(X[0], 2), [net.error(X[0], 2) for net in pop])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", [
    [1, -1, 1, 1], [0, 0, 0, 0], [1, np.inf, 1, 1], [np.nan, 1, 1, 1], [1e-310, 1e-40, 1, 1], [1e308] * 4,
    [1e-300] * 4], ids=str)
def test_weights_of_each_network_are_checked_as_those_of_one(weights, dtype, width):
    pop = fastbp.Population(3, [2, width, 1], dtype=dtype, seed=0)
    T = np.full(4, 0.5)
    for name in ("error", "gradient", "fit"):
        def call(one, weights, name=name):
            result = getattr(one, name)(X, T, sample_weight=weights)
            return getattr(result, "error", result[0] if name == "gradient" else result)

        expected = outcome(lambda: call(pop[0], weights))
        shared = outcome(lambda: call(pop.copy(), weights))
        own = outcome(lambda: call(pop.copy(), [np.ones(4), weights, np.ones(4)]))
        if isinstance(expected, tuple):
            assert shared == expected
            assert own == (expected[0], f"{expected[1]}, for network 1")
        else:
            assert np.isfinite(shared).all() and np.isfinite(own).all()
            assert (dtype, weights) == ("float64", [1e-300] * 4)


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_weights_are_nothing_for_a_loss_of_the_users_own(shape):
    pop = fastbp.Population(3, [2, 1], loss=lambda Y, T: (0.0, Y - T), seed=0)
    with pytest.raises(ValueError, match="sample_weight cannot be used with a loss function of your own"):
        pop.gradient(X, np.full(4, 0.5), np.ones(shape))
