"""One network in several threads: predictions run side by side, training waits for its turn.

The calls of the wide networks release the GIL. Those of the narrow ones keep it, and in a free-threaded Python the
network's own lock."""

import threading
import time

import numpy as np
import pytest
from stress import times

import fastbp


def in_threads(*jobs):
    """Run the jobs at once; raise what the first of them raised."""
    errors = []

    def guarded(job):
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture(params=[(16, 128, 128, 4), (16, 3, 4)], ids=["wide", "narrow"])
def net(request):
    return fastbp.Network(request.param, "tanh", seed=1)


def test_predictions_side_by_side(net, rng):
    X = rng.uniform(-1, 1, (600, 16))
    expected = net.predict(X)

    def predict():
        for m in (600, 1, 37, 600, 200):
            np.testing.assert_allclose(net.predict(X[:m]), expected[:m], rtol=1e-12)

    in_threads(*[predict] * 4)


def test_training_takes_turns(net, rng):
    X, T = rng.uniform(-1, 1, (600, 16)), rng.uniform(0, 1, (600, 4))
    optimizer = fastbp.SGD(1e-4, momentum=0.5)

    def train_on_growing_batches():
        # The workspace is replaced while others want to use it.
        for m in range(1, 600, 20):
            net.train_step(X[:m], T[:m], optimizer=optimizer)

    def fit():
        net.fit(X, T, epochs=5, batch_size=100, learning_rate=1e-4)

    def look():
        for _ in range(20):
            gradient = net.gradient(X, T)[1]
            assert np.isfinite(gradient).all() and np.isfinite(net.predict(X)).all()
            net.params = net.params

    in_threads(train_on_growing_batches, train_on_growing_batches, fit, look)
    # What another network computes from the parameters is what this one does.
    fresh = fastbp.Network(net.layer_sizes, "tanh", init=net.params)
    np.testing.assert_array_equal(net.predict(X), fresh.predict(X))


def test_a_reset_while_training_is_harmless(net, rng):
    X, T = rng.uniform(-1, 1, (600, 16)), rng.uniform(0, 1, (600, 4))
    optimizer = fastbp.Adam(1e-4)
    trained = threading.Event()

    def fit():
        net.fit(X, T, epochs=20, batch_size=10, optimizer=optimizer)
        trained.set()

    def reset():
        while not trained.is_set():
            optimizer.reset()

    in_threads(fit, reset)
    assert np.isfinite(net.params).all()


def test_everything_at_once(net, rng):
    """Nothing here must crash, whatever it computes; what it leaves must be a network."""
    X, T = rng.uniform(-1, 1, (40, 16)), rng.uniform(0, 1, (40, 4))
    optimizers = fastbp.SGD(1e-4, momentum=0.5), fastbp.Adam(1e-4), fastbp.Rprop(1e-4)

    def work(seed):
        rng = np.random.default_rng(seed)
        optimizer = optimizers[rng.integers(3)]
        bound = net.bind(X, T, learning_rate=1e-4)      # in one, threads would write into the same array
        calls = [
            lambda: net.predict(X), lambda: net.predict(X[0]), bound.predict, bound.step,
            lambda: net.train_step(X[0], T[0], 1e-4), lambda: net.train_step(X, T, optimizer=optimizer),
            lambda: net.fit(X, T, epochs=2, learning_rate=1e-4), lambda: net.fit(X, T, epochs=1, optimizer=optimizer),
            lambda: net.gradient(X, T), lambda: net.backprop(X, T), lambda: net.jacobian(X),
            lambda: net.input_gradient(X, T), lambda: net.copy(), optimizer.reset,
            lambda: setattr(net, "params", net.params), lambda: setattr(optimizer, "learning_rate", 1e-4),
        ]
        for i in rng.integers(len(calls), size=200):
            calls[i]()

    in_threads(*[lambda seed=seed: work(seed) for seed in range(6)])
    assert np.isfinite(net.params).all()
    fresh = fastbp.Network(net.layer_sizes, "tanh", init=net.params)
    np.testing.assert_array_equal(net.predict(X), fresh.predict(X))


def test_one_optimizer_for_networks_of_several_sizes(rng):
    """Its state fits one of them, whichever thread came first; the others are refused until reset()."""
    nets = [fastbp.Network([n, n], "tanh", seed=1) for n in (1, 40, 90)]
    optimizer = fastbp.Adam(1e-4)

    def train(net):
        x = np.ones(net.n_inputs)
        for _ in range(300):
            try:
                net.train_step(x, x, optimizer=optimizer)
            except ValueError as error:
                assert "optimizer holds the state" in str(error)
                optimizer.reset()

    in_threads(*[lambda net=net: train(net) for net in nets])
    assert all(np.isfinite(net.params).all() for net in nets)


def outputs_of_each_step(net, X, T, steps):
    """The outputs at the first parameters and after each step."""
    yield net.predict(X).tobytes()
    for _ in range(steps):
        net.train_step(X, T, 1e-3)
        yield net.predict(X).tobytes()


def test_predictions_beside_training_are_of_one_set_of_parameters(net, rng):
    """Eight threads predict while one trains. A prediction in the middle of an update would belong to no set."""
    X, T = rng.uniform(-1, 1, (64, 16)), rng.uniform(0, 1, (64, 4))
    twin, seen, stop = net.copy(), [set() for _ in range(8)], time.monotonic() + times(1)
    steps = predictions = 0

    def train():
        nonlocal steps
        while time.monotonic() < stop:
            net.train_step(X, T, 1e-3)
            steps += 1

    def predict(mine):
        nonlocal predictions
        while time.monotonic() < stop:
            mine.add(net.predict(X).tobytes())
            predictions += 1    # may miss some, which does not matter

    in_threads(train, *[lambda mine=mine: predict(mine) for mine in seen])
    seen = set.union(*seen)
    allowed = set(outputs_of_each_step(twin, X, T, steps))
    print(f"{predictions} predictions of 8 threads beside {steps} steps: {len(seen)} different outputs, "
          f"{len(seen - allowed)} of no set of parameters")
    assert seen <= allowed
    assert len(seen) > 3        # neither keeps the other waiting
    np.testing.assert_array_equal(net.params, twin.params)


def test_other_threads_make_progress(rng):
    """One call of some tenths of a second: with the GIL held, another thread would count nothing meanwhile."""
    X, T = rng.uniform(-1, 1, (20_000, 16)), rng.uniform(0, 1, (20_000, 4))
    net = fastbp.Network([16, 128, 128, 4], "tanh", seed=1)
    count = counted = 0
    training, begun = True, threading.Event()

    def train():
        nonlocal counted, training
        begun.wait()
        start = count
        try:
            net.train_step(X, T, 1e-6)
        finally:
            counted, training = count - start, False

    def count_up():
        nonlocal count
        begun.set()
        while training:
            count += 1

    in_threads(train, count_up)
    print(f"counted to {counted} during one call")
    assert counted > 1000


def test_a_loss_keeps_others_from_training(rng):
    """backprop with a loss of one's own runs Python code in its middle, where another thread might train."""
    X, T = rng.uniform(-1, 1, (1100, 4)), rng.uniform(0, 1, (1100, 2))  # three blocks
    in_loss = threading.Event()

    def loss(Y, T):
        in_loss.set()
        time.sleep(0.02)
        return float(((Y - T)**2).sum() / 2), Y - T

    net = fastbp.Network([4, 3, 2], "tanh", loss=loss, seed=1)
    expected = net.copy().backprop(X, T)
    in_loss.clear()
    traces = []

    def change():
        in_loss.wait()
        net.params = net.params * 2

    in_threads(lambda: traces.append(net.backprop(X, T)), change)
    np.testing.assert_array_equal(traces[0].outputs[-1], expected.outputs[-1])


def test_a_loss_may_not_use_its_network(rng):
    X, T = rng.uniform(-1, 1, (20, 4)), rng.uniform(0, 1, (20, 2))
    net = fastbp.Network([4, 3, 2], loss=lambda Y, T: (0.0, net.predict(X)), seed=1)
    for call in (net.backprop, net.gradient, net.train_step):
        with pytest.raises(RuntimeError, match="loss function"):
            call(X, T)
