"""Networks as bytes and in files.

The format is described in docs/file-format.md. Nothing in a file is executed on loading, and nothing is
allocated on a file's word alone: the sizes that the header names must be those of the bytes that are there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
import struct
import zlib
from types import NoneType

import numpy as np

# network.py saves through this module and this module builds networks, so each names the other as a module and
# looks inside only when it is called.
from fastbp import losses, network

# As in PNG, the first byte is not ASCII and a line end follows the name: a transfer that strips the eighth bit
# or rewrites line ends spoils the magic, and the reader says at once that this is not one of our files.
MAGIC = b"\x89FASTBP\n"
FORMAT_VERSION = 1
PREFIX = struct.Struct("<8sIIQ")  # magic, format version, bytes of the header, bytes of the parameters
CHECKSUM = struct.Struct("<I")  # CRC-32 of all bytes before it

HEADER_TYPES = {"layer_sizes": list, "activations": list, "loss": str, "loss_parameter": (float, int, NoneType),
                "reduction": str, "dtype": str}
STORED_DTYPES = {"float32": "<f4", "float64": "<f8"}


class FormatError(ValueError):
    """The bytes are not a network that this version of fastbp can read; the message says why."""


def dumps(net):
    """The network as bytes.

    Parameters
    ----------
    net : fastbp.Network

    Returns
    -------
    bytes
        Architecture, loss and parameters; neither optimizer state nor random state.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp import io
    >>> net = fastbp.Network([2, 3, 1], seed=0)
    >>> bool((io.loads(io.dumps(net)).params == net.params).all())
    True
    """
    loss, loss_parameter = losses.to_header(net.loss)
    header = json.dumps(
        {
            "layer_sizes": [int(size) for size in net.layer_sizes],
            "activations": list(net.activations),
            "loss": loss,
            "loss_parameter": loss_parameter,
            "reduction": net.reduction,
            "dtype": np.dtype(net.dtype).name,
        }
    ).encode()
    params = net.params
    stored = params.astype(STORED_DTYPES[params.dtype.name], copy=False).tobytes()
    return pack(MAGIC, header, stored)


def pack(magic, header, body):
    """The container of networks and checkpoints: prefix, header, raw arrays, checksum."""
    content = PREFIX.pack(magic, FORMAT_VERSION, len(header), len(body)) + header + body
    return content + CHECKSUM.pack(zlib.crc32(content))


def loads(data):
    """The network that `dumps` turned into bytes.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    fastbp.Network
        Its parameters are bit for bit those that were stored, NaNs included.

    Raises
    ------
    FormatError
        If the data are not from fastbp, of another format version, truncated, followed by other bytes, damaged,
        or do not describe a network.
    """
    header, stored = unpack(data, MAGIC, "network")
    header = _parse_header(header, len(stored))
    stored = np.frombuffer(stored, STORED_DTYPES[header["dtype"]])
    try:
        return network.Network(
            header["layer_sizes"],
            header["activations"],
            loss=losses.from_header(header["loss"], header["loss_parameter"]),
            reduction=header["reduction"],
            dtype=header["dtype"],
            init=stored.astype(header["dtype"], copy=False),
        )
    except (TypeError, ValueError) as error:
        raise FormatError(f"the header does not describe a network: {error}") from error


def unpack(data, magic, kind):
    """The header and the body of a container of this magic; the header is known to be JSON."""
    data = memoryview(data).cast("B")
    if data[: len(magic)] != magic:
        raise FormatError(f"not a fastbp {kind}: expected {magic!r} first, got {bytes(data[: len(magic)])!r}")
    if len(data) < PREFIX.size:
        raise FormatError(f"truncated: {len(data)} bytes, but the prefix alone has {PREFIX.size}")
    _, version, header_size, body_size = PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        newer = ", written by a newer fastbp" if version > FORMAT_VERSION else ""
        raise FormatError(f"format version {version}{newer}; this fastbp reads version {FORMAT_VERSION}")

    header_end = PREFIX.size + header_size
    body_end = header_end + body_size
    expected = body_end + CHECKSUM.size
    if len(data) < expected:
        raise FormatError(f"truncated: {len(data)} bytes of the {expected} that the prefix announces")
    if len(data) > expected:
        raise FormatError(f"trailing data: {len(data)} bytes where the prefix announces {expected}")
    if CHECKSUM.unpack_from(data, body_end) != (zlib.crc32(data[:body_end]),):
        raise FormatError("damaged: the checksum does not match the content")
    try:
        return json.loads(bytes(data[PREFIX.size : header_end])), data[header_end:body_end]
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is not JSON: {error}") from error


def _parse_header(header, params_size):
    """The header, a dict of which keys, types and sizes are known to be sound; names are left to Network."""
    if not isinstance(header, dict) or header.keys() != HEADER_TYPES.keys():
        raise FormatError(f"the header must hold exactly {', '.join(HEADER_TYPES)}")
    for key, kind in HEADER_TYPES.items():
        if not isinstance(header[key], kind):
            wanted = kind.__name__ if isinstance(kind, type) else "number or null"
            raise FormatError(f"header: {key} must be a {wanted}, got {header[key]!r:.80}")

    sizes, activations, dtype = header["layer_sizes"], header["activations"], header["dtype"]
    # type() and not isinstance(): JSON's true would pass as the int 1.
    if len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise FormatError(f"header: layer_sizes must be two or more positive integers, got {sizes!r:.80}")
    if len(activations) != len(sizes) - 1 or not all(isinstance(name, str) for name in activations):
        raise FormatError(f"header: activations must be {len(sizes) - 1} of the names, got {activations!r:.80}")
    if dtype not in STORED_DTYPES:
        raise FormatError(f"header: dtype must be one of {', '.join(STORED_DTYPES)}, got {dtype!r:.80}")

    # A weight from each node of the layer before, and a bias, for every neuron.
    n_params = sum((fan_in + 1) * width for fan_in, width in itertools.pairwise(sizes))
    if n_params * np.dtype(dtype).itemsize != params_size:
        raise FormatError(f"header: layer_sizes {sizes!r:.80} do not fit the {params_size} bytes of parameters")
    return header


def save(net, path):
    """Write the network to a file, whole or not at all.

    The bytes go to a temporary file in the same directory, which then takes the place of `path`; if anything
    fails on the way, an older file at `path` stays as it was.

    Parameters
    ----------
    net : fastbp.Network
    path : str or os.PathLike

    Raises
    ------
    OSError
        If the file cannot be written, or `path` is there and is not a regular file.

    Examples
    --------
    >>> import os, tempfile, fastbp
    >>> net = fastbp.Network([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "net.fastbp")
    ...     net.save(path)
    ...     loaded = fastbp.load(path)
    >>> loaded.layer_sizes == net.layer_sizes
    True
    """
    write(path, dumps(net))


def write(path, content, argument="path"):
    """Write a file, whole or not at all; `argument` is what its caller calls the path."""
    # A link stays a link: the file that it points to is replaced.
    target = os.path.realpath(os.fsdecode(path))
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileExistsError(f"{argument}: {target!r} exists and is not a regular file")
    temporary = os.path.join(os.path.dirname(target), f".fastbp-{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def load(path: str | os.PathLike[str]) -> network.Network:
    """Read a network that `Network.save` wrote.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    fastbp.Network

    Raises
    ------
    FormatError
        If the file is not from fastbp, of another format version, truncated, followed by other bytes, damaged, or
        does not describe a network. It is a ValueError.
    OSError
        If the file cannot be read.

    See Also
    --------
    save : has an example.
    """
    with open(os.fsdecode(path), "rb") as file:
        data = file.read()
    try:
        return loads(data)
    except FormatError as error:
        raise FormatError(f"{os.fsdecode(path)}: {error}") from error
