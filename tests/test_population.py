"""Populations: each of their networks is held against the oracle, and against a Network of its own."""

import copy
import pickle
import sys
import tracemalloc
import types

import numpy as np
import pytest
import reference
from reference import ACTIVATIONS, Reference, assert_close

import fastbp
from fastbp import SGD, Adam, AdamW, Nadam, RMSprop, Rprop
from fastbp.training import population as training

DTYPES = "float32", "float64"
CLOSE = {"float32": {"rtol": 2e-4, "atol": 2e-5}, "float64": {"rtol": 1e-9, "atol": 1e-11}}


def data(pop, m=37, own=False, seed=0):
    rng = np.random.default_rng(seed)
    shape = (len(pop), m) if own else (m,)
    X = rng.uniform(-1, 1, (*shape, pop.n_inputs)).astype(pop.dtype)
    T = rng.uniform(0.1, 0.9, (*shape, pop.n_outputs)).astype(pop.dtype)
    if pop.loss == "cross_entropy":
        T = rng.integers(0, pop.n_outputs, shape)
    return X, T




ARCHITECTURES = [
    ((2, 2, 1), "sigmoid", {}),
    ((4, 16, 3), ("tanh", "identity"), {"reduction": "mean"}),
    ((3, 5, 7, 2), ("silu", "relu", "sigmoid"), {}),
    ((4, 6, 3), ("tanh", "softmax"), {"loss": "cross_entropy"}),
    ((3, 4, 1), ("tanh", "identity"), {"loss": "huber", "reduction": "mean"}),
    ((5, 70, 2), ("tanh", "identity"), {}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "activations", "options"), ARCHITECTURES)
@pytest.mark.parametrize("own", [False, True])
def test_outputs_errors_and_gradients_are_those_of_networks(sizes, activations, options, dtype, own):
    pop = fastbp.Population(19, sizes, activations, dtype=dtype, seed=1, **options)
    X, T = data(pop, own=own)
    weights = np.random.default_rng(5).integers(0, 3, (len(pop), X.shape[-2])) + 0.5
    outputs, E, rms = pop.predict(X), pop.error(X, T), pop.rms(X, T)
    error, gradient = pop.gradient(X, T, weights)
    for i, net in enumerate(pop):
        x, t = (X[i], T[i]) if own else (X, T)
        np.testing.assert_allclose(outputs[i], net.predict(x), **CLOSE[dtype])
        np.testing.assert_allclose(E[i], net.error(x, t), **CLOSE[dtype])
        np.testing.assert_allclose(rms[i], net.rms(x, t), **CLOSE[dtype])
        e, g = net.gradient(x, t, sample_weight=weights[i])
        np.testing.assert_allclose(error[i], e, **CLOSE[dtype])
        np.testing.assert_allclose(gradient[i], g, **CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "activations", "options"), ARCHITECTURES)
@pytest.mark.parametrize("m", [1, 13])
def test_a_step_is_that_of_a_network(sizes, activations, options, dtype, m):
    pop = fastbp.Population(19, sizes, activations, dtype=dtype, seed=1, **options)
    X, T = data(pop, m)
    rates = np.linspace(0.01, 0.05, len(pop))
    nets = [*pop]
    E = pop.train_step(X, T, rates)
    for i, net in enumerate(nets):
        np.testing.assert_allclose(E[i], net.train_step(X, T, float(rates[i])), **CLOSE[dtype])
        np.testing.assert_allclose(pop.params[i], net.params, **CLOSE[dtype])


# Widths around tiles, blocks of samples of every remainder, groups of every kind that are full or not.
@pytest.mark.parametrize("n", [1, 17, 70])
@pytest.mark.parametrize(("sizes", "m"), [
    ((1, 1), 1), ((3, 1, 2), 8), ((4, 16, 3), 13), ((5, 7, 6, 4), 3), ((32, 32, 32), 9)])
def test_the_oracle(isa, dtype, sizes, m, n):
    pop = fastbp.Population(n, sizes, ["tanh", "silu", "identity"][-len(sizes) + 1:], reduction="mean", dtype=dtype,
                            seed=1)
    X, T = data(pop, m, own=True)
    weights = np.random.default_rng(1).uniform(0.1, 2, (n, m)).astype(dtype)
    outputs, (E, gradients) = pop.predict(X), pop.gradient(X, T, weights)
    for i in {0, n // 2, n - 1}:
        oracle, terms = Reference.of(pop[i]), sum(sizes) + m
        assert_close(outputs[i], oracle.predict(X[i]), dtype, terms)
        error, gradient = oracle.gradient(X[i], T[i], weights[i])
        assert_close(E[i], error, dtype, terms)
        assert_close(gradients[i], gradient, dtype, terms)


@pytest.mark.parametrize("place", ["hidden", "output"])
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_activations(isa, dtype, activation, place):
    pop = fastbp.Population(18, (3, 5, 2), (activation, "identity") if place == "hidden" else ("tanh", activation),
                            dtype=dtype, seed=3)
    X, T = data(pop, 11)
    for i, (E, gradient) in enumerate(zip(*pop.gradient(X, T), strict=True)):
        error, expected = Reference.of(pop[i]).gradient(X, T)
        assert_close(E, error, dtype, 30)
        assert_close(gradient, expected, dtype, 30)


STEPS = [(SGD(0.05), reference.SGD(0.05)), (SGD(0.02, momentum=0.8), reference.SGD(0.02, 0.8)),
         (SGD(0.02, momentum=0.8, nesterov=True), reference.SGD(0.02, 0.8, True)),
         (Adam(0.01), reference.Adam(0.01)), (Nadam(0.01), reference.Nadam(0.01))]


@pytest.mark.parametrize("batch", [1, 5, 12])
@pytest.mark.parametrize("place", range(len(STEPS)))
def test_training_by_the_oracle(isa, dtype, place, batch):
    pop = fastbp.Population(66, [3, 4, 2], "tanh", "identity", reduction="mean", dtype=dtype, seed=2)
    X, T = data(pop, 12)
    nets = {i: Reference.of(pop[i]) for i in (0, 20, 65)}
    pop.fit(X, T, epochs=2, batch_size=batch, optimizer=STEPS[place][0], shuffle=False)
    for i, oracle in nets.items():
        optimizer = copy.deepcopy(STEPS[place][1])
        for _ in range(2):
            for start in range(0, 12, batch):
                rows = slice(start, start + batch)
                oracle.params = optimizer.step(oracle.params, oracle.gradient(X[rows], T[rows])[1])
        assert_close(pop.params[i], oracle.params, dtype, 1000)


OPTIMIZERS = [SGD(0.05), SGD(0.02, momentum=0.8), SGD(0.02, momentum=0.8, nesterov=True), Adam(0.01), AdamW(0.01),
              Nadam(0.01), RMSprop(0.003), Rprop(0.01), SGD(0.05, clip_norm=0.1), SGD(0.05, l2=0.01), "sgd"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 8, "full"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_training_is_that_of_networks(optimizer, batch, dtype):
    pop = fastbp.Population(18, [3, 5, 2], "tanh", "identity", dtype=dtype, seed=2)
    if isinstance(optimizer, Rprop) and batch != "full":
        return
    X, T = data(pop, 21)
    nets = [*pop]
    history = pop.fit(X, T, epochs=3, batch_size=batch, optimizer=optimizer, shuffle=False)
    for i in (0, 1, 7, 17):
        mine = optimizer if isinstance(optimizer, str) else optimizer.copy()
        expected = nets[i].fit(X, T, epochs=3, batch_size=batch, optimizer=mine, shuffle=False)
        np.testing.assert_allclose(pop.params[i], nets[i].params, **CLOSE[dtype])
        np.testing.assert_allclose(history.error[i], expected.error, **CLOSE[dtype])
        np.testing.assert_allclose(history.rms[i], expected.rms, **CLOSE[dtype])
    assert set(history.stop_reason) == {"epochs"}


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (5, 70, 2)])
def test_neither_number_nor_place_matters(isa, batch, sizes, dtype):
    seeds = list(range(100, 175))
    pop = fastbp.Population(75, sizes, "tanh", dtype=dtype, seed=seeds)
    X, T = data(pop, 15)
    whole = pop.copy()
    whole.fit(X, T, epochs=3, batch_size=batch, optimizer=SGD(0.1), seed=seeds)
    for part in ([5], [74, 3, 17], slice(7, 74), [9] * 3):
        few = pop[part]
        few.fit(X, T, epochs=3, batch_size=batch, optimizer=SGD(0.1), seed=np.array(seeds)[part].tolist())
        np.testing.assert_array_equal(few.params, whole.params[part])
        np.testing.assert_array_equal(few.predict(X), whole.predict(X)[part])


def test_a_population_of_a_seed_begins_like_a_larger_one():
    small, large = (fastbp.Population(n, [2, 3, 1], seed=7) for n in (3, 20))
    np.testing.assert_array_equal(small.params, large.params[:3])
    X, T = data(small, 9)
    for pop in small, large:
        pop.fit(X, T, epochs=2, seed=5)
    np.testing.assert_array_equal(small.params, large.params[:3])


@pytest.mark.parametrize("batch", [1, 4])
def test_threads_do_not_matter(batch):
    one, two = (fastbp.Population(90, [2, 3, 1], seed=7) for _ in range(2))
    X, T = data(one, 9)
    first = one.fit(X, T, epochs=4, seed=5, batch_size=batch, threads=1)
    second = two.fit(X, T, epochs=4, seed=5, batch_size=batch, threads=3)
    np.testing.assert_array_equal(one.params, two.params)
    np.testing.assert_array_equal(first.error, second.error)


def test_each_network_has_its_own_order():
    pop = fastbp.Population(4, [2, 3, 1], init=np.tile(fastbp.Network([2, 3, 1], seed=0).params, (4, 1)))
    X, T = data(pop, 12)
    pop.fit(X, T, epochs=1, seed=0)
    assert len(np.unique(pop.params, axis=0)) == 4
    alike = fastbp.Population(4, [2, 3, 1], init=np.tile(pop.params[0], (4, 1)))
    alike.fit(X, T, epochs=2, seed=[3, 4, 3, 4])
    assert len(np.unique(alike.params, axis=0)) == 2


@pytest.mark.parametrize("batch", [1, 5])
def test_each_network_has_its_own_rate_and_penalty(batch):
    pop = fastbp.Population(6, [2, 3, 1], seed=0)
    X, T = data(pop, 12)
    nets, rates, l2 = [*pop], np.geomspace(0.001, 0.1, 6), np.linspace(0, 0.3, 6)
    pop.fit(X, T, epochs=3, learning_rate=rates, l2=l2, shuffle=False, batch_size=batch)
    for i, net in enumerate(nets):
        net.fit(X, T, epochs=3, optimizer=SGD(rates[i], l2=l2[i]), shuffle=False, batch_size=batch)
        np.testing.assert_allclose(pop.params[i], net.params, **CLOSE["float64"])


@pytest.mark.parametrize("sizes", [(2, 3, 1), (2, 70, 1)])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_a_network_that_diverges_stops_alone(isa, sizes, batch, optimizer):
    pop = fastbp.Population(20, sizes, "relu", "identity", seed=0)
    X, T = data(pop, 12)
    alone = pop[[0, 2]]
    rates = np.full(20, 0.001)
    rates[1] = 1e200
    history = pop.fit(X, T, epochs=4, learning_rate=rates, seed=[1] * 20, batch_size=batch,
                      optimizer="sgd" if optimizer is SGD else "adam")
    assert history.diverged.tolist() == [1]
    assert history.stop_reason.tolist() == ["epochs", "diverged", *["epochs"] * 18]
    assert history.epochs[1] < 4 == history.epochs[0]
    assert np.isfinite(pop.params).all()
    alone.fit(X, T, epochs=4, learning_rate=0.001, seed=[1] * 2, batch_size=batch,
              optimizer="sgd" if optimizer is SGD else "adam")
    np.testing.assert_array_equal(alone.params, pop.params[[0, 2]])
    assert "diverged: [1]" in repr(history)


def test_a_step_that_diverges_is_not_made():
    pop = fastbp.Population(3, [2, 1], "identity", seed=0)
    before = pop.params
    with pytest.warns(RuntimeWarning, match="1 of 3 networks .* not made: 1"):
        E = pop.train_step([1.0, 2.0], [3.0], [0.1, 1e300, 0.1])
    assert np.isnan(E).tolist() == [False, True, False]
    assert (pop.params == before).all(axis=1).tolist() == [False, True, False]


def test_each_network_stops_at_its_own_desired_error():
    pop = fastbp.Population(30, [2, 4, 1], "tanh", "sigmoid", seed=0)
    X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    history = pop.fit(X, T, epochs=800, learning_rate=0.5, desired_error=0.05, seed=1)
    reached = history.stop_reason == "desired_error"
    assert reached.sum() > 0
    for i in np.flatnonzero(reached):
        assert history.rms[i, history.epochs[i] - 1] <= 0.05
        assert np.isnan(history.rms[i, history.epochs[i]:]).all()
        assert (history.rms[i, :history.epochs[i] - 1] > 0.05).all()
    assert len(set(history.epochs[reached])) > 1
    assert len(history) == history.epochs.max()


def test_patience_gives_the_best_parameters_back():
    pop = fastbp.Population(5, [2, 6, 1], "tanh", "identity", seed=0)
    X, T = data(pop, 20)
    held = data(pop, 30, seed=1)
    history = pop.fit(X, T, epochs=60, learning_rate=0.2, patience=4, validation_data=held, seed=2)
    assert history.validation_error.shape == history.error.shape
    best = history.validation_error[np.arange(5), history.best_epoch]
    np.testing.assert_allclose(pop.error(*held), best, rtol=1e-12)
    np.testing.assert_allclose(best, np.nanmin(history.validation_error, axis=1))
    assert "patience" in history.stop_reason


def test_time_limit():
    pop = fastbp.Population(3, [2, 2, 1], seed=0)
    history = pop.fit(*data(pop, 9), epochs=5, time_limit=1e-9)
    assert set(history.stop_reason) == {"time_limit"}
    assert len(history) == 1


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize(("activations", "loss"), [
    (("tanh", "identity"), fastbp.Huber(0.3)), (("tanh", "sigmoid"), "binary_cross_entropy"),
    (("tanh", "softmax"), "cross_entropy"), (("tanh", "identity"), "squared_error")])
def test_weights_and_losses_in_training(activations, loss, batch, reduction):
    nets = [fastbp.Network([3, 4, 2], activations, loss=loss, reduction=reduction, seed=seed) for seed in range(19)]
    pop = fastbp.Population.from_networks(nets)
    X, T = data(pop, 12)
    weights = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 19)     # a bootstrap each
    history = pop.fit(X, T, epochs=2, batch_size=batch, learning_rate=0.05, shuffle=False, sample_weight=weights)
    for i, net in enumerate(nets):
        expected = net.fit(X, T, epochs=2, batch_size=batch, learning_rate=0.05, shuffle=False,
                           sample_weight=weights[i])
        np.testing.assert_allclose(pop.params[i], net.params, **CLOSE["float64"])
        np.testing.assert_allclose(history.error[i], expected.error, **CLOSE["float64"])


@pytest.mark.parametrize("sizes", [(2, 3, 1), (2, 70, 1)])
def test_ctrl_c_keeps_what_has_been_learnt(sizes, monkeypatch):
    pop = fastbp.Population(5, sizes, seed=0)
    X, T = data(pop, 9)
    twin = pop.copy()
    for trainer in (training.InLanes, training.OneByOne):
        def train(self, first, *rest, before=trainer.train):
            if first == 3:
                raise KeyboardInterrupt
            before(self, first, *rest)
        monkeypatch.setattr(trainer, "train", train)
    history = pop.fit(X, T, epochs=9, time_limit=1000, seed=1)
    assert set(history.stop_reason) == {"interrupted"}
    assert history.epochs.tolist() == [3] * 5
    twin.fit(X, T, epochs=3, seed=1)
    np.testing.assert_array_equal(pop.params, twin.params)


def test_views_are_live_and_params_are_not():
    pop = fastbp.Population(21, [2, 3, 1], "identity", seed=0)
    assert [W.shape for W in pop.weights] == [(21, 2, 3), (21, 3, 1)]
    assert [b.shape for b in pop.biases] == [(21, 3), (21, 1)]
    pop.weights[0][4] = 0
    pop.biases[1][4] = 9
    pop.weights[1][4, 2, 0] = 5
    pop.biases[0][4] = [0, 0, 1]
    assert pop.predict([1.0, 1.0])[4] == pytest.approx([14])
    vector = pop.params
    assert vector.shape == (21, 13)
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 0
    pop.params = 2 * vector
    np.testing.assert_array_equal(pop[4].params, 2 * vector[4])


def test_networks_in_and_out():
    pop = fastbp.Population(6, [2, 3, 1], seed=0)
    net = pop[-1]
    assert isinstance(net, fastbp.Network)
    np.testing.assert_array_equal(net.params, pop.params[5])
    net.weights[0][...] = 0
    assert pop.params[5].any()
    assert len(pop[1:3]) == 2
    np.testing.assert_array_equal(pop[np.arange(6) > 3].params, pop.params[4:])
    twin = fastbp.Population.from_networks([*pop])
    np.testing.assert_array_equal(twin.params, pop.params)
    for bad in (6, -7, slice(6, 6), "x", 1.5, (0, 1)):
        with pytest.raises(IndexError):
            pop[bad]
    with pytest.raises(ValueError, match=r"networks must be alike, but networks\[1\]"):
        fastbp.Population.from_networks([fastbp.Network([2, 1]), fastbp.Network([3, 1])])
    with pytest.raises(ValueError, match="at least one"):
        fastbp.Population.from_networks([])
    with pytest.raises(TypeError, match=r"networks\[0\] must be a fastbp.Network"):
        fastbp.Population.from_networks([1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_files_and_pickles(dtype, tmp_path):
    pop = fastbp.Population(6, [2, 3, 1], "tanh", loss=fastbp.Huber(0.5), reduction="mean", dtype=dtype, seed=0)
    pop.save(tmp_path / "pop")
    for twin in (fastbp.Population.load(tmp_path / "pop"), pickle.loads(pickle.dumps(pop)), pop.copy()):
        assert repr(twin) == repr(pop)
        assert (twin.loss, twin.reduction) == (pop.loss, pop.reduction)
        np.testing.assert_array_equal(twin.params, pop.params)
    X, T = data(pop, 5)
    twin = pickle.loads(pickle.dumps(pop))
    for each in (pop, twin):
        each.fit(X, T, epochs=2)
    np.testing.assert_array_equal(twin.params, pop.params)


def test_files_that_are_none(tmp_path):
    pop = fastbp.Population(6, [2, 3, 1], seed=0)
    pop.save(tmp_path / "pop")
    content = (tmp_path / "pop").read_bytes()
    fastbp.Network([2, 1]).save(tmp_path / "net")
    (tmp_path / "short").write_bytes(content[:-9])
    (tmp_path / "other").write_bytes(content.replace(b'"networks": 6', b'"networks": 5'))
    from fastbp import io
    from fastbp.population import FILE
    (tmp_path / "five").write_bytes(io.pack(FILE, b'{"networks": 5}', b"12345"))
    (tmp_path / "list").write_bytes(io.pack(FILE, b"[1]", b""))
    for name in ("net", "short", "other", "five", "list"):
        with pytest.raises(fastbp.FormatError, match=name):
            fastbp.Population.load(tmp_path / name)


def test_a_loss_of_the_users_own():
    def loss(Y, T):
        return float(((Y - T) ** 4).sum()), 4 * (Y - T) ** 3

    pop = fastbp.Population(5, [2, 3, 1], "tanh", loss=loss, seed=0)
    X, T = data(pop, 9)
    nets = [*pop]
    pop.fit(X, T, epochs=2, batch_size=3, shuffle=False, learning_rate=0.1)
    for i, net in enumerate(nets):
        net.fit(X, T, epochs=2, batch_size=3, shuffle=False, learning_rate=0.1)
        np.testing.assert_allclose(pop.params[i], net.params, **CLOSE["float64"])


def test_init():
    pop = fastbp.Population(4000, [2, 3, 1], init=["he", fastbp.uniform(-0.5, 0.5)], seed=0)
    assert abs(pop.weights[0]).max() == pytest.approx(3 ** 0.5, rel=0.01)
    assert not pop.biases[0].any()
    assert abs(pop.params[:, 9:]).max() == pytest.approx(0.5, rel=0.01)
    given = np.arange(26.0).reshape(2, 13)
    np.testing.assert_array_equal(fastbp.Population(2, [2, 3, 1], init=given).params, given)


@pytest.mark.parametrize(("kind", "wrong", "message"), [
    (ValueError, lambda: fastbp.Population(0, [2, 1]), "n must be at least 1, got 0"),
    (TypeError, lambda: fastbp.Population(1.5, [2, 1]), "n must be an integer"),
    (ValueError, lambda: fastbp.Population(2, [2, 1], init=np.zeros((2, 4))), r"params must have the shape \(2, 3\)"),
    (ValueError, lambda: fastbp.Population(2, [2, 1], init=["he", "he"]), "each of the 1 layers, got 2"),
    (ValueError, lambda: fastbp.Population(2, [2, 1], seed=[1]), "seed must hold one seed for each of the 2"),
    (TypeError, lambda: fastbp.Population(2, [2, 1], seed=[1, "a"]), r"seed\[1\] must be a non-negative integer"),
    (ValueError, lambda: fastbp.Population(2, [2, 1], seed=-1), "seed must be"),
    (MemoryError, lambda: fastbp.Population(2**40, [1000, 1000]), "memory"),
])
def test_wrong_populations(kind, wrong, message):
    with pytest.raises(kind, match=message):
        wrong()


X3, T3, OUT = np.zeros((4, 2)), np.full((4, 1), 0.5), np.zeros((3, 4, 1))


@pytest.mark.parametrize(("kind", "call", "message"), [
    (ValueError, lambda pop: pop.predict(np.zeros(3)), r"X must have the shape \(2,\) or \(M, 2\)"),
    (ValueError, lambda pop: pop.predict(np.zeros((4, 5, 2))), r"\(3, M, 2\) for samples of each, got \(4, 5, 2\)"),
    (ValueError, lambda pop: pop.predict(X3, np.zeros((3, 4, 2))), r"out must have the shape \(3, 4, 1\)"),
    (TypeError, lambda pop: pop.predict(X3, np.zeros((3, 4, 1), "f4")), "out must have dtype float64"),
    (TypeError, lambda pop: pop.predict(X3, [0.0]), "out must be a numpy.ndarray"),
    (ValueError, lambda pop: pop.predict(X3, np.zeros((3, 4, 2))[..., :1]), "out must be C-contiguous"),
    (ValueError, lambda pop: pop.predict(OUT.ravel()[:8].reshape(4, 2), OUT), "out must not overlap"),
    (ValueError, lambda pop: pop.error(X3, np.zeros((3, 1))), r"T must have the shape \(4, 1\) or \(4,\)"),
    (ValueError, lambda pop: pop.gradient(X3, T3, np.ones(3)), r"sample_weight must have the shape \(4,\)"),
    (ValueError, lambda pop: pop.gradient(X3, T3, np.full((3, 4), -1.0)), "sample_weight"),
    (ValueError, lambda pop: pop.gradient(X3 * np.nan, T3), "X must be finite"),
    (ValueError, lambda pop: pop.gradient(np.full((3, 4, 2), np.inf), T3), "X must be finite.*for network 0"),
    (ValueError, lambda pop: pop.fit(X3, T3, learning_rate=[0.1, 0.1]), r"learning_rate .* shape \(3,\)"),
    (ValueError, lambda pop: pop.fit(X3, T3, learning_rate=[0.1, 0.0, 0.1]), r"learning_rate\[1\] must be above 0"),
    (ValueError, lambda pop: pop.fit(X3, T3, learning_rate=0.1, optimizer=SGD(0.1)),
     "learning_rate cannot be given .* got 0.1$"),
    (ValueError, lambda pop: pop.fit(X3, T3, l2=[0.1, -1, 0]), r"l2\[1\] must be at least 0"),
    (ValueError, lambda pop: pop.fit(X3, T3, l2=0.1, optimizer=SGD(l2=0.1)), "l2 cannot be given together"),
    (ValueError, lambda pop: pop.fit(X3[0], T3[0]), "X must be a set of samples"),
    (ValueError, lambda pop: pop.fit(X3[:0], T3[:0]), "at least one sample"),
    (ValueError, lambda pop: pop.fit(X3, T3, patience=3), "patience needs validation_data"),
    (ValueError, lambda pop: pop.fit(X3, T3, validation_data=(X3, T3[1:])), "validation_data: T must have the shape"),
    (ValueError, lambda pop: pop.fit(X3, T3, validation_data=3), "validation_data must be a pair"),
    (ValueError, lambda pop: pop.fit(X3, T3, seed=[1, 2]), "seed must hold one seed for each of the 3"),
    (ValueError, lambda pop: pop.fit(X3, T3, epochs=0), "epochs must be at least 1"),
    (ValueError, lambda pop: pop.fit(X3, T3, batch_size=0), "batch_size must be at least 1"),
    (ValueError, lambda pop: pop.fit(X3, T3, optimizer="lbfgs"), "optimizer must be .* got 'lbfgs'"),
    (ValueError, lambda pop: pop.fit(X3, T3, optimizer="LM"), "optimizer must be .* got 'LM'"),
    (ValueError, lambda pop: pop.fit(X3, T3, optimizer=fastbp.LevenbergMarquardt()), "got LevenbergMarquardt"),
    (TypeError, lambda pop: pop.train_step(X3, T3, optimizer="lm"), "optimizer"),
    (TypeError, lambda pop: pop.fit(X3, T3, shuffle=3), "shuffle must be True or False"),
    (ValueError, lambda pop: pop.train_step(X3, T3, [0.1] * 4), r"learning_rate .* shape \(3,\)"),
    (ValueError, lambda pop: setattr(pop, "params", np.zeros(9)), r"params must have the shape \(3, 9\)"),
])
def test_wrong_arguments_change_nothing(kind, call, message):
    pop = fastbp.Population(3, [2, 2, 1], seed=0)
    before = pop.params
    with pytest.raises(kind, match=message):
        call(pop)
    np.testing.assert_array_equal(pop.params, before)


def test_a_shape_that_fits_both_readings_is_the_same_for_all():
    pop = fastbp.Population(3, [2, 3], "identity", seed=0)
    X, T = data(pop, 3)                     # (3, 3): also labels would be, of a cross-entropy
    assert pop.error(X, T) == pytest.approx([net.error(X, T) for net in pop])
    labels = fastbp.Population(3, [2, 3], "softmax", loss="cross_entropy", seed=0)
    one_hot = np.eye(3, dtype=int)
    assert labels.error(X, one_hot) == pytest.approx([net.error(X, one_hot.astype(float)) for net in labels])


def test_a_population_is_initialised_once():
    pop = fastbp.Population.__new__(fastbp.Population)
    with pytest.raises(ValueError, match="has not been initialised"):
        pop.predict([1.0])
    pop.__init__(2, [1, 1])
    with pytest.raises(TypeError, match="initialised twice"):
        pop.__init__(2, [1, 1])


@pytest.mark.parametrize("call", ["rms", "error"])
def test_labels_are_checked(call):
    pop = fastbp.Population(3, [2, 3], "softmax", loss="cross_entropy", seed=0)
    with pytest.raises(ValueError, match="T must hold"):
        getattr(pop, call)(X3, [0, 1, 2, 3])


def test_no_samples():
    pop = fastbp.Population(3, [2, 3, 1], seed=0)
    assert pop.predict(X3[:0]).shape == (3, 0, 1)
    with pytest.raises(ValueError, match="at least one sample"):
        pop.rms(X3[:0], T3[:0])


def test_progress(capsys):
    pop = fastbp.Population(3, [2, 2, 1], seed=0)
    pop.fit(*data(pop, 9), epochs=4, verbose=True)
    out = capsys.readouterr().out
    assert "epoch 4/4" in out
    assert "samples/s" in out


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("validated", [False, True])
def test_progress_shows_the_networks_last_errors(width, validated, monkeypatch):
    class Shown:
        def start(self, run):
            self.run, self.states, self.samples = run, [], 0

        def on_epoch(self, state):
            self.states.append(state)
            self.samples += self.run.source.terms // self.run.net.n_outputs

        def end(self):
            pass

    shown, pop = Shown(), fastbp.Population(6, [2, width, 1], "tanh", "identity", seed=0)
    monkeypatch.setattr(training.progress, "make", lambda verbose, epochs: shown)
    X, T = data(pop, 9)
    history = pop.fit(X, T, epochs=500, learning_rate=[1e200, 0.1, 0.1, 0.1, 0.1, 0.1], desired_error=0.24, seed=0,
                      validation_data=(X, T) if validated else None)
    assert history.stop_reason.tolist() == ["diverged", *["desired_error"] * 5]
    assert len(set(history.epochs[1:])) > 1
    assert [state.epoch for state in shown.states][-1] == len(history) - 1
    assert shown.samples == 9 * history.epochs.sum()
    for name in ("error", "rms", "validation_error")[:2 + validated]:
        errors = getattr(history, name)[np.arange(1, 6), history.epochs[1:] - 1]
        assert getattr(shown.states[-1], name) == pytest.approx(errors.mean())


def test_progress_of_networks_that_stop_early_or_diverge(capsys):
    pop = fastbp.Population(6, [2, 3, 1], "tanh", "identity", seed=0)
    pop.fit(*data(pop, 9), epochs=100, learning_rate=0.1, desired_error=0.24, seed=0, verbose=True)
    out = capsys.readouterr().out
    assert "RMS 0." in out and "nan" not in out
    pop.fit(*data(pop, 9), epochs=100, learning_rate=1e200, verbose=True)
    assert capsys.readouterr().out == ""


def test_tqdm_counts_the_epochs(monkeypatch):
    counts = []
    bar = types.SimpleNamespace(set_postfix_str=lambda text, refresh: None, update=counts.append, close=lambda: None)
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=lambda **options: bar))
    pop = fastbp.Population(2, [2, 3, 1], seed=0)
    pop.fit(*data(pop, 9), epochs=300, verbose="tqdm")
    assert sum(counts) == 300


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize(("activation", "rate"), [("exp", 0.5), ("relu", 100.0)])
def test_networks_that_diverge_keep_finite_parameters(isa, dtype, activation, rate, batch_size):
    X = np.linspace(-3, 3, 20)[:, None]
    pop = fastbp.Population(5, [1, 4, 1], activation, "identity", dtype=dtype, seed=0)
    history = pop.fit(X, np.sin(X), epochs=20, learning_rate=[1e-9, *[rate] * 4], batch_size=batch_size)
    assert len(history.diverged) > 0 and 0 not in history.diverged
    assert np.isfinite(pop.params).all()


def test_an_update_whose_factors_are_not_finite_is_not_made(isa):
    pop = fastbp.Population(1, [1, 2, 1], "relu", "identity", init=[[1e200, 1, 0, 0, 1, 1, 0]])
    before = pop.params
    with pytest.warns(RuntimeWarning):
        pop.train_step([1e200], [0.0], 1e-3)
    np.testing.assert_array_equal(pop.params, before)


def test_masked_labels_are_refused():
    pop = fastbp.Population(4, [2, 3, 3], "tanh", "softmax", loss="cross_entropy", seed=0)
    with pytest.raises(ValueError, match="T must hold no masked values, got 2"):
        pop.error(np.ones((5, 2)), np.ma.masked_array([0, 1, 2, 0, 1], [0, 0, 1, 0, 1]))


def test_a_copy_draws_on_as_the_original():
    pop = fastbp.Population(2, [1, 1], seed=np.random.Generator(np.random.MT19937(1)))
    X, other = np.linspace(-1, 1, 9)[:, None], pop.copy()
    for one in (pop, other):
        one.fit(X, X, epochs=2)
    np.testing.assert_array_equal(pop.params, other.params)


def test_memory_follows_the_epochs_that_were_run():
    pop = fastbp.Population(1, [1, 1], seed=0)
    tracemalloc.start()
    history = pop.fit([[0.5]], [0.5], epochs=10**8, learning_rate=0.5, desired_error=1e-3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 10 < len(history) < 1000
    assert peak < 2**24


@pytest.mark.parametrize("name", ["n", "layer_sizes", "activations", "loss", "reduction", "dtype", "n_inputs",
                                  "n_outputs", "n_params", "weights", "biases", "learning_rate"])
def test_attributes_cannot_be_assigned(name):
    pop = fastbp.Population(2, [2, 3, 1], seed=0)
    before = repr(pop)
    for one in (pop, pop[0]):
        with pytest.raises(AttributeError):
            setattr(one, name, 3)
    assert repr(pop) == before


@pytest.mark.parametrize("width", [1, 40])
def test_each_network_diverges_by_its_own_samples(width):
    """A network whose samples are a million times as large does not let the others' errors grow as much more."""
    pop = fastbp.Population(2, [1, width, 1], "identity", seed=0)
    X, T = np.array([[[1.0]], [[1e6]]]), np.zeros((2, 1, 1))
    pop.weights[0][...], pop.weights[1][...] = 1 / width, 1.0
    alone = pop[[0]]
    rates, epochs = np.array([1.0, 1e-16]), 200
    history = pop.fit(X, T, epochs=epochs, optimizer="sgd", learning_rate=rates)
    expected = alone.fit(X[:1], T[:1], epochs=epochs, learning_rate=1.0)
    assert history.stop_reason.tolist() == ["diverged", "epochs"]
    assert history.epochs[0] == expected.epochs[0] < epochs
    np.testing.assert_array_equal(pop.params[0], alone.params[0])
    np.testing.assert_array_equal(history.rms[0, :history.epochs[0]], expected.rms[0])
