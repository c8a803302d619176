"""The figures of docs/scale.md: ``python benchmarks/scale.py measure | model | sample | stream DIRECTORY``.

``measure`` compares a cluster of two processes with the same work in one; ``model`` prints the table of 10, 100 and
1000 machines and simulates the same trainings with drawn latencies and machines that fail; ``sample`` trains on all
rows and on a few of them; ``stream`` trains on 20 GB of float32 in a file of DIRECTORY, which it deletes.
"""

import argparse
import contextlib
import functools
import heapq
import itertools
import math
import multiprocessing
import os
import re
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import fastbp

# Seconds; measured by `measure` where it can be, the rest as Dask and the networks of data centres have it.
START = 12e-3           # from the call to the first task, and from the last one's result to the caller
LATENCY = 8e-3          # from a result on one machine to the start of the task that waits for it on another
TASK = 2e-4             # of the scheduler for each task, one after another
BANDWIDTH = 1e9         # bytes a second between two machines
ADDED_AT_ONCE = 8       # fastbp.interop.dask.sums
BLOCKS = 16
TURNS = 3
NETWORKS = {"10-20-1": [10, 20, 1], "100-200-200-10": [100, 200, 200, 10]}


def update_time(machines, blocks, block_seconds, gradient_bytes, task=TASK):
    """The model: work / workers, or the scheduler's own time if that is longer; then the tree."""
    depth = math.ceil(math.log(blocks, ADDED_AT_ONCE)) if blocks > 1 else 0
    tasks = blocks * (1 + 1 / (ADDED_AT_ONCE - 1))
    work = max(math.ceil(blocks / machines) * block_seconds, tasks * task)
    parameters = START + LATENCY + math.log2(machines + 1) * gradient_bytes / BANDWIDTH
    return parameters + work + depth * (LATENCY + ADDED_AT_ONCE * gradient_bytes / BANDWIDTH)


def simulated_time(machines, blocks, block_seconds, gradient_bytes, rng, failures=0.0):
    """One update, event by event: each machine takes the next block; latencies and speeds are drawn.

    `failures` is how many machines an hour fail, per machine. One that fails loses its block and the sums that it
    holds, which others make again, and is back after a minute.
    """
    def latency():
        return rng.lognormal(math.log(LATENCY), 0.5)

    level, ready_at = list(range(blocks)), [0.0] * blocks
    scheduler, free = START, [(START + latency() + math.log2(machines + 1) * gradient_bytes / BANDWIDTH, i)
                            for i in range(machines)]
    fails = rng.exponential(3600 / failures, machines) if failures else np.full(machines, np.inf)
    heapq.heapify(free)
    held = [[] for _ in range(machines)]
    waiting, ends = list(reversed(level)), {}
    while waiting:
        block = waiting.pop()
        at, machine = heapq.heappop(free)
        scheduler = max(scheduler, at) + TASK
        end = scheduler + block_seconds * rng.lognormal(0, 0.05)
        if end > fails[machine]:
            waiting += [block, *held[machine]]      # to be made again
            held[machine] = []
            heapq.heappush(free, (fails[machine] + 60, machine))
            fails[machine] += 60 + rng.exponential(3600 / failures)
            continue
        ends[block] = end
        held[machine].append(block)
        heapq.heappush(free, (end, machine))
    ready_at = [ends[block] for block in range(blocks)]
    while len(ready_at) > 1:        # the tree: a machine fetches what it adds
        ready_at = [max(ready_at[i:i + ADDED_AT_ONCE]) + TASK + latency() + ADDED_AT_ONCE * gradient_bytes / BANDWIDTH
                    for i in range(0, len(ready_at), ADDED_AT_ONCE)]
    return ready_at[0]


def seconds_a_row(sizes):
    """Of error and gradient, on one core: the least of some repetitions."""
    rng = np.random.default_rng(0)
    net = fastbp.Network(sizes, "tanh", "identity", seed=1)
    X, T = rng.normal(size=(20_000, sizes[0])), rng.normal(size=(20_000, sizes[-1]))
    return min(clocks(net.gradient, X, T, threads=1)[0] for _ in range(20)) / len(X)


def model():
    rng = np.random.default_rng(16)
    print("| machines | work of an update | blocks | model | simulated | with failures | speed-up |")
    print("|---|---|---|---|---|---|---|")
    for machines in (10, 100, 1000):
        for work in (10.0, 100.0, 1e3, 1e4):
            blocks = max(machines, round(work))     # of a second, or one a machine
            arguments = machines, blocks, work / blocks, 8 * 61_610
            expected = update_time(*arguments)
            simulated, failing = (statistics.mean(simulated_time(*arguments, rng, rate) for _ in range(20))
                                  for rate in (0.0, 1.0))
            print(f"| {machines} | {work:,.0f} s | {blocks:,} | {expected:.3g} s | {simulated:.3g} s | {failing:.3g} s "
                  f"| {work / expected:.0f} |")
    print("\n| network | a row on one core | rows for half the speed-up of 10 machines | of 100 | of 1000 |\n"
          "|---|---|---|---|---|")
    for name, sizes in NETWORKS.items():
        a_row, gradient_bytes = seconds_a_row(sizes), 8 * fastbp.Network(sizes).n_params
        rows = [least_work(machines, gradient_bytes) / a_row for machines in (10, 100, 1000)]
        print(f"| {name} | {a_row * 1e9:.0f} ns | " + " | ".join(f"{n:.1g}" for n in rows) + " |")
        batch = update_time(10, 10, 256 * a_row / 10, gradient_bytes)
        print(f"mini-batches of 256 of {name}: {256 * a_row * 1e6:.0f} us on one core, {batch * 1e3:.1f} ms on 10 "
              f"machines: {batch / (256 * a_row):.3g} times as long")


def least_work(machines, gradient_bytes):
    """Seconds of work from which that many machines are used at least half."""
    work = 1e-4
    while work / machines < update_time(machines, max(machines, round(work)), work / max(machines, round(work)),
                                        gradient_bytes) / 2:
        work *= 1.02
    return work


def measure():
    """Epochs of `BLOCKS` blocks: in this process, in processes that know nothing of each other, and by Dask.

    They take turns, because the machine's own speed changes; what is compared are those of one turn.
    """
    sizes, rows = [100, 200, 200, 10], 130_000      # take most of a second
    net = fastbp.Network(sizes, "tanh", "identity", seed=1)
    quiet = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "10s"}
    alone = "one process without Dask"
    ways = {alone: lambda: BLOCKS * statistics.median(gradients(sizes, rows)),
            "half of it in each of two processes": lambda: BLOCKS / 2 * statistics.median(in_two(sizes, rows))}
    for workers, settings in itertools.product((1, 2), ({}, quiet)):
        name = f"Dask, {workers} workers" + ", which do not watch themselves" * bool(settings)
        ways[name] = functools.partial(of_dask, net, rows, workers, settings)
    print(f"load {os.getloadavg()[0]:.1f}; {BLOCKS} blocks of {rows:,} rows, {rows * 800 / 2**20:.0f} MiB each")
    turns = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            turns[name].append(way())
            print(f"  {name}: {turns[name][-1]:.2f} s", flush=True)
    for name, seconds in turns.items():
        ratios = [one / other for one, other in zip(turns[alone], seconds, strict=True)]
        print(f"{name}: {statistics.median(seconds):.2f} s, {statistics.median(ratios):.2f} times as fast "
              f"({min(ratios):.2f} to {max(ratios):.2f})")
    with dask_cluster(2, quiet) as client:
        task = latencies(client, 8 * net.n_params)
        for blocks in (2, 16, 64):
            seconds = epoch(client, net, blocks, 100, epochs=30)
            expected = update_time(2, blocks, 0, 8 * net.n_params, task)
            print(f"an update of {blocks} blocks of 100 rows: {seconds * 1e3:.0f} ms, by the model "
                  f"{expected * 1e3:.0f} ms")


@contextlib.contextmanager
def dask_cluster(workers, settings):
    import dask
    from distributed import Client, LocalCluster
    with (dask.config.set(settings),
          LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
          Client(cluster) as client):
        yield client


def gradients(sizes, rows):
    """Seconds that some blocks take in this process."""
    net = fastbp.Network(sizes, "tanh", "identity", seed=1)
    X = np.random.default_rng(0).random((rows, sizes[0]))
    T = X[:, :sizes[-1]].copy()
    return [clocks(net.gradient, X, T, threads=1)[0] for _ in range(13)][1:]


def in_two(sizes, rows):
    """What `gradients` gives in two processes at a time."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        return [*itertools.chain(*pool.map(gradients, [sizes] * 2, [rows] * 2))]


def of_dask(net, rows, workers, settings):
    with dask_cluster(workers, settings) as client:
        return epoch(client, net, BLOCKS, rows)


def epoch(client, net, blocks, rows, epochs=5):
    """The median of the seconds of some epochs, without the first, on rows of which each worker holds as many."""
    import dask.array as da

    from fastbp.interop.dask import fit
    X = da.random.default_rng(0).random((rows * blocks, net.n_inputs), chunks=(rows, net.n_inputs)).persist()
    client.rebalance(X)
    T = X[:, :net.n_outputs].persist()
    return statistics.median(np.diff(fit(net.copy(), X, T, epochs=epochs, optimizer="rprop", block_rows=rows).seconds))


def latencies(client, gradient_bytes):
    """What START, LATENCY and TASK are here, where scheduler, workers and caller share the processors."""
    import dask

    def milliseconds(graph):
        return statistics.median(clocks(graph().compute, optimize_graph=False)[0] for _ in range(21)) * 1e3

    def chain(length):
        """Tasks on one worker and the other in turn, each of which needs the array of the one before it."""
        value = gradient_bytes // 8
        for i in range(length):
            with dask.annotate(workers=[workers[i % 2]]):
                value = dask.delayed(ones if i == 0 else np.negative)(value, pure=False)
        return value

    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    first, last = milliseconds(lambda: chain(1)), milliseconds(lambda: chain(11))
    wide = milliseconds(lambda: dask.delayed(sum)([dask.delayed(int)(i, pure=False) for i in range(1000)], pure=False))
    print(f"the first task: {first:.1f} ms; each that waits for one on another worker: {(last - first) / 10:.1f} ms; "
          f"each of 1000 at a time: {wide / 1000:.2f} ms")
    return wide / 1e6


def ones(n):
    return np.ones(n)


def clocks(call, *arguments, **keywords):
    """Seconds by the clock, and of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    call(*arguments, **keywords)
    return time.perf_counter() - start, time.process_time() - cpu


def sample():
    """What the rest of the data adds, once a sample has been learnt."""
    rng = np.random.default_rng(0)
    def draw(m):
        X = rng.normal(size=(m, 10)).astype(np.float32)
        return X, (np.sin(X[:, 0] * X[:, 1]) + np.tanh(X[:, 2:5].sum(1)) + 0.3 * rng.normal(size=m)).astype(np.float32)
    X, T = draw(2_000_000)
    X_test, T_test = draw(200_000)
    print(f"{'rows':>10} {'method':<28} {'epochs':>6} {'seconds':>8} {'RMS on new rows':>16}")
    for rows, method, options in (
            (20_000, "mini-batches of 64, Adam", {"batch_size": 64, "epochs": 100}),
            (200_000, "mini-batches of 64, Adam", {"batch_size": 64, "epochs": 10}),
            (200_000, "mini-batches of 64, Adam", {"batch_size": 64, "epochs": 40}),
            (2_000_000, "mini-batches of 64, Adam", {"batch_size": 64, "epochs": 4}),
            (2_000_000, "batch, Rprop", {"optimizer": "rprop", "epochs": 40}),
            (2_000_000, "batch, Rprop", {"optimizer": "rprop", "epochs": 160})):
        net = fastbp.Network([10, 40, 1], "tanh", "identity", dtype="float32", reduction="mean", seed=1)
        options = {"optimizer": fastbp.Adam(0.003), "schedule": "cosine"} | options
        if options["optimizer"] == "rprop":
            options |= {"schedule": None, "batch_size": "full"}
        seconds, _ = clocks(net.fit, X[:rows], T[:rows], threads=1, **options)
        print(f"{rows:>10,} {method:<28} {options['epochs']:>6} {seconds:>8.1f} {net.rms(X_test, T_test):>16.4f}",
              flush=True)


def stream(directory, gigabytes):
    """Train on a file that may be larger than memory, with one thread and with the peak of memory shown."""
    import dask

    from fastbp.interop.dask import fit, rows
    path = Path(directory) / "fastbp-stream.f32"
    n, columns = int(gigabytes * 1e9) // (4 * 11), 11
    try:
        rng = np.random.default_rng(0)
        block = rng.random((1_000_000, columns), np.float32)
        with open(path, "wb") as file:
            for start in range(0, n, len(block)):
                file.write(block[:n - start].data)
        del block
        data = np.memmap(path, np.float32, "r", shape=(n, columns))
        net = fastbp.Network([10, 20, 1], "tanh", "identity", seed=1)
        with dask.config.set(scheduler="threads", num_workers=1):
            seconds, cpu = clocks(fit, net, data[:, :10], data[:, 10], epochs=1)
        peak = int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
        print(f"{path.stat().st_size / 1e9:.1f} GB, {n:,} rows, blocks of {rows.BLOCK_BYTES / 2**20:.0f} MiB: "
              f"an epoch took {seconds:.0f} s, {cpu:.0f} s of them of processor time, peak memory {peak:.0f} MiB")
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("OPENBLAS")]:
        del os.environ[name]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "model", "sample", "stream"])
    parser.add_argument("directory", nargs="?", default=".")
    parser.add_argument("--gigabytes", type=float, default=20)
    chosen = parser.parse_args()
    if chosen.what == "stream":
        stream(chosen.directory, chosen.gigabytes)
    else:
        {"measure": measure, "model": model, "sample": sample}[chosen.what]()
