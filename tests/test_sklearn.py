"""fastbp.interop.sklearn beside scikit-learn itself: the same model, the same outputs."""

import copy
import pickle
from itertools import product

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.exceptions import ConvergenceWarning
from sklearn_pairs import (
    DATA,
    DESCENTS,
    UNWEIGHTED_OR_WEIGHTED,
    assert_close,
    assert_same_model,
    data_to_stop_early,
    fit_pair,
    pair,
    recorded,
)

from fastbp.interop import sklearn as ours
from fastbp.interop.sklearn.versions import HAS_WEIGHTS

# What ours do with weights in versions that know none is tested in test_sklearn_versions.py.
compares_weights = pytest.mark.skipif(not HAS_WEIGHTS, reason="this version of scikit-learn has no sample_weight")

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


@compares_weights
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", DATA)
def test_sample_weight(name, solver):
    kind, X, y, arguments = DATA[name]
    weight = np.random.RandomState(5).uniform(0.1, 3, len(X))
    mine, theirs = fit_pair(kind, X, y, arguments | {"solver": solver, "batch_size": 16, "max_iter": 10},
                            sample_weight=weight)
    assert_same_model(mine, theirs, 1e-6)


@pytest.mark.parametrize("weighted", UNWEIGHTED_OR_WEIGHTED)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", DATA)
def test_early_stopping(name, solver, weighted):
    kind, X, y, arguments = data_to_stop_early(name)
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


@pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning")     # of old versions with a new SciPy
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_warm_start(solver):
    kind, X, y, _ = DATA["multiclass"]
    estimators = pair(kind, warm_start=True, solver=solver, max_iter=5)
    for estimator, _ in product(estimators, range(3)):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
    assert_same_model(*estimators, 1e-6)


@pytest.mark.parametrize("duplicate", [lambda x: x, lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy],
                         ids=["itself", "pickled", "copied"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", DATA)
def test_warm_start_with_early_stopping(name, solver, duplicate):
    """The two agree even if no score of the second fit exceeds the best of the first."""
    kind, X, y, arguments = data_to_stop_early(name)
    estimators = pair(kind, **arguments | {"warm_start": True, "early_stopping": True, "n_iter_no_change": 3,
                                           "solver": solver, "learning_rate_init": 0.02, "validation_fraction": 0.2})
    for k, _ in product(range(2), range(4)):
        estimators[k] = duplicate(estimators[k])
        recorded(lambda: estimators[k].fit(X, y))       # noqa: B023
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
    """Arguments, sparse data, pickles and copies in between: each call continues from the moments of the last."""
    sparse = pytest.importorskip("scipy.sparse")
    kind, X, y, _ = DATA["multiclass"]
    estimators = pair(kind, solver=solver)
    for k, estimator in enumerate(estimators):
        estimator.partial_fit(X, y, classes=np.unique(y))
        estimator.partial_fit(X, y)
        estimator.set_params(alpha=0.5).partial_fit(X, y)
        estimator.partial_fit(sparse.csr_array(X), y)
        estimator.partial_fit(X, y, **({"sample_weight": np.linspace(1, 2, len(X))} if HAS_WEIGHTS else {}))
        estimator = pickle.loads(pickle.dumps(estimator))
        estimator.partial_fit(X, y)
        estimator.partial_fit(X[:1].copy(), y[:1])
        estimators[k] = copy.deepcopy(estimator).partial_fit(X, y)
    assert_same_model(*estimators, 1e-6)


@pytest.mark.parametrize(("first", "second"), [("sgd", "adam"), ("adam", "sgd")])
def test_a_solver_set_between_partial_fits_waits_for_the_next_fit(first, second):
    kind, X, y, _ = DATA["multiclass"]
    estimators = pair(kind, solver=first)
    for k, estimator in enumerate(estimators):
        estimator.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
        estimator.set_params(solver=second).partial_fit(X, y)
        estimators[k] = pickle.loads(pickle.dumps(estimator)).partial_fit(X, y).partial_fit(X, y)
    assert_same_model(*estimators, 1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("float64", 1e-6)])
def test_lbfgs_between_partial_fits(dtype, tolerance):
    """scikit-learn's regressor takes lbfgs there, for a whole fit; SciPy's vector turns float32 into float64."""
    _, X, y, _ = DATA["regression"]
    X = X.astype(dtype)
    estimators = pair("MLPRegressor", activation="tanh", max_iter=3)
    for estimator, solver in product(estimators, ["adam", "lbfgs", "adam"]):
        for _ in range(2):
            recorded(lambda: estimator.set_params(solver=solver).partial_fit(X, y))     # noqa: B023
    mine, theirs = estimators
    assert_close(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, tolerance)


def test_a_pickle_after_fits_of_other_sizes():
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=1)
    recorded(lambda: estimator.fit(X, y))
    recorded(lambda: estimator.set_params(hidden_layer_sizes=(5,), solver="lbfgs").fit(X, y))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(estimator)).predict(X), estimator.predict(X))


def test_pickling_changes_nothing():
    _, X, y, _ = DATA["multiclass"]
    once, twice = (ours.MLPClassifier(random_state=1).partial_fit(X, y, classes=np.unique(y)) for _ in range(2))
    pickle.dumps(twice)
    for estimator in (once, twice):
        estimator.partial_fit(X, y)
    assert_same_model(once, twice, 0)


# ---------------------------------------------------------------- outputs


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


def test_activations_changed_in_place(fitted):
    mine, theirs, X = fitted
    theirs.set_params(activation="tanh")
    mine.set_params(activation=["relu", "relu"]).predict(X)
    mine.partial_fit(X, mine.predict(X))
    mine.activation[:] = ["tanh", "tanh"]
    theirs.coefs_, theirs.intercepts_ = ([values.copy() for values in lists] for lists in (mine.coefs_,
                                                                                           mine.intercepts_))
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-9) if mine.loss != "log_loss" else (
        np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-9))


@pytest.mark.parametrize("n_hidden", [3, 4, 7])
def test_coefs_are_written_where_they_stand(n_hidden):
    """At padded widths `ravel` copies, so what is promised is an assignment to the array itself."""
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor(hidden_layer_sizes=(n_hidden,), max_iter=1)
    recorded(lambda: estimator.fit(X, y))
    for values in estimator.coefs_ + estimator.intercepts_:
        values[...] = 0
    estimator.intercepts_[1][...] = 2.5
    np.testing.assert_array_equal(estimator.predict(X), np.full(len(X), 2.5))


def test_large_finite_inputs():
    """Their sum overflows, which is no error, nor one to warn of."""
    _, X, y, _ = DATA["binary"]
    estimator = ours.MLPClassifier().partial_fit(X, y, classes=[False, True])
    X = X.copy()
    X[:2, 0] = 1.7e308
    assert estimator.predict(X).shape == y.shape


@compares_weights
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
