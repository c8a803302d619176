"""An estimator of fastbp.interop.sklearn beside scikit-learn's own, and what the two are compared on."""

import warnings

import numpy as np
import sklearn
from sklearn import neural_network as original
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression
from sklearn.preprocessing import scale

from fastbp.interop import sklearn as ours
from fastbp.interop.sklearn.versions import HAS_WEIGHTS, LOSSES


def data():
    rng = np.random.RandomState(3)
    X, y = load_iris(return_X_y=True)
    rows = rng.permutation(len(X))[:80]
    X, y = scale(X[rows]), y[rows]
    labels = np.array(["setosa", "versicolor", "virginica"])
    multilabel = make_multilabel_classification(80, 6, n_classes=4, random_state=1)
    one = make_regression(80, 5, noise=3, random_state=1)
    three = make_regression(80, 5, n_targets=3, noise=3, random_state=1)
    cases = {
        "binary": ("MLPClassifier", X, y > 0, {}),
        "multiclass": ("MLPClassifier", X, labels[y], {}),
        "multilabel": ("MLPClassifier", scale(multilabel[0]), multilabel[1], {}),
        "regression": ("MLPRegressor", one[0], scale(one[1]), {}),
        "three outputs": ("MLPRegressor", three[0], scale(three[1]), {}),
        "poisson": ("MLPRegressor", X, rng.poisson(np.exp(0.5 * X[:, 0])).astype(float), {"loss": "poisson"}),
    }
    return {name: case for name, case in cases.items() if case[3].get("loss", "squared_error") in LOSSES}


# What this version of scikit-learn has, too.
DATA = data()
UNWEIGHTED_OR_WEIGHTED = [False, True] if HAS_WEIGHTS else [False]
VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))


def data_to_stop_early(name):
    """scikit-learn 1.6 to 1.8 cannot stop early with text labels; test_sklearn_versions.py shows that fastbp can."""
    kind, X, y, arguments = DATA[name]
    if y.dtype.kind == "U" and (1, 6) <= VERSION <= (1, 8):
        y = np.unique(y, return_inverse=True)[1]
    return kind, X, y, arguments
DESCENTS = {
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01, "alpha": 0.1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05, "power_t": 0.25},
    # Never an improvement of 10, so that the rate falls every third epoch.
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.01, "tol": 10.0,
                 "n_iter_no_change": 2},
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "alpha": 0.01},
}


def recorded(call):
    """What a call returns, and the categories of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [warning.category for warning in caught]


def pair(kind, **arguments):
    arguments = {"hidden_layer_sizes": (7, 4), "random_state": 1, "max_iter": 20} | arguments
    return [getattr(module, kind)(**arguments) for module in (ours, original)]


def assert_close(values, expected, tolerance):
    assert len(values) == len(expected)
    for value, exact in zip(values, expected, strict=True):
        assert np.shape(value) == np.shape(exact)
        assert value.dtype == exact.dtype
        assert np.abs(value - exact).max() <= tolerance * np.abs(exact).max()


def assert_same_model(mine, theirs, tolerance):
    assert_close(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, tolerance)
    for name in ("n_iter_", "t_", "out_activation_", "n_outputs_", "n_layers_", "n_features_in_"):
        assert getattr(mine, name) == getattr(theirs, name)
    for name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        value, expected = getattr(mine, name, None), getattr(theirs, name, None)
        assert (value is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(value, expected, rtol=max(tolerance, 1e-6), atol=1e-12)


def fit_pair(kind, X, y, arguments, sample_weight=None):
    mine, theirs = pair(kind, **arguments)
    # Before 1.7 there is no argument of that name.
    fit_arguments = {} if sample_weight is None else {"sample_weight": sample_weight}
    _, warned = recorded(lambda: mine.fit(X, y, **fit_arguments))
    _, expected = recorded(lambda: theirs.fit(X, y, **fit_arguments))
    assert warned == expected
    return mine, theirs
