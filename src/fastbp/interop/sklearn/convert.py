"""Networks from fitted estimators, scikit-learn's own and fastbp's, and fitted estimators from networks."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from fastbp.interop.chain import Chain

LOGISTIC = {"sigmoid": "logistic"}      # scikit-learn's name
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


def from_sklearn(estimator):
    """The network of a fitted estimator.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, Pipeline or TransformedTargetRegressor
        scikit-learn's own or a subclass of it, as those of `fastbp.interop.sklearn`. The steps of a pipeline before it
        may be StandardScaler, MinMaxScaler and MaxAbsScaler, and one of these may transform the targets; they are
        folded into the weights.

    Returns
    -------
    Network
        With copies of the parameters, in their dtype, or in float64 where inputs are scaled. Its loss is the
        estimator's, and its reduction "mean". `predict` gives what a regressor predicts, in columns, and a
        classifier's probabilities, of two classes that of the second.

    Raises
    ------
    ValueError, TypeError
        If it is another estimator, has another step, or is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastbp.interop.sklearn import MLPClassifier, from_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier((8,), learning_rate_init=0.02, random_state=0)).fit(X, y)
    >>> from_sklearn(model)
    Network([4, 8, 3], ['relu', 'softmax'], float64, 67 parameters)
    """
    chain = Chain()
    loss = add(chain, estimator)
    return chain.network(loss=loss, reduction="mean")


def add(chain, estimator):
    """Add what an estimator does to a chain; the loss of its network."""
    if isinstance(estimator, TransformedTargetRegressor):
        check_is_fitted(estimator)
        loss = add(chain, estimator.regressor_)
        factor, offset = scaling(estimator.transformer_)
        chain.scaling(1 / factor, -offset / factor)
        return loss
    if isinstance(estimator, Pipeline):
        for step in estimator[:-1]:
            if step not in (None, "passthrough"):
                chain.scaling(*scaling(step))
        return add(chain, estimator[-1])
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise TypeError("estimator must be an MLPClassifier or MLPRegressor, or a Pipeline or "
                        f"TransformedTargetRegressor of one, got {type(estimator).__name__}")
    check_is_fitted(estimator)
    hidden = estimator.activation
    hidden = [hidden] * (len(estimator.coefs_) - 1) if isinstance(hidden, str) else hidden
    names = [*hidden, estimator.out_activation_]
    for W, b, name in zip(estimator.coefs_, estimator.intercepts_, names, strict=True):
        chain.affine(W, b)
        if name != "identity":
            chain.activation(name)
    if estimator.loss != "log_loss":
        return estimator.loss
    return "cross_entropy" if estimator.out_activation_ == "softmax" else "binary_cross_entropy"


def scaling(transformer):
    """The factor and the offset of a fitted transformer."""
    kind = type(transformer)
    if kind is FunctionTransformer and transformer.func is None and transformer.inverse_func is None:
        return np.array(1.0), np.array(0.0)
    if kind not in (StandardScaler, MinMaxScaler, MaxAbsScaler) or getattr(transformer, "clip", False):
        raise TypeError("a step must be a StandardScaler, a MinMaxScaler that does not clip, or a MaxAbsScaler, "
                        f"got {transformer}")
    check_is_fitted(transformer)
    if kind is MinMaxScaler:
        return transformer.scale_, transformer.min_
    factor = np.array(1.0) if transformer.scale_ is None else 1 / transformer.scale_
    mean = getattr(transformer, "mean_", None)
    return factor, np.array(0.0) if mean is None or not transformer.with_mean else -mean * factor


def to_sklearn(net, kind, classes=None):
    """A fitted estimator that predicts what a network does.

    Parameters
    ----------
    net : fastbp.Network
        For a classifier, its outputs are probabilities: of a softmax for three or more classes, of one sigmoid for the
        second of two, of several sigmoids for a multilabel classifier. A regressor's are of the identity, or of exp for
        the loss "poisson".
    kind : class
        MLPClassifier or MLPRegressor, of `sklearn.neural_network` or of `fastbp.interop.sklearn`. scikit-learn's has
        one of identity, sigmoid, tanh and relu for all hidden layers.
    classes : array_like, shape (n_classes,), optional
        The labels of a classifier, in ascending order; 0, 1, ... by default.

    Returns
    -------
    estimator
        Of that class with default arguments but for its layers, and with copies of the parameters. `partial_fit`, and
        `fit` with ``warm_start=True``, go on from there.

    Raises
    ------
    ValueError, TypeError
        If such an estimator does not exist, or `classes` do not fit.

    Examples
    --------
    >>> import fastbp
    >>> from sklearn.neural_network import MLPClassifier
    >>> from fastbp.interop.sklearn import to_sklearn
    >>> net = fastbp.Network([1, 1], "sigmoid", init=[1.0, 0.0])
    >>> to_sklearn(net, MLPClassifier, classes=["high", "low"]).predict([[-1.0], [2.0]]).tolist()
    ['high', 'low']
    """
    if not (isinstance(kind, type) and issubclass(kind, (MLPClassifier, MLPRegressor))):
        raise TypeError(f"kind must be a class, MLPClassifier or MLPRegressor, got {kind!r}")
    hidden = [LOGISTIC.get(name, name) for name in net.activations[:-1]]
    is_own = kind in (MLPClassifier, MLPRegressor)
    if is_own and (len({*hidden}) > 1 or not {*hidden} <= {*ACTIVATIONS}):
        raise ValueError("net must have one activation of identity, sigmoid, tanh and relu in all hidden layers, got "
                         f"{net.activations[:-1]}; fastbp.interop.sklearn.{kind.__name__} takes others")
    arguments = {"hidden_layer_sizes": net.layer_sizes[1:-1]}
    if hidden:
        arguments["activation"] = hidden[0] if len({*hidden}) == 1 else hidden
    X, output = np.zeros((2, net.n_inputs), net.dtype), net.activations[-1]
    if issubclass(kind, MLPRegressor):
        if classes is not None:
            raise ValueError(f"classes must be None for a regressor, got {classes!r:.80}")
        if output not in ("identity", "exp"):
            raise ValueError(f"net must have an output activation identity or exp for a regressor, got {output!r}")
        if output == "exp":
            arguments["loss"] = "poisson"
        estimator = kind(**arguments).partial_fit(X, np.zeros((2, net.n_outputs)) if net.n_outputs > 1 else np.zeros(2))
    else:
        estimator = kind(**arguments)
        labels = checked_classes(net, output, classes)
        if output == "sigmoid" and net.n_outputs > 1:
            estimator.partial_fit(X, np.eye(2, net.n_outputs, dtype=int), classes=labels)
        else:
            estimator.partial_fit(X, labels[:2], classes=labels)
    # That was to have scikit-learn set all attributes of its version. What was learnt goes.
    estimator.coefs_ = [W.copy() for W in net.weights]
    estimator.intercepts_ = [b.copy() for b in net.biases]
    estimator.n_iter_ = estimator.t_ = 0
    estimator.loss_curve_ = []
    estimator._compiled = None
    del estimator._optimizer
    return estimator


def checked_classes(net, output, classes):
    """The labels as an array."""
    n_classes = 2 if (output, net.n_outputs) == ("sigmoid", 1) else net.n_outputs
    if output != "sigmoid" and (output != "softmax" or n_classes < 3):
        raise ValueError("net must have a softmax of three or more outputs, or sigmoid outputs, for a classifier, got "
                         f"{n_classes} of {output!r}")
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    if labels.shape != (n_classes,) or not np.array_equal(np.unique(labels), labels):
        raise ValueError(f"classes must be {n_classes} labels in ascending order, as scikit-learn has them, got "
                         f"{classes!r:.80}")
    return labels
