"""One population in several threads: predictions run side by side, training has it alone."""

import os
import pickle
import signal
import threading

import numpy as np
import pytest
from stress import run, times
from test_threads import in_threads

import fastbp
from fastbp.training.population import PopulationRun

# In lanes, by calls that keep the GIL and by calls that release it; and one after another.
SHAPES = {"short": (20, (2, 3, 1), 5), "long": (1000, (4, 16, 3), 60), "wide": (3, (4, 40, 3), 60)}


@pytest.fixture(params=SHAPES)
def problem(request, rng):
    n, sizes, m = SHAPES[request.param]
    pop = fastbp.Population(n, sizes, "tanh", seed=1)
    return pop, rng.uniform(-1, 1, (m, sizes[0])), rng.uniform(0.1, 0.9, (m, sizes[-1]))


def test_each_prediction_belongs_to_one_set_of_parameters(problem):
    pop, X, T = problem
    sets = [pop.params, -pop.params]
    outputs = []
    for params in sets:
        pop.params = params
        outputs.append((pop.predict(X), pop.error(X, T), *pop.gradient(X, T)))
    predicting = 2

    def swap():
        i = 0
        while predicting:
            pop.params = sets[i % 2]
            i += 1

    def predict():
        nonlocal predicting
        try:
            for _ in range(times(20)):
                E, (_, gradient) = pop.error(X, T), pop.gradient(X, T)
                for got, place in ((pop.predict(X), 0), (E, 1), (gradient, 3)):
                    assert any((got == one[place]).all() for one in outputs)
                params = pop.params
                assert any((params == one).all() for one in sets)
        finally:
            predicting -= 1

    in_threads(swap, predict, predict)


def test_whole_trainings_follow_one_another(problem):
    pop, X, T = problem
    twin, ended = pop.copy(), []

    def fit():
        pop.fit(X, T, epochs=4, batch_size=4, learning_rate=0.01, shuffle=False)
        ended.append(pop.params)

    def step():
        for _ in range(3):
            pop.train_step(X, T, 1e-300)      # too short to change a bit

    in_threads(fit, fit, step, step)
    for _ in range(2):
        twin.fit(X, T, epochs=4, batch_size=4, learning_rate=0.01, shuffle=False)
    np.testing.assert_array_equal(pop.params, twin.params)
    np.testing.assert_array_equal(ended[-1], twin.params)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")       # for steps that were not made
def test_whatever_others_do_meanwhile(problem):
    """No crash, and no parameter that is not finite, whatever is done to the population and to the arrays of a call."""
    pop, X, T = problem
    own = np.repeat(X[None], len(pop), axis=0)
    weights, done = np.ones((len(pop), len(X))), threading.Event()

    def fit():
        for batch in range(1, times(4) + 1):
            pop.fit(own, T, epochs=3, batch_size=batch, learning_rate=0.01, sample_weight=weights,
                    validation_data=(X, T), patience=2, threads=2)
        done.set()

    def meddle():
        while not done.is_set():
            pop.params = pop.params
            twin = pickle.loads(pickle.dumps(pop))
            assert twin.copy()[0].params.shape == (pop.n_params,)
            pop.train_step(X, T, 0.001)
            pop.predict(own)

    def spoil():
        """What is written behind the check is trained on, or its networks stop."""
        while not done.is_set():
            for value in (np.nan, np.inf, 1.0):
                own[...] = value
                weights[...] = value

    def tolerant(job):
        def guarded():
            try:
                job()
            except ValueError as error:         # where it came before the check
                assert "finite" in str(error) or "sample_weight" in str(error)
            finally:
                done.set()
        return guarded

    in_threads(tolerant(fit), tolerant(meddle), tolerant(spoil))
    assert np.isfinite(pop.params).all()


def test_labels_that_change_behind_their_check(rng):
    pop = fastbp.Population(40, [3, 5, 4], ["tanh", "softmax"], loss="cross_entropy", seed=0)
    X, labels, done = rng.normal(size=(50, 3)), np.zeros(50, np.intp), threading.Event()

    def spoil():
        while not done.is_set():
            labels[...] = 2**40
            labels[...] = 0

    def train():
        try:
            for _ in range(times(30)):
                try:
                    pop.fit(X, labels, epochs=1, batch_size=8)
                except ValueError as error:
                    assert "T must hold labels" in str(error)
        finally:
            done.set()

    in_threads(spoil, train)
    assert np.isfinite(pop.params).all()


def test_one_thread_cannot_use_what_it_trains():
    """A loss that does would wait for itself for ever, also where threads were asked for."""
    refused = []

    def loss(Y, T):
        for use in (lambda: pop.params, lambda: pop.train_step([0.0, 0.0], [0.0]), lambda: pop[0], pop.copy):
            with pytest.raises(RuntimeError, match="population that it is just training"):
                use()
            refused.append(use)
        return 0.0, Y - T

    pop = fastbp.Population(3, [2, 1], loss=loss, seed=0)
    pop.fit([[0.0, 0.0]], [[0.0]], epochs=1, threads=2)
    assert len(refused) == 12
    # An error needs no turn while it is computed.
    used = []
    other = fastbp.Population(3, [2, 1], loss=lambda Y, T: (used.append(other.params), (0.0, Y - T))[1], seed=0)
    other.error([[0.0, 0.0]], [[0.0]])
    assert len(used) == 3


def test_a_call_that_failed_leaves_the_population_free():
    def loss(Y, T):
        raise ZeroDivisionError

    pop = fastbp.Population(3, [2, 1], loss=loss, seed=0)
    for train in (pop.train_step, pop.fit, pop.error):
        with pytest.raises(ZeroDivisionError):
            train([[0.0, 0.0]], [[0.0]])
    in_threads(lambda: setattr(pop, "params", pop.params))


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
@pytest.mark.parametrize("call", ["pop.predict(X)", "pop.params", "pop.params = params", "pop.train_step(X, T)"])
def test_ctrl_c_ends_a_wait(call):
    run("""
import signal, sys, threading, numpy as np, fastbp
X, T = np.zeros((6, 2)), np.zeros((6, 1))
pop = fastbp.Population(3, [2, 2, 1], seed=0)
params, held, go, waiting = pop.params, threading.Event(), threading.Event(), True

def hold():
    with pop._turn():
        held.set()
        go.wait()

def handle(*_):
    global waiting
    if waiting:
        waiting = False
        raise KeyboardInterrupt

def interrupt():
    while waiting:
        go.wait(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

signal.signal(signal.SIGUSR1, handle)
holder, other = threading.Thread(target=hold), threading.Thread(target=interrupt)
holder.start()
held.wait()
try:
    other.start()
    exec(compile(sys.argv[1], "call", "exec"))     # of a text, Python itself would end by this signal
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("it was not interrupted")
other.join()
go.set()
holder.join()
pop.params = pop.params
pop.predict(X)
""", call, timeout=60)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals")
def test_ctrl_c_ends_the_wait_of_a_fit():
    run("""
import signal, threading, numpy as np, fastbp
X, T = np.zeros((6, 2)), np.zeros((6, 1))
class Population(fastbp.Population):        # whose _turn can be replaced
    pass

pop = Population(3, [2, 2, 1], seed=0)
held, go = threading.Event(), threading.Event()

def hold():
    with pop._turn():
        held.set()
        go.wait()

def interrupt(*_):
    go.set()
    raise KeyboardInterrupt

signal.signal(signal.SIGUSR1, interrupt)
holder = threading.Thread(target=hold)
holder.start()
held.wait()
turn = pop._turn

class Announced:
    def __enter__(self):
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
        self.turn = turn()
        self.turn.__enter__()
    def __exit__(self, *exception):
        self.turn.__exit__(*exception)

pop._turn = Announced
history = pop.fit(X, T)
assert set(history.stop_reason) == {"interrupted"} and len(history) == 0, history
holder.join()
pop.train_step(X, T)
""", timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_does_not_wait_for_its_parents_threads():
    run("""
import os, threading, warnings, numpy as np, fastbp
warnings.simplefilter("ignore", DeprecationWarning)
pop = fastbp.Population(3, [2, 2, 1], seed=0)
held, go = threading.Event(), threading.Event()

def hold():
    with pop._turn():
        held.set()
        go.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
child = os.fork()
if not child:
    pop.params = pop.params
    pop.train_step([0.0, 0.0], [0.0])
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
go.set()
holder.join()
""", timeout=60)


# Networks, and a training whose first epoch takes far longer than the signal: samples, options.
LONG = {
    "on-line": ((4, 16, 3), 64, 300_000, {"batch_size": 1, "shuffle": False}),
    "batches": ((4, 16, 3), 64, 300_000, {"batch_size": 32, "shuffle": False}),
    "full": ((4, 16, 3), 64, 300_000, {"batch_size": "full", "shuffle": False}),
    "orders": ((2, 1), 64, 1_000_000, {"batch_size": 32}),
    "many networks": ((4, 16, 3), 20_000, 1000, {"batch_size": 32, "shuffle": False}),
    "validation": ((4, 16, 3), 64, 300_000, {}),
    "wide": ((4, 64, 64, 3), 12, 100_000, {"batch_size": 32, "shuffle": False}),
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", LONG)
def test_ctrl_c_does_not_wait_for_the_end_of_an_epoch(case, threads, monkeypatch):
    sizes, n, m, options = LONG[case]
    pop = fastbp.Population(n, sizes, dtype="float32", seed=0)
    X, T = np.full((m, sizes[0]), 0.5, np.float32), np.full((m, sizes[-1]), 0.5, np.float32)
    if case == "validation":
        options, X, T = {"validation_data": (X, T)}, X[:4], T[:4]
    before = pop.params

    def interrupt(*_):
        raise KeyboardInterrupt

    def start(self):
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.03)
        train_alone(self)

    train_alone = PopulationRun.train_alone
    monkeypatch.setattr(PopulationRun, "train_alone", start)
    previous = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        history = pop.fit(X, T, epochs=2, learning_rate=0.01, threads=threads, seed=0, **options)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
        monkeypatch.undo()
    assert set(history.stop_reason) == {"interrupted"}
    assert history.epochs.min() == (case == "validation")
    assert np.isfinite(history.seconds).all()
    if case == "validation":
        assert np.isnan(history.validation_error).all()
    elif case not in ("full", "orders"):
        assert (pop.params != before).any()
    assert np.isfinite(pop.params).all()
    assert pop.fit(X[:4], T[:4], epochs=1, threads=threads).epochs.tolist() == [1] * n
