"""The keywords of `Network.fit` as one object, so that what it calls need not list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from fastbp._core import Optimizer
    from fastbp._types import Callback, Schedule
    from fastbp.whole_batch import WholeBatch


class Options(NamedTuple):
    """The keywords in the order of the signature of `Network.fit`, whose docstring says what they mean. Each option is
    checked where it is used.

    A named tuple, because it cannot be changed and costs a short training less than a dataclass does.
    """

    epochs: int
    batch_size: int | str | None
    learning_rate: float | None
    optimizer: str | Optimizer | WholeBatch
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
