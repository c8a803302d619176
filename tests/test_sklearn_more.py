"""fastbp.interop.sklearn: what it has beyond scikit-learn."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network as original
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import scale
from sklearn.utils import compute_sample_weight
from sklearn_pairs import DATA, assert_same_model, recorded

import fastbp
from fastbp.activations import ALIASES, TABLE
from fastbp.interop import sklearn as ours
from fastbp.interop.sklearn.optimizers import SOLVERS
from fastbp.interop.sklearn.versions import HAS_WEIGHTS

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


def test_rprop_stays_until_the_next_fit():
    """So does its full batch."""
    sparse = pytest.importorskip("scipy.sparse")
    X, y = np.tile(DIABETES[0], (2, 1)), np.tile(scale(DIABETES[1]), 2)
    stays, changes = (ours.MLPRegressor(solver="rprop", random_state=0).partial_fit(X, y) for _ in range(2))
    changes.set_params(solver="adam")
    for estimator in (stays, changes):
        for _ in range(3):
            estimator.partial_fit(X, y)
    assert_same_model(stays, changes, 0)
    with pytest.raises(ValueError, match="continues with the solver 'rprop'"):
        changes.partial_fit(sparse.csr_array(X), y)
    assert_same_model(stays.partial_fit(X, y), changes.partial_fit(X, y), 0)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh", "quantile"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_more_losses(loss, solver):
    X, y = scale(DIABETES[0]), scale(DIABETES[1])
    estimator = ours.MLPRegressor(loss=loss, hidden_layer_sizes=(10,), solver=solver, random_state=0, max_iter=100,
                                  alpha=1.0)
    recorded(lambda: estimator.fit(X, y))
    assert estimator.network_.loss == fastbp.Network([1, 1], loss=loss).loss
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


@pytest.mark.parametrize("activation", [*TABLE, *ALIASES])
def test_every_activation_by_its_name(activation):
    sparse = pytest.importorskip("scipy.sparse")
    _, X, y, _ = DATA["multiclass"]
    once, listed = (ours.MLPClassifier((7, 4), activation=value, max_iter=5, random_state=1, learning_rate_init=0.01)
                    for value in (activation, [activation, activation]))
    for estimator in (once, listed):
        recorded(lambda: estimator.fit(X, y))       # noqa: B023
    assert_same_model(once, listed, 0)
    name = ALIASES.get(activation, activation)
    assert once.network_.activations == (name, name, "softmax")
    np.testing.assert_allclose(once.predict_proba(sparse.csr_array(X)), once.predict_proba(X), rtol=1e-9)
    assert_same_model(once.partial_fit(X, y), pickle.loads(pickle.dumps(listed)).partial_fit(X, y), 0)
    regressor = ours.MLPRegressor(hidden_layer_sizes=(3,), activation=activation, solver="lbfgs", max_iter=5)
    recorded(lambda: regressor.fit(X, X[:, 0]))
    assert regressor.network_.activations == (name, "identity")


def test_sigmoid_is_logistic():
    """This includes the initial weights, which scikit-learn makes smaller for it."""
    _, X, y, _ = DATA["multiclass"]
    models = [ours.MLPClassifier((7, 4), activation=value, max_iter=5, random_state=1)
              for value in ("logistic", "sigmoid", ["sigmoid", "logistic"])]
    for model in models:
        recorded(lambda: model.fit(X, y))       # noqa: B023
    assert_same_model(models[1], models[0], 0)
    assert_same_model(models[2], models[0], 0)


@pytest.mark.parametrize("activation", ["cosine", ["relu", "cosine"], ["relu"], None])
def test_activations_that_there_are_not(activation):
    _, X, y, _ = DATA["multiclass"]
    with pytest.raises(ValueError, match="activation"):
        ours.MLPClassifier((7, 4), activation=activation).fit(X, y)


@pytest.mark.parametrize("name", DATA)
def test_network_predicts_what_the_estimator_predicts(name):
    kind, X, y, arguments = DATA[name]
    estimator = getattr(ours, kind)(hidden_layer_sizes=(7, 4), max_iter=3, activation="silu", **arguments)
    assert not hasattr(estimator, "network_")
    with pytest.raises(NotFittedError):
        estimator.network_      # noqa: B018
    recorded(lambda: estimator.fit(X, y))
    for _ in range(2):
        net, outputs = estimator.network_, estimator.network_.predict(X)
        assert isinstance(net, fastbp.Network)
        assert all(map(np.shares_memory, net.weights, estimator.coefs_))
        if kind == "MLPRegressor":
            np.testing.assert_array_equal(outputs.squeeze(), estimator.predict(X))
        elif name == "binary":
            np.testing.assert_array_equal(outputs[:, 0], estimator.predict_proba(X)[:, 1])
        else:
            np.testing.assert_array_equal(outputs, estimator.predict_proba(X))
        estimator.partial_fit(X, y)     # goes on with the same network
        assert estimator.network_ is net
    estimator.coefs_[0] = np.zeros_like(estimator.coefs_[0])
    assert (estimator.network_.weights[0] == 0).all()
    estimator.network_.params = np.zeros(estimator.network_.n_params)
    assert not any(values.any() for values in estimator.coefs_ + estimator.intercepts_)


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


def test_class_weight_of_batches_that_lack_a_class():
    _, X, y, _ = DATA["binary"]
    by_class, by_sample = (ours.MLPClassifier(random_state=1, class_weight=w) for w in ({True: 0.5}, None))
    for chosen in (y >= 0, y, ~y):
        by_class.partial_fit(X[chosen], y[chosen], classes=[False, True])
        by_sample.partial_fit(X[chosen], y[chosen], classes=[False, True],
                              sample_weight=np.where(y[chosen], 0.5, 1.0))
    assert_same_model(by_class, by_sample, 0)


def series(values):
    return pytest.importorskip("pandas").Series(values)


@pytest.mark.parametrize("container", [list, lambda labels: labels[:, None], series], ids=["list", "column", "series"])
@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_balanced_classes_in_any_container(name, container):
    _, X, y, _ = DATA[name]
    weight = np.linspace(1, 2, len(y))
    models = [ours.MLPClassifier(max_iter=3, random_state=1, class_weight=w) for w in ("balanced", None)]
    classes, counts = np.unique(y, return_counts=True)
    balanced = (len(y) / (len(classes) * counts))[np.searchsorted(classes, y)]
    recorded(lambda: models[0].fit(X.tolist(), container(y), sample_weight=weight.tolist()))
    recorded(lambda: models[1].fit(X, y, sample_weight=weight * balanced))
    assert_same_model(*models, 1e-12)


def test_balanced_multilabel():
    _, X, y, _ = DATA["multilabel"]
    models = [ours.MLPClassifier(max_iter=3, random_state=1, class_weight=w) for w in ("balanced", None)]
    recorded(lambda: models[0].fit(X, y))
    recorded(lambda: models[1].fit(X, y, sample_weight=compute_sample_weight("balanced", y)))
    assert_same_model(*models, 0)


@pytest.mark.parametrize(("y", "weight"), [(None, None), (None, np.ones(80)), (np.arange(79) % 2, None),
                                           (np.arange(79) % 2, np.ones(80)), (np.arange(80) % 2, np.ones(79))])
def test_balanced_classes_with_the_words_of_scikit_learn(y, weight):
    X = DATA["binary"][1]
    if weight is not None and not HAS_WEIGHTS:
        pytest.skip("this version of scikit-learn has no sample_weight, and no words for a wrong one")
    texts = []
    for model in (ours.MLPClassifier(class_weight="balanced"), original.MLPClassifier()):
        with pytest.raises(ValueError) as error:
            model.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
        texts.append(str(error.value))
    assert texts[0] == texts[1]


class Recorder:
    def __init__(self, epochs):
        self.epochs, self.states, self.records = epochs, [], []

    def on_epoch(self, state):
        self.states.append(state)
        estimator = state.estimator
        self.records.append((estimator.loss_curve_[-1], estimator.validation_scores_[-1]))
        return state.epoch == self.epochs - 1


def test_callbacks():
    _, X, y, _ = DATA["multiclass"]
    recorder = Recorder(3)
    estimator = ours.MLPClassifier(callbacks=[recorder], early_stopping=True, alpha=0).fit(X, y)
    assert estimator.n_iter_ == 3
    assert [state.epoch for state in recorder.states] == [0, 1, 2]
    assert recorder.records == [*zip(estimator.loss_curve_, estimator.validation_scores_, strict=True)]
    assert [state.error for state in recorder.states] == estimator.loss_curve_
    assert [state.validation_error for state in recorder.states] == estimator.validation_loss_curve_
    assert recorder.states[0].estimator is estimator
    for wrong, error in (([5], TypeError), ("no", ValueError), (5, ValueError), (Recorder, TypeError)):
        with pytest.raises(error, match="callbacks"):
            ours.MLPClassifier(callbacks=wrong).fit(X, y)
    with pytest.raises(ValueError, match="lbfgs"):
        ours.MLPClassifier(callbacks=[recorder], solver="lbfgs").fit(X, y)


def test_callbacks_of_network_and_estimator_are_told_the_same():
    """The network's training continues from the parameters of an estimator."""
    X, Y = DATA["three outputs"][1:3]
    of_estimator, of_network = [], []
    estimator = ours.MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", solver="sgd", learning_rate_init=0.1,
                                  momentum=0, alpha=0, batch_size=32, shuffle=False, max_iter=4, warm_start=True)
    recorded(lambda: estimator.fit(X, Y))
    network = estimator.network_.copy()
    recorded(lambda: estimator.set_params(callbacks=of_estimator.append).fit(X, Y))
    network.fit(X, Y, epochs=4, batch_size=32, learning_rate=0.1, shuffle=False, callbacks=of_network.append)
    assert [type(state) for state in of_estimator] == [fastbp.EpochState] * 4
    for mine, expected in zip(of_estimator, of_network, strict=True):
        for name in ("epoch", "validation_error", "learning_rate"):
            assert getattr(mine, name) == getattr(expected, name)
        for name in ("error", "rms"):
            assert getattr(mine, name) == pytest.approx(getattr(expected, name), rel=1e-12)
        assert mine.seconds > 0
    mine, expected = of_estimator[-1], of_network[-1]
    for array, other in zip(mine.last_batch(), expected.last_batch(), strict=True):
        np.testing.assert_array_equal(array, other)
    for array, other in zip(mine.error_signals(), expected.error_signals(), strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-9)
    assert mine.network is estimator.network_
    assert mine.optimizer.steps == 4 * 3


def test_a_callback_alone():
    _, X, y, _ = DATA["multiclass"]

    class Losses(list):
        """An object that is False while it is empty."""

        def on_epoch(self, state):
            self.append(state.error)

    losses = Losses()
    estimator = ours.MLPClassifier(callbacks=losses, max_iter=3)
    recorded(lambda: estimator.fit(X, y))
    assert len(losses) == 3
    estimator = ours.MLPClassifier(callbacks=losses).partial_fit(X, y, classes=np.unique(y))
    for _ in range(2):
        losses.clear()
        estimator.partial_fit(X, y)
        assert len(losses) == 1
    states = []
    estimator.set_params(callbacks=states.append).partial_fit(X, y)
    assert [state.epoch for state in states] == [0]
    assert ours.MLPClassifier(callbacks=lambda state: state.epoch == 1).fit(X, y).n_iter_ == 2


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
    """The parameters are views of those of a compiled network, not of a stand-in."""
    _, X, y, _ = DATA["multiclass"]
    estimator = ours.MLPClassifier(max_iter=1)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(X, y)
    assert isinstance(estimator._net, fastbp.Network)
    assert estimator.coefs_[0] is estimator._net.weights[0]
