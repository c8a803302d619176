"""Shallow networks of MATLAB's, from .mat files; docs/interop.md has the lines of MATLAB that save one."""

from __future__ import annotations

try:
    from scipy.io import loadmat
except ImportError as error:
    raise ImportError(f'fastbp.interop.matlab needs SciPy: pip install "fastbp[scipy]" ({error})') from error
import io as bytes_io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np

from fastbp.interop.chain import Chain, file_content, reading
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
HEADER, VERSION, COMPRESSED = 128, 0x0100, 15


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
        content = uncompressed(file_content(path))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                values = loadmat(bytes_io.BytesIO(content), variable_names=VARIABLES)
            except Exception as error:      # SciPy has many for what is damaged
                raise FormatError(f"cannot be read: {type(error).__name__}: {error}") from error
        return network(values)


def uncompressed(content):
    """The same file without compression, which a small file could be so large by that no memory holds it."""
    if len(content) < HEADER or content[126:128] not in (b"IM", b"MI"):
        raise FormatError("is not a .mat file of MATLAB 5 or later")
    order = "<" if content[126:128] == b"IM" else ">"
    version, = struct.unpack(f"{order}H", content[124:126])
    if version != VERSION:
        raise FormatError(f"is a .mat file of version {version >> 8}; save it with -v7")
    tag = struct.Struct(f"{order}II")
    room = 16 * len(content)
    parts, position = [content[:HEADER]], HEADER
    while position < len(content):
        if position + tag.size > len(content):
            raise FormatError("truncated in the tag of a variable")
        kind, size = tag.unpack_from(content, position)
        end = position + tag.size + size
        if end > len(content):
            raise FormatError(f"truncated: {len(content)} bytes, and a variable goes on to {end}")
        if kind == COMPRESSED:
            stream = zlib.decompressobj()
            try:
                parts.append(stream.decompress(content[position + tag.size:end], room + 1))
            except zlib.error as error:
                raise FormatError(f"damaged: {error}") from error
            room -= len(parts[-1])
            if room < 0:
                raise FormatError("is more than 16 times as large uncompressed, which no weights are")
        else:
            parts.append(content[position:end])
        position = end
    return b"".join(parts)


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
            if getattr(of_name, "size", 0) != 1 or key not in (of_name.dtype.names or ()):
                raise FormatError(f"{end}Settings of {name} must be a struct with the field {key}")
            return matrix(of_name[key].item(), f"{end}Settings.{key}").ravel()

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
    array = values.get(name)
    if array is None:
        raise FormatError(f"must have the variable {name}")
    if not isinstance(array, np.ndarray) or array.dtype != object:
        raise FormatError(f"{name} must be a cell array")
    return array


def texts(values, name):
    """A variable that is a cell array of names."""
    result = [value.item() if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1 else None
              for value in cells(values, name).flat]
    if None in result:
        raise FormatError(f"{name} must be a cell array of names")
    return result


def matrix(array, name):
    """A matrix of doubles or singles, or what is empty, as float64."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim != 2:
        raise FormatError(f"{name} must be matrices of real numbers")
    return array.astype(np.float64)
