"""What annotations name; type checkers import it, fastbp itself never does."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp.initial import uniform
from fastbp.losses import Huber, Quantile
from fastbp.training.history import EpochState

Floats: TypeAlias = NDArray[np.floating]  # of float32 or float64, as the network was made
CustomLoss: TypeAlias = Callable[[Any, Any], tuple[Any, ArrayLike]]
Loss: TypeAlias = str | Huber | Quantile | CustomLoss
# A name, a uniform or (W, b) for each layer; a list that mixes them is one of objects for mypy.
Init: TypeAlias = str | uniform | ArrayLike | Sequence[object]
Seed: TypeAlias = int | np.random.Generator


class CallbackObject(Protocol):
    """For `fit`'s callbacks that are not functions."""

    def on_epoch(self, state: EpochState, /) -> object: ...


Callback: TypeAlias = CallbackObject | Callable[[EpochState], object]


class ScheduleObject(Protocol):
    """What the classes of fastbp.schedules have."""

    def factors(self, epochs: int, /) -> Iterable[float]: ...


Schedule: TypeAlias = str | ScheduleObject | Callable[[int], float]


class Common(TypedDict, total=False):
    """The keywords that all optimizers take."""

    l1: float
    l2: float
    clip_norm: float | None
    max_norm: float | None
    layer_rates: Sequence[float] | None
