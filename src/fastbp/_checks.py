"""Checks of arguments that are not arrays. Each error names the argument and says what it needs and what it got."""

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
        return inf      # an int too large for a float
    raise TypeError(f"{argument} must be a number, got {came(value)}")


def came(value):
    """What an argument was, for an error: its type and its value, which for None are one word."""
    return "None" if value is None else f"{kind(value)} {value!r:.80}"


def kind(value):
    """The type of an argument that may be large, for an error."""
    return "None" if value is None else type(value).__name__


def positive_integer(argument, value):
    """`value` as an int of at least 1."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {came(value)}") from None
    if result < 1:
        raise ValueError(f"{argument} must be at least 1, got {value!r}")
    return result


def check_flag(argument, value):
    """A TypeError for what is neither true nor false, 0 nor 1."""
    if isinstance(value, (str, bytes)) or value not in (0, 1):
        raise TypeError(f"{argument} must be True or False, got {came(value)}")


def one_of(argument, value, names, also=""):
    """The one of the names that `value` means; upper case, spaces, hyphens and underscores do not count.

    `also` is what else the argument may be, for the error.
    """
    if isinstance(value, str):
        if value in names:
            return value
        for name in names:
            if simplified(name) == simplified(value):
                return name
    listed = f"one of {', '.join(names)}" if len(names) > 1 else repr(*names)
    wanted = f"{also} or {listed}" if also else listed
    if not isinstance(value, str):
        refuse_class(argument, value)
        raise TypeError(f"{argument} must be {wanted}, got {came(value)}")
    raise ValueError(f"{argument} must be {wanted}; got {value!r:.80}{suggestion(argument, value, names)}")


def refuse_class(argument, value):
    """A TypeError for a class in the place of an object of it."""
    if isinstance(value, type):
        raise TypeError(f"{argument} must be an object, got the class {value.__name__}; write {value.__name__}()")


# Names that other libraries use, simplified, and the names here, where the two do not look alike.
ELSEWHERE = {
    "activation": {
        "hardlim": "'threshold'", "heaviside": "'threshold'", "lin": "'identity'", "logsig": "'sigmoid'",
        "lrelu": "'leaky_relu'", "none": "'identity'",
        "poslin": "'relu'", "purelin": "'identity'", "radbas": "'gaussian'", "tansig": "'tanh'",
    },
    "batch_size": dict.fromkeys(("all", "batch"), "'full', which takes all samples at once"),
    "init": {
        "glorotuniform": "'glorot'", "heuniform": "'he'", "initnw": "'nguyen_widrow'", "kaiming": "'he'",
        "widrownguyen": "'nguyen_widrow'", "xavier": "'glorot'",
    },
    "keyword": {
        "beta1": "beta_1", "beta2": "beta_2", "betas": "beta_1 and beta_2", "eps": "epsilon", "eta0": "learning_rate",
        "lr": "learning_rate", "weightdecay": "l2, or AdamW's decay",
    },
    "loss": {
        "bce": "'binary_cross_entropy'", "categoricalcrossentropy": "'cross_entropy'", "l1": "'absolute_error'",
        "l2": "'squared_error'", "logistic": "'cross_entropy', or 'binary_cross_entropy' for a single output",
        "logloss": "'cross_entropy', or 'binary_cross_entropy' for a single output",
        "mae": "'absolute_error'", "meanabsoluteerror": "'absolute_error'",
        "meansquarederror": "'squared_error' with reduction='mean'", "mse": "'squared_error' with reduction='mean'",
        "nll": "'cross_entropy'", "pinball": "'quantile'", "rmse": "'squared_error' with reduction='mean'",
        "smoothl1": "'huber'",
        "sparsecategoricalcrossentropy": "'cross_entropy'",
    },
    "reduction": {"average": "'mean'", "avg": "'mean'"},
    "optimizer": {
        "bfgs": "'lbfgs'", "gradientdescent": "'sgd'", "lbfgsb": "'lbfgs'", "levenbergmarquardt": "'lm'",
        "momentum": "fastbp.SGD(momentum=0.9)", "nesterov": "fastbp.SGD(momentum=0.9, nesterov=True)",
        "trainbr": "fastbp.LevenbergMarquardt(bayesian=True)", "trainlm": "'lm'", "trainrp": "'rprop'",
    },
}


def suggestion(argument, value, names):
    """The end of an error: which of the names may have been meant, if that can be told."""
    known = ELSEWHERE.get(argument.removeprefix("output_"), {}).get(simplified(value))
    if known is None:
        # Only errors need it, and it takes a millisecond to import.
        import difflib
        known = "".join(map(repr, difflib.get_close_matches(value.lower(), names, n=1)))
    return f". Did you mean {known}?" if known else ""


def simplified(name):
    return name.lower().translate(IGNORED)


IGNORED = dict.fromkeys(map(ord, " -_"))


def warn(message, category=UserWarning):
    """Warn about the user's line: the first outside of fastbp and of scikit-learn, which may call fastbp."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("fastbp", "sklearn"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
