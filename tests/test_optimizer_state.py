"""An optimizer's numbers and state: copies, pickles, made anew while in use, refused steps."""

import contextlib
import copy
import pickle

import numpy as np
import pytest
from training_problem import OPTIMIZERS

import fastbp
from fastbp import _core, _dispatch

X, T = np.linspace(-1, 1, 24).reshape(6, 4), np.linspace(0, 1, 12).reshape(6, 2)
TWINS = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


class Slotted(fastbp.Adam):
    """An optimizer with a slot."""

    __slots__ = ("note",)


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


@pytest.mark.parametrize("twin", TWINS)
def test_an_optimizer_of_a_class_of_ones_own(twin):
    optimizer = Slotted(0.01)
    optimizer.note, optimizer.itself = "warm", optimizer
    fastbp.Network([4, 2], seed=1).train_step(X, T, optimizer=optimizer)
    other = TWINS[twin](optimizer)
    assert (other.note, other.steps, other.beta_1) == ("warm", 1, 0.9)
    assert other.itself is (optimizer if twin == "copy" else other)


@pytest.mark.parametrize(("decay", "fits"), [(9.99, True), (10.0, False), (19.9, False)])
def test_the_decay_of_adamw_is_below_one_over_its_rate(decay, fits):
    if fits:
        fastbp.AdamW(0.1, decay=decay)
        return
    with pytest.raises(ValueError, match="decay must be at least 0"):
        fastbp.AdamW(0.1, decay=decay)


def test_an_init_that_fails_changes_nothing_of_an_optimizer():
    net, optimizer = fastbp.Network([4, 5, 2], seed=1), fastbp.SGD(0.01, momentum=0.9)
    net.train_step(X, T, optimizer=optimizer)
    twin, other = net.copy(), copy.copy(optimizer)
    with pytest.raises(TypeError):
        type(optimizer).__mro__[2].__init__(optimizer, "adam", 0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-8, l1="x")
    net.train_step(X, T, optimizer=optimizer)
    twin.train_step(X, T, optimizer=other)
    np.testing.assert_array_equal(net.params, twin.params)


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


@pytest.mark.filterwarnings("ignore:The output activation")
@pytest.mark.parametrize("momentum", [0.9, 0.999999, 0.99999994, 1 - 2**-53])
@pytest.mark.parametrize("nesterov", [False, True])
def test_velocities_do_not_lose_parameters(isa, momentum, nesterov):
    net = fastbp.Network([1, 1], "threshold", dtype="float32", init=[([[1.0]], [0.0])])
    with contextlib.suppress(fastbp.DivergenceError):
        net.fit(np.ones((1000, 1)), np.full((1000, 1), 5.0), epochs=400,
                optimizer=fastbp.SGD(2.0**92, momentum=momentum, nesterov=nesterov))
    assert np.isfinite(net.params).all()
