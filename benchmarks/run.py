"""Measure every peer that is installed on every workload, and print the table: ``python benchmarks/run.py``.

Each number is taken by pyperf in processes of their own, pinned to one core. A round takes the peers of a workload one
after the other, so that a slow hour of the machine meets all of them; the rounds' values are put together in one file
under results/, beside the machine, the versions, the instruction set and the commit.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pyperf
from report import table

from fastbp import __version__, _core, _dispatch
from fastbp.bench import named, peers
from fastbp.bench.workloads import WORKLOADS

HERE = Path(__file__).parent


def cpu_model():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    if facts:
        return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"
    return platform.processor()


def commit():
    words = ["git", "-C", HERE, "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def measure(workload, peer, core, file):
    """One pyperf run into `file`; what it printed where it failed, else None."""
    words = [sys.executable, HERE / "measure.py", "--peer", peer, "--workload", workload.name,
             "--processes", "1", "--values", "3", "--warmups", "1", "--affinity", str(core), "--copy-env", "--quiet",
             "--output", file]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer has its turn")
    parser.add_argument("--only", nargs="*", help="groups or beginnings of workloads' names; by default all")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the processor core to use")
    parser.add_argument("--output", type=Path, default=HERE / "results" / f"{date.today()}.json")
    arguments = parser.parse_args()
    workloads = WORKLOADS if arguments.only is None else named(arguments.only)

    present, absent = [], []
    for name in peers.NAMES:
        try:
            peers.load(name)
            present.append(name)
        except ImportError as error:
            absent.append(f"{name} ({error})")
    print(f"measured: {', '.join(present)}; not installed: {', '.join(absent) or 'none'}")
    values, versions, failures, seen = {}, {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds):
            for workload in workloads:
                for peer in present:
                    if (workload.name, peer) in failures:
                        continue
                    file = Path(folder) / f"{len(seen)}.json"
                    problem = measure(workload, peer, arguments.core, file)
                    if problem:
                        failures[workload.name, peer] = problem
                        print(f"{workload.name}, {peer}: {problem}", flush=True)
                    elif file.exists():
                        benchmark = pyperf.Benchmark.load(str(file))
                        seen.append(benchmark)
                        metadata = benchmark.get_metadata()
                        versions[metadata["peer"]] = metadata["peer_version"]
                        values.setdefault(workload.name, {}).setdefault(metadata["peer"], []).extend(
                            benchmark.get_values())
                print(f"round {turn + 1}: {workload.name}", file=sys.stderr, flush=True)
    results = {
        "date": str(date.today()), "machine": cpu_model(), "system": platform.platform(terse=True),
        "python": platform.python_version(), "fastbp": __version__, "commit": commit(),
        "instruction_set": list(_dispatch.chosen()), "compiler": _core.COMPILER, "flags": _core.FLAGS,
        "rounds": arguments.rounds, "versions": versions, "not_installed": absent,
        "no_number": {" | ".join(key): problem for key, problem in failures.items()}, "seconds": values,
    }
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=1))
    print(table(results, results["seconds"]))


if __name__ == "__main__":
    main()
