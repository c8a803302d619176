"""Networks as C headers: compiled by every compiler that is installed, with all warnings, and compared with `predict`.

A header is compiled into a shared library whose functions take many samples at once; ctypes calls them.
"""

import ctypes
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reference import ACTIVATIONS

import fastbp
from fastbp import cli
from fastbp.c_source import functions, real

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
COMPILERS = {
    "gcc, C99": ["gcc", "-std=c99"],
    "gcc, C99, AVX2": ["gcc", "-std=c99", "-mavx2", "-mfma"],
    "gcc, C99, AVX-512": ["gcc", "-std=c99", "-mavx512f"],
    "gcc, C99, plain": ["gcc", "-std=c99", "-Dnet_PLAIN"],
    "gcc, C++17": ["g++", "-std=c++17"],
    "clang, C99": ["clang", "-std=c99"],
    "clang, C++17, AVX2": ["clang++", "-std=c++17", "-mavx2"],
}
FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
REAL = {"float32": "float", "float64": "double", "int16": "int16_t"}
# How much an activation can stretch an error: the largest slope, of exp that of the largest output.
STEEPEST = {"sigmoid": 0.25, "softmax": 1.0, "silu": 1.1, "gelu": 1.13}
SIZES = [3, 9, 5, 2]


def usable(compiler):
    """The compiler's command, or a skip where the processor cannot run what it makes."""
    command = COMPILERS[compiler]
    for flag, name in (("-mavx2", "avx2"), ("-mavx512f", "avx512f")):
        if flag in command and name not in FLAGS:
            pytest.skip(f"the processor has no {name}")
    return command


class Compiled:
    """The functions of one or more headers, each for rows of samples."""

    counter = itertools.count()

    def __init__(self, directory, compiler, dtype, names=("net",), jacobian=False, flags=("-O1",)):
        if not shutil.which(compiler[0]):
            pytest.skip(f"{compiler[0]} is not installed")
        number, wrappers = REAL[dtype], ""
        for name in names:
            for function, arguments in [("predict", "x, y"), ("jacobian", "x, y, J")][:1 + jacobian]:
                head = f"void all_{name}_{function}(const {number} *x, {number} *y, {number} *J, int m)"
                wrappers += (f"{head};\n{head}\n{{\n    (void)J;\n    for (int i = 0; i < m; i++, x += {name}_N_INPUTS,"
                             f" y += {name}_N_OUTPUTS, J += {name}_N_INPUTS * {name}_N_OUTPUTS)"
                             f" {name}_{function}({arguments});\n}}\n")
        includes = "".join(f'#include "{name}.h"\n' for name in names)
        cpp = "++" in compiler[0]
        source = directory / f"wrapper.{'cpp' if cpp else 'c'}"
        source.write_text(includes + ('extern "C" {\n' + wrappers + "}\n" if cpp else wrappers))
        library = directory / f"wrapper{next(self.counter)}.so"
        # Linked by itself: gcc links what flushes subnormal numbers in the whole process where it is told -ffast-math.
        for command in ([*compiler, *flags, *WARNINGS, "-fPIC", "-c", source.name, "-o", "wrapper.o"],
                        [compiler[0], "-shared", "wrapper.o", "-o", library.name, "-lm"]):
            subprocess.run(command, cwd=directory, check=True, timeout=300)
        self.library, self.dtype = ctypes.CDLL(str(library)), dtype

    def __call__(self, function, X, n_outputs, name="net"):
        X = np.ascontiguousarray(X, self.dtype)
        Y, J = np.zeros((len(X), n_outputs), self.dtype), np.zeros((len(X), n_outputs, X.shape[1]), self.dtype)
        call = getattr(self.library, f"all_{name}_{function}")
        call(*(array.ctypes.data_as(ctypes.c_void_p) for array in (X, Y, J)), len(X))
        return Y, J


def bound(net, X):
    """docs/embedding.md's bound of |header - predict|, for each sample and output."""
    eps = np.finfo(net.dtype).eps
    _, error, outputs = None, np.zeros_like(X, dtype=float), [X, *net.layer_outputs(X)]
    for W, b, activation, a, y in zip(net.weights, net.biases, net.activations, outputs[:-1], outputs[1:], strict=True):
        W, a, b, y = (np.asarray(array, float) for array in (W, a, b, y))
        size = abs(a) @ abs(W) + abs(b)
        error = error @ abs(W) + (len(W) + 2) * eps * (size + error @ abs(W))
        if activation == "exp":
            error = y * np.expm1(error)
        elif activation == "softmax":
            error = np.repeat(error.max(axis=1, keepdims=True), W.shape[1], axis=1) + size.max() * eps
        else:
            error = error * STEEPEST.get(activation, 1.0)
        error += 8 * eps * np.maximum(1, abs(y))
    return error


def problem(rng, activation, dtype):
    """A network whose numbers are of size 1 and not at a step or kink, and samples."""
    layers = ["exp", "tanh", "exp"] if activation == "exp" else activation      # exp of an exp is soon infinite
    net = fastbp.Network(SIZES, layers, dtype=dtype, seed=rng)
    X = rng.uniform(-2, 2, (200, SIZES[0])).astype(dtype)
    outputs = [X, *net.layer_outputs(X)]
    near = [abs(a @ W + b).min(axis=1) < 1e-3
            for W, b, a in zip(net.weights, net.biases, outputs[:-1], strict=True)]
    return net, X[~np.any(near, axis=0)]


@pytest.mark.parametrize("libm", [False, True])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_activation_equals_predict(compiler, dtype, libm, rng, tmp_path):
    """All in one file, for a compiler takes longer to start than to compile one."""
    command = usable(compiler)
    problems = {activation: problem(rng, activation, dtype) for activation in ACTIVATIONS}
    for activation, (net, _) in problems.items():
        assert net.to_c(tmp_path / f"{activation}.h", jacobian=True, libm=libm) is None
    compiled = Compiled(tmp_path, command, dtype, ACTIVATIONS, jacobian=True)
    for activation, (net, X) in problems.items():
        assert len(X) > 100
        Y, _ = compiled("predict", X, SIZES[-1], activation)
        assert (abs(Y - net.predict(X)) <= bound(net, X)).all(), activation
        again, J = compiled("jacobian", X, SIZES[-1], activation)
        np.testing.assert_allclose(again, Y, rtol=4 * np.finfo(dtype).eps, err_msg=activation)
        truth = net.jacobian(X)
        assert abs(J - truth).max() <= 200 * np.finfo(dtype).eps * max(1, abs(truth).max()), activation


@pytest.mark.parametrize("sizes", [[1, 1], [5, 1], [1, 5], [2, 17, 3], [17, 4, 3, 16], [3, 33, 8, 8, 1], [40, 2, 40]])
@pytest.mark.parametrize("compiler", ["gcc, C99", "gcc, C99, AVX-512", "gcc, C99, plain"])
def test_shapes_and_both_ways_to_the_jacobian(sizes, compiler, dtype, rng, tmp_path):
    command = usable(compiler)
    net = fastbp.Network(sizes, "tanh", "identity", dtype=dtype, seed=rng)
    X = rng.uniform(-1, 1, (7, sizes[0])).astype(dtype)
    net.to_c(tmp_path / "net.h", jacobian=True)
    text = (tmp_path / "net.h").read_text()
    assert ("on the way back" in text) == ("_transposed" in text) == real.is_reverse_cheaper(tuple(sizes))
    Y, J = Compiled(tmp_path, command, dtype, jacobian=True)("jacobian", X, sizes[-1])
    assert (abs(Y - net.predict(X)) <= bound(net, X)).all()
    np.testing.assert_allclose(J, net.jacobian(X), atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("sizes", [[3, 4, 5, 2], [2, 4, 5, 3]])
@pytest.mark.parametrize("hidden", ["softmax", "identity"])
def test_jacobian_through_a_hidden_softmax(sizes, hidden, dtype, rng, tmp_path):
    net = fastbp.Network(sizes, [hidden, "tanh", "softmax"], dtype=dtype, seed=rng)
    X = rng.uniform(-1, 1, (7, sizes[0]))
    net.to_c(tmp_path / "net.h", jacobian=True)
    _, J = Compiled(tmp_path, ["gcc", "-std=c99"], dtype, jacobian=True)("jacobian", X, sizes[-1])
    np.testing.assert_allclose(J, net.jacobian(X), atol=50 * np.finfo(dtype).eps)


def test_multiplications_of_the_jacobian():
    assert real.is_reverse_cheaper((4, 32, 32, 2))      # 2 rows back through 4x32 and 32x32; 4 forth
    assert not real.is_reverse_cheaper((2, 32, 32, 4))
    assert not real.is_reverse_cheaper((4, 2))          # one layer is its own Jacobian


@pytest.mark.parametrize("libm", [False, True])
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_far_away_and_not_finite(activation, dtype, libm, tmp_path):
    net = fastbp.Network([1, 1], activation, dtype=dtype, init=[1, 0])
    net.to_c(tmp_path / "net.h", libm=libm)
    sizes = np.array([0, 1e-30, 30, 88, 120, 700, 720, 1e6, 1e30, np.inf])
    x = np.concatenate([[np.nan], sizes, -sizes])
    if activation == "sin" and not libm:    # NaN beyond SIN_BOUND
        x = x[abs(x) < float(functions.CONSTANTS[dtype]["SIN_BOUND"])]
    for compiler in (["gcc", "-std=c99"], ["gcc", "-std=c99", "-Dnet_PLAIN"]):
        Y, _ = Compiled(tmp_path, compiler, dtype)("predict", x[:, None], 1)
        expected = net.predict(x[:, None])
        np.testing.assert_array_equal(np.isfinite(Y), np.isfinite(expected))
        np.testing.assert_allclose(Y, expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


def test_sin_says_where_it_ends(dtype, tmp_path):
    net = fastbp.Network([1, 1], "sin", dtype=dtype, init=[1, 0])
    net.to_c(tmp_path / "net.h")
    bound = float(functions.CONSTANTS[dtype]["SIN_BOUND"])
    Y, _ = Compiled(tmp_path, ["gcc", "-std=c99"], dtype)("predict", np.c_[[0.99 * bound, 1.01 * bound]], 1)
    assert np.isfinite(Y[0]).all() and np.isnan(Y[1]).all()


def test_fast_math_breaks_nothing(dtype, rng, tmp_path):
    net = fastbp.Network(SIZES, "tanh", "sigmoid", dtype=dtype, seed=rng)
    X = rng.uniform(-2, 2, (100, SIZES[0]))
    net.to_c(tmp_path / "net.h")
    for flags in (["-O2", "-ffast-math"], ["-O3", "-ffast-math", "-Dnet_PLAIN"]):
        Y, _ = Compiled(tmp_path, ["gcc", "-std=c99"], dtype, flags=flags)("predict", X, 2)
        np.testing.assert_allclose(Y, net.predict(X), atol=100 * np.finfo(dtype).eps)


def in_integers(directory, compiled, name, n_outputs, X):
    """The outputs of a header in integers, as numbers."""
    text = (directory / f"{name}.h").read_text()
    lists = (re.search(rf"{name}_{array}_bits\[\d+\] = {{(.*?)}}", text, re.DOTALL)[1] for array in "xy")
    x_bits, y_bits = (np.array(numbers.split(","), int) for numbers in lists)
    x = np.clip(np.rint(np.ldexp(X.astype(float), x_bits)), -2**15, 2**15 - 1)
    Y, _ = compiled("predict", x, n_outputs, name)
    return np.ldexp(Y.astype(float), -y_bits)


@pytest.mark.parametrize("compiler", ["gcc, C99", "gcc, C++17", "clang, C99", "clang, C++17, AVX2"])
def test_int16_errs_as_it_says(compiler, dtype, rng, tmp_path):
    command = usable(compiler)
    scale = np.array([1, 100, 0.01])
    X = (rng.normal(size=(500, 3)) * scale).astype(dtype)
    nets, errors = {}, {}
    for activation in ACTIVATIONS:
        # exp of an exp goes beyond what 16 bits can be.
        last = "identity" if activation == "exp" else None
        nets[activation] = net = fastbp.Network([3, 9, 4], activation, last, dtype=dtype, seed=rng)
        net.weights[0][...] /= scale[:, None]
        errors[activation] = net.to_c(tmp_path / f"{activation}.h", int16=X)
        assert "the largest errors of the outputs were" in (tmp_path / f"{activation}.h").read_text()
    compiled = Compiled(tmp_path, command, "int16", ACTIVATIONS)
    for activation, net in nets.items():
        truth = net.predict(X)
        Y = in_integers(tmp_path, compiled, activation, 4, X)
        np.testing.assert_array_equal(abs(Y - truth).max(axis=0), errors[activation], err_msg=activation)
        assert errors[activation].max() < (0.02 if activation == "exp" else 5e-4) * max(1, abs(truth).max()), activation


def test_int16_cuts_off_and_never_overflows(rng, tmp_path):
    """Samples far beyond those that the header was written for, with weights whose sums would be large."""
    net = fastbp.Network([8, 4, 2], "relu", "identity", seed=rng)
    net.weights[0][:, 0] = 1e6
    net.weights[0][:, 1] = 1e-6
    X = rng.normal(size=(50, 8))
    net.to_c(tmp_path / "net.h", int16=X)
    trapping = ["gcc", "-std=c99", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    compiled = Compiled(tmp_path, trapping, "int16")
    near, far = (in_integers(tmp_path, compiled, "net", 2, factor * X) for factor in (1, 1e6))
    assert abs(near - net.predict(X)).max() < 1e-3 * abs(net.predict(X)).max()
    assert np.isfinite(far).all()


def test_coefficients_are_those_of_the_kernels():
    header = Path(__file__).parents[1] / "src" / "fastbp" / "_kernels" / "vecmath.h"
    text = header.read_text()
    names = {"EXP": "EXP_SERIES", "LOG": "LOG_COEFFICIENTS", "GELU_P": "GELU_P", "GELU_Q": "GELU_Q",
             "SIN": "SIN_COEFFICIENTS"}
    for ours, theirs in names.items():
        double, single = re.search(rf"real {theirs}\[\] = {{(.*?)#else(.*?)#endif", text, re.DOTALL).groups()
        for dtype, table in (("float64", double), ("float32", single)):
            wanted = [float.fromhex(c) for c in re.findall(r"-?0x[0-9a-fp.+-]+?(?=f?,)", table)]
            got = [float.fromhex(c) for c in functions.TABLES[ours][dtype].split()]
            assert got[-len(wanted):] == wanted
    for key in ("LN_2_HIGH", "LN_2_LOW", "PI_1", "PI_2", "PI_3"):
        values = re.search(rf"#define {key} PICK\((.*?), (.*?)f\)", text).groups()
        for dtype, value in zip(("float64", "float32"), values, strict=True):
            assert float.fromhex(functions.CONSTANTS[dtype][key]) == float.fromhex(value)


def test_every_activation_has_a_formula():
    assert {*functions.ACTIVATIONS, "identity", "softmax"} == {*ACTIVATIONS}


def test_parameters_read_back_bit_for_bit(dtype, tmp_path):
    values = np.array([1 / 3, -0.0, 1e-30, np.finfo(dtype).max, np.finfo(dtype).smallest_normal, np.pi], dtype)
    net = fastbp.Network([3, 1, 1], "identity", dtype=dtype, init=values)
    net.to_c(tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text()
    found = " ".join(re.findall(r"net_[Wb]\d.* = ({[^;]*)", text))
    read = np.array([np.dtype(dtype).type(number.rstrip("f")) for number in re.findall(r"[-+\w.]+", found)])
    assert read.tobytes() == values.tobytes()


def test_subnormal_parameters_are_0_as_in_every_call(dtype, tmp_path):
    net = fastbp.Network([1, 1], "identity", dtype=dtype, init=[np.finfo(dtype).smallest_subnormal, 1])
    net.to_c(tmp_path / "net.h")
    assert "{0.0" in (tmp_path / "net.h").read_text()


def test_compiles_soon(tmp_path, rng):
    """64-256-256-10 at once by everybody; how long it takes is in docs/performance.md."""
    net = fastbp.Network([64, 256, 256, 10], "relu", dtype="float32", seed=rng)
    net.to_c(tmp_path / "net.h")
    Compiled(tmp_path, ["gcc", "-std=c99"], "float32", flags=["-O2"])


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"path": "9.h"}, ValueError, "name must be given where that of the file is none in C, .* got '9'"),
    ({"name": "a-b"}, ValueError, "name must be one in C, .* got 'a-b'"),
    ({"name": "_a"}, ValueError, "a letter first; got '_a'"),
    ({"name": "\u00e4"}, ValueError, "name must be one in C"),
    ({"name": 1}, TypeError, "name must be a str, got int 1"),
    ({"int16": [[1.0]]}, ValueError, r"int16 must be samples of the inputs, of shape \(M, 2\), got \(1, 1\)"),
    ({"int16": np.zeros((0, 2))}, ValueError, r"int16 must be samples .* got \(0, 2\)"),
    ({"int16": [[np.nan, 0]]}, ValueError, "int16 must be finite"),
    ({"int16": [["a", "b"]]}, TypeError, "int16 must hold real numbers"),
    ({"int16": [[1.0, 2.0]], "jacobian": True}, ValueError, "jacobian must be False where int16 is given, got True"),
    ({"int16": [[1.0, 2.0]], "libm": True}, ValueError, "libm must be False where int16 is given, got True"),
])
def test_what_is_refused(arguments, error, message, tmp_path):
    path = tmp_path / arguments.pop("path", "net.h")
    path.write_text("before")
    with pytest.raises(error, match=message):
        fastbp.Network([2, 1], seed=1).to_c(path, **arguments)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_parameters_that_are_not_finite(tmp_path):
    net = fastbp.Network([2, 1], seed=1)
    net.weights[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="all parameters must be finite"):
        net.to_c(tmp_path / "net.h")


def test_command_line(tmp_path, capsys):
    net = fastbp.Network([2, 3, 1], "tanh", seed=1)
    net.save(tmp_path / "net.fastbp")
    network, header, samples = (str(tmp_path / name) for name in ("net.fastbp", "net.h", "samples.csv"))
    assert cli.main(["export", network, header, "--name", "pump", "--jacobian", "--libm"]) == 0
    written = Path(header).read_text()
    net.to_c(header, "pump", jacobian=True, libm=True)
    assert Path(header).read_text() == written
    np.savetxt(samples, [[-1, -1], [1, 1]], delimiter=",")
    assert cli.main(["export", network, header, "--int16", samples]) == 0
    assert capsys.readouterr().out.startswith("largest error of each output at the samples: ")
    for wrong in (["missing", header], [network, header, "--name", "1"], [network, str(tmp_path)],
                  [network, header, "--int16", network]):
        assert cli.main(["export", *wrong]) == 1
        assert re.fullmatch(r"fastbp export: .*\n", capsys.readouterr().err)


EXAMPLES = Path(__file__).parents[1] / "examples" / "embedding"


def run(example, directory):
    return subprocess.run([sys.executable, "-W", "error", EXAMPLES / example], cwd=directory, check=True, text=True,
                          stdout=subprocess.PIPE, timeout=300).stdout


def test_optimal_control_by_casadi(tmp_path):
    pytest.importorskip("casadi")
    out = run("optimal_control.py", tmp_path)
    assert float(re.search("from fastbp's (.*)", out)[1]) < 1e-12   # so the header's it is, and no difference quotient
    assert float(re.search("torque (.*);", out)[1]) <= 3.001
    angle, speed = (float(number) for number in re.search(r"ends (\S+) from standing, at the speed (.*)", out).groups())
    assert angle < 0.2 and speed < 0.4


def test_arduino(tmp_path):
    """Without compilers for microcontrollers, it trains and writes the headers."""
    out = run("arduino.py", tmp_path)
    assert float(re.search("RMS error (.*) degrees", out)[1]) < 0.5
    assert float(re.search("off by at most (.*) degrees", out)[1]) < 0.1
    sizes = re.findall(r"(?m)^(\S+).* (16-bit integers|float|float, libm) +flash +(\d+), RAM +(\d+)", out)
    assert len(sizes) == 3 * (bool(shutil.which("avr-gcc")) + 2 * bool(shutil.which("arm-none-eabi-gcc")))
    for board, kind, flash, ram in sizes:
        if board == "Arduino":
            assert int(flash) < 6000, kind
            assert int(ram) == 0, kind      # all parameters stay in flash
