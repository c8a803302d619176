"""Faults that use has found in the core, each with its kind."""

import contextlib
import copy
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from stress import run

import fastbp
from fastbp import _arrays, _core, _dispatch, activations

X, T = np.linspace(-1, 1, 24).reshape(6, 4), np.linspace(0, 1, 12).reshape(6, 2)
OPTIMIZERS = {
    "SGD": lambda **how: fastbp.SGD(0.05, **how),
    "momentum": lambda **how: fastbp.SGD(0.05, 0.9, **how),
    "Nesterov": lambda **how: fastbp.SGD(0.05, 0.9, nesterov=True, **how),
    **{name: lambda name=name, **how: getattr(fastbp, name)(0.01, **how)
       for name in ("Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Rprop")},
}


# ---------------------------------------------------------------- divergence leaves nothing behind

@pytest.mark.filterwarnings("ignore:Rprop compares")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch", [1, 7, "full"])
@pytest.mark.parametrize("sizes", [(3, 1), (3, 5, 1), (3, 20, 2)], ids=str)
def test_after_a_divergence_a_network_trains_like_a_copy(isa, dtype, rng, sizes, batch, optimizer):
    inputs = rng.normal(size=(20, 3))
    targets = np.repeat(np.exp(inputs @ [0.1, 0.2, 0.3])[:, None], sizes[-1], axis=1)
    net = fastbp.Network(sizes, "exp", dtype=dtype, seed=0)
    for b in net.biases:
        b[...] = 1000       # exp is infinite
    with pytest.raises(fastbp.DivergenceError):
        net.fit(inputs, targets, learning_rate=0.1, batch_size=batch, epochs=1, seed=0)
    net.params = np.zeros(net.n_params)
    twin = fastbp.Network(sizes, "exp", dtype=dtype, init=np.zeros(net.n_params))
    for trained in (net, twin):
        trained.fit(inputs, targets, epochs=3, batch_size=batch, optimizer=OPTIMIZERS[optimizer](), seed=0)
        trained.train_step(inputs[0], targets[0], 0.001)
    np.testing.assert_array_equal(net.params, twin.params)
    np.testing.assert_array_equal(net.gradient(inputs, targets)[1], twin.gradient(inputs, targets)[1])


# ---------------------------------------------------------------- arrays in hand, arrays that lie

@pytest.mark.parametrize("name", ["x", "t", "out"])
def test_a_bound_array_cannot_be_resized(name):
    bound = fastbp.Network([4, 2], seed=1).bind(X.copy(), T.copy())
    with pytest.raises(ValueError, match="resize"):
        getattr(bound, name).resize((1, 1))
    bound.predict()
    bound.step()


class OtherShape(np.ndarray):
    shape = property(lambda self: (6, 2))
    ndim = property(lambda self: 2)


class OtherDtype(np.ndarray):
    dtype = property(lambda self: np.dtype("float64"))


@pytest.mark.parametrize("liar", [np.zeros(1).view(OtherShape), np.zeros((6, 2), "float32").view(OtherDtype),
                                  np.zeros((6, 2), ">f8").view(OtherDtype)], ids=["shape", "dtype", "byte order"])
def test_the_shape_and_dtype_that_an_out_claims_are_not_believed(liar):
    net = fastbp.Network([4, 2], seed=1)
    for call in (lambda: net.predict(X, out=liar), lambda: net.bind(X, out=liar),
                 lambda: net.gradient(X, T, out=liar)):
        with pytest.raises((TypeError, ValueError), match="out must have"):
            call()


def test_params_may_come_from_the_network_itself():
    for sizes in ([3, 1], [2, 3, 2], [1, 1]):
        net = fastbp.Network(sizes, "tanh", seed=1)
        storage = net.weights[0].base
        for start in range(storage.size - net.n_params + 1):
            values = storage[start:start + net.n_params]
            expected = values.copy()
            net.params = values
            np.testing.assert_array_equal(net.params, expected)


# ---------------------------------------------------------------- optimizers

def copies(optimizer):
    yield copy.copy(optimizer)
    yield copy.deepcopy(optimizer)
    yield pickle.loads(pickle.dumps(optimizer))


@pytest.mark.filterwarnings("ignore:Rprop compares")
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("options", [{}, {"layer_rates": [1.0, 0.5], "l2": 0.1, "clip_norm": 1.0}], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_copy_of_an_optimizer_goes_on_bit_for_bit(dtype, name, options, steps):
    net, optimizer = fastbp.Network([4, 3, 2], "tanh", dtype=dtype, seed=1), OPTIMIZERS[name](**options)
    for _ in range(steps):
        net.train_step(X, T, optimizer=optimizer)
    twins = [(net.copy(), twin) for twin in copies(optimizer)]
    net.fit(X, T, epochs=3, batch_size=2, optimizer=optimizer, seed=0)
    for other, twin in twins:
        assert repr(twin) == repr(OPTIMIZERS[name](**options)) and vars(twin) == vars(optimizer)
        other.fit(X, T, epochs=3, batch_size=2, optimizer=twin, seed=0)
        np.testing.assert_array_equal(other.params, net.params)
        assert twin.steps == optimizer.steps == steps + 9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_pickled_state_fits_every_instruction_set(name):
    made = {}
    for level in _dispatch.available():
        before = _dispatch.use(level)
        try:
            net, optimizer = fastbp.Network([4, 3, 2], "tanh", seed=1), OPTIMIZERS[name]()
            net.train_step(X, T, optimizer=optimizer)
            made[level] = pickle.dumps((net, optimizer))
        finally:
            _dispatch.use(*before)
    for content in made.values():
        for level in _dispatch.available():
            before = _dispatch.use(level)
            try:
                net, optimizer = pickle.loads(content)
                net.train_step(X, T, optimizer=optimizer)
                assert optimizer.steps == 2
            finally:
                _dispatch.use(*before)


def test_an_optimizer_may_be_made_anew_while_it_is_used():
    optimizer = fastbp.SGD(0.01, layer_rates=[1.0, 1.0])

    def loss(Y, T):
        optimizer.__init__(0.01, layer_rates=[0.5] * 2)
        np.empty(2)[:] = np.nan     # into what the rates left
        return float(((Y - T) ** 2).sum() / 2), Y - T

    net = fastbp.Network([4, 3, 2], loss=loss, seed=1)
    twin = fastbp.Network([4, 3, 2], init=net.params)
    net.train_step(X, T, optimizer=optimizer)
    twin.train_step(X, T, 0.01)
    np.testing.assert_allclose(net.params, twin.params, rtol=1e-12)
    assert optimizer.steps == 0


def test_no_state_of_no_layout():
    with pytest.raises(TypeError):
        fastbp.Adam()._restore(None, {"steps": 1, "mean": None, "square": None})


# ---------------------------------------------------------------- what __init__ has not made

def test_a_network_whose_memory_was_not_there():
    net = fastbp.Network.__new__(fastbp.Network)
    with pytest.raises(MemoryError):
        net.__init__([2**30] * 3)
    for call in (lambda: net.params, lambda: setattr(net, "params", []), lambda: net.predict([1.0]),
                 lambda: net.train_step([1.0], [1.0]), lambda: net.bind(np.zeros(1))):
        with pytest.raises(ValueError, match="not been initialised"):
            call()


def test_what_only_a_network_makes():
    net = fastbp.Network([4, 2], seed=1)
    for thing in (net.bind(X, T), net._samples(X, T)):
        with pytest.raises(TypeError):
            type(thing)()
    with pytest.raises(TypeError):
        type(net.bind(X)).__new__(type(net.bind(X)))
    for arguments in ((None, None, 1, fastbp.SGD(), 0), (net._samples(X, T), None, 1, None, 0)):
        with pytest.raises(TypeError):
            net._train_epoch(*arguments)
    for batch in (0, -1):
        with pytest.raises(ValueError, match="batch_size must be at least 1"):
            net._train_epoch(net._samples(X, T), None, batch, fastbp.SGD(), 0)


@pytest.mark.parametrize("made", [fastbp.SGD, fastbp.Adam])
def test_an_optimizer_without_init(made):
    optimizer = made.__new__(made)
    for call in (lambda: fastbp.Network([4, 2]).train_step(X, T, optimizer=optimizer), optimizer._state,
                 optimizer.reset, lambda: pickle.dumps(optimizer), lambda: copy.copy(optimizer)):
        with pytest.raises(ValueError, match="not been initialised"):
            call()


def test_rates_of_layers_that_are_made_anew_while_a_step_begins(monkeypatch):
    net = fastbp.Network([4, 3, 2], seed=0)
    before = net.params
    optimizer = fastbp.SGD(0.1, momentum=0.5, layer_rates=[1.0] * 2)
    aligned_zeros = _core.aligned_zeros

    def meanwhile(*arguments):
        optimizer.__init__(0.1, momentum=0.5, layer_rates=[1.0])
        return aligned_zeros(*arguments)

    net.predict(X)
    monkeypatch.setattr(_core, "aligned_zeros", meanwhile)      # what the optimizer's state begins with
    with pytest.raises(ValueError, match="layer_rates must hold one number for each of the 2 layers, got 1"):
        net.train_step(X, T, optimizer=optimizer)
    np.testing.assert_array_equal(net.params, before)


# ---------------------------------------------------------------- copies of what a user has derived

class Named(fastbp.Network):
    """A network with a name, which its own __init__ asks for first."""

    __slots__ = ("units",)

    def __init__(self, name, sizes):
        super().__init__(sizes, seed=1)
        self.name, self.units = name, ["cm"]


class Anything(Named):
    """With a __dict__."""


class Slotted(fastbp.Adam):
    """An optimizer with a slot."""

    __slots__ = ("note",)


TWINS = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


@pytest.mark.parametrize("twin", TWINS)
def test_a_network_of_a_class_of_ones_own(twin):
    net = Anything("heat", [2, 3, 1])
    net.itself = net
    other = TWINS[twin](net)
    assert type(other) is Anything
    assert (other.name, other.units) == ("heat", ["cm"])
    assert other.itself is (net if twin == "copy" else other)
    assert (other.units is net.units) == (twin == "copy")
    np.testing.assert_array_equal(other.params, net.params)
    assert other._rng is not net._rng
    assert other._rng.random() == net._rng.random()


@pytest.mark.parametrize("twin", TWINS)
def test_an_optimizer_of_a_class_of_ones_own(twin):
    optimizer = Slotted(0.01)
    optimizer.note, optimizer.itself = "warm", optimizer
    fastbp.Network([4, 2], seed=1).train_step(X, T, optimizer=optimizer)
    other = TWINS[twin](optimizer)
    assert (other.note, other.steps, other.beta_1) == ("warm", 1, 0.9)
    assert other.itself is (optimizer if twin == "copy" else other)


def test_a_network_takes_no_unknown_attributes():
    with pytest.raises(AttributeError):
        fastbp.Network([2, 1], seed=1).learning_rate = 5


# ---------------------------------------------------------------- numbers that mean nothing

RANGES = {"poisson": ("exp", [-0.5, np.nan]), "binary_cross_entropy": ("sigmoid", [-0.1, 1.1]),
          "cross_entropy": ("softmax", [-1.0])}


@pytest.mark.parametrize("call", ["error", "rms", "gradient", "backprop", "input_gradient", "train_step", "fit"])
@pytest.mark.parametrize("loss", RANGES)
def test_targets_for_which_the_loss_is_not_defined(dtype, loss, call):
    activation, wrong = RANGES[loss]
    net = fastbp.Network([4, 2], activation, loss=loss, dtype=dtype, seed=1)
    before = net.params
    for value in wrong:
        targets = T.copy()
        targets[3, 1] = value
        with pytest.raises(ValueError, match=r"^[Tt] must"):
            getattr(net, call)(X, targets)
    with pytest.raises(ValueError, match="validation_data"):
        net.fit(X, T, epochs=1, validation_data=(X, targets))
    np.testing.assert_array_equal(net.params, before)


def test_rows_of_targets_need_not_sum_to_one():
    """E = -sum t log y is defined for any weights t, and so is its gradient; central differences agree."""
    net = fastbp.Network([4, 3], "softmax", loss="cross_entropy", seed=1)
    targets = np.random.default_rng(0).uniform(0, 2, (6, 3))
    params, (_, gradient) = net.params, net.gradient(X, targets)
    for i in range(net.n_params):
        step = np.zeros(net.n_params)
        step[i] = 1e-3
        errors = []
        for k in (-2, -1, 1, 2):
            net.params = params + k * step
            errors.append(net.error(X, targets))
        slope = (errors[0] - 8 * errors[1] + 8 * errors[2] - errors[3]) / 12e-3
        assert gradient[i] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize(("pair", "error", "message"), [
    (([[None]], [0]), TypeError, "W of layer 0 .* NoneType None"),
    (([[1]], [None]), TypeError, "b of layer 0 .* NoneType None"),
    (([[1j]], [0]), TypeError, "W of layer 0 .* complex"),
    ((np.array([["2020"]], "M8[Y]"), [0]), TypeError, "W of layer 0 .* datetime64"),
    (([["1"]], [0]), TypeError, "W of layer 0"),
    (([1.0], [0]), ValueError, r"W of layer 0 must have the shape \(1, 1\)"),
])
def test_initial_weights_pass_the_door(pair, error, message):
    with pytest.raises(error, match=f"init: {message}"):
        fastbp.Network([1, 1], init=[pair])


def test_bounds_of_initial_weights():
    with pytest.raises(ValueError, match="float32 can hold"):
        fastbp.Network([1, 1], dtype="float32", init=fastbp.uniform(1e39, 1e40))
    with pytest.raises(ValueError, match="high - low must be"):
        fastbp.uniform(-1e308, 1e308)
    net = fastbp.Network([1, 1], dtype="float32", init=fastbp.uniform(-1e38, 1e38), seed=1)
    assert np.isfinite(net.params).all()


def test_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    net = fastbp.Network([4, 2], "tanh", seed=1)
    frame = pandas.DataFrame(X).astype("Float64")
    np.testing.assert_array_equal(net.predict(frame), net.predict(X))
    dummies = pandas.concat([pandas.DataFrame(X[:, :2]), pandas.get_dummies(list("ababba"))], axis=1)
    np.testing.assert_array_equal(net.predict(dummies), net.predict(np.asarray(dummies, float)))
    frame.iloc[1, 2] = pandas.NA
    with pytest.raises(TypeError, match="X must hold real numbers, got NAType"):
        net.predict(frame)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("end", ["max", "smallest_subnormal"])
def test_sums_of_weights_that_nothing_can_be_divided_by(dtype, reduction, end):
    weight = float(getattr(np.finfo(dtype), end))
    net = fastbp.Network([4, 2], "tanh", dtype=dtype, reduction=reduction, seed=1)
    before = net.params
    for call in (net.error, net.gradient, net.fit):
        with pytest.raises(ValueError, match="sample_weight must h"):
            call(X, T, sample_weight=[weight] * 6)
    np.testing.assert_array_equal(net.params, before)


def test_labels_that_are_floats_are_told_apart_from_rows():
    net = fastbp.Network([4, 3], "softmax", loss="cross_entropy", seed=1)
    for floats in (np.zeros(6), np.zeros(6, np.float32), [0.0] * 6):
        with pytest.raises(TypeError, match=r"T must hold integer labels.*float(32|64); .*asarray\(T\)\.astype\(int\)"):
            net.error(X, floats)
    with pytest.raises(TypeError, match=r"T must hold integer labels.*dtype float64$"):
        net.error(X, np.full(6, 0.5))


def test_labels_among_objects():
    net = fastbp.Network([4, 3], "softmax", loss="cross_entropy", seed=1)
    numbers = [0, 1, np.int8(2), 0, 1, 2]
    assert net.error(X, np.array(numbers, object)) == net.error(X, np.array(numbers))
    with pytest.raises(ValueError, match="T must hold labels that an int64 can hold"):
        net.error(X, np.array([0, 1, 2, 0, 1, 2**70], object))
    with pytest.raises(TypeError, match=r"T must hold integer labels.*dtype object"):
        net.error(X, np.array([0, 1, 2, 0, 1, None], object))


def test_a_generator_that_is_stuck():
    stuck = np.random.MT19937()
    stuck.state = {"bit_generator": "MT19937", "state": {"key": np.zeros(624, np.uint32), "pos": 0}}
    with pytest.raises(ValueError, match="same again and again, a MT19937"):
        fastbp.Network([4, 2], seed=1).fit(X, T, epochs=1, seed=np.random.Generator(stuck))


@pytest.mark.parametrize(("decay", "fits"), [(9.99, True), (10.0, False), (19.9, False)])
def test_the_decay_of_adamw_is_below_one_over_its_rate(decay, fits):
    if fits:
        fastbp.AdamW(0.1, decay=decay)
        return
    with pytest.raises(ValueError, match="decay must be at least 0"):
        fastbp.AdamW(0.1, decay=decay)


@pytest.mark.parametrize("activation", activations.TABLE)
def test_initial_weights_follow_he_or_glorot(activation):
    W = fastbp.Network([300, 100], activation, seed=1).weights[0]
    he = activation in ("relu", "leaky_relu", "elu", "softplus", "silu", "gelu")
    bound = np.sqrt(6 / 300) if he else np.sqrt(6 / 400)
    assert 0.999 * bound < abs(W).max() < bound


# ---------------------------------------------------------------- who may work with a network

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
    """No clock is in it: a loss keeps the network until all four are waiting, and then nobody else comes by."""
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
    """Of a single epoch, which is a single call of the core; what it leaves is what it leaves alone."""
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


def test_an_init_that_fails_changes_nothing_of_an_optimizer():
    net, optimizer = fastbp.Network([4, 5, 2], seed=1), fastbp.SGD(0.01, momentum=0.9)
    net.train_step(X, T, optimizer=optimizer)
    twin, other = net.copy(), copy.copy(optimizer)
    with pytest.raises(TypeError):
        type(optimizer).__mro__[2].__init__(optimizer, "adam", 0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-8, l1="x")
    net.train_step(X, T, optimizer=optimizer)
    twin.train_step(X, T, optimizer=other)
    np.testing.assert_array_equal(net.params, twin.params)


@pytest.mark.parametrize(("weights", "message"), [
    ([5e307] + [0] * 5, "a sum that"), ([2e-308] * 6, "no subnormal"), ([0] * 6, "at least one positive"),
    ([1] * 5 + [-1], "no negative")])
def test_weights_that_would_count_as_nothing(weights, message):
    net = fastbp.Network([4, 2], "tanh", reduction="mean", seed=1)
    with pytest.raises(ValueError, match=f"sample_weight must h.*{message}"):
        net.gradient(X, T, sample_weight=weights)


def test_sums_of_weights_at_the_ends(dtype):
    least = np.finfo(dtype).tiny        # a power of two, as is its reciprocal
    for total in (least, 1 / least):
        assert _arrays.total_of(np.array([0, total], dtype)) == total
    assert _arrays.total_of(np.array([2**24, 1, 1], dtype)) == 2**24 + 2    # which is not summed in float32
    with pytest.raises(ValueError, match="a sum that"):
        _arrays.total_of(np.array([0, np.nextafter(1 / least, np.inf)], dtype))


def test_objects_that_are_dates_are_no_numbers():
    with pytest.raises(TypeError, match="X must hold real numbers, got datetime64"):
        fastbp.Network([2, 1]).predict([np.datetime64("2020"), 1.0])


@pytest.mark.parametrize(("error", "kind", "message"), [
    ("1.5", TypeError, "got str '1.5'"), (None, TypeError, "got NoneType"), ([1.0], TypeError, r"got list \[1.0\]"),
    (np.ones(1), TypeError, "got ndarray"), (1j, TypeError, "got complex"),
    (10**400, ValueError, "that a float64 can hold"),
])
def test_what_a_loss_function_may_return_as_its_error(error, kind, message):
    net = fastbp.Network([4, 2], loss=lambda Y, T: (error, Y - T), seed=1)
    before = net.params
    for call in (lambda: net.error(X, T), lambda: net.train_step(X, T), lambda: net.gradient(X, T)):
        with pytest.raises(kind, match=f"loss: E must be a number.*{message}"):
            call()
    np.testing.assert_array_equal(net.params, before)


def test_a_function_of_the_epoch_that_ends():
    def schedule(epoch):
        if epoch == 2:
            raise StopIteration
        return 1.0

    with pytest.raises(ValueError, match="schedule must give a factor for each of the 5 epochs, got 2"):
        fastbp.Network([4, 2], seed=1).fit(X, T, epochs=5, schedule=schedule)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000])
def test_memory_begins_on_a_cache_line(dtype, length):
    vectors = [_arrays.aligned_zeros(length, np.dtype(dtype)) for _ in range(50)]
    for vector in vectors:
        assert (vector.ctypes.data % 64, vector.shape, vector.dtype) == (0, (length,), dtype)
        assert not vector.any()


# ---------------------------------------------------------------- faults of the second round

def test_a_loss_that_changes_the_shape_of_the_outputs():
    def loss(Y, T):
        Y.__setstate__((1, (1, 1), Y.dtype, False, bytes(8)))
        return 0.0, np.ones((1, 1))

    net = fastbp.Network([4, 2], loss=loss, seed=1)
    for call in (net.gradient, net.backprop, net.train_step):
        with pytest.raises(ValueError, match=r"loss: dE/dY must have the shape \(6, 2\) of Y, got \(1, 1\)"):
            call(X, T)


@pytest.mark.parametrize(("old", "new"), [("RMSprop", "Adam"), ("Adam", "Rprop"), ("Adagrad", "Nadam")])
def test_an_optimizer_may_become_another_while_its_state_is_made(monkeypatch, old, new):
    net, optimizer = fastbp.Network([4, 3, 2], seed=0), OPTIMIZERS[old]()
    twin = net.copy()
    aligned_zeros = _core.aligned_zeros

    def meanwhile(*arguments):
        monkeypatch.setattr(_core, "aligned_zeros", aligned_zeros)
        optimizer.__class__ = getattr(fastbp, new)
        optimizer.__init__(0.01)
        return aligned_zeros(*arguments)

    net.predict(X)
    net.gradient(X, T)
    monkeypatch.setattr(_core, "aligned_zeros", meanwhile)      # what the optimizer's state begins with
    net.train_step(X, T, optimizer=optimizer)
    twin.train_step(X, T, optimizer=OPTIMIZERS[new]())
    np.testing.assert_array_equal(net.params, twin.params)


@pytest.mark.filterwarnings("ignore:Rprop compares")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_first_step_that_is_refused_leaves_no_state(name):
    broken = fastbp.Network([4, 1], "exp", init=np.full(5, 400.0))
    net, optimizer = fastbp.Network([4, 3, 2], seed=0), OPTIMIZERS[name]()
    twin = net.copy()
    with pytest.raises(fastbp.DivergenceError):
        broken.train_step(np.ones(4), [1.0], optimizer=optimizer)
    optimizer.learning_rate *= 2
    other = OPTIMIZERS[name]()
    other.learning_rate *= 2
    assert net.train_step(X, T, optimizer=optimizer) == twin.train_step(X, T, optimizer=other)
    np.testing.assert_array_equal(net.params, twin.params)


@pytest.mark.filterwarnings("ignore:The targets")
@pytest.mark.parametrize("momentum", [0.9, 0.999999, 0.99999994, 1 - 2**-53])
@pytest.mark.parametrize("nesterov", [False, True])
def test_velocities_do_not_lose_parameters(isa, momentum, nesterov):
    net = fastbp.Network([1, 1], "threshold", dtype="float32", init=[([[1.0]], [0.0])])
    with contextlib.suppress(fastbp.DivergenceError):
        net.fit(np.ones((1000, 1)), np.full((1000, 1), 5.0), epochs=400,
                optimizer=fastbp.SGD(2.0**92, momentum=momentum, nesterov=nesterov))
    assert np.isfinite(net.params).all()


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


def test_the_targets_that_a_loss_is_given_are_read_only():
    def loss(Y, T):
        T *= 2
        return 0.0, Y - T

    targets = T.copy()
    net = fastbp.Network([4, 2], loss=loss, seed=1)
    for call in (net.error, net.gradient, net.train_step, net.backprop):
        with pytest.raises(ValueError, match="read-only"):
            call(X, targets)
    np.testing.assert_array_equal(targets, T)
