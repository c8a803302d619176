"""What a population computes or learns from: arrays that are the same for all networks, or have an axis of networks."""

import numpy as np

from fastbp._arrays import about_targets, as_reals, labels, total_of
from fastbp._core import PopulationJob


class Data:
    """Inputs, targets and weights, each the same for all networks or one for each.

    Attributes
    ----------
    x, t, weights : ndarray
        With an axis of networks in front where `own` says so; `weights` may be None.
    own : tuple of bool
        Whether each of the three differs from network to network.
    single : bool
        Whether it is one sample without an axis of samples.
    m : int
        Samples of a network.
    """

    def __init__(self, pop, X, T=None, sample_weight=None):
        self.pop, self.weights = pop, None
        self.x = pop._inputs(X)
        of_x = self.x.ndim == 3
        self.single = self.x.ndim == 1
        self.m = 1 if self.single else self.x.shape[-2]
        self.t, of_t = (None, False) if T is None else self.targets(T)
        of_weights = False
        if sample_weight is not None:
            self.weights = as_reals(sample_weight, "sample_weight", pop.dtype)
            of_weights = self.weights.ndim == 2
            if self.weights.shape not in ((self.m,), (pop.n, self.m)):
                raise ValueError(f"sample_weight must have the shape ({self.m},) or, with weights for each network, "
                                 f"({pop.n}, {self.m}), got {self.weights.shape}")
        self.own = of_x, of_t, of_weights

    def targets(self, T):
        """T and whether it differs from network to network; a shape that may mean both does not."""
        pop, rows = self.pop, () if self.single else (self.m,)
        takes_labels, shapes = pop.loss == "cross_entropy", [(*rows, pop.n_outputs)]
        if takes_labels or pop.n_outputs == 1:
            shapes.append(rows)
        own = [(pop.n, *shape) for shape in shapes]
        given = np.shape(T) if takes_labels else None
        if takes_labels and (len(given) == len(rows) or given == own[1] != shapes[0]):
            t = labels(T, "T", self.m if len(given) == len(rows) else pop.n * self.m, pop.n_outputs)
        else:
            t = as_reals(T, "T", pop.dtype)
        if t.shape in (*shapes, *own):
            return t, t.shape not in shapes
        of_labels = " for integer labels" * takes_labels
        raise ValueError(f"T must have the shape {' or '.join(map(str, shapes))}{of_labels} or, with targets for each "
                         f"network, {' or '.join(map(str, own))}{of_labels}, got {t.shape}"
                         f"{about_targets(t, T, 'T', self.m, pop.n_outputs, pop.loss)}")

    def of(self, i):
        """(X, T, sample_weight) of network i."""
        arrays = self.x, self.t, self.weights
        return [array[i] if own else array for array, own in zip(arrays, self.own, strict=True)]

    def check(self):
        """Refuse numbers that are not finite, or targets and weights for which the loss is not defined."""
        net, rows, (of_x, of_t, of_weights) = self.pop._net, (self.pop.n, self.m), self.own
        try:
            if of_x or of_t:
                row = self.t.shape[of_t + (not self.single):]       # a sample's targets; none where they are labels
                x = np.broadcast_to(self.x, (*rows, self.pop.n_inputs))
                t = np.broadcast_to(self.t.reshape(self.pop.n if of_t else 1, self.m, *row), (*rows, *row))
                net._samples(x.reshape(-1, self.pop.n_inputs), t.reshape(-1, *row))
            if of_weights:
                if not np.isfinite(self.weights).all():
                    raise ValueError
                total_of(self.weights)
            net._samples(*self.of(0))
        except (TypeError, ValueError):
            self.samples()      # names the network
            raise

    def samples(self, threads=1):
        """The samples of each network; where nothing differs, one object for every so-many-th network."""
        net, made = self.pop._net, []
        if not any(self.own):
            made = [net._samples(*self.of(0)) for _ in range(threads)]
            return [made[i % threads] for i in range(self.pop.n)]
        for i in range(self.pop.n):
            try:
                made.append(net._samples(*self.of(i)))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error}, for network {i}") from None
        return made

    def magnitudes(self):
        """The largest absolute value of each network's samples, or 1 where that is larger."""
        largest = np.ones(self.pop.n)
        for array, own in zip((self.x, self.t), self.own[:2], strict=True):
            if array.dtype == self.pop.dtype:       # integer labels stand for 0 and 1
                np.maximum(largest, np.abs(array).reshape(self.pop.n if own else 1, -1).max(axis=1), out=largest)
        return largest

    def job(self, normalise=False):
        """The samples for the kernels that compute networks in lanes."""
        pop, t, weights, of_samples = self.pop, self.t, self.weights, None
        if t.dtype != pop.dtype:
            t, of_samples = 0, t.reshape(*[pop.n] * self.own[1], self.m)
        else:
            t = t.reshape(*[pop.n] * self.own[1], self.m, pop.n_outputs)
        # Each row is read in pieces of 128 bits.
        lane = 16 // pop.dtype.itemsize
        length = -(-(pop.n_inputs + 1 + pop.n_outputs) // lane) * lane
        own = (pop.n,) if self.own[0] or (self.own[1] and of_samples is None) else ()
        rows = np.zeros((*own, self.m, length), pop.dtype)
        rows[..., :pop.n_inputs] = self.x
        rows[..., pop.n_inputs] = 1
        rows[..., pop.n_inputs + 1:pop.n_inputs + 1 + pop.n_outputs] = t
        if normalise and weights is not None and pop.reduction == "mean":
            totals = weights.sum(axis=-1, keepdims=True, dtype=np.float64)
            weights = np.multiply(weights, self.m / totals, dtype=pop.dtype)
        return PopulationJob(pop, rows, of_samples, weights)
