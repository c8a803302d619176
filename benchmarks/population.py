"""Populations against JAX's vmap, a loop over single networks and NumPy's einsum: ``python benchmarks/population.py``.

All sides of a row work on the same parameters and samples in one process and thread, in turn, many short times; the
figure is the least. Each peer's result is compared with fastbp's first, and one that differs gets no number. JAX is
left out where it is not installed. Samples are not shuffled where a peer takes part; "own orders" adds each network's
own order to fastbp's row.
"""

import argparse
from functools import partial
from time import perf_counter

import numpy as np

from fastbp.bench import peers

peers.one_thread()

import fastbp  # noqa: E402

RATE = 0.01


def data(sizes, m, seed=0):
    rng = np.random.default_rng(seed)
    X, T = rng.uniform(-1, 1, (m, sizes[0])), rng.uniform(0.1, 0.9, (m, sizes[-1]))
    return X.astype("float32"), T.astype("float32")


def least(sides, seconds):
    """The least time of each function, called in turn."""
    best = dict.fromkeys(sides, float("inf"))
    end = perf_counter() + seconds * len(sides)
    while perf_counter() < end:
        for name, call in sides.items():
            started = perf_counter()
            call()
            best[name] = min(best[name], perf_counter() - started)
    return best


def of_vmap(pop, X, T, batch):
    """An epoch of SGD for all networks by JAX: a scan over the batches of a vmap over the networks."""
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_platforms", "cpu")

    def loss(params, x, t):
        for W, b in params:
            x = jax.nn.sigmoid(x @ W + b)
        return jnp.sum((x - t) ** 2) / 2

    def step(params, samples):
        gradients = jax.vmap(jax.grad(loss), (0, None, None))(params, *samples)
        return jax.tree.map(lambda p, g: p - RATE * g, params, gradients), None

    batches = jnp.array(X).reshape(-1, batch, X.shape[1]), jnp.array(T).reshape(-1, batch, T.shape[1])
    epoch = jax.jit(lambda params: jax.lax.scan(step, params, batches)[0])
    params = [(jnp.array(W), jnp.array(b)) for W, b in zip(pop.weights, pop.biases, strict=True)]
    return lambda: [(np.asarray(W), np.asarray(b)) for W, b in jax.block_until_ready(epoch(params))]


def train(sizes, networks, m, batch, seconds):
    """Nanoseconds a sample and network of an epoch, by name."""
    X, T = data(sizes, m)
    pop = fastbp.Population(networks, sizes, dtype="float32", seed=0)
    nets = [*pop][:min(networks, 16)]
    fit = partial(pop.fit, X, T, epochs=1, batch_size=batch, learning_rate=RATE)
    sides = {"fastbp": partial(fit, shuffle=False), "fastbp, own orders": partial(fit, seed=1)}

    def loop():
        for net in nets:
            net.fit(X, T, epochs=1, batch_size=batch, learning_rate=RATE, shuffle=False)

    sides["loop over fit"] = loop
    try:
        vmap = of_vmap(pop, X, T, batch)
        expected = pop.copy()
        expected.fit(X, T, epochs=1, batch_size=batch, learning_rate=RATE, shuffle=False)
        if np.allclose(vmap()[0][0], expected.weights[0], atol=1e-4):
            sides["JAX's vmap"] = vmap
    except ImportError:
        pass
    counts = dict.fromkeys(sides, networks) | {"loop over fit": len(nets)}
    return {name: time / (counts[name] * m) * 1e9 for name, time in least(sides, seconds).items()}


def predict(seconds):
    """Microseconds of 64 predictions of 4-32-2, one own sample each, by name."""
    pop = fastbp.Population(64, [4, 32, 2], dtype="float32", seed=0)
    nets, X = [*pop], data([64 * 4, 1], 1)[0].reshape(64, 1, 4)
    rows = [x[0].copy() for x in X]
    layers = [(np.ascontiguousarray(W), np.ascontiguousarray(b)) for W, b in zip(pop.weights, pop.biases, strict=True)]

    def einsum():
        y = X[:, 0]
        for W, b in layers:
            y = 1 / (1 + np.exp(-(np.einsum("ki,kij->kj", y, W) + b)))
        return y

    def calls():
        for net, row in zip(nets, rows, strict=True):
            net.predict(row)

    assert np.allclose(einsum(), pop.predict(X)[:, 0], atol=1e-5)
    sides = {"fastbp": partial(pop.predict, X), "64 calls": calls, "NumPy's einsum": einsum}
    return {name: time * 1e6 for name, time in least(sides, seconds).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each side of each row")
    seconds = parser.parse_args().seconds
    for title, job in {
        "4-16-3, 1000 networks, batch 32": ([4, 16, 3], 1000, 128, 32),
        "4-16-3, 64 networks, batch 32": ([4, 16, 3], 64, 1024, 32),
        "8-32-32-1, 64 networks, batch 32": ([8, 32, 32, 1], 64, 256, 32),
        "2-2-1, 64 networks, on-line": ([2, 2, 1], 64, 4000, 1),
        "2-2-1, 1000 networks, on-line": ([2, 2, 1], 1000, 500, 1),
    }.items():
        print(f"{title}, ns a sample and network:", flush=True)
        for name, time in train(*job, seconds).items():
            print(f"    {name:<20}{time:>8.2f}", flush=True)
    print("64 predictions of 4-32-2, one own sample each, us:")
    for name, time in predict(seconds).items():
        print(f"    {name:<20}{time:>8.2f}")


if __name__ == "__main__":
    main()
