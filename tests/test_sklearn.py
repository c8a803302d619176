"""The drop-in for scikit-learn: its own tests pass, and its models are the same."""

import copy
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from scipy import sparse  # noqa: E402
from sklearn import datasets, neural_network  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from fastbp.interop.sklearn import MORE_LOSSES, MORE_SOLVERS, MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = tuple(part[:300] for part in datasets.load_digits(return_X_y=True))
X = DIGITS[0] / 16
TASKS = {
    "ten classes": ("MLPClassifier", DIGITS[1], {}),
    "two classes": ("MLPClassifier", np.array(["odd", "even"])[DIGITS[1] % 2], {}),
    "two labels": ("MLPClassifier", np.stack([DIGITS[1] % 2, DIGITS[1] > 4], axis=1).astype(int), {}),
    "one output": ("MLPRegressor", DIGITS[1] / 3, {}),
    "two outputs": ("MLPRegressor", np.stack([DIGITS[1] / 3, 2.0 - DIGITS[1]], axis=1), {}),
    "counts": ("MLPRegressor", DIGITS[1].astype(float), {"loss": "poisson"}),
}
OURS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
tasks = pytest.mark.parametrize("task", TASKS)


def pair(task, y=None, X=X, sample_weight=None, **options):
    """scikit-learn's model and ours, fitted alike."""
    name, of_task, extra = TASKS[task]
    return [kind(**{"hidden_layer_sizes": (20, 8), "max_iter": 20, "random_state": 1} | extra | options).fit(
        X, of_task if y is None else y, sample_weight=sample_weight)
        for kind in (getattr(neural_network, name), OURS[name])]


def assert_same(theirs, ours, rtol):
    for one, other in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=0, atol=rtol * abs(one).max())
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=max(rtol, 1e-9))
    if hasattr(theirs, "loss_curve_"):
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=max(rtol, 1e-9))
        assert (ours.best_loss_ or 0) == pytest.approx(theirs.best_loss_ or 0, rel=max(rtol, 1e-9))
        assert (ours.validation_scores_ or []) == pytest.approx(theirs.validation_scores_ or [])


@tasks
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize(("solver", "rtol"), [("sgd", 1e-9), ("adam", 1e-6)])
def test_the_same_model(task, activation, solver, rtol):
    theirs, ours = pair(task, activation=activation, solver=solver)
    assert_same(theirs, ours, rtol)
    np.testing.assert_allclose(ours._forward_pass_fast(X), theirs._forward_pass_fast(X), rtol=1e-5, atol=1e-6)


@tasks
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh"])
def test_the_same_model_by_lbfgs(task, activation):
    theirs, ours = pair(task, activation=activation, solver="lbfgs")
    assert_same(theirs, ours, 1e-6)


@tasks
def test_relu_and_lbfgs_begin_alike(task):
    # A kink that rounding crosses on one side only lets the line searches part after some iterations.
    theirs, ours = pair(task, activation="relu", solver="lbfgs", max_iter=5)
    assert_same(theirs, ours, 1e-9)


@pytest.mark.parametrize("options", [
    {"learning_rate": "invscaling", "learning_rate_init": 0.1},
    {"learning_rate": "adaptive", "tol": 0.1, "max_iter": 60},
    {"batch_size": 64}, {"batch_size": 1, "max_iter": 3}, {"shuffle": False}, {"nesterovs_momentum": False},
    {"momentum": 0.0}, {"momentum": 1.0, "max_iter": 2}, {"alpha": 0.0}, {"alpha": 1.0, "batch_size": 50},
    {"early_stopping": True}, {"hidden_layer_sizes": ()}, {"hidden_layer_sizes": 7}, {"tol": 0.05, "max_iter": 100},
], ids=str)
@pytest.mark.parametrize("task", ["ten classes", "one output"])
def test_the_same_model_by_each_option(task, options):
    assert_same(*pair(task, solver="sgd", **options), 1e-9)


@pytest.mark.parametrize("options", [
    {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}, {"batch_size": 7, "max_iter": 5}, {"early_stopping": True},
], ids=str)
def test_the_same_model_by_each_option_of_adam(options):
    assert_same(*pair("ten classes", **options), 1e-6)


@tasks
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_same_model_with_weights(task, solver):
    weights = np.random.default_rng(0).uniform(0, 2, len(X))
    weights[::3] = 0
    assert_same(*pair(task, sample_weight=weights, solver=solver, activation="tanh"), 1e-6)


@tasks
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_the_same_model_of_sparse_samples(task, make, solver):
    theirs, ours = pair(task, X=make(X), solver=solver, activation="tanh", batch_size=64)
    assert_same(theirs, ours, 1e-6)
    np.testing.assert_allclose(ours._forward_pass_fast(make(X)), theirs._forward_pass_fast(X), rtol=1e-5, atol=1e-6)


@tasks
def test_single_precision_stays_single(task):
    theirs, ours = pair(task, X=X.astype("float32"), solver="sgd", max_iter=5)
    assert ours.coefs_[0].dtype == "float32"
    assert_same(theirs, ours, 1e-4)


@pytest.mark.parametrize("task", ["ten classes", "two classes", "one output", "two outputs"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_row_by_row(task, solver):
    name, y, extra = TASKS[task]
    models = [kind(hidden_layer_sizes=(5,), random_state=3, solver=solver, **extra)
              for kind in (getattr(neural_network, name), OURS[name])]
    classes = {"classes": np.unique(y)} if name == "MLPClassifier" else {}
    for model in models:
        model.partial_fit(X[:7], y[:7], **classes)
        for i in range(7, 60):
            model.partial_fit(X[i:i + 1], y[i:i + 1])
        model.partial_fit(X[:70], y[:70])
    assert_same(*models, 1e-6)
    np.testing.assert_allclose(models[1]._forward_pass_fast(X), models[0]._forward_pass_fast(X), atol=1e-6)


@pytest.mark.parametrize("y", [np.array([11]), np.array([0.5]), np.array(["a"])])
def test_partial_fit_refuses_unknown_labels(y):
    model = MLPClassifier((5,), random_state=0).partial_fit(X[:9], DIGITS[1][:9], classes=np.arange(10))
    model.partial_fit(X[:1], np.array([3]))
    before = [coef.copy() for coef in model.coefs_]
    with pytest.raises(ValueError, match=r"classes|[Uu]nknown label|dtype|mix"):
        model.partial_fit(X[:1], y)
    np.testing.assert_array_equal(model.coefs_[0], before[0])


def test_partial_fit_sees_changed_parameters():
    models = [kind((5,), random_state=0) for kind in (neural_network.MLPClassifier, MLPClassifier)]
    for model in models:
        model.partial_fit(X[:9], DIGITS[1][:9], classes=np.arange(10)).partial_fit(X[:1], DIGITS[1][:1])
        model.set_params(alpha=10.0).partial_fit(X[:1], DIGITS[1][:1])
    assert_same(*models, 1e-6)


@tasks
def test_predictions_of_every_kind_of_input(task):
    theirs, ours = pair(task, max_iter=3)
    for samples in (X, X[:1], X[::2], np.asfortranarray(X), X.tolist(), X[:5].astype("float32"), sparse.csr_array(X)):
        np.testing.assert_array_equal(ours.predict(samples).dtype, theirs.predict(samples).dtype)
        assert (np.asarray(ours.predict(samples)) == theirs.predict(samples)).all() or "class" not in task
        if TASKS[task][0] == "MLPClassifier":
            np.testing.assert_allclose(ours.predict_proba(samples), theirs.predict_proba(samples), atol=1e-6)
            np.testing.assert_allclose(ours.predict_log_proba(samples), theirs.predict_log_proba(samples), atol=1e-4)
    assert ours.score(X, TASKS[task][1]) == pytest.approx(theirs.score(X, TASKS[task][1]), abs=1e-6)


@pytest.mark.parametrize("bad", [np.full((1, 64), np.nan), np.full((1, 64), np.inf), np.zeros((1, 63)), np.zeros(64),
                                 np.zeros((0, 64))])
def test_predictions_refuse_what_scikit_learn_refuses(bad):
    theirs, ours = pair("ten classes", max_iter=1)
    for model in (theirs, ours):
        with pytest.raises(ValueError, match=r"NaN|infinity|features|1D|0 sample"):
            model.predict(bad)


def test_assigned_coefficients_count():
    theirs, ours = pair("one output", max_iter=2)
    for model in (theirs, ours):
        model.coefs_ = [coef * 2 for coef in model.coefs_]
        model.intercepts_[0] = model.intercepts_[0] + 1
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    ours.coefs_[0][:] = 0
    theirs.coefs_[0][:] = 0
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("solver", ["sgd", "adam", "rprop"])
def test_copies_go_on_as_the_model_would(duplicate, solver):
    model = MLPClassifier((5,), solver=solver, random_state=0)
    for _ in range(3):
        model.partial_fit(X, DIGITS[1], classes=np.arange(10))
    other = duplicate(model)
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    for each in (model, other):
        each.partial_fit(X, DIGITS[1])
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


def test_pipelines_searches_and_clones():
    model = MLPClassifier(max_iter=60, learning_rate_init=0.01, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), model),
                          {"mlpclassifier__hidden_layer_sizes": [(4,), (20,)]}, cv=3)
    search.fit(X, DIGITS[1])
    assert search.best_params_ == {"mlpclassifier__hidden_layer_sizes": (20,)}
    assert search.best_score_ > 0.75
    assert clone(search.best_estimator_[-1]).get_params() == search.best_estimator_[-1].get_params()


def test_warm_start_goes_on():
    assert_same(*[model.fit(X, DIGITS[1]) for model in pair("ten classes", warm_start=True, solver="sgd")], 1e-9)


@pytest.mark.parametrize("solver", MORE_SOLVERS)
def test_more_solvers_learn(solver):
    rate = {"rprop": 0.01, "adagrad": 0.02}.get(solver, 0.002)
    model = MLPClassifier((20,), solver=solver, learning_rate_init=rate, random_state=0, max_iter=100,
                          batch_size=300 if solver == "rprop" else 30).fit(X, DIGITS[1])
    assert model.score(X, DIGITS[1]) > 0.95
    assert model.solver == solver
    model.partial_fit(X, DIGITS[1])


@pytest.mark.parametrize("loss", MORE_LOSSES)
def test_more_losses_learn(loss):
    model = MLPRegressor(loss, (20,), random_state=0, max_iter=300).fit(X, DIGITS[1] / 3)
    assert model.score(X, DIGITS[1] / 3) > 0.8


def test_activations_for_each_layer():
    model = MLPClassifier((6, 5), ["tanh", "relu"], random_state=0, max_iter=5).fit(X, DIGITS[1])
    hidden = np.maximum(np.tanh(X @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1] + model.intercepts_[1], 0)
    scores = hidden @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
    with pytest.raises(ValueError, match="activation must hold one of"):
        MLPClassifier((6, 5), ["tanh"]).fit(X, DIGITS[1])


def test_class_weight_is_a_sample_weight():
    y = (DIGITS[1] == 3).astype(int)
    weighted = MLPClassifier((5,), random_state=0, max_iter=5, class_weight={0: 1.0, 1: 9.0}).fit(X, y)
    other = MLPClassifier((5,), random_state=0, max_iter=5).fit(X, y, sample_weight=np.where(y == 1, 9.0, 1.0))
    np.testing.assert_array_equal(weighted.coefs_[0], other.coefs_[0])


def test_validation_losses_and_callbacks():
    class Watch:
        seen = ()

        def on_epoch(self, state):
            self.seen += ((state.epoch, state.loss, state.validation_score),)
            return state.epoch == 4

    watch = Watch()
    model = MLPClassifier((5,), random_state=0, early_stopping=True, callbacks=[watch]).fit(X, DIGITS[1])
    assert model.n_iter_ == len(watch.seen) == len(model.validation_loss_curve_) == 4
    assert [loss for _, loss, _ in watch.seen] == model.loss_curve_
    assert [score for *_, score in watch.seen] == model.validation_scores_
    assert model.validation_loss_curve_[-1] < model.validation_loss_curve_[0]


def test_divergence_is_scikit_learns_error():
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1e3).fit(X * 100, DIGITS[1])


def test_the_warning_is_scikit_learns():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning, match="hasn't converged"):
            MLPClassifier((5,), max_iter=2).fit(X, DIGITS[1])


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPClassifier(solver="sgd", max_iter=50),
                          MLPRegressor(max_iter=100), MLPRegressor(solver="rprop", max_iter=50),
                          MLPRegressor(solver="lbfgs")])
def test_estimator_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.fixture
def global_random_seed():
    """scikit-learn's conftest.py gives it to its tests."""
    return 42


def their_tests():
    """scikit-learn's test_mlp.py as it is installed, run on our classes."""
    source = Path(neural_network.__file__).parent / "tests" / "test_mlp.py"
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in OURS.items():
            patch.setattr(neural_network, name, kind)
        namespace = {"__name__": "their_tests", "__file__": str(source)}
        exec(compile(source.read_text(), str(source), "exec"), namespace)
    return {name: pytest.mark.filterwarnings("ignore")(test) for name, test in namespace.items()
            if name.startswith("test_")}


THEIRS = their_tests()
globals().update({f"test_theirs_{name[5:]}": test for name, test in THEIRS.items()})


def test_theirs_are_there():
    assert len(THEIRS) > 30
