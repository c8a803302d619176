"""Error and gradient as sums over blocks, each made by one task, and added in a tree that follows from the blocks."""

import operator
import platform
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import dask
import dask.array as da
import numpy as np

from fastbp._version import __version__
from fastbp.divergence import place_of_nonfinite
from fastbp.interop.dask import cluster
from fastbp.network import Network

# How many sums a task adds. It adds them two by two, so the tree is a binary one for any power of two.
ADDED_AT_ONCE = 8


@dataclass(frozen=True)
class Job:
    """What a worker must know of a training; sent to each of them once."""

    network: dict       # the arguments of a Network whose loss is a sum
    labels: bool
    rows: int
    gradient: bool      # whether there is to be one
    version: str
    machine: str
    levels: tuple


class Sums(NamedTuple):
    """Of some rows: the error E, the squares for the RMS error, the weights, and the gradient or 0."""

    error: float
    squares: float
    weight: float
    gradient: np.ndarray | float


class Summing:
    """The sums over all blocks for one set of parameters after another."""

    def __init__(self, net, blocks, levels, gradient=True):
        arguments = {**net._arguments(), "reduction": "sum"}
        self.blocks, self.levels = blocks, levels
        job = Job(arguments, blocks.labels, blocks.rows, gradient, __version__, platform.machine(), levels)
        self.job = dask.delayed(job, name=f"fastbp-job-{uuid4().hex}", traverse=False)

    def __call__(self, params):
        """The `Sums` for these parameters."""
        name, n = uuid4().hex, len(self.blocks)
        # A task of its own, which the scheduler can run again where the worker that held its result has died; what is
        # scattered would be lost.
        params = dask.delayed(np.asarray(params), name=f"fastbp-params-{name}", traverse=False)
        sums = da.map_blocks(of_a_block, *self.blocks.arrays, job=self.job, params=params, dtype=object,
                             chunks=((1,) * n,), drop_axis=1, meta=np.empty(0, object), name=f"fastbp-sums-{name}")
        total = da.reduction(sums, as_it_is, added, axis=0, dtype=object, split_every=ADDED_AT_ONCE, concatenate=False,
                             meta=np.empty((), object), name=f"fastbp-added-{name}")
        return cluster.compute(total)[0].item()


def of_a_block(x, t, weights=None, *, job, params, block_id):
    """In a worker: the sums of one block, in an array because Dask puts arrays together."""
    cluster.demand_likeness(job.version, job.machine, job.levels)
    net = Network(**job.network, init=params)
    start = block_id[0] * job.rows
    x, t = np.asarray(x), np.asarray(t)
    t = t[:, 0] if job.labels else t
    weights = None if weights is None else np.asarray(weights)[:, 0]
    try:
        sums = sums_of(net, x, t, weights, job.gradient)
    except (TypeError, ValueError) as error:
        raise about_rows(error, net.dtype, start, {"X": x, "T": t, "sample_weight": weights}) from None
    return boxed(sums, (1,))


def sums_of(net, x, t, weights, gradient):
    if not gradient:
        error, rms = net._error_and_rms(x, t, 1)
        return Sums(error, rms**2 * len(x) * net.n_outputs, len(x), 0.0)
    if weights is not None and not weights.any():
        # Network.gradient refuses weights of sum 0, but those of other blocks may be positive.
        _, squares, gradient = net._sums(x, t, None, 1)
        return Sums(0.0, squares, 0.0, np.zeros_like(gradient))
    error, squares, gradient = net._sums(x, t, weights, 1)
    return Sums(error, squares, len(x) if weights is None else float(weights.sum(dtype=np.float64)), gradient)


def about_rows(error, dtype, start, arrays):
    """The error of a block as one that names the user's own row."""
    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            where = None if array is None else place_of_nonfinite(np.asarray(array, dtype))
        if where is not None:
            column = f", column {where[1]}" if len(where) > 1 else ""
            return ValueError(f"{name} must be finite, got {array[where]} in row {start + where[0]}{column} "
                              f"(as {dtype})")
    return type(error)(f"{error} (in the block of rows from {start} on)")


def as_it_is(block, axis, keepdims):
    return block


def added(blocks, axis, keepdims):
    """The sum of some neighbours, added two by two."""
    sums = [block.item() for block in (blocks if isinstance(blocks, list) else [blocks])]
    while len(sums) > 1:
        sums = [Sums(*map(operator.add, *sums[i:i + 2])) if i + 1 < len(sums) else sums[i]
                for i in range(0, len(sums), 2)]
    return boxed(sums[0], (1,) if keepdims else ())


def boxed(sums, shape):
    box = np.empty(shape, object)
    box.reshape(-1)[0] = sums
    return box
