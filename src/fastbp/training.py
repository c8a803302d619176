"""fit: epochs, their order, when to stop, and the History of it all."""

import sys
import time
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from fastbp import optimizers
from fastbp._checks import number, one_of, positive_integer


@dataclass(frozen=True)
class History:
    """What a `Network.fit` did.

    Attributes
    ----------
    error, rms : ndarray of float64, shape (epochs,)
        E and the RMS error of each epoch, taken from each sample before the update that it took part in.
    stop_reason : str
        "epochs" (all done), "desired_error" (reached) or "interrupted" (Ctrl-C).
    """

    error: np.ndarray
    rms: np.ndarray
    stop_reason: str

    def __len__(self):
        return len(self.rms)

    def __repr__(self):
        last = f", RMS {self.rms[-1]:.6g}" if len(self) else ""
        return f"History({len(self)} epochs{last}, stopped by {self.stop_reason})"


def fit(net, X, T, epochs, batch_size, learning_rate, optimizer, shuffle, rng, desired_error, verbose):
    """Train `net`; the arguments are those of `Network.fit`, with the generator in place of the seed."""
    samples = net._samples(X, T)
    if samples.single:
        raise ValueError(f"X must be a set of samples of shape (M, {net.n_inputs}), got one sample; "
                         "train_step takes single samples")
    epochs = positive_integer("epochs", epochs)
    if isinstance(batch_size, str):
        one_of("batch_size", batch_size, ("full",))
        batch = samples.m
    else:
        batch = min(positive_integer("batch_size", batch_size), samples.m)
    optimizer = optimizers.make(optimizer, learning_rate)
    if desired_error is not None:
        number("desired_error", desired_error, 0, inf, low_allowed=True)
    progress = Progress(epochs, samples.m) if verbose else None
    errors, rms, stop_reason = [], [], "epochs"
    try:
        for epoch in range(epochs):
            error, squares = net._train_epoch(samples, rng if shuffle else None, batch, optimizer, epoch)
            errors.append(error)
            rms.append(sqrt(squares / (samples.m * net.n_outputs)))
            if progress:
                progress.show(epoch + 1, rms[-1])
            if desired_error is not None and rms[-1] <= desired_error:
                stop_reason = "desired_error"
                break
    except KeyboardInterrupt:
        stop_reason = "interrupted"
    if progress:
        progress.end()
    return History(np.array(errors), np.array(rms), stop_reason)


class Progress:
    """A line that is rewritten on a terminal, else ten lines in all."""

    def __init__(self, epochs, samples):
        self.epochs, self.samples = epochs, samples
        self.terminal = sys.stdout.isatty()
        self.started = time.perf_counter()
        self.next = 0.0 if self.terminal else epochs / 10

    def show(self, epoch, rms):
        now = time.perf_counter()
        if epoch < self.epochs and (now if self.terminal else epoch) < self.next:
            return
        self.next = now + 0.1 if self.terminal else epoch + self.epochs / 10
        rate = epoch * self.samples / (now - self.started)
        line = f"epoch {epoch}/{self.epochs}  RMS {rms:.6f}  {rate:,.0f} samples/s"
        print(f"\r{line:<70}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def end(self):
        if self.terminal:
            print()

