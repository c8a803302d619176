"""What is asked of a cluster before it is sent work, and what its failures are called."""

import contextlib
import platform
from concurrent.futures import CancelledError

import dask
import numpy as np

from fastbp import _dispatch
from fastbp._checks import warn
from fastbp._version import __version__


def current():
    """The client of the cluster that Dask would compute with now; None for a scheduler within this process."""
    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    return owner if hasattr(owner, "scheduler_info") else None


def reporter():
    """A function that tells what a process has, for processes that may not have fastbp.

    A function within a function is pickled as code, and not by the name of its module.
    """
    def report():
        try:
            import platform

            import fastbp
            from fastbp import _dispatch
        except ImportError as error:
            return {"missing": str(error)}
        return {"version": fastbp.__version__, "machine": platform.machine(), "available": _dispatch.available(),
                "chosen": _dispatch.chosen()}
    return report


def common_levels():
    """The levels of instruction sets with which all workers are to compute.

    If they have different ones, that is the best that all of them have, because bits differ between levels.
    """
    client = current()
    if client is None:
        return _dispatch.chosen()
    with named_failures():
        reports = {"the scheduler": client.run_on_scheduler(reporter()),
                   **{f"the worker {address}": report for address, report in client.run(reporter()).items()}}
    for process, report in reports.items():
        if "missing" in report:
            raise RuntimeError(f"{process} has no fastbp ({report['missing']}); install version {__version__} there")
        if report["version"] != __version__:
            raise RuntimeError(f"{process} has fastbp {report['version']}, but this process has {__version__}; all "
                               "must have the same")
    reports.pop("the scheduler")
    if not reports:
        warn("The cluster has no workers; the work begins when the first has come.")
        return _dispatch.chosen()
    return levels_of(reports)


def levels_of(reports):
    machines = {report["machine"] for report in reports.values()}
    if len(machines) > 1:
        raise RuntimeError("the workers must have processors of one kind, because bits differ between kinds, got "
                           f"{', '.join(sorted(machines))}")
    chosen = {report["chosen"] for report in reports.values()}
    if len(chosen) == 1:
        return chosen.pop()
    # A worker may have better ones than it was told to use, by FASTBP_ISA.
    allowed = [report["available"][:report["available"].index(report["chosen"][-1]) + 1] for report in reports.values()]
    levels = _dispatch.automatic(min(allowed, key=len))
    theirs = "; ".join(f"{worker}: {report['chosen'][-1]}" for worker, report in reports.items())
    warn(f"The workers use different instruction sets, with which bits would differ ({theirs}). From now on all of "
         f"them use {levels[-1]}.")
    return levels


def demand_likeness(version, machine, levels):
    """In a worker: that it is like the others. It may have come after they were asked."""
    if version != __version__ or machine != platform.machine():
        raise RuntimeError(f"this worker has fastbp {__version__} on {platform.machine()}, but the training began with "
                           f"{version} on {machine}")
    if _dispatch.chosen() != levels:
        if not set(levels) <= set(_dispatch.available()):
            raise RuntimeError(f"this worker's processor has the instruction sets {', '.join(_dispatch.available())}, "
                               f"but the training began with {levels[-1]}, and bits differ between them")
        _dispatch.use(*levels)


def demand_memory(blocks):
    """Refuse blocks or chunks that no worker has the memory for, before Dask kills worker after worker by them."""
    client = current()
    if client is None:
        return
    limits = [worker["memory_limit"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
    limit = min((limit for limit in limits if limit), default=np.inf)
    rows = min(blocks.rows, blocks.m)
    needed = sum(rows * array.shape[1] * array.dtype.itemsize for array in blocks.arrays)
    if needed > limit:
        raise MemoryError(f"block_rows must be so small that a block fits into the {limit:,} bytes that a worker may "
                          f"use, got blocks of {rows:,} rows, which take {needed:,} bytes")


def compute(client, *collections):
    """What `dask.compute` gives, with the client that was the current one when work began; where it fails, an error
    that says so.

    Graphs are taken as they are: `rows.optimize` has optimised the blocks, and to do it again for each pass would give
    keys that passes share another meaning in each.
    """
    if current() is not client:     # Dask would go on with another one, or with threads of this process
        raise RuntimeError("the Dask client with which training began was closed, or is no longer the current one; the "
                           "network is as it was before this pass over the samples")
    with named_failures():
        return dask.compute(*collections, optimize_graph=False)


@contextlib.contextmanager
def named_failures():
    """Give the failures of a cluster names that one knows without Dask."""
    try:
        yield
    except Exception as error:
        # By name, because the classes are in modules of Dask's that a program without a cluster never imports.
        cancelled = isinstance(error, CancelledError)
        closed = type(error).__name__ == "ClosedClientError"
        if closed or (cancelled and "connection" not in str(getattr(error, "reason", ""))):
            raise RuntimeError("Dask cancelled the work, because the client was closed or restarted, or data on the "
                               "workers were released; the network is as it was before this pass over the samples "
                               f"({type(error).__name__}: {error})") from error
        if cancelled or type(error).__name__ == "CommClosedError":
            raise ConnectionError("the connection to Dask's scheduler was lost; the network is as it was before this "
                                  f"pass over the samples ({type(error).__name__}: {error})") from error
        if type(error).__name__ == "KilledWorker":
            raise RuntimeError("a block ended every worker that it was tried on, so most likely they have too little "
                               f"memory for it; try a smaller block_rows, or smaller chunks of X and T ({error})"
                               ) from error
        raise
