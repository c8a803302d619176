"""Training against the oracle, update by update: on-line, mini-batch and batch; what fit promises around them."""

import math

import numpy as np
import pytest
from reference import Reference, assert_close, random_problem

import fastbp

M = 10


@pytest.fixture
def data(rng):
    """10 samples for a 3-5-2 network, of size 1."""
    return random_problem(rng, [3, 5, 2], M)[1:]


def network(dtype="float64", **options):
    return fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=3, **options)


def in_batches(batch_size):
    size = M if batch_size == "full" else batch_size
    return [slice(start, start + size) for start in range(0, M, size)]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("batch_size", [1, 4, 5, 64, "full"])  # 4 leaves a last batch of 2, 64 is all of them
def test_fit_is_gradient_descent(isa, dtype, data, batch_size, reduction):
    X, T = data
    net = network(dtype, reduction=reduction)
    oracle = Reference.of(net)
    history = net.fit(X, T, epochs=3, batch_size=batch_size, learning_rate=0.2, shuffle=False)

    squares = []  # of every sample's error before the update that it takes part in, per epoch
    for _ in range(3):
        squares.append(0.0)
        for batch in in_batches(batch_size):
            squares[-1] += ((oracle.predict(X[batch]) - T[batch]) ** 2).sum()
            oracle.params = oracle.params - 0.2 * oracle.gradient(X[batch], T[batch])[1]
    squares = np.array(squares)

    assert_close(net.params, oracle.params, dtype, terms=3 * M)
    assert_close(history.rms, np.sqrt(squares / (M * 2)), dtype, terms=3 * M)
    assert_close(history.error, squares / 2 / (M if reduction == "mean" else 1), dtype, terms=3 * M)
    assert (len(history), history.stop_reason) == (3, "epochs")


@pytest.mark.parametrize("batch_size", [1, 4, "full"])
def test_fit_and_train_step_take_the_same_steps(isa, dtype, data, batch_size):
    X, T = data
    fitted, stepped = network(dtype), network(dtype)
    fitted.fit(X, T, epochs=2, batch_size=batch_size, learning_rate=0.2, shuffle=False)
    for _ in range(2):
        for batch in in_batches(batch_size):
            stepped.train_step(X[batch], T[batch], learning_rate=0.2)
    if batch_size == 1:     # the same but for rounding (_kernels/chain.pxi)
        assert_close(fitted.params, stepped.params, dtype, terms=2 * M)
    else:
        np.testing.assert_array_equal(fitted.params, stepped.params)


# --------------------------------------------------------------------------------------------- order and randomness


def trained(data, net_seed=3, **options):
    net = fastbp.Network([3, 5, 2], "tanh", seed=net_seed)
    net.fit(*data, epochs=3, **options)
    return net.params


def test_same_seed_same_bits(data):
    np.testing.assert_array_equal(trained(data, seed=1), trained(data, seed=1))
    np.testing.assert_array_equal(
        trained(data, seed=np.random.default_rng(1)), trained(data, seed=np.random.default_rng(1))
    )
    np.testing.assert_array_equal(trained(data), trained(data))  # from the network's own generator
    assert (trained(data, seed=1) != trained(data, seed=2)).any()
    assert (trained(data, seed=1) != trained(data, shuffle=False)).any()


def test_every_epoch_has_an_order_of_its_own(data):
    # Were the first epoch's order repeated, starting the seed anew for the second would change nothing.
    net, restarted = network(), network()
    net.fit(*data, epochs=2, seed=1)
    for _ in range(2):
        restarted.fit(*data, epochs=1, seed=1)
    assert (net.params != restarted.params).any()


@pytest.mark.parametrize("batch_size", [1, 4, "full"])
def test_shuffling_visits_every_sample_once(data, batch_size):
    X, T = data
    net = network()
    # A step so small that it changes no parameter: the epoch's error is that of all samples at the same weights.
    history = net.fit(X, T, epochs=5, batch_size=batch_size, learning_rate=1e-300, seed=0)
    np.testing.assert_allclose(history.error, net.error(X, T), rtol=1e-14)


def test_every_order_is_as_likely():
    net = fastbp.Network([1, 1], seed=0)
    samples, rng = net._samples(np.zeros((3, 1)), np.zeros((3, 1))), np.random.default_rng(0)
    orders = [tuple(samples.shuffle(rng)) for _ in range(6000)]
    counts = [orders.count(order) for order in set(orders)]
    # Six orders, 1000 each but for a deviation of 29; four of those are seen once in ten thousand.
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts) < 4 * 29


def test_fit_leaves_the_data_alone(data):
    X, T = data
    kept = X.copy(), T.copy()
    network().fit(X, T, epochs=3, batch_size=4, seed=0)
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(T, kept[1])


# ---------------------------------------------------------------------------------------------------------- stopping


def test_stops_at_the_desired_error(data):
    X, _ = data
    net = network()
    T = 0.8 * net.predict(X)  # near enough to be reached
    desired = net.rms(X, T) / 4
    history = net.fit(X, T, epochs=1000, desired_error=desired, seed=0)
    assert history.stop_reason == "desired_error"
    assert 1 < len(history) < 1000
    assert history.rms[-1] <= desired < history.rms[-2]
    assert len(history.rms) == len(history.error) == len(history)


def test_error_falls(data):
    history = network().fit(*data, epochs=200, learning_rate=0.05, seed=0)
    assert history.rms[-1] < 0.7 * history.rms[0]
    assert isinstance(history.rms, np.ndarray)


# -------------------------------------------------------------------------------------------------------- divergence


def line(w, dtype):
    """y = w x, one identity neuron: what it does at huge inputs is known exactly."""
    return fastbp.Network([1, 1], "identity", dtype=dtype, init=[w, 0])


@pytest.mark.parametrize(("dtype", "huge"), [("float64", 2.0**400), ("float32", 2.0**40)])
@pytest.mark.parametrize(
    ("n_samples", "epochs", "where"),
    [(5, 1, (0, 1)), (1, 3, (1, 0))],
    ids=["second sample", "second epoch"],
)
def test_divergence_is_named_and_undone(isa, dtype, huge, n_samples, epochs, where):
    # x = huge, t = 0, w = 1: the first update leads to w = -huge^2 (1 is lost in rounding), b = -huge; the second,
    # with its x e = huge^4, would lead to infinity.
    net = line(1, dtype)
    X, T = np.full((n_samples, 1), huge), np.zeros((n_samples, 1))
    with pytest.raises(fastbp.DivergenceError) as caught:
        net.fit(X, T, epochs=epochs, learning_rate=1, shuffle=False)
    assert isinstance(caught.value, ArithmeticError)
    assert (caught.value.epoch, caught.value.sample) == where
    assert f"epoch {where[0]}" in str(caught.value)
    assert f"sample {where[1]}" in str(caught.value)
    np.testing.assert_array_equal(net.params, np.array([-(huge**2), -huge], dtype))


@pytest.mark.parametrize("batch_size", [1, "full"])
@pytest.mark.parametrize(("dtype", "huge"), [("float64", 2.0**400), ("float32", 2.0**40)])
def test_divergence_of_the_very_last_update_is_noticed(isa, dtype, huge, batch_size):
    # e = w x = huge and E = huge^2 / 2 are finite, x e = huge^3 is not: no later sample would show it.
    net = line(1 / huge, dtype)
    with pytest.raises(fastbp.DivergenceError):
        net.fit([[huge**2]], [[0.0]], epochs=1, batch_size=batch_size)
    np.testing.assert_array_equal(net.params, [1 / huge, 0])


def test_divergence_in_train_step(isa, dtype):
    net = line(1, dtype)
    with pytest.raises(fastbp.DivergenceError):
        net.train_step([[1.0]], [[float(np.finfo(dtype).max)]])
    np.testing.assert_array_equal(net.params, [1, 0])


def test_a_real_divergence_leaves_finite_parameters(isa, dtype, data):
    X, T = data
    net = fastbp.Network([3, 5, 2], "relu", "identity", dtype=dtype, seed=3)
    with pytest.raises(fastbp.DivergenceError) as caught:
        net.fit(1000 * X, 1000 * T, epochs=1000, batch_size=4, learning_rate=0.5, seed=0)
    assert np.isfinite(net.params).all()
    assert 0 <= caught.value.epoch < 1000
    # None where the first epoch came to its end, with an error that was out of all proportion.
    assert caught.value.sample is None or 0 <= caught.value.sample < M


# -------------------------------------------------------------------------------------------------------- workspaces


def test_workspaces_grow_and_are_not_confused(isa, dtype, rng):
    _, X, T = random_problem(rng, [3, 5, 2], 700)
    used = network(dtype)
    for n_samples in (3, 700, 1, 40, 700):
        x, t = X[:n_samples], T[:n_samples]
        fresh = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, init=used.params)
        np.testing.assert_array_equal(used.predict(x), fresh.predict(x))
        np.testing.assert_array_equal(used.gradient(x, t)[1], fresh.gradient(x, t)[1])
        assert used.train_step(x, t, 0.01) == fresh.train_step(x, t, 0.01)
        np.testing.assert_array_equal(used.params, fresh.params)


def test_error_before_the_update_is_returned(isa, dtype, data):
    X, T = data
    net = network(dtype)
    before = net.error(X, T)
    assert math.isclose(net.train_step(X, T), before, rel_tol=32 * np.finfo(dtype).eps)
    assert net.error(X, T) < before
