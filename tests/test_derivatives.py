"""Outputs and slopes of every layer, and the derivatives by the inputs: products with the Jacobian, and Hessians."""

import copy

import numpy as np
import pytest
import reference

import fastbp
from fastbp import hessians

ACTIVATIONS = [name for name in reference.ACTIVATIONS if name != "softmax"]
TOLERANCES = {"float32": 2e-5, "float64": 1e-12}


def network(activation, dtype="float64", sizes=(3, 9, 17, 4), seed=3):
    return fastbp.Network(sizes, activation, dtype=dtype, init=fastbp.uniform(-0.4, 0.4), seed=seed)


def close(came, expected, dtype):
    assert came.dtype == dtype
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(came, expected, rtol=0, atol=TOLERANCES[dtype] * scale)


@pytest.mark.parametrize("m", [1, 2, 513])
@pytest.mark.parametrize("activation", reference.ACTIVATIONS)
def test_outputs_and_slopes_of_every_layer(isa, dtype, rng, activation, m):
    net = network(activation, dtype)
    X = rng.uniform(-0.5, 0.5, (m, 3)).astype(dtype)
    net_inputs, outputs = reference.Reference.of(net).forward(X)
    layers, trace = net.layer_outputs(X), net.backprop(X, np.full((m, 4), 0.3))
    for l in range(3):
        close(layers[l], outputs[l], dtype)
        np.testing.assert_array_equal(trace.outputs[l], layers[l])
        if activation == "softmax":
            slopes = outputs[l] * (1 - outputs[l])
        else:
            # Where rounding may have moved it across a kink of the slope.
            r = np.where(np.abs(net_inputs[l]) < 1e-6, trace.net_inputs[l], net_inputs[l])
            slopes = reference.ELEMENTWISE[activation][1](r)
        close(trace.slopes[l], slopes, dtype)
    for rows, single in zip(layers, net.layer_outputs(X[0]), strict=True):
        close(single, rows[0], dtype)
    np.testing.assert_array_equal(layers[-1], net.predict(X))


def test_outputs_of_every_layer_let_nan_through():
    outputs = network("tanh").layer_outputs([[np.nan, 0, 0], [0, 0, 0]])
    assert [np.isnan(rows).all(axis=1).tolist() for rows in outputs] == [[True, False]] * 3


def test_a_trace_shows_its_shapes():
    trace = network("tanh", sizes=(3, 10, 2)).backprop(np.zeros((5, 3)), np.zeros((5, 2)))
    assert repr(trace).splitlines() == [
        f"Trace of 2 layers, E = {trace.error:.6g}; shapes:",
        "layer  net_inputs  outputs  slopes   error_signals  deltas   weight_gradients  bias_gradients",
        "1      (5, 10)     (5, 10)  (5, 10)  (5, 10)        (5, 10)  (3, 10)           (10,)",
        "2      (5, 2)      (5, 2)   (5, 2)   (5, 2)         (5, 2)   (10, 2)           (2,)",
    ]


@pytest.mark.parametrize("m", [1, 5, 600])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "softmax", "identity"])
@pytest.mark.parametrize("sizes", [(3, 9, 17, 4), (1, 1), (33, 31, 1), (2, 3)], ids=str)
def test_products_with_the_jacobian(isa, dtype, rng, sizes, activation, m):
    if activation == "softmax" and sizes[-1] == 1:
        activation = "sigmoid"
    net = network(activation, dtype, sizes)
    X = rng.normal(size=(m, sizes[0])).astype(dtype)
    V = rng.normal(size=(m, sizes[-1])).astype(dtype)
    expected = np.einsum("mk,mki->mi", V, reference.Reference.of(net).jacobian(X))
    close(net.vjp(X, V), expected, dtype)
    close(net.vjp(X[0], V[0]), expected[0], dtype)
    close(net.vjp(X[::-1], V[::-1].tolist()), expected[::-1], dtype)


def test_the_product_of_a_fused_loss_is_that_of_its_outputs(rng):
    net = fastbp.Network([3, 5, 4], ["tanh", "softmax"], loss="cross_entropy", seed=1)
    X, V = rng.normal(size=(7, 3)), rng.normal(size=(7, 4))
    np.testing.assert_allclose(net.vjp(X, V), np.einsum("mk,mki->mi", V, net.jacobian(X)), atol=1e-13)


@pytest.mark.parametrize(("X", "V", "error", "match"), [
    (np.zeros((2, 3)), np.zeros((2, 3)), ValueError, r"V must have the shape \(2, 4\)"),
    (np.zeros((2, 3)), np.zeros(4), ValueError, r"V must have the shape \(2, 4\)"),
    (np.zeros(3), np.zeros((1, 4)), ValueError, r"V must have the shape \(4,\)"),
    (np.zeros(2), np.zeros(4), ValueError, "X must have the shape"),
    (np.zeros(3), ["a"] * 4, TypeError, "V must hold real numbers"),
    (np.zeros(3), [np.nan] * 4, ValueError, "V must be finite"),
    ([np.inf, 0, 0], np.zeros(4), ValueError, "X must be finite"),
])
def test_products_that_are_refused(X, V, error, match):
    with pytest.raises(error, match=match):
        network("tanh").vjp(X, V)


def test_a_jacobian_may_be_written_where_one_likes(dtype, rng):
    net = network("tanh", dtype)
    X = rng.normal(size=(5, 3)).astype(dtype)
    for inputs, shape in ((X, (5, 4, 3)), (X[0], (4, 3))):
        out = np.full(shape, np.nan, dtype)
        assert net.jacobian(inputs, out=out) is out
        np.testing.assert_array_equal(out, net.jacobian(inputs))
    with pytest.raises(ValueError, match=r"out must have the shape \(5, 4, 3\)"):
        net.jacobian(X, out=np.zeros((4, 3), dtype))
    memory = np.zeros(60, dtype)
    with pytest.raises(ValueError, match="out must not overlap X"):
        net.jacobian(memory[:15].reshape(5, 3), out=memory.reshape(5, 4, 3))
    with pytest.raises(ValueError, match="parameters"):
        net.jacobian(np.zeros(3, dtype), out=np.ndarray((4, 3), dtype, net.biases[1]))


# ---------------------------------------------------------------- second derivatives

def differences(net, X, h=1e-3):
    """Of the Jacobian, of 4th order."""
    columns = []
    for step in h * np.eye(X.shape[-1]):
        near, far = (net.jacobian(X + k * step) - net.jacobian(X - k * step) for k in (1, 2))
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("activation", hessians.SECOND)
@pytest.mark.parametrize("sizes", [(3, 5, 4, 2), (2, 3), (4, 6, 1)], ids=str)
def test_a_hessian_is_the_derivative_of_the_jacobian(activation, sizes, rng):
    names = [activation] * (len(sizes) - 1)
    names[-1] = "tanh" if activation == "softmax" and sizes[-1] == 1 else activation
    net = network(names, sizes=sizes)
    X = rng.normal(size=(6, sizes[0]))
    H = net.hessian(X)
    np.testing.assert_allclose(H, differences(net, X), rtol=0, atol=2e-9 * max(1, np.abs(H).max()))
    np.testing.assert_allclose(H, np.swapaxes(H, -1, -2), rtol=0, atol=1e-13 * max(1, np.abs(H).max()))
    np.testing.assert_allclose(net.hessian(X[0]), H[0], rtol=1e-12, atol=1e-14)
    single = fastbp.Network(sizes, names, dtype="float32", init=net.params).hessian(X)
    close(single, H, "float32")


def test_hessians_of_many_rows_come_in_blocks(monkeypatch, rng):
    net, X = network("tanh"), rng.normal(size=(23, 3))
    whole = net.hessian(X)
    monkeypatch.setattr(hessians, "BLOCK", 17 * 9 * 5)
    np.testing.assert_allclose(net.hessian(X), whole, rtol=1e-12, atol=1e-15)
    assert net.hessian(np.empty((0, 3))).shape == (0, 4, 3, 3)


@pytest.mark.parametrize("activation", ["threshold", "relu", "leaky_relu", "elu", "softsign"])
def test_kinks_have_no_hessian(activation):
    with pytest.raises(ValueError, match=f"hessian needs activations.*got '{activation}' in layer 2"):
        network(["tanh", activation, "tanh"]).hessian(np.zeros(3))
    with pytest.raises(ValueError, match="X must be finite, got nan at index 1"):
        network("tanh").hessian([0, np.nan, 0])


# ---------------------------------------------------------------- optimizers in hand

@pytest.mark.parametrize("make", [lambda: fastbp.SGD(0.01, 0.9), lambda: fastbp.Adam(0.01), lambda: fastbp.Rprop(),
                                  lambda: fastbp.SGD(0.01, l2=0.1, clip_norm=0.5), lambda: fastbp.SGD()])
def test_bind_with_an_optimizer_is_train_step(isa, dtype, make, rng):
    X, T = rng.normal(size=(7, 3)).astype(dtype), rng.normal(size=(7, 4)).astype(dtype)
    net, twin = network("tanh", dtype), network("tanh", dtype)
    optimizer, other = make(), make()
    bound = net.bind(X, T, optimizer=optimizer)
    assert bound.optimizer is optimizer
    for _ in range(5):
        assert bound.step() == twin.train_step(X, T, optimizer=other)
    np.testing.assert_array_equal(net.params, twin.params)
    assert optimizer.steps == other.steps == 5
    bound.learning_rate = 0.001
    assert optimizer.learning_rate == bound.learning_rate == 0.001


def test_the_rate_of_what_is_bound_may_change(rng):
    X, T = rng.normal(size=(7, 3)), rng.normal(size=(7, 4))
    net, twin = network("tanh"), network("tanh")
    bound = net.bind(X, T)
    assert bound.learning_rate == 0.1 / 7
    for rate in (0.01, 0.02):
        bound.learning_rate = rate
        assert bound.step() == twin.train_step(X, T, rate)
    np.testing.assert_array_equal(net.params, twin.params)
    for rate in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="learning_rate must be positive and finite"):
            bound.learning_rate = rate
    assert bound.learning_rate == 0.02
    with pytest.raises(ValueError, match="learning_rate cannot be given together with an optimizer"):
        net.bind(X, T, learning_rate=0.1, optimizer=fastbp.Adam())
    with pytest.raises(TypeError, match="optimizer"):
        net.bind(X, T, optimizer="adam")


def test_a_copy_of_an_optimizer_has_its_state(rng):
    X, T = rng.normal(size=(7, 3)), rng.normal(size=(7, 4))
    net, optimizer = network("tanh"), fastbp.Adam(0.01)
    net.train_step(X, T, optimizer=optimizer)
    twin, other = copy.deepcopy(net), optimizer.copy()
    assert type(other) is fastbp.Adam
    for _ in range(3):
        assert net.train_step(X, T, optimizer=optimizer) == twin.train_step(X, T, optimizer=other)
    np.testing.assert_array_equal(net.params, twin.params)
    assert optimizer.steps == other.steps == 4
