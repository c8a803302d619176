"""JAX: everything compiled, an epoch as one scan over its batches, the old parameters given away for the new."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, flat

NAME = "JAX"
ACTIVATIONS = {"identity": lambda r: r, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


def version():
    return jax.__version__


def prepare(workload, layers, X, T):
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", workload.dtype == "float64")
    last = len(layers) - 1
    h, method, batch = workload.learning_rate, workload.optimizer, workload.batch

    def forward(params, x):
        for l, (W, b) in enumerate(params):
            x = x @ W + b
            if l < last or workload.output != "softmax":
                x = ACTIVATIONS[workload.hidden if l < last else workload.output](x)
        return x

    def loss(params, x, t):
        y = forward(params, x)
        cross_entropy = workload.loss == "cross_entropy"
        total = -jnp.sum(t * jax.nn.log_softmax(y)) if cross_entropy else jnp.sum((y - t) ** 2) / 2
        return total / (1 if x.ndim == 1 else len(x))

    def step(carry, sample):
        params, means, squares, steps = carry
        error, gradient = jax.value_and_grad(loss)(params, *sample)
        steps += 1
        tree = jax.tree.map
        if method == "adam":
            means = tree(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, means, gradient)
            squares = tree(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, squares, gradient)
            root = jnp.sqrt(1 - BETA_2**steps)
            rate = h * root / (1 - BETA_1**steps)
            params = tree(lambda p, m, v: p - (rate * m / (jnp.sqrt(v) + EPSILON * root)).astype(p.dtype),
                          params, means, squares)
        elif method == "momentum":
            means = tree(lambda m, g: MOMENTUM * m + g, means, gradient)
            params = tree(lambda p, m: p - h * m, params, means)
        else:
            params = tree(lambda p, g: p - h * g, params, gradient)
        return (params, means, squares, steps), error

    params = jax.tree.map(jnp.array, [tuple(layer) for layer in layers])
    if workload.job in ("calls", "predict"):
        predict = jax.jit(forward)
        rows = [jnp.array(x) for x in X] if workload.job == "calls" else jnp.array(X)
        if workload.job == "predict":
            return lambda: predict(params, rows).block_until_ready(), lambda: predict(params, rows)
        call = loop(lambda x: predict(params, x).block_until_ready(), [(x,) for x in rows])
        return call, lambda: [predict(params, x) for x in rows]

    def zeros():
        return jax.tree.map(jnp.zeros_like, params)

    needed = {"sgd": (None, None), "momentum": (zeros(), None), "adam": (zeros(), zeros())}[method]
    state = [(params, *needed, jnp.zeros((), "float32"))]
    if workload.job == "steps":
        compiled = jax.jit(step, donate_argnums=0)
        samples = [(jnp.array(x), jnp.array(t)) for x, t in zip(X, T, strict=True)]

        def run():
            for sample in samples:
                state[0], error = compiled(state[0], sample)
            error.block_until_ready()
    else:
        whole = len(X) // batch * batch

        @partial(jax.jit, donate_argnums=0)
        def epoch(carry, X, T, order):
            if order is not None:
                X, T = X[order], T[order]
            if batch == 1:
                return jax.lax.scan(step, carry, (X, T))[0]
            batches = tuple(rows[:whole].reshape(-1, batch, rows.shape[1]) for rows in (X, T))
            carry = jax.lax.scan(step, carry, batches)[0] if len(batches[0]) > 1 else step(
                carry, (X[:whole], T[:whole]))[0]
            return carry if whole == len(X) else step(carry, (X[whole:], T[whole:]))[0]

        rng, inputs, targets = np.random.default_rng(0), jnp.array(X), jnp.array(T)

        def run():
            order = rng.permutation(len(X)) if workload.shuffle else None
            state[0] = jax.block_until_ready(epoch(state[0], inputs, targets, order))

    return run, lambda: flat([tuple(map(np.asarray, layer)) for layer in state[0][0]])
