"""One adapter a peer.

An adapter module has `NAME`, `version()` (which raises ImportError where the peer is not installed) and
`prepare(workload, layers, X, T)`. The latter returns None where the peer cannot do this work, else a pair: `run()`,
which does it once and is what is timed, and `result()`, which returns the parameters as one flat vector (after
training), or the outputs (after predicting). What can be done once is done by `prepare`: compiling, allocating,
conversions.
"""

import importlib
import os

NAMES = ("fastbp", "fastbp_bind", "numpy", "numba", "jax", "torch", "torch_compiled", "sklearn", "onnxruntime", "fann")


def one_thread():
    """Keep every peer to one thread, and OpenBLAS to its own choice of kernels; for a process that has loaded none."""
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
                 "FASTBP_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def load(name):
    """The adapter of that name; ImportError where its peer is not installed."""
    adapter = importlib.import_module(f"fastbp.bench.peers.{name}_")
    adapter.version()
    return adapter


def loop(step, rows):
    """A function that calls step(*row) for each row, as a user's loop would."""

    def run():
        for row in rows:
            step(*row)

    return run
