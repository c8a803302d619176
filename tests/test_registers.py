"""No call leaves the upper halves of the vector registers in use (v_leave in simd.h): it would not change a result, but
on Intel's processors every switch between the interpreter's SSE code and AVX would then cost some 50 ns."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

import fastbp
from fastbp import _core, _dispatch

# Bits of the processor's XINUSE: the upper halves of ymm0 .. ymm15 and of zmm0 .. zmm15. The supervisor state, leaf 13,
# subleaf 1 of CPUID, says whether XGETBV tells them.
SOURCE = """
#include <cpuid.h>
int upper_halves(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(13, 1, &a, &b, &c, &d) || !(a & 4)) return -1;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
    return a & 0x44;
}
"""


@pytest.fixture(scope="module")
def upper_halves(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None or "x86_v3" not in _dispatch.available():
        pytest.skip("needs a C compiler and a processor with AVX2")
    if "-O1" in _core.FLAGS:
        pytest.skip("a debug build calls where a release inlines, and need not be fast")
    folder = tmp_path_factory.mktemp("registers")
    (folder / "state.c").write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "state.so", folder / "state.c"], check=True)
    function = ctypes.CDLL(str(folder / "state.so")).upper_halves
    if function() < 0:
        pytest.skip("this processor does not tell which registers are in use")
    return function


@pytest.mark.parametrize("sizes", [[2, 2, 1], [4, 8, 3], [4, 3], [16, 64, 64, 8], [20, 50, 1], [5, 1]], ids=str)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "sin"])
def test_registers_are_left_clear(isa, dtype, upper_halves, sizes, activation):
    net = fastbp.Network(sizes, activation, dtype=dtype, seed=1)
    optimizers = [fastbp.SGD(0.01, l2=0.1), fastbp.SGD(0.01, 0.9), fastbp.Adam(0.01), fastbp.Rprop(0.01)]
    left = {}
    for m in (None, 1, 7, 40):
        x, t = (np.full((n,) if m is None else (m, n), 0.1, dtype) for n in (sizes[0], sizes[-1]))
        bound = net.bind(x, t)
        calls = {"predict": lambda x=x: net.predict(x), "gradient": lambda x=x, t=t: net.gradient(x, t),
                 "train_step": lambda x=x, t=t: net.train_step(x, t), "bound predict": bound.predict,
                 "bound step": bound.step}
        for optimizer in optimizers:
            calls[repr(optimizer)] = lambda x=x, t=t, optimizer=optimizer: net.train_step(x, t, optimizer=optimizer)
        for name, call in calls.items():
            call()
            left[name, m] = upper_halves()
    assert not any(left.values()), left
