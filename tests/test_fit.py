"""fit beyond the epochs themselves: validation, stopping, callbacks, batches, History and what it refuses.

Files of their own: test_schedules.py; test_weights.py, dropout included; test_resume.py, for checkpoints.
"""

import json
import math
import os
import re
import signal
import sys
import tracemalloc
import types

import numpy as np
import pytest
from reference import random_problem
from training_problem import SIZES, M, network

import fastbp
from fastbp import schedules
from fastbp.training import progress, run, validation
from fastbp.training.options import Options
from fastbp.training.stopping import Stopping


class Watcher:
    """A callback that keeps the states that it is given, with the parameters of each epoch."""

    def __init__(self, stop_after=math.inf):
        self.states, self.params, self.stop_after = [], [], stop_after

    def on_epoch(self, state):
        self.states.append(state)
        self.params.append(state.network.params)
        return len(self.states) >= self.stop_after


# -------------------------------------------------------------------------------------------------------- validation


def test_validation_errors_are_those_after_each_epoch(dtype, data):
    X, T = data
    net, watcher = network(dtype=dtype), Watcher()
    # Neither dtype nor layout of the data is that of the network.
    history = net.fit(X[:6], T[:6], epochs=4, validation_data=(X[6:].tolist(), np.asfortranarray(T[6:])),
                      callbacks=[watcher])
    for epoch, params in enumerate(watcher.params):
        net.params = params
        assert history.validation_error[epoch] == net.error(X[6:], T[6:])
        assert history.validation_rms[epoch] == net.rms(X[6:], T[6:])
    assert history.best_epoch == np.argmin(history.validation_error)


def test_validation_changes_nothing(data):
    X, T = data
    alone, validated = network(), network()
    alone.fit(X, T, epochs=3)
    validated.fit(X, T, epochs=3, validation_data=(X, T))
    np.testing.assert_array_equal(alone.params, validated.params)


def test_validation_labels(rng):
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=1)
    X, labels = rng.normal(size=(8, 3)), rng.integers(0, 2, 8)
    history = net.fit(X, labels, epochs=2, validation_data=(X, labels.tolist()))
    assert history.validation_error[-1] == net.error(X, np.eye(2)[labels])


def test_fraction_in_order_holds_out_the_last_rows(data):
    X, T = data
    by_hand, cut = network(), network()
    expected = by_hand.fit(X[:7], T[:7], epochs=3, shuffle=False, validation_data=(X[7:], T[7:]))
    history = cut.fit(X, T, epochs=3, shuffle=False, validation_fraction=0.3)
    np.testing.assert_array_equal(cut.params, by_hand.params)
    np.testing.assert_array_equal(history.validation_error, expected.validation_error)


def test_fraction_at_random_splits_the_rows(rng):
    X, splits = np.zeros((20, 2)), []
    for seed in range(2):
        kept, held = validation.hold_out(X, 20, 0.25, np.random.default_rng(seed))
        assert (len(kept), len(held)) == (15, 5)
        assert sorted([*kept, *held]) == [*range(20)]
        assert [*kept] == sorted(kept)
        splits.append(held.tolist())
    assert splits[0] != splits[1]
    assert splits[0] != [15, 16, 17, 18, 19]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_rows_held_out_at_random_keep_targets_and_weights(dtype, rng, reduction):
    X, T = random_problem(rng, SIZES, 20)[1:]
    weights = np.arange(1.0, 21.0)
    by_hand, cut = network(dtype=dtype, reduction=reduction), network(dtype=dtype, reduction=reduction)
    kept, held = validation.hold_out(X, 20, 0.25, np.random.default_rng(5))
    generator = np.random.default_rng(5)
    generator.permutation(20)       # as the choice of the rows has done
    expected = by_hand.fit(X[kept], T[kept], epochs=3, sample_weight=weights[kept], seed=generator,
                           validation_data=(X[held], T[held]))
    history = cut.fit(X, T, epochs=3, sample_weight=weights, validation_fraction=0.25, seed=5)
    np.testing.assert_array_equal(cut.params, by_hand.params)
    np.testing.assert_array_equal(history.validation_error, expected.validation_error)


# ---------------------------------------------------------------------------------------------------------- stopping


class Jolt:
    """A callback that damages the network from one epoch on."""

    def __init__(self, epoch):
        self.epoch, self.params = epoch, []

    def on_epoch(self, state):
        self.params.append(state.network.params)
        if state.epoch >= self.epoch:
            state.network.biases[-1][...] += 1.0


def test_early_stopping_gives_the_best_parameters_back(data):
    X, T = data
    T = 0.5 * T
    net, jolt = network(), Jolt(5)
    history = net.fit(X, T, epochs=100, learning_rate=0.01, validation_data=(X, T), patience=4, callbacks=[jolt])
    # The jolt of epoch 5 is seen by the validation of epoch 6, and errors only grow from there on.
    assert history.best_epoch == 5
    assert history.stop_reason == "patience"
    assert len(history) == 5 + 1 + 4
    np.testing.assert_array_equal(net.params, jolt.params[5])
    assert net.error(X, T) == history.validation_error[5]


def test_best_parameters_come_back_when_the_epochs_are_over(data):
    X, T = data
    net = network()
    history = net.fit(X, 0.5 * T, epochs=8, learning_rate=0.01, validation_data=(X, 0.5 * T), patience=100,
                      callbacks=[Jolt(5)])
    assert (history.stop_reason, history.best_epoch) == ("epochs", 5)
    assert net.error(X, 0.5 * T) == history.validation_error[5]


def test_without_patience_the_last_parameters_stay(data):
    X, T = data
    net = network()
    history = net.fit(X, 0.5 * T, epochs=8, learning_rate=0.01, validation_data=(X, 0.5 * T), callbacks=[Jolt(5)])
    assert history.best_epoch == 5
    assert net.error(X, 0.5 * T) > history.validation_error[5]


def stopping_with(**options):
    defaults = {name: value for name, value in fastbp.Network.fit.__kwdefaults__.items() if name in Options._fields}
    return Stopping(Options(**defaults | options))


def test_an_error_that_is_exactly_what_is_desired_is_enough():
    for desired in (0.0, 0.25):
        stopping = stopping_with(desired_error=desired)
        assert stopping.reason(1, desired, 0.0) == "desired_error"
        assert stopping.reason(1, np.nextafter(desired, 1), 0.0) is None


def test_no_error_is_small_enough_where_none_is_desired():
    assert stopping_with().reason(1, 0.0, 0.0) is None


def test_an_improvement_of_exactly_min_delta_is_none():
    stopping = stopping_with(patience=2, min_delta=0.25)
    stopping.look(1.0)
    stopping.look(0.75)
    assert stopping.waited == 1
    stopping.look(0.5)
    assert stopping.waited == 2 and stopping.reason(3, 1.0, 0.0) == "patience"


@pytest.mark.parametrize(("min_delta", "epochs"), [(0.0, 6), (0.15, 4), (2.0, 4)])
def test_patience_counts_epochs_without_an_improvement_of_min_delta(min_delta, epochs):
    stopping = stopping_with(patience=3, min_delta=min_delta)
    errors = [1.0, 0.9, 0.8, 0.8, 0.9, 0.8]
    assert [stopping.look(error) for error in errors] == [True, True, True, False, False, False]
    stopping = stopping_with(patience=3, min_delta=min_delta)
    for epoch, error in enumerate(errors, 1):
        stopping.look(error)
        if stopping.reason(epoch, 1.0, 0.0):
            break
    assert epoch == epochs


def test_validation_that_is_not_a_number_is_no_improvement():
    stopping = stopping_with(patience=2)
    assert not stopping.look(math.nan)
    assert not stopping.look(math.nan)
    assert stopping.reason(2, 1.0, 0.0) == "patience"


def test_time_limit(data, monkeypatch):
    # A clock that goes on by a second whenever it is looked at.
    clock = iter(range(1000))
    monkeypatch.setattr(run, "perf_counter", lambda: float(next(clock)))
    history = network().fit(*data, epochs=100, time_limit=10)
    assert history.stop_reason == "time_limit"
    # The clock is looked at when the call begins and at the end of each epoch.
    assert history.seconds.tolist() == [*range(1, 11)]


def test_time_limit_begins_anew_when_training_is_resumed(data, monkeypatch, tmp_path):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(run, "perf_counter", lambda: float(next(clock)))
    network().fit(*data, epochs=4, checkpoint=tmp_path / "checkpoint")
    history = network().fit(*data, epochs=100, time_limit=5, resume=tmp_path / "checkpoint")
    assert (history.stop_reason, len(history)) == ("time_limit", 4 + 3)
    assert history.seconds.tolist() == [2, 4, 6, 8, 10, 12, 14]


def test_time_limit_leaves_one_epoch(data):
    history = network().fit(*data, epochs=100, time_limit=1e-300)
    assert (history.stop_reason, len(history)) == ("time_limit", 1)


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("desired_error", {"desired_error": 1e9}),
        ("patience", {"patience": 1, "min_delta": 1e9}),    # no epoch after the first improves by as much
        ("epochs", {"epochs": 2}),
        ("time_limit", {"time_limit": 1e-300}),
        ("callback", {}),
    ],
)
def test_another_reason_to_stop_comes_before_a_callbacks_wish(data, reason, options):
    X, T = data
    watcher = Watcher(stop_after=1 if reason in ("desired_error", "time_limit") else 2)
    history = network().fit(X, T, validation_data=(X, T), callbacks=[watcher], **options)
    assert (history.stop_reason, len(history)) == (reason, watcher.stop_after)


def test_interrupted_between_epochs(data):
    class Interrupt:
        def on_epoch(self, state):
            if state.epoch == 2:
                raise KeyboardInterrupt

    watcher = Watcher()
    net = network()
    history = net.fit(*data, epochs=10, callbacks=[watcher, Interrupt()])
    assert (history.stop_reason, len(history)) == ("interrupted", 3)
    np.testing.assert_array_equal(net.params, watcher.params[2])


@pytest.fixture
def ctrl_c():
    """SIGINT is handled even if the tests run in the background of a shell, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_epoch(data, ctrl_c):
    class CtrlC:
        def on_epoch(self, state):
            if state.epoch == 1:
                signal.raise_signal(signal.SIGINT)

    net = network()
    X, T = data
    history = net.fit(X, T, epochs=10, validation_data=(X, T), patience=5, callbacks=[CtrlC()])
    assert (history.stop_reason, history.epochs) == ("interrupted", 2)
    assert net.error(X, T) == history.validation_error.min()


class End:
    """A callback that ends training in an epoch, by what it does or by what it does to the network."""

    def __init__(self, how, epoch):
        self.how, self.epoch = how, epoch

    def on_epoch(self, state):
        if state.epoch == self.epoch:
            if self.how == "interrupted":
                signal.raise_signal(signal.SIGINT)
            if self.how == "exception":
                raise RuntimeError("mine")
            if self.how == "divergence":
                state.network.params = np.full(state.network.n_params, 1e300)
            return self.how == "callback"
        return False


@pytest.mark.parametrize("form", ["arrays", "batches"])
@pytest.mark.parametrize("how", ["callback", "interrupted", "exception", "divergence", "schedule", "checkpoint"])
def test_best_parameters_come_back_whatever_has_ended_training(data, ctrl_c, how, form, tmp_path, monkeypatch):
    X, T = data[0], 0.5 * data[1]
    net, jolt = network(output_activation="identity"), Jolt(5)
    options = {"validation_data": (X, T), "patience": 100, "callbacks": [jolt, End(how, 8)], "learning_rate": 0.01}
    if how == "schedule":
        options["schedule"] = lambda epoch: 1.0 if epoch < 9 else math.nan
    if how == "checkpoint":
        def full_disk(path, run):
            raise OSError("no space left")

        monkeypatch.setattr("fastbp.training.checkpoint.write", full_disk)
        options.update(checkpoint=tmp_path / "checkpoint", checkpoint_every=9)
    samples = (X, T) if form == "arrays" else ([(X, T)], None)
    raised = {"exception": RuntimeError, "divergence": fastbp.DivergenceError, "schedule": ValueError,
              "checkpoint": OSError}.get(how)
    if raised is None:
        history = net.fit(*samples, epochs=100, **options)
        assert (history.stop_reason, history.best_epoch, len(history)) == (how, 5, 9)
    else:
        with pytest.raises(raised):
            net.fit(*samples, epochs=100, **options)
    np.testing.assert_array_equal(net.params, jolt.params[5])


# ------------------------------------------------------------------------------------- what comes through the door


def test_options_are_the_keywords_of_fit(data, monkeypatch):
    # seed and rng become a generator.
    keywords = [name for name in fastbp.Network.fit.__kwdefaults__ if name not in ("seed", "rng")]
    monkeypatch.setattr("fastbp.network.fit", lambda net, X, T, options, rng: options)
    assert network().fit(*data, **{name: name for name in keywords})._asdict() == {name: name for name in keywords}


class Counted:
    """An array-like that counts how often it is made an array of."""

    def __init__(self, values):
        self.values, self.times = values, 0

    def __array__(self, dtype=None, copy=None):
        self.times += 1
        return np.array(self.values, dtype)


@pytest.mark.parametrize("shuffle", [True, False])
def test_samples_are_converted_once(rng, shuffle):
    values = rng.normal(size=(20, 3)), rng.integers(0, 2, 20).astype(float), rng.uniform(1, 2, 20)
    X, T, weights, vX, vT = (Counted(array) for array in (*values, *values[:2]))
    net = fastbp.Network([3, 1], dtype="float32", seed=1)
    net.fit(X, T, epochs=2, sample_weight=weights, class_weight="balanced", validation_fraction=0.2, shuffle=shuffle,
            callbacks=[Watcher()])
    net.fit(X, T, epochs=2, validation_data=(vX, vT))
    assert [counted.times for counted in (X, T, weights, vX, vT)] == [2, 2, 1, 1, 1]


def test_errors_name_the_users_own_rows(data):
    X, T = data
    X[7, 1] = math.nan
    for options in ({"validation_fraction": 0.3}, {"class_weight": {0: 1, 1: 1}}):
        with pytest.raises(ValueError, match=r"X must be finite, got nan at index \(7, 1\)"):
            network().fit(X, T, **options)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_divergence_names_the_users_own_row(shuffle, seed):
    kept, _ = validation.hold_out(None, 30, 0.5, np.random.default_rng(seed) if shuffle else None)
    row = np.arange(30)[kept][-1]       # the kept rows before it are fewer than all
    X = np.full((30, 1), 1e-3)
    X[row] = 1e300
    net = fastbp.Network([1, 1], "identity", init=[1, 0])
    with pytest.raises(fastbp.DivergenceError, match=f"sample {row}:") as caught:
        net.fit(X, np.zeros(30), seed=seed, shuffle=shuffle, validation_fraction=0.5)
    assert (type(caught.value.sample), caught.value.sample) == (int, row)


@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.5}, {"class_weight": "balanced"}], ids=str)
def test_one_sample_is_no_set_of_samples(options):
    net = fastbp.Network([4, 2], seed=1)
    before, random = net.params, net._rng.bit_generator.state
    with pytest.raises(ValueError, match=r"X must be a set of samples of shape \(M, 4\), got one sample"):
        net.fit([0.0, 1.0, 2.0, 3.0], [0.0, 1.0], **options)
    np.testing.assert_array_equal(net.params, before)
    assert net._rng.bit_generator.state == random


@pytest.mark.parametrize(
    ("name", "layer", "index", "value"),
    [("weights", 1, (2, 1), math.nan), ("biases", 0, (3,), math.nan), ("biases", 1, (0,), -math.inf)],
)
@pytest.mark.parametrize("form", ["arrays", "batches"])
def test_parameters_that_are_not_finite_are_named(data, name, layer, index, value, form):
    net = network(output_activation="identity")
    getattr(net, name)[layer][index] = value
    before = net.params
    where = re.escape(f"{value} at net.{name}[{layer}]{[*index]}")
    with pytest.raises(ValueError, match=f"parameters must be finite to be trained, got {where}"):
        net.fit(*(data if form == "arrays" else ([data], None)))
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize("optimizer", ["rprop", fastbp.Rprop()], ids=["name", "object"])
def test_rprop_learns_in_batches_by_default(data, optimizer):
    by_default, in_batches = network(), network()
    by_default.fit(*data, epochs=5, optimizer=optimizer)
    in_batches.fit(*data, epochs=5, optimizer=fastbp.Rprop(), batch_size="full")
    np.testing.assert_array_equal(by_default.params, in_batches.params)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_others_learn_on_line_by_default(data, optimizer):
    by_default, on_line = network(), network()
    by_default.fit(*data, epochs=2, optimizer=optimizer)
    on_line.fit(*data, epochs=2, optimizer=optimizer, batch_size=1)
    np.testing.assert_array_equal(by_default.params, on_line.params)


def test_rprop_warns_of_small_batches(data):
    X, T = data
    with pytest.warns(UserWarning, match=r'Rprop .*Write batch_size="full".*got 4 of 10 samples') as warned:
        network().fit(X, T, epochs=2, optimizer="rprop", batch_size=4)
    with pytest.warns(UserWarning, match=r"Rprop .*Give all samples in one batch") as warned_of_batches:
        network().fit(lambda: batches_of(X, T), None, epochs=2, optimizer="rprop")
    for warnings in (warned, warned_of_batches):
        assert [warning.filename for warning in warnings] == [__file__]
    # No warning, which would be an error here: all samples in one batch.
    network().fit(X, T, epochs=2, optimizer="rprop", batch_size=M)
    network().fit([(X, T)], None, epochs=2, optimizer="rprop")


def test_last_batch_is_a_copy(rng):
    class Vandal:
        def on_epoch(self, state):
            for array in state.last_batch():
                array[...] = 99

    X, labels = rng.normal(size=(8, 3)), rng.integers(0, 2, 8)
    nets = [fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=1) for _ in range(2)]
    for net, callbacks in zip(nets, ([Vandal()], []), strict=True):
        net.fit(X, labels, epochs=3, batch_size="full", shuffle=False, callbacks=callbacks)
    np.testing.assert_array_equal(nets[0].params, nets[1].params)


# --------------------------------------------------------------------------------------------------------- callbacks


def test_callbacks_see_each_epoch(data):
    X, T = data
    net, watcher, optimizer = network(), Watcher(), fastbp.SGD(0.1)
    history = net.fit(X, T, epochs=3, optimizer=optimizer, callbacks=[watcher], validation_data=(X, T))
    assert [state.epoch for state in watcher.states] == [0, 1, 2]
    for column in ("error", "rms", "validation_error", "learning_rate", "seconds"):
        assert [getattr(state, column) for state in watcher.states] == getattr(history, column).tolist()
    assert all(state.network is net and state.optimizer is optimizer for state in watcher.states)
    bare = Watcher()
    net.fit(X, T, epochs=1, callbacks=(bare,))
    assert bare.states[0].validation_error is None


def test_callback_stops(data):
    first, second = Watcher(stop_after=2), Watcher()
    history = network().fit(*data, epochs=10, callbacks=[first, second])
    assert (history.stop_reason, len(history)) == ("callback", 2)
    assert len(second.states) == 2  # it is called, too


def test_a_function_is_a_callback(data):
    epochs, watcher = [], Watcher()
    network().fit(*data, epochs=3, callbacks=[lambda state: epochs.append(state.epoch), watcher])
    assert epochs == [0, 1, 2] == [state.epoch for state in watcher.states]
    states = []
    network().fit(*data, epochs=2, callbacks=states.append)
    assert [state.epoch for state in states] == [0, 1]
    assert all(state.estimator is None for state in states)


def test_an_object_alone_is_a_callback(data):
    watcher = Watcher(stop_after=2)
    assert network().fit(*data, epochs=5, callbacks=watcher).stop_reason == "callback"
    assert len(watcher.states) == 2


@pytest.mark.parametrize(("answer", "epochs"), [(True, 1), (np.True_, 1), (False, 3), (np.False_, 3), (None, 3),
                                                ([1.0], 3), (np.ones(2), 3), (1, 3)])
def test_only_true_stops(data, answer, epochs):
    """Whatever else a lambda happens to return does not stop training."""
    assert len(network().fit(*data, epochs=3, callbacks=lambda state: answer)) == epochs


def test_callback_that_raises(data):
    class Broken:
        def on_epoch(self, state):
            if state.epoch == 1:
                raise RuntimeError("mine")

    net, same = network(), network()
    with pytest.raises(RuntimeError, match="mine"):
        net.fit(*data, epochs=10, callbacks=[Broken()])
    same.fit(*data, epochs=2)
    np.testing.assert_array_equal(net.params, same.params)


@pytest.mark.parametrize("shuffle", [False, True])
def test_error_signals_of_the_last_batch(data, shuffle):
    X, T = data

    class Signals:
        def on_epoch(self, state):
            x, t = state.last_batch()
            self.rows = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in x]
            np.testing.assert_array_equal(t, T[self.rows])
            self.signals, self.expected = state.error_signals(), state.network.backprop(x, t).error_signals

    net, signals = network(), Signals()
    net.fit(X.tolist(), T, epochs=3, batch_size=4, shuffle=shuffle, callbacks=[signals], seed=1)
    for signal_of_layer, expected in zip(signals.signals, signals.expected, strict=True):
        np.testing.assert_array_equal(signal_of_layer, expected)
    assert [e.shape for e in signals.signals] == [(2, 5), (2, 2)]
    if shuffle:
        samples, rng = network()._samples(X, T), np.random.default_rng(1)
        assert signals.rows == [samples.shuffle(rng) for _ in range(3)][-1][8:].tolist()
    else:
        assert signals.rows == [8, 9]


def test_callbacks_do_not_change_the_order(data):
    watched, alone = network(), network()
    watched.fit(*data, epochs=3, callbacks=[Watcher()])
    alone.fit(*data, epochs=3)
    np.testing.assert_array_equal(watched.params, alone.params)


# ----------------------------------------------------------------------------------------------------------- batches


def batches_of(X, T, size=4):
    for start in range(0, len(X), size):
        yield X[start:start + size], T[start:start + size]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("form", ["function", "list"])
def test_batches_are_mini_batches(dtype, data, form, reduction):
    X, T = data
    streamed, whole = network(dtype=dtype, reduction=reduction), network(dtype=dtype, reduction=reduction)
    batches = (lambda: batches_of(X, T)) if form == "function" else list(batches_of(X, T))
    history = streamed.fit(batches, None, epochs=3, learning_rate=0.2)
    expected = whole.fit(X, T, epochs=3, batch_size=4, learning_rate=0.2, shuffle=False)
    np.testing.assert_array_equal(streamed.params, whole.params)
    np.testing.assert_allclose(history.error, expected.error, rtol=1e-12)
    np.testing.assert_allclose(history.rms, expected.rms, rtol=1e-12)


def test_batches_and_train_step_share_an_optimizer(data):
    X, T = data
    fitted, stepped = network(), network()
    one, other = fastbp.Adam(0.05), fastbp.Adam(0.05)
    fitted.train_step(X[:4], T[:4], optimizer=one)
    fitted.fit(list(batches_of(X, T)), None, epochs=2, optimizer=one)
    stepped.train_step(X[:4], T[:4], optimizer=other)
    for _ in range(2):
        for x, t in batches_of(X, T):
            stepped.train_step(x, t, optimizer=other)
    np.testing.assert_array_equal(fitted.params, stepped.params)
    assert one.steps == other.steps == 7


def test_last_batch_of_batches(data):
    watcher = Watcher()
    network().fit(list(batches_of(*data)), None, epochs=1, callbacks=[watcher])
    x, _ = watcher.states[0].last_batch()
    np.testing.assert_array_equal(x, data[0][8:])
    assert [e.shape for e in watcher.states[0].error_signals()] == [(2, 5), (2, 2)]


def test_generator_is_good_for_one_epoch(data):
    once, again = network(), network()
    once.fit(batches_of(*data), None, epochs=1)
    again.fit(list(batches_of(*data)), None, epochs=1)
    np.testing.assert_array_equal(once.params, again.params)
    with pytest.raises(ValueError, match=r"X .*generator.*exhausted"):
        once.fit(batches_of(*data), None, epochs=2)
    np.testing.assert_array_equal(once.params, again.params)


def test_iterator_that_is_exhausted(data):
    net, one_epoch = network(), network()
    one_epoch.fit(list(batches_of(*data)), None, epochs=1)
    with pytest.raises(ValueError, match=r"X gave no batches in epoch 1.*exhausted"):
        net.fit(iter(list(batches_of(*data))), None, epochs=2)
    np.testing.assert_array_equal(net.params, one_epoch.params)


def spoilt_in_epoch(data, epoch, spoil):
    """Batches of which the second goes wrong in one epoch."""
    epochs = iter(range(100))

    def batches():
        now = next(epochs)
        for i, batch in enumerate(batches_of(*data)):
            yield spoil(*batch) if now == epoch and i == 1 else batch

    return batches


def raise_os_error(x, t):
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda x, t: (x[:, :2], t), ValueError, r"batch 1 of epoch 1: X .*\(4, 2\)"),
        (lambda x, t: (x, t[:, :1]), ValueError, r"batch 1 of epoch 1: T .*\(4, 1\)"),
        (lambda x, t: (x[0], t[0]), ValueError, r"batch 1 of epoch 1: X .*one sample"),
        (lambda x, t: (x * math.nan, t), ValueError, r"batch 1 of epoch 1: X must be finite"),
        (lambda x, t: (x[:0], t[:0]), ValueError, r"batch 1 of epoch 1: X .*none"),
        (lambda x, t: (x.astype(str), t), TypeError, r"batch 1 of epoch 1: X .*real"),
        (lambda x, t: (x, t, x), ValueError, r"X must give batches .*batch 1 of epoch 1 is tuple"),
        (lambda x, t: None, ValueError, r"X must give batches .*batch 1 of epoch 1 is None"),
        (lambda x, t: (x, 1e308 * np.ones_like(t)), fastbp.DivergenceError, "epoch 1 at sample 4"),
        (raise_os_error, OSError, "the disk is gone"),
    ],
)
def test_bad_batch_leaves_the_last_good_epoch(data, spoil, error, message):
    net, one_epoch = network(), network()
    one_epoch.fit(list(batches_of(*data)), None, epochs=1)
    with pytest.raises(error, match=message):
        net.fit(spoilt_in_epoch(data, 1, spoil), None, epochs=3)
    np.testing.assert_array_equal(net.params, one_epoch.params)


# -------------------------------------------------------------------------------------------------------- memory map


def mapped(path, shape, dtype="float64"):
    array = np.memmap(path, dtype, "w+", shape=shape)
    array[...] = np.random.default_rng(0).uniform(-1, 1, shape)
    array.flush()
    return np.memmap(path, dtype, "r", shape=shape)


def test_memory_map_is_not_copied(tmp_path):
    X, T = mapped(tmp_path / "X", (20_000, 30)), mapped(tmp_path / "T", (20_000, 1))
    net = fastbp.Network([30, 2, 1], seed=1)
    net.fit(X[:10], T[:10], epochs=1)  # so that imports and workspaces are not counted
    tracemalloc.start()
    try:
        net.fit(X, T, epochs=1, batch_size=100, validation_fraction=0.1, shuffle=False)
        net.fit(X, T, epochs=1, batch_size=100, validation_data=(X, T), callbacks=[Watcher()])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2  # workspaces, and the order of the samples with a number for each row
    copied = fastbp.Network([30, 2, 1], seed=1)
    mapped_too = fastbp.Network([30, 2, 1], seed=1)
    copied.fit(np.array(X), np.array(T), epochs=1, batch_size=100)
    mapped_too.fit(X, T, epochs=1, batch_size=100)
    np.testing.assert_array_equal(copied.params, mapped_too.params)


def test_random_rows_of_a_memory_map_are_not_copied_by_stealth(tmp_path):
    X = mapped(tmp_path / "X", (20, 3))
    with pytest.raises(ValueError, match=r"validation_fraction .*memory map"):
        fastbp.Network([3, 1]).fit(X, np.zeros(20), validation_fraction=0.1)


# ------------------------------------------------------------------------------------------------ History, verbosity


def test_history(data):
    X, T = data
    plain = network().fit(X, T, epochs=3)
    assert (plain.epochs, plain.best_epoch) == (3, None)
    assert plain.validation_error.shape == plain.validation_rms.shape == (0,)
    for column in (plain.error, plain.rms, plain.learning_rate, plain.seconds):
        assert (column.shape, column.dtype) == ((3,), np.float64)
    assert (np.diff(plain.seconds) > 0).all()
    assert repr(plain) == f"History(3 epochs, RMS {plain.rms[-1]:.6g}, stop_reason='epochs')"
    assert {"rms", "best_epoch", "epochs", "to_dict"} <= set(dir(plain))     # some are made when asked for

    validated = network().fit(X, T, epochs=3, validation_data=(X, T))
    assert f"validation E {validated.validation_error[-1]:.6g}" in repr(validated)
    assert f"lowest {validated.validation_error.min():.6g} in epoch {validated.best_epoch}" in repr(validated)
    for history in (plain, validated):
        as_dict = json.loads(json.dumps(history.to_dict()))
        assert as_dict["epochs"] == 3
        assert as_dict["error"] == history.error.tolist()
        assert as_dict["validation_rms"] == history.validation_rms.tolist()
        assert as_dict["stop_reason"] == "epochs"
        assert as_dict["best_epoch"] == history.best_epoch


def test_no_epoch_is_the_best_of_infinite_errors(data):
    X, T = data
    history = network().fit(X, T, epochs=2, validation_data=(X, np.full_like(T, 1e200)))
    assert history.validation_error.tolist() == [math.inf] * 2
    assert history.best_epoch is None


def test_history_without_epochs(data):
    class Interrupt:
        def __iter__(self):
            raise KeyboardInterrupt

    history = network().fit(Interrupt(), None, epochs=3, validation_data=data)
    assert (len(history), history.stop_reason, history.best_epoch) == (0, "interrupted", None)
    assert repr(history) == "History(0 epochs, stop_reason='interrupted')"


def test_lines_off_a_terminal(data, capsys):
    X, T = data
    history = network().fit(X, T, epochs=40, verbose=True, validation_data=(X, T))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith(
        f"epoch 40/40  E {history.error[-1]:.6g}  RMS {history.rms[-1]:.6f}  "
        f"validation E {history.validation_error[-1]:.6g}"
    )
    assert "samples/s" in lines[0]
    assert lines[0].endswith("left")
    assert "left" not in lines[-1]


def test_time_left_when_training_is_resumed(data, capsys, monkeypatch, tmp_path):
    network().fit(*data, epochs=4, checkpoint=tmp_path / "checkpoint")
    # A second for each epoch: what the first four took was not seen.
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(perf_counter=iter(np.arange(100.0)).__next__))
    network().fit(*data, epochs=10, verbose=True, resume=tmp_path / "checkpoint")
    lines = capsys.readouterr().out.splitlines()
    assert [(line.split()[1], line.split()[-2]) for line in lines[:-1]] == [
        (f"{epoch}/10", f"0:0{10 - epoch}") for epoch in range(5, 10)]
    assert all(f"{M} samples/s" in line for line in lines)


def test_one_line_on_a_terminal(data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(progress.time, "perf_counter", iter(np.arange(0, 1000, 0.5)).__next__)
    network().fit(*data, epochs=5, verbose=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.endswith("\n")
    assert out.count("\r") == 5
    assert "epoch 3/5" in out
    # The last line is shorter, without the time left, and must cover the one before.
    widths = [len(line) for line in out.rstrip("\n").split("\r")[1:]]
    assert widths == sorted(widths)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_clock(seconds, text):
    assert progress.clock(seconds) == text


def test_tqdm(data, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.updates, self.closed = options, 0, False
            bars.append(self)

        def set_postfix_str(self, text, refresh):
            self.text = text

        def update(self, epochs):
            self.updates += epochs

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    history = network().fit(*data, epochs=3, verbose="tqdm")
    (bar,) = bars
    assert (bar.options["total"], bar.options["initial"], bar.updates, bar.closed) == (3, 0, 3, True)
    assert bar.text == f"E {history.error[-1]:.6g}  RMS {history.rms[-1]:.6f}"


def test_tqdm_that_is_not_installed(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    net = network()
    before = net.params
    with pytest.raises(ImportError, match=r'pip install "fastbp\[progress\]"'):
        net.fit(*data, verbose="tqdm")
    np.testing.assert_array_equal(net.params, before)


# ----------------------------------------------------------------------------------------------------------- refused


X, T = np.zeros((4, 3)), np.zeros((4, 2))
REFUSED = [
    (ValueError, "epochs", {"epochs": 0}),
    (ValueError, "desired_error", {"desired_error": -0.1}),
    (ValueError, "patience", {"patience": 3}),
    (ValueError, "patience", {"patience": 0, "validation_fraction": 0.5}),
    (TypeError, "patience", {"patience": 1.5, "validation_fraction": 0.5}),
    (ValueError, "min_delta", {"min_delta": 0.1}),
    (ValueError, "min_delta", {"min_delta": -0.1, "patience": 2, "validation_fraction": 0.5}),
    (ValueError, "validation_fraction", {"validation_data": (X, T), "validation_fraction": 0.5}),
    (ValueError, "validation_fraction", {"validation_fraction": 0}),
    (ValueError, "validation_fraction", {"validation_fraction": 1.0}),
    (ValueError, "validation_fraction", {"validation_fraction": 0.1}),  # of 4 samples
    (ValueError, "validation_fraction", {"validation_fraction": 0.9}),
    (TypeError, "validation_fraction", {"validation_fraction": "half"}),
    (ValueError, "validation_data", {"validation_data": X}),
    (ValueError, "validation_data", {"validation_data": 5}),
    (ValueError, r"validation_data must be a pair \(X, T\), got tuple of 1", {"validation_data": (X,)}),
    (ValueError, "validation_data: X", {"validation_data": (X[:, :2], T)}),
    (ValueError, "validation_data: T", {"validation_data": (X, T[:3])}),
    (ValueError, "validation_data: X", {"validation_data": (X + math.inf, T)}),
    (ValueError, "validation_data: X", {"validation_data": (X[0], T[0])}),
    (ValueError, "time_limit", {"time_limit": 0}),
    (TypeError, "time_limit", {"time_limit": "1 s"}),
    (TypeError, "callbacks must be a function", {"callbacks": 5}),
    (TypeError, "callbacks must be a function", {"callbacks": Watcher}),
    (TypeError, "callbacks must be a function", {"callbacks": types.SimpleNamespace(on_epoch=5)}),
    (TypeError, r"callbacks\[1\]", {"callbacks": [Watcher(), "print"]}),
    (TypeError, r"callbacks\[0\]", {"callbacks": [Watcher]}),
    (ValueError, "schedule", {"schedule": "fast"}),
    (TypeError, "schedule", {"schedule": 0.5}),
    (TypeError, "schedule", {"schedule": schedules.Step}),
    (TypeError, "schedule must be", {"schedule": types.SimpleNamespace(factors=[1.0])}),
    (ValueError, "verbose", {"verbose": "loud"}),
    (ValueError, "checkpoint_every", {"checkpoint_every": 2}),
    (ValueError, "checkpoint_every", {"checkpoint": "here", "checkpoint_every": 0}),
    (FileNotFoundError, "checkpoint", {"checkpoint": "no/such/directory/file"}),
    (FileExistsError, "checkpoint.*not a regular file", {"checkpoint": "."}),
    (FileExistsError, "checkpoint.*not a regular file", {"checkpoint": os.devnull}),
    (FileNotFoundError, "nothing", {"resume": "nothing"}),
    (ValueError, "dropout", {"dropout": 1.0}),
    (ValueError, "dropout", {"dropout": -0.1}),
    (TypeError, "dropout", {"dropout": None}),
    (ValueError, "dropout", {"dropout": (0.5, 0.5)}),
    (ValueError, "dropout", {"dropout": "0"}),
    (ValueError, r"dropout\[0\]", {"dropout": [1.5]}),
    (ValueError, "class_weight", {"class_weight": "even"}),
    (TypeError, "class_weight", {"class_weight": [1, 2]}),
]


@pytest.mark.parametrize(("error", "name", "options"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused_before_training(error, name, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = fastbp.Network([3, 4, 2], seed=0)
    before = net.params
    targets = np.eye(2)[[0, 1, 0, 1]] if "class_weight" in options else T
    with pytest.raises(error, match=rf"\b{name}"):
        net.fit(X, targets, **options)
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 4}, {"batch_size": "full"}, {"sample_weight": np.ones(4)}, {"class_weight": "balanced"},
     {"validation_fraction": 0.5}],
    ids=str,
)
def test_batches_cannot_have(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        fastbp.Network([3, 4, 2]).fit([(X, T)], None, **options)


def test_dropout_needs_a_hidden_layer():
    with pytest.raises(ValueError, match="dropout needs a hidden layer"):
        fastbp.Network([3, 2]).fit(X, T, dropout=0.5)


@pytest.mark.parametrize(
    ("error", "name", "make"),
    [
        (ValueError, "power", lambda: schedules.InvScaling(0)),
        (ValueError, "factor", lambda: schedules.Adaptive(factor=1)),
        (ValueError, "patience", lambda: schedules.Adaptive(patience=0)),
        (ValueError, "tol", lambda: schedules.Adaptive(tol=-1)),
        (ValueError, "minimum", lambda: schedules.Adaptive(minimum=2)),
        (ValueError, "every", lambda: schedules.Step(every=0)),
        (ValueError, "factor", lambda: schedules.Step(factor=math.inf)),
        (ValueError, "final", lambda: schedules.Cosine(-1)),
        (ValueError, "epochs", lambda: schedules.Warmup(0)),
        (ValueError, "then", lambda: schedules.Warmup(then="fast")),
    ],
)
def test_schedule_refuses(error, name, make):
    with pytest.raises(error, match=name):
        make()
