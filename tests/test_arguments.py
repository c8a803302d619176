"""Every argument of every public function with generated values: wrong types, shapes, strides, byte orders,
alignments, overlaps, nothing at all and far too much. The answer is right, or an exception names the argument.
"""

import array
import collections
import contextlib
import inspect
import itertools
import re
import tracemalloc

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import fastbp
from fastbp import _arrays, io, schedules

# Eighths, which every float type holds exactly.
x, t = np.array([0.5, -1.25, 2.0]), np.array([0.25, 0.875])
X, T = np.arange(-6, 6).reshape(4, 3) / 8, np.arange(8).reshape(4, 2) / 8
W = np.array([0.5, 1.0, 2.0, 0.25])


class Subclass(np.ndarray):
    pass


class HasArray:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def unaligned(values):
    raw = np.zeros(values.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(values.tobytes(), np.uint8)
    return raw[1:].view(values.dtype).reshape(values.shape)


def strided(values):
    wide = np.full([3 * n for n in values.shape], np.nan)
    wide[tuple(slice(1, None, 3) for _ in values.shape)] = values
    return wide[tuple(slice(1, None, 3) for _ in values.shape)]


def locked(values):
    values = values.copy()
    values.flags.writeable = False
    return values


# Other forms of the same numbers.
SAME = {
    "list": np.ndarray.tolist,
    "tuples": lambda a: tuple(map(tuple, a)) if a.ndim == 2 else tuple(a),
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": lambda a: a[tuple([slice(None, None, -1)] * a.ndim)].copy()[tuple([slice(None, None, -1)] * a.ndim)],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": unaligned,
    "read-only": locked,
    "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32),
    "longdouble": lambda a: a.astype(np.longdouble),
    "subclass": lambda a: a.view(Subclass),
    "masked": np.ma.array,
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
    "__array__": HasArray,
    "array.array": lambda a: array.array("d", a) if a.ndim == 1 else [array.array("d", row) for row in a],
    "deque": lambda a: collections.deque(a.tolist()),
    "objects": lambda a: a.astype(object),
    "scalars": lambda a: [np.float64(v) for v in a] if a.ndim == 1 else [[np.float64(v) for v in row] for row in a],
}
WRONG = {
    "None": lambda a: None,
    "text": lambda a: "one",
    "bytes": lambda a: a.tobytes(),
    "texts": lambda a: a.astype(str),
    "objects with None": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, None, a),
    "objects with text": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, "1", a.astype(object)),
    "complex": lambda a: a.astype(complex),
    "dates": lambda a: a.astype("datetime64[s]"),
    "fields": lambda a: np.zeros(a.shape, [("a", float), ("b", int)]),
    "void": lambda a: np.zeros(a.shape, "V8"),
    "ragged": lambda a: [[1.0], [1.0, 2.0], 3.0],
    "dict": lambda a: {"a": 1.0},
    "set": lambda a: {1.0, 2.0},
    "function": lambda a: len,
    "generator": lambda a: (v for v in a),
    "class": lambda a: np.ndarray,
    "one axis more": lambda a: a[..., None, None],
    "scalar": lambda a: 1.5,
    "no axes": lambda a: np.array(1.5),
    "empty": lambda a: a[:0],
    "no list": lambda a: [],
    "no columns": lambda a: a[..., :0],
    "one too few": lambda a: a[..., :-1],
    "one too many": lambda a: np.concatenate([a, a[..., :1]], -1),
    "60 axes": lambda a: np.zeros([1] * 60),
    "endless": lambda a: as_strided(np.zeros(1), (2**40, a.shape[-1]), (0, 0)),
    "endless row": lambda a: as_strided(np.zeros(1), (2**40,), (0,)),
    "endless bytes": lambda a: np.broadcast_to(np.int8(0), (2**60,)),
    "__array__ of a list": lambda a: HasArray([1.0]),
    "NaN": lambda a: a * np.nan,
    "infinite": lambda a: a + np.inf,
    "too large": lambda a: (a.astype(np.longdouble) + 1) * np.finfo(np.longdouble).max / 2,
    "10**400": lambda a: 10**400,
    "list of 10**400": lambda a: [10**400] * 3,
}

# name of the call: (the call, its arrays by the names of its arguments).
CALLS = {
    "predict": (lambda net, X, out: net.predict(X, out), {"X": X, "out": np.zeros((4, 2))}),
    "predict one": (lambda net, X, out: net.predict(X, out), {"X": x, "out": np.zeros(2)}),
    "error": (lambda net, **how: net.error(**how), {"X": X, "T": T, "sample_weight": W}),
    "rms": (lambda net, **how: net.rms(**how), {"X": X, "T": T}),
    "gradient": (lambda net, **how: net.gradient(**how), {"X": X, "T": T, "out": np.zeros(26), "sample_weight": W}),
    "backprop": (lambda net, **how: net.backprop(**how), {"X": X, "T": T}),
    "input_gradient": (lambda net, **how: net.input_gradient(**how), {"X": X, "T": T}),
    "jacobian": (lambda net, X: net.jacobian(X), {"X": X}),
    "train_step": (lambda net, **how: (net.train_step(**how), net.params), {"x": X, "t": T}),
    "train_step one": (lambda net, **how: (net.train_step(**how), net.params), {"x": x, "t": t}),
    "fit": (lambda net, **how: (net.fit(**how, epochs=1, seed=1).rms, net.params),
            {"X": X, "T": T, "sample_weight": W}),
    "validation": (lambda net, validation_data: net.fit(X, T, epochs=1, seed=1, validation_data=(
        validation_data, T)).validation_rms, {"validation_data": X}),
    "bind": (lambda net, **how: (net.bind(**how).step(), net.bind(**how).predict()),
             {"x": X, "t": T, "out": np.zeros((4, 2))}),
    "params": (lambda net, params: (setattr(net, "params", params), net.params), {"params": np.arange(26) / 8}),
    "init": (lambda net, init: fastbp.Network([3, 4, 2], init=init).params, {"init": np.arange(26) / 8}),
}


def plain(result):
    """A result as a flat list of arrays, to compare."""
    if isinstance(result, fastbp.Trace):
        result = list(vars(result).values())
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in plain(item)]
    return [np.asarray(result)]


def outcome(call, arrays):
    """(the result, None) or (None, what was raised). Nothing else is raised, and then nothing has changed."""
    net = fastbp.Network([3, 4, 2], "tanh", dtype="float64", seed=1)
    before = net.params.tobytes()
    try:
        return plain(call(net, **arrays)), None
    except (TypeError, ValueError, MemoryError, fastbp.DivergenceError) as error:
        assert net.params.tobytes() == before
        return None, error


def cases(forms):
    for (call, (_, arrays)), form in itertools.product(CALLS.items(), forms):
        for argument in arrays:
            yield pytest.param(call, argument, form, id=f"{call} {argument} {form}")


def copies(arrays):
    return {name: values.copy() for name, values in arrays.items()}


def assert_names(error, argument):
    if not isinstance(error, (MemoryError, fastbp.DivergenceError)):
        assert re.search(rf"\b({argument})\b", str(error)), repr(error)


@pytest.mark.parametrize(("call", "argument", "form"), [*cases(SAME)])
def test_the_same_numbers_in_another_form(call, argument, form):
    function, arrays = CALLS[call]
    expected, _ = outcome(function, copies(arrays))
    given = copies(arrays)
    given[argument] = other = SAME[form](given[argument])
    was = np.array(other)
    result, error = outcome(function, given)
    if error is not None:
        # Buffers that are kept or written to must be as they are needed; all else is converted.
        assert argument == "out" or call == "bind"
        return assert_names(error, argument)
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if argument != "out":
        np.testing.assert_array_equal(np.array(other), was)


@pytest.mark.parametrize("form", SAME)
def test_any_form_becomes_an_aligned_contiguous_array(form, dtype):
    made = _arrays.as_reals(SAME[form](X), "X", np.dtype(dtype))
    assert (made.dtype, made.flags.c_contiguous, made.flags.aligned) == (dtype, True, True)
    np.testing.assert_array_equal(made, X)


LISTS = {
    "floats": [[0.1, 1e300, -0.0], [1e-300, float("inf"), float("nan")]],
    "a row": [0.1, 0.2, 0.3],
    "ints and bools": [[0.1, 1, 2**53], [0.1, True, -7]],
    "NumPy's numbers": [[0.1, np.float64(0.2), np.float32(0.3)], [np.int8(1), np.bool(True), np.longdouble(1)]],
    "arrays": [np.array([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3]],
    "tuples": [(0.1, 0.2, 0.3), [0.1, 0.2, 0.3]],
    "nothing": [],
    "rows of nothing": [[], []],
    "ragged": [[0.1, 0.2, 0.3], [0.1, 0.2]],
    "deep": [[[0.1], [0.2], [0.3]]],
    "row and number": [[0.1, 0.2, 0.3], 0.1],
    "number and row": [0.1, [0.1, 0.2, 0.3]],
    "text": [[0.1, 0.2, 0.3], [0.1, 0.2, "0.3"]],
    "None": [[0.1, 0.2, 0.3], [0.1, None, 0.3]],
    "complex": [[0.1, 0.2, 0.3], [0.1, 0.2, 1j]],
    "large int": [0.1, 0.2, 10**400],
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_are_what_numpy_makes_of_them(form, dtype):
    """Lists of floats are read by a loop of their own, all others by NumPy: with the same result, or the same error."""
    net = fastbp.Network([3, 4, 2], "tanh", seed=1, dtype=dtype)
    refused = None
    try:
        expected = net.predict(_arrays.as_reals(LISTS[form], "X", np.dtype(dtype)))
    except (TypeError, ValueError) as error:
        refused = error
    if refused is None:
        result = net.predict(LISTS[form])
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(result, expected)
    else:
        with pytest.raises(type(refused), match=f"^{re.escape(str(refused))}$"):
            net.predict(LISTS[form])


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:.*invalid value", "ignore:Casting complex")
@pytest.mark.parametrize(("call", "argument", "form"), [*cases(WRONG)])
def test_wrong_arrays(call, argument, form):
    function, arrays = CALLS[call]
    given = copies(arrays)
    given[argument] = WRONG[form](given[argument])
    _, error = outcome(function, given)
    if error is not None:
        # A T that fits the right X does not fit another.
        partners = {"X": "X|T|out", "x": "x|t|out", "T": "T|X"}.get(argument, argument)
        assert_names(error, f"{partners}|{argument}")
    else:
        # What may be let through, for a reason each.
        may = {"None": argument in ("out", "sample_weight"), "NaN": True, "infinite": True, "too large": True,
               "empty": call in ("predict", "jacobian"), "scalar": False}
        assert may.get(form, call in ("predict", "gradient", "bind") and argument == "out"), "it was taken"


def test_every_overlap():
    """`out` anywhere in one buffer with the inputs: refused, or what it would be elsewhere."""
    net = fastbp.Network([3, 4, 2], "tanh", seed=1)
    refused = 0
    for x_at, out_at in itertools.product(range(24), range(24)):
        buffer = np.linspace(-1, 1, 40)
        inputs, out = buffer[x_at:x_at + 12].reshape(4, 3), buffer[out_at:out_at + 8].reshape(4, 2)
        expected = net.predict(inputs.copy())
        try:
            result = net.predict(inputs, out)
        except ValueError as error:
            assert "overlap" in str(error)
            assert np.shares_memory(inputs, out)
            refused += 1
        else:
            np.testing.assert_array_equal(result, expected)
    assert refused > 100


def test_labels_are_a_copy():
    """Labels are indices: what is written into the caller's array after the check must not become one."""
    labels = np.array([0, 1, 1, 0])
    net = fastbp.Network([3, 4, 2], "tanh", "softmax", loss="cross_entropy", seed=1)
    twin = net.copy()

    class Spoil:
        def on_epoch(self, state):
            labels[:] = 2**60

    net.fit(X, labels, epochs=3, callbacks=[Spoil()], shuffle=False)
    twin.fit(X, [0, 1, 1, 0], epochs=3, shuffle=False)
    np.testing.assert_array_equal(net.params, twin.params)


@pytest.mark.parametrize("labels", [[0, 1, 2, 0], [-1, 0, 0, 0], [2**63, 0, 0, 0], [0.0, 1, 1, 0], ["0"] * 4,
                                    np.array([0, 255, 0, 0], np.uint8), np.array([0, 1, 1], ">i8"), [10**30] * 4,
                                    [None] * 4, [[0], [1], [1], [0]]], ids=str)
def test_wrong_labels(labels):
    net = fastbp.Network([3, 4, 2], "tanh", "softmax", loss="cross_entropy", seed=1)
    for call in (net.error, net.gradient, net.backprop, net.input_gradient, net.train_step,
                 lambda X, T: net.fit(X, T, epochs=1)):
        with pytest.raises((TypeError, ValueError), match=r"\b[Tt]\b"):
            call(X, labels)


@pytest.mark.parametrize("target", [1, 0.75, np.float32(0.75), np.float64(0.75), np.array(0.75), True], ids=repr)
@pytest.mark.parametrize("loss", ["squared_error", "huber", lambda y, t: (((y - t) ** 2).sum() / 2, y - t)],
                         ids=["squared_error", "huber", "function"])
def test_a_number_is_the_target_of_one_output(target, loss):
    net = fastbp.Network([3, 4, 1], "tanh", loss=loss, seed=1)
    twin, as_array = net.copy(), np.array([float(target)])
    for call in ("error", "rms", "gradient", "backprop", "input_gradient", "train_step"):
        for ours, theirs in zip(plain(getattr(net, call)(x, target)), plain(getattr(twin, call)(x, as_array)),
                                strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(net.params, twin.params)
    with pytest.raises(ValueError, match=r"t must have the shape \(4, 1\).*got \(\)"):
        net.train_step(X, target)
    with pytest.raises(ValueError, match=r"t must have the shape \(2,\).*got \(\)"):
        fastbp.Network([3, 4, 2], seed=1).train_step(x, target)


def test_a_bound_number_is_read_anew():
    net = fastbp.Network([3, 4, 1], "tanh", seed=1)
    twin, target = net.copy(), np.array(0.5)
    bound = net.bind(x, target)
    for value in (0.5, -0.25):
        target[...] = value
        assert bound.step() == twin.train_step(x, value)


# ------------------------------------------------------------------------------------------------------ memory maps


@pytest.fixture(scope="module")
def large_map(tmp_path_factory):
    """float32, 6 million numbers, so that as float64 they are too many to be converted at once."""
    path = tmp_path_factory.mktemp("map") / "large"
    values = np.memmap(path, "float32", "w+", shape=(2_000_000, 3))
    values[:] = np.random.default_rng(0).random(3, "f4")
    values[1_999_999] = x
    values.flush()
    return np.memmap(path, "float32", "r", shape=values.shape)


def test_a_large_memory_map_is_predicted_in_blocks(large_map):
    net = fastbp.Network([3, 4, 2], "tanh", seed=1)
    for given in (large_map, large_map[:, ::-1], np.asarray(large_map)):
        expected = net.predict(np.array(given, "f8"))
        out = np.empty_like(expected)
        np.testing.assert_array_equal(net.predict(given), expected)
        assert net.predict(given, out) is out
        np.testing.assert_array_equal(out, expected)
    with pytest.raises(ValueError, match=r"X must have the shape.*got \(2000000, 2\)"):
        net.predict(large_map[:, :2])
    with pytest.raises(ValueError, match=r"out must have the shape \(2000000, 2\), got \(4, 2\)"):
        net.predict(large_map, np.empty((4, 2)))


def test_nothing_larger_than_a_block_is_made_of_a_memory_map(large_map):
    net = fastbp.Network([3, 1], "tanh", seed=1)
    out = np.empty((len(large_map), 1))
    tracemalloc.start()
    try:
        net.predict(large_map, out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * _arrays.AT_ONCE < 0.75 * large_map.size * 8


def test_outputs_do_not_overwrite_a_memory_map(tmp_path):
    values = np.memmap(tmp_path / "map", "float32", "w+", shape=(2_000_000, 3))
    net = fastbp.Network([3, 1], "tanh", seed=1)
    with pytest.raises(ValueError, match="out must not overlap X"):
        net.predict(values, np.frombuffer(values.base, "f8", 2_000_000).reshape(-1, 1))


@pytest.mark.parametrize("call", ["error", "rms", "gradient", "backprop", "input_gradient", "train_step", "fit",
                                  "jacobian", "predict one"])
def test_large_memory_maps_are_not_converted_unasked(large_map, call):
    net = fastbp.Network([3, 1], "tanh", seed=1)
    T = np.zeros(len(large_map))
    calls = {"jacobian": net.jacobian, "predict one": lambda X: net.predict(X.reshape(-1))}
    of_map = calls.get(call, lambda X: getattr(net, call)(X, T))
    with pytest.raises(ValueError, match=r'\b[Xx] must be a contiguous memory map of float64.*got one of float32\. '
                       'Make the network with dtype="float32", or pass batches of rows'):
        of_map(large_map)


def test_other_memory_maps_and_copies(large_map):
    T = np.zeros(len(large_map), "f4")
    net = fastbp.Network([3, 1], "tanh", dtype="float32", seed=1)
    expected = net.error(np.array(large_map), T)
    assert net.error(large_map, T) == expected
    with pytest.raises(ValueError, match=r"got one of float32 that is not contiguous\. Pass batches of rows"):
        net.error(large_map[:, ::-1], T)
    wide = fastbp.Network([3, 1], "tanh", seed=1)
    # Copies, rows and batches are as they are anywhere.
    assert np.isfinite(wide.error(large_map[::1000], T[::1000]))
    assert np.isfinite(wide.error(np.array(large_map, "float64"), T))
    assert np.isfinite(wide.error(large_map * 1, T))
    history = wide.fit([(large_map[start:start + 1000], T[:1000]) for start in (0, 5000)], epochs=1)
    assert np.isfinite(history.rms).all()


# ------------------------------------------------------------------------------------------------------ numbers

NOT_NUMBERS = ["1", b"1", 1j, [], [1.0], {}, object(), len, np.zeros(2), np.array(["1"]), np.datetime64("2020"), type,
               (v for v in ())]
NUMBERS = [0, -0.0, -1, 0.5, 1, True, np.float32(0.5), np.int8(1), np.array(0.5), 1e-400, 5e-324, 1e-30, 1e30, 1e308,
           np.nan, np.inf, -np.inf, 10**400, -10**400, 2**31, 2**32, 2**63, 2**64, 2**100, np.longdouble("1e4000"),
           None]
COMMON = ("l1", "l2", "clip_norm", "max_norm")
OPTIMIZERS = [getattr(fastbp, name) for name in ("SGD", "Adagrad", "Adam", "AdamW", "Nadam", "RMSprop", "Rprop")]


def classes_with_numbers():
    for made in (*OPTIMIZERS, fastbp.Huber, fastbp.Quantile, schedules.Step, schedules.Cosine, schedules.Warmup,
                 schedules.InvScaling, schedules.Adaptive):
        names = [name for name, p in inspect.signature(made).parameters.items() if p.kind != p.VAR_KEYWORD]
        for name in (*names, *(COMMON if made in OPTIMIZERS else ())):
            if name not in ("nesterov", "then"):
                yield pytest.param(made, name, id=f"{made.__name__} {name}")


FIT_NUMBERS = ("batch_size", "learning_rate", "desired_error", "validation_fraction", "patience", "min_delta",
               "time_limit", "checkpoint_every", "dropout")


def assert_number_is_judged(argument, call):
    taken = []
    for value in (*NUMBERS, *NOT_NUMBERS):
        try:
            call(value)
        except (TypeError, ValueError) as error:
            assert_names(error, argument)
        except fastbp.DivergenceError:
            pass        # it is a number, but training with it goes nowhere
        else:
            taken.append(value)
    assert taken, "no number was right"
    assert not any(isinstance(value, (str, bytes, complex, dict)) or callable(value) for value in taken), taken
    assert not any(value is np.nan for value in taken)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # of the longdouble
@pytest.mark.parametrize(("made", "argument"), [*classes_with_numbers()])
def test_numbers_of_classes(made, argument):
    def train_with(value):
        thing = made(**{argument: value})
        if made in OPTIMIZERS:
            for dtype in ("float32", "float64"):
                net = fastbp.Network([3, 4, 2], dtype=dtype, seed=1)
                net.train_step(X, T, optimizer=thing)
                assert np.isfinite(net.params).all()
                thing.reset()

    assert_number_is_judged("|".join({argument, "learning_rate", "largest", "least", "decay"}), train_with)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("argument", FIT_NUMBERS)
def test_numbers_of_fit(argument, tmp_path):
    needs = {"patience": {"validation_data": (X, T)}, "min_delta": {"validation_data": (X, T), "patience": 1},
             "checkpoint_every": {"checkpoint": tmp_path / "c"}}.get(argument, {})

    def fit_with(value):
        net = fastbp.Network([3, 4, 2], seed=1)
        net.fit(X, T, **{"epochs": 1, argument: value}, **needs)
        assert np.isfinite(net.params).all()

    assert_number_is_judged(argument, fit_with)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("argument", ["low", "high"])
def test_numbers_of_uniform(argument):
    other = {"low": {"high": 1e4}, "high": {"low": -1e4}}[argument]
    assert_number_is_judged("low|high", lambda value: fastbp.uniform(**{argument: value}, **other))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_numbers_of_steps():
    net = fastbp.Network([3, 4, 2], seed=1)
    assert_number_is_judged("learning_rate", lambda value: net.train_step(x, t, value))
    assert_number_is_judged("learning_rate", lambda value: net.bind(x, t, learning_rate=value))


# ------------------------------------------------------------------------------------------------------ all else

ANYTHING = [*NOT_NUMBERS, np.nan, -1, 2**100, "", "\0", "x" * 10**6, b"\xff", ..., NotImplemented, Exception("x"), X,
            [[[]]], [None], ["tanh", 5], {"a": X}, fastbp.Network([2, 1], seed=1), fastbp.SGD(), fastbp.Network]
OPEN = {  # taken by design: (call, argument)
    ("Network", "seed"), ("Network", "rng"), ("Network", "loss"), ("Network", "dtype"), ("Network", "init"),
    ("fit", "rng"), ("fit", "shuffle"),
    ("fit", "verbose"), ("fit", "seed"), ("fit", "callbacks"), ("fit", "schedule"), ("fit", "dropout"),
}


def anything_cases():
    for argument in ("layer_sizes", "activation", "output_activation", "loss", "reduction", "dtype", "init", "seed",
                     "rng"):
        yield "Network", argument, lambda argument, value: fastbp.Network(**{"layer_sizes": [3, 4, 2], argument: value})
    for argument in ("optimizer", "schedule", "callbacks", "class_weight", "seed", "rng", "dropout",
                     "validation_data"):
        yield "fit", argument, lambda argument, value: fastbp.Network([3, 4, 2]).fit(
            X, T, **{"epochs": 1, argument: value})
    yield "train_step", "optimizer", lambda _, value: fastbp.Network([3, 4, 2]).train_step(X, T, optimizer=value)
    for made in OPTIMIZERS:
        yield made.__name__, "layer_rates", lambda _, value, made=made: fastbp.Network([3, 4, 2]).train_step(
            X, T, optimizer=made(layer_rates=value))
    yield "loads", "data", lambda _, value: io.loads(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("call", "argument", "function"),
                         [pytest.param(*case, id=f"{case[0]} {case[1]}") for case in anything_cases()])
def test_anything(call, argument, function):
    refused = 0
    for value in ANYTHING:
        try:
            function(argument, value)
        except (TypeError, ValueError, MemoryError, fastbp.DivergenceError) as error:
            refused += 1
            if call != "loads" and not (argument in ("schedule", "callbacks") and callable(value)):
                assert_names(error, argument)
    assert refused > (3 if (call, argument) in OPEN else len(ANYTHING) // 2)


def test_a_second_init_of_an_optimizer():
    """The layer_rates of the first __init__ are gone, and so must be the pointers to them."""
    optimizer = fastbp.SGD(0.1, layer_rates=[0.0, 0.0])
    optimizer.__init__(0.1)
    net = fastbp.Network([3, 4, 2], seed=1)
    before = net.params
    net.train_step(X, T, optimizer=optimizer)
    assert (net.params != before).all()


@pytest.mark.parametrize("made", [fastbp.Network, *OPTIMIZERS])
def test_objects_without_init(made):
    """__new__ alone makes nothing that crashes."""
    thing, net = made.__new__(made), fastbp.Network([3, 4, 2], seed=1)
    if made is fastbp.Network:
        for name in ("predict", "jacobian", "error", "rms", "gradient", "backprop", "input_gradient", "train_step",
                     "bind", "fit"):
            with pytest.raises((AttributeError, TypeError, ValueError)):
                getattr(thing, name)(*[X, T][:len(inspect.signature(getattr(thing, name)).parameters)])
        with pytest.raises(ValueError, match="not been initialised"):
            _ = thing.params
        with pytest.raises(ValueError, match="not been initialised"):
            thing.params = []
        for name in ("weights", "layer_sizes", "n_params"):
            getattr(thing, name)
    else:
        with contextlib.suppress(AttributeError, TypeError, ValueError):
            net.train_step(X, T, optimizer=thing)
        assert np.isfinite(net.params).all()
