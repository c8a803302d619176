"""What a call from a compiled loop costs: a prediction and a training step of one sample through C, Cython, Numba and
`bind`, beside the kernel called from C with nothing around it. All in one process, in turn; the least of many rounds.

python benchmarks/embedding.py
"""

import ctypes
import importlib
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import timeit
from pathlib import Path

import numba
import numpy as np
from Cython.Build import cythonize
from setuptools import Extension
from setuptools.dist import Distribution

import fastbp
from fastbp import _dispatch

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "embedding"
SAMPLES, ROUNDS = 1000, 200


def compiled(*sources):
    """The Cython modules of these sources."""
    here = os.getcwd()
    os.chdir(tempfile.mkdtemp())
    includes = [fastbp.get_include(), str(ROOT / "src/fastbp/_kernels")]
    extensions = [Extension(source.stem, [str(source)], include_dirs=includes, extra_compile_args=["-O2"])
                  for source in sources]
    build = Distribution({"ext_modules": cythonize(extensions, include_path=[str(ROOT / "src")], build_dir=".",
                                                   quiet=True)})
    build.get_command_obj("build_ext").build_lib = "."
    build.run_command("build_ext")
    sys.path.insert(0, os.getcwd())
    os.chdir(here)
    return [importlib.import_module(source.stem) for source in sources]


def c_loop():
    library = Path(tempfile.mkdtemp(), "loop.so")
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    subprocess.run([*compiler, "-O2", "-std=c11", "-shared", "-fPIC", f"-I{fastbp.get_include()}", EXAMPLES / "loop.c",
                    "-o", library], check=True)
    return ctypes.CDLL(str(library))


def least(call):
    """Nanoseconds a sample."""
    return 1e9 * min(timeit.repeat(call, number=1, repeat=ROUNDS)) / SAMPLES


def by_c(library, c, X, T, Y):
    ns, m = ctypes.c_double(), ctypes.c_ssize_t(SAMPLES)
    predict, step = [], []
    for _ in range(ROUNDS):
        library.predict(c.handle, X.ctypes, Y.ctypes, m, 1, ctypes.byref(ns))
        predict.append(ns.value)
        library.train(c.handle, X.ctypes, T.ctypes, m, 1, ctypes.c_double(0.01), ctypes.byref(ns))
        step.append(ns.value)
    return min(predict), min(step)


def by_numba(c, X, T, Y):
    handle, predict, train_step, begin, end = c.address, c.predict, c.train_step, c.begin, c.end
    x, t, y, n_in, n_out = X.ctypes.data, T.ctypes.data, Y.ctypes.data, 8 * X.shape[1], 8 * T.shape[1]

    @numba.njit
    def predictions():
        for i in range(SAMPLES):
            predict(handle, x + i * n_in, 1, y + i * n_out)

    @numba.njit
    def steps(error):
        begin(handle)
        for i in range(SAMPLES):
            train_step(handle, x + i * n_in, t + i * n_out, 1, 0.01, error.ctypes)
        end(handle)

    error = np.empty(1)
    predictions()
    steps(error)
    return least(predictions), least(lambda: steps(error))


def by_bind(net, X, T):
    bound = net.bind(X[0].copy(), T[0].copy(), learning_rate=0.01)
    loop = range(SAMPLES)

    def empty():
        for _ in loop:
            pass

    def predictions(call=bound.predict):
        for _ in loop:
            call()

    def steps(call=bound.step):
        for _ in loop:
            call()

    return least(predictions) - least(empty), least(steps) - least(empty)


def main():
    kernel_loop, loop = compiled(Path(__file__).with_name("kernel_loop.pyx"), EXAMPLES / "loop.pyx")
    library = c_loop()
    print("float64, sigmoid, ns a call: predict, step (and how many times the kernel's)")
    for sizes in ([2, 2, 1], [4, 8, 3], [16, 32, 8]):
        rng = np.random.default_rng(0)
        X, T = rng.normal(size=(SAMPLES, sizes[0])), rng.uniform(0.2, 0.8, (SAMPLES, sizes[-1]))
        net = fastbp.Network(sizes, "sigmoid", seed=0)
        # As layout.pxi chooses: the level for narrow networks, if the widest layer fits into one of its vectors.
        levels = _dispatch.chosen()
        is_wide = max(sizes[1:]) * 8 > (16 if levels[0] == "baseline" else 32)
        module = importlib.import_module(f"fastbp._kernels.{levels[-1 if is_wide else 0]}_float64")
        Y, params = np.empty_like(T), net.params
        *kernel, outputs = kernel_loop.times(module.table, sizes, params, X, T, ROUNDS)
        c = net.ctypes
        results = {"kernel": kernel, "C": by_c(library, c, X, T, Y)}
        net.params = params
        capsule = net.capsule
        results["Cython"] = (least(lambda: loop.predict(capsule, X, Y, 1)),     # noqa: B023
                             least(lambda: loop.train(capsule, X, T, 1, 0.01)))  # noqa: B023
        net.params = params
        results["Numba"] = by_numba(c, X, T, Y)
        results["bind"] = by_bind(net, X, T)
        net.params = params
        assert np.array_equal(net.predict(X[:1]), outputs[:1]), "the kernel was called in a wrong way"
        for name, (predict, step) in results.items():
            print(f"{'-'.join(map(str, sizes)):8} {name:8} {predict:7.1f} ({predict / kernel[0]:.2f}) "
                  f"{step:7.1f} ({step / kernel[1]:.2f})")


if __name__ == "__main__":
    main()
