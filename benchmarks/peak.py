"""The share of the core's peak that fastbp reaches in W11 and W12: ``python benchmarks/peak.py``.

Other workloads of batches may be named. peak.c, compiled by cc, says what the peak is. Only products count, so what an
activation or the optimizer takes is missing from the share.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fastbp.bench import measured, named, peers

peers.one_thread()

SOURCE = Path(__file__).with_suffix(".c")


def peak(dtype):
    """Floating-point operations a second, in multiply-adds."""
    with tempfile.TemporaryDirectory() as folder:
        program, real = Path(folder) / "peak", {"float32": "float", "float64": "double"}[dtype]
        subprocess.run(["cc", "-O2", "-march=native", "-ffp-contract=fast", f"-DREAL={real}", SOURCE, "-o", program],
                       check=True)
        return 1e9 * float(subprocess.check_output([program]))


def operations(workload):
    """Those of all products: forward, and of a training the gradient and all error signals but the inputs'."""
    products = [n_in * n_out for n_in, n_out in zip(workload.sizes[:-1], workload.sizes[1:], strict=True)]
    total = sum(products) if workload.job == "predict" else 3 * sum(products) - products[0]
    return 2 * total * workload.samples


def main():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    adapter, predictions = peers.load("fastbp"), {}
    for dtype in ("float32", "float64"):
        limit = peak(dtype)
        print(f"{dtype}: peak {limit / 1e9:.1f} GFLOP/s")
        for workload in (replace(workload, dtype=dtype) for workload in named(sys.argv[1:] or ["W11", "W12"])):
            rounds, waited = measured({"fastbp": adapter.prepare(workload, *workload.problem())[0]})
            seconds = min(rounds["fastbp"])
            share = operations(workload) / seconds / limit
            line = f"  {workload.name:<32}{seconds * 1e6:12,.1f} us{share:8.0%} of peak"
            if workload.job == "predict":
                predictions[dtype, workload.sizes, workload.samples] = seconds
            elif (dtype, workload.sizes, workload.samples) in predictions:
                line += f"{seconds / predictions[dtype, workload.sizes, workload.samples]:6.2f} times a prediction"
            print(line + f"   waited {waited:.0%}" * (waited > 0.1), flush=True)


if __name__ == "__main__":
    main()
