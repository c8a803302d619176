"""The keywords of `Network.fit` as one object, so that they are listed in its signature and here, and nowhere else."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from fastbp._core import Optimizer
    from fastbp._types import Callback, Schedule


class Options(NamedTuple):
    """What they mean is in the docstring of `Network.fit`. Who uses an option checks it.

    A named tuple, because it cannot be changed and costs a short training less than a dataclass does.
    """

    epochs: int
    batch_size: int | str | None
    learning_rate: float | None
    optimizer: str | Optimizer
    shuffle: bool
    desired_error: float | None
    verbose: bool | str
    sample_weight: ArrayLike | None
    class_weight: dict[int, float] | str | None
    validation_data: tuple[ArrayLike, ArrayLike] | None
    validation_fraction: float | None
    patience: int | None
    min_delta: float
    time_limit: float | None
    callbacks: Callback | Iterable[Callback]
    schedule: Schedule | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int
    resume: str | os.PathLike[str] | None
    dropout: float | Sequence[float]
    threads: int | None

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Options:
        """Those of them that are options."""
        return cls._make(IN_ORDER(keywords))


IN_ORDER = itemgetter(*Options._fields)
