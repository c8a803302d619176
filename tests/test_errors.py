"""Bad input: the right exception, which names the argument, what it needs and what it got, and nothing has changed."""

import inspect
import pickle
import re

import numpy as np
import pytest

import fastbp
from fastbp import activations, losses, optimizers
from fastbp._checks import ELSEWHERE, simplified
from fastbp.initial import RULES

x, t = np.zeros(3), np.zeros(2)
X, T = np.zeros((4, 3)), np.zeros((4, 2))
NAN, INF = np.nan, np.inf


def spoiled(array, value):
    """A copy of the array whose last number is `value`."""
    array = array.copy()
    array.flat[-1] = value
    return array


def read_only(array):
    array.flags.writeable = False
    return array


def case(exception, argument, came, call, *args, of=""):
    """call(*args) is refused for `argument`; `came` is what the message must show of the value that was refused."""
    return pytest.param(exception, argument, came, call, args, id=f"{of} {argument}={came}".strip())


def assert_refused(exception, argument, came, call, *args):
    with pytest.raises(exception) as caught:
        call(*args)
    assert re.search(rf"\b{argument}\b", str(caught.value))
    assert came in str(caught.value)


NETWORKS = [
    case(ValueError, "layer_sizes", "[]", lambda: fastbp.Network([])),
    case(ValueError, "layer_sizes", "[3]", lambda: fastbp.Network([3])),
    case(ValueError, "layer_sizes", "0", lambda: fastbp.Network([3, 0, 2])),
    case(ValueError, "layer_sizes", "-5", lambda: fastbp.Network([3, -5, 2])),
    case(TypeError, "layer_sizes", "2.5", lambda: fastbp.Network([3, 2.5, 2])),
    case(TypeError, "layer_sizes", "'4'", lambda: fastbp.Network([3, "4", 2])),
    case(TypeError, "layer_sizes", "int", lambda: fastbp.Network(7)),
    case(TypeError, "layer_sizes", "None", lambda: fastbp.Network(None)),
    case(ValueError, "activation", "'sigmiod'", lambda: fastbp.Network([3, 2], "sigmiod")),
    case(ValueError, "activation", "3", lambda: fastbp.Network([3, 4, 2], ["tanh"] * 3)),
    case(TypeError, "activation", "5", lambda: fastbp.Network([3, 2], 5)),
    case(TypeError, "activation", "None", lambda: fastbp.Network([3, 4, 2], ["tanh", None])),
    case(ValueError, "output_activation", "'sofmax'", lambda: fastbp.Network([3, 2], "tanh", "sofmax")),
    case(ValueError, "output_activation", "'tanh'", lambda: fastbp.Network([3, 4, 2], ["tanh", "tanh"], "tanh")),
    case(ValueError, "loss", "'absolute'", lambda: fastbp.Network([3, 2], loss="absolute")),
    case(ValueError, "reduction", "'median'", lambda: fastbp.Network([3, 2], reduction="median")),
    case((TypeError, ValueError), "dtype", "int32", lambda: fastbp.Network([3, 2], dtype="int32")),
    case((TypeError, ValueError), "dtype", "float16", lambda: fastbp.Network([3, 2], dtype=np.float16)),
    case((TypeError, ValueError), "dtype", "'flaot64'", lambda: fastbp.Network([3, 2], dtype="flaot64")),
    case(ValueError, "init", "'autp'", lambda: fastbp.Network([3, 2], init="autp")),
    case(ValueError, "init", "'autp'", lambda: fastbp.Network([3, 2, 2], init=["auto", "autp"])),
    case(ValueError, "init", "3", lambda: fastbp.Network([3, 2, 2], init=["he"] * 3)),
    case(ValueError, "init", "1", lambda: fastbp.Network([3, 2, 2], init=["he"])),
    case(TypeError, "init", "5 for layer 1", lambda: fastbp.Network([3, 2, 2], init=["he", 5])),
    case(TypeError, "init", "tuple", lambda: fastbp.Network([3, 2, 2], init=["he", (np.zeros((2, 2)),)])),
    case(ValueError, "init", "1e+39", lambda: fastbp.Network([3, 2], init=[fastbp.uniform(0, 1e39)], dtype="float32")),
    case(ValueError, "init", "7", lambda: fastbp.Network([3, 2], init=np.zeros(7))),
    case(ValueError, "init", "(2, 3)", lambda: fastbp.Network([3, 2], init=[(np.zeros((2, 3)), t)])),
    case(ValueError, "init", "(3,)", lambda: fastbp.Network([3, 2], init=[(np.zeros((3, 2)), x)])),
    case(ValueError, "init", "2", lambda: fastbp.Network([3, 2], init=[(np.zeros((3, 2)), t)] * 2)),
    case(TypeError, "init", "None", lambda: fastbp.Network([3, 2], init=None)),
    case(ValueError, "seed", "-1", lambda: fastbp.Network([3, 2], seed=-1)),
    case(TypeError, "seed", "1.5", lambda: fastbp.Network([3, 2], seed=1.5)),
    case(TypeError, "seed", "'one'", lambda: fastbp.Network([3, 2], seed="one")),
    case(ValueError, "rng", "-1", lambda: fastbp.Network([3, 2], rng=-1)),
    case(TypeError, "rng", "'one'", lambda: fastbp.Network([3, 2], rng="one")),
    case(ValueError, "rng", "1 and 2", lambda: fastbp.Network([3, 2], seed=1, rng=2)),
    case(TypeError, "loss", "the class Huber", lambda: fastbp.Network([3, 2], loss=fastbp.Huber)),
    case(ValueError, "high", "1", lambda: fastbp.uniform(2, 1)),
    case(ValueError, "low", "nan", lambda: fastbp.uniform(NAN, 1)),
    case(ValueError, "high", "inf", lambda: fastbp.uniform(0, INF)),
    case(TypeError, "high", "str", lambda: fastbp.uniform(0, "1")),
]


OPTIMIZERS = [
    *[case(ValueError, "learning_rate", str(rate), fastbp.SGD, rate, of="SGD") for rate in (0, -0.1, NAN, INF)],
    *[case(ValueError, "learning_rate", str(rate), fastbp.Adam, rate, of="Adam") for rate in (0, -0.1, NAN, INF)],
    *[case(ValueError, "momentum", str(mu), fastbp.SGD, 0.1, mu) for mu in (-0.1, 1, NAN)],
    case(ValueError, "nesterov", "0", lambda: fastbp.SGD(0.1, nesterov=True)),
    case(ValueError, "beta_1", "1", lambda: fastbp.Adam(beta_1=1)),
    case(ValueError, "beta_2", "-1", lambda: fastbp.Adam(beta_2=-1)),
    *[case(ValueError, "epsilon", str(epsilon), lambda e=epsilon: fastbp.Adam(epsilon=e)) for epsilon in (0, -1, INF)],
    *[case(ValueError, name, "-0.5", lambda name=name: fastbp.SGD(**{name: -0.5}))
      for name in ("l1", "l2", "clip_norm", "max_norm")],
    case(ValueError, "layer_rates", "-0.5", lambda: fastbp.SGD(layer_rates=[1, -0.5])),
    *[case(ValueError, "epsilon", "-0.5", lambda made=made: made(epsilon=-0.5), of=made.__name__)
      for made in (fastbp.RMSprop, fastbp.Adagrad)],
    case(ValueError, "least", "-0.5", lambda: fastbp.Rprop(least=-0.5)),
    case(ValueError, "rho", "1", lambda: fastbp.RMSprop(rho=1)),
    case(ValueError, "grow", "1", lambda: fastbp.Rprop(grow=1)),
    *[case(ValueError, "shrink", str(shrink), lambda s=shrink: fastbp.Rprop(shrink=s)) for shrink in (-0.5, 1)],
    case(ValueError, "least", "2", lambda: fastbp.Rprop(least=2, largest=1)),
    case(TypeError, "learning_rate", "'0.1'", lambda: fastbp.SGD("0.1")),
    case(TypeError, "momentum", "'0.9'", lambda: fastbp.SGD(0.1, momentum="0.9")),
    case(TypeError, "epsilon", "None", lambda: fastbp.Adam(epsilon=None)),
]


CASE = ("exception", "argument", "came", "call", "args")


@pytest.mark.parametrize(CASE, [*NETWORKS, *OPTIMIZERS])
def test_refused_construction(exception, argument, came, call, args):
    assert_refused(exception, argument, came, call, *args)


@pytest.mark.parametrize("layer_sizes", [[2, 10**15, 1], [10**9, 10**9], [10**18, 10**18], [2, 2**64, 1]], ids=str)
@pytest.mark.parametrize("init", ["auto", fastbp.uniform(-1, 1)], ids=["auto", "uniform"])
def test_huge_network(layer_sizes, init):
    with pytest.raises(MemoryError):
        fastbp.Network(layer_sizes, init=init)


# Everything that takes samples refuses the same things of them.
SAMPLE_CALLS = {
    "predict": lambda net, X, T: net.predict(X),
    "error": lambda net, X, T: net.error(X, T),
    "rms": lambda net, X, T: net.rms(X, T),
    "gradient": lambda net, X, T: net.gradient(X, T),
    "backprop": lambda net, X, T: net.backprop(X, T),
    "input_gradient": lambda net, X, T: net.input_gradient(X, T),
    "jacobian": lambda net, X, T: net.jacobian(X),
    "train_step": lambda net, X, T: net.train_step(X, T),
    "fit": lambda net, X, T: net.fit(X, T),
}
WITH_TARGETS = SAMPLE_CALLS.keys() - {"predict", "jacobian"}
TRAINING = ("train_step", "fit")
BAD_SAMPLES = [
    (ValueError, "(4, 2)", X[:, :2]),
    (ValueError, "(4, 3, 1)", X[:, :, None]),
    (ValueError, "()", np.float64(1)),
    (TypeError, "None", None),
    (TypeError, "<U7", "0, 0, 0"),
    (TypeError, "<U1", [["0", "0", "0"]]),
    (TypeError, "str 'a' at index (0, 1)", np.array([[0, "a", 1]], object)),
    (TypeError, "str_", np.array([[0, np.str_("1"), 1]], object)),
    (TypeError, "complex", X.astype(complex)),
    (TypeError, "datetime64", X.astype("datetime64[s]")),
    (TypeError, "dict {}", {}),
    (ValueError, "rectangular", [[0, 0, 0], [0, 0]]),
]
BAD_TARGETS = [
    (ValueError, "(4, 3)", X),
    (ValueError, "(3, 2)", T[:3]),
    (ValueError, "(2,)", t),
    (TypeError, "None", None),
    (TypeError, "complex 1j at index (0, 1)", np.array([[0, 1j]], object)),
]


def sample_cases():
    for name, call in SAMPLE_CALLS.items():
        x_name, t_name = ("x", "t") if name == "train_step" else ("X", "T")
        for exception, came, bad in BAD_SAMPLES:
            yield case(exception, x_name, came, call, bad, T, of=name)
        if name in WITH_TARGETS:
            for exception, came, bad in BAD_TARGETS:
                yield case(exception, t_name, came, call, X, bad, of=name)
        if name in TRAINING:
            for value in (NAN, INF, -INF):
                yield case(ValueError, x_name, str(value), call, spoiled(X, value), T, of=name)
                yield case(ValueError, t_name, str(value), call, X, spoiled(T, value), of=name)


CALLS = [
    *sample_cases(),
    case(ValueError, "X", "(2,)", lambda net: net.predict(t)),
    case(ValueError, "t", "(3,)", lambda net: net.train_step(x, x)),
    case(ValueError, "t", "nan", lambda net: net.train_step(x, spoiled(t, NAN))),
    case(ValueError, "x", "inf", lambda net: net.train_step(spoiled(x, INF), t)),
    case(ValueError, "X", "none", lambda net: net.fit(X[:0], T[:0])),
    case(ValueError, "x", "none", lambda net: net.train_step(X[:0], T[:0])),
    # learning_rate
    *[
        case(ValueError, "learning_rate", str(rate), call, rate)
        for rate in (0, 0.0, -0.1, NAN, INF)
        for call in (
            lambda net, rate: net.train_step(x, t, learning_rate=rate),
            lambda net, rate: net.fit(X, T, learning_rate=rate),
            lambda net, rate: net.bind(x, t, learning_rate=rate),
        )
    ],
    case(TypeError, "learning_rate", "'0.1'", lambda net: net.train_step(x, t, learning_rate="0.1")),
    case(TypeError, "learning_rate", "[0.1]", lambda net: net.fit(X, T, learning_rate=[0.1])),
    # out
    case(ValueError, "out", "(4, 3)", lambda net: net.predict(X, out=np.empty((4, 3)))),
    case(ValueError, "out", "(2,)", lambda net: net.predict(X, out=np.empty(2))),
    case((TypeError, ValueError), "out", "float32", lambda net: net.predict(X, out=np.empty((4, 2), "f4"))),
    case((TypeError, ValueError), "out", ">f8", lambda net: net.predict(X, out=np.empty((4, 2), ">f8"))),
    case(TypeError, "out", "list", lambda net: net.predict(X, out=[[0.0] * 2] * 4)),
    case(ValueError, "out", "not writable", lambda net: net.predict(X, out=read_only(np.empty((4, 2))))),
    case(ValueError, "out", "contiguous", lambda net: net.predict(X, out=np.empty((4, 4))[:, ::2])),
    case(ValueError, "out", "contiguous", lambda net: net.predict(X, out=np.empty((2, 4)).T)),
    case(ValueError, "out", "overlap", lambda net: net.predict(X, out=X.reshape(-1)[:8].reshape(4, 2))),
    case(ValueError, "out", "overlap", lambda net: net.predict(x, out=x[1:])),
    case(ValueError, "out", "overlap", lambda net: net.predict(x, out=net.biases[-1])),
    case(ValueError, "out", "(25,)", lambda net: net.gradient(X, T, out=np.empty(25))),
    case((TypeError, ValueError), "out", "float32", lambda net: net.gradient(X, T, out=np.empty(26, "f4"))),
    case(ValueError, "out", "not writable", lambda net: net.gradient(X, T, out=read_only(np.empty(26)))),
    case(ValueError, "out", "contiguous", lambda net: net.gradient(X, T, out=np.empty(52)[::2])),
    # sample_weight
    case(ValueError, "sample_weight", "(3,)", lambda net: net.gradient(X, T, sample_weight=np.ones(3))),
    case(ValueError, "sample_weight", "nan", lambda net: net.gradient(X, T, sample_weight=[1, 1, 1, NAN])),
    case(ValueError, "sample_weight", "-1", lambda net: net.gradient(X, T, sample_weight=[1, 1, 1, -1])),
    case(TypeError, "sample_weight", "<U1", lambda net: net.gradient(X, T, sample_weight=["1"] * 4)),
    # fit
    case(ValueError, "epochs", "-1", lambda net: net.fit(X, T, epochs=-1)),
    case(TypeError, "epochs", "1.5", lambda net: net.fit(X, T, epochs=1.5)),
    case(ValueError, "batch_size", "0", lambda net: net.fit(X, T, batch_size=0)),
    case(ValueError, "batch_size", "'half'", lambda net: net.fit(X, T, batch_size="half")),
    case(TypeError, "batch_size", "2.0", lambda net: net.fit(X, T, batch_size=2.0)),
    case(ValueError, "desired_error", "-1", lambda net: net.fit(X, T, desired_error=-1)),
    case(ValueError, "desired_error", "nan", lambda net: net.fit(X, T, desired_error=NAN)),
    case(ValueError, "optimizer", "'sdg'", lambda net: net.fit(X, T, optimizer="sdg")),
    case(TypeError, "optimizer", "5", lambda net: net.fit(X, T, optimizer=5)),
    case(TypeError, "optimizer", "'sgd'", lambda net: net.train_step(x, t, optimizer="sgd")),
    case(ValueError, "learning_rate", "0.5", lambda net: net.fit(X, T, learning_rate=0.5, optimizer=fastbp.SGD(0.1))),
    case(ValueError, "learning_rate", "0.5", lambda net: net.train_step(x, t, 0.5, fastbp.SGD(0.1))),
    case(TypeError, "seed", "'one'", lambda net: net.fit(X, T, seed="one")),
    case(TypeError, "rng", "'one'", lambda net: net.fit(X, T, rng="one")),
    case(ValueError, "rng", "0 and 0", lambda net: net.fit(X, T, seed=0, rng=0)),
    case(TypeError, "optimizer", "write Adam()", lambda net: net.fit(X, T, optimizer=fastbp.Adam)),
    case(TypeError, "optimizer", "write Adam()", lambda net: net.train_step(x, t, optimizer=fastbp.Adam)),
    case(TypeError, "schedule", "write Step()", lambda net: net.fit(X, T, schedule=fastbp.schedules.Step)),
    case(ValueError, "batch_size", "'full', which takes all", lambda net: net.fit(X, T, batch_size="all")),
    # targets that were forgotten
    *[case(TypeError, "T", "got None; only batches", lambda net, X: net.fit(X), given, of=type(given).__name__)
      for given in (X, X.tolist(), tuple(map(tuple, X)))],
    # params
    case(ValueError, "params", "25", lambda net: setattr(net, "params", np.zeros(25))),
    case(ValueError, "params", "(26, 1)", lambda net: setattr(net, "params", np.zeros((26, 1)))),
    case(TypeError, "params", "<U1", lambda net: setattr(net, "params", ["0"] * 26)),
    # bind keeps the very arrays, so it converts nothing
    case(TypeError, "x", "list", lambda net: net.bind([0.0] * 3, t)),
    case(TypeError, "t", 'float. numpy.array(t, "float64"', lambda net: net.bind(x, 1.0)),
    case((TypeError, ValueError), "x", "float32", lambda net: net.bind(x.astype("f4"), t)),
    case((TypeError, ValueError), "x", "contiguous", lambda net: net.bind(np.zeros((4, 6))[:, ::2], T)),
    case(ValueError, "t", "(3, 2)", lambda net: net.bind(X, T[:3])),
    case(ValueError, "out", "not writable", lambda net: net.bind(X, T, read_only(np.empty((4, 2))))),
]


@pytest.mark.parametrize(CASE, CALLS)
def test_refused_call_changes_nothing(exception, argument, came, call, args):
    net = fastbp.Network([3, 4, 2], seed=0)
    before = net.params.tobytes()
    assert_refused(exception, argument, came, call, net, *args)
    assert net.params.tobytes() == before


def test_data_that_overflow_float32_are_not_trained_on():
    net = fastbp.Network([3, 4, 2], dtype="float32", seed=0)
    before = net.params.tobytes()
    for bad in [(spoiled(X, 1e300), T), (X, spoiled(T, 1e300))]:
        for name in TRAINING:
            with pytest.raises(ValueError, match="finite"):
                SAMPLE_CALLS[name](net, *bad)
    assert net.params.tobytes() == before


def test_predict_lets_non_finite_samples_through():
    net = fastbp.Network([3, 4, 2], "identity", seed=0)
    y = net.predict(np.array([[NAN, 0, 0], [INF, 0, 0], [0, 0, 0]]))
    assert np.isnan(y[0]).all()
    assert not np.isfinite(y[1]).any()
    assert np.isfinite(y[2]).all()


def test_bound_network_without_targets_cannot_step():
    net = fastbp.Network([3, 4, 2], seed=0)
    with pytest.raises(ValueError, match=r"\bt\b"):
        net.bind(x).step()


# ------------------------------------------------------------------------------------------------ what to write instead

SUGGESTIONS = [
    ("'sigmoid'", lambda: fastbp.Network([3, 2], "sigmiod")),
    ("'softmax'", lambda: fastbp.Network([3, 2], "tanh", "sofmax")),
    ("'tanh'", lambda: fastbp.Network([3, 2], "tansig")),
    ("'identity'", lambda: fastbp.Network([3, 2], "tanh", "purelin")),
    ("'squared_error' with reduction='mean'", lambda: fastbp.Network([3, 2], loss="MSE")),
    ("'absolute_error'", lambda: fastbp.Network([3, 2], loss="mae")),
    ("'cross_entropy'", lambda: fastbp.Network([3, 2], loss="sparse_categorical_crossentropy")),
    ("'sgd'", lambda: fastbp.Network([3, 2]).fit(X, T, optimizer="sdg")),
    ("'lbfgs'", lambda: fastbp.Network([3, 2]).fit(X, T, optimizer="L-BFGS-B")),
    ("fastbp.LevenbergMarquardt(bayesian=True)", lambda: fastbp.Network([3, 2]).fit(X, T, optimizer="trainbr")),
    ("'balanced'", lambda: fastbp.Network([3, 2]).fit(X, [[0, 1]] * 4, class_weight="balance")),
    ("'cosine'", lambda: fastbp.Network([3, 2]).fit(X, T, schedule="cosinus")),
]


@pytest.mark.parametrize(("suggested", "call"), SUGGESTIONS, ids=[suggested for suggested, _ in SUGGESTIONS])
def test_names_that_may_have_been_meant(suggested, call):
    with pytest.raises(ValueError, match=rf"Did you mean {re.escape(suggested)}.*\?$"):
        call()


def test_nothing_is_suggested_where_nothing_is_alike():
    with pytest.raises(ValueError, match=r"got 'none'$"):
        fastbp.Network([3, 2], reduction="none")


def test_suggestions_exist():
    """What the table of other libraries' names tells users to write is there, and no name of ours stands in it."""
    tables = {"activation": {**activations.TABLE, **activations.ALIASES}, "loss": losses.TABLE,
              "optimizer": (*optimizers.NAMES, *optimizers.WHOLE_BATCH), "batch_size": ("full",), "init": RULES,
              "reduction": ("sum", "mean")}
    # Of the optimizers' keywords, which are no texts.
    keywords = {*inspect.signature(fastbp.Adam).parameters, *optimizers.COMMON, "decay", "AdamW", "s"}
    elsewhere = dict(ELSEWHERE)
    for theirs, suggested in elsewhere.pop("keyword").items():
        assert theirs == simplified(theirs)
        assert {*re.findall(r"\w+", suggested)} - {"and", "or"} <= keywords
    assert elsewhere.keys() == tables.keys()
    for argument, known in elsewhere.items():
        ours = {simplified(name) for name in tables[argument]}
        assert len(ours) == len(tables[argument])       # no two names become one
        for theirs, suggested in known.items():
            assert theirs == simplified(theirs)
            assert theirs not in ours
            name, attribute = re.search(r"'(\w+)'|fastbp\.(\w+)", suggested).groups()
            assert name in tables[argument] or (attribute and hasattr(fastbp, attribute))


def test_names_in_another_spelling():
    net = fastbp.Network([3, 4, 2], "ReLU", "SoftMax", loss="CrossEntropy", reduction="Mean", init="Auto", rng=1)
    twin = fastbp.Network([3, 4, 2], "relu", "softmax", loss="cross_entropy", reduction="mean", seed=1)
    assert (net.activations, net.loss, net.reduction) == (twin.activations, twin.loss, twin.reduction)
    net.fit(X, [0, 1, 1, 0], epochs=3, optimizer="Adam", schedule="Cosine", batch_size="Full", class_weight="Balanced",
            rng=np.random.default_rng(2))
    twin.fit(X, [0, 1, 1, 0], epochs=3, optimizer="adam", schedule="cosine", batch_size="full",
             class_weight="balanced", seed=np.random.default_rng(2))
    np.testing.assert_array_equal(net.params, twin.params)
    assert fastbp.Network([3, 2], "Leaky-ReLU").activations == ("leaky_relu",)
    assert fastbp.Network([3, 2], "Linear").activations == ("identity",)
    assert fastbp.Network([3, 2], loss="Huber").loss == fastbp.Huber()
    with pytest.raises(ValueError, match="loss 'poisson' needs output_activation 'exp', got 'sigmoid'"):
        fastbp.Network([3, 2], loss="Poisson")


@pytest.mark.parametrize("given", [
    np.ma.masked_less(X + np.eye(4, 3), 1), list(np.ma.masked_less(X + np.eye(4, 3), 1)),
], ids=["array", "list of rows"])
def test_masked_values(given):
    for call in SAMPLE_CALLS.values():
        with pytest.raises(ValueError, match=r"\b[Xx] must hold no masked values, got 9 of them; fill them in"):
            call(fastbp.Network([3, 4, 2], seed=0), given, T)


def test_masked_labels():
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=0)
    with pytest.raises(ValueError, match=r"\bT must hold no masked values, got 1"):
        net.error(X, np.ma.array([0, 1, 1, 0], mask=[0, 0, 1, 0]))


def test_names_as_labels():
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=0)
    for names in (["cat", "dog", "dog", "cat"], np.array(["cat", "dog", "dog", "cat"], object)):
        with pytest.raises(TypeError, match=r"T must hold integer labels.*; numpy\.unique\(T, return_inverse=True\)"):
            net.error(X, names)
        assert net.error(X, np.unique(names, return_inverse=True)[1]) == net.error(X, [0, 1, 1, 0])


@pytest.mark.parametrize(("labels", "hint"), [
    (np.array([[0], [1], [1], [0]]), r"; numpy\.ravel\(T\) makes them one label for each sample"),
    ([1, 2, 2, 1], r"; numpy\.unique\(T, return_inverse=True\)\[1\] counts from 0"),
    ([0, 1, 2, 1], "; 3 outputs would be needed"),
    ([-1, 1, 1, -1], r"; numpy\.unique\(T, return_inverse=True\)\[1\] counts from 0"),
    ([0.0, np.inf, 1.0, 1.0], "dtype float64"),
    ([False, True, True, False], r"; numpy\.asarray\(T\)\.astype\(int\) makes labels 0 and 1 of them"),
], ids=["column", "from 1", "too many", "of two signs", "infinite", "bool"])
def test_labels_that_are_nearly_right(labels, hint):
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=0)
    with pytest.raises((TypeError, ValueError), match=rf"\bT must .*{hint}$"):
        net.fit(X, labels)


def test_labels_of_another_loss():
    with pytest.raises(ValueError, match=r"shape \(4, 2\), one row of 2 values per sample, got \(4,\); integer "
                       r"labels need loss='cross_entropy' and output_activation='softmax'$"):
        fastbp.Network([3, 2], seed=0).fit(X, [0, 1, 1, 0])


def test_inputs_of_nearly_the_right_shape():
    with pytest.raises(ValueError, match=r"got \(4,\); numpy\.reshape\(X, \(-1, 1\)\) makes each number a sample$"):
        fastbp.Network([1, 2], seed=0).fit([0.1, 0.2, 0.3, 0.4], T)
    with pytest.raises(ValueError, match=r"got \(3, 4\); numpy\.transpose\(X\) has that shape$"):
        fastbp.Network([3, 2], seed=0).fit(X.T, T)


@pytest.mark.parametrize(("sizes", "targets", "message"), [
    ([3, 1], np.ones((1, 4)), r"\(4, 1\) or \(4,\), one row of 1 value .*; numpy\.transpose\(T\) has that shape$"),
    ([3, 1], np.ones((1, 4), int), r"; numpy\.transpose\(T\) has that shape$"),
    ([3, 2], np.ones((2, 4)), r"; numpy\.transpose\(T\) has that shape$"),
    ([3, 4], np.ones((2, 2), int), r"got \(2, 2\)$"),
], ids=str)
def test_targets_of_nearly_the_right_shape(sizes, targets, message):
    with pytest.raises(ValueError, match=message):
        fastbp.Network(sizes, seed=0).fit(X, targets)


def test_one_label_with_an_axis():
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=0)
    with pytest.raises(ValueError, match=r"got \(1,\)$"):
        net.train_step(X[0], [1])


def test_forgotten_targets():
    net = fastbp.Network([3, 2], seed=0)
    for samples in (X, X.tolist(), list(X)):
        with pytest.raises(TypeError, match="T must hold the targets of the samples X, got None"):
            net.fit(samples)
    with pytest.raises(TypeError, match=r"write fit\(X, T\)"):
        net.fit((X, T))


def test_flags():
    with pytest.raises(TypeError, match="shuffle must be True or False, got str 'no'"):
        fastbp.Network([3, 2], seed=0).fit(X, T, shuffle="no")
    with pytest.raises(TypeError, match=r"init must be an object, got the class uniform; write uniform\(\)"):
        fastbp.Network([3, 2], init=fastbp.uniform)


def test_labels_that_are_bound():
    net = fastbp.Network([3, 2], "softmax", loss="cross_entropy", seed=0)
    labels = np.array([0, 1, 1, 0])
    with pytest.raises(TypeError, match=r'numpy\.eye\(2, dtype="float64"\)\[t\] makes rows of them$'):
        net.bind(X, labels)
    assert np.isfinite(net.bind(X, np.eye(2, dtype="float64")[labels]).step())


def test_keywords_of_optimizers():
    for make, name, suggested in (
            (fastbp.SGD, "lr", "learning_rate"), (fastbp.Adam, "betas", "beta_1 and beta_2"),
            (fastbp.RMSprop, "rhoo", "'rho'"), (fastbp.AdamW, "weight_decay", "l2, or AdamW's decay")):
        message = rf"{make.__name__} takes no argument '{name}'\. Did you mean {suggested}\?$"
        with pytest.raises(TypeError, match=message):
            make(**{name: 0.1})


@pytest.mark.parametrize("text", [
    "SGD(momentum=0.0, nesterov=False)", "SGD(learning_rate=0.5, momentum=0.9, nesterov=True, l2=0.1)",
    "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)",
    "AdamW(learning_rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-08, decay=0.5, clip_norm=1.0)"])
def test_optimizers_are_shown_as_they_are_written(text):
    def sort(shown):
        return sorted(re.findall(r"\w+=[^,)]+", shown))

    assert sort(repr(eval(f"fastbp.{text}"))) == sort(text)


def test_texts():
    net = fastbp.Network([3, 4, 2], seed=0)
    with pytest.raises(TypeError, match=r"X must hold real numbers, got .*<U3 with 'red' at index \(1, 2\)$"):
        net.predict([["1", "2", "3"], ["4", "5", "red"]])
    numbers = [["1", "2", "3"], ["4", "5", "6"]]
    with pytest.raises(TypeError, match=r"; numpy\.asarray\(X, float\) reads the numbers in them$"):
        net.predict(numbers)
    np.testing.assert_array_equal(net.predict(np.asarray(numbers, float)), net.predict([[1, 2, 3], [4, 5, 6]]))


def test_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    net = fastbp.Network([3, 4, 2], seed=0)
    for given in (sparse.csr_matrix(X), sparse.coo_array(X)):
        kind = type(given).__name__
        for call in SAMPLE_CALLS.values():
            with pytest.raises(TypeError, match=rf"[Xx] must be a dense array, got the sparse {kind} of .*toarray\(\)"):
                call(net, given, T)
        np.testing.assert_array_equal(net.predict(given.toarray()), net.predict(X))


def test_columns_have_names():
    pandas = pytest.importorskip("pandas")
    net = fastbp.Network([3, 4, 2], seed=0)
    frame = pandas.DataFrame(X, columns=["age", "size", "colour"])
    np.testing.assert_array_equal(net.predict(frame), net.predict(X))
    texts, missing, nan = frame.astype(object), frame.astype("Float64"), frame.copy()
    texts.iloc[1, 2], missing.iloc[1, 2], nan.iloc[1, 2] = "red", pandas.NA, NAN
    where = r" at index \(1, 2\), column 'colour'"
    for name, call in SAMPLE_CALLS.items():
        with pytest.raises(TypeError, match=f"[Xx] must hold real numbers, got str 'red'{where}$"):
            call(net, texts, T)
        with pytest.raises(TypeError, match=f"[Xx] must hold real numbers, got NAType <NA>{where}; fill in what"):
            call(net, missing, T)
        if name not in ("predict", "error", "rms"):
            with pytest.raises(ValueError, match=f"[Xx] must be finite, got nan{where} "):
                call(net, nan, T)
    with pytest.raises(TypeError, match="T must hold the targets of the samples X, got None"):
        net.fit(frame)


@pytest.mark.parametrize("change", [
    "net.params += 1", "net.params -= 1", "net.params *= 2", "net.params /= 2", "net.params //= 2", "net.params %= 2",
    "net.params **= 2", "net.params[0] = 1", "net.params[:2] = 1", "net.params[:2] += 1"])
def test_changes_of_the_copy_that_params_is(change):
    net = fastbp.Network([3, 4, 2], seed=0)
    before = net.params
    with pytest.raises(ValueError, match=r"write net\.params = net\.params \+ x, or net\.weights\[l\]"):
        exec(change)
    np.testing.assert_array_equal(net.params, before)
    net.params = net.params + 1
    np.testing.assert_array_equal(net.params, before + 1)


def test_what_comes_of_params_is_an_ordinary_array():
    params = fastbp.Network([3, 4, 2], seed=0).params
    for array in (params + 1, 1 - params, np.tanh(params), np.array(params), pickle.loads(pickle.dumps(params)),
                  np.concatenate([params, params])):
        assert type(array) is np.ndarray
        assert array.flags.writeable
    assert type(params.sum()) is type(params[0]) is type(params @ params) is np.float64
    assert repr(params) == repr(np.array(params))
    copy = params.copy()
    copy += 1
    copy[0] = 7
    np.testing.assert_array_equal(copy[1:], params[1:] + 1)
