"""fastbp itself, by its ordinary calls."""

import numpy as np

import fastbp
from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM

NAME = "fastbp"


def version():
    return fastbp.__version__


def network(workload, layers):
    activations = [workload.hidden] * (len(layers) - 1) + [workload.output]
    return fastbp.Network(workload.sizes, activations, loss=workload.loss, dtype=workload.dtype, init=layers, seed=0,
                          reduction="sum" if workload.batch == 1 else "mean")


def optimizer(workload):
    if workload.optimizer == "adam":
        return fastbp.Adam(workload.learning_rate, BETA_1, BETA_2, EPSILON)
    return fastbp.SGD(workload.learning_rate, MOMENTUM if workload.optimizer == "momentum" else 0.0)


def prepare(workload, layers, X, T):
    net = network(workload, layers)
    rate = workload.learning_rate
    if workload.job == "steps":
        step = net.train_step
        samples = [(x, t, rate) for x, t in zip(X, T, strict=True)]
        return loop(step, samples), lambda: net.params
    if workload.job == "train":
        method = optimizer(workload)
        if workload.batch == workload.samples:
            return lambda: net.train_step(X, T, optimizer=method), lambda: net.params
        return (lambda: net.fit(X, T, epochs=1, batch_size=workload.batch, optimizer=method,
                                shuffle=workload.shuffle)), lambda: net.params
    if workload.job == "calls":
        samples = [(x,) for x in X]
        return loop(net.predict, samples), lambda: np.array([net.predict(x) for x in X])
    out = np.empty((workload.samples, workload.sizes[-1]), workload.dtype)
    return lambda: net.predict(X, out), lambda: out
