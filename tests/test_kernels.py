"""Every kernel, at every instruction set of this CPU and in both dtypes, against the oracle."""

import numpy as np
import pytest
from reference import Reference, assert_close, random_problem

import fastbp

TRACE = ["net_inputs", "outputs", "error_signals", "deltas", "weight_gradients", "bias_gradients"]
SMOOTH = ("tanh", "silu", "sigmoid", "identity")

# One layer to four; widths around the lanes of a vector (2 to 16) and the columns of a register tile, on either side.
SHAPES = [
    *[(1, V - 1, V, V + 1, 2 * V + 3) for V in (2, 4, 8, 16)],
    *[(2 * V + 3, V + 1, V, V - 1, 1) for V in (2, 4, 8, 16)],
    (1, 1),
    (1, 17),
    (17, 1),
    (16, 16),
    (33, 65, 31),
]
# Row counts around those of a tile (1 to 12), and past the 512 rows that one block of samples has.
BATCHES = [1, 2, 3, 5, 7, 12, 13, 29, 515, 1031]


def problem(rng, layer_sizes, n_samples, dtype):
    """fastbp's network, the oracle of the same parameters, X and T: all rounded to dtype before either sees them."""
    layers, X, T = random_problem(rng, layer_sizes, n_samples)
    net = fastbp.Network(layer_sizes, SMOOTH[: len(layers)], reduction="mean", dtype=dtype, init=layers)
    return net, Reference.of(net), X.astype(dtype), T.astype(dtype)


def check(net, oracle, X, T):
    terms = sum(net.layer_sizes) + len(X)

    def close(actual, expected):
        assert_close(actual, expected, net.dtype, terms)

    close(net.predict(X), oracle.predict(X))
    close(net.error(X, T), oracle.error(X, T))
    close(net.rms(X, T), oracle.rms(X, T))

    computed, expected = net.backprop(X, T), oracle.backprop(X, T)
    close(computed.error, expected.error)
    for name in TRACE:
        for layer, expected_layer in zip(getattr(computed, name), getattr(expected, name), strict=True):
            close(layer, expected_layer)

    error, gradient = net.gradient(X, T)
    close(error, expected.error)
    close(gradient, oracle.gradient(X, T)[1])
    close(net.input_gradient(X, T), oracle.input_gradient(X, T))

    error = net.train_step(X, T, learning_rate=0.5)
    close(error, expected.error)
    close(net.params, oracle.params - 0.5 * oracle.gradient(X, T)[1])


@pytest.mark.parametrize("n_samples", BATCHES)
@pytest.mark.parametrize("layer_sizes", SHAPES, ids=str)
def test_batches(isa, dtype, rng, layer_sizes, n_samples):
    check(*problem(rng, layer_sizes, n_samples, dtype))


@pytest.mark.parametrize("n_samples", [1, 7, 70])
@pytest.mark.parametrize("layer_sizes", [(3, 530, 270), (270, 530, 3), (1100, 2)], ids=str)
def test_layers_larger_than_a_cache_block(isa, dtype, rng, layer_sizes, n_samples):
    check(*problem(rng, layer_sizes, n_samples, dtype))


@pytest.mark.parametrize("layer_sizes", SHAPES, ids=str)
def test_one_sample_without_the_sample_axis(isa, dtype, rng, layer_sizes):
    net, oracle, X, T = problem(rng, layer_sizes, 1, dtype)
    terms, x, t = sum(layer_sizes), X[0], T[0]
    expected = oracle.backprop(X, T)

    assert_close(net.predict(x), expected.outputs[-1][0], dtype, terms)
    assert_close(net.input_gradient(x, t), expected.input_gradient[0], dtype, terms)
    assert_close(net.jacobian(x), oracle.jacobian(X)[0], dtype, terms)
    assert_close(net.gradient(x, t)[1], oracle.gradient(X, T)[1], dtype, terms)
    trace = net.backprop(x, t)
    for name in ["net_inputs", "outputs", "error_signals", "deltas"]:
        for layer, expected_layer in zip(getattr(trace, name), getattr(expected, name), strict=True):
            assert_close(layer, expected_layer[0], dtype, terms)
    for name in ["weight_gradients", "bias_gradients"]:
        for layer, expected_layer in zip(getattr(trace, name), getattr(expected, name), strict=True):
            assert_close(layer, expected_layer, dtype, terms)

    assert_close(net.error(x, t), expected.error, dtype, terms)
    assert_close(net.rms(x, t), oracle.rms(X, T), dtype, terms)
    assert_close(net.train_step(x, t, learning_rate=0.5), expected.error, dtype, terms)
    assert_close(net.params, oracle.params - 0.5 * oracle.gradient(X, T)[1], dtype, terms)


@pytest.mark.parametrize("n_samples", [1, 5, 515])
@pytest.mark.parametrize("layer_sizes", [(3, 17, 4), (9, 1), (1, 8)], ids=str)
def test_jacobian(isa, dtype, rng, layer_sizes, n_samples):
    net, oracle, X, _ = problem(rng, layer_sizes, n_samples, dtype)
    assert_close(net.jacobian(X), oracle.jacobian(X), dtype, sum(layer_sizes))


# The same numbers in every form that an array can have. They are small integers, so that all dtypes hold them.
FORMS = {
    "fortran": np.asfortranarray,
    "reversed rows": lambda A: A[::-1].copy()[::-1],
    "reversed columns": lambda A: A[:, ::-1].copy()[:, ::-1],
    "every second row": lambda A: np.repeat(A, 2, axis=0)[::2],
    "every second column": lambda A: np.repeat(A, 2, axis=1)[:, ::2],
    "broadcast": lambda A: np.broadcast_to(A[0], A.shape),
    "read-only": lambda A: np.frombuffer(A.tobytes(), A.dtype).reshape(A.shape),
    "unaligned": lambda A: np.frombuffer(b"\0" + A.tobytes(), A.dtype, offset=1).reshape(A.shape),
    "big-endian": lambda A: A.astype(A.dtype.newbyteorder(">")),
    "other float": lambda A: A.astype("float32" if A.dtype == "float64" else "float64"),
    "float16": lambda A: A.astype("float16"),
    "longdouble": lambda A: A.astype(np.longdouble),
    "int64": lambda A: A.astype("int64"),
    "int8": lambda A: A.astype("int8"),
    "list": lambda A: A.tolist(),
    "subclass": lambda A: A.view(np.recarray),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_array_means_its_values(dtype, rng, form):
    shape = (6, 5)
    X, T = rng.integers(-3, 4, shape).astype(dtype), rng.integers(-3, 4, shape).astype(dtype)
    x_form, t_form = form(X), form(T)
    X, T = np.array(x_form, dtype), np.array(t_form, dtype)  # "broadcast" changes the values, no other form does
    net = fastbp.Network([5, 4, 5], "tanh", dtype=dtype, seed=1)

    np.testing.assert_array_equal(net.predict(x_form), net.predict(X))
    np.testing.assert_array_equal(net.gradient(x_form, t_form)[1], net.gradient(X, T)[1])
    np.testing.assert_array_equal(net.input_gradient(x_form, t_form), net.input_gradient(X, T))
    np.testing.assert_array_equal(net.jacobian(x_form), net.jacobian(X))
    one_way, other_way = net.copy(), net.copy()
    assert one_way.train_step(x_form, t_form) == other_way.train_step(X, T)
    one_way.fit(x_form, t_form, epochs=2, batch_size=4, seed=0)
    other_way.fit(X, T, epochs=2, batch_size=4, seed=0)
    np.testing.assert_array_equal(one_way.params, other_way.params)


@pytest.mark.parametrize("form", ["every second row", "reversed rows", "big-endian", "int8", "list"])
def test_one_sample_means_its_values(dtype, form):
    x = np.array([1, -2, 3], dtype)
    net = fastbp.Network([3, 4, 2], dtype=dtype, seed=1)
    strided = FORMS[form](x[:, None])
    x_form = [value for (value,) in strided] if form == "list" else strided[:, 0]
    np.testing.assert_array_equal(net.predict(x_form), net.predict(x))
