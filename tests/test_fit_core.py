"""fit with what the core has for it: checkpoints of the optimizers' state, weights of samples, dropout."""

import json
import math
import os

import numpy as np
import pytest
from reference import random_problem

import fastbp
from fastbp import io, schedules
from fastbp.training import checkpoint

SIZES = [3, 5, 2]
M = 10


@pytest.fixture
def data(rng):
    return random_problem(rng, SIZES, M)[1:]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "training.checkpoint"


def network(seed=3, **options):
    return fastbp.Network(SIZES, "tanh", seed=seed, **options)


class Crash(Exception):
    pass


class CrashIn:
    """A callback that ends training as if the process had died in this epoch, before its checkpoint."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, state):
        if state.epoch == self.epoch:
            raise Crash


def assert_same_history(one, other):
    for column in ("error", "rms", "validation_error", "validation_rms", "learning_rate"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    assert (one.stop_reason, one.best_epoch) == (other.stop_reason, other.best_epoch)


def interrupted(net, data, path, crash, **options):
    with pytest.raises(Crash):
        net.fit(*data, checkpoint=path, callbacks=[CrashIn(crash)], **options)


OPTIMIZERS = {
    "sgd": lambda: fastbp.SGD(0.1),
    "momentum": lambda: fastbp.SGD(0.05, momentum=0.9),
    "nesterov": lambda: fastbp.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: fastbp.Adam(0.01, l2=0.01),
    "adamw": lambda: fastbp.AdamW(0.01),
    "nadam": lambda: fastbp.Nadam(0.01),
    "rmsprop": lambda: fastbp.RMSprop(0.01),
    "adagrad": lambda: fastbp.Adagrad(0.01),
    "rprop": lambda: fastbp.Rprop(0.01),
}


@pytest.mark.filterwarnings("ignore:Rprop compares")
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_resumed_is_bit_for_bit_what_was_never_interrupted(dtype, data, path, make, shuffle):
    options = {"epochs": 9, "batch_size": 4, "shuffle": shuffle}
    whole, first = network(dtype=dtype), network(dtype=dtype)
    whole_optimizer, optimizer = make(), make()
    expected = whole.fit(*data, optimizer=whole_optimizer, **options)
    interrupted(first, data, path, 5, optimizer=make(), **options)
    # In a new process: another seed, and none of the old objects.
    resumed = network(dtype=dtype, seed=99)
    history = resumed.fit(*data, optimizer=optimizer, resume=path, **options)
    assert resumed.params.tobytes() == whole.params.tobytes()
    assert_same_history(history, expected)
    assert optimizer.steps == whole_optimizer.steps == 27
    # All that comes after, too: the state of the optimizer and of the generator.
    assert whole.fit(*data, epochs=2, optimizer=whole_optimizer).error.tolist() == resumed.fit(
        *data, epochs=2, optimizer=optimizer).error.tolist()


ALL_AT_ONCE = {
    "epochs": 20, "batch_size": 3, "patience": 10, "min_delta": 1e-3, "validation_fraction": 0.3, "dropout": 0.2,
    "schedule": schedules.Warmup(3, then=schedules.Adaptive(factor=0.5, patience=2, tol=10)), "sample_weight": None,
}


@pytest.mark.parametrize("crash", [1, 2, 4, 8])
@pytest.mark.parametrize("bit_generator", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_resumed_with_everything_at_once(dtype, data, path, crash, bit_generator):
    options = {**ALL_AT_ONCE, "sample_weight": np.arange(1.0, M + 1), "optimizer": "adam", "learning_rate": 0.05}
    nets = [network(dtype=dtype) for _ in range(3)]
    seeds = [np.random.Generator(bit_generator(seed)) for seed in (1, 1, 2)]
    expected = nets[0].fit(*data, seed=seeds[0], **options)
    assert len(expected) > crash + 1  # the test's own premise: it is interrupted before it stops
    assert len(set(expected.learning_rate)) > 3
    interrupted(nets[1], data, path, crash, seed=seeds[1], **options)
    history = nets[2].fit(*data, seed=seeds[2], resume=path, **options)
    assert nets[2].params.tobytes() == nets[0].params.tobytes()
    assert_same_history(history, expected)
    assert seeds[2].random() == seeds[0].random()


def test_resumed_again_and_again(data, path):
    whole, net = network(), network()
    options = {"optimizer": "adam", "validation_fraction": 0.4}
    whole.fit(*data, epochs=6, **options)
    net.fit(*data, epochs=1, checkpoint=path, **options)
    for epochs in range(2, 7):
        net = network(seed=epochs)
        history = net.fit(*data, epochs=epochs, checkpoint=path, resume=path, **options)
        assert len(history) == epochs
        assert (np.diff(history.seconds) > 0).all()
    assert net.params.tobytes() == whole.params.tobytes()


def test_resumed_batches(data, path):
    X, T = data
    batches = [(X[:6], T[:6]), (X[6:], T[6:])]
    options = {"epochs": 5, "optimizer": "adam", "dropout": 0.3}
    whole, first, resumed = network(), network(), network(seed=9)
    whole.fit(batches, None, **options)
    interrupted(first, (batches, None), path, 2, **options)
    resumed.fit(batches, None, resume=path, **options)
    assert resumed.params.tobytes() == whole.params.tobytes()


def test_training_that_is_over_stays_over(data, path):
    X, T = data
    options = {"epochs": 50, "validation_data": (X, -T), "patience": 3}
    net, again = network(), network(seed=8)
    history = net.fit(X, T, checkpoint=path, **options)
    assert history.stop_reason == "patience"
    assert_same_history(again.fit(X, T, resume=path, **options), history)
    assert again.params.tobytes() == net.params.tobytes()  # the best ones
    longer = again.fit(X, T, resume=path, **{**options, "patience": 6})
    assert len(longer) == len(history) + 3


def test_resumed_after_all_epochs_has_nothing_to_do(data, path):
    net, again = network(), network(seed=8)
    history = net.fit(*data, epochs=3, checkpoint=path)
    assert_same_history(again.fit(*data, epochs=3, resume=path), history)
    assert again.params.tobytes() == net.params.tobytes()


def epochs_in(path):
    return checkpoint.read(path)[1]["history"].size // 4


@pytest.mark.parametrize(("every", "crash", "kept"), [(1, 4, 4), (2, 5, 4), (3, 5, 3)])
def test_checkpoint_every_k_epochs(data, path, every, crash, kept):
    interrupted(network(), data, path, crash, epochs=10, checkpoint_every=every)
    assert epochs_in(path) == kept


def test_last_epoch_has_a_checkpoint(data, path):
    network().fit(*data, epochs=5, checkpoint=path, checkpoint_every=3)
    assert epochs_in(path) == 5


def test_checkpoint_changes_nothing(data, path):
    with_one, without = network(), network()
    with_one.fit(*data, epochs=3, checkpoint=path)
    without.fit(*data, epochs=3)
    assert with_one.params.tobytes() == without.params.tobytes()


class Killed(BaseException):
    """No handler of fastbp's own may take it for an error."""


def test_killed_between_temporary_file_and_replace(data, path, monkeypatch):
    replace, calls = os.replace, iter(range(100))

    def killed(source, target):
        if next(calls) == 3:
            assert os.path.getsize(source) > 0
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(Killed):
        network().fit(*data, epochs=8, checkpoint=path)
    monkeypatch.undo()
    assert epochs_in(path) == 3
    assert list(path.parent.iterdir()) == [path]
    whole, resumed = network(), network(seed=5)
    whole.fit(*data, epochs=8)
    resumed.fit(*data, epochs=8, resume=path)
    assert resumed.params.tobytes() == whole.params.tobytes()


# ----------------------------------------------------------------------------------------------------------- refused


def refused(error, match, net, data, path, **options):
    before, state = net.params, net._rng.bit_generator.state
    with pytest.raises(error, match=match):
        net.fit(*data, resume=path, **options)
    np.testing.assert_array_equal(net.params, before)
    assert net._rng.bit_generator.state == state


def test_checkpoint_of_another_training(data, path):
    X, T = data
    network().fit(X, T, epochs=3, optimizer="adam", checkpoint=path)
    adam = {"optimizer": "adam"}
    others = [
        ("layer_sizes", fastbp.Network([3, 4, 2], "tanh"), adam),
        ("activation", fastbp.Network([3, 5, 2], "sigmoid"), adam),
        ("float32", network(dtype="float32"), adam),
        ("mean", network(reduction="mean"), adam),
        ("Huber", network(loss=fastbp.Huber(2.0)), adam),
        ("optimizer.*SGD", network(), {}),
        ("beta_1", network(), {"optimizer": fastbp.Adam(beta_1=0.5)}),
        ("with", network(), {**adam, "shuffle": False}),
        ("with", network(), {**adam, "validation_data": (X, T)}),
        ("with", network(), {**adam, "validation_data": (X, T), "patience": 3}),
        ("epochs", network(), {**adam, "epochs": 2}),
        ("random state.*MT19937", network(), {**adam, "seed": np.random.Generator(np.random.MT19937(1))}),
    ]
    for match, net, options in others:
        refused(ValueError, match, net, data, path, **options)
    refused(ValueError, "samples", network(), (X[:9], T[:9]), path, optimizer="adam")
    refused(ValueError, "samples", network(), ([(X, T)], None), path, optimizer="adam")


def test_every_byte_damaged_is_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 0x41
        path.write_bytes(damaged)
        refused(fastbp.FormatError, "resume: .*training.checkpoint", network(), data, path)
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refused(fastbp.FormatError, "resume: .*training.checkpoint", network(), data, path)


def test_network_is_no_checkpoint(data, path):
    network().save(path)
    refused(fastbp.FormatError, "not a fastbp checkpoint", network(), data, path)
    network().fit(*data, epochs=1, checkpoint=path)
    with pytest.raises(fastbp.FormatError, match="not a fastbp network"):
        fastbp.load(path)


def entry(name, *changed):
    def spoil(header):
        header["arrays"] = [[name, *changed] if array[0] == name else array for array in header["arrays"]]

    return spoil


def item(key, value):
    return lambda header: header.__setitem__(key, value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header.pop("random"),
        item("more", 1),
        item("arrays", {}),
        item("arrays", [5]),
        item("arrays", []),
        item("samples", "10"),
        item("random", {}),
        item("random", {"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}, "has_uint32": 0, "uinteger": 0}),
        item("state", {}),
        item("state", {"steps": "many"}),
        entry("params", "float64", -1),
        entry("params", "float64", 31),
        entry("params", "float64", 33),
        entry("params", "float64", 2**62),
        entry("params", "float64", True),
        entry("params", "object", 32),
        entry("params", [], 32),
        entry("params", "float32", 64),
        entry("params", "float64"),
        entry("history", "float32", 8),
        entry("order", "float32", M),
        entry("state.mean", "float32", 64),
    ],
)
def test_header_that_lies_is_refused(data, path, spoil):
    network().fit(*data, epochs=1, optimizer="adam", checkpoint=path)
    header, body = io.unpack(path.read_bytes(), checkpoint.MAGIC, "checkpoint")
    spoil(header)
    path.write_bytes(io.pack(checkpoint.MAGIC, json.dumps(header).encode(), bytes(body)))
    refused(ValueError, "resume: ", network(), data, path, optimizer="adam")


def test_bytes_that_no_array_claims_are_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    header, body = io.unpack(path.read_bytes(), checkpoint.MAGIC, "checkpoint")
    path.write_bytes(io.pack(checkpoint.MAGIC, json.dumps(header).encode(), bytes(body) + b"more"))
    refused(fastbp.FormatError, "bytes that are there", network(), data, path)


def test_order_that_is_none_is_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    header, body = io.unpack(path.read_bytes(), checkpoint.MAGIC, "checkpoint")
    assert header["arrays"][-1][0] == "order"
    body = bytes(body[:-4 * M]) + np.full(M, 10**6, "<u4").tobytes()
    path.write_bytes(io.pack(checkpoint.MAGIC, json.dumps(header).encode(), body))
    refused(fastbp.FormatError, "order", network(), data, path)


# -------------------------------------------------------------------------------------------------- weights, dropout


def test_sample_weight_is_that_of_the_gradient(dtype, data):
    X, T = data
    weights = np.arange(M) / 3
    net, by_hand = network(dtype=dtype), network(dtype=dtype)
    net.fit(X, T, epochs=1, batch_size="full", learning_rate=0.1, sample_weight=weights)
    _, gradient = by_hand.gradient(X, T, sample_weight=weights)
    np.testing.assert_allclose(net.params, by_hand.params - 0.1 * gradient, rtol=64 * np.finfo(dtype).eps)


def test_weights_stay_with_their_samples_when_some_are_held_out(data):
    X, T = data
    weights = np.arange(1.0, M + 1)
    whole, cut = network(), network()
    whole.fit(X[:7], T[:7], epochs=2, shuffle=False, sample_weight=weights[:7])
    cut.fit(X, T, epochs=2, shuffle=False, sample_weight=weights, validation_fraction=0.3)
    np.testing.assert_array_equal(whole.params, cut.params)


def test_class_weight_is_a_sample_weight(rng):
    X, labels = rng.normal(size=(12, 3)), rng.integers(0, 3, 12)
    options = {"epochs": 2, "shuffle": False}
    by_class, by_sample = (fastbp.Network([3, 3], "softmax", loss="cross_entropy", seed=1) for _ in range(2))
    by_class.fit(X, labels, class_weight={0: 1, 1: 2, 2: 0.5}, sample_weight=X[:, 0] ** 2, **options)
    by_sample.fit(X, labels, sample_weight=np.array([1, 2, 0.5])[labels] * X[:, 0] ** 2, **options)
    np.testing.assert_array_equal(by_class.params, by_sample.params)


@pytest.mark.parametrize("weights", [np.ones(M - 1), -np.ones(M), np.full(M, math.nan), np.zeros(M)])
def test_bad_sample_weight(data, weights):
    net = network()
    before = net.params
    with pytest.raises(ValueError, match="sample_weight"):
        net.fit(*data, sample_weight=weights)
    np.testing.assert_array_equal(net.params, before)


def test_dropout_follows_from_the_seed(data):
    def trained(dropout, seed=1):
        net = network()
        net.fit(*data, epochs=2, dropout=dropout, seed=seed)
        return net.params

    np.testing.assert_array_equal(trained(0.5), trained([0.5]))
    np.testing.assert_array_equal(trained(0.0), trained([0.0]))
    assert (trained(0.5) != trained(0.0)).any()
    assert (trained(0.5) != trained(0.5, seed=2)).any()


def test_dropout_of_batches(data):
    X, T = data
    dropped, again, whole = network(), network(), network()
    dropped.fit([(X, T)], None, epochs=2, dropout=0.5, seed=1)
    again.fit([(X, T)], None, epochs=2, dropout=0.5, seed=1)
    whole.fit([(X, T)], None, epochs=2, seed=1)
    np.testing.assert_array_equal(dropped.params, again.params)
    assert (dropped.params != whole.params).any()


def test_rprop_has_no_schedule(data):
    with pytest.raises(ValueError, match=r"schedule .*Rprop"):
        network().fit(*data, optimizer="rprop", schedule="step")
