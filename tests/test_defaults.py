"""The default learning rate, and what users are told about targets and rates that cannot work."""

import pickle
import warnings

import numpy as np
import pytest

import fastbp

RNG = np.random.default_rng(5)
X = 0.3 * RNG.normal(size=(70, 10))
T = np.sin(3 * X[:, :1]) + X[:, 1:2]


def network(reduction="sum", **options):
    return fastbp.Network([10, 20, 1], "tanh", "identity", reduction=reduction, seed=1, **options)


# ---------------------------------------------------------------- the rate that nobody gives

@pytest.mark.parametrize("batch_size", [1, 32, "full"])
@pytest.mark.parametrize("optimizer", [None, {}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}])
def test_a_sum_and_a_mean_take_the_same_steps(dtype, batch_size, optimizer):
    trained = []
    for reduction in ("sum", "mean"):
        trained.append(network(reduction, dtype=dtype))
        trained[-1].fit(X, T, epochs=5, batch_size=batch_size, seed=2,
                        optimizer="sgd" if optimizer is None else fastbp.SGD(**optimizer))
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    np.testing.assert_allclose(trained[0].params, trained[1].params, rtol=tolerance, atol=tolerance)
    assert trained[0].rms(X, T) < network().rms(X, T)


@pytest.mark.parametrize("m", [1, 7])
def test_single_steps_divide_by_their_samples(m):
    start = network().params
    expected = start - 0.1 / m * network().gradient(X[:m], T[:m])[1]
    steps = {
        "train_step": lambda net: net.train_step(X[:m], T[:m]),
        "SGD": lambda net: net.train_step(X[:m], T[:m], optimizer=fastbp.SGD()),
        "bind": lambda net: net.bind(X[:m], T[:m]).step(),
        "bind SGD": lambda net: net.bind(X[:m], T[:m], optimizer=fastbp.SGD()).step(),
        "batches": lambda net: net.fit([(X[:m], T[:m])], None, epochs=1),
        "loss of one's own": lambda net: net.train_step(X[:m], T[:m]),
    }
    for name, step in steps.items():
        own = {"loss": lambda Y, T: (np.square(Y - T).sum() / 2, Y - T)} if "own" in name else {}
        net = network(**own)
        step(net)
        np.testing.assert_allclose(net.params, expected, rtol=1e-12, atol=1e-14, err_msg=name)


def test_a_rate_that_is_given_is_obeyed():
    expected = network().params - 0.001 * network().gradient(X, T)[1]
    for step in (lambda net: net.train_step(X, T, 0.001),
                 lambda net: net.train_step(X, T, optimizer=fastbp.SGD(0.001)),
                 lambda net: net.bind(X, T, learning_rate=0.001).step(),
                 lambda net: net.fit(X, T, epochs=1, batch_size="full", learning_rate=0.001)):
        net = network()
        step(net)
        np.testing.assert_allclose(net.params, expected, rtol=1e-12, atol=1e-14)


def test_the_default_may_be_changed_and_stays_divided():
    optimizer = fastbp.SGD()
    assert repr(optimizer) == "SGD(momentum=0.0, nesterov=False)"
    optimizer.learning_rate *= 0.5
    twin = pickle.loads(pickle.dumps(optimizer))
    for tried in (optimizer, twin):
        net = network()
        net.train_step(X, T, optimizer=tried)
        np.testing.assert_allclose(net.params, network().params - 0.05 / 70 * network().gradient(X, T)[1], rtol=1e-12,
                                   atol=1e-14)


def test_a_schedule_scales_the_default():
    net, twin = network(), network("mean")
    for tried, rate in ((net, None), (twin, 0.1)):
        history = tried.fit(X, T, epochs=4, batch_size="full", learning_rate=rate, schedule="cosine", shuffle=False)
        np.testing.assert_allclose(history.learning_rate, 0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)))
    np.testing.assert_allclose(net.params, twin.params, rtol=1e-11, atol=1e-11)


def test_a_checkpoint_tells_a_default_from_a_rate(tmp_path):
    network().fit(X, T, epochs=1, batch_size=32, checkpoint=tmp_path / "c", seed=3)
    with pytest.raises(ValueError, match="made with True as divided of the optimizer, but this training has False"):
        network().fit(X, T, epochs=2, batch_size=32, optimizer=fastbp.SGD(0.1), resume=tmp_path / "c", seed=3)
    resumed, whole = network(), network()
    resumed.fit(X, T, epochs=3, batch_size=32, resume=tmp_path / "c", seed=3)
    whole.fit(X, T, epochs=3, batch_size=32, seed=3)
    np.testing.assert_array_equal(resumed.params, whole.params)


# ---------------------------------------------------------------- training that runs away

def test_an_error_that_runs_away_ends_the_training():
    net = network()
    with pytest.raises(fastbp.DivergenceError, match=r"the RMS error has grown from 0\.\d+ in the first epoch to .*"
                       r"The learning rate, 0\.1, may be too large; the gradient is a sum over 70 samples: ") as caught:
        net.fit(X, T, epochs=50, batch_size="full", learning_rate=0.1)
    assert caught.value.sample is None
    assert 0 < caught.value.epoch < 50
    assert np.isfinite(net.params).all()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_batches_that_run_away():
    net = network()
    with pytest.raises(fastbp.DivergenceError, match=r"grown.*inputs are as large as [0-9.]+: scale them"):
        net.fit([(100 * X, T)], None, epochs=500, learning_rate=0.1)
    assert np.isfinite(net.params).all()


@pytest.mark.parametrize("batches", [False, True])
def test_a_first_epoch_that_runs_away(batches):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    T = 2 * X[:, :1] + 0.1 * rng.normal(size=(200, 1))
    net = fastbp.Network([10, 20, 1], "tanh", "identity", seed=0)
    data = ([(x[None], t[None]) for x, t in zip(X, T, strict=True)], None) if batches else (X, T)
    with pytest.raises(fastbp.DivergenceError, match=r"has grown in the first epoch to .*optimizer='adam' takes"):
        net.fit(*data, epochs=1, learning_rate=0.3, seed=0)


def test_causes_of_an_optimizer_whose_steps_do_not_grow_with_the_gradient():
    with pytest.raises(fastbp.DivergenceError, match=r"The learning rate, 1e\+07, may be too large\.$"):
        network().fit(X, T, epochs=50, batch_size="full", optimizer=fastbp.Adam(1e7))


def test_the_size_of_a_smaller_last_batch():
    T = np.zeros(33)
    T[-1] = 1e200
    net = fastbp.Network([4, 3, 1], "tanh", "identity", seed=0)
    with pytest.raises(fastbp.DivergenceError, match=r"The learning rate, 0\.1, may be too large; targets are"):
        net.fit(np.zeros((33, 4)), T, batch_size=32, shuffle=False, epochs=1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bound_number_that_is_not_finite(value):
    with pytest.raises(ValueError, match=rf"^t must be finite, got {value}$"):
        fastbp.Network([3, 1], seed=0).bind(np.ones(3), np.array(value)).step()


def test_large_targets_are_a_likely_cause():
    with pytest.raises(fastbp.DivergenceError, match=r"targets are as large as [0-9.]+e\+06: scale them"):
        network().fit(X, 1e6 * T, epochs=50, learning_rate=10.0)


def test_the_best_parameters_come_back():
    net, best = network(), []

    class Faster:
        """A rate that is too large from the third epoch on."""

        def on_epoch(self, state):
            best.append((state.validation_error, state.network.params))
            if state.epoch == 2:
                state.optimizer.learning_rate = 10.0

    with pytest.raises(fastbp.DivergenceError) as caught:
        net.fit(X, T, epochs=200, batch_size="full", optimizer=fastbp.SGD(0.001), patience=200,
                validation_data=(X, T), callbacks=[Faster()])
    assert caught.value.__notes__ == ["The network has the parameters of the epoch with the lowest validation error."]
    np.testing.assert_array_equal(net.params, min(best, key=lambda epoch: epoch[0])[1])


def test_an_error_that_grows_but_stays_small_is_let_be():
    net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
    history = net.fit([[1.0], [-1.0]], [[2.0], [-2.0 + 1e-9]], epochs=20, learning_rate=1.9, shuffle=False)
    assert len(history) == 20


# ---------------------------------------------------------------- what was not finite before

@pytest.mark.parametrize(("name", "value"), [("x", np.nan), ("x", np.inf), ("t", np.nan), ("t", -np.inf)])
def test_bound_arrays_that_are_not_finite_are_named(dtype, name, value):
    net = network(dtype=dtype)
    arrays = {"x": X[:3].astype(dtype), "t": T[:3].astype(dtype)}
    bound, before = net.bind(**arrays), net.params
    arrays[name][1, 0] = value
    with pytest.raises(fastbp.DivergenceError, match=rf"{name} must be finite, got {value} at index \(1, 0\)") as error:
        bound.step()
    assert isinstance(error.value, ValueError)
    np.testing.assert_array_equal(net.params, before)


def test_parameters_that_were_not_finite_are_named():
    net = network()
    net.biases[1][0] = np.nan
    for call in (lambda: net.train_step(X, T), lambda: net.bind(X, T).step(), lambda: net.fit(X, T, epochs=1)):
        with pytest.raises(fastbp.DivergenceError, match=r"got nan at net\.biases\[1\]\[0\]; set them anew") as caught:
            call()
        assert isinstance(caught.value, ValueError)


def test_samples_that_change_while_they_are_trained_on_are_named():
    inputs = X.copy()

    class Spoil:
        """A callback that writes into the samples."""

        def on_epoch(self, state):
            inputs[5, 2] = np.nan

    with pytest.raises(fastbp.DivergenceError, match=r"X must be finite, got nan at index \(5, 2\)"):
        network().fit(inputs, T, epochs=3, callbacks=[Spoil()])


# ---------------------------------------------------------------- targets out of reach

REACH = [("sigmoid", -10, 10, "0 to 1"), ("tanh", -1.5, 1, "-1 to 1"), ("relu", -1, 1, "0 to inf"),
         ("softplus", -1, 1, "0 to inf"), ("exp", -1, 1, "0 to inf"), ("gaussian", 0, 2, "0 to 1"),
         ("sin", -2, 2, "-1 to 1"), ("threshold", -1, 1, "0 to 1"), ("softsign", -2, 1, "-1 to 1")]


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize(("activation", "low", "high", "reach"), REACH, ids=[case[0] for case in REACH])
def test_targets_that_an_output_cannot_reach(activation, low, high, reach, dtype):
    targets = np.linspace(low, high, 70).reshape(70, 1)
    for call in (lambda net: net.fit(X, targets, epochs=1, learning_rate=1e-6),
                 lambda net: net.fit([(X, targets)], None, epochs=2, learning_rate=1e-6),
                 lambda net: [net.train_step(x, t, 1e-6) for x, t in zip(X, targets, strict=True)]):
        net = fastbp.Network([10, 1], activation, dtype=dtype, seed=1)
        with pytest.warns(fastbp.UnreachableTargetsWarning, match=f"gives {reach}.*output_activation='iden") as warned:
            call(net)
            call(net)
        assert [warning.filename for warning in warned] == [__file__]    # once a network
        assert str(activation) in str(warned[0].message)


@pytest.mark.filterwarnings("error")
def test_targets_that_an_output_can_reach():
    for activation, low, high in [("sigmoid", 0, 1), ("tanh", -1, 1), ("identity", -1e6, 1e6), ("relu", 0, 9),
                                  ("elu", -1, 9), ("leaky_relu", -9, 9), ("sigmoid", -1e-15, 1 + 1e-15)]:
        targets = np.linspace(low, high, 70).reshape(70, 1)
        net = fastbp.Network([10, 1], activation, seed=1)
        net.fit(X, targets, epochs=1, learning_rate=1e-20)
        for x, t in zip(X, targets, strict=True):
            net.train_step(x, t, 1e-20)
    labels = np.arange(70) % 3
    fastbp.Network([10, 3], "softmax", loss="cross_entropy", seed=1).fit(X, labels, epochs=1)
    fastbp.Network([10, 3], "softmax", loss="cross_entropy", seed=1).fit(X, np.eye(3)[labels], epochs=1)


@pytest.mark.filterwarnings("always")
def test_a_fit_looks_at_its_targets_after_many_steps():
    net = fastbp.Network([10, 1], seed=1)
    for _ in range(100):
        net.train_step(X[0], [0.5], 1e-6)
    with pytest.warns(fastbp.UnreachableTargetsWarning, match=r"the targets are -10\. "):
        net.fit(X, np.full((70, 1), -10.0), epochs=1, learning_rate=1e-6)


@pytest.mark.filterwarnings("always")
def test_negative_targets_of_a_softmax():
    with pytest.warns(fastbp.UnreachableTargetsWarning, match=r"are -4 to 5 in rows.*Targets must not be negative"):
        fastbp.Network([10, 2], "softmax", seed=1).fit(X, np.tile([5.0, -4.0], (70, 1)), epochs=1)


@pytest.mark.filterwarnings("always")
def test_rows_of_a_softmax_that_do_not_sum_to_one():
    net = fastbp.Network([10, 3], "softmax", seed=1)
    with pytest.warns(fastbp.UnreachableTargetsWarning, match=r"rows that sum to 0\.6.*Divide each row of targets by"):
        net.fit(X, np.full((70, 3), 0.2), epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, np.full((70, 3), 0.2), epochs=1)
