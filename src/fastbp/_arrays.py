"""What the core leaves to Python: arrays that it cannot take as they are, the call of a loss that is a function, the
memory of parameters, state and workspaces. An array that it can take never comes here."""

import numpy as np

from fastbp._checks import warn


def as_reals(values, name, dtype):
    """`values` as a contiguous array of the dtype; a TypeError or ValueError that names the argument if it is none."""
    try:
        array = np.asarray(values)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{name} must be a rectangular array: {error}") from None
    if array.dtype.kind == "O":
        array = objects_as_reals(array, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got an array of dtype {array.dtype}")
    with np.errstate(over="ignore"):
        try:
            converted = array.astype(dtype, order="C", copy=False)
        except ValueError as error:
            raise MemoryError(f"{name}: {error}") from None
    return converted if converted.flags.c_contiguous and converted.flags.aligned else converted.copy()


def objects_as_reals(array, name):
    """What an array of objects holds, as float64, where all of them are real numbers: pandas has such columns."""
    for index, value in np.ndenumerate(array):
        # None, which is NaN for NumPy, has no `__float__`; NumPy's texts have one, and pandas' NA one that refuses.
        if isinstance(value, (str, bytes)) or not hasattr(type(value), "__float__") or isinstance(
                value, (np.ndarray, complex, np.complexfloating, np.datetime64, np.timedelta64)):
            where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
            raise TypeError(f"{name} must hold real numbers, got {type(value).__name__} {value!r:.80}{where}")
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} must hold numbers that a float64 can hold, got an int beyond all floats") from None
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers, got an array of objects: {error}") from None


def total_of(weights):
    """The sum of the weights of samples; a ValueError unless it can be divided by and none is negative."""
    with np.errstate(over="ignore"):
        total = float(np.sum(weights, dtype=np.float64))
    least, largest = float(np.finfo(weights.dtype).tiny), float(np.finfo(weights.dtype).max)
    if np.any(weights < 0) or not total > 0:
        raise ValueError("sample_weight must hold no negative number and at least one positive, got a sum of "
                         f"{total} and a least of {np.min(weights)}")
    if np.any((weights != 0) & (weights < least)):
        raise ValueError(f"sample_weight must hold no subnormal number of {weights.dtype}, which would count as 0, got "
                         f"{np.min(weights[weights != 0])}")
    if not least <= total <= largest or 1 / total < least:
        raise ValueError(f"sample_weight must have a sum that {weights.dtype} can hold and divide by, from "
                         f"{least:.2g} to {min(largest, 1 / least):.2g}, got {total:.3g}")
    return total


def labels(values, name, samples, n_outputs):
    """`values` as an array of intp: for each sample, the number of the output that is to be 1."""
    # A copy, for the kernels take labels as indices: nobody may write into them once they are checked.
    array = np.array(values)
    if array.dtype.kind == "O" and all(isinstance(value, (int, np.integer)) for value in array.flat):
        array = objects_as_integers(array, name)
    if array.dtype.kind not in "iu":
        hint = f"; {name}.astype(int) makes integers of them" if array.dtype.kind == "f" else ""
        raise TypeError(f"{name} must hold integer labels or rows of {n_outputs} targets, got an array of "
                        f"shape {array.shape} and dtype {array.dtype}{hint}")
    if array.size != samples:
        raise ValueError(f"{name} must hold one label for each sample, got {array.size}")
    if array.size and not (array.min() >= 0 and array.max() < n_outputs):
        raise ValueError(f"{name} must hold labels from 0 to {n_outputs - 1}, got {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, np.intp).reshape(array.shape)


def objects_as_integers(array, name):
    """The integers that an array of objects holds, as int64."""
    try:
        return array.astype(np.int64)
    except OverflowError:
        raise ValueError(f"{name} must hold labels that an int64 can hold, got an int beyond them") from None


def apply_loss(loss, outputs, targets, scale):
    """E, the sum of squares and scale dE/dY, where the loss is a function."""
    result = loss(outputs, targets)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"loss must return (E, dE/dY), got {type(result).__name__}")
    error = error_of(result[0])
    slopes = as_reals(result[1], "loss: dE/dY", outputs.dtype)
    if slopes.shape != outputs.shape:
        raise ValueError(f"loss: dE/dY must have the shape {outputs.shape} of Y, got {slopes.shape}")
    squares = np.sum(np.square(np.subtract(outputs, targets, dtype=np.float64)))
    return error, squares, np.multiply(slopes, scale, dtype=outputs.dtype)


def error_of(value):
    """What a loss function returned as E, as a float; it may be infinite or NaN, which ends a training."""
    if isinstance(value, (str, bytes)) or not hasattr(type(value), "__float__") or np.ndim(value) > 0:
        raise TypeError(f"loss: E must be a number, got {type(value).__name__} {value!r:.80}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("loss: E must be a number that a float64 can hold, got an int beyond all floats") from None


class UnreachableTargetsWarning(UserWarning):
    """Targets lie beyond what the activation of the output layer can give; the error cannot fall to 0."""


def warn_of_targets(targets, activation, low, high):
    """Whether there was a reason to warn: `activation` gives outputs from `low` to `high`, and of a softmax rows that
    sum to 1."""
    reach = f"{low:.4g} to {high:.4g}"
    least, largest = float(np.min(targets)), float(np.max(targets))
    if activation == "softmax":
        sums = np.sum(targets, axis=-1)
        furthest = float(sums.flat[np.argmax(np.abs(sums - 1))])
        if abs(furthest - 1) < 1e-3:
            return False
        came = f"of {least:.4g} to {largest:.4g} in rows that sum to {furthest:.4g}"
        reach += " in rows that sum to 1; divide each row of targets by its sum"
    else:
        came = f"from {least:.4g} to {largest:.4g}"
    warn(f"The targets, {came}, are out of reach: the output activation {activation!r} gives {reach}. "
         "Scale the targets into that range, or write output_activation='identity'", UnreachableTargetsWarning)
    return True


def aligned_zeros(length, dtype):
    """A zeroed vector on a cache line's boundary; MemoryError where it does not fit."""
    size = length * dtype.itemsize
    try:
        raw = np.zeros(size + 64, np.uint8)
    except ValueError:
        raise MemoryError(f"a network this large needs {size} bytes") from None
    offset = -raw.ctypes.data % 64
    return raw[offset:offset + size].view(dtype)
