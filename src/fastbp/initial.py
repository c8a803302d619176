"""The rules for initial parameters. docs/method.md has their sources, and the measurements behind "auto"."""

from dataclasses import dataclass
from functools import partial
from math import inf, isfinite, sqrt

import numpy as np

from fastbp._checks import number, one_of
from fastbp.activations import TABLE

# The bounds of a layer's weights and of its biases, each drawn uniformly from -bound to bound. `halves` is what
# activations.TABLE says about the layer's activation.
RULES = {
    "auto": lambda n_in, n_out, halves: (sqrt(6 / (n_in if halves else n_in + n_out)), sqrt(6 / n_in)),
    "glorot": lambda n_in, n_out, halves: (sqrt(6 / (n_in + n_out)), 0),
    "he": lambda n_in, n_out, halves: (sqrt(6 / n_in), 0),
    "lecun": lambda n_in, n_out, halves: (sqrt(3 / n_in), 0),
    "nguyen_widrow": lambda n_in, n_out, halves: (1, 0),    # what `spread` makes the weights and biases of
    "zeros": lambda n_in, n_out, halves: (0, 0),
}
# Nguyen and Widrow's factor, below 1 so that the neighbours' active regions overlap.
OVERLAP = 0.7
ALMOST_ZERO = 1e-200


@dataclass(frozen=True)
class uniform:
    """Initial weights and biases drawn uniformly from ``low <= w < high``; for the `init` of `Network`.

    Parameters
    ----------
    low, high : float
        Finite, low < high.

    Raises
    ------
    ValueError
        If the interval is empty or not finite.

    Examples
    --------
    >>> import fastbp
    >>> net = fastbp.Network([2, 2, 1], init=fastbp.uniform(-0.5, 0.5), seed=1)
    >>> bool(abs(net.params).max() < 0.5)
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        number("low", self.low, -inf, inf)
        number("high", self.high, -inf, inf)
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low={self.low!r} and high={self.high!r}")
        number("high - low", self.high - self.low, 0, inf)


def drawing(rule, net, l):
    """How the parameters of layer l are drawn: the intervals of its weights and of its biases, and what comes after.

    Two pairs (low, high), and a function that turns the arrays that were drawn into parameters, or None.
    """
    if isinstance(rule, uniform):
        largest = float(np.finfo(net.dtype).max)
        if not -largest <= rule.low < rule.high <= largest:
            raise ValueError(f"init must have bounds that {net.dtype} can hold, got {rule!r}")
        return (rule.low, rule.high), (rule.low, rule.high), None
    rule, after = one_of("init", rule, RULES), None
    of_layer = TABLE[net.activations[l]]
    if rule == "nguyen_widrow":
        # The inputs of the network are taken to be from -1 to 1.
        inputs = TABLE[net.activations[l - 1]] if l else TABLE["tanh"]
        if of_layer.active and isfinite(inputs.low + inputs.high):
            after = partial(spread, of_layer.active, inputs.low, inputs.high)
        else:
            rule = "auto"
    bounds = RULES[rule](*net.layer_sizes[l:l + 2], of_layer.halves)
    return *((-bound, bound) for bound in bounds), after


def spread(active, low, high, weights, biases):
    """Spread the active regions of a layer's neurons evenly over inputs from low to high (Nguyen and Widrow 1990).

    `weights`, of shape (..., n_in, n_out), have been drawn from -1 to 1: they stand for the directions across which the
    neurons bend. Within -active to active the neurons' activation is not yet flat.
    """
    n_in, n_out = weights.shape[-2:]
    length = active * OVERLAP * n_out**(1 / n_in)
    norms = np.sqrt((weights.astype(np.float64)**2).sum(axis=-2, keepdims=True))
    W = length / np.maximum(norms, ALMOST_ZERO) * weights
    places = np.linspace(-1, 1, n_out) if n_out > 1 else 0
    b = length * places * np.sign(weights[..., 0, :])
    # From inputs between -1 and 1 to those between low and high.
    W *= 2 / (high - low)
    weights[...] = W
    biases[...] = b - (low + high) / 2 * W.sum(axis=-2)
