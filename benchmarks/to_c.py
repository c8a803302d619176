"""What networks as C headers cost: `python benchmarks/to_c.py`, with a C compiler for native code.

A call of the header from C, with the same input each time and in a chain, where the input depends on the last output;
with the header's own functions and with the C library's. Beside it `bind`'s prediction from Python, with the same input
each time, from which that of a network of a single neuron is taken off: about its kernel. Least of many repeats, the
two in turn. Then the CPU time to compile a large network.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastbp

MAIN = """\
#include <stdio.h>
#include <time.h>
real x[net_N_INPUTS], y[net_N_OUTPUTS], J[net_N_OUTPUTS * net_N_INPUTS];
__attribute__((noinline)) void predict(void) { net_predict(x, y); }
__attribute__((noinline)) void jacobian(void) { net_jacobian(x, y, J); }
static double least(void (*function)(void), int chained)
{
    double best = 1e9;
    for (int repeat = 0; repeat < 300; repeat++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int k = 0; k < 300; k++) {
            function();
            if (chained) x[0] = x[0] / 2 + y[0] / 1000;
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        const double time = ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / 300;
        if (time < best) best = time;
    }
    return best;
}
int main(void)
{
    printf("%f %f %f\\n", least(predict, 0), least(predict, 1), least(jacobian, 1));
    return 0;
}
"""
FLAGS = ["-O3", "-march=native"]
NETWORKS = [([2, 2, 1], "sigmoid"), ([4, 8, 3], "tanh"), ([4, 16, 3], "tanh"), ([8, 16, 16, 2], "tanh"),
            ([16, 16, 16], "relu"), ([4, 32, 32, 2], "tanh")]


def least_of(function):
    best = np.inf
    for _ in range(100):
        start = time.perf_counter_ns()
        for _ in range(300):
            function()
        best = min(best, (time.perf_counter_ns() - start) / 300)
    return best


def compiled(directory, net, compiler, **options):
    net.to_c(Path(directory, "net.h"), jacobian=True, **options)
    number = {"float32": "float", "float64": "double"}[net.dtype.name]
    Path(directory, "main.c").write_text(f'#include "net.h"\ntypedef {number} real;\n' + MAIN)
    program = Path(directory, "main")
    subprocess.run([compiler, *FLAGS, "main.c", "-o", program, "-lm"], cwd=directory, check=True)
    return program


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else "gcc"
    empty = fastbp.Network([1, 1], "identity").bind(np.zeros(1))
    print(f"{'ns':22} predict  libm  bind's kernel  chained  libm  Jacobian  libm   ({compiler} {' '.join(FLAGS)})")
    with tempfile.TemporaryDirectory() as directory:
        for dtype in ("float32", "float64"):
            for sizes, activation in NETWORKS:
                net = fastbp.Network(sizes, activation, "identity", dtype=dtype, seed=1)
                bound = net.bind(np.zeros(sizes[0], dtype))
                rows = []
                for libm in (False, True):
                    program = compiled(directory, net, compiler, libm=libm)
                    rows += [(subprocess.run([program], capture_output=True, check=True, text=True).stdout.split(),
                              least_of(bound.predict) - least_of(empty.predict)) for _ in range(5)]
                own, libm = (np.array([times for times, _ in part], float).min(axis=0) for part in (rows[:5], rows[5:]))
                kernel = min(kernel for _, kernel in rows)
                print(f"{'-'.join(map(str, sizes)):12} {dtype:9} {own[0]:7.0f} {libm[0]:5.0f} {kernel:14.0f} "
                      f"{own[1]:8.0f} {libm[1]:5.0f} {own[2]:9.0f} {libm[2]:5.0f}")
        fastbp.Network([64, 256, 256, 10], "relu", seed=1).to_c(Path(directory, "net.h"))
        Path(directory, "large.c").write_text('#include "net.h"\nvoid large(const double *x, double *y);\n'
                                              "void large(const double *x, double *y) { net_predict(x, y); }\n")
        times = []
        for _ in range(5):
            before = os.times()
            subprocess.run([compiler, *FLAGS, "-c", "large.c"], cwd=directory, check=True)
            after = os.times()
            times.append(after.children_user + after.children_system - before.children_user - before.children_system)
        print(f"64-256-256-10 is compiled in {min(times):.2f} s of CPU")


if __name__ == "__main__":
    main()
