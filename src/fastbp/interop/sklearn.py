"""scikit-learn's multilayer perceptrons with fastbp's loops: the same models, faster.

The two classes are scikit-learn's own, with what takes the time replaced: the epochs, the loss and gradient for
``lbfgs``, the way forward. Validation of arguments, labels, attributes and the order of events are inherited.
``coefs_`` and ``intercepts_`` are live views of the compiled network's parameters; where somebody has put other arrays
there, the next call takes these.
"""

import warnings
from math import isfinite
from types import SimpleNamespace

import numpy as np

try:
    import sklearn.neural_network as theirs
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, BaseOptimizer, SGDOptimizer
    from sklearn.utils import compute_sample_weight, gen_batches, shuffle
    from sklearn.utils._param_validation import StrOptions
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.validation import validate_data
except ImportError as error:
    raise ImportError(f'scikit-learn is needed here: pip install "fastbp[sklearn]" ({error})') from None
from scipy.sparse import issparse

from fastbp import optimizers
from fastbp._core import DivergenceError, Optimizer
from fastbp.network import Network

NAMES = {"logistic": "sigmoid"}      # the others are named alike
HIDDEN = ("identity", "logistic", "tanh", "relu")
MORE_SOLVERS = ("adamw", "nadam", "rmsprop", "adagrad", "rprop")
MORE_LOSSES = ("absolute_error", "huber", "log_cosh", "quantile")
NOT_FINITE = ("Solver produced non-finite parameter weights. The input data may contain large values and need to be "
              "preprocessed.")


class _Compiled:
    """What both estimators replace."""

    # ---------------------------------------------------------------- the network

    def _network(self):
        """The compiled network; made anew where `coefs_` or `intercepts_` hold other arrays than its own."""
        net = self.__dict__.get("_net")
        if net is not None and all(map(_is, self.coefs_, net.weights)) and all(map(_is, self.intercepts_, net.biases)):
            return net
        hidden = self.activation
        hidden = [hidden] * (len(self.coefs_) - 1) if isinstance(hidden, str) else list(hidden)
        loss = self.loss
        if loss == "log_loss":
            loss = "cross_entropy" if self.out_activation_ == "softmax" else "binary_cross_entropy"
        sizes = [len(self.coefs_[0]), *(len(b) for b in self.intercepts_)]
        net = Network(
            sizes, [NAMES.get(name, name) for name in (*hidden, self.out_activation_)], loss=loss, reduction="mean",
            dtype=np.result_type(*self.coefs_), init=list(zip(self.coefs_, self.intercepts_, strict=True)))
        self._net, self.coefs_, self.intercepts_ = net, list(net.weights), list(net.biases)
        return net

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_net", None)
        compiled = state.pop("_compiled", None)
        if compiled is not None:
            state["_compiled_state"] = compiled._state()
        return state

    def _make_optimizer(self, net):
        """scikit-learn's optimizer, for the schedule of its learning rate, and the compiled one, for the updates."""
        rate = self.learning_rate_init
        if self._solver == "sgd":
            self._optimizer = SGDOptimizer([], rate, self.learning_rate, self.momentum, self.nesterovs_momentum,
                                           self.power_t)
            self._compiled = Optimizer("nesterov" if self.nesterovs_momentum else "momentum", rate,
                                       beta_1=self.momentum)
        elif self._solver == "adam":
            self._optimizer = AdamOptimizer([], rate, self.beta_1, self.beta_2, self.epsilon)
            self._compiled = Optimizer("adam", rate, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)
        else:
            self._optimizer = BaseOptimizer(rate)
            self._compiled = optimizers.NAMES[self._solver](rate)

    # ---------------------------------------------------------------- training

    def _fit(self, X, y, sample_weight=None, incremental=False):
        activation, n_hidden = self.activation, np.size(self.hidden_layer_sizes)
        if not isinstance(activation, str) and (len(activation) != n_hidden or not set(activation) <= set(HIDDEN)):
            raise ValueError(f"activation must hold one of {', '.join(HIDDEN)} for each of the {n_hidden} hidden "
                             f"layers, got {activation}")
        if getattr(self, "class_weight", None) is not None:
            of_class = compute_sample_weight(self.class_weight, y)
            sample_weight = of_class if sample_weight is None else of_class * np.asarray(sample_weight)
        # scikit-learn's _fit knows two names of solvers that run epochs; _make_optimizer knows them all.
        self._solver = self.solver
        self.solver = "adam" if self.solver in MORE_SOLVERS else self.solver
        try:
            super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)
        finally:
            self.solver = self._solver
        self._network()     # now, for predictions must not change the estimator
        return self

    def _check_solver(self):
        return self.solver in MORE_SOLVERS or super()._check_solver()

    def _fit_stochastic(self, X, y, sample_weight, *scratch_and_incremental):
        incremental = scratch_and_incremental[-1]
        net = self._network()
        if not incremental or not hasattr(self, "_optimizer"):
            self._make_optimizer(net)
        elif "_compiled" not in self.__dict__:
            schedule = self._optimizer
            self._make_optimizer(net)
            self._optimizer = schedule
            self._compiled._restore(net, self.__dict__.pop("_compiled_state"))
        self._compiled._like_sklearn(self.alpha)    # which may have changed since the last partial_fit
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        validation = X_val = y_val = weight_val = None
        if self.early_stopping:
            parts = train_test_split(
                X, y, *(() if sample_weight is None else (sample_weight,)), random_state=self._random_state,
                test_size=self.validation_fraction, stratify=y if self._stratifies() else None)
            X, X_val, y, y_val = parts[:4]
            sample_weight, weight_val = parts[4:] or (None, None)
            if X_val.shape[0] < 2:
                raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your "
                                 "dataset.")
            validation = (X_val, y_val.astype(X_val.dtype), weight_val)
            self.validation_loss_curve_ = []
            if hasattr(self, "_label_binarizer"):
                y_val = self._label_binarizer.inverse_transform(y_val)
        n = X.shape[0]
        if self.batch_size != "auto" and self.batch_size > n:
            warnings.warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                          stacklevel=2)
        batch = min(200 if self.batch_size == "auto" else self.batch_size, n)
        data = _Sparse(X, y, sample_weight) if issparse(X) else net._samples(X, y, sample_weight, False)
        order = np.arange(n)
        self.n_iter_ = 0
        try:
            for _ in range(self.max_iter):
                if self.shuffle:
                    order = shuffle(order, random_state=self._random_state)
                self._run_epoch(net, data, order if self.shuffle else None, batch)
                if self.verbose:
                    print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
                if validation:
                    self.validation_loss_curve_.append(self._reported(_error(net, *validation), net))
                if self._ends_epoch(self.early_stopping, X_val, y_val, weight_val) or incremental:
                    break
                if self._asks_callbacks():
                    break
                if self.n_iter_ == self.max_iter:
                    warnings.warn(f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                                  "optimization hasn't converged yet.", ConvergenceWarning, stacklevel=2)
        except DivergenceError:
            if not self.early_stopping:
                raise ValueError(NOT_FINITE) from None
            self.validation_scores_.append(float("nan"))
            warnings.warn("Training diverged; the best parameters are restored.", ConvergenceWarning, stacklevel=2)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        if self.early_stopping:
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    def _stratifies(self):
        return hasattr(self, "_label_binarizer") and self.n_outputs_ == 1

    def _reported(self, error, net):
        """scikit-learn reports the mean over outputs of the squared error, whose sum it descends."""
        return error / net.n_outputs if net.loss == "squared_error" else error

    def _run_epoch(self, net, data, order, batch):
        self._compiled.learning_rate = self._optimizer.learning_rate
        if isinstance(data, _Sparse):
            error = data.train_epoch(net, order, batch, self._compiled)
        else:
            error, _ = net._train_epoch(data, order, batch, self._compiled, self.n_iter_)
        self.n_iter_ += 1
        self.t_ += data.m
        self.loss_ = self._reported(error, net) + data.penalty
        self.loss_curve_.append(self.loss_)

    def _ends_epoch(self, early_stopping, X_val, y_val, weight_val):
        """Count the epochs without improvement; whether there were enough of them."""
        self._update_no_improvement_count(early_stopping, X_val, y_val, weight_val)
        self._optimizer.iteration_ends(self.t_)
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        what = "Validation score did not improve" if early_stopping else "Training loss did not improve"
        message = f"{what} more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs."
        if self._optimizer.trigger_stopping(message, self.verbose):
            return True
        self._no_improvement_count = 0
        return False

    def _asks_callbacks(self):
        scores = self.validation_scores_
        state = SimpleNamespace(epoch=self.n_iter_, estimator=self, loss=self.loss_,
                                validation_score=scores[-1] if scores else None)
        # All of them are called, also behind one that stops.
        return True in [callback.on_epoch(state) for callback in self.callbacks]

    def _loss_grad_lbfgs(self, packed_coef_inter, X, y, sample_weight, *scratch):
        if issparse(X):
            return super()._loss_grad_lbfgs(packed_coef_inter, X, y, sample_weight, *scratch)
        net = self._network()
        parts = [*net.weights, *net.biases]
        for part, values in zip(parts, _cut(packed_coef_inter, [part.size for part in parts]), strict=True):
            part[...] = values.reshape(part.shape)
        error, gradient = net.gradient(X, y, sample_weight=sample_weight)
        # The core's order is W_1, b_1, W_2, b_2, ...; scikit-learn has all W before all b.
        pieces = _cut(gradient, [part.size for pair in zip(net.weights, net.biases, strict=True) for part in pair])
        alpha = self.alpha / (len(X) if sample_weight is None else sample_weight.sum())
        error = self._reported(error, net)
        for W, piece in zip(net.weights, pieces[::2], strict=True):
            piece += alpha * W.ravel()
            error += alpha / 2 * np.vdot(W, W)
        return error, np.concatenate([*pieces[::2], *pieces[1::2]])

    # ---------------------------------------------------------------- prediction

    def _forward_pass_fast(self, X, check_input=True):
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        if issparse(X):
            return super()._forward_pass_fast(X, check_input=False)
        net = self._network()
        return net.predict(X).astype(np.result_type(X.dtype, net.dtype), copy=False)

    def _ready_outputs(self, X):
        """Outputs for an array that needs no validation; None for any other."""
        own = self.__dict__
        if type(X) is not np.ndarray or X.ndim != 2 or "coefs_" not in own or "feature_names_in_" in own:
            return None
        net = self._network()
        if X.dtype != net.dtype or X.shape[1] != net.n_inputs or not len(X) or not isfinite(np.add.reduce(X, None)):
            return None
        return net.predict(X)

    # ---------------------------------------------------------------- one batch

    def _ready_step(self, X, y):
        """partial_fit of arrays that need no validation, by parameters that have passed it; False for any other."""
        own = self.__dict__
        known = own.get("_validated")
        if (known is None or "_compiled" not in own or "feature_names_in_" in own or type(X) is not np.ndarray
                or type(y) is not np.ndarray or X.ndim != 2 or len(X) != 1 or y.shape[:1] != (1,)
                or not all(own[name] is value for name, value in known)):
            return False
        net = self._network()
        if X.dtype != net.dtype or X.shape[1] != net.n_inputs:
            return False
        targets = self._ready_targets(y)
        if targets is None or not isfinite(np.add.reduce(X, None) + np.add.reduce(targets, None)):
            return False
        self.n_iter_ = 0
        try:
            self._run_epoch(net, net._samples(X, targets), None, 1)     # one sample is in order as it stands
        except DivergenceError:
            raise ValueError(NOT_FINITE) from None
        self._ends_epoch(False, None, None, None)
        return True

    def _remember_parameters(self):
        """They have been validated, by a call that went well."""
        simple = self.class_weight is None if hasattr(self, "class_weight") else True
        self._validated = [(name, self.__dict__[name]) for name in self._get_param_names()] if (
            simple and not self.early_stopping and self.n_outputs_ == len(self.intercepts_[-1])) else None


class _Sparse:
    """Samples of a sparse X, made dense a batch at a time."""

    def __init__(self, X, y, sample_weight):
        self.X, self.y, self.sample_weight = X.tocsr(), y, sample_weight
        self.m = X.shape[0]

    def batches(self, net, order, size):
        for rows in gen_batches(self.m, size):
            at = rows if order is None else order[rows]
            weight = None if self.sample_weight is None else self.sample_weight[at]
            yield net._samples(self.X[at].toarray(), self.y[at], weight, False)

    def train_epoch(self, net, order, size, optimizer):
        error = penalty = 0.0
        for batch in self.batches(net, order, size):
            error += net._train_epoch(batch, None, size, optimizer, 0)[0] * batch.m
            penalty += batch.penalty * batch.m
        self.penalty = penalty / self.m
        return error / self.m


def _error(net, X, y, sample_weight):
    """The network's loss; of a sparse X by its rows, so that it never stands dense as a whole."""
    if not issparse(X):
        return net.error(X, y, sample_weight)
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight
    errors = [net.error(X[row].toarray(), y[row:row + 1]) for row in range(X.shape[0])]
    return np.average(errors, weights=weights)


def _is(one, other):
    return one is other


def _cut(flat, sizes):
    return np.split(flat, np.cumsum(sizes)[:-1])


class MLPClassifier(_Compiled, theirs.MLPClassifier):
    """scikit-learn's MLPClassifier, computed by fastbp; the same parameters, attributes and models.

    Parameters
    ----------
    hidden_layer_sizes, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, \
beta_2, epsilon, n_iter_no_change, max_fun
        scikit-learn's, with its defaults. `solver` may also be "adamw", "nadam", "rmsprop", "adagrad" or "rprop".
    activation : str or list of str, default="relu"
        A list has one name for each hidden layer.
    class_weight : dict or "balanced", default=None
        Weights of the classes, as in scikit-learn's other classifiers; multiplied with `sample_weight`.
    callbacks : sequence of objects, default=()
        ``on_epoch(state)`` of each is called after every epoch of `fit`, with `state.epoch`, `.estimator`, `.loss` and
        `.validation_score`; one that returns True stops training.

    Attributes
    ----------
    validation_loss_curve_ : list of float
        With ``early_stopping``: the loss over the validation samples after each epoch. All other attributes are
        scikit-learn's.

    Examples
    --------
    >>> from fastbp.interop.sklearn import MLPClassifier
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["no", "yes", "yes", "no"]
    >>> model = MLPClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> model.predict([[1.0, 0.0]])
    array(['yes'], dtype='<U3')
    """

    _parameter_constraints = theirs.MLPClassifier._parameter_constraints | {
        "activation": [StrOptions(set(HIDDEN)), list, tuple],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", *MORE_SOLVERS})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [list, tuple],
    }

    def __init__(self, hidden_layer_sizes=(100,), activation="relu", *, solver="adam", alpha=0.0001, batch_size="auto",
                 learning_rate="constant", learning_rate_init=0.001, power_t=0.5, max_iter=200, shuffle=True,
                 random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9, nesterovs_momentum=True,
                 early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-8,
                 n_iter_no_change=10, max_fun=15000, class_weight=None, callbacks=()):
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self.class_weight, self.callbacks = given.pop("class_weight"), given.pop("callbacks")
        super().__init__(**given)

    def predict(self, X):
        """The classes of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            An ndarray of the model's dtype is taken without scikit-learn's validation.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        y = self._ready_outputs(X)
        if y is None or self._label_binarizer.y_type_.startswith("multilabel"):
            return super().predict(X)
        return self.classes_[y.argmax(axis=1) if y.shape[1] > 1 else (y[:, 0] > 0.5).view(np.int8)]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As for `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        y = self._ready_outputs(X)
        if y is None:
            return super().predict_proba(X)
        return y if y.shape[1] > 1 else np.hstack([1 - y, y])

    @available_if(lambda self: self._check_solver())
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """One pass over some samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A single sample in an ndarray of the model's dtype is taken without scikit-learn's validation, once a first
            call has been validated.
        y : array-like of shape (n_samples,)
            Its classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array of shape (n_classes,), default=None
            All classes there will be; needed at the first call.

        Returns
        -------
        self
        """
        if sample_weight is None and classes is None and self._ready_step(X, y):
            return self
        super().partial_fit(X, y, sample_weight=sample_weight, classes=classes)
        self._remember_parameters()
        return self

    def _ready_targets(self, y):
        """Labels as targets: their numbers, or 0 and 1 where there are two classes; None where that is not simple."""
        classes = self.classes_
        if y.ndim != 1 or y.dtype.kind != classes.dtype.kind or self._label_binarizer.y_type_.startswith("multilabel"):
            return None
        number = classes.searchsorted(y)
        if number[0] == len(classes) or classes[number[0]] != y[0]:
            return None
        return number if self.n_outputs_ > 1 else number.astype(self._net.dtype)


class MLPRegressor(_Compiled, theirs.MLPRegressor):
    """scikit-learn's MLPRegressor, computed by fastbp; the same parameters, attributes and models.

    Parameters
    ----------
    loss : str, default="squared_error"
        scikit-learn's "squared_error" and "poisson", or "absolute_error", "huber", "log_cosh" or "quantile" (its
        median).
    hidden_layer_sizes, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, \
beta_2, epsilon, n_iter_no_change, max_fun
        scikit-learn's, with its defaults. `solver` may also be "adamw", "nadam", "rmsprop", "adagrad" or "rprop".
    activation : str or list of str, default="relu"
        A list has one name for each hidden layer.
    callbacks : sequence of objects, default=()
        As for `MLPClassifier`.

    Attributes
    ----------
    validation_loss_curve_ : list of float
        With ``early_stopping``: the loss over the validation samples after each epoch. All other attributes are
        scikit-learn's.

    Examples
    --------
    >>> from fastbp.interop.sklearn import MLPRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> model = MLPRegressor((4,), "identity", solver="lbfgs", random_state=0).fit(X, y)
    >>> model.predict([[4.0]]).round(1)
    array([9.])
    """

    _parameter_constraints = theirs.MLPRegressor._parameter_constraints | {
        "activation": [StrOptions(set(HIDDEN)), list, tuple],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", *MORE_SOLVERS})],
        "loss": [StrOptions({"squared_error", "poisson", *MORE_LOSSES})],
        "callbacks": [list, tuple],
    }

    def __init__(self, loss="squared_error", hidden_layer_sizes=(100,), activation="relu", *, solver="adam",
                 alpha=0.0001, batch_size="auto", learning_rate="constant", learning_rate_init=0.001, power_t=0.5,
                 max_iter=200, shuffle=True, random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9,
                 nesterovs_momentum=True, early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999,
                 epsilon=1e-8, n_iter_no_change=10, max_fun=15000, callbacks=()):
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self.callbacks = given.pop("callbacks")
        super().__init__(**given)

    def predict(self, X):
        """The outputs for samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            An ndarray of the model's dtype is taken without scikit-learn's validation.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        y = self._ready_outputs(X)
        if y is None:
            return super().predict(X)
        return y if y.shape[1] > 1 else y[:, 0]

    @available_if(lambda self: self._check_solver())
    def partial_fit(self, X, y, sample_weight=None):
        """One pass over some samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A single sample in an ndarray of the model's dtype is taken without scikit-learn's validation, once a first
            call has been validated.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Its targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self
        """
        if sample_weight is None and self._ready_step(X, y):
            return self
        super().partial_fit(X, y, sample_weight=sample_weight)
        self._remember_parameters()
        return self

    def _ready_targets(self, y):
        """Targets of the model's dtype, or None where the number of outputs does not fit."""
        return y if y.dtype.kind == "f" and y.shape[1:] in ((self.n_outputs_,), ()) and (
            y.ndim == 2 or self.n_outputs_ == 1) else None
