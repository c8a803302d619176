"""Networks as bytes and in files.

The format is described in docs/file-format.md. Nothing in a file is executed on loading, and no memory is allocated
for what a file merely claims: the sizes in the header must fit the bytes that are there.
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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import losses

if TYPE_CHECKING:
    from fastbp._types import Floats
    from fastbp.network import Network


class Kind(NamedTuple):
    """A kind of file, recognised by its first bytes."""

    name: str
    magic: bytes
    version: int


# As in PNG, the first byte is not ASCII and a line end follows the name: a transfer that strips the eighth bit
# or rewrites line ends spoils the magic, and the reader says at once that this is not one of our files.
NETWORK = Kind("network", b"\x89FASTBP\n", 1)
PREFIX = struct.Struct("<8sIIQ")  # magic, format version, bytes of the header, bytes of the body
CHECKSUM = struct.Struct("<I")  # CRC-32 of all bytes before it

HEADER_TYPES = {"layer_sizes": (list,), "activations": (list,), "loss": (str,),
                "loss_parameter": (float, int, NoneType), "reduction": (str,), "dtype": (str,)}
# What a program keeps beside a network, a JSON object of any content, which only that program reads.
ATTRIBUTES = "attributes"
STORED_DTYPES = {"float32": "<f4", "float64": "<f8"}


class FormatError(ValueError):
    """This version of fastbp cannot read the bytes; the message says why."""


class Description(NamedTuple):
    """What a file says about a network; `Network.from_description` makes one from it.

    Attributes
    ----------
    layer_sizes : tuple of int
    activations : tuple of str
    loss : str, Huber or Quantile
    reduction, dtype : str
    params : ndarray, shape (n_params,)
        Read-only.
    """

    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str | losses.Huber | losses.Quantile
    reduction: str
    dtype: str
    params: Floats


def dumps(net: Network | Description, attributes: dict[str, Any] | None = None) -> bytes:
    """The network as bytes.

    Parameters
    ----------
    net : Network or Description
    attributes : dict, optional
        What else the file shall hold, as JSON; `read_network` gives it back, and loading the network passes over it.

    Returns
    -------
    bytes
        Architecture, loss and parameters; neither optimizer state nor random state.

    Raises
    ------
    ValueError
        If its loss is a function of your own, or `attributes` holds a number that is not finite.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp import io
    >>> net = fastbp.Network([2, 3, 1], seed=0)
    >>> twin = fastbp.Network.from_description(io.loads(io.dumps(net)))
    >>> bool((twin.params == net.params).all())
    True
    """
    stored = STORED_DTYPES[np.dtype(net.dtype).name]
    return pack(NETWORK, header_of(net, attributes).encode(), net.params.astype(stored, copy=False).tobytes())


def header_of(net, attributes=None):
    """What a file says of a network beside its parameters, as JSON; `described` reads it."""
    loss, loss_parameter = losses.to_header(net.loss)
    return json.dumps({
        "layer_sizes": [int(size) for size in net.layer_sizes],
        "activations": list(net.activations),
        "loss": loss,
        "loss_parameter": loss_parameter,
        "reduction": net.reduction,
        "dtype": np.dtype(net.dtype).name,
        **({} if attributes is None else {ATTRIBUTES: attributes}),
    }, allow_nan=False)


def loads(data: bytes | bytearray | memoryview) -> Description:
    """What `dumps` turned into bytes.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    Description
        Its parameters are bit for bit those that were stored, NaNs included. `Network.from_description` checks the
        names of activations and loss.

    Raises
    ------
    FormatError
        If the data are not from fastbp, have another format version, are truncated, damaged or followed by other
        bytes, or do not describe a network.
    """
    return described(*unpack(NETWORK, data))


def read_network(path: str | os.PathLike[str]) -> tuple[Description, dict[str, Any] | None]:
    """What a file says about a network, and what else a program has written beside it.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    description : Description
    attributes : dict or None
        As `dumps` was given them. They are JSON, and nothing else is known of them: whoever uses them checks them.

    Raises
    ------
    FormatError, OSError
        As for `fastbp.load`.
    """
    with naming(os.fsdecode(path)):
        header, body = read(NETWORK, path)
        return described(header, body), header.get(ATTRIBUTES)


def described(header, body):
    """The Description in the header and the body of a network's file."""
    if not isinstance(header, dict) or header.keys() - {ATTRIBUTES} != HEADER_TYPES.keys():
        raise FormatError(f"the header must hold exactly {', '.join(HEADER_TYPES)}, and may hold {ATTRIBUTES}")
    if type(header.get(ATTRIBUTES, {})) is not dict:
        raise FormatError(f"header: {ATTRIBUTES} must be a dict, got {header[ATTRIBUTES]!r:.80}")
    # type() and not isinstance(), here and below: JSON's true would pass as the int 1.
    for key, kinds in HEADER_TYPES.items():
        if type(header[key]) not in kinds:
            wanted = kinds[0].__name__ if len(kinds) == 1 else "number or null"
            raise FormatError(f"header: {key} must be a {wanted}, got {header[key]!r:.80}")

    sizes, activations, dtype = header["layer_sizes"], header["activations"], header["dtype"]
    if len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise FormatError(f"header: layer_sizes must be two or more positive integers, got {sizes!r:.80}")
    if len(activations) != len(sizes) - 1 or not all(isinstance(name, str) for name in activations):
        raise FormatError(f"header: activations must be {len(sizes) - 1} names, got {activations!r:.80}")
    if dtype not in STORED_DTYPES:
        raise FormatError(f"header: dtype must be one of {', '.join(STORED_DTYPES)}, got {dtype!r:.80}")
    loss, parameter = header["loss"], header["loss_parameter"]
    if (parameter is not None) != (loss in losses.DEFAULTS):
        wanted = "a number" if loss in losses.DEFAULTS else "null"
        raise FormatError(f"header: loss_parameter must be {wanted} for the loss {loss!r:.80}, got {parameter!r}")
    try:
        loss = losses.from_header(loss, parameter)
    except ValueError as error:
        raise FormatError(f"header: loss_parameter does not fit the loss {loss!r}: {error}") from error

    # A weight from each node of the layer before, and a bias, for every neuron.
    n_params = sum((fan_in + 1) * width for fan_in, width in itertools.pairwise(sizes))
    if n_params * np.dtype(dtype).itemsize != len(body):
        raise FormatError(f"header: layer_sizes {sizes!r:.80} do not fit the {len(body)} bytes of parameters")
    params = np.frombuffer(body, STORED_DTYPES[dtype]).astype(dtype, copy=False)
    params.setflags(write=False)
    return Description(tuple(sizes), tuple(activations), loss, header["reduction"], dtype, params)


# ------------------------------------------------------------------------- the container of networks and checkpoints


def pack(kind, header, body):
    """A container as bytes: prefix, header, raw arrays, checksum."""
    content = PREFIX.pack(kind.magic, kind.version, len(header), len(body)) + header + body
    return content + CHECKSUM.pack(zlib.crc32(content))


def unpack(kind, data):
    """The header, which is known only to be JSON, and the body."""
    data = memoryview(data).cast("B")
    prefix, rest = bytes(data[:PREFIX.size]), data[PREFIX.size:]
    return contents(prefix, rest, *promised(kind, prefix))


def read(kind, path):
    """`unpack` for a file, of which only the bytes that its prefix announces are read, and one more to see its end.

    An endless device is therefore refused after its first bytes.
    """
    with open(os.fsdecode(path), "rb", buffering=0) as file:
        prefix = read_at_most(file, PREFIX.size)
        sizes = promised(kind, prefix)
        return contents(prefix, memoryview(read_at_most(file, sum(sizes) + CHECKSUM.size + 1)), *sizes)


def read_at_most(file, size):
    """At most `size` bytes; memory is allocated in proportion to what is there, not to `size`."""
    pieces, at_once = [], 2**16
    if size > at_once:      # pipes and devices have the size 0
        at_once = max(at_once, os.fstat(file.fileno()).st_size)
    while size > 0 and (piece := file.read(min(size, at_once))):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def promised(kind, prefix):
    """How many bytes of header and of body will follow this prefix."""
    if prefix[:len(kind.magic)] != kind.magic:
        raise FormatError(f"not a fastbp {kind.name}: expected {kind.magic!r} first, got {prefix[:len(kind.magic)]!r}")
    if len(prefix) < PREFIX.size:
        raise FormatError(f"truncated: {len(prefix)} bytes, but the prefix alone has {PREFIX.size}")
    _, version, header_size, body_size = PREFIX.unpack(prefix)
    if version != kind.version:
        age = "a newer" if version > kind.version else "an older"
        raise FormatError(f"format version {version}, written by {age} fastbp; this fastbp reads version "
                          f"{kind.version} of a {kind.name}")
    return header_size, body_size


def contents(prefix, rest, header_size, body_size):
    body_end = header_size + body_size
    expected = body_end + CHECKSUM.size
    if len(rest) < expected:
        raise FormatError(f"truncated: {PREFIX.size + len(rest)} bytes of the {PREFIX.size + expected} that the prefix "
                          "announces")
    if len(rest) > expected:
        raise FormatError(f"trailing data: more bytes than the {PREFIX.size + expected} that the prefix announces")
    if CHECKSUM.unpack_from(rest, body_end) != (zlib.crc32(rest[:body_end], zlib.crc32(prefix)),):
        raise FormatError("damaged: the checksum does not match the content")
    return decoded(rest[:header_size]), rest[header_size:body_end]


def decoded(header):
    """A header, of which no more is known than that it is JSON."""
    try:
        # json.loads would take bytes in UTF-16, too, and lone surrogates.
        return DECODER.decode(str(header, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is not JSON in UTF-8: {error}") from error


def each_key_once(pairs):
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"a key appears twice in {list(dict(pairs))!r:.80}")
    return result


def refuse_constant(name):
    raise ValueError(f"{name} is not a number in JSON")


# Python's own decoder takes more than JSON.
DECODER = json.JSONDecoder(object_pairs_hook=each_key_once, parse_constant=refuse_constant)


@contextlib.contextmanager
def naming(name):
    """Make a FormatError begin with this name."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from error


def replaceable(path, argument):
    """The file that a path leads to; a device, a pipe or a directory is refused, because no file may replace it."""
    # A link stays a link: the file that it points to is replaced.
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileExistsError(f"{argument}: {path!r} exists and is not a regular file")
    return target


def write(path, content, argument="path"):
    """Write a file, whole or not at all; `argument` is what its caller calls the path."""
    with replacing(path, argument) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path, argument="path"):
    """A file to write bytes to, which becomes the one at `path` when all of them are there.

    It is a temporary file in the same directory, which then takes the place of the old one; if anything fails on the
    way, the old file stays as it was.
    """
    target = replaceable(os.fsdecode(path), argument)
    temporary = os.path.join(os.path.dirname(target), f".fastbp-{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            # Before the content is there, because those who may not read the old file may not read the new one either.
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):  # The system's error names the temporary file, or none.
            raise OSError(error.errno, f"{argument} cannot be written: {error.strerror or error}",
                          os.fsdecode(path)) from error
        raise
