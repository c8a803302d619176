"""Numba: on-line, loops written by hand whose sizes the compiler knows; for batches its calls of BLAS.

Hand-written loops for the products of a batch were slower even at 32 rows of 32 numbers.
"""

from math import exp, sqrt, tanh

import numba
import numpy as np

from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, flat

NAME = "Numba"

compiled = numba.njit(fastmath=True, error_model="numpy")


def version():
    return numba.__version__


@compiled
def tanh_32(r):
    """Lambert's continued fraction, nine levels of it: unlike math.tanh it is compiled to vector instructions."""
    r = min(max(r, np.float32(-7)), np.float32(7))
    q = r * r
    upper = (((q + np.float32(990)) * q + np.float32(135135)) * q + np.float32(4729725)) * q + np.float32(34459425)
    lower = (((np.float32(45) * q + np.float32(13860)) * q + np.float32(945945)) * q + np.float32(16216200)) * q
    return upper * r / (lower + np.float32(34459425))


def activation(name, dtype):
    one = dtype(1)
    if name == "tanh" and dtype is np.float32:
        return tanh_32
    return compiled({
        "identity": lambda r: r, "sigmoid": lambda r: one / (one + exp(-r)), "tanh": lambda r: dtype(tanh(r)),
        "relu": lambda r: max(r, dtype(0)), "softmax": lambda r: r}[name])


def slope(name, dtype):
    one = dtype(1)
    return compiled({
        "identity": lambda a: one, "sigmoid": lambda a: a * (one - a), "tanh": lambda a: one - a * a,
        "relu": lambda a: dtype(1) if a > 0 else dtype(0)}[name])


# Up to this width the compiler does well to know all sizes and where each number lies in one array, for it unrolls the
# loops; wider ones it then fails to vectorise, and separate arrays serve better.
WIDEST_UNROLLED = 8


def online_unrolled(workload):
    """Two layers, their parameters and then scratch in one array: (x, t, p) for one sample, (X, T, p) for many."""
    n0, n1, n2 = workload.sizes
    b1, w2, b2, end = np.cumsum([n0 * n1, n1, n1 * n2, n2]).tolist()
    dtype = np.dtype(workload.dtype).type
    h, g, gs = dtype(workload.learning_rate), activation(workload.hidden, dtype), slope(workload.hidden, dtype)

    @compiled
    def step(x, t, p, a, d, y):
        for j in range(n1):
            a[j] = p[b1 + j]
        for i in range(n0):
            for j in range(n1):
                a[j] += x[i] * p[i * n1 + j]
        for j in range(n1):
            a[j] = g(a[j])
        for k in range(n2):
            y[k] = p[b2 + k]
        for j in range(n1):
            for k in range(n2):
                y[k] += a[j] * p[w2 + j * n2 + k]
        error = dtype(0)
        for k in range(n2):
            o = g(y[k])
            e = o - t[k]
            error += e * e
            y[k] = h * e * gs(o)
            p[b2 + k] -= y[k]
        for j in range(n1):
            s = dtype(0)
            for k in range(n2):
                s += y[k] * p[w2 + j * n2 + k]
                p[w2 + j * n2 + k] -= y[k] * a[j]
            d[j] = s * gs(a[j])
            p[b1 + j] -= d[j]
        for i in range(n0):
            for j in range(n1):
                p[i * n1 + j] -= x[i] * d[j]
        return error / 2

    @compiled
    def one(x, t, p):
        return step(x, t, p, p[end:], p[end + n1:], p[end + 2 * n1:])

    @compiled
    def many(X, T, p):
        a, d, y = np.empty(n1, p.dtype), np.empty(n1, p.dtype), np.empty(n2, p.dtype)
        error = dtype(0)
        for i in range(len(X)):
            error += step(X[i], T[i], p, a, d, y)
        return error

    return one, many


def online_looped(workload):
    """The same for wider layers."""
    n0, n1, n2 = workload.sizes
    b1, w2, b2, a, d, y, end = np.cumsum([n0 * n1, n1, n1 * n2, n2, n1, n1, n2]).tolist()
    dtype = np.dtype(workload.dtype).type
    h, g, gs = dtype(workload.learning_rate), activation(workload.hidden, dtype), slope(workload.hidden, dtype)

    @compiled
    def forward(x, W, b, r):
        for j in range(len(r)):
            r[j] = b[j]
        for i in range(len(x)):
            for j in range(len(r)):
                r[j] += x[i] * W[i, j]
        for j in range(len(r)):
            r[j] = g(r[j])

    @compiled
    def descend(W, b, x, d):
        for j in range(len(d)):
            b[j] -= d[j]
        for i in range(len(x)):
            for j in range(len(d)):
                W[i, j] -= x[i] * d[j]

    @compiled
    def step(x, t, W1, b1, W2, b2, a, d, y):
        forward(x, W1, b1, a)
        forward(a, W2, b2, y)
        error = dtype(0)
        for k in range(len(y)):
            e = y[k] - t[k]
            error += e * e
            y[k] = h * e * gs(y[k])
        for j in range(len(a)):
            s = dtype(0)
            for k in range(len(y)):
                s += y[k] * W2[j, k]
            d[j] = s * gs(a[j])
        descend(W2, b2, a, y)
        descend(W1, b1, x, d)
        return error / 2

    @compiled
    def many(X, T, p):
        W1, W2 = p[:b1].reshape(n0, n1), p[w2:b2].reshape(n1, n2)
        error = dtype(0)
        for i in range(len(X)):
            error += step(X[i], T[i], W1, p[b1:w2], W2, p[b2:a], p[a:d], p[d:y], p[y:end])
        return error

    @compiled
    def one(x, t, p):
        W1, W2 = p[:b1].reshape(n0, n1), p[w2:b2].reshape(n1, n2)
        return step(x, t, W1, p[b1:w2], W2, p[b2:a], p[a:d], p[d:y], p[y:end])

    return one, many


def one_row(workload):
    """Prediction of one sample: (x, p, scratch) with the layers' parameters one after the other in p."""
    sizes = workload.sizes
    widest, n_layers = max(sizes), len(sizes) - 1
    dtype = np.dtype(workload.dtype).type
    g = activation(workload.hidden, dtype)

    @compiled
    def predict(x, p):
        y = np.empty(sizes[-1], p.dtype)
        a, b = np.empty(widest, p.dtype), np.empty(widest, p.dtype)
        a[:len(x)] = x
        start = 0
        for l in range(n_layers):
            n_in, n_out = sizes[l], sizes[l + 1]
            bias = start + n_in * n_out
            for j in range(n_out):
                b[j] = p[bias + j]
            for i in range(n_in):
                for j in range(n_out):
                    b[j] += a[i] * p[start + i * n_out + j]
            if l + 1 < n_layers:
                for j in range(n_out):
                    b[j] = g(b[j])
            start = bias + n_out
            a, b = b, a
        for j in range(sizes[-1]):
            y[j] = a[j]
        return y

    return predict


def rows(workload):
    """Forward and training for batches, on tuples of arrays, one for each layer."""
    n_layers = len(workload.sizes) - 1
    last = n_layers - 1
    dtype = np.dtype(workload.dtype).type
    g, gs, softmax = activation(workload.hidden, dtype), slope(workload.hidden, dtype), workload.output == "softmax"
    everywhere = workload.output == workload.hidden     # elsewhere outputs are identities or a softmax, with d = y - t
    method, rate = workload.optimizer, workload.learning_rate
    mu, beta_1, beta_2 = dtype(MOMENTUM), dtype(BETA_1), dtype(BETA_2)

    @compiled
    def layer(x, W, b, r, activated):
        np.dot(x, W, r)
        for i in range(len(x)):
            for j in range(len(b)):
                r[i, j] += b[j]
            if activated:
                for j in range(len(b)):
                    r[i, j] = g(r[i, j])

    @compiled
    def softmax_rows(r):
        for i in range(len(r)):
            top, total = r[i].max(), dtype(0)
            for j in range(r.shape[1]):
                r[i, j] = exp(r[i, j] - top)
                total += r[i, j]
            for j in range(r.shape[1]):
                r[i, j] /= total

    @compiled
    def forward(x, W, b, a):
        for l in range(n_layers):
            layer(x, W[l], b[l], a[l], everywhere or l < last)
            x = a[l]
        if softmax:
            softmax_rows(x)

    @compiled
    def layer_gradients(inputs, d, G, gb):
        np.dot(inputs.T, d, G)
        gb[:] = 0
        for i in range(len(d)):
            for j in range(len(gb)):
                gb[j] += d[i, j]

    @compiled
    def deltas_before(d, W, a, before):
        np.dot(d, W.T, before)
        for i in range(len(d)):
            for k in range(len(W)):
                before[i, k] *= gs(a[i, k])

    @compiled
    def gradients(x, t, W, a, d, G, gb):
        m = dtype(len(x))
        for i in range(len(x)):
            for j in range(t.shape[1]):
                d[last][i, j] = (a[last][i, j] - t[i, j]) / m
                if everywhere:
                    d[last][i, j] *= gs(a[last][i, j])
        for l in range(last, -1, -1):
            layer_gradients(a[l - 1] if l > 0 else x, d[l], G[l], gb[l])
            if l > 0:
                deltas_before(d[l], W[l], a[l - 1], d[l - 1])

    @compiled
    def update(p, g, mean, square, h, epsilon):
        p, g, mean, square = p.ravel(), g.ravel(), mean.ravel(), square.ravel()
        for i in range(p.size):
            if method == "adam":
                mean[i] = beta_1 * mean[i] + (dtype(1) - beta_1) * g[i]
                square[i] = beta_2 * square[i] + (dtype(1) - beta_2) * g[i] * g[i]
                p[i] -= h * mean[i] / (dtype(sqrt(square[i])) + epsilon)
            elif method == "momentum":
                mean[i] = mu * mean[i] + g[i]
                p[i] -= h * mean[i]
            else:
                p[i] -= h * g[i]

    @compiled
    def epoch(X, T, order, batch, x, t, W, b, full_a, full_d, tail_a, tail_d, G, gb, Wm, Ws, bm, bs, steps):
        """`order` is empty where the rows are taken as they stand; the tails are the rows of a last, shorter batch."""
        for start in range(0, len(X), batch):
            m = min(batch, len(X) - start)
            xs, ts = X[start:start + m], T[start:start + m]
            if order.size:
                for i in range(m):
                    x[i] = X[order[start + i]]
                    t[i] = T[order[start + i]]
                xs, ts = x[:m], t[:m]
            a, d = (full_a, full_d) if m == batch else (tail_a, tail_d)
            forward(xs, W, b, a)
            gradients(xs, ts, W, a, d, G, gb)
            steps += 1
            h, epsilon = rate, EPSILON
            if method == "adam":
                correction = sqrt(1 - BETA_2**steps)
                h *= correction / (1 - BETA_1**steps)
                epsilon *= correction
            for l in range(n_layers):
                update(W[l], G[l], Wm[l], Ws[l], dtype(h), dtype(epsilon))
                update(b[l], gb[l], bm[l], bs[l], dtype(h), dtype(epsilon))
        return steps

    return forward, epoch


def prepare(workload, layers, X, T):
    if workload.job == "steps" or (workload.job == "train" and workload.batch == 1):
        one, many = (online_unrolled if max(workload.sizes) <= WIDEST_UNROLLED else online_looped)(workload)
        _, n_hidden, n_outputs = workload.sizes
        n_params = flat(layers).size
        p = np.concatenate([flat(layers), np.zeros(2 * n_hidden + n_outputs, workload.dtype)])
        warm = p.copy()
        many(X, T, warm)
        one(X[0], T[0], warm)
        run = (lambda: many(X, T, p)) if workload.job == "train" else loop(
            one, [(x, t, p) for x, t in zip(X, T, strict=True)])
        return run, lambda: p[:n_params]
    if workload.job == "calls":
        predict, p = one_row(workload), flat(layers)
        predict(X[0], p)
        return loop(predict, [(x, p) for x in X]), lambda: np.array([predict(x, p) for x in X])

    forward, epoch = rows(workload)
    W, b = tuple(W.copy() for W, _ in layers), tuple(b.copy() for _, b in layers)
    n_rows = workload.batch if workload.job == "train" else len(X)
    a, d = (tuple(np.empty((n_rows, n), workload.dtype) for n in workload.sizes[1:]) for _ in range(2))
    if workload.job == "predict":
        forward(X, W, b, a)
        return lambda: forward(X, W, b, a), lambda: a[-1]
    zeros = [tuple(np.zeros_like(p) for p in parts) for parts in (W, b) * 3]
    G, gb, Wm, bm, Ws, bs = zeros
    tails = [tuple(rows[:len(X) % n_rows] for rows in part) for part in (a, d)]
    x, t = X[:n_rows].copy(), T[:n_rows].copy()
    rng, none, steps = np.random.default_rng(0), np.empty(0, np.int64), [0]

    def run():
        order = rng.permutation(len(X)) if workload.shuffle else none
        steps[0] = epoch(X, T, order, workload.batch, x, t, W, b, a, d, *tails, G, gb, Wm, Ws, bm, bs, steps[0])

    # Compiled on copies: nothing of this counts.
    copies = [tuple(p.copy() for p in parts) for parts in (W, b, a, d, *tails, G, gb, Wm, Ws, bm, bs)]
    epoch(X, T, none, workload.batch, x, t, *copies, 0)
    return run, lambda: flat(zip(W, b, strict=True))
