"""fastbp.interop.sklearn has the same features with every version of scikit-learn, and says which were tested."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network as original
from sklearn_pairs import DATA, assert_close, assert_same_model, recorded

from fastbp.interop import sklearn as ours
from fastbp.interop.sklearn.versions import HAS_WEIGHTS

# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_arguments_are_in_scikit_learns_order(kind):
    mine, theirs = ([*inspect.signature(getattr(module, kind)).parameters.values()] for module in (ours, original))
    assert mine[:len(theirs)] == theirs
    assert all(parameter.kind == parameter.KEYWORD_ONLY for parameter in mine[len(theirs):])
    with pytest.raises(TypeError, match=f"^{kind}: got an unexpected keyword argument 'layers'"):
        getattr(ours, kind)(layers=(3,))
    with pytest.raises(TypeError, match=f"^{kind}: too many positional arguments"):
        getattr(ours, kind)(*range(9))


def test_a_subclass_with_a_constructor_of_its_own():
    class Small(ours.MLPRegressor):
        def __init__(self, width=3, loss="huber"):
            super().__init__(hidden_layer_sizes=(width,), loss=loss)
            self.width = width

    assert Small(width=5).get_params() == {"width": 5, "loss": "huber"}
    assert Small(width=5).hidden_layer_sizes == (5,)


# ---------------------------------------------------------------- sample_weight, which scikit-learn has from 1.7 on


def arguments_of(name, solver):
    arguments = DATA[name][3] | {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": solver, "max_iter": 5,
                                 "alpha": 0.1, "learning_rate_init": 0.01, "random_state": 1}
    # A single batch, so that nothing depends on an order.
    return arguments if solver == "lbfgs" else arguments | {"shuffle": False, "batch_size": 10**6}


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "nadam"])
@pytest.mark.parametrize("name", DATA)
def test_a_weight_counts_as_so_many_samples(name, solver):
    kind, X, y, _ = DATA[name]
    times = np.random.RandomState(5).randint(1, 4, len(X))
    weighted, repeated = (getattr(ours, kind)(**arguments_of(name, solver)) for _ in range(2))
    recorded(lambda: weighted.fit(X, y, sample_weight=times))
    recorded(lambda: repeated.fit(X.repeat(times, axis=0), y.repeat(times, axis=0)))
    assert_close(weighted.coefs_ + weighted.intercepts_, repeated.coefs_ + repeated.intercepts_, 1e-7)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)


@pytest.mark.parametrize("name", DATA)
def test_a_weight_counts_in_partial_fit(name):
    kind, X, y, _ = DATA[name]
    times = np.random.RandomState(5).randint(1, 4, len(X))
    weighted, repeated = (getattr(ours, kind)(**arguments_of(name, "adam")) for _ in range(2))
    for _ in range(3):
        recorded(lambda: weighted.partial_fit(X, y, sample_weight=times, **classes_of(kind, y)))
        recorded(lambda: repeated.partial_fit(X.repeat(times, axis=0), y.repeat(times, axis=0), **classes_of(kind, y)))
    recorded(lambda: weighted.partial_fit(X, y))        # without weights again
    recorded(lambda: repeated.partial_fit(X, y))
    assert_close(weighted.coefs_ + weighted.intercepts_, repeated.coefs_ + repeated.intercepts_, 1e-7)


def classes_of(kind, y):
    if kind == "MLPRegressor":
        return {}
    return {"classes": np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])}


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_weights_of_sparse_samples(solver):
    sparse = pytest.importorskip("scipy.sparse")
    kind, X, y, _ = DATA["multiclass"]
    weight = np.random.RandomState(5).uniform(0.1, 3, len(X))
    models = [getattr(ours, kind)(**arguments_of("multiclass", solver)) for _ in range(2)]
    for model, inputs in zip(models, (X, sparse.csr_array(X)), strict=True):
        recorded(lambda: model.fit(inputs, y, sample_weight=weight))       # noqa: B023
    assert_close(models[0].coefs_ + models[0].intercepts_, models[1].coefs_ + models[1].intercepts_, 1e-7)
    np.testing.assert_allclose(models[0].predict_proba(X), models[1].predict_proba(sparse.csr_array(X)), rtol=1e-6)


@pytest.mark.parametrize("name", DATA)
def test_weights_of_held_out_samples(name):
    """Weights that are all 2 change nothing; others count in the score."""
    kind, X, y, arguments = DATA[name]
    arguments = arguments | {"early_stopping": True, "alpha": 0, "max_iter": 10, "random_state": 1}
    doubled, plain = (getattr(ours, kind)(**arguments) for _ in range(2))
    recorded(lambda: doubled.fit(X, y, sample_weight=np.full(len(X), 2)))
    recorded(lambda: plain.fit(X, y))
    assert_same_model(doubled, plain, 1e-9)
    weight = np.random.RandomState(5).uniform(0.1, 3, len(X))
    assert plain._score(X, y, weight) == pytest.approx(plain.score(X, y, weight), rel=1e-12)
    assert plain._score(X, y, weight) != plain._score(X, y)


@pytest.mark.parametrize("weight", [np.ones(79), np.ones((80, 2)), np.full(80, np.nan)])
def test_bad_weights_change_nothing(weight):
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor().partial_fit(X, y)
    before = [values.copy() for values in estimator.coefs_]
    for fit in (estimator.partial_fit, estimator.fit):
        with pytest.raises(ValueError, match=r"[Ss]ample.?weight"):
            fit(X, y, sample_weight=weight)
    assert all(map(np.array_equal, before, estimator.coefs_))


@pytest.mark.skipif(HAS_WEIGHTS, reason="scikit-learn trains with negative weights itself")
def test_negative_weights_are_refused_where_scikit_learn_has_none():
    _, X, y, _ = DATA["regression"]
    with pytest.raises(ValueError, match="sample_weight must hold no negative number"):
        ours.MLPRegressor().fit(X, y, sample_weight=np.r_[-0.5, np.ones(len(X) - 1)])


# ---------------------------------------------------------------- what else not every version has


def test_poisson_without_hidden_layers_is_a_generalised_linear_model():
    """At the maximum of the likelihood, residuals are orthogonal to the constant and to every input."""
    _, X, _, _ = DATA["multiclass"]
    y = np.random.RandomState(3).poisson(np.exp(0.5 * X[:, 0])).astype(float)
    model = ours.MLPRegressor(loss="poisson", hidden_layer_sizes=(), solver="lbfgs", alpha=0, tol=1e-9, max_iter=2000)
    recorded(lambda: model.fit(X, y))
    assert model.out_activation_ == "exp"
    residuals = y - model.predict(X)
    assert abs(residuals.sum()) < 1e-2
    assert np.abs(X.T @ residuals).max() < 1e-2
    sparse = pytest.importorskip("scipy.sparse")
    np.testing.assert_allclose(model.predict(sparse.csr_array(X)), model.predict(X), rtol=1e-12)
    stochastic = ours.MLPRegressor(loss="poisson", max_iter=300, learning_rate_init=0.01, random_state=0)
    recorded(lambda: stochastic.fit(X, y))
    assert stochastic.out_activation_ == "exp"
    assert stochastic.score(X, y) > 0.5


def test_labels_that_are_texts_and_early_stopping():
    """scikit-learn 1.6 to 1.8 raise a TypeError for them."""
    _, X, y, _ = DATA["multiclass"]
    numbers = np.unique(y, return_inverse=True)[1]
    of_texts, of_numbers = (ours.MLPClassifier(early_stopping=True, max_iter=20, random_state=1) for _ in range(2))
    recorded(lambda: of_texts.fit(X, y))
    recorded(lambda: of_numbers.fit(X, numbers))
    assert_same_model(of_texts, of_numbers, 0)


def test_divergence_in_the_first_epoch_with_early_stopping():
    _, X, y, _ = DATA["regression"]
    estimator = ours.MLPRegressor(solver="sgd", activation="identity", learning_rate_init=1e300, early_stopping=True)
    recorded(lambda: estimator.fit(X, y))
    assert all(np.isfinite(W).all() for W in estimator.coefs_)


# ---------------------------------------------------------------- versions that were not tested


def run(code):
    return subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)


def test_a_version_from_the_future_gives_a_warning():
    result = run("import sklearn; sklearn.__version__ = '1.10.dev0'\n"
                 "from fastbp.interop.sklearn import MLPRegressor\n"
                 "print(MLPRegressor.__module__, MLPRegressor(max_iter=1).fit([[0], [1]], [0, 1]).network_)")
    assert result.stdout.startswith("fastbp.interop.sklearn.estimators Network([1, 100, 1]")
    assert "<string>:2: UserWarning: fastbp.interop.sklearn was tested with scikit-learn 1.5 to 1.9, " in result.stderr
    assert "but this is 1.10.dev0: check that its models are those of sklearn.neural_network" in result.stderr


PRIVATE = "sklearn.neural_network._"


@pytest.mark.parametrize("change", [
    f"del {PRIVATE}stochastic_optimizers.SGDOptimizer",
    f"del {PRIVATE}multilayer_perceptron.BaseMultilayerPerceptron._parameter_constraints",
    "sys.modules['sklearn.utils._param_validation'] = None",
])
def test_a_name_that_the_future_has_taken_away(change):
    result = run("import sys, sklearn, sklearn.neural_network; sklearn.__version__ = '2.0.0'\n"
                 f"{change}\n"
                 "from fastbp.interop.sklearn import MLPClassifier, MLPRegressor, register_onnx_converters\n"
                 "print(MLPClassifier is sklearn.neural_network.MLPClassifier, register_onnx_converters())")
    assert result.stdout == "True None\n"
    assert "<string>:3: UserWarning: fastbp.interop.sklearn was tested with scikit-learn 1.5 to 1.9" in result.stderr
    assert "these are the classes of sklearn.neural_network" in result.stderr


def test_a_version_that_is_too_old():
    result = run("import sklearn; sklearn.__version__ = '1.4.2'\n"
                 "try:\n    import fastbp.interop.sklearn\nexcept ImportError as error:\n    print(error)")
    assert result.stdout.startswith("fastbp.interop.sklearn needs scikit-learn 1.5 or later, but this is 1.4.2")


def test_the_version_here_gives_no_warning():
    assert "fastbp" not in run("import fastbp.interop.sklearn").stderr
