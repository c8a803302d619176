"""The rules for initial parameters. docs/method.md has their sources, and the measurements behind "auto"."""

from dataclasses import dataclass
from math import inf, sqrt

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
    "zeros": lambda n_in, n_out, halves: (0, 0),
}


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


def intervals(rule, n_in, n_out, activation, dtype):
    """The intervals for the weights and the biases of a layer: two pairs (low, high)."""
    if isinstance(rule, uniform):
        largest = float(np.finfo(dtype).max)
        if not -largest <= rule.low < rule.high <= largest:
            raise ValueError(f"init must have bounds that {dtype} can hold, got {rule!r}")
        return [(rule.low, rule.high)] * 2
    bounds = RULES[one_of("init", rule, RULES)](n_in, n_out, TABLE[activation].halves)
    return [(-bound, bound) for bound in bounds]
