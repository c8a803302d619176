"""The samples to validate a training with: given, or held out of those to train on."""

import numpy as np

from fastbp._arrays import is_map
from fastbp._checks import kind, number


def pair(data):
    """(X, T) of `validation_data`."""
    try:
        X, T = data
    except (TypeError, ValueError):
        count = f" of {len(data)}" if isinstance(data, (tuple, list)) else ""
        raise ValueError(f"validation_data must be a pair (X, T), got {kind(data)}{count}") from None
    return X, T


def given(net, data):
    """`validation_data` as it was checked, so that checking it again after every epoch costs nothing."""
    X, T = pair(data)
    try:
        samples = net._samples(X, T)
        if samples.single:
            raise ValueError(f"X must have the shape (M, {net.n_inputs}), got one sample")
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None
    return samples.x, samples.t


def hold_out(X, m, fraction, rng):
    """The rows of X to train on and those to hold out, of m: random ones, or the last ones without an `rng`."""
    if rng is not None and isinstance(X, np.ndarray) and is_map(X):
        raise ValueError("validation_fraction would copy the memory map X; pass validation_data, or shuffle=False to "
                         "hold out the last samples")
    held = round(number("validation_fraction", fraction, 0, 1) * m)
    if not 0 < held < m:
        raise ValueError("validation_fraction must leave samples both to train on and to validate with, got "
                         f"{fraction!r} of {m} samples")
    if rng is None:
        return slice(m - held), slice(m - held, m)
    # Sorted, so that the rows are read from front to back.
    rows = rng.permutation(m)
    return np.sort(rows[held:]), np.sort(rows[:held])
