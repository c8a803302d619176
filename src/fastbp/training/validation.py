"""The samples that a training is validated with: given, or held out of those to train on."""

import numpy as np

from fastbp._checks import number


def given(net, data):
    """`validation_data` as it has passed the door, so that looking at it again after every epoch costs nothing."""
    try:
        X, T = data
    except (TypeError, ValueError):
        raise ValueError(f"validation_data must be a pair (X, T), got {type(data).__name__}") from None
    try:
        samples = net._samples(X, T)
        if samples.single:
            raise ValueError(f"X must have the shape (M, {net.n_inputs}), got one sample")
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None
    return samples.x, samples.t


def hold_out(X, m, fraction, rng):
    """The rows to train on and those to hold out of the m of X: random ones, or the last where there is no `rng`."""
    if rng is not None and isinstance(X, np.memmap):
        raise ValueError("validation_fraction would copy the memory map X; pass validation_data, or shuffle=False to "
                         "hold out the last samples")
    held = round(number("validation_fraction", fraction, 0, 1) * m)
    if not 0 < held < m:
        raise ValueError(f"validation_fraction must leave samples on both sides, got {fraction!r} of {m} samples")
    if rng is None:
        return slice(m - held), slice(m - held, m)
    # Sorted, so that with a generator's order or without one the rows are read from front to back.
    rows = rng.permutation(m)
    return np.sort(rows[held:]), np.sort(rows[:held])
