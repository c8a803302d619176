"""The optimizers: their rules against the oracle's, and whose state is whose."""

import numpy as np
import pytest
import reference
from reference import Reference, assert_close, random_problem
from test_activations import as_read

import fastbp
from fastbp.optimizers import NAMES

RULES = [
    ("SGD", {"learning_rate": 0.2}),
    ("SGD", {"learning_rate": 0.2, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.2, "momentum": 0.5, "nesterov": True}),
    ("Adam", {"learning_rate": 0.02}),
    ("Adam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.1}),
    ("Nadam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9}),
    ("RMSprop", {"learning_rate": 0.02, "rho": 0.8, "epsilon": 1e-3}),
    ("Adagrad", {"learning_rate": 0.1, "epsilon": 1e-3}),
    ("Rprop", {"learning_rate": 0.05, "largest": 0.08, "least": 0.03}),
]
rules = pytest.mark.parametrize(("name", "options"), RULES, ids=str)

M = 10
BATCHES = [slice(0, 4), slice(4, 8), slice(8, 12)]  # the last one has two samples


@pytest.fixture
def data(rng):
    return random_problem(rng, [3, 5, 2], M)[1:]


def network(dtype="float64"):
    return fastbp.Network([3, 5, 2], "tanh", dtype=dtype, reduction="mean", seed=3)


def steps(net, optimizer, data, epochs=3):
    X, T = data
    for batch in BATCHES * epochs:
        net.train_step(X[batch], T[batch], optimizer=optimizer)
    return net.params


@rules
def test_steps_follow_the_rule(isa, dtype, data, name, options):
    X, T = data
    net = network(dtype)
    oracle, rule = Reference.of(net), getattr(reference, name)(**options)
    for batch in BATCHES * 3:
        oracle.params = rule.step(oracle.params, oracle.gradient(X[batch], T[batch])[1])
    optimizer = getattr(fastbp, name)(**options)
    assert_close(steps(net, optimizer, data), oracle.params, dtype, terms=9 * M)
    assert optimizer.steps == 9


@rules
def test_a_gradient_from_elsewhere_makes_the_same_step(dtype, data, name, options):
    """What fastbp.interop.dask does with the sum of its workers' gradients."""
    X, T = data
    options = {**options, "l1": 1e-3, "l2": 1e-2, "clip_norm": 0.1, "max_norm": 1.0, "layer_rates": [1.0, 0.5]}
    whole, net = network(dtype), network(dtype)
    optimizer, other = (getattr(fastbp, name)(**options) for _ in range(2))
    for _ in range(3):
        error = whole.train_step(X, T, optimizer=optimizer)
        same, gradient = net.gradient(X, T)
        assert same == pytest.approx(error, rel=1e-6)
        assert other._step(net, gradient, M)
        assert net.params.tobytes() == whole.params.tobytes()
    assert not other._step(net, np.full(net.n_params, np.inf), M)
    assert (other.steps, net.params.tobytes()) == (3, whole.params.tobytes())
    with pytest.raises(ValueError, match="gradient must have the shape"):
        other._step(net, np.zeros(3), M)


def test_a_given_gradient_sums_over_the_samples_that_are_said():
    net = fastbp.Network([1, 1], "identity", init=[1.0, 1.0])
    assert fastbp.SGD()._step(net, [5.0, 0.0], 10)
    assert net.params.tolist() == [1.0 - 0.1 / 10 * 5.0, 1.0]


@pytest.mark.filterwarnings("ignore:Rprop compares")
@rules
def test_fit_takes_the_same_steps(isa, dtype, data, name, options):
    net, optimizer = network(dtype), getattr(fastbp, name)(**options)
    net.fit(*data, epochs=3, batch_size=4, optimizer=optimizer, shuffle=False)
    np.testing.assert_array_equal(net.params, steps(network(dtype), getattr(fastbp, name)(**options), data))
    assert optimizer.steps == 9


@pytest.mark.parametrize(("name", "defaults"), [
    ("SGD", {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}),
    ("Adam", {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ("Nadam", {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ("AdamW", {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "decay": 0.01}),
    ("RMSprop", {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-8}),
    ("Adagrad", {"learning_rate": 0.01, "epsilon": 1e-10}),
    ("Rprop", {"learning_rate": 0.1, "grow": 1.2, "shrink": 0.5, "least": 1e-6, "largest": 50.0}),
])
def test_defaults(name, defaults):
    common = {"l1": 0.0, "l2": 0.0, "clip_norm": None, "max_norm": None, "layer_rates": None}
    optimizer = getattr(fastbp, name)()
    assert {key: getattr(optimizer, key) for key in defaults | common} == defaults | common


@rules
def test_repr_makes_the_same_again(name, options):
    again = eval(repr(getattr(fastbp, name)(**options)), vars(fastbp).copy())
    assert {key: getattr(again, key) for key in options} == options


def test_steps_of_rprop_may_have_a_single_size():
    net = fastbp.Network([1, 1], "identity", init=[2, 0])
    net.train_step([1.0], [0.0], optimizer=fastbp.Rprop(learning_rate=0.5, least=0.5, largest=0.5))
    np.testing.assert_array_equal(net.params, [1.5, -0.5])


@pytest.mark.parametrize(("name", "optimizer"), NAMES.items())
def test_a_name_makes_a_new_optimizer(data, name, optimizer):
    by_name, by_object = network(), network()
    for _ in range(2):
        by_name.fit(*data, epochs=2, learning_rate=0.05, optimizer=name, shuffle=False)
        by_object.fit(*data, epochs=2, optimizer=optimizer(0.05), shuffle=False)
    np.testing.assert_array_equal(by_name.params, by_object.params)


@rules
def test_reset_forgets_the_state(data, name, options):
    optimizer = getattr(fastbp, name)(**options)
    first = steps(network(), optimizer, data)
    optimizer.reset()
    assert optimizer.steps == 0
    np.testing.assert_array_equal(steps(network(), optimizer, data), first)


def test_state_goes_on_from_step_to_step(data):
    optimizer = fastbp.SGD(0.2, momentum=0.9)
    first = steps(network(), optimizer, data)
    assert (steps(network(), optimizer, data) != first).any()


def test_state_of_another_architecture_is_refused(data):
    optimizer = fastbp.Adam()
    steps(network(), optimizer, data)
    other = fastbp.Network([3, 4, 2], seed=0)
    before = other.params
    with pytest.raises(ValueError, match="optimizer"):
        other.train_step(*data, optimizer=optimizer)
    np.testing.assert_array_equal(other.params, before)
    optimizer.reset()
    other.train_step(*data, optimizer=optimizer)
    assert (other.params != before).any()


def test_a_refused_step_leaves_the_optimizer_new(data):
    X, T = data
    optimizer = fastbp.SGD(0.2, momentum=0.9)
    with pytest.raises(ValueError, match="finite"):
        fastbp.Network([3, 4, 2]).train_step(np.full_like(X, np.nan), T, optimizer=optimizer)
    assert optimizer.steps == 0
    np.testing.assert_array_equal(
        steps(network(), optimizer, data), steps(network(), fastbp.SGD(0.2, momentum=0.9), data)
    )


@rules
def test_divergence_leaves_the_last_finite_parameters(isa, dtype, name, options):
    if name == "Rprop":
        options = options | {"learning_rate": 0.04}
    # x and t are numbers of the dtype, the product of x and e = y - t is none.
    net = fastbp.Network([1, 1], "identity", dtype=dtype, init=[1, 0])
    largest = float(np.finfo(dtype).max)
    with pytest.raises(fastbp.DivergenceError):
        net.train_step([largest**0.6], [largest**0.9], optimizer=getattr(fastbp, name)(**options))
    np.testing.assert_array_equal(net.params, [1, 0])


def test_learning_rate_may_be_changed_between_steps(data):
    optimizer = fastbp.SGD(0.5)
    optimizer.learning_rate = 0.2
    np.testing.assert_array_equal(steps(network(), optimizer, data), steps(network(), fastbp.SGD(0.2), data))


def test_plain_descent_has_no_state_and_serves_any_network():
    optimizer = fastbp.SGD(0.5)
    for sizes in ([2, 1], [3, 4, 2]):
        net = fastbp.Network(sizes, seed=0)
        twin = net.copy()
        x, t = np.ones(sizes[0]), np.zeros(sizes[-1])
        assert net.train_step(x, t, optimizer=optimizer) == twin.train_step(x, t, learning_rate=0.5)
        np.testing.assert_array_equal(net.params, twin.params)


def is_weight(net):
    """A mask over `params`: True for the weights, False for the biases."""
    parts = [np.full(part.size, kind) for W, b in zip(net.weights, net.biases, strict=True)
             for part, kind in ((W, True), (b, False))]
    return np.concatenate(parts)


REGULARISED = [(sizes, reduction) for sizes in ([3, 5, 2], [3, 9, 1], [4, 1], [2, 17, 16, 3])
               for reduction in ("sum", "mean")]
regularised = pytest.mark.parametrize(("sizes", "reduction"), REGULARISED, ids=str)


def problem(rng, sizes, dtype, reduction):
    layers, X, T = random_problem(rng, sizes, 6)
    net = fastbp.Network(sizes, "tanh", init=layers, dtype=dtype, reduction=reduction)
    return net, Reference.of(net), X, T


@regularised
def test_penalties_spare_the_biases(isa, dtype, rng, sizes, reduction):
    net, oracle, X, T = problem(rng, sizes, dtype, reduction)
    weights, rule = is_weight(net), reference.SGD(0.1, 0.9)
    net.weights[0][0, 0] = 0        # at which |w| has no slope
    oracle.params = net.params
    optimizer = fastbp.SGD(0.1, momentum=0.9, l1=0.01, l2=0.1)
    for _ in range(4):
        w = oracle.params
        gradient = oracle.gradient(X, T)[1] + weights * (0.1 * w + 0.01 * np.sign(w))
        oracle.params = rule.step(w, gradient)
        error = net.train_step(X, T, optimizer=optimizer)
    assert_close(net.params, oracle.params, dtype, terms=200)
    oracle.params = w
    assert error == pytest.approx(oracle.error(X, T), rel=1e-4)      # without the penalty


@regularised
@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6])
def test_clipping_keeps_the_direction(isa, dtype, rng, sizes, reduction, clip):
    net, oracle, X, T = problem(rng, sizes, dtype, reduction)
    gradient = oracle.gradient(X, T)[1]
    norm = np.linalg.norm(gradient)
    net.train_step(X, T, optimizer=fastbp.SGD(0.5, clip_norm=clip))
    assert_close(net.params, oracle.params - 0.5 * gradient * min(1, clip / norm), dtype, terms=100)


@regularised
def test_weights_into_a_neuron_have_a_largest_norm(isa, dtype, rng, sizes, reduction):
    net, oracle, X, T = problem(rng, sizes, dtype, reduction)
    oracle.params -= 0.1 * oracle.gradient(X, T)[1]
    net.train_step(X, T, optimizer=fastbp.SGD(0.1, max_norm=0.4))
    limited = 0
    for (W, b), V, c in zip(oracle.layers, net.weights, net.biases, strict=True):
        norms = np.linalg.norm(W, axis=0)
        limited += (norms > 0.4).sum()
        assert_close(V, W * np.minimum(1, 0.4 / norms), dtype, terms=100)
        assert_close(c, b, dtype, terms=100)
    assert limited


@regularised
def test_decay_is_apart_from_the_gradient(isa, dtype, rng, sizes, reduction):
    net, oracle, X, T = problem(rng, sizes, dtype, reduction)
    rule, optimizer = reference.Adam(0.05), fastbp.AdamW(0.05, decay=0.5)
    for _ in range(3):
        gradient = oracle.gradient(X, T)[1]
        oracle.params = rule.step(oracle.params * (1 - 0.05 * 0.5 * is_weight(net)), gradient)
        net.train_step(X, T, optimizer=optimizer)
    assert_close(net.params, oracle.params, dtype, terms=200)


@rules
def test_layers_have_rates_of_their_own_and_may_freeze(isa, dtype, rng, name, options):
    if name == "Rprop":
        options = options | {"least": 0.0001}
    net, oracle, X, T = problem(rng, [3, 5, 4, 2], dtype, "mean")
    before = net.params
    rule = getattr(reference, name)(**options)
    optimizer = getattr(fastbp, name)(**options, layer_rates=[1, 0, 0.5])
    factors = np.repeat([1, 0, 0.5], [W.size + b.size for W, b in oracle.layers])
    gradient = oracle.gradient(X, T)[1]
    net.train_step(X, T, optimizer=optimizer)
    assert_close(net.params, before + factors * (rule.step(before, gradient) - before), dtype, terms=100)
    np.testing.assert_array_equal(net.params[factors == 0], before[factors == 0])


def test_rates_must_be_one_for_each_layer(data):
    net = network()
    before = net.params
    with pytest.raises(ValueError, match="layer_rates must hold one number for each of the 2 layers, got 3"):
        net.train_step(*data, optimizer=fastbp.SGD(layer_rates=[1, 1, 1]))
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_sample_weights_in_training(isa, dtype, rng, batch_size, reduction):
    net, oracle, X, T = problem(rng, [3, 5, 2], dtype, reduction)
    weights = rng.uniform(0, 2, len(X))
    # Where the loss is a mean over all samples, a batch has its share of it.
    shares = weights * (len(X) / weights.sum() if reduction == "mean" else 1)
    samples = net._samples(X, T, weights)
    net._train_epoch(samples, None, batch_size, fastbp.SGD(0.1), 0)
    oracle.reduction = "sum"
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        count = len(X[rows]) if reduction == "mean" else 1
        oracle.params = oracle.params - 0.1 * oracle.gradient(X[rows], T[rows], shares[rows])[1] / count
    assert_close(net.params, oracle.params, dtype, terms=200)


def test_dropout_follows_the_oracle(isa, dtype, rng):
    # The masks are found out by what the dropped neurons' weights do: nothing.
    net, oracle, X, T = problem(rng, [3, 40, 2], dtype, "sum")
    before = net.params
    net._train_epoch(net._samples(X[:1], T[:1]), None, 1, fastbp.SGD(0.1), 0, (0.5,), 7)
    kept = (net.weights[0] != oracle.layers[0][0]).any(axis=0)
    assert 5 < kept.sum() < 35
    (W, b), (V, c) = oracle.layers
    thinned = Reference([(W[:, kept], b[kept]), (V[kept] * 2, c)], ["tanh", "tanh"])
    _, gradient = thinned.gradient(X[:1], T[:1])
    moved = (before - net.params) / 0.1
    expected = np.zeros((3, 40))
    expected[:, kept] = gradient[:3 * kept.sum()].reshape(3, -1)
    assert_close(moved[:120], expected.ravel(), dtype, terms=2000)


def test_dropout_is_a_function_of_its_seed(rng):
    net, _, X, T = problem(rng, [3, 40, 2], "float64", "sum")
    results = []
    for seed in (7, 7, 8):
        twin = net.copy()
        samples = twin._samples(X, T)
        for epoch in range(3):
            twin._train_epoch(samples, None, 2, fastbp.SGD(0.1), epoch, (0.3,), seed + epoch)
        results.append(twin.params)
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


@rules
def test_state_goes_out_and_in(data, name, options):
    net, optimizer = network(), getattr(fastbp, name)(**options, l2=0.01)
    steps(net, optimizer, data)
    twin, other = network(), getattr(fastbp, name)(**options, l2=0.01)
    twin.params = net.params
    other._restore(twin, optimizer._state())
    np.testing.assert_array_equal(steps(twin, other, data), steps(net, optimizer, data))
    assert other.steps == optimizer.steps


# Powers of ten from end to end of the dtype, as shares of the largest one's exponent.
EXPONENT = {"float32": 37, "float64": 307}
SHARES = [-0.9, -0.5, -0.2, 0, 0.5, 0.7]


def power_of_ten(share, dtype):
    return 10.0 ** (share * EXPONENT[dtype])


def numbers(rng, shape, spread):
    """Numbers of either sign, with sizes from 10^-spread to 1."""
    return rng.choice([-1, 1], shape) * 10 ** rng.uniform(-spread, 0, shape)


def limited(x, largest):
    """The columns of x, those of a larger norm scaled down to it; and all norms."""
    x = np.asarray(x, np.longdouble)
    norms = np.hypot.reduce(x, axis=0)      # which neither overflows nor underflows on the way
    return x * np.minimum(1, largest / np.where(norms == 0, 1, norms)), norms


def assert_same_numbers(actual, expected, dtype):
    """Each number is relatively the same; what is lost below the normal numbers does not count."""
    info = np.finfo(dtype)
    np.testing.assert_allclose(actual, np.asarray(expected, float), rtol=30 * info.eps, atol=100 * info.tiny)


@pytest.mark.parametrize("clip", SHARES)
@pytest.mark.parametrize("error", [-0.4, 0])
@pytest.mark.parametrize("n_outputs", [1, 5, 17])
def test_clipping_of_gradients_of_any_size(isa, dtype, rng, n_outputs, error, clip):
    clip = power_of_ten(clip, dtype)
    for size in [*SHARES, 0.9, 0.99]:
        for spread in (0, 9, 30):
            # From weights of 0 and with a rate of 1, the parameters become -g; that of the bias is E's slope itself.
            x = (power_of_ten(size, dtype) * numbers(rng, 9, spread)).astype(dtype)
            e = (power_of_ten(error, dtype) * numbers(rng, n_outputs, 1)).astype(dtype)
            net = fastbp.Network([9, n_outputs], "identity", dtype=dtype, init=np.zeros(10 * n_outputs))
            net.train_step(x, -e, optimizer=fastbp.SGD(1.0, clip_norm=clip))
            gradient = np.outer(np.append(x, 1).astype(np.longdouble), e).ravel()
            assert_same_numbers(-net.params, limited(gradient, clip)[0], dtype)


@rules
@pytest.mark.parametrize("size", [0.5, 0.8, 0.99])
def test_a_clipped_gradient_serves_every_optimizer(isa, dtype, rng, name, options, size):
    x = (power_of_ten(size, dtype) * numbers(rng, 9, 2)).astype(dtype)
    clipped, plain = (fastbp.Network([9, 1], "identity", dtype=dtype, init=np.zeros(10)) for _ in range(2))
    optimizer, twin = (getattr(fastbp, name)(**options, clip_norm=clip) for clip in (0.25, None))
    clipped.train_step(x, [-1.0], optimizer=optimizer)
    plain.train_step(limited(x, 0.25)[0].astype(dtype), [-1.0], optimizer=twin)
    np.testing.assert_allclose(clipped.weights[0], plain.weights[0], rtol=1e-5)


def test_clipping_does_not_hide_a_gradient_that_is_not_finite(isa, dtype):
    largest = float(np.finfo(dtype).max)
    for X, T in (([[largest]], [[2.0]]), ([[largest], [largest]], [[2.0], [-2.0]])):    # infinity; infinity - infinity
        net = fastbp.Network([1, 1], "identity", dtype=dtype, init=[0, 0])
        with pytest.raises(fastbp.DivergenceError):
            net.train_step(X, T, optimizer=fastbp.SGD(0.1, clip_norm=1.0))
        np.testing.assert_array_equal(net.params, [0, 0])


@pytest.mark.parametrize("max_norm", [*SHARES, 0.9, 0.99, "largest"])
@pytest.mark.parametrize("n_outputs", [1, 5, 17])
def test_norms_of_weights_of_any_size(isa, dtype, rng, n_outputs, max_norm):
    largest = float(np.finfo(dtype).max)
    max_norm = largest if max_norm == "largest" else power_of_ten(max_norm, dtype)
    for spread in (0, 9, 30):
        for first in range(len(SHARES) + 4):
            # Neighbours of every size: none may spoil another. 0 has no norm to be divided by.
            sizes = np.roll([*(power_of_ten(share, dtype) for share in [*SHARES, 0.9, 0.99]), 0, largest], first)
            W = (np.resize(sizes, n_outputs) * numbers(rng, (9, n_outputs), spread)).astype(dtype)
            net = fastbp.Network([9, n_outputs], "identity", dtype=dtype, init=np.zeros(10 * n_outputs))
            net.weights[0][...] = W
            net.train_step(np.zeros(9), np.zeros(n_outputs), optimizer=fastbp.SGD(1.0, max_norm=max_norm))
            expected, norms = limited(W, max_norm)
            assert_same_numbers(net.weights[0], expected, dtype)
            spared = norms < 0.9999 * max_norm
            np.testing.assert_array_equal(net.weights[0][:, spared], as_read(W[:, spared]))


@pytest.mark.parametrize(("options", "expected"), [({"l1": 2.0}, 6e30), ({"l2": 2e-30}, np.inf)], ids=str)
def test_a_penalty_that_is_not_asked_for_adds_nothing(isa, options, expected):
    # In float32 the squares of these weights are infinite.
    net = fastbp.Network([3, 1], "identity", dtype="float32", init=[1e30, 1e30, 1e30, 0])
    samples = net._samples(np.zeros((1, 3)), np.zeros((1, 1)))
    net._train_epoch(samples, None, 1, fastbp.SGD(1e-3, **options), 0)
    assert samples.penalty == pytest.approx(expected)
