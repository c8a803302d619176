"""One call of `fit`: its epochs, and their results so far."""

from math import inf, sqrt
from time import perf_counter

from fastbp import divergence, optimizers
from fastbp._core import thread_count
from fastbp.divergence import RUNAWAY
from fastbp.training import random_states
from fastbp.training.history import EpochState, History
from fastbp.training.stopping import Stopping
from fastbp.whole_batch import WholeBatch


class Run:
    """What a training is made of; its maker must set `source`."""

    def __init__(self, net, options, rng):
        self.started, self.seconds_before = perf_counter(), 0.0    # the latter: of the training that is resumed
        self.net, self.options, self.rng = net, options, rng
        self.stopping = Stopping(options)
        self.optimizer = optimizers.make(options.optimizer, options.learning_rate)
        # What the optimizer adds to the records.
        self.own = ()
        if isinstance(self.optimizer, WholeBatch):
            self.optimizer._check(net, options)
            self.own = self.optimizer._columns
        self.threads = 0 if options.threads is None else thread_count("threads", options.threads)
        self.rates = None
        if options.schedule is not None:
            # Imported here, because making the dataclasses of the schedules takes a tenth of fastbp's import.
            from fastbp.training.rates import Rates
            self.rates = Rates(options.schedule, self.optimizer, net.dtype, self.stopping.epochs)
        self.random_start = None if options.checkpoint is None else random_states.state_of(rng)
        self.identity = None    # what a checkpoint recognises it by, if there is one
        self.source = self.validation = None
        # E, RMS error, learning rate, seconds, the two validation errors, if any, and what the optimizer adds of each
        # epoch: one flat list, because a tuple for each would keep the garbage collector busy.
        self.records, self.width = [], 4 + len(self.own)
        self.best_params = None

    @property
    def done(self):
        """The number of epochs done."""
        return len(self.records) // self.width

    def validate_with(self, data):
        """Compute the errors of these data after each epoch."""
        self.validation, self.width = data, 6 + len(self.own)

    def reason_to_begin_none(self):
        """Why a run that is resumed has nothing left to do, or None."""
        return self.stopping.reason(self.done, self.records[1 - self.width] if self.records else inf, 0.0)

    def epoch(self, epoch):
        """Train for one epoch; returns why it must be the last one, or None."""
        if self.rates is not None:
            self.optimizer.learning_rate = self.next_rate(epoch)
        return self.record(epoch, *self.source.train(epoch, self.threads))

    def record(self, epoch, error, squares):
        """Take note of an epoch's errors; returns why it must be the last one, or None."""
        rms = sqrt(squares / self.source.terms)
        if rms > RUNAWAY:
            divergence.refuse_runaway(self.net, epoch, self.records[1] if self.records else None, rms,
                                      self.source.of_an_update(), self.optimizer)
        best_params, validation = self.best_params, ()
        if self.validation is not None:
            validation = self.validation_errors()
            if self.stopping.look(validation[0]) and self.stopping.patience < inf:
                best_params = self.net.params
        seconds = perf_counter() - self.started
        record = error, rms, self.optimizer.learning_rate, self.seconds_before + seconds
        # Ctrl-C is noticed at a call, so not between these lines: the best parameters are those of a recorded epoch.
        if self.own:
            self.records += (*record, *validation, *self.optimizer._learnt)
        else:
            self.records += record + validation if validation else record
        self.best_params = best_params
        return self.stopping.reason(epoch + 1, rms, seconds) or self.source.finished

    def validation_errors(self):
        """E and the RMS error of the validation data."""
        return self.net._error_and_rms(*self.validation, self.threads)

    def end(self):
        """However training ended, give the optimizer its own rate back and the network its best parameters."""
        if self.rates is not None:
            self.optimizer.learning_rate = self.rates.own
        if self.best_params is not None:
            self.net.params = self.best_params

    def next_rate(self, epoch):
        """The schedule's rate for this epoch, given the error of the one before."""
        return self.rates.next(epoch, self.records[(epoch - 1) * self.width] if epoch else None)

    def replay(self, records):
        """Go through the epochs of a checkpoint, as far as schedule and stopping are concerned.

        Returns the rates that the schedule has for them; an empty list if there is no schedule.
        """
        self.records, rates = records, []
        for epoch in range(self.done):
            if self.rates is not None:
                rates.append(self.next_rate(epoch))
            if self.validation is not None:
                self.stopping.look(records[epoch * self.width + 4])
        if records:
            self.seconds_before = records[3 - self.width]
        return rates

    def state(self):
        """What a callback is given."""
        error, rms, learning_rate, seconds, *others = self.records[-self.width:]
        validation = None if self.validation is None else others[0]
        return EpochState(self.done - 1, self.net, self.optimizer, error, rms, validation, learning_rate, seconds,
                          self.source.last_batch)

    def history(self, stop_reason):
        return History(self.records, self.width, stop_reason, self.own)
