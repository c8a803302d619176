"""Batch learning: an epoch is one pass over the blocks, and one update by the sum of their gradients."""

import numpy as np

from fastbp import divergence
from fastbp._checks import simplified
from fastbp.interop.dask import cluster, lbfgs
from fastbp.interop.dask.rows import Blocks, optimize
from fastbp.interop.dask.sums import Summing
from fastbp.training import checkpoint as checkpoints
from fastbp.training import progress
from fastbp.training.fit import check_checkpoint, checked_callbacks, train
from fastbp.training.options import Options
from fastbp.training.run import Run


def fit(net, X, T, *, epochs=100, learning_rate=None, optimizer="sgd", desired_error=None, verbose=False,
        sample_weight=None, validation_data=None, patience=None, min_delta=0.0, time_limit=None, callbacks=(),
        schedule=None, checkpoint=None, checkpoint_every=1, resume=None, block_rows=None):
    """Train a network by batch learning on data that may be larger than a machine's memory.

    It is ``Network.fit(batch_size="full")`` with the sums over the samples made by Dask: rows are cut into blocks of
    `block_rows`, each block's error and gradient are computed by one task, and they are added in a fixed tree. So the
    bits depend neither on the chunks of X nor on how many workers there are, nor on whether some of them die. They do
    depend on `block_rows`, and differ from those of `Network.fit` by rounding.

    Dask computes with the scheduler that is in force: the newest ``distributed.Client``, or else the threads of this
    process, which is how to train on files that do not fit into memory.

    Parameters
    ----------
    net : fastbp.Network
        The update itself is made here, in the caller's process.
    X : dask array or DataFrame, shape (M, n_inputs)
        Inputs, finite; at least one sample. Also an array, which is sent to the workers once; a ``numpy.memmap``, whose
        file the workers read themselves; a Zarr array or what else NumPy can slice. It is read anew in each epoch
        unless you call its ``persist()`` first, and a DataFrame once before the first, to learn how many rows its
        partitions have. A block is converted to the network's dtype when it is read.
    T : dask array, DataFrame or Series, shape (M, n_outputs)
        Targets, finite; with one output also (M,). For cross-entropy also an integer label for each sample.
    epochs, learning_rate, desired_error, patience, min_delta, time_limit, schedule, checkpoint_every
        As in `Network.fit`; an epoch is one update.
    optimizer : str or optimizer, default "sgd"
        As in `Network.fit`, or "lbfgs", which is SciPy's: an epoch is one of its iterations, whose error is that after
        it, and training may stop because it has "converged". It has no learning rate, schedule or checkpoint.
    verbose, callbacks, checkpoint, resume
        As in `Network.fit`. For a callback, `EpochState.last_batch` is the last block. Checkpoints of the two cannot be
        continued by each other. Where there is one to write or to read, the data are read once more, for their
        checksums, before training begins.
    sample_weight : dask array or Series, shape (M,), optional
        A factor for each sample's error, not negative. Validation errors are not weighted.
    validation_data : tuple (X, T), optional
        Of whatever X and T may be.
    block_rows : int, optional
        Rows in a block. By default as many as take 32 MiB in the network's dtype. A task costs Dask some milliseconds,
        so a block should take a second; each thread of a worker needs memory for two blocks.

    Returns
    -------
    History
        As from `Network.fit`. Ctrl-C stops training there, too; the network then has the parameters of the last epoch
        that was finished, or with `patience` its best ones.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or a sample is not finite or out of the range of the loss; the error names its row.
    DivergenceError
        As in `Network.fit`.
    RuntimeError
        If a worker has no fastbp or another version of it, or processors are of different kinds, or workers died of a
        block. Where workers only have different instruction sets, there is a warning, and all use the best that all
        have, from then on.
    MemoryError
        If no worker may use as much memory as a block takes.
    ConnectionError
        If the scheduler is lost.
        However training ends, the network has the parameters of a finished epoch.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastbp
    >>> from fastbp.interop.dask import fit
    >>> X = da.linspace(0, 1, 10_000, chunks=1_000)[:, None]
    >>> net = fastbp.Network([1, 1], "identity", init=[([[0.0]], [0.0])])
    >>> history = fit(net, X, 2 * X + 1, optimizer="rprop", epochs=200, block_rows=2_000, desired_error=1e-3)
    >>> history.stop_reason
    'desired_error'
    """
    options = Options(
        epochs=epochs, batch_size="full", learning_rate=learning_rate, optimizer=optimizer, shuffle=False,
        desired_error=desired_error, verbose=verbose, sample_weight=sample_weight, class_weight=None,
        validation_data=validation_data, validation_fraction=None, patience=patience, min_delta=min_delta,
        time_limit=time_limit, callbacks=callbacks, schedule=schedule, checkpoint=checkpoint,
        checkpoint_every=checkpoint_every, resume=resume, dropout=0.0, threads=None)
    by_lbfgs = isinstance(optimizer, str) and simplified(optimizer) == "lbfgs"
    if by_lbfgs:
        lbfgs.refuse_beside(options)
        options = options._replace(optimizer="sgd")     # which the search takes the place of
    run = BlockRun(net, options, net._rng)
    if by_lbfgs:
        run.optimizer = lbfgs.LBFGS()
    if patience is not None and validation_data is None:
        raise ValueError(f"patience needs validation_data, got patience={patience!r} alone")
    check_checkpoint(checkpoint, checkpoint_every)
    callbacks = checked_callbacks(callbacks)
    shown = progress.make(verbose, run.stopping.epochs)
    callbacks += (shown,) if shown else ()
    saved = None if resume is None else checkpoints.read(resume)
    blocks = Blocks(net, X, T, sample_weight, block_rows)
    held = None if validation_data is None else validation_blocks(net, validation_data, block_rows)
    optimize(*(part for part in (blocks, held) if part is not None))
    cluster.demand_memory(blocks)
    levels = cluster.common_levels()
    run.source = Source(run, blocks, levels)
    if held is not None:
        run.validate_with(Summing(net, held, levels, gradient=False))
    if checkpoint is not None or saved is not None:
        run.identify()
    if saved is not None:
        checkpoints.apply(saved, run)
    return (lbfgs.train if by_lbfgs else train)(run, callbacks, shown)


def validation_blocks(net, data, block_rows):
    try:
        X, T = data
    except (TypeError, ValueError):
        raise ValueError(f"validation_data must be a pair (X, T), got {type(data).__name__}") from None
    try:
        return Blocks(net, X, T, None, block_rows)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None


class BlockRun(Run):
    """A run of training whose samples, and those it is validated with, are blocks."""

    def validation_errors(self):
        sums = self.validation(self.net.params)
        m = self.validation.blocks.m
        error = sums.error / m if self.net.reduction == "mean" else sums.error
        return error, (sums.squares / (m * self.net.n_outputs))**0.5

    def identify(self):
        """What a checkpoint recognises the run by; the data are read for it."""
        validation, self.validation = self.validation, None
        self.identity = checkpoints.identity(self)
        self.validation = validation
        blocks = self.source.blocks
        self.identity["training"] |= {"block_rows": blocks.rows, "levels": list(self.source.sums.levels)}
        names = "X", "T", "weights"
        self.identity["data"] |= dict(zip(names, blocks.checksums(), strict=False))
        if validation is not None:
            self.identity["data"]["validation X and T"] = validation.blocks.checksums()


class Source:
    """The samples of a run, as training/sources.py has them: an epoch is one update."""

    samples = order = rng = dropout = finished = loop = None

    def __init__(self, run, blocks, levels):
        self.net, self.optimizer, self.blocks = run.net, run.optimizer, blocks
        self.sums = Summing(run.net, blocks, levels)
        self.size = self.batch = blocks.m
        self.terms = blocks.m * run.net.n_outputs

    def train(self, epoch, threads):
        """One update: (E, sum of squares)."""
        error, squares, gradient = self.error_and_gradient()
        if not (np.isfinite(error) and self.optimizer._step(self.net, gradient, self.size)):
            x, t, size = self.of_an_update()
            rate = self.optimizer.learning_rate
            if self.optimizer.divided and self.net.reduction == "sum":
                rate /= size
            raise divergence.of_an_update(self.net, epoch, 0, {"X": x, "T": t}, rate, size, self.optimizer.descends)
        return error, squares

    def error_and_gradient(self):
        """E, the sum of squares and the gradient of E, with the parameters that the network has."""
        error, squares, weight, gradient = self.sums(self.net.params)
        if weight == 0:
            raise ValueError("sample_weight must hold at least one positive number")
        if self.net.reduction == "mean":
            return error / weight, squares, gradient / self.net.dtype.type(weight)
        return error, squares, gradient

    def of_an_update(self):
        """Inputs and targets, or what is as large as the largest of them, and how many samples an update has."""
        return *(np.array([largest], self.net.dtype) for largest in self.blocks.largest()), self.size

    def last_batch(self):
        return self.blocks.last()
