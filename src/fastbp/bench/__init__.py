"""Comparison with the peers: `python -m fastbp bench`, and the adapters that benchmarks/ in the source tree uses."""

import gc
from dataclasses import replace
from statistics import median
from time import perf_counter

import numpy as np

from fastbp.bench import peers
from fastbp.bench.workloads import WORKLOADS, flat

# What a minute allows, peers' compilation included; torch.compile alone would take it all.
QUICK = ("W1 4-8-3 f32", "W2 16-64-64-8 f32", "W3 8-32-32-1 f32 momentum", "W7 16-64-64-8 f32")
QUICK_PEERS = tuple(name for name in peers.NAMES if name not in ("fastbp_bind", "torch_compiled"))
# Largest distance from the answer in float64, relative to what was learnt or computed. A relu that one rounding flips
# at its kink costs 1e-3, and FANN keeps its learning rate in float32.
TOLERANCE = {"float32": 1e-2, "float64": 1e-6}


class WrongAnswer(Exception):
    """A peer computed something else than the workload asks for."""


def answer_in_float64(workload):
    """What the workload's `for_the_check` gives, by the NumPy adapter in float64."""
    layers, X, T = workload.problem()
    run, result = peers.load("numpy").prepare(
        replace(workload, dtype="float64"), [(W.astype(float), b.astype(float)) for W, b in layers],
        X.astype(float), T.astype(float))
    run()
    return np.asarray(result())


def check(workload, adapter, expected):
    """Let a peer do `workload` (one of `for_the_check`); False where it cannot, WrongAnswer where it errs."""
    layers, X, T = workload.problem()
    prepared = adapter.prepare(workload, layers, X, T)
    if prepared is None:
        return False
    run, result = prepared
    run()
    got = np.asarray(result(), float)
    before = flat(layers) if workload.job in ("steps", "train") else 0
    error = np.linalg.norm(got - expected) / np.linalg.norm(expected - before)
    if not error <= TOLERANCE[workload.dtype]:
        raise WrongAnswer(f"off by {error:.1e}")
    return True


def measured(runs, repeats=7, least=0.02):
    """Median seconds of each of `runs`, taken in turn so that a slow moment of the machine meets them all."""
    loops, times = {}, {name: [] for name in runs}
    for name, run in runs.items():
        started = perf_counter()
        run()
        loops[name] = max(1, round(least / (perf_counter() - started)))
    for _ in range(repeats):
        for name, run in runs.items():
            gc.collect()
            started = perf_counter()
            for _ in range(loops[name]):
                run()
            times[name].append((perf_counter() - started) / loops[name])
    return {name: median(values) for name, values in times.items()}


def table(workload, seconds, remarks):
    """The lines of one workload: time and ratio of every peer, the losses of fastbp too, then who has no number."""
    units = workload.samples if workload.unit == "sample" else 1
    lines = [f"{workload.name}: {workload.job}, time a {workload.unit}"]
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        ratio = "" if name == "fastbp" else f"{value / seconds['fastbp']:8.2f} x fastbp's"
        lines.append(f"  {name:<18}{value / units * 1e9:16,.0f} ns{ratio}")
    return lines + [f"  {name:<18}{remark}" for name, remark in remarks.items()]


def main(names=QUICK):
    """Compare fastbp with the peers that are installed and print a table for each workload.

    Parameters
    ----------
    names : sequence of str
        Names of workloads, or the beginnings of names.
    """
    peers.one_thread()
    adapters, absent = {}, []
    for name in QUICK_PEERS:
        try:
            adapters[name] = peers.load(name)
        except ImportError:
            absent.append(name)
    for workload in WORKLOADS:
        if not workload.name.startswith(tuple(names)):
            continue
        small, runs, remarks = workload.for_the_check(), {}, {}
        expected, problem = answer_in_float64(small), workload.problem()
        for adapter in adapters.values():
            try:
                if check(small, adapter, expected):
                    runs[adapter.NAME] = adapter.prepare(workload, *problem)[0]
                else:
                    remarks[adapter.NAME] = "cannot express it"
            except WrongAnswer as error:
                remarks[adapter.NAME] = f"wrong answer: {error}"
        print("\n".join(table(workload, measured(runs), remarks)), flush=True)
    if absent:
        print(f'Not installed: {", ".join(absent)}. pip install "fastbp[bench]" installs the peers that PyPI has.')
