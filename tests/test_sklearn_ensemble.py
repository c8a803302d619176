"""The ensembles of fastbp.interop.sklearn: scikit-learn's rules, its network as the oracle, bagging, stopping."""

import contextlib
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn_pairs import DATA, recorded

from fastbp.interop.sklearn import MLPEnsembleClassifier, MLPEnsembleRegressor, to_sklearn
from fastbp.interop.sklearn.versions import HAS_WEIGHTS
from fastbp.population import Population
from fastbp.training.population import PopulationRun

KINDS = {"MLPClassifier": (MLPEnsembleClassifier, MLPClassifier), "MLPRegressor": (MLPEnsembleRegressor, MLPRegressor)}
QUICK = {"n_estimators": 4, "hidden_layer_sizes": (12,), "learning_rate_init": 0.02, "random_state": 0}
CHECKS = parametrize_with_checks([kind(**QUICK, bootstrap=bootstrap) for kind in (
    MLPEnsembleClassifier, MLPEnsembleRegressor) for bootstrap in (True, False)])
NAMES, CASES = CHECKS.args


def is_of_draws(estimator, check):
    """Whether a check asks bootstraps of other, equivalent samples to be the same, which they are on average only.

    scikit-learn exempts its own bagging and forests, too.
    """
    name = getattr(check, "func", check).__name__
    return estimator.bootstrap and (name == "check_sample_weight_equivalence_on_dense_data" or (
        name == "check_sample_weights_invariance" and check.keywords["kind"] == "zeros"))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(NAMES, [case for case in CASES if not is_of_draws(*case)], **CHECKS.kwargs)
def test_check_estimator(estimator, check):
    check(estimator)


# ---------------------------------------------------------------- one network is scikit-learn's


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("solver", "tolerance"), [("sgd", 1e-9), ("adam", 1e-4)])
@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel", "regression", "three outputs"])
def test_one_network_learns_what_scikit_learns_does(name, solver, tolerance, weighted):
    if weighted and not HAS_WEIGHTS:
        pytest.skip("this version of scikit-learn has no sample_weight")
    kind, X, y, _ = DATA[name]
    ensemble, theirs = KINDS[kind]
    arguments = {"solver": solver, "activation": "tanh", "alpha": 3.0, "shuffle": False, "max_iter": 15,
                 "batch_size": 80 if weighted else 20, "learning_rate_init": 0.02}
    weights = {"sample_weight": np.random.RandomState(5).uniform(0.1, 3, len(X))} if weighted else {}
    mine = ensemble(1, (7, 4), bootstrap=False, random_state=0).set_params(**arguments)
    initial = clone(mine).set_params(learning_rate_init=1e-300).fit(X, y).population_[0]
    oracle = to_sklearn(initial, theirs, **({"classes": np.unique(y)} if name == "multiclass" else {}))
    oracle.set_params(**arguments, warm_start=True, n_iter_no_change=1000)
    if name == "binary":
        y = y.astype(int)
    recorded(lambda: oracle.fit(X, y, **weights))
    net = mine.fit(X, y, **weights).population_[0]
    for values, expected in zip([*net.weights, *net.biases], oracle.coefs_ + oracle.intercepts_, strict=True):
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)
    method = "predict" if kind == "MLPRegressor" else "predict_proba"
    np.testing.assert_allclose(getattr(mine, method)(X), getattr(oracle, method)(X), atol=10 * tolerance)


# ---------------------------------------------------------------- many networks


@pytest.fixture(scope="module", params=["binary", "multiclass", "multilabel", "regression", "three outputs"])
def fitted(request):
    kind, X, y, _ = DATA[request.param]
    return KINDS[kind][0](**QUICK, max_iter=20).fit(X, y), X, y


def test_outputs_are_means_over_the_networks(fitted):
    model, X, y = fitted
    outputs = np.array([net.predict(X) for net in model.population_])
    mean = outputs.mean(axis=0)
    if isinstance(model, MLPEnsembleRegressor):
        std = np.sqrt(((outputs - mean)**2).mean(axis=0))
        predicted = model.predict(X, return_std=True)
        assert [values.shape for values in predicted] == [y.shape, y.shape]
        for values, expected in zip(predicted, (mean, std), strict=True):
            np.testing.assert_allclose(values, expected.reshape(y.shape), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(model.predict(X), predicted[0])
        return
    probabilities = model.predict_proba(X)
    binary = model.n_outputs_ == 1
    np.testing.assert_allclose(probabilities, np.hstack([1 - mean, mean]) if binary else mean, rtol=1e-9, atol=1e-12)
    expected = mean > 0.5 if y.ndim == 2 else model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), expected)


def test_blocks_of_rows(fitted, monkeypatch):
    model, X, _ = fitted
    predict = model.predict if isinstance(model, MLPEnsembleRegressor) else model.predict_proba
    whole = predict(X)
    monkeypatch.setattr("fastbp.interop.sklearn.ensemble.OUTPUTS_AT_ONCE", 50)
    np.testing.assert_allclose(predict(X), whole, rtol=1e-9)


def test_what_is_written_into_the_population_counts():
    _, X, y, _ = DATA["regression"]
    model = MLPEnsembleRegressor(**QUICK, max_iter=1).fit(X, y)
    model.population_.params = np.zeros_like(model.population_.params)
    model.population_.biases[-1][:, 0] = 1, 2, 3, 6
    mean, std = model.predict(X, return_std=True)
    assert (mean == 3).all()
    np.testing.assert_allclose(std, np.sqrt(3.5))


def test_the_first_networks_do_not_depend_on_how_many_follow():
    _, X, y, _ = DATA["multiclass"]
    few, many = (MLPEnsembleClassifier(**QUICK | {"n_estimators": n}, max_iter=5).fit(X, y) for n in (3, 7))
    np.testing.assert_array_equal(few.population_.params, many.population_.params[:3])
    assert len(np.unique(many.population_.params, axis=0)) == 7


def weights_of(monkeypatch, estimator, X, y, **more):
    """The weights of the samples that each network is trained with."""
    seen = []

    def fit(self, *arguments, sample_weight, **keywords):
        seen.append(sample_weight)
        return original(self, *arguments, sample_weight=sample_weight, **keywords)

    original = Population.fit
    with monkeypatch.context() as patch:
        patch.setattr(Population, "fit", fit)
        estimator.fit(X, y, **more)
    return seen[0]


def test_bootstraps(monkeypatch):
    """As many draws as samples, each sample equally probable, others for each network."""
    X, y = np.arange(40.0)[:, None] / 40, np.arange(40.0)
    model = MLPEnsembleRegressor(400, (), max_iter=1, random_state=0)
    counts = weights_of(monkeypatch, model, X, y)
    assert counts.shape == (400, 40)
    assert (counts == counts.round()).all()
    assert (counts.sum(axis=1) == 40).all()
    assert len(np.unique(counts, axis=0)) == 400
    # Binomial: a mean of 1, and a variance of 39 / 40; bounds of six standard errors.
    assert np.abs(counts.mean(axis=0) - 1).max() < 0.3
    assert abs(counts.var() - 39 / 40) < 0.1
    assert (weights_of(monkeypatch, model.set_params(bootstrap=False), X, y) == 1).all()


def test_bootstraps_of_weighted_samples(monkeypatch):
    X, y = np.arange(6.0)[:, None], np.arange(6.0)
    model = MLPEnsembleRegressor(50, (), max_iter=1, random_state=0)
    weights = np.array([0, 0.5, 0, 0.5, 4, 0])
    products = weights_of(monkeypatch, model, X, y, sample_weight=weights)
    counts = products / weights[weights > 0]
    assert counts.shape == (50, 3)      # no draw is wasted on samples that do not count
    assert (counts.sum(axis=1) == 3).all()
    without = clone(model).fit(X[weights > 0], y[weights > 0], sample_weight=weights[weights > 0])
    np.testing.assert_array_equal(model.population_.params, without.population_.params)


@pytest.mark.parametrize("solver", ["sgd", "adam", "rprop", "rmsprop", "adagrad", "adamw", "nadam"])
def test_solvers(solver):
    _, X, y, _ = DATA["regression"]
    model = MLPEnsembleRegressor(**QUICK | {"learning_rate_init": 0.05}, solver=solver, max_iter=100).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.n_iter_ == 100
    assert model.history_.error.shape == (4, 100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes(dtype):
    _, X, y, _ = DATA["regression"]
    model = MLPEnsembleRegressor(**QUICK, max_iter=5).fit(X.astype(dtype), y)
    assert model.population_.dtype == dtype
    assert {values.dtype.name for values in model.predict(X, return_std=True)} == {dtype}


def test_early_stopping():
    _, X, y, _ = DATA["multiclass"]
    model = MLPEnsembleClassifier(**QUICK | {"learning_rate_init": 0.2}, early_stopping=True, n_iter_no_change=3,
                                  validation_fraction=0.25, tol=1e-3).fit(X, y)
    history = model.history_
    assert (history.stop_reason == "patience").all()
    assert model.n_iter_ == history.epochs.max() < 200
    # Each network has a patience of its own, and the parameters of its best epoch.
    assert len(np.unique(history.epochs)) > 1
    for curve, epochs in zip(history.validation_error, history.epochs, strict=True):
        assert curve[:epochs - 3].min() - 1e-3 <= curve[epochs - 3:epochs].min()
    with pytest.warns(ConvergenceWarning, match="4 of 4 networks reached max_iter=2"):
        clone(model).set_params(max_iter=2).fit(X, y)


def test_held_out_samples_have_the_shares_of_the_classes():
    X, y = np.arange(20.0)[:, None], np.repeat(["a", "b"], [4, 16])
    with pytest.raises(ValueError, match="1 member"):
        MLPEnsembleClassifier(early_stopping=True, validation_fraction=0.25).fit(X, np.where(X[:, 0] == 1, "c", y))
    model = MLPEnsembleClassifier(**QUICK, early_stopping=True, validation_fraction=0.25, max_iter=1)
    assert recorded(lambda: model.fit(X, y))[1] == [ConvergenceWarning]


# ---------------------------------------------------------------- what goes wrong


def outlier():
    """Whoever has drawn the outlier has an error surface too steep for a rate of 0.1; the others do not."""
    X = np.r_[np.linspace(-1, 1, 19), 100.0][:, None]
    return X, X[:, 0], {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "learning_rate_init": 0.1,
                        "max_iter": 200, "random_state": 0, "shuffle": False}


def test_networks_that_diverge_are_left_out(monkeypatch):
    X, y, arguments = outlier()
    model = MLPEnsembleRegressor(20, **arguments)
    with pytest.warns(ConvergenceWarning, match=r"\d+ of 20 networks diverged and were left out: \d+, "):
        counts = weights_of(monkeypatch, model, X, y)
    np.testing.assert_array_equal(model.history_.diverged, np.flatnonzero(counts[:, -1]))
    assert len(model.population_) == 20 - len(model.history_.diverged) > 0
    np.testing.assert_allclose(model.predict(X), y, atol=0.05 * 100)


def test_all_networks_diverge():
    X, y, arguments = outlier()
    with pytest.raises(ValueError, match="all 3 networks diverged; scale X and y, or choose a smaller"):
        MLPEnsembleRegressor(3, **arguments, bootstrap=False).fit(X, y)


def test_interruption(monkeypatch):
    _, X, y, _ = DATA["regression"]

    def epochs(self, count):
        if self.done:
            raise KeyboardInterrupt
        return original(self, 1)

    original = PopulationRun.epochs
    monkeypatch.setattr(PopulationRun, "epochs", epochs)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = MLPEnsembleRegressor(**QUICK).fit(X, y)
    assert model.n_iter_ == 1
    assert (model.history_.stop_reason == "interrupted").all()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"n_estimators": 0}, "n_estimators"), ({"hidden_layer_sizes": "wide"}, "hidden_layer_sizes"),
    ({"activation": "wavy"}, "activation"), ({"solver": "lbfgs"}, "solver"), ({"alpha": -1}, "alpha"),
    ({"batch_size": 0}, "batch_size"), ({"learning_rate_init": 0}, "learning_rate_init"), ({"momentum": 1}, "momentum"),
    ({"max_iter": 0}, "max_iter"), ({"bootstrap": "yes"}, "bootstrap"), ({"tol": -1}, "tol"),
    ({"validation_fraction": 1}, "validation_fraction"), ({"n_iter_no_change": 0}, "n_iter_no_change"),
    ({"hidden_layer_sizes": (3, 0)}, r"layer_sizes\[2\]"),
])
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MLPEnsembleRegressor(**arguments).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize(("weights", "message"), [
    ([1.0, -1.0, 1.0], "sample_weight must not be negative, got -1.0"), ([0.0] * 3, "zero"), ([1.0], "sample_weight"),
])
def test_weights_that_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        MLPEnsembleClassifier().fit([[0.0], [1.0], [2.0]], [0, 1, 1], sample_weight=weights)


def test_labels_that_are_refused():
    for y, message in (([3, 3], "two or more classes, got one class: "), ([0.5, 1.5], "Unknown label type")):
        with pytest.raises(ValueError, match=message):
            MLPEnsembleClassifier().fit([[0.0], [1.0]], y)


# ---------------------------------------------------------------- among scikit-learn's other parts


def test_pipeline_grid_search_pickle():
    pandas = pytest.importorskip("pandas")
    _, X, y, _ = DATA["regression"]
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), TransformedTargetRegressor(
        MLPEnsembleRegressor(**QUICK, max_iter=30), transformer=StandardScaler()))
    search = GridSearchCV(model, {"transformedtargetregressor__regressor__alpha": [1e-4, 1e3]}, cv=2).fit(frame, y)
    assert search.best_params_["transformedtargetregressor__regressor__alpha"] == 1e-4
    best = search.best_estimator_[-1].regressor_
    assert [*best.feature_names_in_] == [*frame.columns]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(search)).predict(frame), search.predict(frame))


def test_example_of_the_page():
    """docs/sklearn.md is not run elsewhere, because it needs scikit-learn."""
    page = (Path(__file__).parents[1] / "docs" / "sklearn.md").read_text(encoding="utf-8")
    section = page.partition("\n## Ensembles\n")[2].partition("\n## ")[0]
    (block, printed), = re.findall(r"^```py\n(.*?)^```\n\n```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block, "docs/sklearn.md", "exec"), {})
    assert out.getvalue().split() == printed.split()
