"""Levenberg-Marquardt beside its peers: ``python benchmarks/levenberg_marquardt.py [floor | goals]``.

`floor`: one iteration on sin(10 x) / (10 x), 1-20-1, 2000 samples, float64, from the same start, that of Nguyen and
Widrow; and how many iterations and how long it takes to a mean square of 1e-7. SciPy's MINPACK gets a Jacobian in
NumPy, and then fastbp's; pyrenn and optimistix, which do not stop there, are measured where they are installed.

`goals`: the problems of MATLAB's page on choosing a training function whose data can be made or had, from 30 starts
each: how many runs reach the goal within SECONDS, and the median time of these.

All times are seconds of one core's CPU, so that other programs matter little.
"""

import os
import sys

for name in [name for name in os.environ if name.startswith("OPENBLAS")]:
    del os.environ[name]
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
               "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}

import importlib.util  # noqa: E402
from time import process_time  # noqa: E402

import numpy as np  # noqa: E402
from scipy import optimize  # noqa: E402

import fastbp  # noqa: E402

SEEDS, SECONDS, GOAL = 30, 0.5, 1e-7


class Reached(Exception):
    """A run is over: the goal is reached, or there is no time left."""


# ---------------------------------------------------------------- the floor

def sinc():
    X = np.linspace(-1, 1, 2000)[:, None]
    return X, np.sinc(10 * X / np.pi)


def start(seed):
    """The bends of the hidden neurons are spread over the inputs."""
    return fastbp.Network([1, 20, 1], "tanh", "identity", init="nguyen_widrow", seed=seed)


def by_fastbp(seed, X, T):
    """(CPU seconds, iterations, mean square)."""
    net = start(seed)
    began = process_time()
    history = net.fit(X, T, epochs=200, optimizer="lm", desired_error=GOAL**0.5)
    return process_time() - began, len(history), net.rms(X, T)**2


def in_numpy(w, x):
    """The Jacobian of 1-20-1 with tanh, as one writes it in NumPy, and the outputs."""
    W, b, v, c = w[:20], w[20:40], w[40:60], w[60]
    a = np.tanh(x * W + b)
    d = (1 - a * a) * v
    return a @ v + c, np.hstack([x * d, d, a, np.ones_like(x)])


def by_minpack(seed, X, T, jacobian):
    net = start(seed)
    t, iterations = T[:, 0], []

    def residuals(w):
        e = in_numpy(w, X)[0] - t
        if e @ e <= GOAL * len(e):
            raise Reached(e @ e / len(e))
        return e

    def slopes(w):
        iterations.append(1)
        if jacobian == "NumPy":
            return in_numpy(w, X)[1]
        net.params = w
        return net.param_jacobian(X)[:, 0]

    began = process_time()
    try:
        result = optimize.least_squares(residuals, net.params, slopes, method="lm", max_nfev=200)
        square = 2 * result.cost / len(t)
    except Reached as reached:
        square = reached.args[0]
    return process_time() - began, len(iterations), square


def by_optimistix(seed, X, T):
    import jax
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import optimistix

    x, t = jnp.asarray(X), jnp.asarray(T[:, 0])

    def residuals(w, _):
        return jnp.tanh(x * w[:20] + w[20:40]) @ w[40:60] + w[60] - t

    solver = optimistix.LevenbergMarquardt(rtol=1e-12, atol=1e-12)
    w = jnp.asarray(np.array(start(seed).params))

    def run(steps):
        return optimistix.least_squares(residuals, solver, w, max_steps=steps, throw=False)

    run(100)    # compiled
    began = process_time()
    solution = run(100)
    square = float(jnp.mean(residuals(solution.value, None)**2))
    return process_time() - began, int(solution.stats["num_steps"]), square


def by_pyrenn(seed, X, T):
    import pyrenn
    net = pyrenn.CreateNN([1, 20, 1])
    # Its order: input weights, biases, and so on, layer by layer.
    W, v = start(seed).weights
    b, c = start(seed).biases
    net["w"] = np.concatenate([W.ravel(), b, v.ravel(), c])
    began = process_time()
    net = pyrenn.train_LM(X.T, T.T, net, k_max=5, verbose=False)
    return process_time() - began, 5, float(np.mean((pyrenn.NNOut(X.T, net) - T.T)**2))


def floor():
    X, T = sinc()
    peers = {"fastbp": by_fastbp,
             "MINPACK, NumPy's Jacobian": lambda *run: by_minpack(*run, "NumPy"),
             "MINPACK, fastbp's Jacobian": lambda *run: by_minpack(*run, "fastbp")}
    peers |= {module: run for module, run in (("optimistix", by_optimistix), ("pyrenn", by_pyrenn))
              if importlib.util.find_spec(module)}
    results = {peer: [] for peer in peers}
    least = min(np.diff(start(seed).fit(X, T, epochs=100, optimizer="lm").seconds).min() for seed in range(10))
    for seed in range(10):
        for peer, run in peers.items():     # in turn
            if seed < 3 or peer == "fastbp" or peer.startswith("MINPACK"):
                results[peer].append(run(seed, X, T))
    print("sin(10 x) / (10 x), 1-20-1, 61 parameters, 2000 samples, float64")
    print(f"fastbp, an iteration whose first try is accepted: {1e3 * least:.3f} ms")
    for peer, runs in results.items():
        seconds, iterations, squares = np.transpose(runs)
        reached = squares <= GOAL
        print(f"{peer:<28}{1e3 * (seconds / iterations).min():8.3f} ms an iteration; mean square 1e-7: {reached.sum()} "
              f"of {len(runs)} starts", end="")
        if reached.any():
            print(f", median {np.median(iterations[reached]):g} iterations and {1e3 * np.median(seconds[reached]):.1f} "
                  f"ms, most {iterations[reached].max():g} and {1e3 * seconds[reached].max():.1f} ms", end="")
        print(flush=True)


# ---------------------------------------------------------------- MATLAB's problems

def problems():
    """Name: X, T, layer sizes, mean square to reach."""
    X = np.linspace(-1, 1, 41)[:, None]
    yield "SIN 1-5-1", X, np.sin(np.pi * X), [1, 5, 1], 0.002
    yield "SIN 1-5-1", X, np.sin(np.pi * X), [1, 5, 1], 1e-6
    bits = np.array([[i >> k & 1 for k in range(3)] for i in range(8)])
    yield "PARITY 3-10-10-1", 2.0 * bits - 1, 2.0 * (bits.sum(axis=1, keepdims=True) % 2) - 1, [3, 10, 10, 1], 0.001
    if importlib.util.find_spec("sklearn"):
        from sklearn.datasets import load_breast_cancer, load_diabetes
        X, labels = load_breast_cancer(return_X_y=True)
        yield "CANCER 30-5-5-2", scaled(X), np.eye(2)[labels], [30, 5, 5, 2], 0.012
        X, t = load_diabetes(return_X_y=True)
        yield "DISEASE 10-15-1", scaled(X), scaled(t[:, None]), [10, 15, 1], 0.05


def scaled(X):
    """From -1 to 1, as MATLAB does."""
    return 2 * (X - X.min(axis=0)) / np.ptp(X, axis=0) - 1


def by_fit(net, X, T, goal, **options):
    """The CPU seconds until the goal is reached; infinity if it is not."""
    began = process_time()
    history = net.fit(X, T, epochs=10**6, desired_error=goal**0.5,
                      callbacks=lambda state: process_time() - began > SECONDS, **options)
    return process_time() - began if history.stop_reason == "desired_error" else np.inf


def by_least_squares(net, X, T, goal):
    began = process_time()

    def residuals(w):
        net.params = w
        e = (net.predict(X) - T).ravel()
        if e @ e <= goal * e.size or process_time() - began > SECONDS:
            raise Reached(e @ e <= goal * e.size)
        return e

    def slopes(w):
        net.params = w
        return net.param_jacobian(X).reshape(-1, net.n_params)

    try:
        # MINPACK refuses fewer residuals than parameters.
        optimize.least_squares(residuals, net.params, slopes, method="lm" if T.size >= net.n_params else "trf")
    except Reached as reached:
        return process_time() - began if reached.args[0] else np.inf
    return np.inf


METHODS = {
    "Levenberg-Marquardt": lambda *run: by_fit(*run, optimizer="lm"),
    "the same in SciPy": by_least_squares,
    "L-BFGS": lambda *run: by_fit(*run, optimizer="lbfgs"),
    "Rprop": lambda *run: by_fit(*run, optimizer="rprop"),
    "Adam(0.01), batches of 32": lambda *run: by_fit(*run, optimizer=fastbp.Adam(0.01), batch_size=32),
}


def goals():
    for name, X, T, layer_sizes, goal in problems():
        print(f"{name}, mean square {goal}, {len(X)} samples:")
        for method, run in METHODS.items():
            seconds = np.array([run(fastbp.Network(layer_sizes, "tanh", "identity", seed=seed, reduction="mean"), X, T,
                                    goal) for seed in range(SEEDS)])
            reached = np.isfinite(seconds)
            median = f"{1e3 * np.median(seconds[reached]):8.1f} ms" if reached.any() else "       -"
            print(f"    {method:<28}{reached.sum():3} of {SEEDS} {median}", flush=True)


def main():
    parts = {"floor": floor, "goals": goals}
    for part in sys.argv[1:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
