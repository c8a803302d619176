"""Training the networks of a population, from the arguments of `Population.fit` to its history."""

from math import inf
from time import perf_counter
from types import SimpleNamespace

import numpy as np

from fastbp import optimizers
from fastbp._arrays import as_reals
from fastbp._checks import check_flag, number, one_of
from fastbp._core import PopulationJob, get_num_threads, thread_count
from fastbp.divergence import RUNAWAY, DivergenceError
from fastbp.training import population_history as stopped
from fastbp.training import progress, streams
from fastbp.training.fit import checked_batch_size
from fastbp.training.population_history import PopulationHistory
from fastbp.training.sources import warn_of_noisy_signs
from fastbp.training.stopping import Stopping
from fastbp.whole_batch import WholeBatch

# Multiplications of a call of the kernels, after which the progress has its turn: some tens of milliseconds.
AT_ONCE = 3e8
# Numbers in an array of errors, and epochs, for which room is made before it is known whether a network gets so far.
LITTLE_ROOM, FEW_EPOCHS = 2**20, 2**12
# What an optimizer is made with where each network has a rate of its own.
SOME_RATE = 1e-9
NAP = 0.02      # seconds between two looks for Ctrl-C while threads train


def one_each(argument, values, n, low_allowed):
    """One number for all networks or one each, as an array of n; `values` may not be below 0."""
    if np.ndim(values) == 0:
        return np.full(n, number(argument, values, 0, inf, low_allowed=low_allowed))
    array = as_reals(values, argument, np.dtype("float64"))
    if array.shape != (n,):
        raise ValueError(f"{argument} must be a number or have the shape ({n},), one for each network, got the shape "
                         f"{array.shape}")
    for i in np.flatnonzero(~((array > 0) | (low_allowed & (array == 0))) | (array == inf))[:1]:
        number(f"{argument}[{i}]", float(array[i]), 0, inf, low_allowed=low_allowed)
    return array


def rates_of(values, pop, decay=0.0):
    """A learning rate for each network, as an array of n; each suits the population's dtype and the decay of AdamW."""
    rates = one_each("learning_rate", values, pop.n, False)
    limits = np.finfo(pop.dtype)
    unfit = (rates < limits.smallest_subnormal) | (rates > limits.max)
    for i in np.flatnonzero(unfit | (rates * decay >= 1))[:1]:
        name = "learning_rate" if np.ndim(values) == 0 else f"learning_rate[{i}]"
        wanted = f"positive and finite in {pop.dtype}" if unfit[i] else f"below 1 / decay, {1 / decay:.6g}"
        raise ValueError(f"{name} must be {wanted}, got {float(rates[i])!r}")
    return rates


def prototype(pop, optimizer, learning_rate, l1, l2):
    """The optimizer in its first state, and the rates and penalties that networks have of their own, or None."""
    name = None
    if isinstance(optimizer, str):
        name = one_of("optimizer", optimizer, (*optimizers.NAMES, *optimizers.WHOLE_BATCH), "an optimizer object")
    if isinstance(optimizer, WholeBatch) or name in optimizers.WHOLE_BATCH:
        raise ValueError(f"optimizer must be one for single samples or batches, got {optimizer!r}, which trains one "
                         "network by all samples at once; pop[i].fit can use it")
    rate = SOME_RATE if isinstance(optimizer, str) and learning_rate is not None else learning_rate
    made = optimizers.make(optimizer, rate).copy()
    made.reset()
    # A step without a gradient refuses what no step can be made with.
    net = pop._worker()
    made._step(net, np.zeros(pop.n_params, pop.dtype), 1)
    pop._idle.append(net)
    made.reset()
    rates = None if learning_rate is None else rates_of(learning_rate, pop, getattr(made, "decay", 0.0))
    penalties = {}
    for name, values in (("l1", l1), ("l2", l2)):
        if values is not None:
            if getattr(made, name):
                raise ValueError(f"{name} cannot be given together with an optimizer that has it, got {values!r:.80} "
                                 f"and {made!r}")
            penalties[name] = one_each(name, values, pop.n, True)
    return made, rates, penalties


def of_network(prototype, rates, penalties, i):
    """A copy of the optimizer, with the rate and the penalties of network i."""
    one = prototype.copy()
    if rates is not None:
        one.learning_rate = float(rates[i])
    if penalties:
        everything, own = one._everything(), {name: float(values[i]) for name, values in penalties.items()}
        everything["numbers"] |= own
        one._become(everything)
        vars(one).update(own)
    return one


class OneByOne:
    """Trains the networks one after another by the ordinary kernels: any optimizer, any loss.

    Parameters
    ----------
    pop : Population
    data : Data
        The samples.
    batch : int
        How many make an update.
    numbers : tuple
        What `prototype` returned.
    limits : tuple of float and ndarray, shape (n,)
        The RMS error at which a network has learnt enough, and for each the one above which it has diverged.
    threads : int

    Attributes
    ----------
    orders : ndarray of uint64 or None
        The stream of each network, from which its orders come; None, as in the beginning, for the samples as they
        stand.
    """

    def __init__(self, pop, data, batch, numbers, limits, threads):
        self.pop, self.samples, self.batch = pop, data.samples(threads), batch
        self.optimizers = [of_network(*numbers, i) for i in range(pop.n)]
        self.orders, self.limits, self.threads = None, limits, threads

    def train(self, first, count, reasons, error, rms):
        """Train for `count` epochs from `first` on, whose errors go to these columns of `error` and `rms`.

        A network whose reason to stop is not TRAINING is left out; the others are given one if there is one.
        """
        networks = np.flatnonzero(reasons == stopped.TRAINING)

        def work(share):
            net = self.pop._worker()
            for i in share:
                self.pop._lend(net, i)
                try:
                    reasons[i] = self.train_one(net, i, first, error[i, first:first + count],
                                                rms[i, first:first + count])
                finally:    # Ctrl-C may come between two epochs
                    self.pop._take_back(net, i)

        if self.threads == 1:
            work(networks)
        else:
            # Imported here, because it takes as long as a tenth of fastbp.
            from concurrent.futures import ThreadPoolExecutor, wait
            with ThreadPoolExecutor(self.threads) as pool:
                shares = [pool.submit(work, networks[networks % self.threads == k]) for k in range(self.threads)]
                try:
                    # Only this thread learns of Ctrl-C, and on some systems not while it sleeps.
                    while wait(shares, NAP).not_done:
                        pass
                except BaseException:
                    for samples in self.samples:
                        samples.abandoned = True
                    raise
                for share in shares:
                    share.result()

    def train_one(self, net, i, first, error, rms):
        samples = self.samples[i]
        desired, runaway = self.limits[0], self.limits[1][i]
        for epoch in range(len(error)):
            if self.orders is not None:
                samples._shuffle_by(self.orders[i], first + epoch)
            try:
                of_epoch, squares = net._train_epoch(samples, None, self.batch, self.optimizers[i], first + epoch,
                                                     threads=1)
            except DivergenceError:
                return stopped.DIVERGED
            error[epoch], rms[epoch] = of_epoch, np.sqrt(squares / (samples.m * net.n_outputs))
            if not rms[epoch] <= runaway:
                return stopped.DIVERGED
            if rms[epoch] <= desired:
                return stopped.DESIRED_ERROR
        return stopped.TRAINING


class InLanes:
    """Trains the networks by the kernels that have one in each lane; see `OneByOne`."""

    def __init__(self, pop, data, batch, numbers, limits, threads):
        self.optimizer, rates, self.penalties = numbers
        self.rates = np.full(pop.n, self.optimizer.learning_rate) if rates is None else rates
        self.job, self.batch, self.orders = data.job(normalise=True), batch, None
        self.limits, self.threads = limits, threads
        for name in ("l1", "l2"):
            if own := getattr(self.optimizer, name):
                self.penalties[name] = np.full(pop.n, own)

    def train(self, first, count, reasons, error, rms):
        self.job.train(self.optimizer, self.batch, self.rates, self.penalties.get("l1"), self.penalties.get("l2"),
                       self.orders, *self.limits, reasons, error, rms, first, first, count, self.threads)


def step(pop, data, rates, errors):
    """One step of plain descent by each network in lanes; their errors, where a step was made."""
    default = 0.1 if pop.reduction == "mean" else 0.1 / data.m
    numbers = optimizers.SGD(1.0), np.full(pop.n, default) if rates is None else rates, {}
    trainer = InLanes(pop, data, data.m, numbers, (-1.0, np.full(pop.n, inf)), get_num_threads())
    reasons, rms = np.zeros(pop.n, np.intc), np.empty((pop.n, 1))
    trainer.train(0, 1, reasons, errors[:, None], rms)


def lengthened(array, length):
    """A copy whose last axis has this length; what is new is whatever stands in memory."""
    longer = np.empty((*array.shape[:-1], length))
    longer[..., :array.shape[-1]] = array
    return longer


class PopulationRun:
    """One call of `Population.fit`: its epochs, and their results so far."""

    def __init__(self, pop, trainer, stopping, validation, shown, samples):
        self.pop, self.trainer, self.stopping, self.validation = pop, trainer, stopping, validation
        self.shown, self.started = shown, perf_counter()
        # What the progress reads: squares of the errors that were computed since its last look.
        self.net, self.source, self.samples, self.done = pop, SimpleNamespace(terms=0), samples, 0
        self.reasons = np.full(pop.n, stopped.TRAINING, np.intc)
        self.begun = 0          # `done`, and the epochs that are being trained: so far the arrays have been filled
        self.error = self.rms = np.empty((pop.n, 0))
        self.of_validation, self.seconds = np.empty((2, pop.n, 0)), np.empty(0)
        self.least, self.waited = np.full(pop.n, inf), np.zeros(pop.n, int)
        self.best = None
        self.last = np.full((3, pop.n), np.nan)     # E, RMS and validation error of each network's last epoch
        # So many epochs at once, if nothing is to be done between them.
        work = 3.0 * pop.n * pop.n_params * samples
        self.at_once = 1 if validation or stopping.time_limit < inf else max(1, int(AT_ONCE / work))

    def grow(self, epochs):
        """Make room for so many epochs, in which no network has been trained yet."""
        have = self.error.shape[1]
        if epochs > have:
            room = min(self.stopping.epochs, max(epochs, 2 * have))
            self.error, self.rms, self.seconds = (lengthened(a, room) for a in (self.error, self.rms, self.seconds))
            if self.validation:
                self.of_validation = lengthened(self.of_validation, room)
        for array in (self.error, self.rms, self.of_validation):
            array[..., self.begun:epochs] = np.nan
        self.begun = epochs

    def train(self):
        try:
            if self.shown:
                self.shown.start(self)
            with self.pop._turn():
                self.train_alone()
        except KeyboardInterrupt:
            self.reasons[self.reasons == stopped.TRAINING] = stopped.INTERRUPTED
        finally:
            if self.shown:
                self.shown.end()

    def train_alone(self):
        try:
            while (self.reasons == stopped.TRAINING).any():
                # All networks may stop at once: room for as many epochs as have been, or a little.
                little = max(1, min(LITTLE_ROOM // self.pop.n, FEW_EPOCHS))
                self.epochs(min(self.at_once, self.stopping.epochs - self.done, max(self.done, little)))
        finally:
            if self.best is not None:
                self.pop._params[...] = self.best

    def epochs(self, count):
        first, last = self.done, self.done + count
        self.grow(last)
        before, training = perf_counter() - self.started, self.reasons == stopped.TRAINING
        self.trainer.train(first, count, self.reasons, self.error, self.rms)
        if self.validation:
            self.validate(first, training & (self.reasons != stopped.DIVERGED))
        seconds = perf_counter() - self.started
        self.seconds[first:last] = before + (seconds - before) * np.arange(1, count + 1) / count
        self.done = last
        training = self.reasons == stopped.TRAINING
        self.reasons[training & (self.waited >= self.stopping.patience)] = stopped.PATIENCE
        training = self.reasons == stopped.TRAINING
        if last >= self.stopping.epochs:
            self.reasons[training] = stopped.EPOCHS
        elif seconds >= self.stopping.time_limit:
            self.reasons[training] = stopped.TIME_LIMIT
        if self.shown:
            self.show(first)

    def validate(self, epoch, networks):
        """Errors of the validation data, and which of these networks are better than ever."""
        error, rms = self.pop._error_and_rms(self.validation, has_turn=True)
        self.of_validation[0, networks, epoch], self.of_validation[1, networks, epoch] = error[networks], rms[networks]
        is_better = networks & (error < self.least - self.stopping.min_delta)
        is_best = networks & (error < self.least)
        self.waited[networks] += 1
        self.waited[is_better] = 0
        self.least[is_best] = error[is_best]
        if self.stopping.patience < inf:
            if self.best is None:
                self.best = self.pop._params.copy()
            self.best[is_best] = self.pop._params[is_best]

    def show(self, first):
        """Let the progress show means over the networks, of the last errors that each of them has had.

        Networks that have diverged are left out, and nothing is shown where no network has come further.
        """
        trained = (~np.isnan(self.error[:, first:self.done])).sum(axis=1)
        some = np.flatnonzero(trained)
        if not len(some):
            return
        errors = self.error, self.rms, *self.of_validation[:bool(self.validation)]
        for i, of_epochs in enumerate(errors):
            self.last[i, some] = of_epochs[some, first + trained[some] - 1]
        known = self.last[:, (self.reasons != stopped.DIVERGED) & ~np.isnan(self.last[0])]
        if known.size:
            error, rms, validation_error = known.mean(axis=1).tolist()
            self.source.terms = int(trained.sum()) * self.samples * self.pop.n_outputs
            self.shown.on_epoch(SimpleNamespace(epoch=first + int(trained.max()) - 1, error=error, rms=rms,
                                                validation_error=validation_error if self.validation else None))

    def history(self):
        # Those that a network has completed: an interrupted call of the trainer may have come to some of them only.
        done = int((~np.isnan(self.error[:, :self.begun])).sum(axis=1).max())
        self.seconds[self.done:done] = perf_counter() - self.started
        error, rms = self.error[:, :done], self.rms[:, :done]
        validation = self.of_validation[:, :, :done]
        return PopulationHistory(error, rms, validation[0], validation[1], self.seconds[:done],
                                 (~np.isnan(error)).sum(axis=1), self.reasons)


def fit(pop, data, validation, options, rng):
    """Train the population on checked data; `rng` makes a seed where none is given."""
    source = rng if options.seed is None else streams.of_fit(options.seed, pop.n)
    check_flag("shuffle", options.shuffle)
    stopping = Stopping(options)
    if options.patience is not None and validation is None:
        raise ValueError(f"patience needs validation_data, got patience={options.patience!r} alone")
    threads = get_num_threads() if options.threads is None else thread_count("threads", options.threads)
    if callable(pop.loss):
        threads = 1     # as in a Network; and the core knows the thread that must not come again
    numbers = prototype(pop, options.optimizer, options.learning_rate, options.l1, options.l2)
    batch = checked_batch_size(options.batch_size, numbers[0])
    batch = data.m if batch == "full" else min(batch, data.m)
    warn_of_noisy_signs(numbers[0], batch, data.m)
    shown = progress.make(options.verbose, stopping.epochs)
    trainer = (InLanes if PopulationJob.trains(pop, numbers[0], batch) else OneByOne)(
        pop, data, batch, numbers, (stopping.desired_error, RUNAWAY * data.magnitudes()), min(threads, pop.n))
    run = PopulationRun(pop, trainer, stopping, validation, shown, data.m)
    if options.shuffle:     # last, because a call that is refused must not have drawn any random numbers
        trainer.orders = streams.streams(source, pop.n)
    run.train()
    return run.history()
