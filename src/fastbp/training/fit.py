"""fit: epochs, what happens between them, when to stop, and the History of it all."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from itertools import count
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

import fastbp  # whose attribute `schedules` is imported when it is asked for
from fastbp import optimizers
from fastbp._checks import number, positive_integer
from fastbp.training import checkpoint as checkpoints
from fastbp.training import progress, sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fastbp._core import Optimizer
    from fastbp._types import Floats
    from fastbp.network import Network


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """What a `Network.fit` did.

    Attributes
    ----------
    error, rms : ndarray of float64, shape (epochs,)
        E and the RMS error of each epoch, taken from each sample before the update that it took part in.
    stop_reason : str
        "epochs" (all done), "desired_error" (reached), "patience" (no improvement), "time_limit", "callback" or
        "interrupted" (Ctrl-C).
    validation_error, validation_rms : ndarray of float64, shape (epochs,)
        The same of the validation data after each epoch; empty where there are none.
    learning_rate, seconds : ndarray of float64, shape (epochs,)
        The optimizer's rate in each epoch, and the time from the beginning of the training to the end of the epoch.
    best_epoch : int or None
        The epoch with the least validation error, from 0.
    epochs : int
        How many there were; ``len`` says the same.
    """

    error: NDArray[np.float64]
    rms: NDArray[np.float64]
    stop_reason: str
    validation_error: NDArray[np.float64]
    validation_rms: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    seconds: NDArray[np.float64]
    best_epoch: int | None

    @property
    def epochs(self) -> int:
        return len(self.rms)

    def __len__(self) -> int:
        return len(self.rms)

    def __repr__(self):
        last = f", RMS {self.rms[-1]:.6g}" if len(self) else ""
        if self.best_epoch is not None:
            last += (f", validation E {self.validation_error[-1]:.6g}"
                     f" (least in epoch {self.best_epoch}: {self.validation_error[self.best_epoch]:.6g})")
        return f"History({len(self)} epochs{last}, stopped by {self.stop_reason})"

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain lists and numbers, as JSON takes it.

        Returns
        -------
        dict
        """
        return {"epochs": len(self), **{name: value.tolist() if isinstance(value, np.ndarray) else value
                                        for name, value in vars(self).items()}}


@dataclass(frozen=True, eq=False)
class EpochState:
    """What a callback is told at the end of an epoch: ``on_epoch(state)``.

    Attributes
    ----------
    epoch : int
        From 0.
    network : Network
        As it is after the epoch. It may be read, saved and changed.
    optimizer : optimizer
        The one that trains.
    error, rms, validation_error, learning_rate, seconds : float
        This epoch's entries of the History to come; validation_error is None without validation data.
    last_batch : callable
        Returns (X, T) of the epoch's last batch.
    """

    epoch: int
    network: Network
    optimizer: Optimizer
    error: float
    rms: float
    validation_error: float | None
    learning_rate: float
    seconds: float
    last_batch: Callable[[], tuple[NDArray[Any], NDArray[Any]]] = field(repr=False)

    def error_signals(self) -> list[Floats]:
        """The error signals e = dE/da of each layer for the samples of the epoch's last batch.

        They are computed by this call, so at the parameters that the network has after the epoch.

        Returns
        -------
        list of ndarray, shape (M, n_out)
            As `Trace.error_signals`.
        """
        return self.network.backprop(*self.last_batch()).error_signals


class Stopping:
    """When to stop, told epoch by epoch."""

    def __init__(self, epochs, desired_error, patience, min_delta, time_limit):
        self.epochs = positive_integer("epochs", epochs)
        # What is not asked for is never reached.
        self.desired_error = -1 if desired_error is None else number("desired_error", desired_error, 0, inf,
                                                                     low_allowed=True)
        self.time_limit = inf if time_limit is None else number("time_limit", time_limit, 0, inf)
        self.patience, self.min_delta = inf if patience is None else positive_integer("patience", patience), min_delta
        if number("min_delta", min_delta, 0, inf, low_allowed=True) > 0 and patience is None:
            raise ValueError(f"min_delta needs patience, got min_delta={min_delta!r} and patience=None")
        self.started = time.perf_counter()
        self.least, self.waited = inf, 0

    def look(self, validation_error):
        """Take note of an epoch's validation error; whether it is the least so far."""
        self.waited = 0 if validation_error < self.least - self.min_delta else self.waited + 1
        is_best = validation_error < self.least
        if is_best:
            self.least = validation_error
        return is_best

    def reason(self, done, rms):
        """Why there must be no further epoch after so many, the last with this RMS error; or None."""
        if rms <= self.desired_error:
            return "desired_error"
        if self.waited >= self.patience:
            return "patience"
        if done >= self.epochs:
            return "epochs"
        if self.time_limit < inf and time.perf_counter() - self.started >= self.time_limit:
            return "time_limit"
        return None


class Run:
    """One call of fit: what it trains with, and what has come of it so far."""

    def __init__(self, net, optimizer, rng, stopping, schedule, keeps_checkpoints):
        self.net, self.optimizer, self.rng, self.stopping = net, optimizer, rng, stopping
        self.random_start = checkpoints.random_state(rng) if keeps_checkpoints else None
        self.base_rate = optimizer.learning_rate
        self.factors = None if schedule is None else fastbp.schedules.factors(schedule, stopping.epochs)
        self.source = self.validation = None
        # E, RMS error, learning rate, seconds and the two validation errors, if any, of each epoch: one flat list, for
        # a tuple each would keep the garbage collector busy.
        self.records, self.width = [], 4
        self.best_params = None
        self.started = time.perf_counter()

    @property
    def done(self):
        """Epochs behind it."""
        return len(self.records) // self.width

    def epoch(self, epoch):
        """Train for one epoch; why it must be the last one, or None."""
        if self.factors is not None:
            self.optimizer.learning_rate = self.base_rate * self.next_factor(epoch)
        error, squares = self.source.train(epoch)
        rms = sqrt(squares / self.source.terms)
        # Ctrl-C may come between any two of these lines: an epoch is there once it is among the records.
        if self.validation is None:
            self.records += (error, rms, self.optimizer.learning_rate, time.perf_counter() - self.started)
        else:
            validation = self.validate()
            self.records += (error, rms, self.optimizer.learning_rate, time.perf_counter() - self.started, *validation)
        return self.stopping.reason(epoch + 1, rms)

    def validate_with(self, data):
        """Have the errors of these data taken after each epoch."""
        self.validation, self.width = data, 6

    def validate(self):
        errors = self.net._error_and_rms(*self.validation)
        if self.stopping.look(errors[0]) and self.stopping.patience < inf:
            self.best_params = self.net.params
        return errors

    def next_factor(self, epoch):
        """The schedule's factor for this epoch; it is sent the error of the one before."""
        return self.factors.send(self.records[(epoch - 1) * self.width] if epoch else None)

    def replay(self, records):
        """Go through the epochs of a checkpoint, as far as schedule and stopping are concerned."""
        self.records = records
        for epoch in range(self.done):
            if self.factors is not None:
                self.next_factor(epoch)
            if self.validation is not None:
                self.stopping.look(records[epoch * self.width + 4])
        if records:
            self.started -= records[3 - self.width]

    def state(self):
        """What a callback is told."""
        error, rms, learning_rate, seconds, *validation = self.records[-self.width:]
        return EpochState(self.done - 1, self.net, self.optimizer, error, rms, validation[0] if validation else None,
                          learning_rate, seconds, self.source.last_batch)

    def history(self, stop_reason):
        columns = np.array(self.records, np.float64).reshape(-1, self.width).T.copy()
        error, rms, learning_rate, seconds, validation_error, validation_rms = (*columns, np.empty(0), np.empty(0))[:6]
        best_epoch = int(np.nanargmin(validation_error)) if (validation_error < inf).any() else None
        return History(error, rms, stop_reason, validation_error, validation_rms, learning_rate, seconds, best_epoch)


def fit(net, X, T, *, rng, epochs, batch_size, learning_rate, optimizer, shuffle, desired_error, verbose, sample_weight,
        class_weight, validation_data, validation_fraction, patience, min_delta, time_limit, callbacks, schedule,
        checkpoint, checkpoint_every, resume, dropout):
    """Train `net`; the arguments are those of `Network.fit`, with the generator in place of the seed."""
    stopping = Stopping(epochs, desired_error, patience, min_delta, time_limit)
    if validation_data is not None and validation_fraction is not None:
        raise ValueError("validation_fraction must be None beside validation_data")
    if patience is not None and validation_data is None and validation_fraction is None:
        raise ValueError("patience needs validation_data or validation_fraction")
    if schedule is not None:
        fastbp.schedules.check("schedule", schedule)
    callbacks = checked_callbacks(callbacks)
    check_checkpoint(checkpoint, checkpoint_every)
    optimizer = optimizers.make(optimizer, learning_rate)
    if schedule is not None and isinstance(optimizer, optimizers.Rprop):
        raise ValueError("schedule must be None beside Rprop, whose learning rate is only that of the first step")
    run = Run(net, optimizer, rng, stopping, schedule, checkpoint is not None)
    rates = dropout_rates(net, dropout)
    dropout = None if rates is None else sources.Dropout(rates, rng)
    shown = progress.make(verbose, stopping.epochs)
    callbacks += (shown,) if shown else ()
    saved = None if resume is None else checkpoints.read(resume)
    if T is None and not hasattr(X, "__array__"):
        refuse_with_batches(batch_size=(batch_size, 1), sample_weight=(sample_weight, None),
                            class_weight=(class_weight, None), validation_fraction=(validation_fraction, None))
        run.source = sources.Batches(net, X, run.optimizer, dropout, stopping.epochs)
    else:
        if class_weight is not None:
            net._samples(X, T)  # an error of X or T is named as such
            sample_weight = sources.class_weights(net, T, class_weight, sample_weight)
        if validation_fraction is not None:
            net._samples(X, T)
            # The rows that a resumed training held out were chosen at its first beginning.
            chooser = rng if saved is None else checkpoints.generator_at(rng, saved[0]["random_start"])
            X, T, sample_weight, validation_data = sources.hold_out(X, T, sample_weight, validation_fraction,
                                                                    chooser if shuffle else None)
        run.source = sources.Arrays(net, X, T, sample_weight, batch_size, run.optimizer, rng if shuffle else None,
                                    dropout)
        if shuffle and (callbacks or checkpoint is not None or saved is not None):
            run.source.watch_order()
    if validation_data is not None:
        run.validate_with(checked_validation(net, validation_data))
    if saved is not None:
        checkpoints.apply(saved, run)
        run.random_start = saved[0]["random_start"]
    return train(run, callbacks, shown, checkpoint, checkpoint_every)


def train(run, callbacks, shown, checkpoint, checkpoint_every):
    """Epochs until one of the reasons to stop."""
    try:
        if shown:
            shown.start(run)
        # A run that is resumed may have nothing left to do.
        stop_reason = run.stopping.reason(run.done, run.records[1 - run.width] if run.records else inf)
        for epoch in count(run.done):
            if stop_reason:
                break
            stop_reason = run.epoch(epoch)
            if callbacks and tell(callbacks, run.state()):
                stop_reason = stop_reason or "callback"
            # After the callbacks, which may have changed the network.
            if checkpoint is not None and (stop_reason or (epoch + 1) % checkpoint_every == 0):
                checkpoints.write(checkpoint, run)
    except KeyboardInterrupt:
        stop_reason = "interrupted"
    finally:
        if run.factors is not None:
            run.optimizer.learning_rate = run.base_rate
        if shown:
            shown.end()
    if run.best_params is not None:
        run.net.params = run.best_params
    return run.history(stop_reason)


def tell(callbacks, state):
    """Call them all; whether one wants to stop."""
    wishes = [callback.on_epoch(state) for callback in callbacks]
    return any(wishes)


def checked_callbacks(callbacks):
    try:
        callbacks = tuple(callbacks)
    except TypeError:
        raise TypeError(f"callbacks must be a sequence of objects with on_epoch(state), got {callbacks!r}") from None
    for i, callback in enumerate(callbacks):
        if isinstance(callback, type) or not callable(getattr(callback, "on_epoch", None)):
            raise TypeError(f"callbacks[{i}] must be an object with a method on_epoch(state), got {callback!r}")
    return callbacks


def check_checkpoint(checkpoint, checkpoint_every):
    if positive_integer("checkpoint_every", checkpoint_every) > 1 and checkpoint is None:
        raise ValueError(f"checkpoint_every needs a checkpoint to write, got checkpoint_every={checkpoint_every!r}")
    if checkpoint is not None:
        directory = os.path.dirname(os.path.realpath(os.fsdecode(checkpoint)))
        if not os.path.isdir(directory):
            raise FileNotFoundError(f"checkpoint: there is no directory {directory!r}")
        if os.path.isdir(checkpoint):
            raise IsADirectoryError(f"checkpoint: {os.fsdecode(checkpoint)!r} is a directory")


def refuse_with_batches(**arguments):
    for name, (value, default) in arguments.items():
        if value is not default and not (isinstance(value, int) and value == default):
            raise ValueError(f"{name} must be left out where X gives batches, got {value!r:.80}")


def dropout_rates(net, dropout):
    """A rate for each hidden layer, or None if none drops anything."""
    if isinstance(dropout, float) and dropout == 0.0:
        return None         # the default, of every short training too
    n_hidden = len(net.layer_sizes) - 2
    try:
        rates = tuple(dropout)
    except TypeError:
        rates = (dropout,) * n_hidden
        number("dropout", dropout, 0, 1, low_allowed=True)
        if dropout and not n_hidden:
            raise ValueError(f"dropout needs a hidden layer, got {dropout!r} for layer_sizes "
                             f"{net.layer_sizes}") from None
    if isinstance(dropout, str) or len(rates) != n_hidden:
        raise ValueError(f"dropout must be a number or one for each of the {n_hidden} hidden layers, got {dropout!r}")
    rates = tuple(number(f"dropout[{l}]", rate, 0, 1, low_allowed=True) for l, rate in enumerate(rates))
    return rates if any(rates) else None


def checked_validation(net, data):
    """(X, T) in the form that costs nothing to look at again after every epoch."""
    try:
        X, T = data
    except (TypeError, ValueError):
        raise ValueError(f"validation_data must be a pair (X, T), got {type(data).__name__}") from None
    try:
        if net._samples(X, T).single:
            raise ValueError(f"X must have the shape (M, {net.n_inputs}), got one sample")
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None
    X, T = np.asarray(X), np.asarray(T)
    labels = net.loss == "cross_entropy" and T.ndim == 1
    return np.ascontiguousarray(X, net.dtype), np.ascontiguousarray(T, None if labels else net.dtype)
