"""One network in several threads: predictions run side by side, training waits for its turn. The nets are wide enough
that the calls release the GIL."""

import threading

import numpy as np
import pytest

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


@pytest.fixture
def net():
    return fastbp.Network([16, 128, 128, 4], "tanh", seed=1)


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
    fresh = fastbp.Network([16, 128, 128, 4], "tanh", init=net.params)
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
