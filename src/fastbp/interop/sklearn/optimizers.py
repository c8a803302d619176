"""The optimizers of the stochastic solvers, each in two forms.

At rest it is scikit-learn's object, with the learning rate, its schedule and the moments: a pickle holds it, and
scikit-learn itself uses it for sparse samples. Compiled, it has the moments while the core trains. Its method depends
on the object and not on the estimator's `solver`, which may change between two partial_fits without effect.
"""

import copy

import numpy as np
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, BaseOptimizer, SGDOptimizer

from fastbp import optimizers
from fastbp._core import Optimizer

# Solvers beyond scikit-learn's, all of them optimizers of fastbp.
SOLVERS = ("rprop", "rmsprop", "adagrad", "adamw", "nadam")


class OtherOptimizer(BaseOptimizer):
    """An optimizer that scikit-learn does not have, at rest."""

    def __init__(self, solver, learning_rate_init):
        super().__init__(learning_rate_init)
        self.solver = solver

    def _get_updates(self, grads):
        """scikit-learn calls this where it trains itself, which it does once `solver` has one of its own names."""
        raise ValueError(f"partial_fit continues with the solver {self.solver!r} of the calls before, which cannot use "
                         "sparse samples or negative weights; call fit to begin with the new solver")


def new_optimizer(estimator):
    """The optimizer that the estimator's arguments describe, at rest."""
    params, rate = estimator.coefs_ + estimator.intercepts_, estimator.learning_rate_init
    if estimator.solver == "sgd":
        return SGDOptimizer(params, rate, estimator.learning_rate, estimator.momentum, estimator.nesterovs_momentum,
                            estimator.power_t)
    if estimator.solver == "adam":
        return AdamOptimizer(params, rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    return OtherOptimizer(estimator.solver, rate)


def compile_optimizer(rest, net):
    """A compiled optimizer for this network that continues from the one at rest."""
    rate = rest.learning_rate_init
    if isinstance(rest, SGDOptimizer):
        compiled = Optimizer("nesterov" if rest.nesterov else "momentum", rate, momentum=rest.momentum)
    elif isinstance(rest, AdamOptimizer):
        compiled = Optimizer("adam", rate, beta_1=rest.beta_1, beta_2=rest.beta_2, epsilon=rest.epsilon)
    else:
        compiled = optimizers.NAMES[rest.solver](rate)
    state = {array: join(getattr(rest, name)) for array, name in moments(rest) if hasattr(rest, name)}
    if state:
        compiled._restore(net, {"steps": getattr(rest, "t", 0), "mean": None, "square": None} | state)
    return compiled


def rest_optimizer(rest, compiled, net):
    """A copy of the optimizer at rest with the state of the compiled one."""
    rest, state = copy.copy(rest), compiled._state()
    rest.t = state["steps"]
    for array, name in moments(rest):
        if state[array] is not None:
            coefs, intercepts = split(net, state[array])
            setattr(rest, name, coefs + intercepts)
    return rest


def moments(rest):
    """The compiled optimizer's arrays, and the attributes that hold the same at rest."""
    return [("mean", "velocities")] if isinstance(rest, SGDOptimizer) else [("mean", "ms"), ("square", "vs")]


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
