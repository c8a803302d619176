"""NumPy, every result written into an array that was made beforehand."""

import numpy as np

from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, flat

NAME = "NumPy"


def version():
    return np.__version__


def activate(name, a):
    """g in place."""
    if name == "sigmoid":
        np.negative(a, out=a)
        np.exp(a, out=a)
        a += 1
        np.reciprocal(a, out=a)
    elif name == "tanh":
        np.tanh(a, out=a)
    elif name == "relu":
        np.maximum(a, 0, out=a)
    elif name == "softmax":
        a -= a.max(axis=-1, keepdims=True)
        np.exp(a, out=a)
        a /= a.sum(axis=-1, keepdims=True)


def multiply_by_slope(name, a, d, scratch):
    if name == "sigmoid":
        np.subtract(1, a, out=scratch)
        scratch *= a
        d *= scratch
    elif name == "tanh":
        np.multiply(a, a, out=scratch)
        np.subtract(1, scratch, out=scratch)
        d *= scratch
    elif name == "relu":
        np.greater(a, 0, out=scratch)
        d *= scratch


class Network:
    def __init__(self, workload, layers, rows):
        self.workload, self.n = workload, len(layers)
        self.W, self.b = [W.copy() for W, _ in layers], [b.copy() for _, b in layers]
        self.names = [workload.hidden] * (self.n - 1) + [workload.output]
        shapes = [(n_out,) if rows is None else (rows, n_out) for n_out in workload.sizes[1:]]
        self.a, self.d, self.scratch = ([np.empty(shape, workload.dtype) for shape in shapes] for _ in range(3))
        self.gradients = [np.empty_like(p) for p in (*self.W, *self.b)]
        self.state = [np.zeros_like(p) for p in (*self.W, *self.b)], [np.zeros_like(p) for p in (*self.W, *self.b)]
        self.steps = 0

    def forward(self, x, a):
        for W, b, r, name in zip(self.W, self.b, a, self.names, strict=True):
            np.matmul(x, W, out=r)
            r += b
            activate(name, r)
            x = r
        return x

    def step(self, x, t):
        """One update from one sample or from a batch."""
        m = len(x) if x.ndim == 2 else None
        a, d, scratch = ([rows[:m] for rows in arrays] if m else arrays for arrays in (self.a, self.d, self.scratch))
        np.subtract(self.forward(x, a), t, out=d[-1])
        if m:
            d[-1] /= m
        if self.names[-1] != "softmax":
            multiply_by_slope(self.names[-1], a[-1], d[-1], scratch[-1])
        for l in reversed(range(self.n)):
            inputs = a[l - 1] if l else x
            if m:
                np.matmul(inputs.T, d[l], out=self.gradients[l])
                np.sum(d[l], axis=0, out=self.gradients[self.n + l])
            else:
                np.multiply(inputs[:, None], d[l], out=self.gradients[l])
                self.gradients[self.n + l][:] = d[l]
            if l:
                np.matmul(d[l], self.W[l].T, out=d[l - 1])
                multiply_by_slope(self.names[l - 1], a[l - 1], d[l - 1], scratch[l - 1])
        self.update()

    def update(self):
        h, method = self.workload.learning_rate, self.workload.optimizer
        self.steps += 1
        if method == "adam":
            h *= np.sqrt(1 - BETA_2**self.steps) / (1 - BETA_1**self.steps)
        for p, g, mean, square in zip((*self.W, *self.b), self.gradients, *self.state, strict=True):
            if method == "adam":
                mean *= BETA_1
                mean += (1 - BETA_1) * g
                square *= BETA_2
                np.multiply(g, g, out=g)
                g *= 1 - BETA_2
                square += g
                np.sqrt(square, out=g)
                g += EPSILON * np.sqrt(1 - BETA_2**self.steps)
                np.divide(mean, g, out=g)
            elif method == "momentum":
                mean *= MOMENTUM
                mean += g
                g[...] = mean
            g *= h
            p -= g


def prepare(workload, layers, X, T):
    batch = workload.batch
    if workload.job in ("calls", "predict"):
        net = Network(workload, layers, None if workload.job == "calls" else len(X))
        if workload.job == "calls":
            run = loop(net.forward, [(x, net.a) for x in X])
            return run, lambda: np.array([net.forward(x, net.a).copy() for x in X])
        return lambda: net.forward(X, net.a), lambda: net.a[-1]
    net = Network(workload, layers, None if batch == 1 else batch)
    if batch == 1:
        run = loop(net.step, list(zip(X, T, strict=True)))
    else:
        rng = np.random.default_rng(0)

        def run():
            order = rng.permutation(len(X)) if workload.shuffle else None
            for start in range(0, len(X), batch):
                rows = slice(start, start + batch) if order is None else order[start:start + batch]
                net.step(X[rows], T[rows])

    return run, lambda: flat(zip(net.W, net.b, strict=True))
