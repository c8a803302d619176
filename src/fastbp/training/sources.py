"""Where the samples of a training come from: arrays, or batches that are read anew in each epoch; and their weights."""

import types
from math import inf

import numpy as np

from fastbp._checks import number, one_of, positive_integer
from fastbp._core import DivergenceError


class Arrays:
    """All samples at hand, in memory or in a memory map; the core takes them in an order of its own."""

    def __init__(self, net, X, T, sample_weight, batch_size, optimizer, rng, dropout):
        self.net, self.X, self.T = net, X, T
        self.optimizer, self.rng, self.dropout = optimizer, rng, dropout
        self.samples = net._samples(X, T) if sample_weight is None else net._samples(X, T, sample_weight)
        if self.samples.single:
            raise ValueError(f"X must be a set of samples of shape (M, {net.n_inputs}), got one sample; "
                             "train_step takes single samples")
        self.size = self.samples.m
        self.terms = self.size * net.n_outputs  # squares that the RMS error is the mean of
        if isinstance(batch_size, str):
            one_of("batch_size", batch_size, ("full",))
            self.batch = self.size
        else:
            self.batch = min(positive_integer("batch_size", batch_size), self.size)
        self.order = None

    def watch_order(self):
        """Have the order of the samples in `order`, to be read and written: each epoch shuffles that of the last."""
        self.order = self.samples.shuffle(np.random.default_rng(0))
        self.order[:] = np.arange(self.size)

    def train(self, epoch):
        """One epoch, in a new order unless `rng` is None: (E, sum of squares)."""
        if self.dropout is None:
            return self.net._train_epoch(self.samples, self.rng, self.batch, self.optimizer, epoch)
        return self.net._train_epoch(self.samples, self.rng, self.batch, self.optimizer, epoch,
                                     *self.dropout.of_an_epoch())

    def last_batch(self):
        """(X, T) of the last batch of the last epoch."""
        start = (self.size - 1) // self.batch * self.batch
        rows = slice(start, None) if self.order is None else self.order[start:]
        return np.asarray(self.X)[rows], np.asarray(self.T)[rows]


class Batches:
    """Batches (X, T) from an iterable that begins anew in each epoch, or from a function that returns one."""

    size, order, rng = 0, None, None  # how many samples there are is not known, and their order is not ours

    def __init__(self, net, batches, optimizer, dropout, epochs):
        self.net, self.batches, self.optimizer, self.dropout = net, batches, optimizer, dropout
        self.last = None
        if not hasattr(batches, "__iter__") and not callable(batches):
            raise TypeError("X must be an array with its targets T, or an iterable of batches (X, T) where T is None; "
                            f"got {type(batches).__name__}")
        if isinstance(batches, types.GeneratorType) and epochs > 1:
            raise ValueError(f"X must give its batches anew in each of the {epochs} epochs, got a generator, which is "
                             "exhausted after the first; pass the function that makes it")

    def train(self, epoch):
        """One epoch: (E, sum of squares). If it fails, the network is what it was before it."""
        params = self.net.params
        try:
            return self._train(epoch)
        except Exception:
            self.net.params = params
            raise

    def _train(self, epoch):
        error = squares = rows = 0
        for number_of_batch, batch in enumerate(self.batches() if callable(self.batches) else self.batches):
            # Not train_step, which knows neither the squares that the RMS error is made of nor dropout.
            samples = self._check(batch, f"batch {number_of_batch} of epoch {epoch}")
            try:
                masks = () if self.dropout is None else self.dropout.of_an_epoch()
                of_batch = self.net._train_epoch(samples, None, samples.m, self.optimizer, epoch, *masks)
            except DivergenceError:
                raise DivergenceError(epoch, rows) from None
            error += of_batch[0] * (samples.m if self.net.reduction == "mean" else 1)
            squares += of_batch[1]
            rows += samples.m
            self.last = batch
        if rows == 0:
            raise ValueError(f"X gave no batches in epoch {epoch}; an iterator is exhausted after one epoch, so pass "
                             "an iterable that begins anew, or the function that makes it")
        self.terms = rows * self.net.n_outputs
        return error / rows if self.net.reduction == "mean" else error, squares

    def _check(self, batch, name):
        try:
            x, t = batch
        except (TypeError, ValueError):
            raise ValueError(f"X must give batches of two arrays (X, T), {name} is {type(batch).__name__}") from None
        try:
            samples = self.net._samples(x, t)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
        if samples.single:
            raise ValueError(f"{name}: X must have the shape (M, {self.net.n_inputs}), got one sample")
        return samples

    def last_batch(self):
        return self.last


class Dropout:
    """A rate for each hidden layer."""

    def __init__(self, rates, rng):
        self.rates, self.rng = rates, rng

    def of_an_epoch(self):
        """What the core wants to know of it: the rates, and the seed of the masks."""
        return self.rates, int(self.rng.integers(2**63))


def hold_out(X, T, weights, fraction, rng):
    """The samples cut in two: (X, T, weights) to train on and (X, T) to validate on, random rows or the last ones."""
    number("validation_fraction", fraction, 0, 1)
    if rng is not None and isinstance(X, np.memmap):
        raise ValueError("validation_fraction would copy the memory map X; pass validation_data, or shuffle=False to "
                         "hold out the last samples")
    X, T = np.asarray(X), np.asarray(T)
    weights = None if weights is None else np.asarray(weights)
    m = len(X)
    held = round(fraction * m)
    if not 0 < held < m:
        raise ValueError(f"validation_fraction must leave samples on both sides, got {fraction!r} of {m} samples")
    if rng is None:
        kept, held = slice(m - held), slice(m - held, m)
    else:
        # Sorted, so that with a generator's order or without one the rows are read from front to back.
        rows = rng.permutation(m)
        kept, held = np.sort(rows[held:]), np.sort(rows[:held])
    return X[kept], T[kept], None if weights is None else weights[kept], (X[held], T[held])


def class_weights(net, T, class_weight, sample_weight):
    """`class_weight` as weights of the samples, times `sample_weight`."""
    labels = class_labels(net, np.asarray(T))
    n_classes = max(net.n_outputs, 2)
    if isinstance(class_weight, str):
        one_of("class_weight", class_weight, ("balanced",))
        counts = np.bincount(labels, minlength=n_classes)
        of_class = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(class_weight, dict):
        of_class = np.full(n_classes, np.nan)
        for label, weight in class_weight.items():
            if label not in range(n_classes):
                raise ValueError(f"class_weight must have labels from 0 to {n_classes - 1}, got {label!r}")
            of_class[int(label)] = number(f"class_weight[{label!r}]", weight, 0, inf, low_allowed=True)
        missing = np.isnan(of_class[labels])
        if missing.any():
            raise ValueError(f"class_weight must name every label in T, got none for {labels[missing][0]}")
    else:
        raise TypeError(f'class_weight must be a dict from label to weight or "balanced", got {class_weight!r}')
    weights = of_class[labels]
    if sample_weight is None:
        return weights
    sample_weight = np.asarray(sample_weight)
    if sample_weight.shape != weights.shape or sample_weight.dtype.kind not in "biuf":
        raise ValueError(f"sample_weight must hold a number for each of the {len(weights)} samples, got an array of "
                         f"shape {sample_weight.shape} and dtype {sample_weight.dtype}")
    return weights * sample_weight


def class_labels(net, T):
    """The class of each sample: T itself, the position of the 1, or the single output's 0 or 1."""
    if net.loss == "cross_entropy" and T.ndim == 1:
        return T.astype(np.intp)
    if net.n_outputs == 1:
        labels, one_of_them = T.reshape(len(T)), np.isin(T, (0, 1)).all()
    else:
        labels, one_of_them = T.argmax(axis=1), np.isin(T, (0, 1)).all() and (T.sum(axis=1) == 1).all()
    if not one_of_them:
        raise ValueError("class_weight needs targets that are classes: integer labels, rows with a single 1 among "
                         "zeros, or 0 and 1 of one output")
    return labels.astype(np.intp)
