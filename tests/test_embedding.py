"""Networks in compiled loops: the functions of a handle, called by ctypes, and the header, compiled."""

import ctypes
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastbp
from fastbp.embedding import PROTOTYPES, Fields

OK, DIVERGED, WRONG_SIZE, WRONG_VALUE, WRONG_LOSS, HELD = 0, 1, -2, -3, -4, -5
HEADER = Path(fastbp.get_include(), "fastbp.h")


class ByHandle:
    """A network's functions in fastbp.h, with arrays as arguments; statuses are in `status`."""

    def __init__(self, net):
        self.net, self.c = net, net.ctypes

    def call(self, name, *arguments):
        arguments = [ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arguments]
        self.status = getattr(self.c, name)(self.c.handle, *arguments)

    def new(self, *shape):
        return np.full(shape, np.nan, self.net.dtype)

    def predict(self, X):
        Y = self.new(len(X), self.net.n_outputs)
        self.call("predict", X, len(X), Y)
        return Y

    def train_step(self, X, T, learning_rate):
        E = np.empty(1)
        self.call("train_step", X, T, len(X), learning_rate, E)
        return E[0]

    def error(self, X, T):
        E = np.empty(1)
        self.call("error", X, T, len(X), E)
        return E[0]

    def gradient(self, X, T):
        gradient, E = self.new(self.net.n_params), np.empty(1)
        self.call("gradient", X, T, len(X), gradient, E)
        return gradient

    def jacobian(self, X):
        jacobian = self.new(len(X), self.net.n_outputs, self.net.n_inputs)
        self.call("jacobian", X, len(X), jacobian)
        return jacobian


def samples(net, m, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(m, net.n_inputs)).astype(net.dtype),
            rng.uniform(0.1, 0.9, (m, net.n_outputs)).astype(net.dtype))


# ---------------------------------------------------------------- the functions do what the methods do

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[2, 2, 1], [4, 8, 3], [5, 40, 33, 2], [1, 3, 1]], ids=str)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("m", [1, 7, 600])
def test_functions(sizes, dtype, reduction, m):
    net = fastbp.Network(sizes, "tanh", "sigmoid", dtype=dtype, reduction=reduction, seed=0)
    X, T = samples(net, m)
    handle = ByHandle(net)
    np.testing.assert_array_equal(handle.predict(X), net.predict(X))
    assert handle.error(X, T) == net.error(X, T)
    np.testing.assert_array_equal(handle.gradient(X, T), net.gradient(X, T)[1])
    np.testing.assert_array_equal(handle.jacobian(X), net.jacobian(X))
    twin = net.copy()
    for _ in range(3):
        assert handle.train_step(X, T, 1e-3) == twin.train_step(X, T, 1e-3)
        assert handle.status == OK
    np.testing.assert_array_equal(net.params, twin.params)


def test_parameters():
    net = fastbp.Network([3, 5, 2], seed=0)
    handle, params = ByHandle(net), np.empty(net.n_params)
    handle.call("get_params", params)
    np.testing.assert_array_equal(params, net.params)
    handle.call("set_params", params + 1)
    np.testing.assert_array_equal(net.params, params + 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value(dtype):
    net = fastbp.Network([1, 4, 1], "tanh", "identity", dtype=dtype, seed=0)
    c = net.ctypes
    assert c.value(0.5, c.handle) == net.predict([0.5])[0]
    other = fastbp.Network([2, 1], dtype=dtype, seed=0).ctypes
    assert np.isnan(other.value(0.5, other.handle))


def test_cffi_has_the_same_functions():
    pytest.importorskip("cffi")
    net = fastbp.Network([2, 3, 1], seed=0)
    c = net.cffi
    x, y = np.array([0.3, 0.7]), np.empty(1)
    assert c.predict(c.handle, c.owner[1].from_buffer(x), 1, c.owner[1].from_buffer(y)) == OK
    np.testing.assert_array_equal(y, net.predict(x))
    assert (c.handle.version, c.handle.n_inputs, c.handle.n_outputs, c.handle.n_params) == (1, 2, 1, 13)


# ---------------------------------------------------------------- what is refused

def test_no_samples():
    net = fastbp.Network([2, 1], seed=0)
    handle, E, one = ByHandle(net), np.empty(1), np.zeros(2)
    for m in (0, -1):
        for name, *arguments in (("predict", one, m, one), ("jacobian", one, m, one), ("error", one, one, m, E),
                                 ("gradient", one, one, m, one, E), ("train_step", one, one, m, 0.1, E)):
            handle.call(name, *arguments)
            assert handle.status == WRONG_SIZE, name


@pytest.mark.parametrize(("dtype", "rate"), [
    ("float64", 0.0), ("float64", -1.0), ("float64", np.nan), ("float64", np.inf), ("float32", 1e39),
    ("float32", 1e-60)])
def test_wrong_rates(dtype, rate):
    net = fastbp.Network([2, 1], dtype=dtype, seed=0)
    params, handle = net.params, ByHandle(net)
    handle.train_step(*samples(net, 1), rate)
    assert handle.status == WRONG_VALUE
    np.testing.assert_array_equal(net.params, params)


def test_targets_that_the_loss_excludes():
    net = fastbp.Network([2, 1], "exp", loss="poisson", seed=0)
    handle = ByHandle(net)
    X, T = samples(net, 3)
    for call in (handle.error, handle.gradient, lambda X, T: handle.train_step(X, T, 0.1)):
        call(X, -T)
        assert handle.status == WRONG_VALUE
        call(X, T)
        assert handle.status == OK


def test_a_loss_in_python():
    net = fastbp.Network([2, 1], loss=lambda y, t: (0.0, y - t), seed=0)
    handle = ByHandle(net)
    X, T = samples(net, 3)
    np.testing.assert_array_equal(handle.predict(X), net.predict(X))
    handle.train_step(X, T, 0.1)
    assert handle.status == WRONG_LOSS


def test_a_step_that_diverges_changes_nothing():
    net = fastbp.Network([3, 4, 2], "identity", seed=0)
    params, handle = net.params, ByHandle(net)
    X, T = samples(net, 5)
    handle.train_step(X, np.full_like(T, np.inf), 0.1)
    assert handle.status == DIVERGED
    handle.gradient(np.full_like(X, np.nan), T)
    handle.jacobian(np.full_like(X, np.nan))
    np.testing.assert_array_equal(net.params, params)
    # Nothing of the numbers that were not finite is left in the handle's memory.
    twin = net.copy()
    assert handle.train_step(X, T, 0.1) == twin.train_step(X, T, 0.1)
    np.testing.assert_array_equal(net.params, twin.params)


def test_a_network_that_has_not_been_made():
    net = fastbp.Network.__new__(fastbp.Network)
    for attribute in ("capsule", "ctypes"):
        with pytest.raises(ValueError, match="has not been initialised"):
            getattr(net, attribute)


# ---------------------------------------------------------------- who may use the network

def test_begin_and_end():
    net = fastbp.Network([2, 3, 1], seed=0)
    X, T = samples(net, 4)
    handle, other, twin = ByHandle(net), ByHandle(net), net.copy()

    def status(of, name):
        of.call(name)
        return of.status

    assert status(handle, "end") == HELD
    assert status(handle, "begin") == OK
    assert status(handle, "begin") == HELD
    assert status(other, "begin") == HELD           # this thread would wait for itself
    with pytest.raises(RuntimeError, match="nor a thread the network that it holds"):
        net.predict(X)
    assert handle.train_step(X, T, 0.1) == twin.train_step(X, T, 0.1)
    np.testing.assert_array_equal(handle.predict(X), twin.predict(X))
    assert status(handle, "end") == OK
    np.testing.assert_array_equal(net.params, twin.params)


def test_whoever_comes_between_begin_and_end_waits():
    net = fastbp.Network([2, 3, 1], seed=0)
    X, T = samples(net, 1)
    handle, reader, seen = ByHandle(net), ByHandle(net), []
    handle.call("begin")
    threads = [threading.Thread(target=lambda: seen.append(net.predict(X))),
               threading.Thread(target=lambda: seen.append(reader.predict(X)))]
    for thread in threads:
        thread.start()
    while net._waiting() < 2:
        pass
    assert not seen
    handle.train_step(X, T, 0.5)
    handle.call("end")
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(seen, [net.predict(X)] * 2)


def test_a_handle_that_goes_lets_go():
    net = fastbp.Network([2, 3, 1], seed=0)
    handle = ByHandle(net)
    handle.call("begin")
    del handle
    gc.collect()
    X, T = samples(net, 4)
    assert np.isfinite(net.train_step(X, T))


def test_value_of_a_call_that_failed():
    net = fastbp.Network([1, 3, 1], "tanh", "identity", seed=0)
    holder, other = net.ctypes, net.ctypes
    assert np.isfinite(other.value(0.7, other.handle))
    holder.begin(holder.handle)
    assert np.isnan(other.value(0.7, other.handle))
    holder.end(holder.handle)


def in_child(work):
    """What `work` returns in a child process that ends within ten seconds."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        os._exit(0 if work() else 1)
    return os.waitpid(pid, 0)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("by_the_same_thread", [False, True])
def test_a_fork_while_the_network_is_held(by_the_same_thread):
    net = fastbp.Network([2, 3, 1], seed=0)
    X, T = samples(net, 4)
    handle, begun, done = ByHandle(net), threading.Event(), threading.Event()

    def hold():
        handle.call("begin")
        begun.set()
        if not by_the_same_thread:
            done.wait()
            handle.call("end")

    thread = threading.Thread(target=hold)
    hold() if by_the_same_thread else thread.start()
    begun.wait()

    def work():
        if by_the_same_thread:      # the child goes on where the parent was
            handle.train_step(X, T, 0.1)
            handle.call("end")
            return handle.status == OK and np.isfinite(net.train_step(X, T, 0.1))
        first = net.train_step(X, T, 0.1)
        handle.call("end")
        return handle.status == HELD and np.isfinite(first) and np.isfinite(net.train_step(X, T, 0.1))

    assert in_child(work) == 0
    if by_the_same_thread:
        handle.call("end")
    else:
        done.set()
        thread.join()
    assert handle.status == OK


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_the_parameters_change():
    net = fastbp.Network([100, 200, 100], seed=0)
    X, T = samples(net, 300)
    stop = []
    thread = threading.Thread(target=lambda: net.fit(
        X, T, epochs=10**6, batch_size=300, learning_rate=1e-6, callbacks=lambda state: bool(stop)))
    thread.start()
    time.sleep(0.2)

    def work():
        reader, writer, params = ByHandle(net), ByHandle(net), np.empty(net.n_params)
        zero, one, over = np.zeros(net.n_params), np.ones(net.n_params), []

        def write():
            while not over:
                writer.call("set_params", zero)
                writer.call("set_params", one)

        writing = threading.Thread(target=write)
        writing.start()
        time.sleep(0.05)
        torn, end = 0, time.monotonic() + 0.5
        while time.monotonic() < end:
            reader.call("get_params", params)
            torn += params.min() != params.max()
        over.append(True)
        writing.join()
        return torn == 0

    status = in_child(work)
    stop.append(True)
    thread.join()
    assert status == 0


def test_a_cycle_of_references_lets_go():
    class Owner(fastbp.Network):
        """A network that keeps its own handle."""

    net = Owner([2, 3, 1], seed=0)
    net.handle = net.ctypes
    net.handle.begin(net.handle.handle)
    del net
    gc.collect()


def test_readers_see_parameters_of_one_time():
    """Handles predict without a lock while Python sets one of two vectors of parameters, again and again."""
    net = fastbp.Network([8, 64, 64, 4], "tanh", seed=0)
    X = samples(net, 400)[0]
    vectors, outputs = [], []
    for seed in (1, 2):
        vectors.append(fastbp.Network([8, 64, 64, 4], "tanh", seed=seed).params)
        net.params = vectors[-1]
        outputs.append(net.predict(X))
    wrong, done = [], threading.Event()

    def read():
        handle = ByHandle(net)
        while not done.is_set():
            Y = handle.predict(X)
            if handle.status != OK or not any(np.array_equal(Y, expected) for expected in outputs):
                wrong.append(Y)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        for vector in vectors:
            net.params = vector
        time.sleep(1e-4)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("attribute", ["capsule", "ctypes"])
def test_the_network_lives_as_long_as_its_handle(attribute):
    net = fastbp.Network([2, 3, 1], seed=0)
    expected = net.predict([0.1, 0.2])
    handle = getattr(net, attribute)
    del net
    gc.collect()
    if attribute == "capsule":
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        address = pointer(handle, b"fastbp.handle")
    else:
        address = handle.address
    x, y = np.array([0.1, 0.2]), np.empty(1)
    assert Fields.from_address(address).predict(address, x.ctypes.data, 1, y.ctypes.data) == OK
    np.testing.assert_array_equal(y, expected)


# ---------------------------------------------------------------- the header

def test_the_interface_is_frozen():
    """Compiled programs rely on it: a change needs a new FASTBP_API, and fields are only added at the end."""
    header = HEADER.read_text()
    struct = header[header.index("struct fastbp_handle {"):header.index("/* end */")]
    assert re.findall(r"#define FASTBP_API (\d+)", header) == ["1"]
    assert " ".join(re.sub(r"/\*.*?\*/", "", struct, flags=re.S).split()) == (
        "struct fastbp_handle { int version; int real_bytes; ptrdiff_t n_inputs, n_outputs, n_params; "
        "int (*predict)(fastbp_handle *, const void *x, ptrdiff_t m, void *y); "
        "int (*train_step)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, double learning_rate, "
        "double *error); "
        "int (*error)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, double *error); "
        "int (*gradient)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, void *gradient, double *error); "
        "int (*jacobian)(fastbp_handle *, const void *x, ptrdiff_t m, void *jacobian); "
        "int (*get_params)(fastbp_handle *, void *params); int (*set_params)(fastbp_handle *, const void *params); "
        "int (*begin)(fastbp_handle *); int (*end)(fastbp_handle *); double (*value)(double x, void *handle); "
        "void *owner; };")
    assert dict(re.findall(r"(FASTBP_\w+) = (-?\d+)", header)) == {
        "FASTBP_OK": "0", "FASTBP_DIVERGED": "1", "FASTBP_WRONG_HANDLE": "-1", "FASTBP_WRONG_SIZE": "-2",
        "FASTBP_WRONG_VALUE": "-3", "FASTBP_WRONG_LOSS": "-4", "FASTBP_HELD": "-5", "FASTBP_INTERRUPTED": "-6"}


def test_the_handle_is_what_the_header_says():
    net = fastbp.Network([2, 3, 1], dtype="float32", seed=0)
    c = net.ctypes
    fields = Fields.from_address(c.address)
    assert [getattr(fields, name) for name in ("version", "real_bytes", "n_inputs", "n_outputs", "n_params")] == [
        1, 4, 2, 1, 13]
    assert [*PROTOTYPES] == [name for name, _ in Fields._fields_[5:]]


USES = """
#include "fastbp.h"
int use(fastbp_handle *net, const double *x, const double *t, double *y, const float *single)
{
    double error = 0;
    if (fastbp_begin(net) == FASTBP_OK && fastbp_train_step_float64(net, x, t, 1, 0.1, &error) == FASTBP_OK) {
        fastbp_end(net);
    }
    return fastbp_predict_float64(net, x, 1, y) + fastbp_set_params_float32(net, single);
}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the flags are gcc's and clang's")
@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_the_header_compiles_without_a_warning(compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    is_cpp = compiler.endswith("++")
    source = tmp_path / ("use.cpp" if is_cpp else "use.c")
    source.write_text(USES)
    subprocess.run([compiler, f"-std={'c++17' if is_cpp else 'c11'}", "-Wall", "-Wextra", "-Wconversion", "-pedantic",
                    "-Werror", f"-I{fastbp.get_include()}", "-c", source, "-o", tmp_path / "use.o"], check=True)
