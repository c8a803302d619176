"""What the core leaves to Python: arrays that it cannot take as they are, the call of a loss that is a function, the
memory of parameters, state and workspaces. An array that it can take never comes here."""

import sys

import numpy as np

from fastbp._checks import came, kind, warn

# Bytes of a memory map that are converted at once, if it is not of the network's dtype or not contiguous.
AT_ONCE = 2**24
FLOATS = np.dtype("float32"), np.dtype("float64")


def as_reals(values, name, dtype):
    """`values` as a contiguous array of the dtype; a TypeError or ValueError that names the argument if it is none."""
    array = real_array(values, name)
    if array.base is not None and is_large_map(array, dtype):
        refuse_map(array, name, dtype)
    with np.errstate(over="ignore"):
        try:
            converted = array.astype(dtype, order="C", copy=False)
        except ValueError as error:
            raise MemoryError(f"{name}: {error}") from None
    return converted if converted.flags.c_contiguous and converted.flags.aligned else converted.copy()


def real_array(values, name):
    """`values` as an array of real numbers; a TypeError or ValueError that names the argument if it is none."""
    if "numpy.ma" in sys.modules:       # it is imported where there are masked arrays
        refuse_masked(values, name)
    try:
        # DLPack for those who know nothing of NumPy's own ways.
        array = np.from_dlpack(values) if is_tensor(values) else np.asarray(values)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{name} must be a rectangular array: {error}") from None
    if array.dtype.kind == "O":
        array = objects_as_reals(array, name, values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got an array of dtype {array.dtype}"
                        f"{about_texts(array, name, values)}")
    return array


def is_tensor(values):
    """Whether it is an array that only DLPack can share."""
    return hasattr(values, "__dlpack__") and not hasattr(values, "__array__")


def refuse_masked(values, name):
    """NumPy takes what lies under a mask for numbers like all others."""
    if isinstance(values, np.ma.MaskedArray):
        count = np.ma.count_masked(values)
    elif isinstance(values, (list, tuple)) and np.ma.MaskedArray in map(type, values):
        count = sum(map(np.ma.count_masked, values))
    else:
        return
    if count:
        raise ValueError(f"{name} must hold no masked values, got {count} of them; fill them in, as {name}.filled(0.0) "
                         "does, or leave their samples out")


def is_large_map(array, dtype):
    """Whether it is a memory map, too large to be copied unasked, of which the core needs a copy."""
    if array.size * dtype.itemsize <= AT_ONCE or (
            array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned):
        return False
    return is_map(array)


def is_map(array):
    """Whether the numbers of the array stand in a memory map."""
    mmap = sys.modules.get("mmap")      # whoever has memory maps has imported it
    base = array.base
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return mmap is not None and isinstance(base, mmap.mmap)


def rows_at_once(array, dtype):
    """How many rows of a large memory map to convert at a time."""
    return max(1, AT_ONCE // (array.shape[1] * dtype.itemsize))


def refuse_map(array, name, dtype):
    contiguous = array.flags.c_contiguous
    remedy = (f'Make the network with dtype="{array.dtype}", or pass' if contiguous and array.dtype in FLOATS
              else "Pass")
    raise ValueError(f"{name} must be a contiguous memory map of {dtype}, because otherwise all of it would be copied "
                     f"into memory; got one of {array.dtype}{'' if contiguous else ' that is not contiguous'}. "
                     f"{remedy} batches of rows, or numpy.array({name}, \"{dtype}\") if there is room for it.")


def objects_as_reals(array, name, values):
    """What an array of objects holds, as float64, where all of them are real numbers: pandas has such columns.

    `values` are what the user gave, for the errors.
    """
    if array.ndim == 0 and hasattr(values, "toarray"):
        raise TypeError(f"{name} must be a dense array, got the sparse {type(values).__name__} of shape "
                        f"{values.shape}; {name}.toarray() makes one")
    for index, value in np.ndenumerate(array):
        # NumPy would make NaN of None, which has no `__float__`. NumPy's strings have one; that of pandas' NA raises.
        if isinstance(value, (str, bytes)) or not hasattr(type(value), "__float__") or isinstance(
                value, (np.ndarray, complex, np.complexfloating, np.datetime64, np.timedelta64)):
            raise TypeError(f"{name} must hold real numbers, got {came(value)}"
                            f"{place(index, values)}{what_to_do(value) if index else ''}")
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} must hold numbers that fit into a float64, got a larger int") from None
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers, got an array of objects: {error}") from None


def what_to_do(value):
    """The end of an error about a missing number, for which pandas has several marks."""
    missing = type(value).__name__ in ("NoneType", "NAType", "NaTType")
    return "; fill in what is missing, or leave those samples out" if missing else ""


def place(index, values):
    """Where a number stands in what the user gave, with the name of its column where a data frame has one."""
    if not index:
        return ""
    try:
        column = f", column {values.columns[index[1]]!r}"
    except (AttributeError, IndexError, KeyError, TypeError):
        column = ""
    return f" at index {index[0] if len(index) == 1 else index}{column}"


def about_texts(array, name, values):
    """The end of an error about texts: the first that is no number, or how to read them if all are numbers."""
    if array.dtype.kind not in "SU":
        return ""
    for index, text in np.ndenumerate(array):
        try:
            float(text)
        except ValueError:
            return f" with {str(text)!r:.80}{place(index, values)}"
    return f"; numpy.asarray({name}, float) reads the numbers in them"


def about_inputs(x, name, n_inputs):
    """The end of an error about the shape of inputs: what may have been meant."""
    if n_inputs == 1 and x.ndim == 1:
        return f"; numpy.reshape({name}, (-1, 1)) makes each number a sample"
    return f"; numpy.transpose({name}) has that shape" if x.ndim == 2 and len(x) == n_inputs else ""


def about_targets(t, given, name, samples, n_outputs, loss):
    """The end of an error about the shape of targets: what may have been meant. `t` is an array of what was given."""
    if t.ndim == 2 and t.shape == (n_outputs, samples):
        return f"; numpy.transpose({name}) has that shape"
    if t.shape not in ((samples,), (samples, 1)) or np.asarray(given).dtype.kind not in "iu" or n_outputs == 1:
        return ""
    if loss != "cross_entropy":
        return "; integer labels need loss='cross_entropy' and output_activation='softmax'"
    return f"; numpy.ravel({name}) makes them one label for each sample" if t.ndim == 2 else ""


def total_of(weights):
    """The sum of the weights of samples, or a sum for each row of them; a ValueError unless all of these can be divided
    by and no weight is negative."""
    with np.errstate(over="ignore"):
        totals = np.sum(weights, axis=-1, dtype=np.float64)
    low, high = float(np.min(totals)), float(np.max(totals))
    least, largest = float(np.finfo(weights.dtype).tiny), float(np.finfo(weights.dtype).max)
    if np.any(weights < 0) or not low > 0:
        raise ValueError("sample_weight must hold no negative number and at least one positive one, got a sum of "
                         f"{low} and a minimum of {np.min(weights)}")
    if np.any((weights != 0) & (weights < least)):
        raise ValueError(f"sample_weight must hold no subnormal number of {weights.dtype}, which would count as 0, got "
                         f"{np.min(weights[weights != 0])}")
    if not high <= largest or 1 / low < least:
        raise ValueError(f"sample_weight must have a sum that {weights.dtype} can hold and divide by, from "
                         f"{least:.2g} to {min(largest, 1 / least):.2g}, got {high:.3g}")
    return totals


def labels(values, name, samples, n_outputs):
    """`values` as an array of intp: for each sample, the number of the output that is to be 1."""
    if "numpy.ma" in sys.modules:
        refuse_masked(values, name)
    # A copy, for the kernels take labels as indices: nobody may write into them once they are checked.
    array = np.array(values)
    if array.dtype.kind == "O" and all(isinstance(value, (int, np.integer)) for value in array.flat):
        array = objects_as_integers(array, name)
    if array.dtype.kind not in "iu":
        hint = ""
        if array.dtype.kind == "f" and np.isfinite(array).all() and np.array_equal(
                array, np.trunc(array)):
            hint = f"; numpy.asarray({name}).astype(int) makes integers of them"
        elif array.dtype.kind == "b":
            hint = f"; numpy.asarray({name}).astype(int) makes labels 0 and 1 of them"
        elif array.size and isinstance(array.flat[0], str):
            hint = f"; numpy.unique({name}, return_inverse=True)[1] makes labels of names"
        raise TypeError(f"{name} must hold integer labels or rows of {n_outputs} targets, got an array of "
                        f"shape {array.shape} and dtype {array.dtype}{hint}")
    if array.size != samples:
        raise ValueError(f"{name} must hold one label for each sample, got {array.size}")
    if array.size and not (array.min() >= 0 and array.max() < n_outputs):
        hint = ""
        if len(np.unique(array)) == n_outputs:
            hint = f"; numpy.unique({name}, return_inverse=True)[1] counts from 0"
        elif array.min() >= 0:
            hint = f"; {array.max() + 1} outputs would be needed"
        raise ValueError(f"{name} must hold labels from 0 to {n_outputs - 1}, "
                         f"got {span(array.min(), array.max())}{hint}")
    return np.ascontiguousarray(array, np.intp).reshape(array.shape)


def objects_as_integers(array, name):
    """The integers that an array of objects holds, as int64."""
    try:
        return array.astype(np.int64)
    except OverflowError:
        raise ValueError(f"{name} must hold labels that fit into an int64, got a larger int") from None


def apply_loss(loss, outputs, targets, scale):
    """E, the sum of squares and scale dE/dY, where the loss is a function."""
    shape = outputs.shape   # before anybody can change the array
    result = loss(outputs, targets)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"loss must return (E, dE/dY), got {kind(result)}")
    error = error_of(result[0])
    slopes = as_reals(result[1], "loss: dE/dY", outputs.dtype)
    if slopes.shape != shape:
        raise ValueError(f"loss: dE/dY must have the shape {shape} of Y, got {slopes.shape}")
    squares = np.sum(np.square(np.subtract(outputs, targets, dtype=np.float64)))
    return error, squares, np.multiply(slopes, scale, dtype=outputs.dtype)


def error_of(value):
    """What a loss function returned as E, as a float; it may be infinite or NaN, which ends a training."""
    if isinstance(value, (str, bytes)) or not hasattr(type(value), "__float__") or np.ndim(value) > 0:
        raise TypeError(f"loss: E must be a number, got {came(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("loss: E must be a number that fits into a float64, got a larger int") from None


class UnreachableTargetsWarning(UserWarning):
    """Targets lie beyond what the activation of the output layer can give; the error cannot fall to 0."""


def span(low, high):
    """`low` to `high`, for an error about numbers that may all be equal."""
    return f"{low}" if low == high else f"{low} to {high}"


def warn_of_targets(targets, activation, low, high):
    """Whether there was a reason to warn: `activation` gives outputs from `low` to `high`, and a softmax rows that sum
    to 1."""
    reach = f"{low:.4g} to {high:.4g}"
    given = span(f"{np.min(targets):.4g}", f"{np.max(targets):.4g}")
    if activation == "softmax":
        sums = np.sum(targets, axis=-1)
        furthest = float(sums.flat[np.argmax(np.abs(sums - 1))])
        sums_fit = abs(furthest - 1) < 1e-3
        if sums_fit and np.min(targets) >= -1e-3:
            return False
        given += f" in rows that sum to {furthest:.4g}"
        reach += " in rows that sum to 1"
        remedy = "Targets must not be negative" if sums_fit else "Divide each row of targets by its sum"
    else:
        remedy = "Scale the targets into that range, or write output_activation='identity'"
    warn(f"The output activation {activation!r} gives {reach}, but the targets are {given}. {remedy}",
         UnreachableTargetsWarning)
    return True


class Parameters(np.ndarray):
    """The type of `Network.params`: a read-only copy, whose errors say what to write instead of changing it.

    What is computed from it or unpickled is an ordinary array, and a copy of it can be changed.
    """

    __slots__ = ()

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return array[()] if return_scalar else array

    def __reduce__(self):
        return self.view(np.ndarray).__reduce__()

    def __repr__(self):
        return repr(self.view(np.ndarray))


def _explained(change):
    """A method that changes an ndarray, with an error for `Network.params`."""
    def method(self, *args):
        if not self.flags.writeable:
            raise ValueError("net.params is a read-only copy, in which a change would be lost; write "
                             "net.params = net.params + x, or net.weights[l][...] += x")
        return change(self, *args)
    return method


for _name in ("setitem", "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"):
    setattr(Parameters, f"__{_name}__", _explained(getattr(np.ndarray, f"__{_name}__")))


def aligned_zeros(length, dtype):
    """A zeroed vector on a cache line's boundary; MemoryError where it does not fit."""
    size = length * dtype.itemsize
    try:
        raw = np.zeros(size + 64, np.uint8)
    except ValueError:
        raise MemoryError(f"a network this large needs {size} bytes") from None
    offset = -raw.ctypes.data % 64
    return raw[offset:offset + size].view(dtype)
