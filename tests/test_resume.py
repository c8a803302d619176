"""Checkpoints, and trainings that continue from them as if they had never been interrupted."""

import json
import os
import zlib

import numpy as np
import pytest
from training_problem import M, network

import fastbp
from fastbp import io, schedules
from fastbp.training import checkpoint, random_states


@pytest.fixture
def path(tmp_path):
    return tmp_path / "training.checkpoint"


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
    """An exception that no handler in fastbp may take for an error."""


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


class OfMyOwn(np.random.PCG64):
    """A bit generator whose state may be anything."""


@pytest.mark.parametrize("name", ["OfMyOwn", "PCG64"])
def test_generator_of_ones_own_has_no_checkpoint(data, path, name):
    net = network()
    before = net.params
    kind = type(name, (OfMyOwn,), {})
    with pytest.raises(ValueError, match=f"seed must be a generator with one of PCG64, .* got one with {name}"):
        net.fit(*data, checkpoint=path, seed=np.random.Generator(kind(1)))
    np.testing.assert_array_equal(net.params, before)
    assert not path.exists()
    assert len(net.fit(*data, epochs=1, seed=np.random.Generator(kind(1)))) == 1


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
    refused(ValueError, "seed must be a generator with one of", network(), data, path, **adam,
            seed=np.random.Generator(OfMyOwn(1)))
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


def renamed(name, other):
    def spoil(header):
        header["arrays"] = [[other if array[0] == name else array[0], *array[1:]] for array in header["arrays"]]

    return spoil


def rewrite(path, spoil=lambda header: None, more=b""):
    """Write the checkpoint anew, with its checksum right and its content spoilt."""
    header, body = io.read(checkpoint.KIND, path)
    spoil(header)
    path.write_bytes(io.pack(checkpoint.KIND, json.dumps(header).encode(), bytes(body) + more))


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
        item("random", None),
        item("random_start", {}),
        item("steps", "many"),
        item("steps", True),
        item("steps", -1),
        item("steps", 0.5),
        item("steps", 2**60),
        item("epochs", True),
        item("epochs", "9"),
        item("learning_rate", 1),
        item("learning_rate", 0.0),
        item("learning_rate", -0.1),
        item("learning_rate", 1e999),
        item("learning_rate", float("nan")),
        item("network", []),
        item("data", None),
        renamed("state.mean", None),
        renamed("state.mean", 5),
        renamed("state.mean", True),
        renamed("state.mean", []),
        renamed("state.mean", {}),
        renamed("state.mean", "mean"),
        renamed("state.mean", "state.\ud800"),
        renamed("state.mean", "state.square"),
        renamed("state.mean", "best"),
        renamed("params", "best"),
        renamed("history", "order"),
        renamed("order", "history"),
        lambda header: header["arrays"].insert(0, ["params", "float64", 0]),
        item("arrays", ["abc"]),
        item("arrays", [{"name": 1, "dtype": 2, "size": 3}]),
        item("arrays", None),
        entry("params", ["float64"], 32),
        entry("params", None, 32),
        entry("params", "float64", 32.0),
        entry("params", "uint32", 64),
        entry("history", "float64", 3),
        entry("history", "float64", 0),
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
    rewrite(path, spoil)
    refused(fastbp.FormatError, "resume: ", network(), data, path, optimizer="adam")


def test_bytes_that_no_array_claims_are_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    rewrite(path, more=b"more")
    refused(fastbp.FormatError, "bytes that are there", network(), data, path)


@pytest.mark.parametrize("part", ["network", "optimizer", "training", "data"])
def test_more_than_a_training_has_is_refused(data, path, part):
    network().fit(*data, epochs=1, checkpoint=path)
    rewrite(path, lambda header: header[part].update(more=1))
    refused(ValueError, f"resume: the checkpoint was made with 1 as more of the {part}, but this training has None",
            network(), data, path)


def test_best_parameters_without_patience_are_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    rewrite(path, lambda header: header["arrays"].append(["best", "float64", network().n_params]),
            bytes(8 * network().n_params))
    refused(fastbp.FormatError, "resume: the checkpoint must not hold best parameters", network(), data, path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("array", "how"), [
    ("params", {}), ("best", {"patience": 3}), ("state.mean", {"optimizer": "adam"}),
    ("state.square", {"optimizer": "adam"}), ("state.mean", {"optimizer": "rprop"}),
])
def test_parameters_that_are_not_finite_are_refused(data, path, array, how, value):
    how = {**how, "validation_data": data} if "patience" in how else how
    network().fit(*data, epochs=1, checkpoint=path, **how)
    header, body = io.read(checkpoint.KIND, path)
    names = [name for name, *_ in header["arrays"]]
    start = 8 * sum(size for name, _, size in header["arrays"][:names.index(array)])
    body = bytes(body[:start]) + np.float64(value).tobytes() + bytes(body[start + 8:])
    path.write_bytes(io.pack(checkpoint.KIND, json.dumps(header).encode(), body))
    refused(fastbp.FormatError, f"resume: the checkpoint's {array} must be finite", network(), data, path, **how)
    if array == "state.square":
        body = bytes(body[:start]) + np.float64(-1).tobytes() + bytes(body[start + 8:])
        path.write_bytes(io.pack(checkpoint.KIND, json.dumps(header).encode(), body))
        refused(fastbp.FormatError, "state.square must hold no negative number, got -1", network(), data, path, **how)


def test_attribute_of_an_optimizer_that_json_does_not_know(data, path):
    def optimizer():
        made = fastbp.Adam()
        made.note = float("nan")
        return made

    network().fit(*data, epochs=1, checkpoint=path, optimizer=optimizer())
    history = network().fit(*data, epochs=3, resume=path, optimizer=optimizer())
    assert len(history.rms) == 3


def test_order_that_is_none_is_refused(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    header, body = io.read(checkpoint.KIND, path)
    assert header["arrays"][-1][0] == "order"
    body = bytes(body[:-4 * M]) + np.full(M, 10**6, "<u4").tobytes()
    path.write_bytes(io.pack(checkpoint.KIND, json.dumps(header).encode(), body))
    refused(fastbp.FormatError, "order", network(), data, path)


# ----------------------------------------------------------------------------------- the states of NumPy's generators

GENERATORS = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]
# Where in a state what must not be there; from "the same numbers for ever" to "other memory is read".
HOSTILE_TO_ALL = [
    (["bit_generator"], None), (["bit_generator"], ["PCG64"]), (["bit_generator"], "PCG65"), (["bit_generator"], 1),
    (["state"], None), (["state"], {}), (["state"], []), (["more"], 1),
]
HOSTILE_TO_SPARE = [
    (["has_uint32"], 2), (["has_uint32"], -1), (["has_uint32"], True), (["has_uint32"], 0.0), (["has_uint32"], None),
    (["uinteger"], 2**32), (["uinteger"], -1), (["uinteger"], "1"), (["uinteger"], [1]),
]
HOSTILE_TO_PCG = [
    *HOSTILE_TO_SPARE,
    (["state", "inc"], 0), (["state", "inc"], 2), (["state", "inc"], 2**128 + 1), (["state", "inc"], -1),
    (["state", "inc"], True), (["state", "state"], 2**128), (["state", "state"], -1), (["state", "state"], 1.5),
    (["state", "more"], 1), (["state"], {"state": 0, "inc": 0}), (["state"], {"state": 1}),
]
HOSTILE = {
    "PCG64": HOSTILE_TO_PCG,
    "PCG64DXSM": HOSTILE_TO_PCG,
    "MT19937": [
        (["state", "key"], [0] * 624), (["state", "key"], [2**31 - 1] + [0] * 623), (["state", "key"], [1] * 623),
        (["state", "key"], [1] * 625), (["state", "key"], []), (["state", "key"], 1), (["state", "key"], [2**32] * 624),
        (["state", "key"], [-1] * 624), (["state", "key"], [1.0] * 624), (["state", "key"], [True] * 624),
        (["state", "pos"], -2**30), (["state", "pos"], -1), (["state", "pos"], 625), (["state", "pos"], 2**31),
        (["state", "pos"], 2**70), (["state", "pos"], None), (["has_uint32"], 0),
    ],
    "Philox": [
        *HOSTILE_TO_SPARE,
        (["buffer_pos"], -2**30), (["buffer_pos"], -1), (["buffer_pos"], 0), (["buffer_pos"], 5),
        (["buffer_pos"], 2**40), (["buffer_pos"], True), (["buffer"], [0] * 3), (["buffer"], [0] * 5),
        (["buffer"], [2**64] * 4),
        (["state", "counter"], [0] * 3), (["state", "counter"], [-1] * 4), (["state", "key"], [0] * 4),
        (["state", "key"], [0.5, 0.5]), (["state", "key"], None),
    ],
    "SFC64": [
        *HOSTILE_TO_SPARE,
        (["state", "state"], [0] * 3), (["state", "state"], [0] * 5), (["state", "state"], [2**64] * 4),
        (["state", "state"], [-1] * 4), (["state", "state"], 5), (["state", "state"], [None] * 4),
    ],
}


def generator(name, seed=1):
    return np.random.Generator(getattr(np.random, name)(seed))


@pytest.mark.parametrize("key", ["random", "random_start"])
@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_state_is_refused(data, path, name, key):
    network().fit(*data, epochs=1, checkpoint=path, seed=generator(name))
    content = path.read_bytes()
    for places, value in HOSTILE[name] + HOSTILE_TO_ALL:

        def spoil(header, places=places, value=value):
            at = header[key]
            for place in places[:-1]:
                at = at[place]
            at[places[-1]] = value

        path.write_bytes(content)
        rewrite(path, spoil)
        refused(fastbp.FormatError, f"resume: .*header: {key}", network(), data, path, seed=generator(name))


EDGES = {
    "PCG64": {"state": {"state": 0, "inc": 1}, "has_uint32": 1, "uinteger": 2**32 - 1},
    "PCG64DXSM": {"state": {"state": 2**128 - 1, "inc": 2**128 - 1}, "has_uint32": 0, "uinteger": 0},
    "MT19937": {"state": {"key": [2**31] + [0] * 623, "pos": 624}},
    "Philox": {"state": {"counter": [2**64 - 1] * 4, "key": [0, 0]}, "buffer": [0] * 4, "buffer_pos": 1,
               "has_uint32": 0, "uinteger": 0},
    "SFC64": {"state": {"state": [0] * 4}, "has_uint32": 0, "uinteger": 0},
}


@pytest.mark.parametrize("name", GENERATORS)
def test_rare_but_possible_state_is_taken(data, path, name):
    network().fit(*data, epochs=1, checkpoint=path, seed=generator(name))
    rewrite(path, lambda header: header["random"].update(EDGES[name]))
    # Not shuffled: that waits for a number which is not 0, and Mersenne's twister has them rarely here.
    random_states.check("random", checkpoint.read(path)[0]["random"])
    rng = random_states.generator_at(generator(name), checkpoint.read(path)[0]["random"])
    assert random_states.state_of(rng) == {"bit_generator": name, **EDGES[name]}


# ------------------------------------------------------------------------------------- what a training must have again

# Of each: the options that the checkpoint was made with, those that it is resumed with, and what the refusal says.
CONTRADICTIONS = {
    "batch_size": ({"batch_size": 4}, {"batch_size": 5}, "4 as batch_size of the training.* has 5"),
    "batch_size full": ({"batch_size": "full"}, {}, "10 as batch_size of the training.* has 1"),
    "dropout": ({"dropout": 0.2}, {"dropout": 0.3}, r"\[0.2\] as dropout .* has \[0.3\]"),
    "no dropout": ({"dropout": 0.2}, {}, r"\[0.2\] as dropout .* has None"),
    "learning_rate": ({"learning_rate": 0.2}, {"optimizer": fastbp.SGD(0.3)}, "0.2 as learning_rate .* has 0.3"),
    "rate of an optimizer": ({"optimizer": "adam"}, {"optimizer": fastbp.Adam(0.1)}, "0.001 as learning_rate"),
    "schedule": ({"schedule": "step"}, {"schedule": "invscaling"}, "'step' as schedule.* has 'invscaling'"),
    "no schedule": ({"schedule": "step"}, {}, "'step' as schedule.* has None"),
    "new schedule": ({}, {"schedule": "step"}, "None as schedule.* has 'step'"),
    "schedule's numbers": ({"schedule": schedules.Step(2)}, {"schedule": schedules.Step(3)}, r"every=2.*every=3"),
    "sample_weight": ({"sample_weight": np.arange(1.0, M + 1)}, {"sample_weight": np.arange(2.0, M + 2)},
                      "as weights of the data"),
    "no sample_weight": ({"sample_weight": np.arange(1.0, M + 1)}, {}, "as weights of the data.* has None"),
    "validation_fraction": ({"validation_fraction": 0.4}, {"validation_fraction": 0.2}, "6 as samples .* has 8"),
    "no validation": ({"validation_fraction": 0.4}, {}, "as samples"),
}


@pytest.mark.parametrize(("made_with", "given", "match"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradiction_is_refused(data, path, made_with, given, match):
    network().fit(*data, epochs=2, checkpoint=path, **made_with)
    options = {"optimizer": fastbp.SGD(), **given}
    refused(ValueError, f"resume: the checkpoint was made with .*{match}", network(), data, path, **options)
    assert options["optimizer"].steps == 0


def test_other_data_are_refused(dtype, data, path):
    X, T = data
    options = {"validation_data": (X[:4], T[:4])}
    network(dtype=dtype).fit(X, T, epochs=1, checkpoint=path, **options)
    other_x, other_t = X.copy(), T.copy()
    other_x[3, 1] += 1e-3
    other_t[9, 1] += 1e-3
    for match, data, validation in [
        ("as X of the data", (other_x, T), (X[:4], T[:4])),
        ("as T of the data", (X, other_t), (X[:4], T[:4])),
        ("as X of the data", (X[::-1], T[::-1]), (X[:4], T[:4])),
        ("as validation X and T of the data", (X, T), (other_x[:4], T[:4])),
        ("as validation X and T of the data", (X, T), (X[:4], other_t[6:])),
        ("as validation X and T of the data", (X, T), (X[:5], T[:5])),
    ]:
        refused(ValueError, match, network(dtype=dtype), data, path, validation_data=validation)
    # The numbers count, in whatever form they come.
    same = np.asfortranarray(X.astype(dtype)), T.tolist()
    assert len(network(dtype=dtype).fit(*same, epochs=2, resume=path, **options)) == 2


def test_class_weight_is_refused_if_it_makes_other_weights(rng, path):
    X, labels = rng.normal(size=(12, 3)), np.arange(12) % 3

    def classifier():
        return fastbp.Network([3, 3], "softmax", loss="cross_entropy", seed=1)

    classifier().fit(X, labels, epochs=1, checkpoint=path, class_weight={0: 1, 1: 2, 2: 0.5})
    for options in ({}, {"class_weight": {0: 1, 1: 2, 2: 0.6}}, {"sample_weight": np.ones(12)}):
        refused(ValueError, "as weights of the data", classifier(), (X, labels), path, **options)
    refused(ValueError, "as T of the data", classifier(), (X, labels[::-1]), path, class_weight={0: 1, 1: 2, 2: 0.5})
    assert len(classifier().fit(X, labels, epochs=2, resume=path, class_weight={0: 1, 1: 2, 2: 0.5})) == 2


def test_reasons_to_stop_may_change(data, path):
    options = {"validation_fraction": 0.4, "optimizer": "adam"}
    network().fit(*data, epochs=2, checkpoint=path, patience=5, desired_error=1e-9, **options)
    whole, resumed = network(), network(seed=7)
    expected = whole.fit(*data, epochs=6, patience=50, **options)
    history = resumed.fit(*data, epochs=6, patience=50, min_delta=1e-9, desired_error=1e-8, time_limit=1000,
                          resume=path, **options)
    assert_same_history(history, expected)
    assert resumed.params.tobytes() == whole.params.tobytes()


@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.4}], ids=str)
def test_resumed_has_nothing_to_do_if_its_last_rms_is_as_desired(data, path, options):
    rms = network().fit(*data, epochs=3, checkpoint=path, **options).rms[-1]
    history = network().fit(*data, epochs=4, desired_error=rms, resume=path, **options)
    assert (len(history), history.stop_reason) == (3, "desired_error")
    assert len(network().fit(*data, epochs=4, desired_error=np.nextafter(rms, 0), resume=path, **options)) == 4


class Lower:
    """A callback that lowers the learning rate."""

    def on_epoch(self, state):
        state.optimizer.learning_rate *= 0.5


def test_learning_rate_that_a_callback_has_changed_goes_on(data, path):
    whole, resumed = network(), network(seed=7)
    expected = whole.fit(*data, epochs=6, callbacks=[Lower()])
    network().fit(*data, epochs=3, callbacks=[Lower()], checkpoint=path)
    assert_same_history(resumed.fit(*data, epochs=6, callbacks=[Lower()], resume=path), expected)
    assert resumed.params.tobytes() == whole.params.tobytes()


# --------------------------------------------------------------------------------------------- schedules and `resume`


class Plain:
    """A user's schedule, an object whose repr tells no more than its address."""

    def factors(self, epochs):
        for epoch in range(epochs):
            yield 1 / (epoch + 1)


SCHEDULES = {
    **{name: lambda name=name: name for name in ("constant", "invscaling", "adaptive", "step", "cosine", "warmup")},
    "Step": lambda: schedules.Step(every=2),
    "Cosine": lambda: schedules.Cosine(0.1),
    "Warmup, Cosine": lambda: schedules.Warmup(3, then="cosine"),
    "Warmup, function": lambda: schedules.Warmup(2, then=lambda epoch: 0.9**epoch),
    "function": lambda: lambda epoch: 1 / (1 + epoch),
    "object": Plain,
}
DEPEND_ON_EPOCHS = {"cosine", "Cosine", "Warmup, Cosine"}


@pytest.mark.parametrize("crash", [1, 4, 7])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_goes_on_after_an_interruption(data, path, name, crash):
    options = {"epochs": 9, "optimizer": "adam"}
    whole, resumed = network(), network(seed=7)
    expected = whole.fit(*data, schedule=SCHEDULES[name](), **options)
    interrupted(network(), data, path, crash, schedule=SCHEDULES[name](), **options)
    history = resumed.fit(*data, schedule=SCHEDULES[name](), resume=path, **options)
    assert_same_history(history, expected)
    assert resumed.params.tobytes() == whole.params.tobytes()


@pytest.mark.parametrize("name", SCHEDULES)
def test_more_epochs_than_were_planned(data, path, name):
    """Training continues bit for bit as if they had been planned, or is refused."""
    network().fit(*data, epochs=5, schedule=SCHEDULES[name](), checkpoint=path)
    options = {"epochs": 9, "schedule": SCHEDULES[name]()}
    if name in DEPEND_ON_EPOCHS:
        refused(ValueError, r"resume: .* made with epochs=5 and had the learning rate .* gives .* for epochs=9",
                network(), data, path, **options)
    else:
        whole, resumed = network(), network(seed=7)
        expected = whole.fit(*data, **options)
        assert_same_history(resumed.fit(*data, resume=path, **options), expected)
        assert resumed.params.tobytes() == whole.params.tobytes()


def test_function_that_has_changed_is_refused(data, path):
    def schedule(epoch):
        return 1 / (1 + epoch)

    network().fit(*data, epochs=3, schedule=schedule, checkpoint=path)

    before = repr(schedule)

    def schedule(epoch):
        return 1 / (1 + epoch)**2

    assert repr(schedule).split(" at ")[0] == before.split(" at ")[0]
    refused(ValueError, "had the learning rate 0.05 in epoch 1", network(), data, path, schedule=schedule)


def test_schedule_that_ends_too_early_is_refused_before_anything_changes(data, path):
    class Two:
        def __init__(self, n):
            self.n = n

        def factors(self, epochs):
            return iter([1.0] * self.n)

    network().fit(*data, epochs=3, schedule=Two(3), checkpoint=path)
    refused(ValueError, "schedule must give a factor for each", network(), data, path, schedule=Two(2))


class Loss:
    """A user's loss, an object whose repr tells no more than its address."""

    def __call__(self, Y, T):
        return ((Y - T) ** 2).sum() / 2, Y - T


def test_loss_of_ones_own_is_known_again(data, path):
    network(loss=Loss()).fit(*data, epochs=1, checkpoint=path)
    assert len(network(loss=Loss()).fit(*data, epochs=2, resume=path)) == 2


def test_checkpoint_of_an_older_version(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    content = bytearray(path.read_bytes()[:-io.CHECKSUM.size])
    content[8] = 1
    path.write_bytes(content + io.CHECKSUM.pack(zlib.crc32(content)))
    refused(fastbp.FormatError, "format version 1, written by an older fastbp; this fastbp reads version 2 of a "
            "checkpoint", network(), data, path)


def test_header_is_json_in_utf_8(data, path):
    network().fit(*data, epochs=1, checkpoint=path)
    header, body = io.read(checkpoint.KIND, path)
    text = json.dumps(header)
    for spoilt in (text.encode("utf-16"), text.encode("utf-8-sig"), text.replace("{", '{"epochs": 1, ', 1).encode(),
                   text.replace(str(header["learning_rate"]), "NaN").encode()):
        path.write_bytes(io.pack(checkpoint.KIND, spoilt, bytes(body)))
        refused(fastbp.FormatError, "header is not JSON in UTF-8", network(), data, path)
