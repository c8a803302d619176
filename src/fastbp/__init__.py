"""fastbp: backpropagation for small fully connected networks, compiled."""

import importlib

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
from fastbp.population import Population
from fastbp.training.history import EpochState, History
from fastbp.training.population_history import PopulationHistory

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "DivergenceError", "EpochState", "FormatError", "History", "Huber",
           "Nadam", "Network", "Population", "PopulationHistory", "Quantile", "RMSprop", "Rprop", "Trace",
           "UnreachableTargetsWarning", "__version__", "get_include", "get_num_threads", "load", "set_num_threads",
           "show_config", "uniform"]


def __getattr__(name):
    # Imported when it is asked for: its dataclasses take a tenth of the whole import to make.
    if name == "schedules":
        return importlib.import_module("fastbp.schedules")
    raise AttributeError(f"module 'fastbp' has no attribute {name!r}")
