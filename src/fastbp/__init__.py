"""fastbp: backpropagation for small fully connected networks, compiled."""

import importlib
import typing

from fastbp._arrays import UnreachableTargetsWarning
from fastbp._core import get_num_threads
from fastbp._dispatch import show_config
from fastbp._threads import set_num_threads
from fastbp._version import __version__
from fastbp.divergence import DivergenceError
from fastbp.embedding import get_include
from fastbp.initial import uniform
from fastbp.io import FormatError
from fastbp.losses import Huber, Quantile
from fastbp.network import Network, Trace, load
from fastbp.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, RMSprop, Rprop
from fastbp.training.history import EpochState, History

if typing.TYPE_CHECKING:
    from fastbp.levenberg_marquardt import LevenbergMarquardt
    from fastbp.prediction_interval import PredictionInterval

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "DivergenceError", "EpochState", "FormatError", "History", "Huber",
           "LevenbergMarquardt", "Nadam", "Network", "PredictionInterval", "Quantile", "RMSprop", "Rprop", "Trace",
           "UnreachableTargetsWarning", "__version__", "get_include", "get_num_threads", "load", "set_num_threads",
           "show_config", "uniform"]


# Imported when they are asked for, which few programs do.
_LATER = {"LevenbergMarquardt": "fastbp.levenberg_marquardt", "PredictionInterval": "fastbp.prediction_interval"}


def __getattr__(name):
    if name in _LATER:
        globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
        return globals()[name]
    # Imported when it is asked for: its dataclasses take a tenth of the whole import to make.
    if name == "schedules":
        return importlib.import_module("fastbp.schedules")
    raise AttributeError(f"module 'fastbp' has no attribute {name!r}")
