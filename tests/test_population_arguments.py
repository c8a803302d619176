"""What populations take as arguments, and refuse: as a Network does, and before anything has changed."""

import pickle

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


T = np.full(4, 0.5)
WRONG = [
    {"epochs": 0}, {"batch_size": "all"}, {"learning_rate": -1.0}, {"learning_rate": [0.1, 1e-60, 0.1]},
    {"learning_rate": [0.1, 0.1]}, {"learning_rate": [0.1, 1e3, 0.1], "optimizer": "adamw"}, {"optimizer": "adm"},
    {"optimizer": fastbp.SGD(0.1, layer_rates=[1.0])}, {"optimizer": fastbp.Adam(1e-60)},
    {"optimizer": fastbp.SGD(1e-60, clip_norm=1.0)}, {"l1": -1.0}, {"l1": [0, -1, 0]}, {"l2": "much"},
    {"l2": 0.1, "optimizer": fastbp.SGD(0.1, l2=0.1)}, {"shuffle": 2}, {"seed": -1}, {"seed": [1, 2]},
    {"seed": "now"}, {"desired_error": -1.0}, {"verbose": "x"}, {"verbose": np.ones(2)},
    {"sample_weight": [1, 1, 1, -1]}, {"sample_weight": np.zeros((3, 4))}, {"validation_data": (X, T[1:])},
    {"validation_data": X[0]}, {"patience": 3}, {"patience": 0, "validation_data": (X, T)}, {"min_delta": 0.1},
    {"min_delta": -1.0}, {"time_limit": 0}, {"threads": 0}, {"threads": 10**6}, {"X": X[:3]}, {"X": X[0]},
    {"X": X * np.nan}, {"T": np.full(4, np.inf)}, {"T": T[1:]}]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_fit_that_is_refused_has_changed_nothing(wrong, width):
    pop, rng = fastbp.Population(3, [2, width, 1], dtype="float32", seed=5), np.random.default_rng(3)
    twin, twins_rng, before = pop.copy(), np.random.default_rng(3), pop.params
    for seed in ({}, {"seed": rng}):
        with pytest.raises((ValueError, TypeError)):
            pop.fit(**{"X": X, "T": T, **seed, **wrong})
    np.testing.assert_array_equal(pop.params, before)
    for seed, twins_seed in ((None, None), (rng, twins_rng)):
        pop.fit(X, T, epochs=2, seed=seed)
        twin.fit(X, T, epochs=2, seed=twins_seed)
    np.testing.assert_array_equal(pop.params, twin.params)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("arguments", "message"), [
    ({"learning_rate": [0.1, 0.1, 1e-60]}, r"learning_rate\[2\] must be positive and finite in float32, got 1e-60"),
    ({"learning_rate": [0.1, 1e60, 1e60]}, r"learning_rate\[1\] must be positive and finite in float32, got 1e\+60"),
    ({"learning_rate": 1e60}, r"learning_rate must be positive and finite in float32, got 1e\+60"),
    ({"learning_rate": [0.1, np.nan, 0.1]}, r"learning_rate\[1\] must be above 0 and finite, got nan"),
    ({"learning_rate": [0.1, 1e3, 0.1], "optimizer": "adamw"}, r"learning_rate\[1\] must be below 1 / decay, 100, got"),
    ({"learning_rate": [1e3, 0.1, 1e3], "optimizer": "adamw"}, r"learning_rate\[0\] must be below 1 / decay, 100, got"),
    ({"learning_rate": [1e3, 1e4, 1e5], "optimizer": "adamw"}, r"learning_rate\[0\] must be below 1 / decay, 100, got"),
    ({"learning_rate": 1e3, "optimizer": "adamw"}, "learning_rate must be below 1 / decay, 100, got 1000"),
    ({"l2": [0, 0, -1]}, r"l2\[2\] must be at least 0 and finite, got -1"),
    ({"l1": [0, np.inf, 0]}, r"l1\[1\] must be at least 0 and finite, got inf"),
])
def test_an_error_names_the_network(arguments, message, width):
    pop = fastbp.Population(3, [2, width, 1], dtype="float32", seed=5)
    with pytest.raises(ValueError, match=message):
        pop.fit(X, T, **arguments)
    if arguments.keys() == {"learning_rate"}:
        before = pop.params
        with pytest.raises(ValueError, match=message):
            pop.train_step(X, T, **arguments)
        np.testing.assert_array_equal(pop.params, before)


@pytest.mark.parametrize("seed", [
    5, np.int64(5), True, np.random.SeedSequence(5), np.random.PCG64(5), np.random.default_rng(5), -1, 1.5, "5", b"5",
    np.array(5), {1, 2}, {1: 2, 3: 4}, iter([1, 2])], ids=lambda seed: type(seed).__name__)
def test_seeds_are_taken_or_refused_as_by_a_network(seed):
    expected = outcome(lambda: fastbp.Network([2, 1], seed=seed))
    for call in (lambda: fastbp.Population(2, [2, 3, 1], seed=seed).params,
                 lambda: fastbp.Population(2, [2, 3, 1], seed=0).fit(X, T, epochs=1, seed=seed).error):
        got = outcome(call)
        assert (type(got) is tuple) == (type(expected) is tuple)
        if type(got) is tuple:
            assert got[0] is expected[0]
            assert "seed must be None, a non-negative integer" in got[1] and repr(seed)[:60] in got[1]


@pytest.mark.parametrize(("seed", "kind", "message"), [
    ([1, 2, 3], ValueError, "seed must hold one seed for each of the 2 networks, got 3"),
    ([1, -2], ValueError, r"seed\[1\] must be a non-negative integer, got int -2"),
    ([1, 2.0], TypeError, r"seed\[1\] must be a non-negative integer, got float 2.0"),
    (np.ones((2, 2), int), TypeError, r"seed\[0\] must be a non-negative integer, got ndarray"),
])
def test_seeds_of_each_network_are_checked(seed, kind, message):
    with pytest.raises(kind, match=message):
        fastbp.Population(2, [2, 1], seed=seed)
    with pytest.raises(kind, match=message):
        fastbp.Population(2, [2, 1], seed=0).fit(X, T, seed=seed, shuffle=False)


def test_an_order_follows_from_what_a_seed_stands_for():
    pops = [fastbp.Population(2, [2, 3, 1], seed=0) for _ in range(4)]
    for pop, seed in zip(pops, (5, np.random.SeedSequence(5), np.random.PCG64(5), np.random.default_rng(5)),
                         strict=True):
        pop.fit(X, T, seed=seed)
    assert (pops[0].params == pops[1].params).all() and (pops[2].params == pops[3].params).all()
    assert not (pops[0].params == pops[2].params).all()


@pytest.mark.parametrize("seeds", [[3, 4, 3], (3, 4, 3), np.array([3, 4, 3])], ids=repr)
def test_a_population_with_a_seed_for_each_network_is_reproducible(seeds):
    pop, twin, part = (fastbp.Population(len(s), [2, 3, 1], seed=s) for s in (seeds, seeds, seeds[1:2]))
    after = []
    for _ in range(2):
        for one in (pop, twin, part):
            one.fit(X, T, epochs=2)
        after.append(pop.params)
        np.testing.assert_array_equal(pop.params, twin.params)
        np.testing.assert_array_equal(pop.params[1:2], part.params)     # wherever a network is
        np.testing.assert_array_equal(pop.params[0], pop.params[2])
        twin = pickle.loads(pickle.dumps(twin.copy()))                  # which draw on
    # Each fit has orders of its own.
    again = fastbp.Population(3, [2, 3, 1], init=after[0], seed=seeds)
    again.fit(X, T, epochs=2)
    assert not (again.params == after[1]).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_one_warning_of_targets_that_cannot_be_reached(width):
    pop = fastbp.Population(3, [2, width, 1], seed=0)
    with pytest.warns(fastbp.UnreachableTargetsWarning) as caught:
        for _ in range(3):
            pop.train_step(X, 10 * T)
            pop.fit(X, np.full((3, 4, 1), 5.0), epochs=1)
            pop.error(X, 10 * T)
    assert len(caught) == 1


def test_rprop_warns_of_batches():
    pop = fastbp.Population(3, [2, 3, 1], seed=0)
    with pytest.warns(UserWarning, match='Write batch_size="full", or leave batch_size out; got 2 of 4 samples'):
        pop.fit(X, T, epochs=1, optimizer="rprop", batch_size=2)
    pop.fit(X, T, epochs=1, optimizer="rprop")      # of which there is none
