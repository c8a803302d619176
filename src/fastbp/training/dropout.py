"""Dropout: how often the outputs of each hidden layer are left out, and the seeds of the masks."""

from fastbp._checks import number


class Dropout:
    """A rate for each hidden layer."""

    def __init__(self, rates, rng):
        self.rates, self.rng = rates, rng

    def of_an_epoch(self):
        """What the core needs for an epoch: the rates, and the seed of the masks."""
        return self.rates, int(self.rng.integers(2**63))


def make(net, dropout, rng):
    """What `dropout` asks for, or None if it leaves nothing out."""
    if isinstance(dropout, float) and dropout == 0.0:
        return None         # the default, which should cost a short training nothing
    n_hidden = len(net.layer_sizes) - 2
    try:
        rates = tuple(dropout)
    except TypeError:
        rates = (dropout,) * n_hidden
        number("dropout", dropout, 0, 1, low_allowed=True)
        if dropout and not n_hidden:
            raise ValueError(f"dropout needs a hidden layer, got {dropout!r} for layer_sizes "
                             f"{net.layer_sizes}") from None
    if isinstance(dropout, str) or len(rates) != n_hidden:
        raise ValueError(f"dropout must be a number or one for each of the {n_hidden} hidden layers, got {dropout!r}")
    rates = tuple(number(f"dropout[{l}]", rate, 0, 1, low_allowed=True) for l, rate in enumerate(rates))
    return Dropout(rates, rng) if any(rates) else None
