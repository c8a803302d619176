"""Networks in safetensors files, beside fastbp's own format.

The tensors have the names and the layout of `torch.to_torch(net).state_dict()`. The header of fastbp's own format
stands in the metadata, so that nothing of the network is lost.
"""

from __future__ import annotations

try:
    from safetensors import SafetensorError
    from safetensors.numpy import load as tensors_of
    from safetensors.numpy import save as bytes_of
except ImportError as error:
    raise ImportError('fastbp.interop.safetensors needs safetensors: pip install "fastbp[safetensors]" '
                      f"({error})") from error
from typing import TYPE_CHECKING

import numpy as np

from fastbp import io
from fastbp.interop.chain import file_content, reading
from fastbp.network import Network

if TYPE_CHECKING:
    import os

LENGTH = 8      # bytes, of the length of the JSON that a file begins with
KEY = "fastbp"


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write a network as a safetensors file.

    Parameters
    ----------
    net : Network
        Layer l has the tensors "{2 l}.weight", of shape (n_out, n_in), and "{2 l}.bias", with l from 0, in the
        network's dtype: PyTorch's names where modules of activations stand between the layers.
    path : str or os.PathLike
        An existing file is replaced once the new one is complete on disk.

    Raises
    ------
    ValueError
        If the loss is a function of your own.
    OSError
        If it cannot be written; an existing file is then what it was.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop import safetensors
    >>> net = fastbp.Network([2, 3, 1], "tanh", seed=1)
    >>> safetensors.save(net, "net.safetensors")
    >>> bool((safetensors.load("net.safetensors").params == net.params).all())
    True
    """
    tensors = {}
    for l, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        tensors |= {f"{2 * l}.weight": np.ascontiguousarray(W.T), f"{2 * l}.bias": np.ascontiguousarray(b)}
    io.write(path, bytes_of(tensors, {KEY: io.header_of(net)}))


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Network
        The same, with its parameters bit for bit.

    Raises
    ------
    FormatError
        If the file is not one of safetensors, is damaged, or does not describe a network. It is a ValueError.
    OSError
        If it cannot be read.

    Notes
    -----
    A file of tensors alone, of PyTorch for instance, says nothing of activations: load it into a module, and use
    `fastbp.interop.torch.from_torch`.

    See Also
    --------
    save : has an example.
    """
    with reading(path, SafetensorError, ValueError, KeyError, TypeError):
        content = file_content(path)
        tensors = tensors_of(content)       # with all checks of what stands where
        size = int.from_bytes(content[:LENGTH], "little")
        about = io.decoded(content[LENGTH:LENGTH + size]).get("__metadata__") or {}
        if KEY not in about:
            raise io.FormatError(f"must have the metadata {KEY!r}, which say what network the tensors are of")
        header = io.decoded(about[KEY].encode())
        sizes, dtype = (header.get(key) if isinstance(header, dict) else None for key in ("layer_sizes", "dtype"))
        layers = len(tensors) // 2
        expected = {f"{2 * l}.{kind}" for l in range(layers) for kind in ("weight", "bias")}
        if tensors.keys() != expected or not isinstance(sizes, list) or len(sizes) != layers + 1:
            raise io.FormatError("must have a weight and a bias for each of the layers in its metadata, has "
                                 f"{sorted(tensors)!r:.80}")
        parts = []
        for l, shape in enumerate(zip(sizes[1:], sizes[:-1], strict=True)):
            W, b = tensors[f"{2 * l}.weight"], tensors[f"{2 * l}.bias"]
            if W.shape != shape or b.shape != shape[:1] or {W.dtype.name, b.dtype.name} != {dtype}:
                raise io.FormatError(f"layer {l} must be of the sizes {shape} and the dtype {dtype!r:.80}, is of "
                                     f"{W.shape} and {W.dtype.name}, with {b.shape} and {b.dtype.name}")
            parts += [W.T.ravel(), b]
        stored = io.STORED_DTYPES.get(dtype, dtype)
        return Network.from_description(io.described(header, np.concatenate(parts).astype(stored).tobytes()))
