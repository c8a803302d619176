"""The compiled core: owns parameters, hands out workspaces, checks every incoming array, calls the kernels.

A network is a model, which is constant while it is read, and each call that runs it has a workspace of its own. Its
lock says who may read it and who may change it. The parts:

    layout.pxi          Layout: where the parameters stand
    lock.pxi            Lock: who may work with a network
    threads.pxi         the threads that help with long calls
    workspaces.pxi      Workspace, Pool: what a caller needs to run a model
    pieces.pxi          the work that threads share
    door.pxi            the checks of every array that comes in
    samples.pxi         Samples: inputs and targets that have been checked
    model.pxi           Model(Layout): layers, loss, parameters, outputs
    differentiable.pxi  Differentiable(Model): error, gradient
    traceable.pxi       Traceable(Differentiable): layers, traces, derivatives by the inputs
    normal_equations.pxi  J^T J and J^T e, J being the derivatives by the parameters
    core.pyx            Core(Traceable): updates
    bound.pxi           Bound: a network and the arrays that it was bound to
    handle.pxi          Handle: a network for compiled loops
    optimizer.pxi       Optimizer: numbers and state of an optimizer
    population.pxi      PopulationCore, PopulationJob: many networks in lanes
"""

import copy
import os

import numpy as np

from fastbp import divergence
from fastbp._arrays import Parameters, about_inputs, about_targets, aligned_zeros, apply_loss, as_reals, is_large_map
from fastbp._arrays import labels, place, rows_at_once, span, total_of, warn_of_targets
from fastbp._checks import came, kind, positive_integer, refuse_class
from fastbp.whole_batch import WholeBatch

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetInterrupt
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_GetPointer, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport HUGE_VAL, NAN, isfinite, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from fastbp._kernels.kernels cimport *

cnp.import_array()

cdef extern from "cpu.h":
    int fastbp_cpu_level()
    const char* FASTBP_COMPILER
    const char* FASTBP_FLAGS

cdef extern from *:
    """
    /* The tables of activations.h and kernels.h as arrays. */
    #define NAME_OF(CODE, NAME, AT, OUTPUT, SLOPE) NAME,
    #define SLOPE_OF(CODE, NAME, AT, OUTPUT, SLOPE) AT,
    #define LOSS_OF(CODE, NAME) NAME,
    #define METHOD_OF(CODE, NAME, OWN, HAS_MEAN, HAS_SQUARE) {NAME, OWN, HAS_MEAN, HAS_SQUARE},
    static const char *const activation_names[] = {"identity", FOR_EACH_ACTIVATION(NAME_OF) "softmax"};
    static const char slope_places[] = {
        FASTBP_AT_OUTPUT, FOR_EACH_ACTIVATION(SLOPE_OF) FASTBP_AT_OUTPUT};
    static const char *const loss_names[] = {FOR_EACH_LOSS(LOSS_OF)};
    typedef struct { const char *name, *own; int has_mean, has_square; } method_facts;
    static const method_facts methods[] = {FOR_EACH_METHOD(METHOD_OF)};
    #define slope_at_net_input(activation) (slope_places[activation] == FASTBP_AT_NET_INPUT)
    """
    const char** activation_names
    const char** loss_names
    ctypedef struct method_facts:
        const char* name
        const char* own
        bint has_mean, has_square
    const method_facts* methods
    bint slope_at_net_input(int activation)

# The kernels' numbers by name.
ACTIVATIONS = {activation_names[i].decode(): i for i in range(FASTBP_SOFTMAX + 1)}
LOSSES = {loss_names[i].decode(): i for i in range(FASTBP_CUSTOM)}
# Of each method: its number, the names of its own numbers, whether it has an array `mean` and an array `square`.
cdef dict METHODS = {methods[i].name.decode(): (i, methods[i].own.decode().split(), methods[i].has_mean,
                                                methods[i].has_square) for i in range(FASTBP_METHODS)}
COMPILER = FASTBP_COMPILER.decode()
FLAGS = FASTBP_FLAGS.decode()

# Multiplications above which a call releases the GIL: some ten microseconds; releasing it costs 20 ns and more.
cdef enum:
    LONG_WORK = 200_000
# Multiplications between two checks for Ctrl-C: at most some tens of milliseconds.
cdef double PATIENCE = 1e8
# For an update that does not look for waiting threads.
cdef int nobody = 0

# The tables in force: of float32 and of float64, each for narrow networks and for all others.
cdef const fastbp_kernels* in_force[2][2]


def cpu_level():
    """The highest level of instruction sets that this processor runs: 0, 3 or 4 as in simd.h."""
    return fastbp_cpu_level()


def install(capsules):
    """Let networks created from now on use the tables of these kernel modules, one or two of them, of one dtype.

    A network whose widest layer fits into a vector of the first uses that one: wider vectors would only cost it time.
    """
    cdef const fastbp_kernels* table
    for i, capsule in enumerate((capsules[0], capsules[len(capsules) - 1])):
        table = <const fastbp_kernels*>PyCapsule_GetPointer(capsule, FASTBP_CAPSULE)
        if table.abi != FASTBP_KERNELS_ABI:
            raise ImportError(f"kernels of ABI {table.abi}, expected {FASTBP_KERNELS_ABI}: "
                              "the installation is mixed up")
        in_force[table.real_bytes == sizeof(double)][i] = table


include "layout.pxi"
include "lock.pxi"
include "threads.pxi"
include "workspaces.pxi"
include "samples.pxi"
include "pieces.pxi"
include "model.pxi"
include "door.pxi"
include "differentiable.pxi"
include "traceable.pxi"
include "normal_equations.pxi"


cdef class Core(Traceable):
    """Updates of a network, which users see as `fastbp.Network`; see Model for the parameters."""

    def train_step(self, x, t, learning_rate=None, optimizer=None):
        """One step of gradient descent: on-line learning for a single sample, batch learning for a batch.

        Parameters
        ----------
        x : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        t : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; with one output also (M,), or a number for a single sample.
        learning_rate : float, optional
            h in ``w <- w - h dE/dw``; positive and finite. By default 0.1, divided by M where the reduction is "sum".
            Leave it out with an optimizer, which has its own.
        optimizer : optimizer, optional
            One of `fastbp.optimizers`. It makes the update instead of plain descent, and continues from its last one.

        Returns
        -------
        float
            E, the error of the samples before the update; see `error`.

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite; or if the parameters are not.
        DivergenceError
            If E or the update is not finite. Whatever is raised, the parameters are what they were.

        Warns
        -----
        UnreachableTargetsWarning
            Once for each network, if the first targets lie outside the range of the outputs.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> net.train_step([3.0], [5.0], learning_rate=0.5)
        0.5
        >>> net.params
        array([ 0.5, -0.5])
        """
        cdef cnp.ndarray inputs = checked_inputs(self, x, "x")
        cdef cnp.ndarray targets = checked_targets(self, t, "t", inputs)
        cdef Py_ssize_t m = count_of(inputs)
        cdef fastbp_optimizer numbers
        cdef fastbp_samples samples
        cdef fastbp_progress progress
        cdef tuple state = None
        if optimizer is None:
            memset(&numbers, 0, sizeof(numbers))
            numbers.learning_rate = rate_of(self, learning_rate, m)
        else:
            demand_optimizer(optimizer, learning_rate)
        if m == 0:
            raise ValueError("x must hold at least one sample, got none")
        demand_finite(self, inputs, "x", x)
        demand_finite(self, targets, "t", t)
        demand_range(self, targets, "t")
        if self.looks > 0:
            self.looks -= 1
            self.look_at(targets)
        if optimizer is not None:
            state = (<Optimizer>optimizer).attach(self, &numbers, m)
        if self.custom is None:
            point(self, &samples, inputs, targets)
            progress.random = 0
            self.train(&samples, 0, m, m, &numbers, &progress)
        else:
            self.custom_step(checked_samples(self, inputs, targets, None, False), None, &numbers, &progress)
        if optimizer is not None:
            (<Optimizer>optimizer).went_on(&numbers, state)
        if progress.diverged:
            raise divergence.of_an_update(self, 0, 0, {"x": inputs, "t": targets}, numbers.learning_rate, m,
                                          descends(numbers.method))
        return progress.error / m if self.mean else progress.error

    @cython.critical_section
    cdef int train(self, const fastbp_samples* samples, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t batch,
                   fastbp_optimizer* optimizer, fastbp_progress* progress, tuple dropout=None,
                   int threads=0) except -1:
        """Make updates until all samples are done or one would leave the finite numbers."""
        cdef Workspace work
        cdef bint counted
        demand_rate(self, optimizer.learning_rate)
        progress.error = progress.squares = progress.penalty = 0
        progress.done = progress.diverged = 0
        work = self.training.take(self, min(batch, stop - start), dropout)
        if work.drops:
            work.random = progress.random
        if 3.0 * (stop - start) * self.model.n_params < LONG_WORK:
            counted = self.lock.enter_shortly(True)
            self.begin_change()
            self.kernels.train(&self.model, work, samples, start, stop, batch, self.mean, optimizer, &nobody,
                               NULL, progress)
            self.end_change()
            if counted:
                self.lock.leave()
        else:
            self.train_for_long(work, samples, start, stop, batch, optimizer, progress, threads)
        if work.drops:
            progress.random = work.random
        if not progress.diverged:
            self.training.give_back(work)
        return 0

    cdef int train_for_long(self, Workspace work, const fastbp_samples* samples, Py_ssize_t start, Py_ssize_t stop,
                            Py_ssize_t batch, fastbp_optimizer* optimizer, fastbp_progress* progress,
                            int threads) except -1:
        """train() by several threads, without the GIL; a function apart, because a crew takes kilobytes of stack."""
        cdef Crew crew
        cdef bint shared = shares_gradient(self, &crew, work, samples, min(batch, stop - start), threads, True)
        while start + progress.done < stop and not progress.diverged:
            self.lock.enter(True)
            crew.team = recruit(crew.threads) if shared else NULL
            with nogil:
                self.begin_change()
                self.kernels.train(&self.model, work, samples, start + progress.done, stop, batch, self.mean,
                                   optimizer, &self.lock.waiting, &crew.calls if shared else NULL, progress)
                self.end_change()
            dismiss(crew.team)
            self.lock.leave()
        return 0

    @cython.critical_section
    cdef int custom_step(self, Samples samples, tuple dropout, fastbp_optimizer* optimizer,
                         fastbp_progress* progress) except -1:
        """One update by a loss that is a Python function."""
        cdef double scale = 1.0 / samples.m if self.mean else 1
        cdef uint64_t random = progress.random
        cdef Workspace work = self.training.take(self, samples.m, dropout)
        demand_rate(self, optimizer.learning_rate)
        memset(progress, 0, sizeof(progress[0]))
        work.random = random
        self.lock.enter(True, True)
        try:
            self.propagate_custom(work, samples, scale, False, progress)
            self.begin_change()
            if isfinite(progress.error) and self.kernels.update(&self.model, work, optimizer, scale,
                                                                &progress.penalty):
                progress.done = samples.m
            else:
                progress.diverged = True
            self.end_change()
        finally:
            self.lock.leave()
        progress.random = work.random
        if not progress.diverged:
            self.training.give_back(work)
        progress.penalty *= samples.m
        return 0

    def _samples(self, X, T, sample_weight=None, bint normalise=True, bint warn=True):
        """Samples checked once, for the epochs of a fit.

        Where the loss is a mean, weights are normalised to a mean of 1, so that a batch is divided by its samples.
        warn: of targets that the outputs cannot reach.
        """
        cdef Samples samples = checked_samples(self, X, T, sample_weight)
        if warn and self.looks >= 0:
            self.look_at(samples.t)
        if normalise and self.mean and samples.weights is not None:
            samples.weights = np.multiply(samples.weights, samples.m / samples.total_weight, dtype=self.dtype)
            samples.data.weights = cnp.PyArray_DATA(samples.weights)
            samples.total_weight = samples.m
        return samples

    def _loss_of(self, Samples samples not None, cnp.ndarray gradient=None, int threads=0):
        """E and the sum of squares; dE/dparams into `gradient` (float-typed, compact) if it is given."""
        if gradient is not None:
            checked_out(self, gradient, (self.n_params,))
        cdef fastbp_progress progress = self.backpropagate(samples, gradient, threads)
        return progress.error, progress.squares

    def _train_epoch(self, Samples samples not None, order, Py_ssize_t batch, Optimizer optimizer not None, epoch,
                     tuple dropout=None, seed=0, int threads=0):
        """One epoch over the samples; (E, sum of squares).

        order: a numpy.random.Generator that makes a new one, an order, or None for the samples as they stand. dropout:
        rates of the hidden layers, whose masks follow from the seed. threads: at most so many; 0 means the default.
        """
        cdef fastbp_progress progress
        cdef fastbp_optimizer numbers
        cdef tuple state
        cdef double error = 0, squares = 0, penalty = 0
        cdef Py_ssize_t start = 0, stop
        cdef Py_ssize_t chunk
        if batch < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch}")
        state = optimizer.attach(self, &numbers, batch)
        chunk = max(1, <Py_ssize_t>(PATIENCE / (3.0 * self.model.n_params * batch))) * batch
        if order is not None:
            samples.reorder(order)
        progress.random = seed
        if self.custom is not None:
            chunk = batch
        while start < samples.m:
            stop = min(start + chunk, samples.m)
            if optimizer.is_divided and stop - start > batch:
                stop -= (stop - start) % batch
            elif optimizer.is_divided and stop - start < batch:
                state = optimizer.attach(self, &numbers, stop - start)      # the last batch has a rate of its own
            try:
                if self.custom is None:
                    self.train(&samples.data, start, stop, batch, &numbers, &progress, dropout, threads)
                else:
                    rows = slice(start, stop) if order is None else samples.order[start:stop]
                    self.custom_step(checked_samples(self, samples.x[rows], samples.t[rows], None, False), dropout,
                                     &numbers, &progress)
            finally:    # Ctrl-C may end a wait between two updates
                optimizer.went_on(&numbers, state)
            error += progress.error
            squares += progress.squares
            penalty += progress.penalty
            start += progress.done
            if progress.diverged:
                raise divergence.of_an_update(self, epoch, start if order is None else samples.data.order[start],
                                              {"X": samples.x, "T": samples.t}, numbers.learning_rate,
                                              min(batch, samples.m - start), descends(numbers.method))
            PyErr_CheckSignals()
            if samples.abandoned:
                raise KeyboardInterrupt
        samples.penalty = penalty / samples.m
        return error / samples.m if self.mean else error, squares

    def bind(self, x, t=None, out=None, learning_rate=None, optimizer=None):
        """Check arrays once, for loops in which checking them in every call would cost more than the network.

        Parameters
        ----------
        x : ndarray, shape (n_inputs,) or (M, n_inputs)
            Inputs, read anew at every call: of the network's dtype, contiguous.
        t : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Targets, in the same form; needed by `step` only.
        out : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Where `predict` writes; a new array by default.
        learning_rate : float, optional
            For every `step`; by default 0.1, divided by M where the reduction is "sum". An optimizer has its own.
        optimizer : optimizer, optional
            One of `fastbp.optimizers`. It makes the updates instead of plain descent.

        Returns
        -------
        Bound
            With ``predict()``, which returns `out`, and ``step()``, which trains and returns the error E before the
            update. Neither checks the numbers in the arrays. ``learning_rate`` may be set between two steps.

        Raises
        ------
        ValueError, TypeError
            If an array has the wrong shape, dtype or layout.

        Examples
        --------
        >>> import fastbp, numpy as np
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> x = np.zeros(1)
        >>> bound = net.bind(x)
        >>> x[:] = 21
        >>> bound.predict()
        array([42.])
        """
        return Bound(self, x, t, out, learning_rate, optimizer)


include "optimizer.pxi"
include "bound.pxi"
include "handle.pxi"
include "population.pxi"
