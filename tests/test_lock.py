"""Who may work with a network: waiting, waking, signals, forks (lock.pxi)."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from stress import run

import fastbp

X, T = np.linspace(-1, 1, 24).reshape(6, 4), np.linspace(0, 1, 12).reshape(6, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_loss_that_forks_may_not_train_in_the_child_either():
    status = []

    def loss(Y, T):
        child = os.fork()
        if child == 0:
            answer = 1
            try:
                net.train_step(X, T)
            except RuntimeError:
                fastbp.Network([4, 2], seed=1).train_step(X, T)     # another one may be used
                answer = 0
            os._exit(answer)
        status.append(os.waitpid(child, 0)[1])
        return float(((Y - T) ** 2).sum() / 2), Y - T

    net = fastbp.Network([4, 2], "tanh", loss=loss, seed=1)
    net.train_step(X, T)
    net.train_step(X, T)
    assert status == [0, 0]


def test_who_waits_is_woken_by_whoever_leaves():
    """The test needs no clock: a loss keeps the network until all four are waiting, and then nobody else comes."""
    held, order = threading.Event(), []

    def loss(Y, T):
        held.set()
        while net._waiting() < 4:
            time.sleep(0)
        return float(((Y - T) ** 2).sum() / 2), Y - T

    net = fastbp.Network([4, 2], "tanh", loss=loss, seed=1)

    params = net.params
    calls = [lambda: net.predict(X), lambda: setattr(net, "params", params)] * 2

    def work(number):
        calls[number]()
        order.append(number)

    trainer = threading.Thread(target=lambda: net.train_step(X, T))
    trainer.start()
    held.wait()
    threads = []
    for number in range(4):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
        while net._waiting() <= number and trainer.is_alive():
            time.sleep(0)
    for thread in [trainer, *threads]:
        thread.join()
    assert sorted(order) == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
def test_ctrl_c_ends_the_wait_and_leaves_the_queue():
    run("""
import signal, threading, time, numpy as np, fastbp
X, T = np.zeros((6, 4)), np.zeros((6, 2))
held, go = threading.Event(), threading.Event()
signal.signal(signal.SIGINT, signal.default_int_handler)

def loss(Y, T):
    held.set()
    go.wait()
    return 0.0, Y - T

net = fastbp.Network([4, 2], "tanh", loss=loss, seed=1)
trainer = threading.Thread(target=lambda: net.train_step(X, T))
trainer.start()
held.wait()
main = threading.main_thread().ident

ended = False

def interrupt():
    while net._waiting() == 0:
        time.sleep(0)
    # Again and again: a signal that comes just before a lock falls asleep does not wake it, as it is with Python's own.
    while not ended:
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.1)

other = threading.Thread(target=interrupt)
other.start()
try:
    try:
        net.predict(X)
    except KeyboardInterrupt:
        ended = True
        assert net._waiting() == 0
    else:
        raise SystemExit("it was not interrupted")
    other.join()
except KeyboardInterrupt:
    ended = True        # a second one
    other.join()
go.set()
trainer.join()
net.predict(X)
net.params = net.params
""", timeout=60)


def test_predictions_come_in_between_the_updates_of_one_fit():
    """The fit is of one epoch, which is one call of the core; its result is the same as without the predictions."""
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(20_000, 16)), rng.normal(size=(20_000, 4))
    net = fastbp.Network([16, 64, 64, 4], "tanh", reduction="mean", seed=1)
    twin, seen, begun, done = net.copy(), set(), threading.Event(), threading.Event()

    def predict():
        while not done.is_set():
            seen.add(net.predict(X[0]).tobytes())
            begun.set()

    thread = threading.Thread(target=predict)
    thread.start()
    begun.wait()
    try:
        net.fit(X, T, epochs=1, batch_size=100, shuffle=False)
    finally:
        done.set()
        thread.join()
    twin.fit(X, T, epochs=1, batch_size=100, shuffle=False)
    np.testing.assert_array_equal(net.params, twin.params)
    assert len(seen) > 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
def test_a_signal_handler_may_use_the_network_that_its_thread_waits_for():
    run("""
import signal, threading, time, numpy as np, fastbp
X, T = np.zeros((6, 4)), np.zeros((6, 2))
held, go, handled = threading.Event(), threading.Event(), []

def loss(Y, T):
    held.set()
    go.wait()
    return 0.0, Y - T

def handler(*_):
    go.set()
    handled.append(net.params)

net = fastbp.Network([4, 2], "tanh", loss=loss, seed=1)
signal.signal(signal.SIGUSR1, handler)
trainer = threading.Thread(target=lambda: net.train_step(X, T))
trainer.start()
held.wait()

def send():
    while not handled:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        time.sleep(0.1)

sender = threading.Thread(target=send)
sender.start()
net.params = np.zeros(net.n_params)     # waits to write
sender.join()
trainer.join()
assert handled and net._waiting() == 0
""", timeout=60)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such timers")
def test_a_timer_does_not_keep_a_waiter_from_its_turn():
    # A signal every millisecond, as a sampling profiler sends: less than the trainers' updates take.
    run("""
import signal, threading, numpy as np, fastbp
net = fastbp.Network([64, 256, 10], dtype="float32", seed=1)
X, T = np.ones((4000, 64), "f4"), np.zeros((4000, 10), "f4")
ended = []
def train():
    net.fit(X, T, epochs=10**6, batch_size="full", learning_rate=1e-6, callbacks=lambda state: bool(ended))
threads = [threading.Thread(target=train, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
signal.signal(signal.SIGALRM, lambda *arguments: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(20):
    net.train_step(X[:8], T[:8], learning_rate=1e-6)
signal.setitimer(signal.ITIMER_REAL, 0)
ended.append(True)
for thread in threads:
    thread.join()
""")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such timers")
def test_steps_before_ctrl_c_are_counted():
    run("""
import signal, threading, time, numpy as np, fastbp
rng = np.random.default_rng(0)
X, T, many = rng.normal(size=(2000, 4)), rng.normal(size=(2000, 2)), rng.normal(size=(4000, 4))
net = fastbp.Network([4, 20, 2], "tanh", "identity", seed=1)
ended = []
def compute():
    while not ended:
        net.gradient(many, np.zeros((4000, 2)))
thread = threading.Thread(target=compute, daemon=True)
thread.start()
signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupted = 0
began = time.monotonic()
while interrupted < 3 and time.monotonic() < began + 120:
    optimizer = fastbp.Adam()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.03 * rng.random())
        net.fit(X, T, epochs=1, batch_size=20, optimizer=optimizer, seed=0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    state = optimizer._state()
    trained = state["mean"] is not None and state["mean"].any()
    assert trained == (optimizer.steps > 0), (trained, optimizer.steps)
    interrupted += 0 < optimizer.steps < 100
ended.append(True)
thread.join()
assert interrupted > 0
""")
