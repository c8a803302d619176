"""The two estimators: their arguments, and what a classifier and a regressor do differently."""

import inspect
from functools import wraps

import numpy as np
from sklearn import neural_network
from sklearn.utils import compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from fastbp.interop.sklearn.fast_path import FastPerceptron


def constructor(theirs, **more):
    """The constructor of scikit-learn's class, with the arguments that its version has, and `more` keywords."""
    signature = inspect.signature(theirs.__init__)
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in more.items()
             if name not in signature.parameters]
    signature = signature.replace(parameters=[*signature.parameters.values(), *added])

    @wraps(theirs.__init__)
    def __init__(self, *arguments, **keywords):
        try:
            bound = signature.bind(self, *arguments, **keywords)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        values = {parameter.name: bound.arguments.pop(parameter.name) for parameter in added}
        theirs.__init__(**bound.arguments)
        vars(self).update(values)       # last, because before 1.7 scikit-learn sets the only loss that it has

    __init__.__signature__ = signature
    return __init__


class MLPClassifier(FastPerceptron, neural_network.MLPClassifier):
    """scikit-learn's MLPClassifier: the same arguments, attributes and model, but faster.

    Parameters
    ----------
    activation : str or sequence of str, default "relu"
        In addition to scikit-learn's, every activation of `fastbp.Network`, and a sequence with one for each hidden
        layer.
    solver : str, default "adam"
        In addition to scikit-learn's: "rprop" (batch_size="auto" is then the full batch), "rmsprop", "adagrad",
        "adamw" and "nadam", with fastbp's defaults except for the learning rate and alpha.
    class_weight : dict or "balanced", optional
        A factor for the samples of each class; "balanced" (not in partial_fit) is n / (k n_class) with k classes.
    callbacks : callable, object or sequence of them, default ()
        Functions, or objects with a method ``on_epoch``, that are called with a `fastbp.EpochState` after each epoch;
        training stops when one returns True. ``state.estimator`` has scikit-learn's records, such as ``loss_curve_``.

    All other parameters are scikit-learn's.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Live views of the parameters that the network computes with. A row may be followed by padding, so that an array
        need not be contiguous, and ``coefs_[0].ravel()[:] = 0`` may change a copy: write ``coefs_[0][...] = 0``.
    network_ : fastbp.Network
        The compiled network, of which `coefs_` and `intercepts_` are the parameters. Its `predict` returns one column
        for each output: what a regressor predicts, or probabilities; a binary classifier has a single column.
    validation_loss_curve_ : list or None
        With early stopping, the loss of the held-out samples after every epoch, without penalty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastbp.interop.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(hidden_layer_sizes=(10,), learning_rate_init=0.02, random_state=0).fit(X, y)
    >>> model.predict(X[::50])
    array([0, 1, 2])
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints = {  # noqa: RUF012
        **neural_network.MLPClassifier._parameter_constraints,
        **FastPerceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    __init__ = constructor(neural_network.MLPClassifier, class_weight=None, callbacks=())

    def _weights(self, y, sample_weight):
        if self.class_weight is None:
            return sample_weight
        if self._label_binarizer.y_type_.startswith("multilabel"):
            weight = compute_sample_weight(self.class_weight, y)
        else:
            # For all known classes, since a batch of partial_fit need not have each.
            labels = self._label_binarizer.inverse_transform(y)
            of_classes = compute_class_weight(self.class_weight, classes=self.classes_, y=labels)
            weight = of_classes[self.classes_.searchsorted(labels)]
        return weight if sample_weight is None else weight * sample_weight

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
            self._check_arguments()
            if self.class_weight == "balanced":
                raise ValueError("class_weight='balanced' needs all samples, which partial_fit does not see; use a "
                                 "dict of weights")
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


class MLPRegressor(FastPerceptron, neural_network.MLPRegressor):
    """scikit-learn's MLPRegressor: the same arguments, attributes and model, but faster.

    Parameters
    ----------
    loss : str, default "squared_error"
        In addition to scikit-learn's: "absolute_error", "huber", "log_cosh" and "quantile".
    activation : str or sequence of str, default "relu"
        In addition to scikit-learn's, every activation of `fastbp.Network`, and a sequence with one for each hidden
        layer.
    solver : str, default "adam"
        In addition to scikit-learn's: "rprop" (batch_size="auto" is then the full batch), "rmsprop", "adagrad",
        "adamw" and "nadam", with fastbp's defaults except for the learning rate and alpha.
    callbacks : callable, object or sequence of them, default ()
        Functions, or objects with a method ``on_epoch``, that are called with a `fastbp.EpochState` after each epoch;
        training stops when one returns True. ``state.estimator`` has scikit-learn's records, such as ``loss_curve_``.

    All other parameters are scikit-learn's.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Live views of the parameters that the network computes with. A row may be followed by padding, so that an array
        need not be contiguous, and ``coefs_[0].ravel()[:] = 0`` may change a copy: write ``coefs_[0][...] = 0``.
    network_ : fastbp.Network
        The compiled network, of which `coefs_` and `intercepts_` are the parameters. Its `predict` returns one column
        for each output: what a regressor predicts, or probabilities; a binary classifier has a single column.
    validation_loss_curve_ : list or None
        With early stopping, the loss of the held-out samples after every epoch, without penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp.interop.sklearn import MLPRegressor
    >>> X = np.linspace(-3, 3, 50)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", alpha=0, random_state=0)
    >>> model.fit(X, np.sin(X[:, 0])).predict([[np.pi / 2]]).round(1)
    array([1.])
    >>> model.coefs_[1][...] = 0
    >>> model.predict([[1.0], [2.0]]) == model.intercepts_[1]
    array([ True,  True])
    """

    _parameter_constraints = {  # noqa: RUF012
        **neural_network.MLPRegressor._parameter_constraints,
        **FastPerceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "log_cosh", "quantile"})],
    }

    __init__ = constructor(neural_network.MLPRegressor, loss="squared_error", callbacks=())

    def predict(self, X):
        outputs = self._fast_outputs(X)
        if outputs is None:
            return super().predict(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def partial_fit(self, X, y, sample_weight=None):
        if not (sample_weight is None and self._fast_step(X, y)):
            self._check_arguments()
            super().partial_fit(X, y, sample_weight=sample_weight)
            self._remember()
        return self

    def _fast_targets(self, y):
        """Targets for the network from an array of numbers, else None."""
        return y if y.dtype.kind in "fiu" and y.ndim == (1 if self.n_outputs_ == 1 else 2) else None
