"""Chooses the kernels of the best instruction set that this processor has.

The kernel modules are loaded by name after the processor was asked, never imported otherwise: a module compiled for
AVX-512 is allowed to use it anywhere. ``FASTBP_ISA`` in the environment forces a level.
"""

import importlib
import os

import numpy as np

from fastbp import _core
from fastbp._version import __version__

_NUMBERS = {"baseline": 0, "x86_v3": 3, "x86_v4": 4}
_chosen = ""


def available():
    """Names of the levels that this processor runs, the best last."""
    return tuple(name for name, number in _NUMBERS.items() if number <= _core.cpu_level())


def chosen():
    """Name of the level that networks made from now on use."""
    return _chosen


def use(level):
    """Make networks created from now on use the kernels of `level`; returns the name of the level before."""
    global _chosen
    if level not in available():
        raise ImportError(f"FASTBP_ISA: {level!r} is not one of the levels of this processor: {', '.join(available())}")
    for dtype in ("float32", "float64"):
        _core.install(importlib.import_module(f"fastbp._kernels.{level}_{dtype}").table)
    before, _chosen = _chosen, level
    return before


def show_config():
    """Print what this installation is: version, instruction sets, compiler, NumPy; include it in a bug report.

    Examples
    --------
    >>> import fastbp
    >>> fastbp.show_config()  # doctest: +ELLIPSIS
    fastbp ...
    """
    print(f"fastbp {__version__}")
    print(f"instruction set: {chosen()} (available: {', '.join(available())})")
    print(f"compiler: {_core.COMPILER}")
    print(f"flags: {_core.FLAGS}")
    print(f"NumPy: {np.__version__}")


use(os.environ.get("FASTBP_ISA") or available()[-1])
