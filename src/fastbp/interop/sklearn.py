"""scikit-learn's MLPClassifier and MLPRegressor with the arithmetic done by a fastbp network.

The classes are subclasses of scikit-learn's: arguments, checks, labels, attributes, warnings, lbfgs and sparse data are
inherited. Replaced is what takes the time: the epochs of the stochastic solvers, loss and gradient, outputs; and where
the arrays are such that scikit-learn's checks could find nothing, these checks around a prediction or a partial_fit.

Where things live. The network owns the parameters; `coefs_` and `intercepts_` are its live views. Whoever puts other
arrays there is noticed, because they are not those views, and gets a network of their own. `_optimizer` is
scikit-learn's object: it has the learning rate and its schedule, and the moments while nothing trains; the compiled
optimizer has them in the meantime. A pickle holds neither network nor compiled optimizer.
"""

import copy
import warnings
from math import isfinite, nan
from operator import is_
from types import SimpleNamespace

import numpy as np

from fastbp import optimizers
from fastbp._core import DivergenceError, Optimizer
from fastbp.network import Network

try:
    from sklearn import neural_network
    from sklearn.base import is_classifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, BaseOptimizer, SGDOptimizer
    from sklearn.utils import check_random_state, compute_sample_weight, shuffle
    from sklearn.utils._param_validation import StrOptions
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.validation import _check_sample_weight, validate_data
except ImportError as error:
    raise ImportError(f'fastbp.interop.sklearn needs scikit-learn: pip install "fastbp[sklearn]" ({error})') from error

__all__ = ["MLPClassifier", "MLPRegressor"]

# Solvers beyond scikit-learn's, all of them optimizers of fastbp; its own activations and losses.
SOLVERS = ("rprop", "rmsprop", "adagrad", "adamw", "nadam")
ACTIVATIONS = {"identity", "logistic", "tanh", "relu"}
LOSSES = {"squared_error", "poisson", "log_loss"}
NON_FINITE = ("Solver produced non-finite parameter weights. The input data may contain large values and need to be "
              "preprocessed.")


class CompiledPerceptron(BaseMultilayerPerceptron):
    """What both estimators replace of scikit-learn's base class."""

    _parameter_constraints = {  # noqa: RUF012
        **BaseMultilayerPerceptron._parameter_constraints,
        "activation": [StrOptions(ACTIVATIONS), list, tuple],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", *SOLVERS})],
        "callbacks": [list, tuple],
    }
    _net = None             # the compiled network
    _built_for = None       # the arguments that it was made of
    _compiled = None        # the compiled optimizer
    _checked = None         # the arguments as scikit-learn's partial_fit has checked them last

    # ---------------------------------------------------------------- the network

    def _is_live(self):
        """Whether the network is that of the estimator's arguments and parameters as they are now."""
        net = self._net
        return (net is not None and self._built_for == (self.activation, self.loss)
                and all(map(is_, net.weights, self.coefs_)) and all(map(is_, net.biases, self.intercepts_)))

    def _network(self):
        return self._net if self._is_live() else self._build()

    def _build(self, dtype=None):
        """A new network with copies of the parameters."""
        if dtype is None:
            dtype = np.float32 if self.coefs_[0].dtype == np.float32 else np.float64
        loss = self.loss
        if loss == "log_loss":
            loss = "cross_entropy" if self.out_activation_ == "softmax" else "binary_cross_entropy"
        return Network([len(self.coefs_[0]), *map(len, self.intercepts_)],
                              [*self._hidden_activations(len(self.coefs_) - 1), self.out_activation_], loss=loss,
                              reduction="mean", dtype=dtype, init=[*zip(self.coefs_, self.intercepts_, strict=True)])

    def _adopt(self, dtype=None):
        """The live network, of this dtype if one is given; `coefs_` and `intercepts_` are its views from now on."""
        if not self._is_live() or (dtype is not None and self._net.dtype != dtype):
            self._net = self._build(dtype)
            self._built_for = self.activation, self.loss
            self.coefs_, self.intercepts_ = list(self._net.weights), list(self._net.biases)
        return self._net

    def _hidden_activations(self, n_hidden):
        return [self.activation] * n_hidden if isinstance(self.activation, str) else list(self.activation)

    def _dense(self, X, sample_weight=None):
        """X as an ndarray, or None where the inherited way must be taken.

        That is for sparse data, and for negative weights, which the network refuses; unless scikit-learn has no such
        way, for it does not know the arguments.
        """
        if isinstance(X, np.ndarray):
            known = sample_weight is None or np.min(sample_weight) >= 0
            return X if known or self._is_beyond() else None
        return X.toarray() if self._is_beyond() else None

    def _is_beyond(self):
        """Whether an argument has a value that scikit-learn does not know."""
        return bool(self.solver in SOLVERS or not isinstance(self.activation, str) or self.loss not in LOSSES
                    or self.callbacks)

    def __getstate__(self):
        state = dict(super().__getstate__())
        if self._compiled is not None:
            state["_optimizer"] = self._resting_optimizer()
        for name in ("_net", "_built_for", "_compiled", "_checked"):
            state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "coefs_"):
            self._adopt()

    # ---------------------------------------------------------------- outputs

    def _is_ready(self, X):
        """Whether scikit-learn's checks of X could find nothing, except for numbers that are not finite."""
        net = self._net
        return (net is not None and type(X) is np.ndarray and X.ndim == 2 and X.dtype == net.dtype
                and X.shape[1] == net.n_inputs and len(X) > 0 and X.flags.c_contiguous
                and "feature_names_in_" not in self.__dict__ and self._is_live())

    def _fast_outputs(self, X):
        """The outputs without scikit-learn's checks, or None where these are needed."""
        # A product with itself warns of nothing; where it overflows, scikit-learn looks at the numbers one by one.
        return self._net.predict(X) if self._is_ready(X) and isfinite(np.vdot(X, X)) else None

    def _forward_pass_fast(self, X, check_input=True):
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        dense, net = self._dense(X), self._network()
        # scikit-learn computes, and answers, in float64 where the inputs or the parameters are float64.
        if dense is None or not (self._is_beyond() or np.result_type(dense, net.dtype) == net.dtype):
            return super()._forward_pass_fast(X, check_input=False)
        return net.predict(dense)

    # ---------------------------------------------------------------- loss and gradient, for lbfgs

    def _fit_lbfgs(self, X, y, sample_weight, *others):
        dense = self._dense(X, sample_weight)
        if dense is None:
            self._net = None
        else:
            # SciPy's vector is float64, so that is what scikit-learn computes in.
            self._adopt(np.float64)
            X, y = dense.astype(np.float64, copy=False), y.astype(np.float64)
        super()._fit_lbfgs(X, y, sample_weight, *others)

    def _unpack(self, packed_parameters):
        if not self._is_live():
            super()._unpack(packed_parameters)
            return
        for W, (start, end, shape) in zip(self.coefs_, self._coef_indptr, strict=True):
            W[...] = packed_parameters[start:end].reshape(shape)
        for b, (start, end) in zip(self.intercepts_, self._intercept_indptr, strict=True):
            b[...] = packed_parameters[start:end]

    def _backprop(self, X, y, sample_weight, *others):
        dense = self._dense(X, sample_weight)
        if dense is None:
            return super()._backprop(X, y, sample_weight, *others)
        net = self._network()
        loss, gradient = net.gradient(dense, y, sample_weight=sample_weight)
        coef_grads, intercept_grads = split(net, gradient)
        share = self.alpha / (len(dense) if sample_weight is None else sample_weight.sum())
        for W, gradient in zip(net.weights, coef_grads, strict=True):
            gradient += share * W
        penalty = 0.5 * share * sum(np.vdot(W, W) for W in net.weights)
        return self._reported(loss) + penalty, coef_grads, intercept_grads

    def _reported(self, loss):
        """scikit-learn reports the mean of the squared error over the outputs, but descends on the sum."""
        return loss / self.n_outputs_ if self.loss == "squared_error" else loss

    # ---------------------------------------------------------------- the stochastic solvers

    def _check_solver(self):
        return self.solver in SOLVERS or super()._check_solver()

    def _fit(self, X, y, sample_weight=None, incremental=False):
        solver = self._solver = self.solver
        if solver == "lbfgs" and len(self.callbacks):
            raise ValueError("callbacks are called after every epoch, and the solver 'lbfgs' has none")
        for callback in self.callbacks:
            if not callable(getattr(callback, "on_epoch", None)):
                raise TypeError(f"callbacks must hold objects with a method on_epoch(state), got {callback!r}")
        n_hidden = np.size(self.hidden_layer_sizes)
        if not isinstance(self.activation, str) and len(self.activation) != n_hidden:
            raise ValueError(f"activation must be a name or hold one for each of the {n_hidden} hidden layers, "
                             f"got {self.activation!r}")
        if solver in SOLVERS:
            # scikit-learn's _fit does nothing for a solver that it does not know. It sees adam, until it has checked
            # the data and calls _fit_stochastic.
            self.solver = "adam"
        try:
            super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)
        finally:
            self.solver = solver
        self._adopt()
        return self

    def _initialize(self, y, layer_units, dtype):
        super()._initialize(y, layer_units, dtype)
        if self.solver != "lbfgs":
            self.validation_loss_curve_ = [] if self.early_stopping else None

    def _init_coef(self, fan_in, fan_out, dtype):
        activation = self.activation
        if isinstance(activation, str):
            return super()._init_coef(fan_in, fan_out, dtype)
        # Each layer as if its own activation were that of the whole network; the output layer follows the last.
        self.activation = [*activation, *activation[-1:]][len(self.coefs_)] if len(activation) else "identity"
        try:
            return super()._init_coef(fan_in, fan_out, dtype)
        finally:
            self.activation = activation

    def _fit_stochastic(self, X, y, sample_weight, *others):
        self.solver = self._solver
        incremental = others[-1]
        dense = self._dense(X, sample_weight)
        if dense is None:
            self._rest()
            super()._fit_stochastic(X, y, sample_weight, *others)
            return
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        arrays = [dense, y] if sample_weight is None else [dense, y, sample_weight]
        held_out = None
        if self.early_stopping:
            arrays, held_out = self._hold_out(arrays)
        net = self._adopt()
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = self._new_optimizer()
            self._compiled = None
        self._compile_optimizer()
        # Weights as they are: the penalty is a share of their sum.
        samples = net._samples(arrays[0], arrays[1].astype(net.dtype), sample_weight if held_out is None else
                               [*arrays, None][2], False)
        self._train(samples, 1 if incremental else self.max_iter, incremental, held_out)

    def _hold_out(self, arrays):
        """Arrays to train on, and the namespace of those that early stopping looks at."""
        X, y = arrays[:2]
        # Labels that are one column can be stratified.
        stratify = y if is_classifier(self) and self.n_outputs_ == 1 else None
        parts = train_test_split(*arrays, random_state=self._random_state, test_size=self.validation_fraction,
                                 stratify=stratify)
        X, y, weight = [*parts[1::2], None][:3]
        if len(X) < 2:
            raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your "
                             "dataset.")
        labels = self._label_binarizer.inverse_transform(y) if is_classifier(self) else y
        return parts[::2], SimpleNamespace(X=X, y=labels, targets=y, weight=weight)

    def _train(self, samples, epochs, incremental, held_out):
        batch = self._batch(samples.m)
        order = np.arange(samples.m, dtype=np.intp) if self.shuffle else None
        self.n_iter_ = 0
        try:
            for _ in range(epochs):
                if self.shuffle:
                    order = shuffle(order, random_state=self._random_state)
                if self._end_epoch(self._epoch(samples, order, batch), samples.m, held_out):
                    break
            else:
                if not incremental:
                    warnings.warn(f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                                  "optimization hasn't converged yet.", ConvergenceWarning, stacklevel=6)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        except DivergenceError as error:
            if held_out is None:
                raise ValueError(NON_FINITE) from error
            # scikit-learn goes on with NaN; the best parameters win in the end.
            self.n_iter_ += 1
            self.loss_ = nan
            self.loss_curve_.append(nan)
            self.validation_scores_.append(nan)
            self.validation_loss_curve_.append(nan)
            warnings.warn(f"{error} The best ones are restored.", ConvergenceWarning, stacklevel=6)
        if held_out is not None:
            best = self._best_coefs + self._best_intercepts
            for view, values in zip(self.coefs_ + self.intercepts_, best, strict=True):
                view[...] = values

    def _batch(self, n_samples):
        if self.batch_size == "auto":
            # Rprop compares gradients of the same samples.
            return n_samples if self.solver == "rprop" else min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(f"Got `batch_size` {self.batch_size} larger than the {n_samples} samples. It is going to be "
                          "clipped", stacklevel=7)
        return min(self.batch_size, n_samples)

    def _epoch(self, samples, order, batch):
        """One epoch in compiled code; returns the loss as scikit-learn reports it."""
        if self.solver == "sgd":
            # With a strong schedule the rate underflows, which the compiled optimizer refuses.
            self._compiled.learning_rate = max(self._optimizer.learning_rate, 1e-30)
        loss, _ = self._net._train_epoch(samples, order, batch, self._compiled, self.n_iter_)
        return self._reported(loss) + samples.penalty

    def _end_epoch(self, loss, n_samples, held_out=None):
        """Keep the records and decide whether to stop, as scikit-learn does."""
        self.n_iter_ += 1
        self.t_ += n_samples
        self.loss_ = loss
        self.loss_curve_.append(loss)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {loss:.8f}")
        if held_out is None:
            self._update_no_improvement_count(False, None, None, None)
        else:
            self._update_no_improvement_count(True, held_out.X, held_out.y, held_out.weight)
            error = self._net.error(held_out.X, held_out.targets, held_out.weight)
            self.validation_loss_curve_.append(self._reported(error))
        self._optimizer.iteration_ends(self.t_)
        stop = False
        if self._no_improvement_count > self.n_iter_no_change:
            what = "Training loss" if held_out is None else "Validation score"
            stop = self._optimizer.trigger_stopping(
                f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs.",
                self.verbose)
            if not stop:
                self._no_improvement_count = 0
        for callback in self.callbacks:
            score = None if held_out is None else self.validation_scores_[-1]
            state = SimpleNamespace(epoch=self.n_iter_, estimator=self, loss=loss, validation_score=score)
            stop = callback.on_epoch(state) is True or stop
        return stop

    # ---------------------------------------------------------------- the optimizers

    def _new_optimizer(self):
        params = self.coefs_ + self.intercepts_
        if self.solver == "sgd":
            return SGDOptimizer(params, self.learning_rate_init, self.learning_rate, self.momentum,
                                self.nesterovs_momentum, self.power_t)
        if self.solver == "adam":
            return AdamOptimizer(params, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return BaseOptimizer(self.learning_rate_init)

    def _compile_optimizer(self):
        """See to a compiled optimizer, which goes on from scikit-learn's."""
        rest = self._optimizer
        if self._compiled is None:
            rate = rest.learning_rate_init
            if self.solver == "sgd":
                self._compiled = Optimizer("nesterov" if rest.nesterov else "momentum", rate, momentum=rest.momentum)
            elif self.solver == "adam":
                self._compiled = Optimizer("adam", rate, beta_1=rest.beta_1, beta_2=rest.beta_2, epsilon=rest.epsilon)
            else:
                self._compiled = optimizers.NAMES[self.solver](rate)
            state = {array: None if moment is None else join(moment) for array, moment in (
                (array, getattr(rest, name, None)) for array, name in self._moments())}
            if any(moment is not None for moment in state.values()):
                self._compiled._restore(self._net, {"steps": getattr(rest, "t", 0), "mean": None, "square": None}
                                        | state)
        self._compiled._like_sklearn(self.alpha)        # which may have changed since the last partial_fit

    def _moments(self):
        """The names of the compiled optimizer's arrays and of scikit-learn's for the same."""
        return [("mean", "velocities")] if self.solver == "sgd" else [("mean", "ms"), ("square", "vs")]

    def _resting_optimizer(self):
        """A copy of scikit-learn's optimizer with the state of the compiled one."""
        rest, state = copy.copy(self._optimizer), self._compiled._state()
        rest.t = state["steps"]
        for array, name in self._moments():
            if state[array] is not None:
                coefs, intercepts = split(self._net, state[array])
                setattr(rest, name, coefs + intercepts)
        return rest

    def _rest(self):
        if self._compiled is not None:
            self._optimizer, self._compiled = self._resting_optimizer(), None

    # ---------------------------------------------------------------- partial_fit

    def _remember(self):
        """After a partial_fit with all checks: the arguments with which the next can do without."""
        refused = (self._compiled is None or self.warm_start or getattr(self, "class_weight", None) is not None
                   or hasattr(self, "feature_names_in_"))
        self._checked = None if refused else self.get_params(deep=False)

    def _fast_step(self, X, y):
        """A partial_fit without scikit-learn's checks; False, and nothing done, where these are needed."""
        if (self._checked is None or type(y) is not np.ndarray or not self._is_ready(X)
                or not all(map(is_, self._checked.values(), map(self.__dict__.get, self._checked)))):
            return False
        if self.batch_size != "auto" and self.batch_size > len(X):
            return False
        targets = self._fast_targets(y)
        if targets is None:
            return False
        try:
            samples = self._net._samples(X, targets)
        except ValueError:
            return False        # wrong length, or not finite: scikit-learn has the words for it
        order = None
        if self.shuffle and samples.m > 1:
            self._random_state = check_random_state(self.random_state)
            order = shuffle(np.arange(samples.m, dtype=np.intp), random_state=self._random_state)
        self.n_iter_ = 0
        try:
            loss = self._epoch(samples, order, self._batch(samples.m))
        except DivergenceError as error:
            raise ValueError(NON_FINITE) from error
        self._end_epoch(loss, samples.m)
        return True


def split(net, vector):
    """The parts of a vector in the order of `Network.params`: those of the weights, those of the biases."""
    weights, biases = [], []
    for W, b in zip(net.weights, net.biases, strict=True):
        of_w, of_b, vector = np.split(vector, [W.size, W.size + b.size])
        weights.append(of_w.reshape(W.shape))
        biases.append(of_b)
    return weights, biases


def join(parts):
    """The inverse of `split`, for the parts in one list."""
    half = len(parts) // 2
    return np.concatenate([part.ravel() for layer in zip(parts[:half], parts[half:], strict=True) for part in layer])


class MLPClassifier(CompiledPerceptron, neural_network.MLPClassifier):
    """scikit-learn's MLPClassifier: the same arguments, attributes and model, sooner.

    Parameters
    ----------
    activation : str or sequence of str, default "relu"
        In addition to scikit-learn's, a sequence with the name of an activation of fastbp for each hidden layer.
    solver : str, default "adam"
        In addition to scikit-learn's: "rprop" ("auto" is then the full batch), "rmsprop", "adagrad", "adamw" and
        "nadam", with fastbp's defaults but for the learning rate and alpha.
    class_weight : dict or "balanced", optional
        Factor of the sample weights of each class; "balanced" (not in partial_fit) weighs with n / (k n_class).
    callbacks : sequence, default ()
        Objects whose method ``on_epoch(state)`` is called after every epoch and stops training by returning True;
        state has epoch, estimator, loss and validation_score.

    All others are scikit-learn's.

    Attributes
    ----------
    validation_loss_curve_ : list or None
        With early stopping the loss of the held-out samples, without penalty, after every epoch.
    """

    _parameter_constraints = {  # noqa: RUF012
        **neural_network.MLPClassifier._parameter_constraints,
        **CompiledPerceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(self, hidden_layer_sizes=(100,), activation="relu", *, solver="adam", alpha=0.0001, batch_size="auto",
                 learning_rate="constant", learning_rate_init=0.001, power_t=0.5, max_iter=200, shuffle=True,
                 random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9, nesterovs_momentum=True,
                 early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-8,
                 n_iter_no_change=10, max_fun=15000, class_weight=None, callbacks=()):
        super().__init__(
            hidden_layer_sizes, activation, solver=solver, alpha=alpha, batch_size=batch_size,
            learning_rate=learning_rate, learning_rate_init=learning_rate_init, power_t=power_t, max_iter=max_iter,
            shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose, warm_start=warm_start,
            momentum=momentum, nesterovs_momentum=nesterovs_momentum, early_stopping=early_stopping,
            validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            n_iter_no_change=n_iter_no_change, max_fun=max_fun)
        self.class_weight = class_weight
        self.callbacks = callbacks

    def _fit(self, X, y, sample_weight=None, incremental=False):
        if self.class_weight is not None:
            if incremental and isinstance(self.class_weight, str):
                raise ValueError("class_weight='balanced' needs all samples, which partial_fit does not see; give a "
                                 "dict of weights")
            weight = compute_sample_weight(self.class_weight, y)
            sample_weight = weight if sample_weight is None else weight * _check_sample_weight(sample_weight, X)
        return super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)

    def predict(self, X):
        outputs = self._fast_outputs(X)
        if outputs is None:
            return super().predict(X)
        if self.out_activation_ == "softmax":
            return self.classes_.take(outputs.argmax(axis=1))
        if self.n_outputs_ == 1 and len(self.classes_) == 2:
            return self.classes_.take(outputs[:, 0] > 0.5)
        return self._label_binarizer.inverse_transform(outputs)

    def predict_proba(self, X):
        outputs = self._fast_outputs(X)
        if outputs is None:
            return super().predict_proba(X)
        return np.stack([1 - outputs[:, 0], outputs[:, 0]]).T if self.n_outputs_ == 1 else outputs

    @available_if(lambda estimator: estimator._check_solver())
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        known = classes is None or (type(classes) is np.ndarray and hasattr(self, "classes_")
                                    and np.array_equal(classes, self.classes_))
        if not (known and sample_weight is None and self._fast_step(X, y)):
            super().partial_fit(X, y, sample_weight=sample_weight, classes=classes)
            self._remember()
        return self

    def _fast_targets(self, y):
        """Targets for the network from an array of labels that are all known, else None."""
        classes = self.classes_
        multiclass = self.out_activation_ == "softmax"
        if y.ndim != 1 or y.dtype.kind != classes.dtype.kind or y.dtype.kind not in "biuU" or not (
                multiclass or self.n_outputs_ == 1):
            return None
        index = classes.searchsorted(y)
        if not (classes.take(index, mode="clip") == y).all():
            return None
        return index if multiclass else index.astype(self._net.dtype)


class MLPRegressor(CompiledPerceptron, neural_network.MLPRegressor):
    """scikit-learn's MLPRegressor: the same arguments, attributes and model, sooner.

    Parameters
    ----------
    loss : str, default "squared_error"
        In addition to scikit-learn's: "absolute_error", "huber", "log_cosh" and "quantile".
    activation : str or sequence of str, default "relu"
        In addition to scikit-learn's, a sequence with the name of an activation of fastbp for each hidden layer.
    solver : str, default "adam"
        In addition to scikit-learn's: "rprop" ("auto" is then the full batch), "rmsprop", "adagrad", "adamw" and
        "nadam", with fastbp's defaults but for the learning rate and alpha.
    callbacks : sequence, default ()
        Objects whose method ``on_epoch(state)`` is called after every epoch and stops training by returning True;
        state has epoch, estimator, loss and validation_score.

    All others are scikit-learn's.

    Attributes
    ----------
    validation_loss_curve_ : list or None
        With early stopping the loss of the held-out samples, without penalty, after every epoch.
    """

    _parameter_constraints = {  # noqa: RUF012
        **neural_network.MLPRegressor._parameter_constraints,
        **CompiledPerceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "log_cosh", "quantile"})],
    }

    def __init__(self, loss="squared_error", hidden_layer_sizes=(100,), activation="relu", *, solver="adam",
                 alpha=0.0001, batch_size="auto", learning_rate="constant", learning_rate_init=0.001, power_t=0.5,
                 max_iter=200, shuffle=True, random_state=None, tol=1e-4, verbose=False, warm_start=False, momentum=0.9,
                 nesterovs_momentum=True, early_stopping=False, validation_fraction=0.1, beta_1=0.9, beta_2=0.999,
                 epsilon=1e-8, n_iter_no_change=10, max_fun=15000, callbacks=()):
        super().__init__(
            loss, hidden_layer_sizes, activation, solver=solver, alpha=alpha, batch_size=batch_size,
            learning_rate=learning_rate, learning_rate_init=learning_rate_init, power_t=power_t, max_iter=max_iter,
            shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose, warm_start=warm_start,
            momentum=momentum, nesterovs_momentum=nesterovs_momentum, early_stopping=early_stopping,
            validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            n_iter_no_change=n_iter_no_change, max_fun=max_fun)
        self.callbacks = callbacks

    def predict(self, X):
        outputs = self._fast_outputs(X)
        if outputs is None:
            return super().predict(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def partial_fit(self, X, y, sample_weight=None):
        if not (sample_weight is None and self._fast_step(X, y)):
            super().partial_fit(X, y, sample_weight=sample_weight)
            self._remember()
        return self

    def _fast_targets(self, y):
        """Targets for the network from an array of numbers, else None."""
        return y if y.dtype.kind in "fiu" and y.ndim == (1 if self.n_outputs_ == 1 else 2) else None
