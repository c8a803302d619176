"""scikit-learn's MLPRegressor and MLPClassifier, for what they can express: identity or softmax outputs, batches."""

import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, flat

NAME = "scikit-learn"


def version():
    return sklearn.__version__


def prepare(workload, layers, X, T):
    if workload.output not in ("identity", "softmax") or (workload.job == "train" and workload.batch == 1):
        return None
    kind = MLPClassifier if workload.output == "softmax" else MLPRegressor
    targets = T.argmax(axis=1) if workload.output == "softmax" else T[:, 0] if T.shape[1] == 1 else T
    model = kind(
        hidden_layer_sizes=workload.sizes[1:-1], activation=workload.hidden,
        solver="adam" if workload.optimizer == "adam" else "sgd",
        alpha=0.0, batch_size=workload.batch, learning_rate_init=workload.learning_rate, shuffle=workload.shuffle,
        momentum=MOMENTUM if workload.optimizer == "momentum" else 0.0, nesterovs_momentum=False, beta_1=BETA_1,
        beta_2=BETA_2, epsilon=EPSILON, random_state=0)
    classes = {"classes": np.arange(T.shape[1])} if kind is MLPClassifier else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.partial_fit(X[:workload.batch], targets[:workload.batch], **classes)
    # The first call made weights and the optimizer that points to them; both start anew with the weights given.
    for own, (W, b) in zip(zip(model.coefs_, model.intercepts_, strict=True), layers, strict=True):
        own[0][...], own[1][...] = W, b
    del model._optimizer
    model.t_ = model.n_iter_ = 0

    if workload.job == "calls":
        rows = [x[None] for x in X]
        return loop(model.predict, [(x,) for x in rows]), lambda: np.concatenate([model.predict(x) for x in rows])
    if workload.job == "predict":
        return lambda: model.predict(X), lambda: model.predict(X)

    def result():
        return flat(zip(model.coefs_, model.intercepts_, strict=True))

    return lambda: model.partial_fit(X, targets), result
