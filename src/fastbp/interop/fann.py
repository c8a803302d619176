"""Files of FANN, the Fast Artificial Neural Network Library: training data, and networks; libfann is not needed.

A network's file is described by fann_io.c of FANN 2.2 alone. Each neuron names its inputs, its activation and a
steepness s, which is a factor of the net input and so of the weights.
"""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from fastbp import io
from fastbp._arrays import as_reals
from fastbp.interop.chain import Chain, file_content, reading

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike

    from fastbp._types import Floats
    from fastbp.network import Network

VERSION = "FANN_FLO_2.1"
# By FANN's numbers (fann_data.h): its name, and with r = s times the net input the activation g, a, c, p and q of
# p g(a r + c) + q; or the name alone of what fastbp has not.
ACTIVATIONS = [
    ("LINEAR", "identity", 1, 0, 1, 0),
    ("THRESHOLD", "threshold", 1, 0, 1, 0),
    ("THRESHOLD_SYMMETRIC", "threshold", 1, 0, 2, -1),
    ("SIGMOID", "sigmoid", 2, 0, 1, 0),
    ("SIGMOID_STEPWISE",),
    ("SIGMOID_SYMMETRIC", "tanh", 1, 0, 1, 0),
    ("SIGMOID_SYMMETRIC_STEPWISE",),
    ("GAUSSIAN", "gaussian", 1, 0, 1, 0),
    ("GAUSSIAN_SYMMETRIC", "gaussian", 1, 0, 2, -1),
    ("GAUSSIAN_STEPWISE",),
    ("ELLIOT", "softsign", 1, 0, 0.5, 0.5),
    ("ELLIOT_SYMMETRIC", "softsign", 1, 0, 1, 0),
    ("LINEAR_PIECE",),
    ("LINEAR_PIECE_SYMMETRIC",),
    ("SIN_SYMMETRIC", "sin", 1, 0, 1, 0),
    ("COS_SYMMETRIC", "sin", 1, pi / 2, 1, 0),
    ("SIN", "sin", 1, 0, 0.5, 0.5),
    ("COS", "sin", 1, pi / 2, 0.5, 0.5),
]


def read_data(path: str | os.PathLike[str]) -> tuple[Floats, Floats]:
    """Read a training data file.

    Parameters
    ----------
    path : str or os.PathLike
        Of a text file with the numbers of samples, inputs and outputs, and then for each sample its inputs and its
        outputs.

    Returns
    -------
    X, T : ndarray of float64, shapes (M, n_inputs) and (M, n_outputs)

    Raises
    ------
    FormatError
        If the file does not hold as many numbers as it announces, or holds anything else. It is a ValueError.
    OSError
        If it cannot be read.

    See Also
    --------
    write_data : has an example.
    """
    with reading(path, ValueError):
        content = file_content(path)
        announced = re.match(rb"\s*(\d{1,18})\s+(\d{1,18})\s+(\d{1,18})(?:\s|$)", content)
        if not announced:
            raise io.FormatError("must begin with the numbers of samples, inputs and outputs")
        samples, n_inputs, n_outputs = map(int, announced.groups())
        if not (samples and n_inputs and n_outputs):
            raise io.FormatError("must have samples, inputs and outputs, announces "
                                 f"{samples}, {n_inputs} and {n_outputs}")
        values = numbers(content[announced.end():])
        if values.size != samples * (n_inputs + n_outputs):
            raise io.FormatError(f"must hold {samples} samples of {n_inputs} and {n_outputs} numbers, holds "
                                 f"{values.size} numbers")
        rows = values.reshape(samples, n_inputs + n_outputs)
        return rows[:, :n_inputs].copy(), rows[:, n_inputs:].copy()


def write_data(path: str | os.PathLike[str], X: ArrayLike, T: ArrayLike) -> None:
    """Write a training data file, with as many digits as it takes to read the same float64 again.

    Parameters
    ----------
    path : str or os.PathLike
        An existing file is replaced once the new one is complete on disk.
    X : array_like, shape (M, n_inputs)
        Inputs, finite; at least one sample.
    T : array_like, shape (M, n_outputs) or (M,)
        Targets, finite.

    Raises
    ------
    ValueError, TypeError
        If X or T has the wrong shape or dtype, or is not finite.
    OSError
        If the file cannot be written; an existing file is then what it was.

    Examples
    --------
    >>> from fastbp.interop import fann
    >>> fann.write_data("or.data", [[0, 0], [0, 1]], [0, 1])
    >>> X, T = fann.read_data("or.data")
    >>> X.tolist(), T.tolist()
    ([[0.0, 0.0], [0.0, 1.0]], [[0.0], [1.0]])
    """
    X, T = (as_reals(values, name, np.dtype(np.float64)) for name, values in (("X", X), ("T", T)))
    T = T.reshape(-1, 1) if T.ndim == 1 else T
    if X.ndim != 2 or T.ndim != 2 or len(X) != len(T) or not X.size or not T.size:
        raise ValueError(f"X and T must have the shapes (M, n_inputs) and (M, n_outputs), got {X.shape} and {T.shape}")
    if not (np.isfinite(X).all() and np.isfinite(T).all()):
        raise ValueError("X and T must be finite")
    lines = [f"{len(X)} {X.shape[1]} {T.shape[1]}"]
    for x, t in zip(X, T, strict=True):
        lines += [" ".join(map(repr, x.tolist())), " ".join(map(repr, t.tolist()))]
    io.write(path, "\n".join([*lines, ""]).encode())


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that FANN saved, as ``fann_save`` writes it.

    Parameters
    ----------
    path : str or os.PathLike
        Of a network of floats or doubles whose layers are fully connected, each to the next.

    Returns
    -------
    Network
        Of float64, with the default loss. Scaling parameters that the file has are folded into it: it does what
        ``fann_scale_input``, ``fann_run`` and ``fann_descale_output`` do.

    Raises
    ------
    FormatError
        If the file is none of FANN's, of another version, for fixed-point numbers or damaged; if its network has other
        connections, stepwise or piecewise linear activations, or several activations in one layer. It is a ValueError.
    OSError
        If it cannot be read.

    Notes
    -----
    FANN limits net inputs times the steepness to 150 / steepness, which shows where a LINEAR neuron has a larger
    output. ELLIOT, SIN, COS and the symmetric ones that fastbp lacks are a scaling of one that it has, which is folded
    into the next layer, or is one more layer behind the last.

    Examples
    --------
    With a file that FANN wrote::

        net = fann.load("xor_float.net")
    """
    with reading(path, ValueError):
        lines = str(file_content(path), "ascii").splitlines()
        if not lines or lines[0] != VERSION:
            raise io.FormatError(f"must begin with {VERSION!r}, as FANN 2.2 writes networks of floats and doubles, "
                                 f"begins with {lines[0] if lines else ''!r:.40}")
        return network({name.partition(" ")[0]: value for name, _, value in (line.partition("=") for line in lines)})


def network(values):
    """The network of the lines of a file, by their names."""
    def field(name):
        if name not in values:
            raise io.FormatError(f"must have a line {name!r}")
        return numbers(values[name].translate(BRACKETS))

    kind, rate = field("network_type").tolist(), field("connection_rate").tolist()
    if (kind, rate) != ([0], [1]):
        raise io.FormatError("must be a network of the type 0 (layers) with the connection_rate 1, got the type "
                             f"{kind!r:.20} and the rate {rate!r:.20}")
    sizes = field("layer_sizes")        # a neuron of bias is counted in each layer, the last one too
    if sizes.size < 2 or not all(size >= 2 and size.is_integer() for size in sizes.tolist()):
        raise io.FormatError(f"layer_sizes must be two or more integers above 1, got {values['layer_sizes']!r:.80}")
    sizes = [int(size) for size in sizes.tolist()]
    neurons, connections = triples(field, "neurons", 3), triples(field, "connections", 2)
    n_connections = sum(before * (size - 1) for before, size in pairwise(sizes))
    if (len(neurons), len(connections)) != (sum(sizes), n_connections):
        raise io.FormatError(f"must have {sum(sizes)} neurons and {n_connections} connections for layers of "
                             f"{sizes!r:.80}, has {len(neurons)} and {len(connections)}")

    scalings = ([field(f"scale_{name}_{end}") for name in ("mean", "deviation", "new_min", "factor")]
                for end in ("in", "out"))
    is_scaled = field("scale_included").tolist() == [1]
    chain = Chain()
    if is_scaled:
        mean, deviation, new_min, factor = next(scalings)       # ((x - mean) / deviation + 1) factor + new_min
        chain.scaling(factor / deviation, factor + new_min - mean * factor / deviation)
    start = 0       # of the layer before
    for l, (before, size) in enumerate(pairwise(sizes), 1):
        end = start + before
        of_layer, neurons_end = neurons[end:end + size - 1], (size - 1) * before
        ours, connections = connections[:neurons_end], connections[neurons_end:]
        expected = np.broadcast_to(np.arange(start, end), (size - 1, before))
        if (of_layer[:, 0] != before).any() or (ours[:, 0].reshape(expected.shape) != expected).any():
            raise io.FormatError(f"layer {l} must be fully connected to the layer before")
        weights = ours[:, 1].reshape(expected.shape)
        chain.affine(weights[:, :-1].T, weights[:, -1])
        activate(chain, l, of_layer[:, 1], of_layer[:, 2])
        start = end
    if is_scaled:
        mean, deviation, new_min, factor = next(scalings)
        chain.scaling(deviation / factor, mean - deviation - new_min * deviation / factor)
    return chain.network()


def activate(chain, l, functions, steepness):
    """Add the activation of a layer, whose neurons have one by its number, and a steepness each."""
    number = functions[0]
    if not (number.is_integer() and 0 <= number < len(ACTIVATIONS)):
        raise io.FormatError(f"layer {l} must have an activation_function from 0 to {len(ACTIVATIONS) - 1}, "
                             f"got {number}")
    if (functions != number).any():
        raise io.FormatError(f"layer {l} must have the same activation_function in all neurons, got "
                             f"{sorted({*functions.tolist()})!r:.80}")
    name, *ours = ACTIVATIONS[int(number)]
    if not ours:
        exact = name.removesuffix("_STEPWISE")
        hint = f"; fann_set_activation_function_layer sets FANN_{exact}, of which it is a rough form" * (exact != name)
        raise io.FormatError(f"layer {l} has the activation FANN_{name}, which fastbp has not{hint}")
    activation, factor, shift, scale, offset = ours
    if not (factor * steepness == 1).all() or shift:
        chain.scaling(factor * steepness, shift)
    if activation != "identity":
        chain.activation(activation)
    if (scale, offset) != (1, 0):
        chain.scaling(scale, offset)


BRACKETS = str.maketrans("(),", "   ")


def triples(field, name, columns):
    values = field(name)
    if values.size % columns:
        raise io.FormatError(f"{name} must have {columns} numbers each, got {values.size} in all")
    return values.reshape(-1, columns)


def numbers(text):
    """The numbers that a text holds and nothing else, without an object for each."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)      # of what is no number, after those that are
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            raise io.FormatError("must hold numbers, holds something else among them") from None
