"""Derivatives by the parameters, Levenberg-Marquardt, Bayesian regularisation."""

import copy
import json
import pickle
import tracemalloc

import numpy as np
import pytest
import reference
from reference import Reference, assert_close, random_problem

import fastbp
from fastbp import LevenbergMarquardt, io, levenberg_marquardt
from fastbp._core import NormalEquations, solve_factored
from fastbp.training import checkpoint, sources


def network(sizes=(3, 5, 2), activation="tanh", output="identity", dtype="float64", rng=None, m=40, **options):
    """A network with its samples; those of the oracle are of float64."""
    layers, X, T = random_problem(rng or np.random.default_rng(5), sizes, m)
    return fastbp.Network(sizes, activation, output, init=layers, dtype=dtype, **options), X.astype(dtype), T.astype(
        dtype)


# ---------------------------------------------------------------- the derivatives

@pytest.mark.parametrize("activation", ["tanh", "softmax", "gelu", "relu"])
@pytest.mark.parametrize("sizes", [(3, 9, 17, 4), (1, 20, 1), (1, 1), (5, 3), (4, 1, 6, 1)], ids=str)
def test_derivatives_by_the_parameters(isa, dtype, sizes, activation):
    output = "identity" if sizes[-1] == 1 else activation
    for m in (1, 140):
        net, X, _ = network(sizes, activation, output, dtype, m=m)
        oracle = Reference.of(net)
        J = net.param_jacobian(X)
        assert J.dtype == dtype and J.shape == (m, sizes[-1], net.n_params)
        assert_close(J, oracle.param_jacobian(X), dtype, max(sizes))
        np.testing.assert_allclose(net.param_jacobian(X[0]), J[0], rtol=0, atol=32 * np.finfo(dtype).eps)


def test_derivatives_of_nothing_and_what_is_refused():
    net, X, _ = network()
    assert net.param_jacobian(np.empty((0, 3))).shape == (0, 2, net.n_params)
    np.testing.assert_array_equal(net.param_jacobian(X[::-1].tolist()), net.param_jacobian(X)[::-1])
    with pytest.raises(ValueError, match="X must have the shape"):
        net.param_jacobian(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        net.param_jacobian([[0, np.nan, 0]])
    net.weights[0][0, 0] = np.inf       # what is not finite must not stay in what later calls work with
    net.param_jacobian(X)
    net.weights[0][0, 0] = 0.5
    assert np.isfinite(net.param_jacobian(X)).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(3, 9, 4), (1, 20, 1), (2, 1), (8, 24, 6, 3)], ids=str)
def test_normal_equations(isa, dtype, rng, sizes, weighted):
    net, X, T = network(sizes, dtype=dtype, m=150)
    w = rng.uniform(0, 2, len(X)).astype(dtype) if weighted else None
    equations = NormalEquations(net)
    for _ in range(2):      # the second time in the same memory
        squares = equations.add_up(net, net._samples(X, T, w))
    oracle = Reference.of(net)
    roots = np.sqrt(1.0 if w is None else w.astype(float))
    J = np.einsum("i,ikp->ikp", np.broadcast_to(roots, len(X)), oracle.param_jacobian(X)).reshape(-1, net.n_params)
    e = ((oracle.predict(X) - T).T * roots).T.ravel()
    assert_close(np.tril(equations.matrix), np.tril(J.T @ J), dtype, len(e))
    assert_close(equations.gradient, J.T @ e, dtype, len(e))
    assert_close(squares, e @ e, dtype, len(e))


def test_products_of_single_precision_have_no_negative_eigenvalues(isa):
    """In float32 they would be as large as 1e-7 of the largest; mu could not fall below."""
    net, X, T = network((1, 12, 1), dtype="float32", m=300)
    equations = NormalEquations(net)
    equations.add_up(net, net._samples(X, T))
    eigenvalues = np.linalg.eigvalsh(equations.matrix)
    assert eigenvalues[0] > -1e-14 * eigenvalues[-1] and eigenvalues[0] < 1e-8 * eigenvalues[-1]


def test_what_the_core_refuses():
    net, X, T = network()
    other = fastbp.Network([3, 4, 2])
    with pytest.raises(ValueError, match="squared error"):
        NormalEquations(fastbp.Network([2, 1], loss="huber"))
    with pytest.raises(ValueError, match="once"):
        equations = NormalEquations(net)
        equations.__init__(net)
    with pytest.raises(ValueError, match="samples must"):
        equations.add_up(other, other._samples(X, T))
    shuffled = net._samples(X, T)
    shuffled.shuffle(np.random.default_rng(0))
    with pytest.raises(ValueError, match="order"):
        equations.add_up(net, shuffled)
    for factor, right in ((np.eye(3), np.zeros(2)), (np.eye(2, dtype="f"), np.zeros(2)),
                          (np.eye(4)[::2, ::2], np.zeros(2)), (np.eye(2), np.zeros(4)[::2]),
                          (np.eye(2), np.zeros(2, "f")), (np.zeros(4), np.zeros(2))):
        with pytest.raises(ValueError, match="factor must be a square matrix"):
            solve_factored(factor, right)
    with pytest.raises(ValueError, match="has not been initialised"):
        NormalEquations(fastbp.Network.__new__(fastbp.Network))


# ---------------------------------------------------------------- steps

@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(3, 5, 2), (1, 8, 1)], ids=str)
def test_steps_are_those_of_the_oracle(isa, dtype, rng, sizes, reduction, weighted):
    net, X, T = network(sizes, dtype=dtype, reduction=reduction)
    w = rng.uniform(0.5, 2, len(X)).astype(dtype) if weighted else None
    # A large mu in single precision: J^T J is nearly singular, and a tiny one would magnify its rounding.
    mu = 1e-3 if dtype == "float64" else 1.0
    oracle, method = Reference.of(net), reference.LevenbergMarquardt(mu, 0.5)
    history = net.fit(X, T, epochs=5, sample_weight=w, optimizer=LevenbergMarquardt(mu, 0.5))
    mus, errors = [], []
    for _ in range(5):
        assert method.step(oracle, X, T, 1.0 if w is None else w.astype(float))
        mus.append(method.mu)
        errors.append(oracle.error(X, T, 1.0 if w is None else w.astype(float)))
    tolerance = {"float64": 1e-7, "float32": 5e-3}[dtype]
    np.testing.assert_allclose(net.params, oracle.params, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(history.error, errors, rtol=tolerance)
    np.testing.assert_allclose(history.mu, mus, rtol=1e-12)
    assert history.error[-1] == pytest.approx(net.error(X, T, w), rel=1e-5)
    assert history.rms[-1] == pytest.approx(net.rms(X, T), rel=1e-5)


def sine(m=50, dtype="float64"):
    X = np.linspace(-1, 1, m, dtype=dtype)[:, None]
    return X, np.sin(3 * X)


def test_it_learns_to_the_last_digits(isa, dtype):
    net, X, _ = network((2, 4, 1), dtype=dtype, m=100)
    T = net.predict(X)
    net.params = net.params + 0.3 * np.sin(np.arange(net.n_params))
    assert net.rms(X, T) > 0.1
    history = net.fit(X, T, epochs=100, optimizer=LevenbergMarquardt(min_gradient=0))
    assert net.rms(X, T) < {"float64": 1e-13, "float32": 1e-6}[dtype]
    assert (np.diff(history.error) <= 0).all()
    assert history.learning_rate.tolist() == [1.0] * len(history)
    assert history.alpha.size == history.beta.size == 0
    assert "mu" in history.to_dict() and "alpha" not in history.to_dict()


def test_linear_least_squares_take_a_single_step():
    net, X, T = network((4, 2), "identity")
    net.fit(X, T, epochs=1, optimizer=LevenbergMarquardt(mu=1e-12))
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), T)[0]
    np.testing.assert_allclose(np.vstack([net.weights[0], net.biases[0]]), solution, atol=1e-9)


def test_why_it_stops():
    X, T = sine()
    net = fastbp.Network([1, 5, 1], "tanh", "identity", seed=2)
    history = net.fit(X, T, epochs=500, optimizer="lm", desired_error=1e-3)
    assert history.stop_reason == "desired_error" and history.rms[-1] <= 1e-3 < history.rms[-2]
    assert net.rms(X, T) == pytest.approx(history.rms[-1], rel=1e-9)
    assert net.fit(X, T, epochs=2, optimizer="lm").stop_reason == "epochs"
    history = net.fit(X, T, epochs=500, optimizer=LevenbergMarquardt(min_gradient=1e-3))
    assert history.stop_reason == "min_gradient"
    assert np.linalg.norm(net.gradient(X, T)[1]) <= 1e-3
    line, X, T = network((2, 1), "identity", m=20)
    method = LevenbergMarquardt(min_gradient=0)
    history = line.fit(X, T, epochs=500, optimizer=method)
    assert history.stop_reason == "no_progress" and history.mu[-1] == 1e10
    before = line.params
    again = line.fit(X, T, epochs=500, optimizer=method)
    assert again.stop_reason == "no_progress" and len(again) <= 2
    np.testing.assert_allclose(line.params, before, rtol=1e-12)


def test_validation_and_patience_give_back_the_best(rng):
    net, X, T = network((1, 12, 1), m=30)
    T = T + rng.normal(0, 0.3, T.shape)
    history = net.fit(X[::2], T[::2], epochs=200, optimizer="lm", validation_data=(X[1::2], T[1::2]), patience=5)
    assert history.stop_reason == "patience"
    assert net.error(X[1::2], T[1::2]) == pytest.approx(history.validation_error[history.best_epoch])
    assert history.mu.shape == history.validation_rms.shape == (len(history),)
    held = network((1, 12, 1), m=30)[0]
    assert len(held.fit(X, T, epochs=3, optimizer="lm", validation_fraction=0.3).validation_error) == 3


def test_callbacks_see_and_may_change_everything(capsys):
    net, X, T = network()
    seen = []

    def change(state):
        seen.append((state.epoch, state.error, state.validation_error, state.optimizer.steps))
        state.network.params = np.full(net.n_params, 0.1)
        return state.epoch == 2

    history = net.fit(X, T, epochs=10, optimizer="lm", callbacks=change, verbose=True)
    assert history.stop_reason == "callback" and [entry[0] for entry in seen] == [0, 1, 2]
    assert [entry[2:] for entry in seen] == [(None, 1), (None, 2), (None, 3)]
    # The step after a change begins with the changed network, or the errors would have gone on falling.
    assert history.error[1] == pytest.approx(history.error[2], rel=0.05)
    assert "epoch 3/10" in capsys.readouterr().out


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("crash", [1, 5])
def test_resumed_as_if_never_interrupted(dtype, tmp_path, bayesian, crash):
    net, X, T = network(dtype=dtype)
    first, resumed = net.copy(), fastbp.Network([3, 5, 2], "tanh", "identity", dtype=dtype, seed=9)
    options = {"epochs": 9, "validation_data": (X, T), "patience": 8}

    def make():
        return LevenbergMarquardt(bayesian=bayesian)

    expected = net.fit(X, T, optimizer=make(), **options)
    first.fit(X, T, optimizer=make(), checkpoint=tmp_path / "c", **{**options, "epochs": crash})
    history = resumed.fit(X, T, optimizer=make(), resume=tmp_path / "c", **options)
    assert resumed.params.tobytes() == net.params.tobytes()
    for name in ("error", "rms", "mu", "alpha", "beta", "effective_parameters", "validation_error"):
        np.testing.assert_array_equal(getattr(history, name), getattr(expected, name))
    with pytest.raises(ValueError, match="resume: the checkpoint was made with"):
        resumed.fit(X, T, optimizer="adam", batch_size="full", resume=tmp_path / "c", **options)
    with pytest.raises(ValueError, match="mu of the optimizer"):
        resumed.fit(X, T, optimizer=LevenbergMarquardt(0.5, bayesian=bayesian), resume=tmp_path / "c", **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0, 1e11])
def test_a_checkpoint_with_an_impossible_mu(tmp_path, value):
    net, X, T = network()
    path = tmp_path / "c"
    net.fit(X, T, epochs=3, optimizer="lm", checkpoint=path)
    header, arrays = checkpoint.read(path)
    arrays["history"][-1] = value
    body = b"".join(arrays[name].tobytes() for name, _, _ in header["arrays"])
    io.write(path, io.pack(checkpoint.KIND, json.dumps(header).encode(), body), "checkpoint")
    before = net.params
    with pytest.raises(io.FormatError, match="mu must be those of an epoch"):
        net.fit(X, T, epochs=5, optimizer="lm", resume=path)
    np.testing.assert_array_equal(net.params, before)


def test_the_jacobian_is_never_whole():
    X, T = sine(20_000)
    net = fastbp.Network([1, 20, 1], "tanh", "identity", seed=0)
    tracemalloc.start()
    try:
        net.fit(X, T, epochs=1, optimizer="lm")
        assert tracemalloc.get_traced_memory()[1] < 20_000 * 61 * 8 / 4
    finally:
        tracemalloc.stop()


def test_an_object_goes_on(dtype):
    net, X, T = network(dtype=dtype)
    whole, method = net.copy(), LevenbergMarquardt(bayesian=True)
    whole.fit(X, T, epochs=6, optimizer=LevenbergMarquardt(bayesian=True))
    net.fit(X, T, epochs=3, optimizer=method)
    twins = [method.copy(), copy.deepcopy(method), pickle.loads(pickle.dumps(method))]
    for twin in twins:
        assert (twin.steps, twin._learnt, repr(twin)) == (3, method._learnt, repr(method))
        other = net.copy()
        other.fit(X, T, epochs=3, optimizer=twin)
        assert other.params.tobytes() == whole.params.tobytes()
    method.reset()
    assert method.steps == 0 and method._learnt is None
    assert repr(LevenbergMarquardt()) == (
        "LevenbergMarquardt(mu=0.001, mu_decrease=0.1, mu_increase=10.0, mu_max=10000000000.0, min_gradient=1e-07, "
        "bayesian=False)")


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True)])
def test_bayesian_may_be_changed_between_trainings(first, then):
    net, X, T = network()
    method = LevenbergMarquardt(bayesian=first)
    net.fit(X, T, epochs=3, optimizer=method)
    twin, mu = net.copy(), method._learnt[0]
    method.bayesian = then
    history = net.fit(X, T, epochs=3, optimizer=method)
    expected = twin.fit(X, T, epochs=3, optimizer=LevenbergMarquardt(mu, bayesian=then))
    np.testing.assert_array_equal(net.params, twin.params)
    np.testing.assert_array_equal(history.mu, expected.mu)
    assert history.alpha.size == (3 if then else 0)


def test_bayesian_that_a_callback_changes_counts_from_the_next_training():
    net, X, T = network()
    twin = net.copy()

    def change(state):
        state.optimizer.bayesian = False

    history = net.fit(X, T, epochs=3, optimizer=LevenbergMarquardt(bayesian=True), callbacks=change)
    twin.fit(X, T, epochs=3, optimizer=LevenbergMarquardt(bayesian=True))
    assert history.alpha.size == 3
    np.testing.assert_array_equal(net.params, twin.params)


@pytest.mark.parametrize("options", [
    {"mu": 1e-25, "min_gradient": 1e6}, {"mu": 1e-25}, {"mu": 1e-25, "mu_max": 1e-24}, {"mu": 1e-21, "mu_max": 1e-21},
    {"mu": 1e-25, "bayesian": True},
])
def test_a_checkpoint_after_a_tiny_mu_can_be_resumed(tmp_path, options):
    net, X, T = network()
    history = net.fit(X, T, epochs=3, optimizer=LevenbergMarquardt(**options), checkpoint=tmp_path / "c")
    assert (history.mu <= options.get("mu_max", 1e10)).all()
    resumed = network()[0].fit(X, T, epochs=4, optimizer=LevenbergMarquardt(**options), resume=tmp_path / "c")
    np.testing.assert_array_equal(resumed.mu[:len(history)], history.mu)


# ---------------------------------------------------------------- difficult data

def check_it_learns(net, X, T, epochs=30, **options):
    before = net.error(X, T)
    history = net.fit(X, T, epochs=epochs, optimizer=LevenbergMarquardt(**options))
    assert np.isfinite(net.params).all() and net.error(X, T) < before
    return history


@pytest.mark.parametrize("bayesian", [False, True])
def test_more_parameters_than_residuals(isa, dtype, bayesian):
    net, X, T = network((3, 20, 2), dtype=dtype, m=5)
    history = check_it_learns(net, X, T, bayesian=bayesian)
    if bayesian:
        assert 0 <= history.effective_parameters[-1] <= 10.001


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_constant_targets(dtype, value, bayesian):
    net, X, T = network(dtype=dtype)
    check_it_learns(net, X, np.full_like(T, value), bayesian=bayesian)


def test_duplicated_samples_weigh_like_weights():
    net, X, T = network(m=10)
    twin = net.copy()
    net.fit(np.repeat(X, 3, axis=0), np.repeat(T, 3, axis=0), epochs=5, optimizer="lm")
    twin.fit(X, T, epochs=5, optimizer="lm", sample_weight=np.full(10, 3.0))
    np.testing.assert_allclose(net.params, twin.params, rtol=1e-5, atol=1e-7)
    check_it_learns(net.copy(), np.repeat(X[:1], 20, axis=0), np.repeat(T[:1] + 1, 20, axis=0))


@pytest.mark.parametrize("bayesian", [False, True])
def test_a_singular_jacobian(dtype, bayesian):
    """Dead relus and neurons that are all alike: most columns of J are zero or equal."""
    for init in ([(np.zeros((2, 6)), np.full(6, -1.0)), "zeros"], [(np.ones((2, 6)), np.ones(6)), "zeros"]):
        net = fastbp.Network([2, 6, 1], "relu", "identity", init=init, dtype=dtype)
        X = np.random.default_rng(0).uniform(-1, 1, (30, 2)).astype(dtype)
        check_it_learns(net, X, X[:, :1] + 1, bayesian=bayesian)


def test_nothing_depends_on_the_parameters():
    net = fastbp.Network([2, 3, 2], "tanh", "softmax", init="zeros")
    history = net.fit([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], epochs=9, optimizer="lm")
    assert history.stop_reason == "min_gradient" and len(history) == 1 and not net.params.any()


def test_numbers_that_leave_the_finite_ones(dtype):
    net, X, T = network(dtype=dtype)
    large = np.full_like(T, {"float32": 1e38, "float64": 1e200}[dtype])
    with pytest.raises(fastbp.DivergenceError, match="Targets are as large as") as caught:
        net.fit(X, large * 3, epochs=3, optimizer="lm")
    assert "rate" not in str(caught.value) and np.isfinite(net.params).all()
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="parameters must be finite"):
        net.fit(X, T, epochs=3, optimizer="lm")


def test_matrices_that_do_not_fit_into_memory(monkeypatch):
    net, X, T = fastbp.Network([400, 500, 2]), np.zeros((3, 400)), np.zeros((3, 2))
    monkeypatch.setattr(sources, "NormalEquations", None)      # it is not even asked for
    with pytest.raises(MemoryError, match=r"needs 1,210\.\d GiB for J\^T J of 201,502 parameters.*this machine has"):
        net.fit(X, T, optimizer="lm")
    with pytest.raises(MemoryError, match=r"PredictionInterval needs .* 201,502 parameters .* a network with fewer"):
        fastbp.PredictionInterval(net, X, T)
    monkeypatch.delattr(levenberg_marquardt.os, "sysconf")     # as on Windows: the allocation itself tells

    def full(net):
        raise MemoryError

    monkeypatch.setattr(sources, "NormalEquations", full)
    with pytest.raises(MemoryError, match="201,502 parameters"):
        net.fit(X, T, optimizer="lm")


# ---------------------------------------------------------------- what is refused

@pytest.mark.parametrize(("options", "message"), [
    ({"batch_size": 8}, "batch_size must be left out with LevenbergMarquardt, whose every step takes all"),
    ({"learning_rate": 0.1}, "learning_rate must be left out with LevenbergMarquardt"),
    ({"schedule": "cosine"}, "schedule cannot be used with LevenbergMarquardt"),
    ({"dropout": 0.2}, "dropout cannot be used with LevenbergMarquardt"),
    ({"sample_weight": [1.0]}, "sample_weight must have the shape"),
    ({"epochs": 0}, "epochs must be at least 1"),
])
def test_what_contradicts_it(options, message):
    net, X, T = network()
    before = net.params
    for optimizer in ("lm", LevenbergMarquardt(bayesian=True)):
        with pytest.raises(ValueError, match=message):
            net.fit(X, T, **{"optimizer": optimizer, **options})
    np.testing.assert_array_equal(net.params, before)


def test_other_losses_and_batches_are_refused():
    for loss in ("huber", lambda Y, T: (0.0, Y)):
        net = fastbp.Network([2, 1], "identity", loss=loss)
        with pytest.raises(ValueError, match=r"loss .* cannot be used with LevenbergMarquardt, which is for 'squared"):
            net.fit([[0.0, 1.0]], [[1.0]], optimizer="lm")
    net, X, T = network()
    with pytest.raises(ValueError, match="batches cannot be used with LevenbergMarquardt"):
        net.fit([(X, T)], optimizer="lm")
    for call in (lambda **how: net.train_step(X, T, **how), lambda **how: net.bind(X, T, **how)):
        with pytest.raises(TypeError, match="got LevenbergMarquardt, which is for fit alone"):
            call(optimizer=LevenbergMarquardt())
    with pytest.raises(TypeError, match=r"write LevenbergMarquardt\(\)"):
        net.fit(X, T, optimizer=LevenbergMarquardt)
    with pytest.raises(ValueError, match="Did you mean 'lm'"):
        net.fit(X, T, optimizer="trainlm")


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"mu": 0}, ValueError, "mu must be above 0"), ({"mu": np.inf}, ValueError, "mu must be above 0 and finite"),
    ({"mu_decrease": 1}, ValueError, "mu_decrease must be above 0 and below 1"),
    ({"mu_increase": 1}, ValueError, "mu_increase must be above 1"), ({"mu_max": -1}, ValueError, "mu_max"),
    ({"mu": 2, "mu_max": 1}, ValueError, "mu must not be above mu_max"),
    ({"min_gradient": -1}, ValueError, "min_gradient must be at least 0"),
    ({"bayesian": "yes"}, TypeError, "bayesian must be True or False"), ({"mu": "small"}, TypeError, "mu must be a"),
])
def test_numbers_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        LevenbergMarquardt(**options)


# ---------------------------------------------------------------- Bayesian regularisation

@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_evidence_finds_the_noise(isa, rng, reduction):
    X, T = sine(80)
    T = T + rng.normal(0, 0.2, T.shape)
    net = fastbp.Network([1, 15, 1], "tanh", "identity", seed=1, reduction=reduction)
    history = net.fit(X, T, epochs=150, optimizer=LevenbergMarquardt(bayesian=True))
    assert history.beta[-1]**-0.5 == pytest.approx(0.2, rel=0.2)
    assert 4 < history.effective_parameters[-1] < 15
    assert net.rms(X, np.sin(3 * X)) < 0.08
    # MacKay's equations hold where it ends: gamma, alpha and beta by the oracle's Jacobian.
    oracle = Reference.of(net)
    J = oracle.param_jacobian(X)[:, 0]
    alpha, beta = history.alpha[-1], history.beta[-1]
    gamma = net.n_params - alpha * np.trace(np.linalg.inv(beta * J.T @ J + alpha * np.eye(net.n_params)))
    e, w = oracle.predict(X) - T, oracle.params
    assert gamma == pytest.approx(history.effective_parameters[-1], rel=1e-2)
    assert gamma / (w @ w) == pytest.approx(alpha, rel=1e-2)
    assert (80 - gamma) / np.sum(e * e) == pytest.approx(beta, rel=1e-2)
    assert history.error[-1] == pytest.approx(net.error(X, T))


@pytest.mark.parametrize("unit", [1e-4, 0.01, 100.0])
def test_the_evidence_in_another_unit_of_the_targets(rng, unit):
    X, T = sine(80)
    noisy = T + rng.normal(0, 0.2, T.shape)
    net = fastbp.Network([1, 15, 1], "tanh", "identity", seed=1)
    history = net.fit(X, unit * noisy, epochs=150, optimizer=LevenbergMarquardt(bayesian=True))
    assert history.beta[0] == pytest.approx(80 / np.sum((unit * noisy)**2))
    assert history.beta[-1]**-0.5 == pytest.approx(0.2 * unit, rel=0.2)
    assert 4 < history.effective_parameters[-1] < 15
    assert net.rms(X, unit * T) < 0.1 * unit


def test_targets_of_0_have_no_size():
    net, X, T = network()
    history = net.fit(X, 0 * T, epochs=3, optimizer=LevenbergMarquardt(bayesian=True))
    assert history.beta[0] == 1.0


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_samples_of_weight_0_are_none(rng, reduction):
    net, X, T = network((1, 6, 1), reduction=reduction, m=40)
    twin, w = net.copy(), rng.permutation(np.repeat([0.0, 1.0, 2.0], [10, 20, 10]))
    here = w > 0
    history = net.fit(X, T, epochs=30, sample_weight=w, optimizer=LevenbergMarquardt(bayesian=True))
    expected = twin.fit(X[here], T[here], epochs=30, sample_weight=w[here],
                        optimizer=LevenbergMarquardt(bayesian=True))
    for name in ("alpha", "beta", "effective_parameters"):
        np.testing.assert_allclose(getattr(history, name), getattr(expected, name), rtol=1e-4)
    np.testing.assert_allclose(net.params, twin.params, rtol=1e-4, atol=1e-6)


def test_a_plain_line_takes_few_parameters(rng):
    X = np.linspace(-1, 1, 40)[:, None]
    net = fastbp.Network([1, 20, 1], "tanh", "identity", seed=0)
    history = net.fit(X, 0.5 * X + rng.normal(0, 0.1, X.shape), epochs=200,
                      optimizer=LevenbergMarquardt(bayesian=True))
    assert history.effective_parameters[0] == 61 and history.effective_parameters[-1] < 7
    assert net.rms(X, 0.5 * X) < 0.06
