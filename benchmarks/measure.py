"""One peer, one workload, timed by pyperf: ``python measure.py --peer numba --workload "W1 2-2-1 f32"``.

pyperf's own options are taken, too. The peer's answer is checked beforehand against the oracle. A wrong one ends the
program with an error and without a number; where the peer cannot express the workload there is no number either.
"""

import sys
from functools import cache
from pathlib import Path
from time import perf_counter

from fastbp.bench import check, peers

peers.one_thread()  # before anything loads a BLAS

import pyperf  # noqa: E402

from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, WORKLOADS  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from reference import SGD, Adam, Reference  # noqa: E402


def oracle(workload):
    """The answer by tests/reference.py, the plain float64 network that fastbp's own tests trust."""
    layers, X, T = workload.problem()
    activations = [workload.hidden] * (len(layers) - 1) + [workload.output]
    net = Reference(layers, activations, loss=workload.loss, reduction="mean")
    if workload.job in ("calls", "predict"):
        return net.predict(X)
    if workload.optimizer == "adam":
        optimizer = Adam(workload.learning_rate, BETA_1, BETA_2, EPSILON)
    else:
        optimizer = SGD(workload.learning_rate, MOMENTUM if workload.optimizer == "momentum" else 0.0)
    for start in range(0, len(X), workload.batch):
        rows = slice(start, start + workload.batch)
        net.params = optimizer.step(net.params, net.gradient(X[rows], T[rows])[1])
    return net.params


@cache
def prepared(workload, adapter):
    run = adapter.prepare(workload, *workload.problem())[0]
    run()
    return run


def timed(loops, workload, adapter):
    """Seconds of `loops` runs; what is done once is done at the first call, which pyperf does not count."""
    run = prepared(workload, adapter)
    started = perf_counter()
    for _ in range(loops):
        run()
    return perf_counter() - started


def main():
    workloads = {workload.name: workload for workload in WORKLOADS}

    def for_the_worker(command, args):
        command.extend(["--peer", args.peer, "--workload", args.workload])

    runner = pyperf.Runner(add_cmdline_args=for_the_worker)
    runner.argparser.add_argument("--peer", choices=peers.NAMES, required=True)
    runner.argparser.add_argument("--workload", choices=workloads, required=True)
    runner.parse_args()
    workload, adapter = workloads[runner.args.workload], peers.load(runner.args.peer)
    if not runner.args.worker:
        small = workload.for_the_check()
        if not check(small, adapter, oracle(small)):
            return
    runner.metadata["peer"], runner.metadata["peer_version"] = adapter.NAME, adapter.version()
    runner.bench_time_func(f"{workload.name} | {adapter.NAME}", timed, workload, adapter)


if __name__ == "__main__":
    main()
