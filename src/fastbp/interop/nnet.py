"""Networks of R's package nnet, from the vector of their weights and back; R is not needed.

nnet keeps its weights neuron by neuron, the hidden ones first: the bias, and then the weights from the layer before.
That is fastbp's order with b above W, and both of a layer transposed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fastbp._arrays import as_reals
from fastbp.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from fastbp._types import Floats


def from_nnet(n: Sequence[int], wts: ArrayLike, *, linout: bool = False, entropy: bool = False,
              softmax: bool = False) -> Network:
    """The network of an nnet object of R's.

    Parameters
    ----------
    n : sequence of int
        ``model$n``: the numbers of inputs, of hidden neurons, 0 for none, and of outputs.
    wts : array_like, shape (n_weights,)
        ``model$wts``.
    linout, entropy, softmax : bool, default False
        What `nnet` was called with: outputs are of the identity, of a sigmoid with the cross entropy, of a softmax;
        else of a sigmoid with the squared error.

    Returns
    -------
    Network
        Of float64.

    Raises
    ------
    ValueError, TypeError
        If `n` and `wts` do not fit, as those of a network with ``skip=TRUE`` and hidden neurons, or more than one of
        the three is true.

    Notes
    -----
    R's sigmoid is 0 below -15 and 1 above 15, which differs from a sigmoid by 3e-7 at most.

    Examples
    --------
    >>> from fastbp.interop.nnet import from_nnet
    >>> from_nnet([1, 1, 1], [0.5, 1.0, -0.25, 2.0], linout=True).params.tolist()
    [1.0, 0.5, 2.0, -0.25]
    """
    if linout + entropy + softmax > 1:
        raise ValueError(f"linout, entropy and softmax exclude each other, got {linout}, {entropy} and {softmax}")
    n = np.asarray(n)
    if n.shape != (3,) or n.dtype.kind not in "iuf" or (n != np.trunc(n)).any() or n.min() < 0:
        raise ValueError(f"n must be the numbers of inputs, hidden neurons and outputs, got {n}")
    sizes = [int(n[0]), *([int(n[1])] if n[1] else []), int(n[2])]
    wts = as_reals(wts, "wts", np.dtype(np.float64))
    expected = sum((before + 1) * size for before, size in pairwise(sizes))
    if wts.shape != (expected,):
        skipping = " (a network with skip=TRUE has more, for which fastbp has no place)" * (wts.size > expected)
        raise ValueError(f"wts must have the shape {(expected,)} for n of {n.tolist()}, got {wts.shape}{skipping}")
    output, loss = (("identity", "squared_error") if linout else ("sigmoid", "binary_cross_entropy") if entropy
                    else ("softmax", "cross_entropy") if softmax else ("sigmoid", "squared_error"))
    layers = []
    for before, size in pairwise(sizes):
        rows, wts = np.split(wts, [(before + 1) * size])
        rows = rows.reshape(size, before + 1)
        layers.append((rows[:, 1:].T, rows[:, 0]))
    return Network(sizes, "sigmoid", output, loss=loss, init=layers)


def to_nnet(net: Network) -> Floats:
    """The weights of a network in the order of R's nnet, for its argument `Wts` or for ``model$wts``.

    Parameters
    ----------
    net : Network
        With one hidden layer of sigmoid neurons, or none, and outputs of the identity (`linout`), a sigmoid or a
        softmax.

    Returns
    -------
    ndarray, shape (n_params,)

    Raises
    ------
    ValueError
        If R's nnet has no such network.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop.nnet import to_nnet
    >>> to_nnet(fastbp.Network([2, 1, 1], init=[1.0, 2.0, 0.5, 3.0, -0.25])).tolist()
    [0.5, 1.0, 2.0, -0.25, 3.0]
    """
    *hidden, output = net.activations
    if hidden not in ([], ["sigmoid"]) or output not in ("identity", "sigmoid", "softmax"):
        raise ValueError("net must have one hidden layer of 'sigmoid' or none, and outputs of 'identity', 'sigmoid' or "
                         f"'softmax', got {net.activations}")
    return np.concatenate([np.vstack([b, W]).T.ravel() for W, b in zip(net.weights, net.biases, strict=True)])
