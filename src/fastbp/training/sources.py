"""Where the samples of a training come from: arrays, or batches that are read anew in each epoch."""

import types

import numpy as np

from fastbp._checks import kind, warn
from fastbp._core import NormalEquations
from fastbp.divergence import DivergenceError
from fastbp.optimizers import Rprop

NO_DROPOUT = None, 0
NOISY_SIGNS = "Rprop compares the signs of gradients of the same samples; those of small batches are too noisy. "


def warn_of_noisy_signs(optimizer, batch, size):
    """Warn where Rprop is to learn from batches of so many of the samples."""
    if batch < size and isinstance(optimizer, Rprop):
        warn(f'{NOISY_SIGNS}Write batch_size="full", or leave batch_size out; got {batch} of {size} samples.')


class Arrays:
    """All samples at hand, in memory or in a memory map; the core takes them in an order of its own.

    `rows` holds the row of each sample in the user's X, if the two differ.
    """

    # Why the optimizer itself has ended training; a loop of its own that it has for all epochs.
    finished = loop = None

    def __init__(self, net, samples, batch_size, optimizer, rng, dropout, rows):
        self.net, self.samples, self.rows = net, samples, rows
        self.optimizer, self.rng, self.dropout = optimizer, rng, dropout
        self.size = samples.m
        self.terms = self.size * net.n_outputs  # squares that the RMS error is the mean of
        self.batch = self.size if batch_size == "full" else min(batch_size, self.size)
        self.order = None
        warn_of_noisy_signs(optimizer, self.batch, self.size)

    def watch_order(self):
        """Keep the order of the samples in `order`, to be read and written: each epoch shuffles that of the last."""
        self.order = self.samples.shuffle(np.random.default_rng(0))
        self.order[:] = np.arange(self.size)

    def train(self, epoch, threads):
        """One epoch, in a new order unless `rng` is None: (E, sum of squares)."""
        rates, seed = NO_DROPOUT if self.dropout is None else self.dropout.of_an_epoch()
        try:
            return self.net._train_epoch(self.samples, self.rng, self.batch, self.optimizer, epoch, rates, seed,
                                         threads)
        except DivergenceError as error:
            if self.rows is None:
                raise
            raise type(error)(epoch, int(self.rows[error.sample]), error.what) from None

    def of_an_update(self):
        """Inputs, targets, and how many samples an update has."""
        return self.samples.x, self.samples.t, self.batch

    def last_batch(self):
        """(X, T) of the last batch of the last epoch."""
        rows = np.arange(self.size) if self.order is None else self.order
        rows = rows[(self.size - 1) // self.batch * self.batch:]
        # Indexing by numbers copies: nobody may write into labels that the core takes as indices.
        return self.samples.x[rows], self.samples.t[rows]


class AllAtOnce(Arrays):
    """All samples for an optimizer that makes each step of all of them, in the order that they have.

    The steps are told here what sums over the samples are, and need not know where these are.
    """

    def __init__(self, net, samples, optimizer, rows, threads):
        self.counted = samples.m if samples.weights is None else int(np.count_nonzero(samples.weights))
        if self.counted < samples.m and net.reduction == "mean":
            # Samples of weight 0 are none, and the weights of the others must have a mean of 1.
            samples = net._samples(samples.x, samples.t, samples.weights * (self.counted / samples.m), False)
        super().__init__(net, samples, "full", optimizer, None, None, rows)
        self.threads = threads
        self.trial = net.copy()     # for what is only tried: other threads must not predict with it
        self.steps = optimizer._begin(self)
        self.loop = getattr(self.steps, "run", None)

    def loss(self, params, gradient=None):
        """E and the sum of squares for these parameters; dE/dparams into `gradient` if it is given."""
        self.trial.params = params
        return self.trial._loss_of(self.samples, gradient, self.threads)

    def squares_of_targets(self):
        """Their sum, weighted."""
        t, weights = self.samples.t, self.samples.weights
        weights = np.broadcast_to(t.dtype.type(1), len(t)) if weights is None else weights
        return float(np.einsum("i,ij,ij->", weights, t.reshape(len(t), -1), t.reshape(len(t), -1), dtype=np.float64))

    def equations(self):
        """A function that gives J^T J, its lower half, J^T e, and the weighted sum of squares."""
        equations = NormalEquations(self.net)

        def add_up():
            squares = equations.add_up(self.net, self.samples)
            return equations.matrix, equations.gradient, squares
        return add_up

    def train(self, epoch, threads):
        error, squares, self.finished = self.steps.step(epoch)
        return error, squares


class Batches:
    """Batches (X, T) from an iterable that begins anew in each epoch, or from a function that returns one."""

    # How many samples there are is not known, and their order and batches are not ours.
    size, samples, batch, order, rng, finished, loop = 0, None, None, None, None, None, None

    def __init__(self, net, batches, optimizer, dropout, epochs):
        self.net, self.batches, self.optimizer, self.dropout = net, batches, optimizer, dropout
        self.last = self.checked = None     # the last batch, as it came and as it was checked
        if not hasattr(batches, "__iter__") and not callable(batches):
            raise TypeError("X must be an array with its targets T or, without T, an iterable of batches (X, T); "
                            f"got {kind(batches)}")
        if isinstance(batches, types.GeneratorType) and epochs > 1:
            raise ValueError(f"X must give its batches anew in each of the {epochs} epochs, got a generator, which is "
                             "exhausted after the first; pass the function that makes it")

    def train(self, epoch, threads):
        """One epoch: (E, sum of squares). If it fails, the network gets back the parameters from before it."""
        params = self.net.params
        try:
            return self._train(epoch, threads)
        except Exception:
            self.net.params = params
            raise

    def _train(self, epoch, threads):
        error = squares = rows = 0
        for number_of_batch, batch in enumerate(self.batches() if callable(self.batches) else self.batches):
            if number_of_batch == 1 and epoch == 0 and isinstance(self.optimizer, Rprop):
                warn(f"{NOISY_SIGNS}Give all samples in one batch.")
            # Not train_step, which gives no sum of squares for the RMS error and takes no dropout.
            samples = self._check(batch, f"batch {number_of_batch} of epoch {epoch}")
            try:
                rates, seed = NO_DROPOUT if self.dropout is None else self.dropout.of_an_epoch()
                of_batch = self.net._train_epoch(samples, None, samples.m, self.optimizer, epoch, rates, seed,
                                                 threads)
            except DivergenceError as divergence:
                raise type(divergence)(epoch, rows, divergence.what) from None
            error += of_batch[0] * (samples.m if self.net.reduction == "mean" else 1)
            squares += of_batch[1]
            rows += samples.m
            self.last, self.checked = batch, samples
        if rows == 0:
            raise ValueError(f"X gave no batches in epoch {epoch}; an iterator is exhausted after one epoch, so pass "
                             "an iterable that begins anew, or the function that makes it")
        self.terms = rows * self.net.n_outputs
        return error / rows if self.net.reduction == "mean" else error, squares

    def _check(self, batch, name):
        try:
            x, t = batch
        except (TypeError, ValueError):
            raise ValueError(f"X must give batches of two arrays (X, T), but {name} is {kind(batch)}") from None
        try:
            samples = self.net._samples(x, t)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
        if samples.single:
            raise ValueError(f"{name}: X must have the shape (M, {self.net.n_inputs}), got one sample")
        return samples

    def of_an_update(self):
        return self.checked.x, self.checked.t, self.checked.m

    def last_batch(self):
        return self.last
