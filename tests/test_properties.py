"""What holds for every network, on networks and arrays that hypothesis generates."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ELEMENTWISE, KINKED, Reference, assert_close, random_problem

import fastbp

# Derandomised: the suite finds today what it finds tomorrow. No deadline: machines are shared.
settings.register_profile("fastbp", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("fastbp")

DTYPES = st.sampled_from(["float32", "float64"])
LAYER_SIZES = st.lists(st.integers(1, 40), min_size=2, max_size=5)
SMOOTH = st.sampled_from(sorted(ELEMENTWISE.keys() - KINKED - {"exp"}))  # exp of exp leaves size 1


@st.composite
def problems(draw):
    """A network, its oracle, X and T."""
    layer_sizes = draw(LAYER_SIZES)
    activations = [draw(SMOOTH) for _ in layer_sizes[1:]]
    dtype, reduction = draw(DTYPES), draw(st.sampled_from(["sum", "mean"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers, X, T = random_problem(rng, layer_sizes, draw(st.integers(1, 40)))
    net = fastbp.Network(layer_sizes, activations, reduction=reduction, dtype=dtype, init=layers)
    return net, Reference.of(net), X.astype(dtype), T.astype(dtype)


@given(problems())
def test_agrees_with_the_oracle(problem):
    net, oracle, X, T = problem
    terms = sum(net.layer_sizes) + len(X)
    assert_close(net.predict(X), oracle.predict(X), net.dtype, terms)
    assert_close(net.gradient(X, T)[1], oracle.gradient(X, T)[1], net.dtype, terms)


@given(problems(), st.data())
def test_views_mean_their_values(problem, data):
    net, _, X, _ = problem
    steps = data.draw(st.tuples(*[st.sampled_from([-3, -2, -1, 1, 2, 3])] * 2))
    base = np.full((len(X) * abs(steps[0]), X.shape[1] * abs(steps[1])), np.nan, X.dtype)
    view = base[:: steps[0], :: steps[1]]
    view[...] = X
    np.testing.assert_array_equal(net.predict(view), net.predict(X))


@given(problems(), st.data())
def test_a_batch_is_its_rows(problem, data):
    net, _, X, T = problem
    at = data.draw(st.integers(0, len(X) - 1))
    terms = sum(net.layer_sizes)
    assert_close(net.predict(X)[at], net.predict(X[at]).astype(float), net.dtype, terms)
    assert_close(net.jacobian(X)[at], net.jacobian(X[at]).astype(float), net.dtype, terms)
    if net.reduction == "sum":
        assert_close(net.input_gradient(X, T)[at], net.input_gradient(X[at], T[at]).astype(float), net.dtype, terms)


@given(problems())
def test_the_trace_and_the_flat_gradient_are_one(problem):
    net, _, X, T = problem
    trace = net.backprop(X, T)
    layers = zip(trace.weight_gradients, trace.bias_gradients, strict=True)
    error, flat = net.gradient(X, T)
    np.testing.assert_array_equal(flat, np.concatenate([part.ravel() for layer in layers for part in layer]))
    assert trace.error == error


@given(LAYER_SIZES, DTYPES, st.integers(0, 2**32))
def test_params_come_back_as_they_were_set(layer_sizes, dtype, seed):
    net = fastbp.Network(layer_sizes, dtype=dtype)
    params = np.random.default_rng(seed).standard_normal(net.n_params).astype(dtype)
    net.params = params
    assert net.params.tobytes() == params.tobytes()
    assert fastbp.io.loads(fastbp.io.dumps(net)).params.tobytes() == params.tobytes()


@given(problems(), st.integers(1, 50))
def test_training_in_batches_of_any_size_is_gradient_descent(problem, batch_size):
    net, oracle, X, T = problem
    learning_rate = 0.1 / batch_size
    net.fit(X, T, epochs=1, batch_size=batch_size, learning_rate=learning_rate, shuffle=False)
    for start in range(0, len(X), batch_size):
        batch = slice(start, start + batch_size)
        oracle.params = oracle.params - learning_rate * oracle.gradient(X[batch], T[batch])[1]
    assert_close(net.params, oracle.params, net.dtype, sum(net.layer_sizes) + len(X))
