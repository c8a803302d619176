"""What X, T and sample_weight may be, as Dask arrays whose chunks are blocks of a fixed number of rows."""

import os
import sys
import zlib

import dask
import dask.array as da
import numpy as np

from fastbp._arrays import is_map, real_array, refuse_masked
from fastbp._checks import kind, positive_integer
from fastbp.interop.dask import cluster
from fastbp.training.checkpoint import checksum

# Of the numbers of a block, in the network's dtype.
BLOCK_BYTES = 2**25
# By what pandas' objects, tensors and sparse matrices are told from files, which are read chunk by chunk.
IN_MEMORY = "to_numpy", "__dlpack__", "toarray"


def rows_of_a_block(net, block_rows):
    """`block_rows` as it was given, or as many as take 32 MiB. Neither data nor cluster have a say in it, for the bits
    of a sum depend on it."""
    if block_rows is not None:
        return min(positive_integer("block_rows", block_rows), sys.maxsize)     # more are no integers for NumPy
    return max(512, BLOCK_BYTES // (net.dtype.itemsize * (net.n_inputs + net.n_outputs)) // 512 * 512)


class Blocks:
    """Samples as Dask arrays with a row for each sample, cut alike.

    Attributes
    ----------
    x, t : dask.array.Array, shapes (m, n_inputs) and (m, n_outputs)
        For integer labels t has the shape (m, 1).
    weights : dask.array.Array, shape (m, 1), or None
    labels : bool
        Whether t holds a label for each sample.
    m, rows : int
        The number of samples, and of those in a block; the last block may have fewer.
    """

    def __init__(self, net, X, T, sample_weight, block_rows):
        self.rows, self.client = rows_of_a_block(net, block_rows), cluster.current()
        x, t = as_array("X", X, self.rows), as_array("T", T, self.rows)
        if x.ndim != 2 or x.shape[1] != net.n_inputs:
            raise ValueError(f"X must have the shape (M, {net.n_inputs}), got {shape(x)}")
        self.labels = t.ndim == 1 and net.loss == "cross_entropy"
        if self.labels and t.dtype.kind not in "iu":
            raise TypeError(f"T must hold an integer label or a row of {net.n_outputs} probabilities for each sample, "
                            f"got the shape {shape(t)} of {t.dtype}")
        if not self.labels and t.shape[1:] != (net.n_outputs,) and not (t.ndim == 1 and net.n_outputs == 1):
            raise ValueError(f"T must have the shape (M, {net.n_outputs}), got {shape(t)}")
        for name, array in (("X", x), ("T", t)):
            demand_known(name, array)
        self.m = x.shape[0]
        if self.m == 0:
            raise ValueError("X must hold at least one sample, got none")
        if t.shape[0] != self.m:
            raise ValueError(f"T must have a row for each of the {self.m} samples of X, got {t.shape[0]}")
        # What persist() left with the workers stays there only as long as somebody holds its arrays.
        self.given = [x, t]
        self.x, self.t, self.weights = self.cut(x), self.cut(t), None
        if sample_weight is not None:
            if callable(net.loss):
                raise ValueError("sample_weight cannot be used with a loss function of your own, which would not see "
                                 "it")
            weights = as_array("sample_weight", sample_weight, self.rows)
            demand_known("sample_weight", weights)
            if weights.shape != (self.m,):
                raise ValueError(f"sample_weight must have the shape ({self.m},), got {weights.shape}")
            self.given.append(weights)
            self.weights = self.cut(weights)

    def cut(self, array):
        """The array with a column axis, in blocks of all columns. What was in memory goes to the workers once."""
        array = array[:, None] if array.ndim == 1 else array
        return array.rechunk({0: self.rows, 1: -1}, method="tasks")

    @property
    def arrays(self):
        return [array for array in (self.x, self.t, self.weights) if array is not None]

    def compute(self, *collections):
        """What is made of the blocks, computed where those of them are that were in memory."""
        return cluster.compute(self.client, *collections)

    def largest(self):
        """The largest absolute values of inputs and of targets; labels stand for 0 and 1."""
        x, t = self.compute(abs(self.x).max(), abs(self.t).max())
        return float(x), 1.0 if self.labels else float(t)

    def checksums(self):
        """A CRC-32 of each array, which does not depend on its chunks."""
        meta = np.empty((0, 0), np.uint32)
        of_blocks = [array.map_blocks(checksum_of_block, chunks=(1, 1), dtype=meta.dtype, meta=meta)
                     for array in self.arrays]
        return [checksum(sums.ravel()) for sums in self.compute(*of_blocks)]

    def last(self):
        """(x, t) of the last block."""
        x, t = self.compute(self.x.blocks[-1], self.t.blocks[-1])
        return x, t[:, 0] if self.labels else t

    def __len__(self):
        """The number of blocks."""
        return self.x.numblocks[0]


def optimize(*sets):
    """Optimise the graphs of several Blocks, once and together.

    Otherwise each computation would do it, for itself: a key that two of them share, as training and validation may,
    would then stand for tasks of different inputs, and a scheduler that still has the one fails at the other.
    """
    optimized = iter(dask.optimize(*(array for blocks in sets for array in blocks.arrays)))
    for blocks in sets:
        blocks.x, blocks.t = next(optimized), next(optimized)
        blocks.weights = None if blocks.weights is None else next(optimized)


def checksum_of_block(block):
    return np.full((1, 1), zlib.crc32(np.ascontiguousarray(block)), np.uint32)


def as_array(name, values, rows):
    """A Dask array of what a user passed, in one or two dimensions."""
    refuse_masked(values, name)
    if isinstance(values, da.Array):
        array = values
    elif is_frame(values):
        array = from_frame(name, values)
    elif isinstance(values, np.ndarray) and is_map(values):
        array = from_map(name, values, rows)
    elif dask.is_dask_collection(values):   # such as Delayed, which claims to have any attribute
        raise TypeError(f"{name} must be a Dask array or DataFrame, got {kind(values)}")
    elif isinstance(values, (np.ndarray, list, tuple)) or any(hasattr(values, method) for method in IN_MEMORY):
        values = real_array(values, name)
        array = da.from_array(values, chunks=(rows, *values.shape[1:]), name=False).persist()
    elif all(hasattr(values, attribute) for attribute in ("shape", "dtype", "ndim", "__getitem__")):
        array = da.from_array(values, chunks=(rows, *values.shape[1:]))     # of Zarr, HDF5 and their like
    else:
        raise TypeError(f"{name} must be a Dask array or DataFrame, or an array, got {kind(values)}")
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must have one or two dimensions, got the shape {shape(array)}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    if not isinstance(array._meta, np.ndarray):
        raise TypeError(f"{name} must have chunks that are NumPy arrays, got chunks of {kind(array._meta)}")
    return array


def is_frame(values):
    """Whether it is a DataFrame or Series of Dask's. Whoever has one has imported dask.dataframe."""
    frames = sys.modules.get("dask.dataframe")
    return frames is not None and isinstance(values, (frames.DataFrame, frames.Series))


def from_frame(name, frame):
    """Its values. How many rows the partitions have is not known before they are read, which is done here once."""
    for column, dtype in columns_of(frame):
        if getattr(dtype, "kind", "O") not in "fiub" or not isinstance(dtype, np.dtype):
            raise TypeError(f"{name} must hold real numbers, but its column {column!r} has the dtype {dtype}; write "
                            f"for example {name}.astype(float)")
    # Not lengths=True: for a few columns of Parquet files, Dask 2026.8 reads several files as one partition and then
    # finds fewer lengths than partitions.
    array = frame.to_dask_array().compute_chunk_sizes()
    # pandas makes objects of numbers and truth values in one frame.
    return array.astype(np.float64) if array.dtype.kind == "O" else array


def columns_of(frame):
    """(name, dtype) of each column."""
    return [*frame.dtypes.items()] if frame.ndim == 2 else [(frame.name, frame.dtype)]


def from_map(name, values, rows):
    """The rows of a memory map, which the workers read from its file, and not from a copy of it."""
    root = values
    while isinstance(root.base, np.ndarray):
        root = root.base
    path, mode = getattr(root, "filename", None), getattr(root, "mode", None)
    if path is None or mode == "c":
        raise TypeError(f"{name} must be a memory map of a file, read-only or written through to it, got one "
                        + ("of no file" if path is None else 'with mode "c", whose changes no worker would see'))
    offset = root.offset + values.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    starts = range(0, values.shape[0], rows)
    chunks = tuple(min(rows, values.shape[0] - start) for start in starts) or (0,)
    return da.map_blocks(read_map, os.fsdecode(path), values.dtype, offset, values.strides, values.shape, rows,
                         chunks=(chunks, *((n,) for n in values.shape[1:])), dtype=values.dtype,
                         meta=np.empty((0,) * values.ndim, values.dtype))


def read_map(path, dtype, offset, strides, shape, rows, block_id):
    """One block of a memory map; it is mapped anew, so that its pages are given back after the block."""
    start = block_id[0] * rows
    try:
        file = np.memmap(path, np.uint8, "r")
        return np.ndarray((min(rows, shape[0] - start), *shape[1:]), dtype, file, offset + start * strides[0], strides)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: the file is too short for the rows from {start} on of its memory map ({error})"
                         ) from None


def in_a_map(values):
    """Whether the numbers of an array or a DataFrame stand in a memory map."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    return isinstance(array, np.ndarray) and is_map(array)


def in_memory(values):
    """The array or DataFrame, or a copy if it is in a memory map."""
    if not in_a_map(values):
        return values
    return values.copy() if hasattr(values, "to_numpy") else np.array(values)


def demand_known(name, array):
    if not all(np.isfinite(array.shape)):
        raise ValueError(f"{name} has chunks of unknown sizes, got the shape {shape(array)}; call "
                         f"{name}.compute_chunk_sizes() first, which reads it once")


def shape(array):
    """A shape for an error; an unknown length is NaN in Dask."""
    return tuple("unknown" if np.isnan(n) else n for n in array.shape)
