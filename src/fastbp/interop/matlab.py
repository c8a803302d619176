"""Shallow networks of MATLAB's, from .mat files; docs/interop.md has the lines of MATLAB that save one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp.interop.chain import Chain, file_content, reading
from fastbp.interop.mat_file import Mat
from fastbp.io import FormatError

if TYPE_CHECKING:
    import os

    from fastbp.network import Network

VARIABLES = ("IW", "LW", "b", "transferFcn", "inputFcns", "inputSettings", "outputFcns", "outputSettings")
# A transfer function is a g(r) + c; its name, and g, a and c.
TRANSFER = {
    "purelin": ("identity", 1, 0),
    "hardlim": ("threshold", 1, 0),
    "hardlims": ("threshold", 2, -1),
    "logsig": ("sigmoid", 1, 0),
    "tansig": ("tanh", 1, 0),
    "poslin": ("relu", 1, 0),
    "elliotsig": ("softsign", 1, 0),
    "radbas": ("gaussian", 1, 0),
    "softmax": ("softmax", 1, 0),
}


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network of MATLAB's fitnet, feedforwardnet or patternnet from a .mat file.

    Parameters
    ----------
    path : str or os.PathLike
        Of a file (``save -v7``, or -v6) with the network's properties as the cells IW, LW, b, transferFcn, inputFcns,
        inputSettings, outputFcns and outputSettings. The last four are empty where nothing is processed.

    Returns
    -------
    Network
        Of float64, with the default loss. What mapminmax and mapstd do to inputs and outputs is folded into it; it
        takes and gives rows where MATLAB has columns.

    Raises
    ------
    FormatError
        If the file is not a .mat file of these versions, is damaged or lacks a cell; if layers are connected in another
        way than each to the next, or have a transfer or processing function that fastbp lacks. It is a ValueError.
    OSError
        If it cannot be read.

    Examples
    --------
    With a file that MATLAB wrote::

        net = matlab.load("net.mat")
    """
    with reading(path, ValueError):
        return network(Mat(file_content(path)).variables(VARIABLES))


def network(values):
    """The network of the variables of a file."""
    IW, LW, b = (cells(values, name) for name in ("IW", "LW", "b"))
    transfer = texts(values, "transferFcn")
    n = b.size
    if IW.shape != (n, 1) or LW.shape != (n, n) or len(transfer) != n:
        raise FormatError(f"IW, LW, b and transferFcn must be of one input and the same number of layers, are of the "
                          f"shapes {IW.shape}, {LW.shape} and {b.shape} and of {len(transfer)} names")
    chain = Chain()
    for factor, offset in scalings(values, "input"):
        chain.scaling(factor, offset)
    for l in range(n):
        others = [*np.delete(LW[l], l - 1), IW[l, 0]] if l else [*LW[0]]
        if any(np.size(W) for W in others):
            raise FormatError(f"layer {l + 1} must have weights from the layer before and from nowhere else")
        W, bias = matrix(IW[0, 0] if l == 0 else LW[l, l - 1], "weights"), matrix(b.flat[l], "b")
        chain.affine(W.T, bias.ravel() if bias.size else None)
        if transfer[l] not in TRANSFER:
            raise FormatError(f"layer {l + 1} has the transfer function {transfer[l]!r}, which fastbp has not")
        activation, factor, offset = TRANSFER[transfer[l]]
        if activation != "identity":
            chain.activation(activation)
        if (factor, offset) != (1, 0):
            chain.scaling(factor, offset)
    for factor, offset in reversed([*scalings(values, "output")]):
        chain.scaling(1 / factor, -offset / factor)
    return chain.network()


def scalings(values, end):
    """The factor and offset of each processing function of inputs or outputs."""
    names, settings = texts(values, f"{end}Fcns"), cells(values, f"{end}Settings")
    if len(names) != settings.size:
        raise FormatError(f"{end}Settings must be {len(names)}, as {end}Fcns are, got {settings.size}")
    for name, of_name in zip(names, settings.flat, strict=True):
        def field(key, name=name, of_name=of_name):
            if not isinstance(of_name, dict) or key not in of_name:
                raise FormatError(f"{end}Settings of {name} must be a struct with the field {key}")
            return matrix(of_name[key], f"{end}Settings.{key}").ravel()

        if name == "mapminmax":         # (x - xoffset) gain + ymin
            yield field("gain"), field("ymin") - field("xoffset") * field("gain")
        elif name == "mapstd":          # (x - xmean) ystd / xstd + ymean
            factor = field("ystd") / field("xstd")
            yield factor, field("ymean") - field("xmean") * factor
        elif name == "removeconstantrows":
            if field("remove").size:
                raise FormatError(f"{end}Fcns has removeconstantrows, which has removed rows of the data; leave these "
                                  "out before training")
        else:
            raise FormatError(f"{end}Fcns has {name!r}, which fastbp has not")


def cells(values, name):
    """A variable that is a cell array."""
    if name not in values:
        raise FormatError(f"must have the variable {name}")
    array = values[name]
    if not isinstance(array, np.ndarray) or array.dtype != object:
        raise FormatError(f"{name} must be a cell array")
    return array


def texts(values, name):
    """A variable that is a cell array of names."""
    result = cells(values, name).ravel().tolist()
    if not all(isinstance(value, str) for value in result):
        raise FormatError(f"{name} must be a cell array of names")
    return result


def matrix(value, name):
    """A matrix of numbers, or what is empty."""
    if not isinstance(value, np.ndarray) or value.dtype == object or value.ndim != 2:
        raise FormatError(f"{name} must be matrices of real numbers")
    return value
