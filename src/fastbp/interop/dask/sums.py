"""Sums over blocks, each made by one task, and added in a tree that follows from the blocks.

They are the error, and beside it either nothing, or the gradient, or the normal equations of Levenberg-Marquardt.
"""

import operator
import platform
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import dask
import dask.array as da
import numpy as np

from fastbp._arrays import refuse_masked
from fastbp._core import NormalEquations
from fastbp._version import __version__
from fastbp.divergence import place_of_nonfinite
from fastbp.interop.dask import cluster
from fastbp.interop.dask.rows import in_memory
from fastbp.network import Network

# How many sums a task adds. It adds them two by two, so the tree is a binary one for any power of two.
ADDED_AT_ONCE = 8


@dataclass(frozen=True)
class Job:
    """What a worker must know of a training; sent to each of them once."""

    network: dict       # the arguments of a Network whose loss is a sum
    labels: bool
    samples: int
    rows: int
    version: str
    machine: str
    levels: tuple


class Sums(NamedTuple):
    """Of some rows: the error E, the squares for the RMS error, the weights, and an array, or 0 in its place."""

    error: float
    squares: float
    weight: float
    array: np.ndarray | float


class Summing:
    """The sums over all blocks for one set of parameters after another."""

    def __init__(self, net, blocks, levels):
        arguments = {**net._arguments(), "reduction": "sum"}
        self.blocks, self.levels = blocks, levels
        job = Job(arguments, blocks.labels, blocks.m, blocks.rows, __version__, platform.machine(), levels)
        self.job = dask.delayed(job, name=f"fastbp-job-{uuid4().hex}", traverse=False)

    def __call__(self, params, array=None):
        """The `Sums` for these parameters, with the named array: "gradient", "equations" or none.

        With "finite" there is none, either, but each number of the samples is looked at.
        """
        name, n = uuid4().hex, len(self.blocks)
        # A task of its own, which the scheduler can run again where the worker that held its result has died; what is
        # scattered would be lost.
        params = dask.delayed(np.asarray(params), name=f"fastbp-params-{name}", traverse=False)
        # With an axis of columns, of length 1: for one to drop, Dask would first copy each block.
        sums = da.map_blocks(of_a_block, *self.blocks.arrays, job=self.job, params=params, array=array, dtype=object,
                             chunks=((1,) * n, (1,)), meta=np.empty((0, 0), object), name=f"fastbp-sums-{name}")
        total = da.reduction(sums, as_it_is, added, axis=0, dtype=object, split_every=ADDED_AT_ONCE, concatenate=False,
                             meta=np.empty(0, object), name=f"fastbp-added-{name}")
        return self.blocks.compute(total)[0].item()


def of_a_block(x, t, weights=None, *, job, params, array, block_id):
    """In a worker: the sums of one block, in an array because Dask puts arrays together."""
    cluster.demand_likeness(job.version, job.machine, job.levels)
    net = Network(**job.network, init=params)
    start = block_id[0] * job.rows
    rows = min(job.rows, job.samples - start)
    try:
        for name, block in (("X", x), ("T", t), ("sample_weight", weights)):
            refuse_masked(block, name)
            if block is not None and len(block) != rows:
                raise ValueError(f"{name} must have as many rows as its chunks announce, got {len(block)} of {rows}")
    except ValueError as error:
        raise ValueError(f"{error} (in the block of rows from {start} on)") from None
    # A network refuses to convert a memory map, because it cannot know that this is but a block of one.
    x, t = np.asarray(in_memory(x)), np.asarray(in_memory(t))
    t = t[:, 0] if job.labels else t
    weights = None if weights is None else np.asarray(in_memory(weights))[:, 0]
    try:
        sums = sums_of(net, x, t, weights, array)
    except (TypeError, ValueError) as error:
        raise about_rows(error, net.dtype, start, {"X": x, "T": t, "sample_weight": weights}) from None
    if array == "finite":
        demand_finite(net.dtype, start, {"X": x, "T": t})
    return boxed(sums, (1, 1))


def sums_of(net, x, t, weights, array):
    """The sums of one block. All of its weights may be 0, which the core refuses, if those of other blocks are not."""
    none = weights is not None and not weights.any()
    samples = net._samples(x, t, None if none else weights, warn=False)
    gradient = np.empty(net.n_params, net.dtype) if array == "gradient" else None
    error, squares = net._loss_of(samples, gradient, 1)
    if none:
        return Sums(0.0, squares, 0.0, 0.0)
    weight = len(x) if weights is None else float(weights.sum(dtype=np.float64))
    if array == "equations":
        return Sums(error, squares, weight, equations_of(net, samples))
    return Sums(error, squares, weight, 0.0 if gradient is None else gradient)


def equations_of(net, samples):
    """The lower half of J^T J row by row, J^T e, and the sum of the squares of e, as one vector."""
    equations = NormalEquations(net)
    squares = equations.add_up(net, samples)
    return np.concatenate([equations.matrix[np.tri(net.n_params, dtype=bool)], equations.gradient, [squares]])


def about_rows(error, dtype, start, arrays):
    """The error of a block as one that names the user's own row."""
    try:
        demand_finite(dtype, start, arrays)
    except ValueError as named:
        return named
    return type(error)(f"{error} (in the block of rows from {start} on)")


def demand_finite(dtype, start, arrays):
    """A ValueError that names the first number of a block that is not finite, by the user's own row."""
    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            numbers = array is not None and array.dtype.kind in "fiub"
            where = place_of_nonfinite(array.astype(dtype, copy=False)) if numbers else None
        if where is not None:
            column = f", column {where[1]}" if len(where) > 1 else ""
            raise ValueError(f"{name} must be finite, got {array[where]} in row {start + where[0]}{column} "
                             f"(as {dtype})")


def as_it_is(block, axis, keepdims):
    return block


def added(blocks, axis, keepdims):
    """The sum of some neighbours, added two by two."""
    sums = [block.item() for block in (blocks if isinstance(blocks, list) else [blocks])]
    while len(sums) > 1:
        sums = [Sums(*map(operator.add, *sums[i:i + 2])) if i + 1 < len(sums) else sums[i]
                for i in range(0, len(sums), 2)]
    return boxed(sums[0], (1, 1) if keepdims else (1,))


def boxed(sums, shape):
    box = np.empty(shape, object)
    box.reshape(-1)[0] = sums
    return box
