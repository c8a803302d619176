"""from_sklearn and to_sklearn, for scikit-learn's estimators and fastbp's."""

import numpy as np
import pytest
from interop import assert_same

import fastbp

pytest.importorskip("sklearn")
from sklearn import neural_network as original
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn_pairs import DATA, LOSSES, pair, recorded

from fastbp.interop import sklearn as ours
from fastbp.interop.sklearn import from_sklearn, to_sklearn

MODULES = pytest.mark.parametrize("module", [original, ours], ids=["scikit-learn's", "fastbp's"])


def probabilities_or_predictions(estimator, X, name):
    if name in ("binary", "multiclass", "multilabel"):
        outputs = estimator.predict_proba(X)
        return outputs[:, 1:] if name == "binary" else outputs
    return estimator.predict(X).reshape(len(X), -1)


@pytest.mark.parametrize("number", [0, 1], ids=["fastbp's", "scikit-learn's"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", DATA)
def test_network_computes_what_the_estimator_does(name, activation, number, dtype):
    kind, X, y, more = DATA[name]
    X = X.astype(dtype)
    estimator = pair(kind, activation=activation, **more)[number]
    recorded(lambda: estimator.fit(X, y))
    net = from_sklearn(estimator)
    assert net.dtype == dtype
    assert net.reduction == "mean"
    expected = probabilities_or_predictions(estimator, X, name)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(net.predict(X), expected, rtol=tolerance, atol=tolerance)
    for W, coef in zip(net.weights, estimator.coefs_, strict=True):
        np.testing.assert_array_equal(W, coef)
    # And back, to the same estimator.
    classes = estimator.classes_ if kind == "MLPClassifier" else None
    for module in (ours, original):
        again = to_sklearn(net, getattr(module, kind), classes)
        assert_same(from_sklearn(again), net)
        np.testing.assert_allclose(probabilities_or_predictions(again, X, name), expected, rtol=tolerance,
                                   atol=tolerance)
        if classes is not None:
            np.testing.assert_array_equal(again.predict(X), estimator.predict(X))
        assert again.get_params()["activation"] == activation


@MODULES
def test_losses_are_those_of_the_estimator(module):
    for name, loss in (("binary", "binary_cross_entropy"), ("multiclass", "cross_entropy"),
                       ("multilabel", "binary_cross_entropy"), ("regression", "squared_error")):
        kind, X, y, more = DATA[name]
        estimator = getattr(module, kind)(hidden_layer_sizes=(3,), max_iter=2, **more)
        recorded(lambda estimator=estimator, X=X, y=y: estimator.fit(X, y))
        assert from_sklearn(estimator).loss == loss


@MODULES
@pytest.mark.parametrize("scaler", [StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False),
                                    MinMaxScaler((-1, 1)), MaxAbsScaler()], ids=str)
def test_scalings_are_folded(module, scaler):
    rng = np.random.default_rng(0)
    X = rng.uniform(100, 120, (50, 3)) * [1, 10, 0.1]
    y = 1000 + X @ [1.0, 2.0, 3.0]
    network = module.MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", random_state=0, max_iter=20)
    model = TransformedTargetRegressor(make_pipeline(scaler, "passthrough", MinMaxScaler(), network),
                                       transformer=scaler)
    recorded(lambda: model.fit(X, y))
    np.testing.assert_allclose(from_sklearn(model).predict(X)[:, 0], model.predict(X), rtol=1e-11)


def test_targets_that_are_not_transformed():
    model = TransformedTargetRegressor(original.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2))
    recorded(lambda: model.fit(np.eye(4), np.arange(4.0)))
    np.testing.assert_allclose(from_sklearn(model).predict(np.eye(4))[:, 0], model.predict(np.eye(4)), rtol=1e-12)


def test_several_activations():
    net = fastbp.Network([3, 4, 5, 2], ["gelu", "sigmoid", "identity"], seed=1)
    assert_same(from_sklearn(to_sklearn(net, ours.MLPRegressor)), net)


def test_no_hidden_layer(dtype):
    net = fastbp.Network([3, 3], "softmax", dtype=dtype, seed=1)
    estimator = to_sklearn(net, original.MLPClassifier, ["a", "b", "c"])
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(dtype)
    np.testing.assert_allclose(estimator.predict_proba(x), net.predict(x), rtol=1e-5)
    assert estimator.predict(x).tolist() == np.array(["a", "b", "c"])[net.predict(x).argmax(axis=1)].tolist()


@MODULES
@pytest.mark.parametrize("output", ["identity", "exp"])
def test_training_goes_on_from_there(module, output):
    if output == "exp" and module is original and "poisson" not in LOSSES:
        pytest.skip("scikit-learn has this loss from 1.7 on")
    X, y = np.random.default_rng(0).uniform(0, 1, (60, 2)), np.arange(60) / 60
    net = fastbp.Network([2, 3, 1], "tanh", output, loss="poisson" if output == "exp" else "squared_error", seed=1)
    one, other = (to_sklearn(net, module.MLPRegressor).set_params(alpha=0.0, batch_size=60) for _ in range(2))
    one.partial_fit(X, y)
    expected = fastbp.Network(net.layer_sizes, net.activations, loss=net.loss, reduction="mean", init=net.params)
    expected.train_step(X, y, optimizer=fastbp.Adam(0.001))
    # scikit-learn's Adam adds epsilon to the root before the correction.
    np.testing.assert_allclose(from_sklearn(one).params, expected.params, rtol=1e-6)
    assert one.n_iter_ == 1
    recorded(lambda: other.set_params(warm_start=True, max_iter=1, shuffle=False).fit(X, y))
    np.testing.assert_allclose(from_sklearn(other).params, expected.params, rtol=1e-6)


@pytest.mark.parametrize(("net", "kind", "classes", "message"), [
    (fastbp.Network([2, 1], "tanh"), original.MLPRegressor, None, "identity or exp for a regressor, got 'tanh'"),
    (fastbp.Network([2, 1], "identity"), original.MLPRegressor, [0, 1], "classes must be None"),
    (fastbp.Network([2, 1], "identity"), original.MLPClassifier, None, "got 1 of 'identity'"),
    (fastbp.Network([2, 2], "softmax"), original.MLPClassifier, None, "three or more outputs"),
    (fastbp.Network([2, 3], "softmax"), original.MLPClassifier, [0, 1], "classes must be 3 labels"),
    (fastbp.Network([2, 1], "sigmoid"), original.MLPClassifier, ["b", "a"], "ascending order"),
    (fastbp.Network([2, 2, 2, 1], ["tanh", "relu", "identity"]), original.MLPRegressor, None, "one activation of"),
    (fastbp.Network([2, 2, 1], ["gelu", "identity"]), original.MLPRegressor, None, "fastbp.interop.sklearn.MLPReg"),
    (fastbp.Network([2, 1], "identity"), original.MLPRegressor(), None, "kind must be a class"),
    (fastbp.Network([2, 1], "identity"), Ridge, None, "kind must be a class"),
])
def test_estimators_that_do_not_exist(net, kind, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        to_sklearn(net, kind, classes)


@pytest.mark.parametrize(("estimator", "message"), [
    (Ridge(), "got Ridge"),
    (original.MLPRegressor(), "not fitted"),
    (make_pipeline(StandardScaler(), Ridge()), "not fitted|got Ridge"),
    (make_pipeline(PolynomialFeatures(), original.MLPRegressor()), "got PolynomialFeatures"),
    (make_pipeline(MinMaxScaler(clip=True), original.MLPRegressor()), "does not clip"),
    (TransformedTargetRegressor(original.MLPRegressor()), "not fitted"),
    (None, "got NoneType"),
])
def test_other_estimators_are_refused(estimator, message):
    with pytest.raises((ValueError, TypeError), match=message):
        from_sklearn(estimator)
