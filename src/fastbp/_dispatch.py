"""Chooses the kernels of the best instruction set that this processor has.

The kernel modules are loaded by name once the processor is known, and never imported otherwise, because a module
compiled for AVX-512 may use it anywhere. ``FASTBP_ISA`` in the environment forces a level.
"""

import importlib
import os

import numpy as np

from fastbp import _core
from fastbp._version import __version__

_NUMBERS = {"baseline": 0, "x86_v3": 3, "x86_v4": 4}
_chosen: tuple[str, ...] = ()


def available() -> tuple[str, ...]:
    """Names of the levels that this processor runs, the best last."""
    return tuple(name for name, number in _NUMBERS.items() if number <= _core.cpu_level())


def automatic(levels: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The default levels: the best one, preceded by x86_v3 for the networks that fit into its vectors.

    They are chosen among `levels`, the best last; by default among those of this processor.
    """
    levels = available() if levels is None else levels
    return tuple(name for name in levels if name != "baseline") or levels


def chosen() -> tuple[str, ...]:
    """Names of the levels that networks made from now on use, the one for the narrowest first."""
    return _chosen


def use(*levels: str) -> tuple[str, ...]:
    """Make networks created from now on use the kernels of these one or two levels; returns the previous levels."""
    global _chosen
    for level in levels:
        if level not in available():
            raise ImportError("FASTBP_ISA must be one of the levels that this processor has, "
                              f"{', '.join(available())}; got {level!r}")
    for dtype in ("float32", "float64"):
        _core.install([importlib.import_module(f"fastbp._kernels.{level}_{dtype}").table for level in levels])
    before, _chosen = _chosen, levels
    return before


def show_config() -> None:
    """Print the version, instruction sets, compiler and NumPy of this installation; include it in a bug report.

    Examples
    --------
    >>> import fastbp
    >>> fastbp.show_config()  # doctest: +ELLIPSIS
    fastbp ...
    """
    print(f"fastbp {__version__}")
    narrow = f", {chosen()[0]} for narrow networks" if len(chosen()) > 1 else ""
    print(f"instruction set: {chosen()[-1]}{narrow} (available: {', '.join(available())})")
    print(f"compiler: {_core.COMPILER}")
    print(f"flags: {_core.FLAGS}")
    print(f"NumPy: {np.__version__}")


use(*([os.environ["FASTBP_ISA"]] if os.environ.get("FASTBP_ISA") else automatic()))
