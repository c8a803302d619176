"""On-line learning with one hidden layer, whose samples `fit` takes in chains (_kernels/chain.pxi), against the oracle.

A chain is of 128 samples; its vectors hold 2 to 16 numbers, at most four of them hidden neurons and one the outputs.
"""

import sys
import threading

import numpy as np
import pytest
from reference import Reference, activate, assert_close, random_problem

import fastbp

CHAIN = 128
SHAPES = [
    *[(3, V + difference, n_outputs) for V in (2, 4, 8, 16) for difference in (-1, 0, 1) for n_outputs in (1, 2)],
    *[(2 * V + 3, 2 * V + 3, V) for V in (2, 4, 8, 16)],
    *[(1, 4 * V, V - 1) for V in (2, 4, 8, 16)],
    (5, 65, 3),     # four of the longest vectors, and a neuron that needs the loops for wider layers
    (5, 3, 17),     # likewise
    (67, 12, 1),
]
ACTIVATIONS = ["sigmoid", "tanh", "relu", "identity"]


def trained(net, X, T, **options):
    net.fit(X, T, epochs=1, batch_size=1, **{"learning_rate": 0.1, "shuffle": False, **options})
    return net.params


def problem(rng, layer_sizes, n_samples, activations, dtype):
    layers, X, T = random_problem(rng, layer_sizes, n_samples)
    net = fastbp.Network(layer_sizes, activations, dtype=dtype, init=layers)
    return net, X.astype(dtype), T.astype(dtype)


def check(net, X, T):
    """One epoch, and the oracle's."""
    oracle, squares = Reference.of(net), 0
    history = net.fit(X, T, epochs=1, batch_size=1, learning_rate=0.1, shuffle=False)
    for x, t in zip(X[:, None], T[:, None], strict=True):
        squares += ((oracle.predict(x) - t) ** 2).sum()
        oracle.params = oracle.params - 0.1 * oracle.gradient(x, t)[1]
    terms = sum(net.layer_sizes) + len(X)
    assert_close(net.params, oracle.params, net.dtype, terms)
    assert_close(history.rms, [np.sqrt(squares / T.size)], net.dtype, terms)


@pytest.mark.parametrize("layer_sizes", SHAPES, ids=str)
def test_shapes(isa, dtype, rng, layer_sizes):
    check(*problem(rng, layer_sizes, 7, ("tanh", "sigmoid"), dtype))


@pytest.mark.parametrize("n_samples", [1, 2, 3, CHAIN - 1, CHAIN, CHAIN + 1, CHAIN + 2, 2 * CHAIN + 5])
@pytest.mark.parametrize("layer_sizes", [(2, 2, 1), (4, 8, 3), (6, 20, 4)], ids=str)
def test_numbers_of_samples(isa, dtype, rng, layer_sizes, n_samples):
    check(*problem(rng, layer_sizes, n_samples, ("sigmoid", "tanh"), dtype))


@pytest.mark.parametrize("output", ACTIVATIONS)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize("layer_sizes", [(2, 3, 1), (4, 5, 2)], ids=str)
def test_activations(isa, dtype, rng, layer_sizes, hidden, output):
    check(*problem(rng, layer_sizes, 20, (hidden, output), dtype))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_outputs_in_a_chain(isa, dtype, activation):
    """From E: the output passes on what one hidden neuron has, and updates are too small to count."""
    r = np.concatenate([np.linspace(-20, 20, 200), [1e-6, -1e-6, 60, -60, 300, -300, 1e9, -1e9]]).astype(dtype)
    y = []
    for value in r:
        net = fastbp.Network([1, 2, 1], [activation, "identity"], dtype=dtype,
                             init=[([[1, 0]], [0, 0]), ([[1], [0]], [0])])
        history = net.fit(np.full((2, 1), value), np.zeros((2, 1)), epochs=1, batch_size=1, learning_rate=1e-30)
        y.append(np.sqrt(history.error[0]))     # two samples have an E of y**2
    expected, eps = np.abs(activate(activation, np.clip(r.astype(float), -700, 700))), np.finfo(dtype).eps
    # exp(r) errs by |r| ulp where r errs by one.
    np.testing.assert_allclose(y[:202], expected[:202], rtol=32 * eps)
    np.testing.assert_allclose(y[202:], expected[202:], atol=4 * eps)


def test_an_order_is_followed(isa, dtype, rng):
    net, X, T = problem(rng, (4, 8, 3), 300, ("tanh", "sigmoid"), dtype)
    twin, order = net.copy(), rng.permutation(300)
    samples = net._samples(X, T)
    net._train_epoch(samples, order, 1, fastbp.SGD(0.1), 0)
    np.testing.assert_array_equal(net.params, trained(twin, X[order], T[order]))


@pytest.mark.parametrize("layer_sizes", [(2, 3, 1), (2, 5, 2), (2, 20, 2)], ids=str)
@pytest.mark.parametrize("place", [0, 1, 70, CHAIN - 1, CHAIN, CHAIN + 40])
def test_a_refused_update_changes_nothing(isa, dtype, rng, layer_sizes, place):
    net, X, T = problem(rng, layer_sizes, 2 * CHAIN, ("relu", "identity"), dtype)
    net.biases[0][:] = 1
    twin, T[place] = net.copy(), np.finfo(dtype).max / 4
    with pytest.raises(fastbp.DivergenceError) as caught:
        trained(net, X, T, learning_rate=0.01)
    assert caught.value.sample == place
    if place > 0:
        trained(twin, X[:place], T[:place], learning_rate=0.01)
    # Where the twin's last chain is of a single sample, it is a step, which rounds otherwise.
    assert_close(net.params, twin.params, dtype, place + 10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer_sizes", [(2, 3, 1), (2, 5, 2), (2, 20, 2)], ids=str)
@pytest.mark.parametrize("place", [0, 1, 70, CHAIN - 1, CHAIN, CHAIN + 40])
def test_an_input_that_stops_being_finite_leaves_the_parameters_before_it(isa, dtype, rng, layer_sizes, place, value):
    net, X, T = problem(rng, layer_sizes, 2 * CHAIN, ("tanh", "sigmoid"), dtype)
    twin = net.copy()
    samples = net._samples(X, T)
    samples.x[place, 1] = value     # behind the door's back, as another thread or a callback can
    with pytest.raises(fastbp.DivergenceError, match=rf"X must be finite, got {value} at index \({place}, 1\)"):
        net._train_epoch(samples, None, 1, fastbp.SGD(0.1), 0)
    if place > 0:
        trained(twin, X[:place].copy(), T[:place])
    assert_close(net.params, twin.params, dtype, place + 10)


def test_an_update_that_only_adds_up_to_be_permitted(isa, dtype):
    """One factor is huge, the other so small that their product is of size 1: a chain leaves it to the exact loop."""
    huge = 2.0 ** (500 if dtype == "float64" else 60)
    X = np.full((5, 1), huge, dtype)
    net = fastbp.Network([1, 2, 1], ["identity", "identity"], dtype=dtype,
                         init=[([[1 / huge, 0]], [0, 0]), ([[1], [0]], [0])])
    stepped = net.copy()
    trained(net, X, np.full((5, 1), 1.5, dtype), learning_rate=1 / huge**2)
    for x in X:
        stepped.train_step(x, [1.5], 1 / huge**2)
    np.testing.assert_array_equal(net.params, stepped.params)


def test_interruptions_leave_the_bits(rng):
    """Training steps aside for a prediction, and goes on as if it had not."""
    net, X, T = problem(rng, (4, 8, 3), 20_011, ("tanh", "sigmoid"), "float64")
    predictions, done = 0, threading.Event()

    def predict():
        nonlocal predictions
        while not done.is_set():
            net.predict(X[0])
            predictions += 1

    interval, thread = sys.getswitchinterval(), threading.Thread(target=predict)
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        for _ in range(5):
            start = net.copy()
            trained(net, X, T)
            np.testing.assert_array_equal(net.params, trained(start, X, T))
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert predictions > 0


@pytest.mark.parametrize(("dtype", "activation", "net_inputs"), [
    ("float32", "sigmoid", (-39, -43, -44, -60)), ("float64", "sigmoid", (-349, -353, -400)),
    ("float32", "tanh", (19.5, 21.4, 30)), ("float64", "tanh", (174, 176.5, 200))])
def test_far_net_inputs_with_the_wrong_target(isa, dtype, activation, net_inputs):
    """Numbers that are large before the division must not overflow into the next sample's net inputs."""
    for r in net_inputs:
        k = r / 0.924234     # the hidden neurons are tanh(0.5) and -tanh(0.5) at x = 1
        init = [([[0.5, -0.5]], [0, 0]), ([[k], [-k]], [0])]
        chained, single = (fastbp.Network([1, 2, 1], ["tanh", activation], dtype=dtype, init=init) for _ in range(2))
        X, T = [[1.0], [0.0]], [[1.0 if r < 0 else -1.0], [0.3]]
        error = chained.fit(X, T, epochs=1, shuffle=False, learning_rate=1.0).error[0]
        expected = sum(single.train_step(x, t, learning_rate=1.0) for x, t in zip(X, T, strict=True))
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        assert error == pytest.approx(expected, rel=tolerance)
        np.testing.assert_allclose(chained.params, single.params, rtol=tolerance, atol=tolerance)
