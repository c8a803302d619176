"""The losses: E, gradients and training against the oracle; labels; impossible arguments are refused."""

import numpy as np
import pytest
from reference import SGD, Reference, assert_close, central_difference, random_problem

import fastbp
from fastbp import _core, losses

# The widths of softmax: two, odd, around a vector of each instruction set, several vectors.
WIDTHS = [2, 3, 4, 5, 8, 9, 16, 17, 35]


def problem(rng, n_outputs, n_samples=7, dtype="float64"):
    """A classifier with one hidden layer, inputs, one-hot targets and labels."""
    sizes = [3, 6, n_outputs]
    layers, X, _ = random_problem(rng, sizes, n_samples)
    labels = rng.integers(n_outputs, size=n_samples)
    return sizes, layers, X.astype(dtype), np.eye(n_outputs, dtype=dtype)[labels], labels


def classifier(sizes, layers, **options):
    return fastbp.Network(sizes, "tanh", "softmax", loss="cross_entropy", init=layers, **options)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("n_outputs", WIDTHS)
def test_cross_entropy_against_the_oracle(isa, dtype, rng, n_outputs, reduction):
    sizes, layers, X, T, labels = problem(rng, n_outputs, dtype=dtype)
    net = classifier(sizes, layers, dtype=dtype, reduction=reduction)
    oracle = Reference.of(net)
    error, gradient = net.gradient(X, T)
    expected_error, expected = oracle.gradient(X, T)
    assert_close(error, expected_error, dtype, 50)
    assert_close(gradient, expected, dtype, 50)
    assert_close(net.error(X, T), expected_error, dtype, 50)
    assert_close(net.rms(X, T), oracle.rms(X, T), dtype, 50)
    assert_close(net.input_gradient(X, T), oracle.input_gradient(X, T), dtype, 50)
    # One integer a sample says the same, bit for bit.
    by_labels = net.gradient(X, labels)
    assert by_labels[0] == pytest.approx(error, rel=1e-6)
    assert_close(by_labels[1], gradient, dtype, 50)


@pytest.mark.parametrize("soft", [False, True], ids=["one-hot", "any targets"])
def test_gradient_is_that_of_the_error(isa, rng, soft):
    # Targets need not be probabilities: E and its gradient are of the same function all the same.
    sizes, layers, X, T, _ = problem(rng, 3)
    if soft:
        T = rng.uniform(0, 2, T.shape)
    net = classifier(sizes, layers)

    def error_at(params):
        net.params = params
        return net.error(X, T)

    params = net.params
    differences = central_difference(error_at, params)
    net.params = params
    np.testing.assert_allclose(net.gradient(X, T)[1], differences, rtol=0, atol=1e-9)


def test_the_trace_shows_error_signals_and_deltas(isa, dtype, rng):
    sizes, layers, X, T, _ = problem(rng, 3, dtype=dtype)
    net = classifier(sizes, layers, dtype=dtype)
    trace, oracle = net.backprop(X, T), Reference.of(net).backprop(X, T)
    for name in ("error_signals", "deltas", "weight_gradients", "bias_gradients"):
        for actual, expected in zip(getattr(trace, name), getattr(oracle, name), strict=True):
            assert_close(actual, expected, dtype, 100)
    assert_close(trace.error, oracle.error, dtype, 50)


@pytest.mark.parametrize("as_labels", [False, True], ids=["one-hot", "labels"])
@pytest.mark.parametrize("batch_size", [1, 3, "full"])
def test_fit_is_gradient_descent(isa, dtype, rng, batch_size, as_labels):
    sizes, layers, X, T, labels = problem(rng, 5, dtype=dtype)
    net = classifier(sizes, layers, dtype=dtype)
    oracle, descent, step = Reference.of(net), SGD(0.05), batch_size if batch_size != "full" else len(X)
    history = net.fit(X, labels if as_labels else T, epochs=2, batch_size=batch_size, learning_rate=0.05, shuffle=False)
    errors = []
    for _ in range(2):
        errors.append(0.0)
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            error, gradient = oracle.gradient(X[rows], T[rows])
            errors[-1] += error
            oracle.params = descent.step(oracle.params, gradient)
    assert_close(net.params, oracle.params, dtype, 200)
    assert_close(history.error, errors, dtype, 200)


@pytest.mark.parametrize("kind", ["i1", "u1", ">i2", "i4", "u8", ">i8"])
def test_labels_of_any_integer_type(rng, kind):
    sizes, layers, X, _, labels = problem(rng, 5)
    net = classifier(sizes, layers)
    expected = net.gradient(X, labels)[1]
    given = labels.astype(kind)
    np.testing.assert_array_equal(net.gradient(X, given)[1], expected)
    np.testing.assert_array_equal(net.gradient(X, np.repeat(given, 2)[::2])[1], expected)


def test_train_step_takes_the_label_of_one_sample(isa, dtype, rng):
    sizes, layers, X, T, labels = problem(rng, 4, dtype=dtype)
    one, other = (classifier(sizes, layers, dtype=dtype) for _ in range(2))
    for x, t, label in zip(X, T, labels, strict=True):
        assert one.train_step(x, t) == pytest.approx(other.train_step(x, int(label)), rel=1e-6)
    assert_close(one.params, other.params, dtype, 100)


def test_bind_wants_rows_of_targets(rng):
    sizes, layers, X, T, labels = problem(rng, 4)
    one, other = (classifier(sizes, layers) for _ in range(2))
    with pytest.raises(TypeError, match="t must be an aligned"):
        one.bind(X, labels)
    bound = one.bind(X, T)
    for _ in range(2):
        assert bound.step() == pytest.approx(other.train_step(X, labels))


@pytest.mark.parametrize("net_input", [50.0, 1000.0])
def test_a_certain_and_wrong_answer_has_a_finite_error(isa, dtype, net_input):
    # The wrong class has all the probability there is, and the right one's underflows to 0 in the second case.
    net = fastbp.Network([1, 2], "softmax", loss="cross_entropy", dtype=dtype, init=[([[net_input, 0.0]], [0.0, 0.0])])
    error, gradient = net.gradient([1.0], 1)
    assert error == pytest.approx(net_input)
    np.testing.assert_allclose(gradient, [1, -1, 1, -1], atol=1e-6)
    assert net.train_step([1.0], 1, learning_rate=1.0) == pytest.approx(net_input)


def test_divergence_is_named(isa, dtype):
    net = fastbp.Network([1, 2], "softmax", loss="cross_entropy", dtype=dtype, init=[([[1.0, 0.0]], [0.0, 0.0])])
    net.weights[0][...] = np.finfo(dtype).max
    with pytest.raises(fastbp.DivergenceError):
        net.train_step([2.0], 1)
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"must be finite to be trained, got nan at net\.weights\[0\]\[0, 0\]"):
        net.train_step([1.0], 1)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 3], ValueError, "from 0 to 2, got 0 to 3"),
        ([0, -1, 1], ValueError, "got -1 to 1"),
        ([0, 1], ValueError, "one label for each sample, got 2"),
        ([0.0, 1.0, 2.0], TypeError, "integer labels"),
        ([[0], [1], [2]], ValueError, "integer label per sample"),
        (["a", "b", "c"], TypeError, "integer labels"),
    ],
)
def test_wrong_labels_are_refused(labels, error, message):
    net = fastbp.Network([2, 3], "softmax", loss="cross_entropy", seed=0)
    before = net.params
    with pytest.raises(error, match=message):
        net.fit(np.zeros((3, 2)), labels, epochs=1)
    np.testing.assert_array_equal(net.params, before)


def test_labels_are_for_cross_entropy_only():
    net = fastbp.Network([2, 3], "softmax", seed=0)
    with pytest.raises(ValueError, match="T must have the shape"):
        net.fit(np.zeros((3, 2)), [0, 1, 2], epochs=1)


@pytest.mark.parametrize(("output", "n_outputs"), [("sigmoid", 2), ("identity", 3), ("softmax", 1)])
def test_cross_entropy_needs_a_softmax(output, n_outputs):
    with pytest.raises(ValueError, match=r"needs output_activation 'softmax'|two or more outputs"):
        fastbp.Network([2, n_outputs], output, loss="cross_entropy")


def test_saved_and_copied_networks_keep_their_loss(rng, tmp_path):
    sizes, layers, X, T, _ = problem(rng, 3)
    net = classifier(sizes, layers)
    net.save(tmp_path / "net.fastbp")
    for other in (net.copy(), fastbp.load(tmp_path / "net.fastbp")):
        assert other.error(X, T) == net.error(X, T)


# name or object, and the activation that the outputs must or may have.
ELEMENTWISE = [
    ("absolute_error", "identity"), ("huber", "tanh"), (fastbp.Huber(0.3), "identity"), ("log_cosh", "identity"),
    ("quantile", "identity"), (fastbp.Quantile(0.9), "sigmoid"), ("poisson", "exp"),
    ("binary_cross_entropy", "sigmoid"),
]
elementwise = pytest.mark.parametrize(("loss", "output"), ELEMENTWISE, ids=str)


def case(rng, loss, output, n_outputs, dtype="float64", reduction="sum", n_samples=7):
    sizes = [3, 6, n_outputs]
    layers, X, T = random_problem(rng, sizes, n_samples)
    T = {"poisson": abs(T) * 2, "binary_cross_entropy": (T > 0).astype(float)}.get(loss, T).astype(dtype)
    net = fastbp.Network(sizes, "tanh", output, loss=loss, init=layers, dtype=dtype, reduction=reduction)
    return net, X.astype(dtype), T


@elementwise
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_losses_against_the_oracle(isa, dtype, rng, loss, output, n_outputs, reduction):
    net, X, T = case(rng, loss, output, n_outputs, dtype, reduction)
    oracle, weights = Reference.of(net), rng.uniform(0, 2, len(X))
    for options in ({}, {"sample_weight": weights}):
        error, gradient = net.gradient(X, T, **options)
        expected_error, expected = oracle.gradient(X, T, **options)
        assert_close(error, expected_error, dtype, 100)
        assert_close(gradient, expected, dtype, 100)
    assert_close(net.input_gradient(X, T), oracle.input_gradient(X, T), dtype, 100)
    assert_close(net.jacobian(X), oracle.jacobian(X), dtype, 100)
    trace, other = net.backprop(X, T), oracle.backprop(X, T)
    for name in ("error_signals", "deltas"):
        for actual, wanted in zip(getattr(trace, name), getattr(other, name), strict=True):
            assert_close(actual, wanted, dtype, 100)


@elementwise
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_gradients_are_those_of_the_losses(isa, rng, loss, output, n_outputs):
    net, X, T = case(rng, loss, output, n_outputs)
    oracle = Reference.of(net)
    # No difference is so near to a kink of the loss that the steps cross it.
    edges = [0.0] if loss not in ("huber", fastbp.Huber(0.3)) else [1.0, -1.0, 0.3, -0.3]
    assert all(abs(oracle.predict(X) - T - edge).min() > 3e-3 for edge in edges)

    def error_at(params):
        net.params = params
        return net.error(X, T)

    params = net.params
    differences = central_difference(error_at, params)
    net.params = params
    np.testing.assert_allclose(net.gradient(X, T)[1], differences, rtol=0, atol=2e-9)


@elementwise
@pytest.mark.parametrize("batch_size", [1, 3])
def test_fit_descends_by_each_loss(isa, dtype, rng, loss, output, batch_size):
    net, X, T = case(rng, loss, output, 2, dtype)
    oracle = Reference.of(net)
    net.fit(X, T, epochs=2, batch_size=batch_size, learning_rate=0.05, shuffle=False)
    for start in [*range(0, len(X), batch_size)] * 2:
        rows = slice(start, start + batch_size)
        oracle.params = oracle.params - 0.05 * oracle.gradient(X[rows], T[rows])[1]
    assert_close(net.params, oracle.params, dtype, 300)


@pytest.mark.parametrize("net_input", [60.0, -60.0, 800.0, -800.0])
def test_certain_and_wrong_binary_answers_have_a_finite_error(isa, dtype, net_input):
    net = fastbp.Network([1, 1], "sigmoid", loss="binary_cross_entropy", dtype=dtype, init=[net_input, 0.0])
    error, gradient = net.gradient([1.0], [float(net_input < 0)])
    assert error == pytest.approx(abs(net_input))
    np.testing.assert_allclose(gradient, np.sign([net_input, net_input]), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "output", "bad"), [("binary_cross_entropy", "sigmoid", 1.5), ("binary_cross_entropy", "sigmoid", -0.1),
                                ("poisson", "exp", -1.0)])
def test_targets_out_of_range_are_refused(loss, output, bad):
    net = fastbp.Network([1, 1], output, loss=loss, seed=0)
    before = net.params
    for call in (net.gradient, net.train_step, lambda X, T: net.fit(X, T, epochs=1)):
        with pytest.raises(ValueError, match=f"[tT] must .*{bad}"):
            call([[0.5], [0.5]], [[1.0], [bad]])
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize(("loss", "output"), [("binary_cross_entropy", "tanh"), ("poisson", "identity")])
def test_losses_that_need_an_activation_say_so(loss, output):
    with pytest.raises(ValueError, match=f"{loss}.* needs output_activation"):
        fastbp.Network([1, 1], output, loss=loss)


def test_a_softmax_needs_two_outputs():
    with pytest.raises(ValueError, match=r"softmax.* two or more outputs"):
        fastbp.Network([2, 1], "softmax")


@pytest.mark.parametrize("loss", [fastbp.Huber(0.25), fastbp.Quantile(0.1), "log_cosh"], ids=str)
def test_losses_survive_files_and_copies(rng, tmp_path, loss):
    net, X, T = case(rng, loss, "identity", 2)
    net.save(tmp_path / "net.fastbp")
    for other in (net.copy(), fastbp.load(tmp_path / "net.fastbp")):
        assert other.loss == loss
        assert other.error(X, T) == net.error(X, T)


def fourth_power(Y, T):
    return ((Y - T) ** 4).sum() / 4, (Y - T) ** 3


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
def test_a_loss_of_ones_own(isa, dtype, rng, n_outputs, reduction):
    net, X, T = case(rng, fourth_power, "tanh", n_outputs, dtype, reduction)
    oracle = Reference(zip(net.weights, net.biases, strict=True), net.activations, reduction=reduction)
    oracle.loss, oracle.loss_slope = lambda y, t, _: (y - t) ** 4 / 4, lambda y, t, _: (y - t) ** 3
    error, gradient = net.gradient(X, T)
    assert_close(error, oracle.error(X, T), dtype, 100)
    assert_close(gradient, oracle.gradient(X, T)[1], dtype, 100)
    assert_close(net.input_gradient(X, T), oracle.input_gradient(X, T), dtype, 100)
    assert_close(net.backprop(X, T).deltas[0], oracle.backprop(X, T).deltas[0], dtype, 100)
    net.fit(X, T, epochs=2, batch_size=3, learning_rate=0.05, shuffle=False)
    for start in [0, 3, 6] * 2:
        rows = slice(start, start + 3)
        oracle.params = oracle.params - 0.05 * oracle.gradient(X[rows], T[rows])[1]
    assert_close(net.params, oracle.params, dtype, 300)
    before = oracle.error(X[:1], T[:1])
    assert net.train_step(X[0], T[0]) == pytest.approx(before, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda Y, T: 1.0, TypeError, "loss must return"),
        (lambda Y, T: (1.0, Y, T), TypeError, "loss must return"),
        (lambda Y, T: (1.0, Y[:, :1]), ValueError, "loss: dE/dY must have the shape"),
        (lambda Y, T: (1.0, ["a"]), TypeError, "loss: dE/dY must hold real numbers"),
        (lambda Y, T: 1 / 0, ZeroDivisionError, "division"),
    ],
)
def test_a_wrong_loss_of_ones_own_leaves_the_network(loss, error, message):
    net = fastbp.Network([2, 2], "identity", loss=loss, seed=0)
    before = net.params
    for call in (net.gradient, net.train_step, net.backprop, net.input_gradient):
        with pytest.raises(error, match=message):
            call([[1.0, 2.0]], [[0.0, 0.0]])
    np.testing.assert_array_equal(net.params, before)
    net.predict([1.0, 2.0])     # nobody is waited for


def test_rms_beside_a_loss_of_ones_own(isa, dtype, rng):
    net = fastbp.Network([3, 2], "tanh", loss=fourth_power, dtype=dtype, seed=0)
    X, T = rng.normal(size=(7, 3)).astype(dtype), rng.normal(size=(7, 2)).astype(dtype)
    expected = np.sqrt(np.mean((net.predict(X).astype(float) - T) ** 2))
    assert net.rms(X, T) == pytest.approx(expected, rel=1e-6)
    assert net.fit(X, T, epochs=1, batch_size="full").rms[0] == pytest.approx(expected, rel=1e-6)


def test_a_loss_of_ones_own_must_not_use_the_network_in_training():
    net = fastbp.Network([2, 2], "identity", loss=lambda Y, T: (net.predict([0, 0]).sum(), Y), seed=0)
    with pytest.raises(RuntimeError, match="must not use its own network"):
        net.train_step([1.0, 2.0], [0.0, 0.0])


def test_a_loss_of_ones_own_cannot_be_saved(tmp_path):
    net = fastbp.Network([2, 2], "identity", loss=fourth_power, seed=0)
    with pytest.raises(ValueError, match="cannot be saved"):
        net.save(tmp_path / "net.fastbp")
    assert not [*tmp_path.iterdir()]


# What follows asks for relative accuracy: a loss near 0 is as exact as a large one. E is summed in float64 for both
# dtypes, so where y and t are given, so is E to float64's accuracy.

def epsilon(dtype):
    return float(np.finfo(dtype).eps)


def one_output(loss, output, dtype, net_input):
    return fastbp.Network([1, 1], output, loss=loss, dtype=dtype, init=[0.0, net_input])


@pytest.mark.parametrize("sign", [-1, 1])
def test_log_cosh_from_the_smallest_to_the_largest(isa, dtype, sign):
    exponents = {"float32": np.linspace(-18, 18, 181), "float64": np.linspace(-150, 150, 601)}[dtype]
    for u in [3e-9, 0.999, 1.0, 1.001, *10 ** exponents]:
        u = np.dtype(dtype).type(u)
        net = one_output("log_cosh", "identity", dtype, 0.0)
        error, gradient = net.gradient([0.0], [-sign * u])
        v = np.longdouble(u)
        # cosh u = 1 + 2 sinh(u / 2)^2 = exp(u) (1 + exp(-2 u)) / 2
        if v < 2:
            expected = np.log1p(2 * np.sinh(v / 2) ** 2)
        else:
            expected = v + np.log1p(np.exp(-2 * v)) - np.log(np.longdouble(2))
        assert error == pytest.approx(float(expected), rel=2e-15, abs=0)
        assert gradient[1] == pytest.approx(sign * float(np.tanh(v)), rel=4 * epsilon(dtype), abs=0)


# y = t (1 + d) for these d, and for 0.
NEAR = [*(sign * 10.0**-k for k in range(1, 16) for sign in (-1, 1)), 0.45, -0.45, 0.0]


@pytest.mark.parametrize("net_input", [-30.0, -1.0, 0.0, 2.0, 30.0])
def test_poisson_near_its_target(isa, dtype, net_input):
    net = one_output("poisson", "exp", dtype, net_input)
    y = net.predict([0.0])[0]
    for d in NEAR:
        t = np.dtype(dtype).type(y / (1 + d))
        x = (np.longdouble(y) - t) / t
        # x - log(1 + x) = x^2 / 2 - x^3 / 3 + ...
        expected = t * (sum((-x) ** k / k for k in range(2, 14)) if abs(x) < 0.03 else x - np.log1p(x))
        error = net.error([0.0], [t])
        assert error == pytest.approx(float(expected), rel=1e-13, abs=0)
        assert (error == 0) == (y == t)
        slope = net.backprop([0.0], [t]).error_signals[0][0]
        assert slope == pytest.approx(float((np.longdouble(y) - t) / y), rel=4 * epsilon(dtype), abs=0)


@pytest.mark.parametrize(("net_input", "t", "slope"), [(-800.0, 0.0, 1.0), (-800.0, 3.0, -np.inf), (800.0, 3.0, 1.0)])
def test_slopes_of_poisson_at_the_ends(isa, dtype, net_input, t, slope):
    trace = one_output("poisson", "exp", dtype, net_input).backprop([0.0], [t])     # y is 0 or infinite
    np.testing.assert_array_equal(trace.error_signals[0], [slope])
    assert trace.error == pytest.approx(0.0 if t == 0 else 3 * np.log(3) - 3 + 2400 if net_input < 0 else np.inf)


@pytest.mark.parametrize("net_input", [1.0, 16.0, 23.0, 40.0, 80.0])
def test_binary_cross_entropy_of_what_is_all_but_certain(isa, dtype, net_input):
    for k in (0, 1, 5, 20, 24, 50):
        t = np.dtype(dtype).type(1 - 2.0**-k)
        r = np.longdouble(net_input)
        expected = (1 - np.longdouble(t)) * r + np.log1p(np.exp(-r))
        net = one_output("binary_cross_entropy", "sigmoid", dtype, net_input)
        assert net.error([0.0], [t]) == pytest.approx(float(expected), rel=2e-15, abs=0)
        mirrored = one_output("binary_cross_entropy", "sigmoid", dtype, -net_input)
        assert mirrored.error([0.0], [1 - t]) == pytest.approx(float(expected), rel=2e-15, abs=0)


@pytest.mark.parametrize("net_input", [-20.0, -1.0, 0.0, 3.0])
def test_slopes_of_binary_cross_entropy_near_the_target(isa, dtype, net_input):
    net = one_output("binary_cross_entropy", "sigmoid", dtype, net_input)
    y = net.predict([0.0])[0]
    exact = np.longdouble(y)
    for t in [0.0, 1.0, *(y * (1 + d) for d in NEAR if y * (1 + d) < 1)]:
        t = np.dtype(dtype).type(t)
        slope = net.backprop([0.0], [t]).error_signals[0][0]
        assert slope == pytest.approx(float((exact - t) / (exact * (1 - exact))), rel=4 * epsilon(dtype), abs=0)


@pytest.mark.parametrize("n_outputs", [2, 3, 17])
@pytest.mark.parametrize("lead", [0.0, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0])
def test_cross_entropy_of_what_is_all_but_certain(isa, dtype, n_outputs, lead):
    # All net inputs but one are the same, which no number added to all of them changes.
    for shift in (0.0, -1000.0, 1000.0):
        b = np.full(n_outputs, shift)
        b[1] += lead
        net = fastbp.Network([1, n_outputs], "softmax", loss="cross_entropy", dtype=dtype,
                             init=[(np.zeros((1, n_outputs)), b)])
        others = np.log1p((n_outputs - 1) * np.exp(-np.longdouble(lead)))
        assert net.error([0.0], 1) == pytest.approx(float(others), rel=10 * epsilon(dtype), abs=0)
        assert net.error([0.0], 0) == pytest.approx(float(lead + others), rel=10 * epsilon(dtype), abs=0)


def test_parameters_of_losses():
    assert fastbp.Huber().delta == 1.0 and fastbp.Quantile().q == 0.5
    assert fastbp.Huber(0.5).parameter == 0.5 and fastbp.Quantile(0.9).parameter == 0.9
    for made, wrong in ((fastbp.Huber, (0, -1, np.inf, np.nan)), (fastbp.Quantile, (0, 1, -0.5, 1.5, np.nan))):
        for value in wrong:
            with pytest.raises(ValueError, match="must be above 0"):
                made(value)


def test_every_loss_of_the_core_has_a_row():
    assert set(losses.TABLE) == set(_core.LOSSES)
