"""Scalings of inputs and outputs become part of a network, and so of every file and format that it is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._arrays import as_reals
from fastbp.interop.chain import Chain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastbp.network import Network


def fold(net: Network, *, input_mean: ArrayLike = 0.0, input_scale: ArrayLike = 1.0, output_mean: ArrayLike = 0.0,
         output_scale: ArrayLike = 1.0) -> Network:
    """The network that takes and gives what a network was trained with the scaled form of.

    The new one computes ``net.predict((x - input_mean) / input_scale) * output_scale + output_mean`` by weights and
    biases alone. For scaling to an interval the mean is the value that becomes 0, and the scale what becomes 1.

    Parameters
    ----------
    net : Network
        Stays as it is.
    input_mean, input_scale : float or array_like, shape (n_inputs,), default 0.0 and 1.0
        Finite; scales are not 0.
    output_mean, output_scale : float or array_like, shape (n_outputs,), default 0.0 and 1.0
        Likewise. Where the output activation is not the identity, the network has one more layer, an identity, for
        them.

    Returns
    -------
    Network
        Of the same dtype, loss and reduction.

    Raises
    ------
    ValueError, TypeError
        If a scaling has the wrong shape, is not finite or is 0; if the loss needs an output activation that the scaled
        outputs do not have; if there are more than 256 outputs to scale that are not the identity's.

    Notes
    -----
    The folded biases hold the product of the means with the weights, so the rounding of outputs grows with
    ``|input_mean / input_scale|``: docs/interop.md has figures.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop import scaling
    >>> net = fastbp.Network([1, 1], "identity", init=[2.0, 1.0])
    >>> scaling.fold(net, input_mean=100.0, input_scale=10.0, output_scale=5.0).predict([120.0])
    array([25.])
    """
    mean, scale = _vector("input_mean", input_mean, net.n_inputs), _vector("input_scale", input_scale, net.n_inputs)
    after = _vector("output_mean", output_mean, net.n_outputs), _vector("output_scale", output_scale, net.n_outputs)
    chain = Chain()
    if (mean != 0).any() or (scale != 1).any():
        chain.scaling(1 / scale, -mean / scale)
    chain.add(net)
    if (after[0] != 0).any() or (after[1] != 1).any():
        chain.scaling(after[1], after[0])
    return chain.network(net.dtype, loss=net.loss, reduction=net.reduction)


def _vector(name, values, width):
    values = as_reals(values, name, np.dtype(np.float64))
    if values.shape not in ((), (width,)):
        raise ValueError(f"{name} must be a number or have the shape {(width,)}, got {values.shape}")
    if not np.isfinite(values).all() or (name.endswith("scale") and not values.all()):
        raise ValueError(f"{name} must be finite{' and not 0' if name.endswith('scale') else ''}, got {values}")
    return values
