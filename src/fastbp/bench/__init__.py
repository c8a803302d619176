"""Comparison with the peers: `python -m fastbp bench`, and the adapters that benchmarks/ in the source tree uses."""

import gc
from dataclasses import replace
from statistics import median
from time import perf_counter, process_time

import numpy as np

from fastbp.bench import peers
from fastbp.bench.workloads import WORKLOADS, flat

# What two minutes allow, peers' compilation included; torch.compile alone would take them all.
QUICK = ("W1 4-8-3 f32", "W2 16-64-64-8 f32", "W3 8-32-32-1 f32 momentum", "W7 16-64-64-8 f32")
QUICK_PEERS = tuple(name for name in peers.NAMES if name not in ("fastbp_bind", "torch_compiled"))
# Largest distance from the answer in float64, relative to what was learnt or computed. A relu that one rounding flips
# at its kink costs 1e-3, and FANN keeps its learning rate in float32.
TOLERANCE = {"float32": 1e-2, "float64": 1e-6}
# Seconds of a run's turn in each round, and of all rounds of a workload; how many rounds there are at least, and how
# near to each other the least times of their two halves must be.
TURN, SHORTEST, LONGEST = 0.002, 5, 30
ROUNDS, AGREEMENT = 10, 1.05


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


def measured(runs, shortest=SHORTEST):
    """Seconds of each of `runs` in every round, and the share of the time that others had the processor.

    Runs are taken in turn, so that a slow moment of the machine meets them all, and rounds go on until the least time
    of each is the same in the earlier and the later half of them: another measurement will find it, too. Whatever else
    the machine does only adds to a time. On a shared one, medians of 50 rounds differed by more than 10 % between
    processes in one of seven cases, the least of them in one of fifty.
    """
    loops, seconds = {}, {name: [] for name in runs}
    for name, run in runs.items():
        run()                           # what is done once is done here
        started = perf_counter()
        run()
        loops[name] = max(1, round(TURN / (perf_counter() - started)))
    started, started_working = perf_counter(), process_time()
    while True:
        gc.collect()
        for name, run in runs.items():
            before = perf_counter()
            for _ in range(loops[name]):
                run()
            seconds[name].append((perf_counter() - before) / loops[name])
        elapsed, working = perf_counter() - started, process_time() - started_working
        if elapsed > LONGEST or (elapsed > shortest and all(map(has_settled, seconds.values()))):
            return seconds, max(0, 1 - working / elapsed)


def has_settled(values):
    """Whether enough rounds were taken, and the least time of either half of them is nearly that of the other."""
    half = len(values) // 2
    return len(values) >= ROUNDS and 1 / AGREEMENT < min(values[:half]) / min(values[half:]) < AGREEMENT


def spread(values):
    """By how much the median is above the least, relative to it."""
    return median(values) / min(values) - 1


def table(workload, seconds, waited, remarks):
    """The lines of one workload: every peer's time, spread and ratio, losses of fastbp too, then who has no number."""
    units = workload.samples if workload.unit == "sample" else 1
    lines = [f"{workload.name}: {workload.job}, time a {workload.unit}, least of {len(seconds['fastbp'])} rounds, "
             "and by how much their median is above it"]
    for name, values in sorted(seconds.items(), key=lambda item: min(item[1])):
        ratio = "" if name == "fastbp" else f"{min(values) / min(seconds['fastbp']):10.2f} x fastbp's"
        doubt = "" if has_settled(values) else "  (has not settled)"
        lines.append(f"  {name:<18}{min(values) / units * 1e9:16,.0f} ns  +{100 * spread(values):<3.0f}%{ratio}{doubt}")
    if waited > 0.1:
        lines.append(f"  Other programs had the processor for {waited:.0%} of the time: measure again when it is idle.")
    return lines + [f"  {name:<18}{remark}" for name, remark in remarks.items()]


def named(names):
    """The workloads of these groups, as W1, or with these beginnings of names, as W3 8-32.

    Raises
    ------
    ValueError
        Where a name is no workload's.
    """
    for name in names:
        if not any(workload.is_meant_by(name) for workload in WORKLOADS):
            raise ValueError(f"no workload is called {name!r}; there are {', '.join(w.name for w in WORKLOADS)}")
    return [workload for workload in WORKLOADS if any(map(workload.is_meant_by, names))]


def main(workloads):
    """Compare fastbp with the peers that are installed and print a table for each workload."""
    peers.one_thread()
    adapters, absent = {}, []
    for name in QUICK_PEERS:
        try:
            adapters[name] = peers.load(name)
        except ImportError:
            absent.append(name)
    for workload in workloads:
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
        print("\n".join(table(workload, *measured(runs), remarks)), flush=True)
    if absent:
        print(f'Not installed: {", ".join(absent)}. pip install "fastbp[bench]" installs the peers that PyPI has.')
