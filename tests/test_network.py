"""A Network as an object: how it starts, what it shows, whose memory is whose."""

import copy
import math

import numpy as np
import pytest

import fastbp
from fastbp import activations


def test_attributes():
    net = fastbp.Network([3, 5, 4, 2], ["relu", "tanh", "softmax"], reduction="mean", dtype="float32")
    assert net.layer_sizes == (3, 5, 4, 2)
    assert net.activations == ("relu", "tanh", "softmax")
    assert (net.loss, net.reduction, net.dtype) == ("squared_error", "mean", np.dtype("float32"))
    assert (net.n_inputs, net.n_outputs, net.n_params) == (3, 2, 3 * 5 + 5 + 5 * 4 + 4 + 4 * 2 + 2)
    assert [W.shape for W in net.weights] == [(3, 5), (5, 4), (4, 2)]
    assert [b.shape for b in net.biases] == [(5,), (4,), (2,)]


def test_defaults():
    net = fastbp.Network([2, 3, 1])
    assert net.activations == ("sigmoid", "sigmoid")
    assert (net.loss, net.reduction, net.dtype) == ("squared_error", "sum", np.dtype("float64"))


@pytest.mark.parametrize(
    ("activation", "output_activation", "expected"),
    [
        ("relu", None, ("relu", "relu", "relu")),
        ("relu", "identity", ("relu", "relu", "identity")),
        (("sin", "exp", "elu"), None, ("sin", "exp", "elu")),
        ("linear", "step", ("identity", "identity", "threshold")),
        ("logistic", "swish", ("sigmoid", "sigmoid", "silu")),
    ],
)
def test_activation_of_each_layer(activation, output_activation, expected):
    assert fastbp.Network([2, 3, 3, 1], activation, output_activation).activations == expected


def test_repr_shows_the_architecture():
    shown = repr(fastbp.Network([7, 11, 3], "tanh", "softmax", dtype="float32"))
    for part in ["Network", "7", "11", "3", "tanh", "softmax", "float32"]:
        assert part in shown


# ---------------------------------------------------------------------------------------------- initial parameters


def assert_drawn_evenly(values, bound):
    """Uniform from -bound to bound; each limit would be missed by less than one seed in a million."""
    n, deviation = values.size, bound / math.sqrt(3)
    assert bound * (1 - 14 / n) < abs(values).max() <= bound
    assert abs(values.mean()) < 6 * deviation / math.sqrt(n)
    assert abs(values.std() / deviation - 1) < 6 * math.sqrt(0.2 / n)


GLOROT, HE, LECUN = math.sqrt(6 / (300 + 200)), math.sqrt(6 / 300), math.sqrt(3 / 300)
HALVING = ["relu", "leaky_relu", "elu", "softplus", "silu", "gelu"]


@pytest.mark.parametrize("activation", activations.TABLE)
def test_auto_init_suits_the_activation(activation, dtype):
    net = fastbp.Network([300, 200], activation, dtype=dtype, seed=0)
    assert_drawn_evenly(net.weights[0], HE if activation in HALVING else GLOROT)
    assert_drawn_evenly(net.biases[0], HE)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("init", "bound"), [("glorot", GLOROT), ("he", HE), ("lecun", LECUN)])
def test_published_rules_do_not_depend_on_the_activation(activation, init, bound):
    net = fastbp.Network([300, 200], activation, init=init, seed=0)
    assert_drawn_evenly(net.weights[0], bound)
    np.testing.assert_array_equal(net.biases[0], 0)


def test_rules_draw_the_same_numbers_from_a_seed():
    """With the same seeds, a comparison of rules then compares only the rules."""
    auto, lecun = (fastbp.Network([3, 5, 2], init=init, seed=4) for init in ("auto", "lecun"))
    for W, V, n_in, n_out in zip(auto.weights, lecun.weights, (3, 5), (5, 2), strict=True):
        np.testing.assert_allclose(W / math.sqrt(6 / (n_in + n_out)), V / math.sqrt(3 / n_in))


SPREAD = {"tanh": 1, "sigmoid": 2, "softsign": 1, "gaussian": 0.5}


@pytest.mark.parametrize("activation", SPREAD)
def test_nguyen_widrow_spreads_the_bends_over_the_inputs(activation, dtype):
    net = fastbp.Network([1, 20, 3], activation, dtype=dtype, init="Nguyen Widrow", seed=0)
    W, b = net.weights[0][0], net.biases[0]
    np.testing.assert_allclose(abs(W), 0.7 * SPREAD[activation] * 20, rtol=1e-6)
    assert 3 < (W > 0).sum() < 17
    np.testing.assert_allclose(-b / W, np.linspace(1, -1, 20), rtol=1e-6, atol=1e-7)  # where net inputs are 0
    # The second layer's inputs are from low to high: it does with outputs what the rule says for inputs of -1 to 1.
    low, high = activations.TABLE[activation].low, activations.TABLE[activation].high
    V, c = net.weights[1] * (high - low) / 2, net.biases[1] + (low + high) / 2 * net.weights[1].sum(axis=0)
    length = 0.7 * SPREAD[activation] * 3**(1 / 20)
    np.testing.assert_allclose(np.linalg.norm(V, axis=0), length, rtol=1e-6)
    np.testing.assert_allclose(c, length * np.sign(V[0]) * [-1, 0, 1], rtol=1e-5, atol=1e-6)


def test_nguyen_widrow_draws_other_layers_as_auto_does():
    sizes, activation = [3, 4, 5, 2, 1], ["sin", "relu", "tanh", "identity"]    # relu leaves the third no bounds
    spread, auto = (fastbp.Network(sizes, activation, init=init, seed=2) for init in ("nguyen_widrow", "auto"))
    for l in range(4):
        np.testing.assert_array_equal(spread.weights[l], auto.weights[l])
        bound = math.sqrt(6 / sizes[l])
        assert (abs(spread.biases[l]) <= bound).all()
        assert (spread.biases[l] != 0).all()
    single = fastbp.Network([2, 1], "tanh", init="nguyen_widrow", seed=0)
    np.testing.assert_allclose(np.linalg.norm(single.weights[0]), 0.7)
    assert single.biases[0] == 0


def test_nguyen_widrow_of_a_population():
    pop = fastbp.Population(5, [2, 9, 2], ["sigmoid", "identity"], init="nguyen-widrow", seed=0)
    np.testing.assert_allclose(np.linalg.norm(pop.weights[0], axis=1), 0.7 * 2 * 3)
    np.testing.assert_allclose(pop.biases[0], 0.7 * 2 * 3 * np.linspace(-1, 1, 9) * np.sign(pop.weights[0][:, 0]))
    assert len({tuple(W.ravel()) for W in pop.weights[0]}) == 5
    auto = fastbp.Population(5, [2, 9, 2], ["sigmoid", "identity"], seed=0)
    np.testing.assert_array_equal(pop.weights[1], auto.weights[1])


def test_zeros():
    np.testing.assert_array_equal(fastbp.Network([3, 2], init="zeros", seed=0).params, 0)


def test_init_of_each_layer():
    W, b = np.arange(12.0).reshape(4, 3), np.arange(3.0)
    init = ["he", fastbp.uniform(2, 3), (W, b), "zeros"]
    net = fastbp.Network([300, 200, 4, 3, 2], init=init, seed=0)
    assert_drawn_evenly(net.weights[0], HE)
    np.testing.assert_array_equal(net.biases[0], 0)
    for values in (net.weights[1], net.biases[1]):
        assert ((values >= 2) & (values < 3)).all()
    np.testing.assert_array_equal(net.weights[2], W)
    np.testing.assert_array_equal(net.biases[2], b)
    for values in (net.weights[3], net.biases[3]):
        np.testing.assert_array_equal(values, 0)


def test_one_rule_is_that_of_each_layer():
    for rule in ("auto", "he", fastbp.uniform(-1, 1)):
        one, each = (fastbp.Network([3, 4, 2], init=init, seed=1).params for init in (rule, (rule, rule)))
        np.testing.assert_array_equal(one, each)


@pytest.mark.parametrize(("activation", "most"), [("tanh", 0.08), ("sigmoid", 0.16), ("relu", 0.17)])
def test_a_curve_is_learnt_away_from_the_origin(activation, most):
    """With one input, where initial biases of 0 leave 0.18, 0.25 and 0.31 after the same training (docs/method.md)."""
    curve, errors = np.linspace(-2, 2, 400)[:, None], []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2, (200, 1))
        net = fastbp.Network([1, 20, 1], activation, "identity", reduction="mean", seed=seed)
        net.fit(x, np.sin(3 * x) + 0.1 * rng.normal(size=x.shape), epochs=500, batch_size=32,
                optimizer=fastbp.Adam(0.01))
        errors.append(np.sqrt(np.mean((net.predict(curve) - np.sin(3 * curve)) ** 2)))
    assert np.median(errors) < most


def test_uniform_init_fills_its_range():
    W = fastbp.Network([50, 40], init=fastbp.uniform(-0.25, 0.75), seed=0).weights[0]
    assert -0.25 <= W.min() < -0.24
    assert 0.74 < W.max() <= 0.75


def test_init_by_vector_and_by_pairs_mean_the_same(dtype):
    W1, b1, W2, b2 = np.arange(6.0).reshape(2, 3), np.arange(6.0, 9), np.arange(9.0, 12).reshape(3, 1), np.array([12.0])
    by_pairs = fastbp.Network([2, 3, 1], dtype=dtype, init=[(W1, b1), (W2, b2)])
    by_vector = fastbp.Network([2, 3, 1], dtype=dtype, init=np.arange(13))
    np.testing.assert_array_equal(by_pairs.params, np.arange(13))
    np.testing.assert_array_equal(by_vector.params, np.arange(13))
    W1[:] = -1
    np.testing.assert_array_equal(by_pairs.params, np.arange(13))


@pytest.mark.parametrize("init", ["auto", "glorot", "nguyen_widrow", fastbp.uniform(-1, 1), ["he", "lecun"]])
def test_seed_makes_the_parameters_reproducible(init):
    def params(seed):
        return fastbp.Network([3, 4, 2], init=init, seed=seed).params

    np.testing.assert_array_equal(params(5), params(5))
    np.testing.assert_array_equal(params(np.random.default_rng(5)), params(np.random.default_rng(5)))
    assert (params(5) != params(6)).any()
    assert (params(None) != params(None)).any()


# ------------------------------------------------------------------------------------- parameters: views and vector


def test_params_is_a_new_compact_vector_in_the_documented_order(dtype):
    net = fastbp.Network([3, 5, 2], dtype=dtype, seed=0)
    params = net.params
    (W1, W2), (b1, b2) = net.weights, net.biases
    np.testing.assert_array_equal(params, np.concatenate([W1.ravel(), b1, W2.ravel(), b2]))
    assert params.dtype == dtype
    assert params.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        params[0] = 1
    W1[0, 0] = 7
    assert net.params[0] == 7 != params[0]


def test_params_can_be_set(dtype):
    net = fastbp.Network([3, 5, 2], dtype=dtype, seed=0)
    W, b = net.weights[1], net.biases[0]
    net.params = np.arange(net.n_params)
    np.testing.assert_array_equal(net.params, np.arange(net.n_params))
    np.testing.assert_array_equal(b, np.arange(15, 20))
    np.testing.assert_array_equal(W, np.arange(20, 30).reshape(5, 2))


def test_weights_and_biases_are_live(isa, dtype, rng):
    net = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=0)
    W, b = net.weights[0], net.biases[1]
    X, T = rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, (4, 2))
    net.train_step(X, T)  # whatever the library keeps beside the parameters exists now

    W[...], b[...] = rng.uniform(-1, 1, W.shape), [0.5, -0.5]
    same = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, init=net.params)
    np.testing.assert_array_equal(net.predict(X), same.predict(X))
    np.testing.assert_array_equal(net.gradient(X, T)[1], same.gradient(X, T)[1])
    for training in (net, same):
        training.train_step(X[0], T[0])
        training.fit(X, T, epochs=2, seed=0)
    np.testing.assert_array_equal(net.params, same.params)
    np.testing.assert_array_equal(W, same.weights[0])
    np.testing.assert_array_equal(b, same.biases[1])


@pytest.mark.parametrize("name", ["layer_sizes", "activations", "loss", "dtype", "weights", "biases", "n_params"])
def test_what_defines_a_network_cannot_be_assigned(name):
    net = fastbp.Network([2, 3, 1])
    with pytest.raises(AttributeError):
        setattr(net, name, getattr(net, name))


# ------------------------------------------------------------------------------------------------- results and out


def test_results_are_not_overwritten_by_later_calls(rng):
    net = fastbp.Network([3, 5, 2], seed=0)
    X, T = rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, (4, 2))

    def results(X):
        trace = net.backprop(X, T)
        lists = [trace.net_inputs, trace.outputs, trace.error_signals, trace.deltas]
        lists += [trace.weight_gradients, trace.bias_gradients]
        arrays = [array for layers in lists for array in layers]
        return [*arrays, net.predict(X), net.gradient(X, T)[1], net.input_gradient(X, T), net.jacobian(X)]

    first = results(X)
    kept = copy.deepcopy(first)
    results(-X)
    net.train_step(X, T)
    for array, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        assert array.flags.writeable


def test_out_is_filled_and_returned(dtype, rng):
    net = fastbp.Network([3, 5, 2], dtype=dtype, seed=0)
    X, T = rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, (4, 2))
    out, one, flat = np.empty((4, 2), dtype), np.empty(2, dtype), np.empty(net.n_params, dtype)
    assert net.predict(X, out=out) is out
    assert net.predict(X[0], out=one) is one
    assert net.gradient(X, T, out=flat)[1] is flat
    np.testing.assert_array_equal(out, net.predict(X))
    np.testing.assert_array_equal(one, net.predict(X[0]))
    np.testing.assert_array_equal(flat, net.gradient(X, T)[1])


def test_no_samples_are_predicted_as_no_outputs(dtype):
    assert fastbp.Network([3, 5, 2], dtype=dtype).predict(np.empty((0, 3))).shape == (0, 2)


# ------------------------------------------------------------------------------------------------------------ bind


@pytest.mark.parametrize("shape", [(), (1,), (7,)], ids=["one sample", "batch of one", "batch"])
def test_bound_network_reads_and_writes_the_buffers_it_was_given(isa, dtype, rng, shape):
    net = fastbp.Network([3, 5, 2], "tanh", dtype=dtype, seed=0)
    same = net.copy()
    x, t, out = np.empty((*shape, 3), dtype), np.empty((*shape, 2), dtype), np.empty((*shape, 2), dtype)
    bound = net.bind(x, t, out, learning_rate=0.25)
    for _ in range(3):
        x[...], t[...] = rng.uniform(-1, 1, x.shape), rng.uniform(-1, 1, t.shape)
        assert bound.predict() is out
        np.testing.assert_array_equal(out, same.predict(x))
        assert bound.step() == same.train_step(x, t, learning_rate=0.25)
        np.testing.assert_array_equal(net.params, same.params)


def test_bound_network_makes_its_own_out_and_survives_other_batches(rng):
    net = fastbp.Network([3, 5, 2], seed=0)
    x = rng.uniform(-1, 1, (2, 3))
    bound = net.bind(x)
    expected = bound.predict().copy()
    net.predict(rng.uniform(-1, 1, (2000, 3)))  # the workspaces have moved
    np.testing.assert_array_equal(bound.predict(), expected)
    assert bound.predict() is bound.predict()
