"""fastbp.interop.sklearn beside scikit-learn itself: the same numbers, the same manners, its own tests."""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from itertools import product

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn import neural_network as original  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import (  # noqa: E402
    load_breast_cancer,
    load_diabetes,
    load_iris,
    make_multilabel_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler, scale  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import fastbp  # noqa: E402
from fastbp.interop import sklearn as ours  # noqa: E402
from fastbp.interop.sklearn.optimizers import SOLVERS  # noqa: E402

# Tests of scikit-learn's test_mlp.py that cannot pass, each with its reason.
FOREIGN_FAILURES = {}


def data():
    rng = np.random.RandomState(3)
    X, y = load_iris(return_X_y=True)
    rows = rng.permutation(len(X))[:80]
    X, y = scale(X[rows]), y[rows]
    labels = np.array(["setosa", "versicolor", "virginica"])
    multilabel = make_multilabel_classification(80, 6, n_classes=4, random_state=1)
    one = make_regression(80, 5, noise=3, random_state=1)
    three = make_regression(80, 5, n_targets=3, noise=3, random_state=1)
    return {
        "binary": ("MLPClassifier", X, y > 0, {}),
        "multiclass": ("MLPClassifier", X, labels[y], {}),
        "multilabel": ("MLPClassifier", scale(multilabel[0]), multilabel[1], {}),
        "regression": ("MLPRegressor", one[0], scale(one[1]), {}),
        "three outputs": ("MLPRegressor", three[0], scale(three[1]), {}),
        "poisson": ("MLPRegressor", X, rng.poisson(np.exp(0.5 * X[:, 0])).astype(float), {"loss": "poisson"}),
    }


DATA = data()
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


def fit_pair(kind, X, y, arguments, **fit_arguments):
    mine, theirs = pair(kind, **arguments)
    _, warned = recorded(lambda: mine.fit(X, y, **fit_arguments))
    _, expected = recorded(lambda: theirs.fit(X, y, **fit_arguments))
    assert warned == expected
    return mine, theirs


# ---------------------------------------------------------------- the same model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", ["auto", 7])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("name", DATA)
def test_same_model(name, descent, activation, batch_size, dtype):
    kind, X, y, arguments = DATA[name]
    arguments = arguments | DESCENTS[descent] | {"activation": activation, "batch_size": batch_size}
    X = X.astype(dtype)
    mine, theirs = fit_pair(kind, X, y, arguments)
    exact = 1e-6 if descent == "adam" else 1e-9
    assert_same_model(mine, theirs, exact if dtype == "float64" else 2e-3)
    if dtype == "float64":
        np.testing.assert_array_equal(mine.predict(X), theirs.predict(X)) if kind == "MLPClassifier" else (
            np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6, atol=1e-9))
        assert mine.predict(X).dtype == theirs.predict(X).dtype


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", DATA)
def test_lbfgs(name, activation):
    kind, X, y, arguments = DATA[name]
    arguments = arguments | {"solver": "lbfgs", "activation": activation, "max_iter": 30, "alpha": 0.1}
    mine, theirs = fit_pair(kind, X, y, arguments)
    assert mine.loss_ == pytest.approx(theirs.loss_, rel=1e-6)


@pytest.mark.parametrize("name", DATA)
def test_lbfgs_float32(name):
    kind, X, y, arguments = DATA[name]
    arguments = arguments | {"solver": "lbfgs", "max_iter": 5, "activation": "tanh"}
    mine, theirs = fit_pair(kind, X.astype(np.float32), y, arguments)
    assert_same_model(mine, theirs, 1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", DATA)
def test_sample_weight(name, solver):
    kind, X, y, arguments = DATA[name]
    weight = np.random.RandomState(5).uniform(0.1, 3, len(X))
    mine, theirs = fit_pair(kind, X, y, arguments | {"solver": solver, "batch_size": 16, "max_iter": 10},
                            sample_weight=weight)
    assert_same_model(mine, theirs, 1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", DATA)
def test_early_stopping(name, solver, weighted):
    kind, X, y, arguments = DATA[name]
    weight = np.random.RandomState(5).uniform(0.1, 3, len(X)) if weighted else None
    arguments = arguments | {"solver": solver, "early_stopping": True, "n_iter_no_change": 4, "max_iter": 60,
                             "validation_fraction": 0.2, "learning_rate_init": 0.02}
    mine, theirs = fit_pair(kind, X, y, arguments, sample_weight=weight)
    assert_same_model(mine, theirs, 1e-6)
    assert mine.best_loss_ is None
    assert len(mine.validation_loss_curve_) == mine.n_iter_


def test_without_shuffling():
    kind, X, y, _ = DATA["multiclass"]
    assert_same_model(*fit_pair(kind, X, y, {"shuffle": False, "batch_size": 9}), 1e-6)


def test_random_state_object():
    kind, X, y, _ = DATA["multiclass"]
    mine, theirs = pair(kind)
    for estimator in (mine, theirs):
        estimator.set_params(random_state=np.random.RandomState(8))
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
    assert_same_model(mine, theirs, 1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_warm_start(solver):
    kind, X, y, _ = DATA["multiclass"]
    estimators = pair(kind, warm_start=True, solver=solver, max_iter=5)
    for estimator, _ in product(estimators, range(3)):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
    assert_same_model(*estimators, 1e-6)


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", DATA)
def test_partial_fit(name, solver, rows):
    kind, X, y, arguments = DATA[name]
    estimators = pair(kind, solver=solver, batch_size="auto" if rows == 1 else 8, alpha=0.1, **arguments)
    classes = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    for estimator in estimators:
        for start in range(0, len(X) - rows + 1, rows):
            batch = slice(start, start + rows)
            more = {"classes": classes} if kind == "MLPClassifier" and start % 2 == 0 else {}
            estimator.partial_fit(X[batch], y[batch], **more)
    assert_same_model(*estimators, 1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_with_changes_between(solver):
    """Arguments, sparse data, pickles and copies in between: each goes on from the moments of the last."""
    sparse = pytest.importorskip("scipy.sparse")
    kind, X, y, _ = DATA["multiclass"]
    estimators = pair(kind, solver=solver)
    for k, estimator in enumerate(estimators):
        estimator.partial_fit(X, y, classes=np.unique(y))
        estimator.partial_fit(X, y)
        estimator.set_params(alpha=0.5).partial_fit(X, y)
        estimator.partial_fit(sparse.csr_array(X), y)
        estimator.partial_fit(X, y, sample_weight=np.linspace(1, 2, len(X)))
        estimator = pickle.loads(pickle.dumps(estimator))
        estimator.partial_fit(X, y)
        estimator.partial_fit(X[:1].copy(), y[:1])
        estimators[k] = copy.deepcopy(estimator).partial_fit(X, y)
    assert_same_model(*estimators, 1e-6)


def test_pickling_changes_nothing():
    _, X, y, _ = DATA["multiclass"]
    once, twice = (ours.MLPClassifier(random_state=1).partial_fit(X, y, classes=np.unique(y)) for _ in range(2))
    pickle.dumps(twice)
    for estimator in (once, twice):
        estimator.partial_fit(X, y)
    assert_same_model(once, twice, 0)


# ---------------------------------------------------------------- predictions


@pytest.fixture(params=DATA)
def fitted(request):
    """One of ours after two epochs, scikit-learn's with the same parameters, and inputs."""
    kind, X, y, arguments = DATA[request.param]
    mine, theirs = pair(kind, max_iter=2, **arguments)
    for estimator in (mine, theirs):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
    theirs.coefs_, theirs.intercepts_ = ([values.copy() for values in lists] for lists in (mine.coefs_,
                                                                                           mine.intercepts_))
    return mine, theirs, X


METHODS = ["predict", "predict_proba", "predict_log_proba"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_outputs(fitted, dtype, order):
    mine, theirs, X = fitted
    X = np.asarray(X, dtype=dtype, order=order)
    for method in METHODS:
        for inputs in (X, X[:1], X[::2], X.tolist()):
            if hasattr(theirs, method):
                result, expected = getattr(mine, method)(inputs), getattr(theirs, method)(inputs)
                assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
                if expected.dtype.kind == "f":
                    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)
                else:
                    np.testing.assert_array_equal(result, expected)


def test_float32_model_on_float64_answers_in_float64():
    kind, X, y, _ = DATA["regression"]
    mine, theirs = fit_pair(kind, X.astype(np.float32), y, {"max_iter": 2})
    assert mine.predict(X).dtype == theirs.predict(X).dtype == np.float64
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-4)


def test_bad_inputs_get_the_inherited_words(fitted):
    mine, theirs, X = fitted
    nan, short, single = X.copy(), X[:, 1:].copy(), X[0].copy()
    nan[3, 1] = np.nan
    for inputs in (nan, short, single, X[:0], X * np.inf):
        with pytest.raises(ValueError) as error, np.errstate(invalid="ignore"):
            mine.predict(inputs)
        with pytest.raises(ValueError) as expected, np.errstate(invalid="ignore"):
            theirs.predict(inputs)
        assert str(error.value) == str(expected.value).replace("original", "ours")


def test_bad_partial_fit_changes_nothing(fitted):
    mine, _, X = fitted
    y = mine.predict(X)
    mine.partial_fit(X, y)
    before = [values.copy() for values in mine.coefs_]
    nan = X.copy()
    nan[0, 0] = np.nan
    for inputs, targets in ((nan, y), (X[:-1], y), (X[:, 1:].copy(), y), (X[:0], y[:0])):
        with pytest.raises(ValueError):
            mine.partial_fit(inputs, targets)
    assert all(map(np.array_equal, before, mine.coefs_))


def test_unknown_label():
    _, X, y, _ = DATA["multiclass"]
    estimator = ours.MLPClassifier().partial_fit(X, y, classes=np.unique(y))
    for label in ("aster", "zinnia"):
        with pytest.raises(ValueError, match="`y` has classes not in"):
            estimator.partial_fit(X[:1], np.array([label]))


def test_assigned_parameters_count(fitted):
    mine, theirs, X = fitted
    mine.coefs_[0][...] *= 2
    theirs.coefs_[0] *= 2
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)
    other = [np.full_like(W, 0.25) for W in mine.coefs_]
    mine.coefs_, theirs.coefs_ = list(other), [W.copy() for W in other]
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)
    mine.intercepts_[-1] = theirs.intercepts_[-1] = np.full_like(mine.intercepts_[-1], 0.5)
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)
    other[0][...] = -0.5        # the caller's own array, which is still the estimator's
    mine.coefs_[0], theirs.coefs_[0] = other[0], other[0].copy()
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)


def test_assigned_array_stays_the_callers(fitted):
    mine, theirs, X = fitted
    array = np.zeros_like(mine.coefs_[0])
    mine.coefs_[0] = array
    mine.predict(X)
    array[...] = 0.5
    theirs.coefs_[0] = array.copy()
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)


def test_activation_set_after_fit(fitted):
    mine, theirs, X = fitted
    for estimator in (mine, theirs):
        estimator.set_params(activation="identity")
    np.testing.assert_allclose(mine._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-9)


def test_large_finite_inputs():
    """Their sum overflows, which is no error, nor one to warn of."""
    _, X, y, _ = DATA["binary"]
    estimator = ours.MLPClassifier().partial_fit(X, y, classes=[False, True])
    X = X.copy()
    X[:2, 0] = 1.7e308
    assert estimator.predict(X).shape == y.shape


def test_negative_weights_are_scikit_learns():
    kind, X, y, arguments = DATA["regression"]
    weight = np.r_[-0.5, np.ones(len(X) - 1)]
    assert_same_model(*fit_pair(kind, X, y, arguments, sample_weight=weight), 1e-12)


def test_one_row_is_refused_where_scikit_learn_refuses_it():
    _, X, y, _ = DATA["binary"]
    warm = ours.MLPClassifier(warm_start=True).partial_fit(X, y, classes=[False, True])
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        warm.partial_fit(X[:1], y[:1])
    model = ours.MLPClassifier().partial_fit(X, y, classes=[False, True]).set_params(batch_size=5)
    for _ in range(2):
        with pytest.warns(UserWarning, match="batch_size"):
            model.partial_fit(X[:1], y[:1])


def test_a_new_fit_leaves_old_arrays_alone(fitted):
    mine, _, X = fitted
    old, values = mine.coefs_[0], mine.coefs_[0].copy()
    with pytest.warns(ConvergenceWarning):
        mine.fit(X, mine.predict(X))
    assert np.array_equal(old, values)


@pytest.mark.parametrize("duplicate", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_copies(fitted, duplicate):
    mine, _, X = fitted
    twin = duplicate(mine)
    np.testing.assert_array_equal(twin.predict(X), mine.predict(X))
    before = mine.coefs_[0].copy()
    twin.coefs_[0][...] += 1
    twin.partial_fit(X, mine.predict(X))
    assert np.array_equal(mine.coefs_[0], before)


def test_pickle_is_compact():
    estimator = ours.MLPClassifier().partial_fit(*DATA["multiclass"][1:3], classes=np.unique(DATA["multiclass"][2]))
    assert all(name not in estimator.__getstate__() for name in ("_net", "_compiled"))


# ---------------------------------------------------------------- scikit-learn's manners


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([ours.MLPClassifier(max_iter=100), ours.MLPRegressor(max_iter=100)])
def test_check_estimator(estimator, check):
    check(estimator)


PLUGIN = """
from sklearn import neural_network
from fastbp.interop.sklearn import MLPClassifier, MLPRegressor
neural_network.MLPClassifier, neural_network.MLPRegressor = MLPClassifier, MLPRegressor
"""


def test_scikit_learns_own_tests(tmp_path):
    """test_mlp.py of the installed scikit-learn, with the two classes replaced before it imports them."""
    (tmp_path / "ours_for_theirs.py").write_text(PLUGIN)
    words = ["-q", "-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-p", "ours_for_theirs",
             *(f"--deselect={name}" for name in FOREIGN_FAILURES), "--pyargs", "sklearn.neural_network.tests.test_mlp"]
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    result = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, cwd=tmp_path,
                            env=os.environ | {"PYTHONPATH": path})
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "passed" in result.stdout


def test_same_arguments_and_defaults():
    for kind, more in (("MLPClassifier", {"class_weight": None, "callbacks": ()}), ("MLPRegressor", {"callbacks": ()})):
        mine, theirs = (getattr(module, kind)().get_params() for module in (ours, original))
        assert mine == theirs | more


def test_clone_pipeline_grid_search():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), ours.MLPClassifier((8,), solver="sgd", learning_rate_init=0.1, max_iter=40,
                                                               random_state=0, tol=1e-2))
    search = GridSearchCV(model, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.95
    assert clone(search.best_estimator_[-1]).get_params() == search.best_estimator_[-1].get_params()


def test_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    kind, X, y, _ = DATA["multiclass"]
    X = np.where(X > 0, X, 0)
    mine, theirs = fit_pair(kind, sparse.csr_array(X), y, {})
    assert_same_model(mine, theirs, 1e-9)
    np.testing.assert_allclose(mine.predict_proba(sparse.csr_array(X)), mine.predict_proba(X), rtol=1e-9)


def test_divergence():
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor(solver="sgd", activation="identity", learning_rate_init=1e6, max_iter=50)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        estimator.fit(X, y)
    assert all(np.isfinite(W).all() for W in estimator.coefs_)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")    # in scikit-learn's score
def test_divergence_with_early_stopping():
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor(solver="sgd", activation="identity", learning_rate_init=1e3, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        estimator.fit(X, y)
    assert len(estimator.loss_curve_) == len(estimator.validation_scores_) == estimator.n_iter_
    assert np.isnan(estimator.validation_scores_[-1])
    assert all(np.isfinite(W).all() for W in estimator.coefs_)


def test_verbose(capsys):
    kind, X, y, _ = DATA["multiclass"]
    printed = []
    for estimator in pair(kind, verbose=True, tol=1.0, n_iter_no_change=2, solver="sgd"):
        estimator.fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_import_without_scikit_learn():
    code = ("import sys; sys.modules['sklearn'] = None\n"
            "try:\n    import fastbp.interop.sklearn\nexcept ImportError as error:\n    print(error)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "fastbp[sklearn]"' in result.stdout
    assert result.stdout.count("\n") == 1


# ---------------------------------------------------------------- beyond scikit-learn


DIABETES = load_diabetes(return_X_y=True)


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_solvers(solver):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    estimator = ours.MLPClassifier((10,), solver=solver, learning_rate_init=0.01, random_state=0, max_iter=300,
                                   tol=1e-3).fit(X, y)
    assert estimator.score(X, y) > 0.97
    assert estimator.solver == solver
    twin = pickle.loads(pickle.dumps(estimator))
    for model in (estimator, twin):
        model.partial_fit(X, y)
    assert_same_model(estimator, twin, 0)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh", "quantile"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_more_losses(loss, solver):
    X, y = scale(DIABETES[0]), scale(DIABETES[1])
    estimator = ours.MLPRegressor(loss, (10,), solver=solver, random_state=0, max_iter=100, alpha=1.0)
    recorded(lambda: estimator.fit(X, y))
    assert estimator.score(X, y) > 0.4


def test_an_activation_for_each_layer():
    _, X, y, _ = DATA["multiclass"]
    same = [ours.MLPClassifier((7, 4), activation=activation, max_iter=5, random_state=1)
            for activation in ("logistic", ["logistic", "logistic"])]
    for estimator in (*same, mixed := ours.MLPClassifier((7, 4), activation=("gelu", "tanh"), random_state=1)):
        recorded(lambda: estimator.fit(X, y))       # noqa: B023
    assert_same_model(*same, 0)
    assert mixed.score(X, y) > 0.8
    assert mixed._net.activations == ("gelu", "tanh", "softmax")
    with pytest.raises(ValueError, match="each of the 2 hidden layers"):
        ours.MLPClassifier((7, 4), activation=["relu"]).fit(X, y)


def test_class_weight():
    _, X, y, _ = DATA["binary"]
    weight = np.where(y, 0.5, 3.0)
    by_class, by_sample = (ours.MLPClassifier(max_iter=5, random_state=1, class_weight=w)
                           for w in ({True: 0.5, False: 3.0}, None))
    with pytest.warns(ConvergenceWarning):
        by_class.fit(X, y)
    with pytest.warns(ConvergenceWarning):
        by_sample.fit(X, y, sample_weight=weight)
    assert_same_model(by_class, by_sample, 0)
    with pytest.raises(ValueError, match="balanced"):
        ours.MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[False, True])


class Recorder:
    def __init__(self, epochs):
        self.epochs, self.states = epochs, []

    def on_epoch(self, state):
        self.states.append(state)
        return state.epoch == self.epochs


def test_callbacks():
    _, X, y, _ = DATA["multiclass"]
    recorder = Recorder(3)
    estimator = ours.MLPClassifier(callbacks=[recorder], early_stopping=True).fit(X, y)
    assert estimator.n_iter_ == 3
    assert [state.loss for state in recorder.states] == estimator.loss_curve_
    assert [state.validation_score for state in recorder.states] == estimator.validation_scores_
    assert recorder.states[0].estimator is estimator
    for wrong, error in (([len], TypeError), ("no", ValueError)):
        with pytest.raises(error, match="callbacks"):
            ours.MLPClassifier(callbacks=wrong).fit(X, y)
    with pytest.raises(ValueError, match="lbfgs"):
        ours.MLPClassifier(callbacks=[recorder], solver="lbfgs").fit(X, y)


def test_callback_that_raises():
    class Raiser:
        def on_epoch(self, state):
            raise OSError("disk full")

    _, X, y, _ = DATA["multiclass"]
    estimator = ours.MLPClassifier(callbacks=[Raiser()])
    with pytest.raises(OSError, match="disk full"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 1


def test_network_is_fastbps():
    """Not the stand-in of a test: the parameters are views of a compiled network's."""
    _, X, y, _ = DATA["multiclass"]
    estimator = ours.MLPClassifier(max_iter=1)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(X, y)
    assert isinstance(estimator._net, fastbp.Network)
    assert estimator.coefs_[0] is estimator._net.weights[0]
