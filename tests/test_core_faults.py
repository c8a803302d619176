"""Faults found in use of the core, and others of the same kinds.

Those of the lock and of optimizers are in test_lock.py and test_optimizer_state.py.
"""

import copy
import pickle

import numpy as np
import pytest
from training_problem import OPTIMIZERS

import fastbp
from fastbp import _arrays, activations

X, T = np.linspace(-1, 1, 24).reshape(6, 4), np.linspace(0, 1, 12).reshape(6, 2)


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


# ---------------------------------------------------------------- copies of what a user has derived

class Named(fastbp.Network):
    """A network with a name, which its own __init__ asks for first."""

    __slots__ = ("units",)

    def __init__(self, name, sizes):
        super().__init__(sizes, seed=1)
        self.name, self.units = name, ["cm"]


class Anything(Named):
    """A network with a __dict__."""


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
    (([[None]], [0]), TypeError, "W of layer 0 .* got None"),
    (([[1]], [None]), TypeError, "b of layer 0 .* got None"),
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
    with pytest.raises(ValueError, match="T must hold labels that fit into an int64"):
        net.error(X, np.array([0, 1, 2, 0, 1, 2**70], object))
    with pytest.raises(TypeError, match=r"T must hold integer labels.*dtype object"):
        net.error(X, np.array([0, 1, 2, 0, 1, None], object))


def test_a_generator_that_is_stuck():
    stuck = np.random.MT19937()
    stuck.state = {"bit_generator": "MT19937", "state": {"key": np.zeros(624, np.uint32), "pos": 0}}
    with pytest.raises(ValueError, match="got a MT19937 that repeats one number"):
        fastbp.Network([4, 2], seed=1).fit(X, T, epochs=1, seed=np.random.Generator(stuck))


@pytest.mark.parametrize("activation", activations.TABLE)
def test_initial_weights_follow_he_or_glorot(activation):
    W = fastbp.Network([300, 100], activation, seed=1).weights[0]
    he = activation in ("relu", "leaky_relu", "elu", "softplus", "silu", "gelu")
    bound = np.sqrt(6 / 300) if he else np.sqrt(6 / 400)
    assert 0.999 * bound < abs(W).max() < bound


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
    ("1.5", TypeError, "got str '1.5'"), (None, TypeError, "got None"), ([1.0], TypeError, r"got list \[1.0\]"),
    (np.ones(1), TypeError, "got ndarray"), (1j, TypeError, "got complex"),
    (10**400, ValueError, "that fits into a float64"),
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


# ---------------------------------------------------------------- losses of one's own

def test_a_loss_that_changes_the_shape_of_the_outputs():
    def loss(Y, T):
        Y.__setstate__((1, (1, 1), Y.dtype, False, bytes(8)))
        return 0.0, np.ones((1, 1))

    net = fastbp.Network([4, 2], loss=loss, seed=1)
    for call in (net.gradient, net.backprop, net.train_step):
        with pytest.raises(ValueError, match=r"loss: dE/dY must have the shape \(6, 2\) of Y, got \(1, 1\)"):
            call(X, T)


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
