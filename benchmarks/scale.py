"""The figures of docs/scale.md: ``python benchmarks/scale.py measure | model | sample | stream DIRECTORY``.

``measure`` compares a cluster of two processes with the same work in one; ``model`` prints the table of 10, 100 and
1000 machines and simulates the same trainings with drawn latencies and machines that fail; ``sample`` trains on all
rows and on a few of them; ``stream`` trains on 20 GB of float32 in a file of DIRECTORY, which it deletes.
"""

import argparse
import heapq
import math
import os
import re
import statistics
import time
from pathlib import Path

import numpy as np

import fastbp

# Seconds; measured by `measure` where it can be, the rest as networks of data centres have it.
TASK = 2e-4             # of the scheduler for each task, one after another
LATENCY = 2e-3          # from a result to the start of the task that waits for it
BANDWIDTH = 1e9         # bytes a second between two machines
ADDED_AT_ONCE = 8       # fastbp.interop.dask.sums
NETWORKS = {"10-20-1": [10, 20, 1], "100-200-200-10": [100, 200, 200, 10]}


def update_time(machines, blocks, block_seconds, gradient_bytes):
    """The model: work / workers, or the scheduler's own time if that is longer; then the tree."""
    depth = math.ceil(math.log(blocks, ADDED_AT_ONCE)) if blocks > 1 else 0
    tasks = blocks * (1 + 1 / (ADDED_AT_ONCE - 1))
    work = max(math.ceil(blocks / machines) * block_seconds, tasks * TASK)
    parameters = LATENCY + math.log2(machines + 1) * gradient_bytes / BANDWIDTH
    return parameters + work + depth * (LATENCY + ADDED_AT_ONCE * gradient_bytes / BANDWIDTH)


def simulated_time(machines, blocks, block_seconds, gradient_bytes, rng, failures=0.0):
    """One update, event by event: each machine takes the next block; latencies and speeds are drawn.

    `failures` is how many machines an hour fail, per machine. One that fails loses its block and the sums that it
    holds, which others make again, and is back after a minute.
    """
    def latency():
        return rng.lognormal(math.log(LATENCY), 0.5)

    level, ready_at = list(range(blocks)), [0.0] * blocks
    scheduler, free = 0.0, [(latency() + math.log2(machines + 1) * gradient_bytes / BANDWIDTH, i)
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
    import dask
    import dask.array as da
    from distributed import Client, LocalCluster
    sizes, blocks = [100, 200, 200, 10], 8
    rows = 130_000      # take a second or so
    net = fastbp.Network(sizes, "tanh", "identity", seed=1)
    X = np.random.default_rng(0).random((rows, 100))
    gradient = net.copy().gradient
    alone = [clocks(gradient, X, X[:, :10].copy(), threads=1) for _ in range(8)]
    alone = [blocks * min(times) for times in zip(*alone, strict=True)]
    print(f"load {os.getloadavg()[0]:.1f}; {blocks} blocks of {rows:,} rows, {X.nbytes / 2**20:.0f} MiB each; "
          f"one process without Dask {alone[0]:.2f} s")
    for workers in (1, 2):
        with (LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
              Client(cluster) as client):
            X = da.random.default_rng(0).random((rows * blocks, 100), chunks=(rows, 100)).persist()
            T = X[:, :10].persist()
            seconds, cpu = least_epoch(client, net, X, T, rows)
            print(f"{workers} workers: {seconds:.2f} s, {alone[0] / seconds:.2f} times as fast; processor time of all "
                  f"processes {cpu / alone[1] - 1:+.1%}")
            if workers == 2:
                tasks = [dask.delayed(int)(i, pure=False) for i in range(1000)]
                print(f"a task that does nothing: {min(clocks(dask.compute, tasks)[0] for _ in range(5)):.2f} ms")


def clocks(call, *arguments, **keywords):
    """Seconds by the clock, and of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    call(*arguments, **keywords)
    return time.perf_counter() - start, time.process_time() - cpu


def least_epoch(client, net, X, T, rows):
    """Seconds of the fastest epoch, and the least processor time of one in all processes."""
    from fastbp.interop.dask import fit

    def all_processes():
        return time.process_time() + sum(client.run(time.process_time).values())

    seconds, cpu = [], []
    for _ in range(5):
        before = all_processes()
        seconds += np.diff(fit(net.copy(), X, T, epochs=3, optimizer="rprop", block_rows=rows).seconds).tolist()
        cpu.append((all_processes() - before) / 3)
    return min(seconds), min(cpu)


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
