"""The optimizers: their rules against the oracle's, and whose state is whose."""

import numpy as np
import pytest
import reference
from reference import Reference, assert_close, random_problem

import fastbp

RULES = [
    ("SGD", {"learning_rate": 0.2}),
    ("SGD", {"learning_rate": 0.2, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.2, "momentum": 0.5, "nesterov": True}),
    ("Adam", {"learning_rate": 0.02}),
    ("Adam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.1}),
]
rules = pytest.mark.parametrize(("name", "options"), RULES, ids=str)

M = 10
BATCHES = [slice(0, 4), slice(4, 8), slice(8, 12)]  # the last one has two samples


@pytest.fixture
def data(rng):
    return random_problem(rng, [3, 5, 2], M)[1:]


def network(dtype="float64"):
    return fastbp.Network([3, 5, 2], "tanh", dtype=dtype, reduction="mean", seed=3)


def steps(net, optimizer, data, epochs=3):
    X, T = data
    for batch in BATCHES * epochs:
        net.train_step(X[batch], T[batch], optimizer=optimizer)
    return net.params


@rules
def test_steps_follow_the_rule(isa, dtype, data, name, options):
    X, T = data
    net = network(dtype)
    oracle, rule = Reference.of(net), getattr(reference, name)(**options)
    for batch in BATCHES * 3:
        oracle.params = rule.step(oracle.params, oracle.gradient(X[batch], T[batch])[1])
    optimizer = getattr(fastbp, name)(**options)
    assert_close(steps(net, optimizer, data), oracle.params, dtype, terms=9 * M)
    assert optimizer.steps == 9


@rules
def test_fit_takes_the_same_steps(isa, dtype, data, name, options):
    net, optimizer = network(dtype), getattr(fastbp, name)(**options)
    net.fit(*data, epochs=3, batch_size=4, optimizer=optimizer, shuffle=False)
    np.testing.assert_array_equal(net.params, steps(network(dtype), getattr(fastbp, name)(**options), data))
    assert optimizer.steps == 9


@pytest.mark.parametrize(("name", "optimizer"), [("sgd", fastbp.SGD), ("adam", fastbp.Adam)])
def test_a_name_makes_a_new_optimizer(data, name, optimizer):
    by_name, by_object = network(), network()
    for _ in range(2):
        by_name.fit(*data, epochs=2, learning_rate=0.05, optimizer=name, shuffle=False)
        by_object.fit(*data, epochs=2, optimizer=optimizer(0.05), shuffle=False)
    np.testing.assert_array_equal(by_name.params, by_object.params)


@rules
def test_reset_forgets_the_state(data, name, options):
    optimizer = getattr(fastbp, name)(**options)
    first = steps(network(), optimizer, data)
    optimizer.reset()
    assert optimizer.steps == 0
    np.testing.assert_array_equal(steps(network(), optimizer, data), first)


def test_state_goes_on_from_step_to_step(data):
    optimizer = fastbp.SGD(0.2, momentum=0.9)
    first = steps(network(), optimizer, data)
    assert (steps(network(), optimizer, data) != first).any()


def test_state_of_another_architecture_is_refused(data):
    optimizer = fastbp.Adam()
    steps(network(), optimizer, data)
    other = fastbp.Network([3, 4, 2], seed=0)
    before = other.params
    with pytest.raises(ValueError, match="optimizer"):
        other.train_step(*data, optimizer=optimizer)
    np.testing.assert_array_equal(other.params, before)
    optimizer.reset()
    other.train_step(*data, optimizer=optimizer)
    assert (other.params != before).any()


def test_a_refused_step_leaves_the_optimizer_new(data):
    X, T = data
    optimizer = fastbp.SGD(0.2, momentum=0.9)
    with pytest.raises(ValueError, match="finite"):
        fastbp.Network([3, 4, 2]).train_step(np.full_like(X, np.nan), T, optimizer=optimizer)
    assert optimizer.steps == 0
    np.testing.assert_array_equal(
        steps(network(), optimizer, data), steps(network(), fastbp.SGD(0.2, momentum=0.9), data)
    )


@rules
def test_divergence_leaves_the_last_finite_parameters(isa, dtype, name, options):
    # x and t are numbers of the dtype, the product of x and e = y - t is none.
    net = fastbp.Network([1, 1], "identity", dtype=dtype, init=[1, 0])
    largest = float(np.finfo(dtype).max)
    with pytest.raises(fastbp.DivergenceError):
        net.train_step([largest**0.6], [largest**0.9], optimizer=getattr(fastbp, name)(**options))
    np.testing.assert_array_equal(net.params, [1, 0])


def test_learning_rate_may_be_changed_between_steps(data):
    optimizer = fastbp.SGD(0.5)
    optimizer.learning_rate = 0.2
    np.testing.assert_array_equal(steps(network(), optimizer, data), steps(network(), fastbp.SGD(0.2), data))


def test_plain_descent_has_no_state_and_serves_any_network():
    optimizer = fastbp.SGD(0.5)
    for sizes in ([2, 1], [3, 4, 2]):
        net = fastbp.Network(sizes, seed=0)
        twin = net.copy()
        x, t = np.ones(sizes[0]), np.zeros(sizes[-1])
        assert net.train_step(x, t, optimizer=optimizer) == twin.train_step(x, t, learning_rate=0.5)
        np.testing.assert_array_equal(net.params, twin.params)
