"""Training over epochs, from the arguments of `Network.fit` to its History."""

import os
from itertools import count

import numpy as np

from fastbp import io
from fastbp._checks import check_flag, one_of, positive_integer
from fastbp.divergence import DivergenceError
from fastbp.optimizers import Rprop
from fastbp.training import checkpoint as checkpoints
from fastbp.training import dropout, progress, random_states, sources, validation
from fastbp.training.class_weight import class_weights
from fastbp.training.run import Run
from fastbp.whole_batch import WholeBatch


def fit(net, X, T, options, rng):
    """Train `net`; `rng` is the generator that `seed` stands for."""
    run = Run(net, options, rng)
    if options.shuffle is not True and options.shuffle is not False:
        check_flag("shuffle", options.shuffle)
    check_validation(options)
    check_checkpoint(options.checkpoint, options.checkpoint_every)
    callbacks = checked_callbacks(options.callbacks)
    shown = progress.make(options.verbose, run.stopping.epochs)
    callbacks += (shown,) if shown else ()
    masks = dropout.make(net, options.dropout, rng)
    saved = None if options.resume is None else checkpoints.read(options.resume)
    if T is None:
        refuse_samples(X)
        if isinstance(run.optimizer, WholeBatch):
            run.optimizer._refuse("batches", "whose every step takes all samples; give X and T")
        refuse_beside_batches(options)
        run.source = sources.Batches(net, X, run.optimizer, masks, run.stopping.epochs)
    else:
        run.source = from_arrays(run, X, T, masks, saved)
        if run.source.rng is not None and (callbacks or options.checkpoint is not None or saved is not None):
            run.source.watch_order()
    if options.validation_data is not None:
        run.validate_with(validation.given(net, options.validation_data))
    if options.checkpoint is not None or saved is not None:
        run.identity = checkpoints.identity(run)
    if saved is not None:
        checkpoints.apply(saved, run)
    return train(run, callbacks, shown)


def from_arrays(run, X, T, masks, saved):
    """The source for X and T, without the samples that are held out for validation.

    X and T are checked as they came, so that an error names the user's own rows. The check converts them to arrays of
    the network's dtype, from which all else, class weights too, is made: nothing is converted twice.
    """
    net, options, rng = run.net, run.options, run.rng
    batch_size = checked_batch_size(options.batch_size, run.optimizer)
    as_they_are = options.class_weight is None and options.validation_fraction is None
    samples = net._samples(X, T, options.sample_weight, normalise=as_they_are)
    if samples.single:
        raise ValueError(f"X must be a set of samples of shape (M, {net.n_inputs}), got one sample; "
                         "train_step takes single samples")
    rows = None
    if not as_they_are:
        x, t, weights = samples.x, samples.t, samples.weights
        if options.class_weight is not None:
            of_classes = class_weights(net, t, options.class_weight)
            weights = of_classes if weights is None else of_classes * weights
        if options.validation_fraction is not None:
            kept, held = validation.hold_out(X, samples.m, options.validation_fraction,
                                             chooser(rng, saved) if options.shuffle else None)
            run.validate_with((x[held], t[held]))
            x, t, weights = x[kept], t[kept], None if weights is None else weights[kept]
            rows = kept if options.shuffle else None
        try:
            samples = net._samples(x, t, weights)
        except ValueError as error:     # about the weights: all else has been checked before
            raise ValueError(f"{error} after class_weight and validation_fraction") from None
    if isinstance(run.optimizer, WholeBatch):
        if masks is not None:
            run.optimizer._refuse("dropout", "because it draws other outputs to leave out for every step")
        return sources.AllAtOnce(net, samples, run.optimizer, rows, run.threads)
    return sources.Arrays(net, samples, batch_size, run.optimizer, rng if options.shuffle else None, masks, rows)


def chooser(rng, saved):
    """The generator that draws the rows to hold out: a resumed training holds out the same rows as the first."""
    return rng if saved is None else random_states.generator_at(rng, saved[0]["random_start"])


def train(run, callbacks, shown):
    """Run epochs until there is a reason to stop."""
    options = run.options

    def follow(epoch, stop_reason):
        if callbacks and tell(callbacks, run.state()):
            stop_reason = stop_reason or "callback"
        # After the callbacks, which may have changed the network.
        if options.checkpoint is not None and (stop_reason or (epoch + 1) % options.checkpoint_every == 0):
            checkpoints.write(options.checkpoint, run)
        return stop_reason

    try:
        if shown:
            shown.start(run)
        stop_reason = run.reason_to_begin_none()
        if run.source.loop is not None:
            stop_reason = run.source.loop(lambda *errors: follow(run.done, run.record(run.done, *errors)))
        for epoch in count(run.done):
            if stop_reason:
                break
            stop_reason = follow(epoch, run.epoch(epoch))
    except KeyboardInterrupt:
        stop_reason = "interrupted"
    except DivergenceError as error:
        if run.best_params is not None:
            error.add_note("The network has the parameters of the epoch with the lowest validation error.")
        raise
    finally:
        run.end()
        if shown:
            shown.end()
    return run.history(stop_reason)


def tell(callbacks, state):
    """Call them all; returns whether one wants to stop.

    Only True counts, because a lambda may return anything: an axis of a plot, for instance.
    """
    answers = [getattr(callback, "on_epoch", callback)(state) for callback in callbacks]
    return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)


def check_validation(options):
    fraction, patience = options.validation_fraction, options.patience
    if options.validation_data is not None and fraction is not None:
        raise ValueError(f"validation_fraction cannot be given together with validation_data, got {fraction!r}")
    if patience is not None and options.validation_data is None and fraction is None:
        raise ValueError(f"patience needs validation_data or validation_fraction, got patience={patience!r} alone")


def check_checkpoint(checkpoint, checkpoint_every):
    if positive_integer("checkpoint_every", checkpoint_every) > 1 and checkpoint is None:
        raise ValueError(f"checkpoint_every needs a checkpoint to write, got checkpoint_every={checkpoint_every!r}")
    if checkpoint is not None:
        path = os.fsdecode(checkpoint)
        directory = os.path.dirname(io.replaceable(path, "checkpoint"))
        if not os.path.isdir(directory):
            raise FileNotFoundError(f"checkpoint: there is no directory {directory!r} to write {path!r} in")


def checked_callbacks(callbacks):
    """The callbacks as a tuple; a single one need not be in a list."""
    if is_callback(callbacks):
        return (callbacks,)
    try:
        callbacks = tuple(callbacks)
    except TypeError:
        raise TypeError("callbacks must be a function of the state, an object with a method on_epoch(state), or a "
                        f"sequence of these, got {callbacks!r}") from None
    for i, callback in enumerate(callbacks):
        if not is_callback(callback):
            raise TypeError(f"callbacks[{i}] must be a function of the state or an object with a method "
                            f"on_epoch(state), got {callback!r}")
    return callbacks


def is_callback(thing):
    """Whether it is a function or has `on_epoch`; a class is none, since most likely an object of it was meant."""
    return not isinstance(thing, type) and callable(getattr(thing, "on_epoch", thing))


def checked_batch_size(batch_size, optimizer):
    """Samples for each update: a number or "full"."""
    if batch_size is None:
        return "full" if isinstance(optimizer, Rprop) else 1
    if isinstance(batch_size, str):
        return one_of("batch_size", batch_size, ("full",), "a number of samples")
    return positive_integer("batch_size", batch_size)


def refuse_samples(X):
    """Without T, X must give batches: refuse samples whose targets were forgotten."""
    if isinstance(X, tuple) and len(X) == 2 and all(hasattr(array, "__array__") for array in X):
        raise TypeError("X and T must be two arguments, got a tuple of two arrays; write fit(X, T), or fit([(X, T)]) "
                        "for a single batch")
    first = X[0] if isinstance(X, (list, tuple)) and X else None
    is_row = isinstance(first, (list, tuple)) and all(isinstance(value, (int, float)) for value in first)
    if any(hasattr(thing, attribute) for thing in (X, first) for attribute in ("__array__", "toarray")) or is_row:
        raise TypeError("T must hold the targets of the samples X, got None; only batches (X, T) need no T")


def refuse_beside_batches(options):
    for name in ("batch_size", "sample_weight", "class_weight", "validation_fraction"):
        value = getattr(options, name)
        if value is not None:
            raise ValueError(f"{name} must be left out where X gives batches, got {value!r:.80}")
