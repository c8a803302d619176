"""The stochastic solvers: scikit-learn's loop over the epochs, each epoch in compiled code."""

from math import nan, sqrt
from time import perf_counter
from types import SimpleNamespace

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
from sklearn.utils import shuffle

from fastbp._checks import warn
from fastbp.divergence import DivergenceError
from fastbp.interop.sklearn.optimizers import SOLVERS, compile_optimizer, new_optimizer, rest_optimizer
from fastbp.interop.sklearn.perceptron import CompiledPerceptron
from fastbp.interop.sklearn.versions import given_weights
from fastbp.training.fit import checked_callbacks, tell
from fastbp.training.history import EpochState

NON_FINITE = ("Solver produced non-finite parameter weights. The input data may contain large values and need to be "
              "preprocessed.")


class DescendingPerceptron(CompiledPerceptron):
    """With compiled epochs. `_optimizer` is scikit-learn's object, at rest while `_compiled` is there."""

    _compiled = None        # the compiled optimizer

    def __getstate__(self):
        state = super().__getstate__()
        if state.pop("_compiled", None) is not None:
            state["_optimizer"] = self._resting_optimizer()
        return state

    def _resting_optimizer(self):
        return rest_optimizer(self._optimizer, self._compiled, self._net)

    def _rest(self):
        if self._compiled is not None:
            self._optimizer, self._compiled = self._resting_optimizer(), None

    def _adopt(self, dtype=None):
        former = self._net
        net = super()._adopt(dtype)
        if former is not None and net.dtype != former.dtype:
            self._rest()        # the moments are converted when they are compiled anew
        return net

    # ---------------------------------------------------------------- fit and partial_fit

    def _check_solver(self):
        return self.solver in SOLVERS or super()._check_solver()

    def _fit(self, X, y, sample_weight=None, incremental=False):
        solver = self._solver = self.solver
        if checked_callbacks(self.callbacks) and solver == "lbfgs":
            raise ValueError("callbacks are called after every epoch, but the solver 'lbfgs' has no epochs")
        n_hidden = np.size(self.hidden_layer_sizes)
        if not isinstance(self.activation, str) and len(self.activation) != n_hidden:
            raise ValueError(f"activation must be a name, or hold one for each of the {n_hidden} hidden layers, "
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
        self._compiled = None       # it was for the parameters before these
        if self.solver != "lbfgs":
            self.validation_loss_curve_ = [] if self.early_stopping else None

    @given_weights
    def _fit_stochastic(self, X, y, sample_weight, *others):
        self.solver = self._solver
        incremental = others[-1]
        sample_weight = self._weights(y, sample_weight)
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
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = new_optimizer(self)
            self._compiled = None
        self._train(arrays, incremental, held_out)

    def _hold_out(self, arrays):
        """Arrays to train on, and a namespace of those for early stopping."""
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

    # ---------------------------------------------------------------- epochs

    def _train(self, arrays, incremental, held_out):
        net = self._adopt()
        if self._compiled is None:
            self._compiled = compile_optimizer(self._optimizer, net)
        self._compiled._like_sklearn(self.alpha)        # which may have changed since the last partial_fit
        X, y, weight = [*arrays, None][:3]
        weight = None if weight is None else weight.astype(net.dtype)
        # Weights as they are: the penalty is a share of their sum.
        samples = net._samples(X, y.astype(net.dtype), weight, False)
        batch = self._batch(samples.m)
        order = np.arange(samples.m, dtype=np.intp)
        callbacks, started = checked_callbacks(self.callbacks), perf_counter()
        self.n_iter_ = 0
        try:
            for _ in range(1 if incremental else self.max_iter):
                if self.shuffle:
                    order = shuffle(order, random_state=self._random_state)
                if weight is not None:
                    demand_weight(weight[order], batch)
                error, squares = self._epoch(samples, order if self.shuffle else None, batch)
                stop = self._end_epoch(error, samples, held_out)
                if callbacks:
                    last = order[(samples.m - 1) // batch * batch:]
                    state = EpochState(
                        self.n_iter_ - 1, net, self._compiled, error, sqrt(squares / (samples.m * net.n_outputs)),
                        held_out and held_out.error, self._compiled.learning_rate, perf_counter() - started,
                        lambda rows=last: (samples.x[rows], samples.t[rows]), self)
                    stop = tell(callbacks, state) or stop
                if stop:
                    break
            else:
                if not incremental:
                    warn(f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                         "hasn't converged yet.", ConvergenceWarning)
        except KeyboardInterrupt:
            warn("Training interrupted by user.")
        except DivergenceError as error:
            if held_out is None:
                raise ValueError(NON_FINITE) from error
            # scikit-learn goes on with NaN; the best parameters win in the end.
            self.n_iter_ += 1
            self.loss_ = nan
            self.loss_curve_.append(nan)
            self.validation_scores_.append(nan)
            self.validation_loss_curve_.append(nan)
            warn(f"{error} The best parameters are restored.", ConvergenceWarning)
        if held_out is not None:
            best = self._best_coefs + self._best_intercepts
            for view, values in zip(self.coefs_ + self.intercepts_, best, strict=True):
                view[...] = values
            # As in scikit-learn, whose `coefs_` are `_best_coefs` from here on: where a warm start finds no better
            # score, there is nothing older to restore.
            self._best_coefs, self._best_intercepts = self.coefs_, self.intercepts_

    def _batch(self, n_samples):
        if self.batch_size == "auto":
            # Rprop compares gradients of the same samples.
            is_rprop = getattr(self._optimizer, "solver", None) == "rprop"
            return n_samples if is_rprop else min(200, n_samples)
        if not 1 <= self.batch_size <= n_samples:
            warn(f"Got `batch_size` {self.batch_size} less than 1 or larger than the {n_samples} samples. It is going "
                 "to be clipped")
        return min(max(self.batch_size, 1), n_samples)

    def _epoch(self, samples, order, batch):
        """One epoch in compiled code: (E, sum of squares)."""
        if isinstance(self._optimizer, SGDOptimizer):
            # With a strong schedule the rate underflows, which the compiled optimizer refuses.
            self._compiled.learning_rate = max(self._optimizer.learning_rate, 1e-30)
        return self._net._train_epoch(samples, order, batch, self._compiled, self.n_iter_)

    def _end_epoch(self, error, samples, held_out=None):
        """Keep the records and decide whether to stop, as scikit-learn does."""
        self.n_iter_ += 1
        self.t_ += samples.m
        self.loss_ = self._reported(error) + samples.penalty
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
        if held_out is None:
            improved = not self.loss_ > self.best_loss_ - self.tol
            self.best_loss_ = min(self.loss_, self.best_loss_)
        else:
            improved = self._validate(held_out)
        self._no_improvement_count = 0 if improved else self._no_improvement_count + 1
        self._optimizer.iteration_ends(self.t_)
        stop = False
        if self._no_improvement_count > self.n_iter_no_change:
            what = "Training loss" if held_out is None else "Validation score"
            stop = self._optimizer.trigger_stopping(
                f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs.",
                self.verbose)
            if not stop:
                self._no_improvement_count = 0
        return stop

    def _validate(self, held_out):
        """Whether the held-out samples have a better score than before; the parameters of the best are kept."""
        score = self._score(held_out.X, held_out.y, held_out.weight)
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        held_out.error = self._net.error(held_out.X, held_out.targets, held_out.weight)
        self.validation_loss_curve_.append(self._reported(held_out.error))
        improved = not score < self.best_validation_score_ + self.tol       # NaN counts as better, too
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            self._best_coefs = [W.copy() for W in self.coefs_]
            self._best_intercepts = [b.copy() for b in self.intercepts_]
        return improved

    def _score(self, X, y, sample_weight=None):
        """As scikit-learn 1.9 has it: before 1.7 it takes no weights, and from 1.6 to 1.8 no labels that are texts."""
        predicted = self._predict(X, check_input=False)
        if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
            return nan
        return (accuracy_score if is_classifier(self) else r2_score)(y, predicted, sample_weight=sample_weight)


def demand_weight(weight, batch):
    """Refuse an epoch in which a batch has no mean; weight: those of the samples in the order of the epoch."""
    totals = np.add.reduceat(weight, np.arange(0, len(weight), batch))
    if not totals.all():
        raise ValueError(f"sample_weight and class_weight leave {np.sum(totals == 0)} of {len(totals)} batches without "
                         "any weight, so these have no mean loss; leave the samples of weight 0 out, or choose a "
                         "larger batch_size")
