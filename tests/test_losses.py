"""The losses: E, gradients and training against the oracle; labels; what cannot be is refused."""

import numpy as np
import pytest
from reference import SGD, Reference, assert_close, central_difference, random_problem

import fastbp

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
    before = net.params
    net.weights[0][0, 0] = np.nan
    with pytest.raises(fastbp.DivergenceError):
        net.train_step([1.0], 1)
    net.params = before


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 3], ValueError, "from 0 to 2, got 0 to 3"),
        ([0, -1, 1], ValueError, "got -1 to 1"),
        ([0, 1], ValueError, "one label for each sample, got 2"),
        ([0.0, 1.0, 2.0], TypeError, "integer labels"),
        ([[0], [1], [2]], ValueError, "integer label for each sample"),
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
