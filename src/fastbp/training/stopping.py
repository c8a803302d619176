"""When training must stop."""

from math import inf

from fastbp._checks import number, positive_integer


class Stopping:
    """The conditions for stopping, checked after each epoch."""

    def __init__(self, options):
        self.epochs = positive_integer("epochs", options.epochs)
        # A condition that is not given is never met.
        self.desired_error = -1 if options.desired_error is None else number(
            "desired_error", options.desired_error, 0, inf, low_allowed=True)
        self.time_limit = inf if options.time_limit is None else number("time_limit", options.time_limit, 0, inf)
        self.patience = inf if options.patience is None else positive_integer("patience", options.patience)
        self.min_delta = number("min_delta", options.min_delta, 0, inf, low_allowed=True)
        if self.min_delta > 0 and options.patience is None:
            raise ValueError(f"min_delta needs patience, got min_delta={options.min_delta!r} and patience=None")
        self.least, self.waited = inf, 0

    def look(self, validation_error):
        """Take note of an epoch's validation error; returns whether it is the lowest so far."""
        self.waited = 0 if validation_error < self.least - self.min_delta else self.waited + 1
        is_best = validation_error < self.least
        if is_best:
            self.least = validation_error
        return is_best

    def reason(self, done, rms, seconds):
        """Why no further epoch may follow, or None.

        `done` epochs are done, the last with the RMS error `rms`, and the call of `fit` was `seconds` ago.
        """
        if rms <= self.desired_error:
            return "desired_error"
        if self.waited >= self.patience:
            return "patience"
        if done >= self.epochs:
            return "epochs"
        if seconds >= self.time_limit:
            return "time_limit"
        return None
