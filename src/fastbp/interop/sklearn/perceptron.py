"""A network in place of scikit-learn's arrays: it owns the parameters and computes outputs, losses and gradients.

`coefs_` and `intercepts_` are the network's live views. Other arrays that are put there are noticed, because they are
not those views, and a new network is made from them. A pickle holds no network.
"""

import copy
from operator import is_

import numpy as np
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from fastbp.activations import ALIASES, TABLE
from fastbp.interop.sklearn.optimizers import SOLVERS, split
from fastbp.interop.sklearn.versions import HAS_WEIGHTS, LOSSES, Perceptron, given_weights, validate_data
from fastbp.network import Network
from fastbp.training.fit import checked_callbacks

# What scikit-learn has; every other activation is fastbp's alone.
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


class CompiledPerceptron(Perceptron):
    """scikit-learn's base class with a network inside."""

    _parameter_constraints = {  # noqa: RUF012
        **Perceptron._parameter_constraints,
        "activation": [StrOptions({*TABLE, *ALIASES}), list, tuple],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", *SOLVERS})],
        "callbacks": [list, tuple, callable, HasMethods("on_epoch")],
    }
    _net = None             # the compiled network
    _built_for = None       # the arguments that it was made for

    # ---------------------------------------------------------------- the network

    @property
    def network_(self):
        check_is_fitted(self)
        return self._adopt()

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
            # A list of activations can be changed in place; its copy shows that.
            self._built_for = copy.copy(self.activation), self.loss
            views = list(self._net.weights), list(self._net.biases)
            if getattr(self, "_best_coefs", None) is self.coefs_:       # early stopping has left them so (descent.py)
                self._best_coefs, self._best_intercepts = views
            self.coefs_, self.intercepts_ = views
        return self._net

    def _hidden_activations(self, n_hidden):
        return [self.activation] * n_hidden if isinstance(self.activation, str) else list(self.activation)

    def _init_coef(self, fan_in, fan_out, dtype):
        activation = self.activation
        own = activation
        if not isinstance(activation, str):
            # Each layer as if its own activation were that of the whole network; the output layer follows the last.
            own = [*activation, *activation[-1:]][len(self.coefs_)] if len(activation) else "identity"
        # scikit-learn looks for the sigmoid by its own name.
        self.activation = "logistic" if own == "sigmoid" else own
        try:
            return super()._init_coef(fan_in, fan_out, dtype)
        finally:
            self.activation = activation

    def _dense(self, X, sample_weight=None):
        """X as an ndarray, or None where scikit-learn's own code must be used.

        That is for sparse data, and for negative weights, which the network refuses; unless scikit-learn does not know
        the arguments.
        """
        if isinstance(X, np.ndarray):
            known = sample_weight is None or np.min(sample_weight) >= 0
            return X if known or self._is_beyond(sample_weight) else None
        return X.toarray() if self._is_beyond(sample_weight) else None

    def _is_beyond(self, sample_weight=None):
        """Whether an argument has a value that this version of scikit-learn does not know."""
        return bool(self.solver in SOLVERS or self.activation not in ACTIVATIONS or self.loss not in LOSSES
                    or checked_callbacks(self.callbacks) or (sample_weight is not None and not HAS_WEIGHTS))

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name in ("_net", "_built_for"):
            state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "coefs_"):
            self._adopt()

    # ---------------------------------------------------------------- outputs

    def _forward_pass_fast(self, X, check_input=True):
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        dense, net = self._dense(X), self._network()
        # scikit-learn computes, and answers, in float64 where the inputs or the parameters are float64.
        if dense is None or not (self._is_beyond() or np.result_type(dense, net.dtype) == net.dtype):
            return super()._forward_pass_fast(X, check_input=False)
        return net.predict(dense)

    # ---------------------------------------------------------------- loss and gradient, for lbfgs

    def _weights(self, y, sample_weight):
        """The samples' weights, in a classifier times those of their classes; or None."""
        return sample_weight

    @given_weights
    def _fit_lbfgs(self, X, y, sample_weight, *others):
        sample_weight = self._weights(y, sample_weight)
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

    @given_weights
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
