"""The oracle: docs/method.md in plain NumPy, slow and obvious, which fastbp must agree with.

Everything is float64 (the activations take longdouble too), every formula stands as one reads it, and nothing is
clever. W is (n_in, n_out), rows of X are samples, index l = 0..L-1 counts the layers.
"""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from fastbp.losses import to_header


def sigmoid(r):
    return 1 / (1 + np.exp(-r))


def normal_cdf(r):
    # erfc and not 1 + erf, which cancels on the left.
    return np.vectorize(math.erfc, otypes=[float])(-r / math.sqrt(2)) / 2


def normal_pdf(r):
    return np.exp(-r * r / 2) / math.sqrt(2 * math.pi)


def softmax(r):
    powers = np.exp(r - r.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# name: (g(r), g'(r)). np.minimum keeps exp from overflowing on the side that np.where throws away.
ELEMENTWISE = {
    "identity": (lambda r: r, lambda r: np.ones_like(r)),
    "threshold": (lambda r: np.where(r >= 0, 1.0, 0.0), lambda r: np.ones_like(r)),  # the straight-through slope
    "sigmoid": (sigmoid, lambda r: sigmoid(r) * sigmoid(-r)),
    "tanh": (np.tanh, lambda r: 1 - np.tanh(r) ** 2),
    "relu": (lambda r: np.maximum(r, 0), lambda r: np.where(r > 0, 1.0, 0.0)),
    "leaky_relu": (lambda r: np.where(r > 0, r, 0.01 * r), lambda r: np.where(r > 0, 1.0, 0.01)),
    "elu": (
        lambda r: np.where(r > 0, r, np.expm1(np.minimum(r, 0))),
        lambda r: np.exp(np.minimum(r, 0)),
    ),
    "softplus": (lambda r: np.logaddexp(0, r), sigmoid),
    "silu": (lambda r: r * sigmoid(r), lambda r: sigmoid(r) * (1 + r * sigmoid(-r))),
    "gelu": (lambda r: r * normal_cdf(r), lambda r: normal_cdf(r) + r * normal_pdf(r)),
    "softsign": (lambda r: r / (1 + abs(r)), lambda r: 1 / (1 + abs(r)) ** 2),
    "gaussian": (lambda r: np.exp(-r * r), lambda r: -2 * r * np.exp(-r * r)),
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
}
ACTIVATIONS = (*ELEMENTWISE, "softmax")
KINKED = {"threshold", "relu", "leaky_relu"}  # no derivative at 0, so no central difference across it


def xlogy(x, y):
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))


# name: (E, dE/dy) of one output y and its target t; huber's delta and the quantile q where there is one.
LOSSES = {
    "squared_error": (lambda y, t, _: (y - t) ** 2 / 2, lambda y, t, _: y - t),
    "absolute_error": (lambda y, t, _: abs(y - t), lambda y, t, _: np.sign(y - t)),
    "huber": (
        lambda y, t, delta: np.where(abs(y - t) <= delta, (y - t) ** 2 / 2, delta * (abs(y - t) - delta / 2)),
        lambda y, t, delta: np.clip(y - t, -delta, delta),
    ),
    "log_cosh": (lambda y, t, _: np.log(np.cosh(y - t)), lambda y, t, _: np.tanh(y - t)),
    "quantile": (
        lambda y, t, q: np.maximum(q * (t - y), (q - 1) * (t - y)),
        lambda y, t, q: np.where(y > t, 1 - q, np.where(y < t, -q, 0.0)),
    ),
    "poisson": (lambda y, t, _: y - t + xlogy(t, t / y), lambda y, t, _: 1 - t / y),
    "binary_cross_entropy": (
        lambda y, t, _: -xlogy(t, y) - xlogy(1 - t, 1 - y),
        lambda y, t, _: (1 - t) / (1 - y) - t / y,
    ),
    "cross_entropy": (lambda y, t, _: -xlogy(t, y), lambda y, t, _: -t / y),
}


def activate(name, r):
    return softmax(r) if name == "softmax" else ELEMENTWISE[name][0](r)


def delta(name, r, error_signal):
    """dE/dr from e = dE/da: e g'(r), or e times the Jacobian of softmax, which couples the neurons of a layer."""
    if name == "softmax":
        y = softmax(r)
        return y * (error_signal - (error_signal * y).sum(axis=1, keepdims=True))
    return error_signal * ELEMENTWISE[name][1](r)


class Reference:
    """A network given by its layers [(W, b), ...] and one activation name per layer."""

    def __init__(self, layers, activations, *, loss="squared_error", parameter=None, reduction="sum"):
        self.layers = [(np.array(W, float), np.array(b, float)) for W, b in layers]
        self.activations = activations
        self.loss, self.loss_slope = LOSSES[loss]
        self.parameter = parameter
        self.reduction = reduction

    @classmethod
    def of(cls, net):
        """The same network as a fastbp.Network, with the parameters it has now."""
        loss, parameter = to_header(net.loss)
        return cls(zip(net.weights, net.biases, strict=True), net.activations, loss=loss, parameter=parameter,
                   reduction=net.reduction)

    @property
    def params(self):
        return np.concatenate([part.ravel() for layer in self.layers for part in layer])

    @params.setter
    def params(self, flat):
        for W, b in self.layers:
            W.flat, b[:], flat = flat[: W.size], flat[W.size : W.size + b.size], flat[W.size + b.size :]

    def forward(self, X):
        net_inputs, outputs, a = [], [], np.asarray(X, float)
        for (W, b), activation in zip(self.layers, self.activations, strict=True):
            net_inputs.append(a @ W + b)
            a = activate(activation, net_inputs[-1])
            outputs.append(a)
        return net_inputs, outputs

    def predict(self, X):
        return self.forward(X)[1][-1]

    def error(self, X, T, sample_weight=1.0):
        Y, T = self.predict(X), np.asarray(T, float)
        return (self.loss(Y, T, self.parameter).sum(axis=1) * sample_weight).sum() / self._divisor(X, sample_weight)

    def rms(self, X, T):
        return math.sqrt(np.mean((self.predict(X) - T) ** 2))

    def backprop(self, X, T, sample_weight=1.0):
        """Everything that one pass forward and one back compute, and E."""
        X, T = np.asarray(X, float), np.asarray(T, float)
        y = self.predict(X)
        weights = np.broadcast_to(sample_weight, len(X))[:, None] / self._divisor(X, sample_weight)
        e = self.loss_slope(y, T, self.parameter) * weights
        trace = self._ripple_back(X, e)
        trace.error = self.error(X, T, sample_weight)
        return trace

    def gradient(self, X, T, sample_weight=1.0):
        trace = self.backprop(X, T, sample_weight)
        return trace.error, self._flat(trace)

    def input_gradient(self, X, T):
        return self.backprop(X, T).input_gradient

    def jacobian(self, X):
        """dy_n/dx: the input gradient of an E whose error signal is 1 at output n and 0 at the others."""
        units = np.eye(self.layers[-1][1].size)
        rows = [self._ripple_back(np.asarray(X, float), np.tile(unit, (len(X), 1))) for unit in units]
        return np.stack([row.input_gradient for row in rows], axis=1)

    def param_jacobian(self, X):
        """dy_n/dparams, sample by sample: the gradient of an E whose error signal is 1 at output n."""
        units = np.eye(self.layers[-1][1].size)
        return np.array([[self._flat(self._ripple_back(x[None], unit[None])) for unit in units]
                         for x in np.asarray(X, float)])

    @staticmethod
    def _flat(trace):
        layers = zip(trace.weight_gradients, trace.bias_gradients, strict=True)
        return np.concatenate([part.ravel() for layer in layers for part in layer])

    def _ripple_back(self, X, e):
        net_inputs, outputs = self.forward(X)
        inputs = [X, *outputs[:-1]]
        error_signals, deltas, weight_gradients, bias_gradients = [], [], [], []
        for l in reversed(range(len(self.layers))):
            d = delta(self.activations[l], net_inputs[l], e)
            error_signals.insert(0, e)
            deltas.insert(0, d)
            weight_gradients.insert(0, inputs[l].T @ d)
            bias_gradients.insert(0, d.sum(axis=0))
            e = d @ self.layers[l][0].T
        return SimpleNamespace(
            net_inputs=net_inputs,
            outputs=outputs,
            error_signals=error_signals,
            deltas=deltas,
            weight_gradients=weight_gradients,
            bias_gradients=bias_gradients,
            input_gradient=e,
        )

    def _divisor(self, X, sample_weight):
        return np.broadcast_to(sample_weight, len(X)).sum() if self.reduction == "mean" else 1


class SGD:
    """w -= h g; with momentum v = mu v - h g and w += v, or the look-ahead w += mu v - h g of Nesterov."""

    def __init__(self, learning_rate, momentum=0.0, nesterov=False):
        self.h, self.mu, self.nesterov, self.v = learning_rate, momentum, nesterov, 0.0

    def step(self, w, g):
        self.v = self.mu * self.v - self.h * g
        return w + (self.mu * self.v - self.h * g if self.nesterov else self.v)


class Adam:
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1."""

    def __init__(self, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.h, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.m = self.v = 0.0
        self.t = 0

    def step(self, w, g):
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g**2
        m_hat = self.m / (1 - self.beta_1**self.t)
        v_hat = self.v / (1 - self.beta_2**self.t)
        return w - self.h * m_hat / (np.sqrt(v_hat) + self.epsilon)


class Nadam(Adam):
    """Dozat, "Incorporating Nesterov momentum into Adam" (2016), algorithm 2, with a constant mu."""

    def step(self, w, g):
        super().step(w, g)
        mu, t = self.beta_1, self.t
        m_bar = mu * self.m / (1 - mu ** (t + 1)) + (1 - mu) * g / (1 - mu**t)
        return w - self.h * m_bar / (np.sqrt(self.v / (1 - self.beta_2**t)) + self.epsilon)


class RMSprop:
    """Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning" (2012)."""

    def __init__(self, learning_rate, rho=0.9, epsilon=1e-8):
        self.h, self.before, self.now, self.epsilon, self.s = learning_rate, rho, 1 - rho, epsilon, 0.0

    def step(self, w, g):
        self.s = self.before * self.s + self.now * g**2
        return w - self.h * g / (np.sqrt(self.s) + self.epsilon)


class Adagrad(RMSprop):
    """Duchi, Hazan and Singer (2011), with a diagonal matrix."""

    def __init__(self, learning_rate, epsilon=1e-10):
        super().__init__(learning_rate, epsilon=epsilon)
        self.before = self.now = 1.0


class Rprop:
    """iRprop- of Igel and Huesken, "Improving the Rprop learning algorithm" (2000)."""

    def __init__(self, learning_rate, grow=1.2, shrink=0.5, least=1e-6, largest=50.0):
        self.first, self.grow, self.shrink, self.least, self.largest = learning_rate, grow, shrink, least, largest
        self.steps = self.before = None

    def step(self, w, g):
        if self.steps is None:
            self.steps, self.before = np.full(g.shape, self.first), np.zeros(g.shape)
        w, g = w.copy(), g.copy()
        for i in range(len(g)):
            if g[i] * self.before[i] > 0:
                self.steps[i] = min(self.steps[i] * self.grow, self.largest)
            elif g[i] * self.before[i] < 0:
                self.steps[i] = max(self.steps[i] * self.shrink, self.least)
                g[i] = 0
            w[i] -= np.sign(g[i]) * self.steps[i]
        self.before = g
        return w


class LevenbergMarquardt:
    """Hagan and Menhaj, "Training feedforward networks with the Marquardt algorithm" (1994)."""

    def __init__(self, mu=1e-3, decrease=0.1, increase=10.0, largest=1e10):
        self.mu, self.decrease, self.increase, self.largest = mu, decrease, increase, largest

    def step(self, net, X, T, sample_weight=1.0):
        """Move the network to where its error is smaller; False where no step makes it so."""
        roots = np.sqrt(np.broadcast_to(sample_weight, len(X)) / net._divisor(X, sample_weight))[:, None]
        J = (net.param_jacobian(X) * roots[..., None]).reshape(-1, net.params.size)
        e = ((net.predict(X) - T) * roots).ravel()
        w, before = net.params, net.error(X, T, sample_weight)
        while self.mu <= self.largest:
            net.params = w - np.linalg.solve(J.T @ J + self.mu * np.eye(len(w)), J.T @ e)
            if net.error(X, T, sample_weight) < before:
                self.mu *= self.decrease
                return True
            self.mu *= self.increase
        net.params = w
        return False


def random_problem(rng, layer_sizes, n_samples):
    """Layers [(W, b), ...], X and T with all numbers of size 1, on the way forward and on the way back."""
    layers = []
    for fan_in, fan_out in pairwise(layer_sizes):
        limit = 1.5 / math.sqrt(max(fan_in, fan_out))
        layers.append((rng.uniform(-limit, limit, (fan_in, fan_out)), rng.uniform(-0.5, 0.5, fan_out)))
    return layers, rng.uniform(-1, 1, (n_samples, layer_sizes[0])), rng.uniform(-1, 1, (n_samples, layer_sizes[-1]))


def central_difference(f, x, h=1e-3):
    """df/dx of a scalar f by 4th-order central differences, in float64 good to about 1e-12 of f's size.

    The truncation error is h^4 f^(5) / 30, the rounding error about eps f / h: h = 1e-3 balances the two.
    """

    def moved(i, steps):
        shifted = np.array(x, float)
        shifted[i] += steps * h
        return f(shifted)

    slopes = [(8 * (moved(i, 1) - moved(i, -1)) - (moved(i, 2) - moved(i, -2))) / (12 * h) for i in np.ndindex(x.shape)]
    return np.reshape(slopes, x.shape)


def assert_away_from_kinks(net, X):
    """No net input of a kinked neuron is so near to 0 that the steps of `central_difference` cross it."""
    for activation, r in zip(net.activations, net.forward(X)[0], strict=True):
        assert activation not in KINKED or abs(r).min() > 0.005


def assert_close(actual, expected, dtype, terms):
    """Compiled result against the oracle's, up to the rounding of `dtype` in sums of `terms` products.

    n terms of size u add up to about sqrt(n) u, and their n rounding errors, each up to eps/2 of a partial sum, walk
    randomly to about eps n u / 2: sqrt(n) eps / 2 of the result. The tests keep all numbers of size 1, so that errors
    are measured against 1 where cancellation leaves less. The factor 32 gives room for a few layers, each handing on
    its error, and for the 3 ulp of their activations; a mixed-up index errs a thousand times more.
    """
    expected = np.asarray(expected)
    scale = max(1.0, np.max(np.abs(expected), initial=0.0))
    bound = 32 * np.finfo(dtype).eps * math.sqrt(terms) * scale
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)
