"""Lazy predictions for Dask's arrays and DataFrames."""

import sys
from uuid import uuid4

import dask
import dask.array as da
import numpy as np

from fastbp._arrays import refuse_masked
from fastbp._checks import came, kind
from fastbp.interop.dask.rows import columns_of, is_frame, shape
from fastbp.network import Network


def predict(net, X):
    """Outputs of a network for a Dask array or DataFrame, computed when Dask is asked for them.

    Parameters
    ----------
    net : fastbp.Network
        Its parameters are taken as they are now, and sent to each worker once.
    X : dask array or DataFrame, shape (M, n_inputs)
        Inputs; NaN and infinity are allowed, and M may be unknown.

    Returns
    -------
    dask array or DataFrame, shape (M, n_outputs)
        Of the network's dtype and with the chunks or partitions of X. A DataFrame has the index of X and columns named
        0, 1, ... A row's last bits may depend on how many rows its chunk has, and on the worker's instruction set.

    Raises
    ------
    ValueError, TypeError
        If X has another number of columns, or does not hold real numbers; in `compute`, if it holds masked values.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastbp
    >>> from fastbp.interop.dask import predict
    >>> net = fastbp.Network([2, 1], "identity", init=[([[1.0], [2.0]], [0.5])])
    >>> Y = predict(net, da.ones((6, 2), chunks=(4, 2)))
    >>> Y.chunks, float(Y.sum().compute())
    (((4, 2), (1,)), 21.0)
    """
    if not isinstance(net, Network):
        raise TypeError(f"net must be a fastbp.Network, got {came(net)}")
    frame = is_frame(X)
    if not frame and not isinstance(X, da.Array):
        raise TypeError(f"X must be a Dask array or DataFrame, got {kind(X)}; Network.predict takes arrays")
    if X.ndim != 2 or X.shape[1] != net.n_inputs:
        got = f"{X.shape[1]} columns" if frame and X.ndim == 2 else f"the shape {shape(X)}" if not frame else "a Series"
        raise ValueError(f"X must have the shape (M, {net.n_inputs}), got {got}")
    for column, dtype in columns_of(X) if frame else [(None, X.dtype)]:
        if getattr(dtype, "kind", "O") not in "fiub" or not isinstance(dtype, np.dtype):
            of_column = "" if column is None else f" in column {column!r}"
            raise TypeError(f"X must hold real numbers, got {dtype}{of_column}")
    # A copy without the loss, which predictions do not need and other processes may not know.
    copy = Network(net.layer_sizes, net.activations, dtype=net.dtype, init=net.params)
    once = dask.delayed(copy, name=f"fastbp-network-{uuid4().hex}", traverse=False)
    if frame:
        meta = outputs_of_frame(X._meta_nonempty.iloc[:0], copy)
        return X.map_partitions(outputs_of_frame, once, meta=meta, enforce_metadata=False)
    X = X.rechunk({1: -1}, method="tasks")
    return da.map_blocks(outputs_of_block, X, network=once, chunks=(X.chunks[0], (net.n_outputs,)), dtype=net.dtype,
                         meta=np.empty((0, 0), net.dtype))


def outputs_of_block(x, network):
    refuse_masked(x, "X")
    return network.predict(np.asarray(x))


def outputs_of_frame(frame, network):
    pandas = sys.modules["pandas"]
    return pandas.DataFrame(network.predict(frame.to_numpy()), index=frame.index)
