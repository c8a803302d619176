"""Batch learning: an epoch is an update by sums over all blocks, for which these are read once or a few times."""

import contextlib
from math import inf

import numpy as np

from fastbp import activations, divergence
from fastbp._checks import came
from fastbp.interop.dask import cluster
from fastbp.interop.dask.rows import Blocks, optimize
from fastbp.interop.dask.sums import Summing
from fastbp.network import Network
from fastbp.training import checkpoint as checkpoints
from fastbp.training import progress
from fastbp.training.fit import check_checkpoint, checked_callbacks, train
from fastbp.training.options import Options
from fastbp.training.run import Run
from fastbp.training.validation import pair
from fastbp.whole_batch import WholeBatch


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
        Targets, finite; with one output also (M,). For cross-entropy also an integer label for each sample. Of those
        that the outputs cannot reach there is an `UnreachableTargetsWarning` if the first block has some.
    epochs, learning_rate, desired_error, patience, min_delta, time_limit, schedule, checkpoint_every
        As in `Network.fit`; an epoch is one update.
    optimizer : str or optimizer, default "sgd"
        As in `Network.fit`. With "lm" a block's sum is half a matrix of n_params**2 numbers, of which each thread of a
        worker needs a few; each step that is tried is another pass over the blocks, and so is J^T J.
    verbose, callbacks, checkpoint, resume
        As in `Network.fit`. For a callback, `EpochState.last_batch` is the last block. Checkpoints of the two cannot be
        continued by each other. Where there is one to write or to read, the data are read once more, for their
        checksums, before training begins.
    sample_weight : dask array or Series, shape (M,), optional
        A factor for each sample's error, not negative. Validation errors are not weighted.
    validation_data : tuple (X, T), optional
        Of whatever X and T may be. They are read once before training begins, to see that they are finite.
    block_rows : int, optional
        Rows in a block. By default as many as take 32 MiB in the network's dtype. A task costs Dask some milliseconds,
        so a block should take a second; each thread of a worker needs memory for two blocks.

    Returns
    -------
    History
        As from `Network.fit`. Ctrl-C stops training there, too; the network then has the parameters of the last update,
        or with `patience` its best ones. The History does not have an update whose validation was interrupted.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or a sample is not finite or out of the range of the loss; the error names its row.
    DivergenceError
        As in `Network.fit`.
    RuntimeError
        If a worker has no fastbp or another version of it, or processors are of different kinds, or workers died of a
        block, or the client was closed. Where workers only have different instruction sets, there is a warning, and all
        use the best that all have, from then on.
    MemoryError
        If no worker may use as much memory as a block takes.
    ConnectionError
        If the scheduler is lost.
        However training ends, the network has the parameters of a whole update.

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
    if not isinstance(net, Network):
        raise TypeError(f"net must be a fastbp.Network, got {came(net)}")
    options = Options(
        epochs=epochs, batch_size="full", learning_rate=learning_rate, optimizer=optimizer, shuffle=False,
        desired_error=desired_error, verbose=verbose, sample_weight=sample_weight, class_weight=None,
        validation_data=validation_data, validation_fraction=None, patience=patience, min_delta=min_delta,
        time_limit=time_limit, callbacks=callbacks, schedule=schedule, checkpoint=checkpoint,
        checkpoint_every=checkpoint_every, resume=resume, dropout=0.0, threads=None)
    run = BlockRun(net, options, net._rng)
    if patience is not None and validation_data is None:
        raise ValueError(f"patience needs validation_data, got patience={patience!r} alone")
    check_checkpoint(checkpoint, checkpoint_every)
    callbacks = checked_callbacks(callbacks)
    shown = progress.make(verbose, run.stopping.epochs)
    callbacks += (shown,) if shown else ()
    saved = None if resume is None else checkpoints.read(resume)
    levels = cluster.common_levels()
    blocks = Blocks(net, X, T, sample_weight, block_rows)       # sends what is in memory
    held = None if validation_data is None else validation_blocks(net, validation_data, block_rows)
    optimize(*(part for part in (blocks, held) if part is not None))
    cluster.demand_memory(blocks)
    look_at_targets(net, blocks)
    run.source = (AllAtOnce if isinstance(run.optimizer, WholeBatch) else Source)(run, blocks, levels)
    if held is not None:
        run.validate_with(checked_sums(net, held, levels))
    if checkpoint is not None or saved is not None:
        run.identify()
    if saved is not None:
        checkpoints.apply(saved, run)
    return train(run, callbacks, shown)


def look_at_targets(net, blocks):
    """Warn, as `Network.fit` does, of targets that the outputs cannot reach. The workers' warnings nobody would see."""
    outputs = activations.TABLE[net.activations[-1]]
    if blocks.labels or (outputs.low, outputs.high) == (-inf, inf):
        return
    t, = blocks.compute(blocks.t.blocks[0])
    # An error is left to the pass over the samples, which names the row.
    with contextlib.suppress(TypeError, ValueError):
        net._samples(np.zeros((len(t), net.n_inputs)), t)


def validation_blocks(net, data, block_rows):
    X, T = pair(data)
    try:
        return Blocks(net, X, T, None, block_rows)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None


def checked_sums(net, blocks, levels):
    """The sums over the validation data, which are read for it once, because an error must come before training."""
    sums = Summing(net, blocks, levels)
    try:
        sums(net.params, "finite")
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None
    return sums


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
        gradient = np.empty(self.net.n_params, self.net.dtype)
        error, squares = self.loss(self.net.params, gradient)
        if not (np.isfinite(error) and self.optimizer._step(self.net, gradient, self.size)):
            x, t, size = self.of_an_update()
            rate = self.optimizer.learning_rate
            if self.optimizer.divided and self.net.reduction == "sum":
                rate /= size
            raise divergence.of_an_update(self.net, epoch, 0, {"X": x, "T": t}, rate, size, self.optimizer.descends)
        return error, squares

    def loss(self, params, gradient=None):
        """E and the sum of squares for these parameters; dE/dparams into `gradient` if it is given."""
        sums = self.total(params, None if gradient is None else "gradient")
        divisor = sums.weight if self.net.reduction == "mean" else 1
        if gradient is not None:
            np.divide(sums.array, self.net.dtype.type(divisor), out=gradient)
        return sums.error / divisor, sums.squares

    def total(self, params, array):
        """The sums over all blocks."""
        sums = self.sums(params, array)
        if sums.weight == 0:
            raise ValueError("sample_weight must hold at least one positive number")
        return sums

    def of_an_update(self):
        """Inputs and targets, or what is as large as the largest of them, and how many samples an update has."""
        return *(np.array([largest], self.net.dtype) for largest in self.blocks.largest()), self.size

    def last_batch(self):
        return self.blocks.last()


class AllAtOnce(Source):
    """What training/sources.py has of this name, for blocks."""

    def __init__(self, run, blocks, levels):
        super().__init__(run, blocks, levels)
        # Samples of weight 0 are none.
        self.counted = blocks.m if blocks.weights is None else int(blocks.compute((blocks.weights != 0).sum())[0])
        self.steps = run.optimizer._begin(self)
        self.loop = getattr(self.steps, "run", None)

    def train(self, epoch, threads):
        """One step: (E, sum of squares)."""
        error, squares, self.finished = self.steps.step(epoch)
        return error, squares

    def squares_of_targets(self):
        """Their sum, weighted."""
        t, weights = self.blocks.t.astype(np.float64), self.blocks.weights
        if weights is None:
            return float(self.blocks.compute((t * t).sum())[0])
        squares, weight = self.blocks.compute((weights * t * t).sum(), weights.sum(dtype=np.float64))
        return float(squares) * (self.counted / float(weight) if self.net.reduction == "mean" else 1)

    def equations(self):
        """A function that gives J^T J, its lower half, J^T e, and the weighted sum of squares."""
        n = self.net.n_params
        matrix, lower = np.zeros((n, n)), np.tri(n, dtype=bool)

        def add_up():
            sums = self.total(self.net.params, "equations")
            # For a mean, weights count as if their own mean were 1.
            values = sums.array * (self.counted / sums.weight if self.net.reduction == "mean" else 1)
            matrix[lower] = values[:-n - 1]
            return matrix, values[-n - 1:-1], float(values[-1])
        return add_up
