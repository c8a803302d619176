"""Ensembles of networks as estimators, each trained as one `fastbp.Population` (docs/sklearn.md)."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, column_or_1d, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from fastbp import optimizers
from fastbp._checks import warn
from fastbp.activations import ALIASES, TABLE
from fastbp.interop.sklearn.optimizers import SOLVERS
from fastbp.interop.sklearn.versions import validate_data
from fastbp.population import Population

# So many outputs of all networks are in memory at once, when their mean is taken.
OUTPUTS_AT_ONCE = 2**22


class MLPEnsemble(BaseEstimator):
    """What the regressor and the classifier have in common: the arguments and the training."""

    _parameter_constraints = {  # noqa: RUF012
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({*TABLE, *ALIASES})],
        "solver": [StrOptions({"sgd", "adam", *SOLVERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "bootstrap": ["boolean"],
        "random_state": ["random_state"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["boolean"],
    }

    def __init__(self, n_estimators=10, hidden_layer_sizes=(100,), activation="relu", *, solver="adam", alpha=0.0001,
                 batch_size="auto", learning_rate_init=0.001, momentum=0.9, nesterovs_momentum=True, max_iter=200,
                 shuffle=True, bootstrap=True, random_state=None, early_stopping=False, validation_fraction=0.1,
                 n_iter_no_change=10, tol=1e-4, verbose=False):
        self.n_estimators = n_estimators
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.bootstrap = bootstrap
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.verbose = verbose

    def _checked(self, X, y, **checks):
        """X in the dtype of the networks, and y, which is one-dimensional where it has one column."""
        self._validate_params()
        X, y = validate_data(self, X, y=y, multi_output=True, dtype=(np.float64, np.float32), **checks)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _train(self, X, T, sample_weight, output_activation, loss, stratify=None):
        """Train the networks on targets T; `stratify` are labels whose shares the held-out samples keep, or None."""
        # Each purpose has a seed of its own, so that the first networks are the same ones however many there are.
        of_params, of_order, of_bootstrap, of_split = map(
            int, check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=4))
        weights = np.ones(len(X), X.dtype) if sample_weight is None else checked_weights(sample_weight, X)
        stopping = {}
        if self.early_stopping:
            X, X_out, T, T_out, weights, _ = train_test_split(
                X, T, weights, random_state=of_split, test_size=self.validation_fraction, stratify=stratify)
            stopping = {"validation_data": (X_out, T_out), "patience": self.n_iter_no_change, "min_delta": self.tol}
        # A sample without weight is as good as absent. No bootstrap may consist of such ones alone.
        X, T, weights = (array[weights > 0] for array in (X, T, weights))
        if not len(X):
            raise ValueError("sample_weight must not be zero for all samples that are trained on")
        hidden = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, Integral) else [*hidden]
        pop = Population(
            self.n_estimators, [X.shape[1], *hidden, self.n_outputs_], self.activation, output_activation, loss=loss,
            reduction="mean", dtype=X.dtype, seed=of_params)
        if self.bootstrap:
            weights = bootstraps(pop.n, weights, of_bootstrap)
        batch = len(X) if self.solver == "rprop" else min(200, len(X))
        if self.batch_size != "auto":
            batch = min(self.batch_size, len(X))
        # scikit-learn divides the penalty by the weight of a batch. This is its mean, of each network.
        of_batch = batch * np.broadcast_to(weights, (pop.n, len(X))).mean(axis=1, dtype=np.float64)
        history = pop.fit(
            X, T, epochs=self.max_iter, batch_size=batch, optimizer=self._optimizer(), l2=self.alpha / of_batch,
            shuffle=self.shuffle, seed=of_order, sample_weight=weights, verbose=self.verbose, **stopping)
        self.population_, self.history_ = self._usable(pop, history), history
        self.n_iter_ = int(history.epochs.max())
        return self

    def _optimizer(self):
        if self.solver == "sgd":
            return optimizers.SGD(self.learning_rate_init, momentum=self.momentum,
                                  nesterov=self.nesterovs_momentum and self.momentum > 0)
        return optimizers.NAMES[self.solver](self.learning_rate_init)

    def _usable(self, pop, history):
        """The networks that have not diverged, and warnings about what has not gone as planned."""
        usable = history.stop_reason != "diverged"
        if not usable.any():
            raise ValueError(f"all {pop.n} networks diverged; scale X and y, or choose a smaller learning_rate_init "
                             f"than {self.learning_rate_init!r}")
        if not usable.all():
            warn(f"{len(history.diverged)} of {pop.n} networks diverged and were left out: "
                 f"{', '.join(map(str, history.diverged[:10]))}{', ...' * (len(history.diverged) > 10)}",
                 ConvergenceWarning)
            pop = pop[usable]
        if "interrupted" in history.stop_reason:
            warn("Training interrupted by user.")
        unfinished = np.count_nonzero(history.stop_reason == "epochs")
        if self.early_stopping and unfinished:
            warn(f"{unfinished} of {len(usable)} networks reached max_iter={self.max_iter} before their validation "
                 "error had stopped falling", ConvergenceWarning)
        return pop

    def _mean_and_std(self, X):
        """Over the networks, each of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X, pop = validate_data(self, X, dtype=self.population_.dtype, reset=False), self.population_
        rows = max(1, OUTPUTS_AT_ONCE // (pop.n * pop.n_outputs))
        parts = [pop.mean_and_std(X[part]) for part in gen_batches(len(X), rows)]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def bootstraps(n, weights, seed):
    """For each of n networks, as many draws with replacement as there are samples: weights times numbers of draws."""
    rng, m = np.random.default_rng(seed), len(weights)
    drawn = np.empty((n, m), weights.dtype)
    for row in drawn:
        row[...] = np.bincount(rng.integers(m, size=m), minlength=m) * weights
    return drawn


def checked_weights(sample_weight, X):
    weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    if weights.min() < 0:
        raise ValueError(f"sample_weight must not be negative, got {weights.min()}")
    return weights


class MLPEnsembleRegressor(MultiOutputMixin, RegressorMixin, MLPEnsemble):
    """The mean of many networks, each trained on its own bootstrap of the samples, and how far they disagree.

    All networks are trained in one call of `fastbp.Population.fit`, which computes small ones side by side. The
    arguments have the names and defaults of scikit-learn's MLPRegressor where it has them. X and y are taken as they
    are: scale both first, for instance with StandardScaler and TransformedTargetRegressor.

    Parameters
    ----------
    n_estimators : int, default 10
        How many networks.
    hidden_layer_sizes : int or array-like of int, default (100,)
        The widths of the hidden layers.
    activation : str, default "relu"
        That of the hidden layers: a name that `fastbp.Network` takes, in lower case.
    solver : str, default "adam"
        "sgd", "adam", "rprop", "rmsprop", "adagrad", "adamw" or "nadam", with fastbp's defaults except for the
        arguments below.
    alpha : float, default 0.0001
        The L2 penalty, which scikit-learn defines: half of it times the sum of squared weights is divided by the number
        of samples in a batch, or by their mean total weight.
    batch_size : int or "auto", default "auto"
        Samples for each update; "auto" means at most 200, and for "rprop" all.
    learning_rate_init : float, default 0.001
        The learning rate, which does not change.
    momentum : float, default 0.9
        At least 0 and below 1, for "sgd" only.
    nesterovs_momentum : bool, default True
        Whether it is Nesterov's momentum.
    max_iter : int, default 200
        Epochs. Without early stopping each network is trained for all of them.
    shuffle : bool, default True
        Whether each network takes the samples in a new random order in each epoch.
    bootstrap : bool, default True
        Whether each network has its own sample of as many samples, drawn with replacement. Otherwise all are trained on
        the same ones, and differ in their initial parameters and orders.
    random_state : int, RandomState or None, default None
        For initial parameters, bootstraps, orders and the held-out samples. With an int, the first networks are the
        same ones whatever `n_estimators` is.
    early_stopping : bool, default False
        Hold some samples out, the same ones for all networks. Each network stops when its error on them has not fallen
        by more than `tol` below its lowest for `n_iter_no_change` epochs in a row, and gets its best parameters back.
    validation_fraction : float, default 0.1
        The share of samples that are held out, whose weights then do not count.
    n_iter_no_change : int, default 10
        See `early_stopping`.
    tol : float, default 0.0001
        See `early_stopping`.
    verbose : bool, default False
        Show the progress.

    Attributes
    ----------
    population_ : fastbp.Population
        The networks, without those that diverged. What is written into its parameters takes effect.
    history_ : fastbp.PopulationHistory
        The errors of every network and epoch, and why each stopped.
    n_iter_ : int
        Epochs of the network that was trained longest.
    n_features_in_, n_outputs_ : int
    feature_names_in_ : ndarray of str
        If X has names of columns that are all strings.

    See Also
    --------
    fastbp.Population : the same without scikit-learn, with a rate and a penalty for each network.

    Examples
    --------
    Where there are samples the networks agree, and beside them they do not:

    >>> import numpy as np
    >>> from fastbp.interop.sklearn import MLPEnsembleRegressor
    >>> X = np.linspace(-2, 2, 80)[:, None]
    >>> model = MLPEnsembleRegressor(20, (16,), "tanh", learning_rate_init=0.02, max_iter=500, random_state=0)
    >>> mean, std = model.fit(X, np.sin(2 * X[:, 0])).predict([[0.5], [6.0]], return_std=True)
    >>> bool(abs(mean[0] - np.sin(1)) < 0.05)
    True
    >>> bool(std[1] > 10 * std[0])
    True
    """

    def fit(self, X, y, sample_weight=None):
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; float32 is computed in float32, everything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            A factor for each sample's error, not negative; a bootstrap multiplies it by how often it has drawn the
            sample. A sample of weight 0 is never drawn.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is out of range, or all networks diverge.

        Warns
        -----
        ConvergenceWarning
            If networks diverge, which are left out, or if early stopping has not stopped some.
        """
        X, y = self._checked(X, y, y_numeric=True)
        T = y.reshape(len(y), -1).astype(X.dtype)
        self.n_outputs_ = T.shape[1]
        return self._train(X, T, sample_weight, "identity", "squared_error")

    def predict(self, X, return_std=False):
        """The mean of what the networks predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default False
            Whether the standard deviation is returned, too.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            The standard deviation over the networks, only with ``return_std=True``. It tells how far the networks
            disagree; the noise of y is not in it.
        """
        mean, std = (values[:, 0] if self.n_outputs_ == 1 else values for values in self._mean_and_std(X))
        return (mean, std) if return_std else mean


class MLPEnsembleClassifier(ClassifierMixin, MLPEnsemble):
    """The mean of the probabilities of many networks, each trained on its own bootstrap of the samples.

    Parameters
    ----------
    n_estimators, hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate_init, momentum, \
nesterovs_momentum, max_iter, shuffle, bootstrap, random_state, early_stopping, validation_fraction, n_iter_no_change, \
tol, verbose
        As for `MLPEnsembleRegressor`. The error for early stopping is the log loss; where each sample has one label,
        the held-out samples have the shares of the classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    population_, history_, n_iter_, n_features_in_, n_outputs_, feature_names_in_
        As for `MLPEnsembleRegressor`; of two classes, the networks have one output.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastbp.interop.sklearn import MLPEnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPEnsembleClassifier(20, (8,), learning_rate_init=0.02, max_iter=100, random_state=0).fit(X, y)
    >>> model.predict(X[::50])
    array([0, 1, 2])
    >>> model.score(X, y) > 0.95
    True
    >>> model.population_
    Population(20, [4, 8, 3], ['relu', 'softmax'], float64, 67 parameters each)
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X, y, sample_weight=None):
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; float32 is computed in float32, everything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels of two or more classes, or a column of 0 and 1 for each of several labels.
        sample_weight : array-like of shape (n_samples,), optional
            A factor for each sample's error, not negative; a bootstrap multiplies it by how often it has drawn the
            sample. A sample of weight 0 is never drawn.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is out of range, y has a single class, or all networks diverge.

        Warns
        -----
        ConvergenceWarning
            If networks diverge, which are left out, or if early stopping has not stopped some.
        """
        X, y = self._checked(X, y)
        check_classification_targets(y)
        labels = LabelBinarizer().fit(y)
        if len(labels.classes_) < 2:
            raise ValueError(f"y must have labels of two or more classes, got one class: {labels.classes_[0]!r}")
        self.classes_, self._labels = labels.classes_, labels
        T = labels.transform(y).astype(X.dtype)
        self.n_outputs_ = T.shape[1]
        exclusive = labels.y_type_ == "multiclass"
        return self._train(X, T, sample_weight, *(("softmax", "cross_entropy") if exclusive else
                                                  ("sigmoid", "binary_cross_entropy")), y if y.ndim == 1 else None)

    def predict(self, X):
        """The labels that are most probable.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        outputs = self._mean_and_std(X)[0]
        return self._labels.inverse_transform(outputs)

    def predict_proba(self, X):
        """The mean of the probabilities that the networks predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        outputs = self._mean_and_std(X)[0]
        return np.hstack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs
