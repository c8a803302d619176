"""What Levenberg-Marquardt and L-BFGS have in common: they are for `fit` alone, and each step takes all samples."""

from __future__ import annotations

import copy
from typing import Self


class WholeBatch:
    """An optimizer whose steps have no learning rate and are made of all samples at once.

    What it was made with is in its `__dict__`, what it has learnt in a slot. `_columns` names the numbers that the
    History has of each epoch.
    """

    __slots__ = ("__dict__", "__weakref__", "_learnt", "steps")
    _columns: tuple[str, ...] = ()
    # As a checkpoint and the History have it: steps are made as they are computed.
    learning_rate = 1.0
    divided = descends = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was learnt, as if no step had been made."""
        self.steps, self._learnt = 0, None

    def _state(self):
        """What a checkpoint keeps; what was learnt is in its History."""
        return {"steps": self.steps, "mean": None, "square": None}

    def copy(self) -> Self:
        """An independent optimizer with the same numbers and the state that this one has now.

        Returns
        -------
        optimizer
        """
        return copy.copy(self)

    def _check(self, net, options):
        """Refuse what contradicts such a training."""
        name = type(self).__name__
        if options.learning_rate is not None:
            raise ValueError(f"learning_rate must be left out with {name}, whose steps have none; got "
                             f"{options.learning_rate!r}")
        if options.batch_size is not None and options.batch_size != "full":
            raise ValueError(f"batch_size must be left out with {name}, whose every step takes all samples; got "
                             f"{options.batch_size!r}")
        if options.schedule is not None:
            raise ValueError(f"schedule cannot be used with {name}, which has no learning rate; got "
                             f"{options.schedule!r}")

    def _refuse(self, what, why):
        raise ValueError(f"{what} cannot be used with {type(self).__name__}, {why}")

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
