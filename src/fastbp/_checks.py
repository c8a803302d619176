"""Checks of arguments that are not arrays. Each error says which argument, what it needs and what came."""

import operator
import sys
import warnings
from math import inf


def number(argument, value, low, high, *, low_allowed=False):
    """`value` as a float in the open interval from low to high, or from low on."""
    result = value if type(value) is float else _float(argument, value)
    if not (low < result < high or (low_allowed and result == low)):
        finite = " and finite" if high == inf else f" and below {high}"
        raise ValueError(f"{argument} must be {'at least' if low_allowed else 'above'} {low}{finite}, got {value!r}")
    return result


def _float(argument, value):
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except (TypeError, ValueError):
        pass
    except OverflowError:
        return inf      # an int beyond all floats
    raise TypeError(f"{argument} must be a number, got {type(value).__name__} {value!r}")


def positive_integer(argument, value):
    """`value` as an int of at least 1."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {type(value).__name__} {value!r}") from None
    if result < 1:
        raise ValueError(f"{argument} must be at least 1, got {value!r}")
    return result


def one_of(argument, value, names):
    """`value` if it is one of the names."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a name, got {type(value).__name__} {value!r}")
    if value not in names:
        raise ValueError(f"{argument} must be one of {', '.join(names)}; got {value!r}")
    return value


def warn(message, category=UserWarning):
    """Warn of a line of the user's: the first that is not fastbp's own."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastbp":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
