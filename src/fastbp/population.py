"""Population: many networks of one architecture, computed and trained in one call."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import io
from fastbp._arrays import as_reals
from fastbp._checks import came, positive_integer, refuse_class, warn
from fastbp._core import PopulationCore, get_num_threads
from fastbp.divergence import DivergenceError
from fastbp.initial import drawing, uniform
from fastbp.network import Network
from fastbp.training import streams
from fastbp.training.population import fit, rates_of, step
from fastbp.training.population_data import Data
from fastbp.training.validation import pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, DTypeLike

    from fastbp._core import Optimizer
    from fastbp._types import Floats, Loss, Seed
    from fastbp.training.population_history import PopulationHistory

FILE = io.Kind("population", b"\x89FBPPOP\n", 1)


class Options(NamedTuple):
    """The keywords of `Population.fit`, each of which is checked where it is used."""

    epochs: int
    batch_size: int | str | None
    learning_rate: ArrayLike | None
    optimizer: str | Optimizer
    l1: ArrayLike | None
    l2: ArrayLike | None
    shuffle: bool
    seed: Seed | Sequence[int] | None
    desired_error: float | None
    verbose: bool | str
    patience: int | None
    min_delta: float
    time_limit: float | None
    threads: int | None


class Population(PopulationCore):
    """Networks of one architecture, each with its own parameters, that are computed and trained together.

    What a network computes and learns depends neither on how many others there are nor on its place among them, bit for
    bit, and agrees with what a `Network` does within rounding. docs/population.md says what this is good for and how
    fast it is.

    Parameters
    ----------
    n : int
        How many networks; at least 1.
    layer_sizes, activation, output_activation, loss, reduction, dtype : as for `Network`
        As for `Network`.
    init : str, uniform, sequence of one for each layer, or array_like of shape (n, n_params), default "auto"
        The rules of `Network` for initial parameters, or the parameters themselves. Of a seed, network i has the same
        ones whatever n is.
    seed : int, numpy.random.Generator or sequence of n int, optional
        For initial parameters and, in each `fit` without a seed of its own, for the orders of samples; by default the
        system's entropy. A sequence holds one seed for each network: networks of one seed are alike, wherever they are.

    Attributes
    ----------
    params : ndarray, shape (n, n_params)
        The parameters of each network, in the order of `Network.params`, as a new read-only array; assign an array to
        set them all.
    weights, biases : tuple of ndarray, shapes (n, n_in, n_out) and (n, n_out)
        Live views: what is written into them takes effect at the next call.
    n : int
        How many networks; ``len`` gives it too.
    layer_sizes, activations : tuple
    loss, reduction : str
    dtype : numpy.dtype
    n_inputs, n_outputs, n_params : int

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of the wrong type.
    MemoryError
        If the parameters do not fit into memory.

    Notes
    -----
    Where samples are wanted, X of shape (n_inputs,) or (M, n_inputs) holds the same ones for all networks, and X of
    shape (n, M, n_inputs) those of each. So one sample of its own for each network has the shape (n, 1, n_inputs).
    Targets, integer labels of cross-entropy, and weights follow the same rule; a shape that may be read in both ways is
    the same for all.

    Any number of threads may use a population. Those that only read it work side by side, and `fit` and `train_step`
    have it alone until they end.

    Examples
    --------
    >>> import fastbp
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> pop = fastbp.Population(50, [2, 3, 1], "tanh", "sigmoid", seed=0)
    >>> history = pop.fit(X, T, epochs=500, learning_rate=0.5)
    >>> history.error.shape
    (50, 500)
    >>> best = pop[int(pop.rms(X, T).argmin())]
    >>> best.predict(X).round().ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    __slots__ = ("__weakref__", "_idle", "_rng")

    def __init__(self, n: int, layer_sizes: Iterable[int], activation: str | Iterable[str] = "sigmoid",
                 output_activation: str | None = None, *, loss: Loss = "squared_error", reduction: str = "sum",
                 dtype: DTypeLike = "float64", init: str | uniform | Sequence[object] | ArrayLike = "auto",
                 seed: Seed | Sequence[int] | None = None) -> None:
        net = Network(layer_sizes, activation, output_activation, loss=loss, reduction=reduction, dtype=dtype,
                      init="zeros")
        self._build(positive_integer("n", n), net)
        self._rng = streams.of_population(seed, self.n)
        refuse_class("init", init)
        self._initialise(init)

    def _build(self, n, net):
        """Set up all but the parameters; `net` is a network of the architecture."""
        self._lay_out(net, n)
        self._idle = []

    def _initialise(self, init):
        rules = [init] * len(self.weights) if isinstance(init, (str, uniform)) else init
        if isinstance(init, np.ndarray) or not all(isinstance(rule, (str, uniform)) for rule in rules):
            self.params = as_reals(init, "init", self.dtype)
            return
        if len(rules) != len(self.weights):
            raise ValueError(f"init must hold a name or a fastbp.uniform for each of the {len(self.weights)} layers, "
                             f"got {len(rules)} of them")
        drawings = [drawing(rule, self, l) for l, rule in enumerate(rules)]
        numbers, start = streams.uniforms(self._rng, self.n, self.n_params), 0
        for W, b, (*pairs, after) in zip(self.weights, self.biases, drawings, strict=True):
            for values, (low, high) in zip((W, b), pairs, strict=True):
                size = values[0].size
                values[...] = low + (high - low) * numbers[:, start:start + size].reshape(values.shape)
                start += size
            if after is not None:
                after(W, b)

    @property
    def params(self) -> Floats:
        vectors = self._copied()
        vectors.setflags(write=False)
        return vectors

    @params.setter
    def params(self, values: ArrayLike) -> None:
        values = as_reals(values, "params", self.dtype)
        if values.shape != (self.n, self.n_params):
            raise ValueError(f"params must have the shape ({self.n}, {self.n_params}), got {values.shape}")
        self._assign(values)

    # ---------------------------------------------------------------- a network for the ordinary kernels

    def _worker(self):
        """A network of the architecture, for one thread to work with."""
        try:
            return self._idle.pop()
        except IndexError:
            net = self._net.copy()
            net._look_no_more()     # `_net` looks at all targets
            return net

    def _lend(self, net, i):
        """Give a worker the parameters of network i."""
        net.params = self._params[i]

    def _take_back(self, net, i):
        self._params[i] = net.params

    def _predict_one_by_one(self, x, y):
        net, vectors = self._worker(), self._copied()
        for i in range(self.n):
            net.params = vectors[i]
            net.predict(x[i] if x.ndim == 3 else x, y[i])
        self._idle.append(net)

    def mean_and_std(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the networks' outputs: what an ensemble predicts, and how far it disagrees.

        Parameters
        ----------
        X : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            As for `predict`.

        Returns
        -------
        mean, std : ndarray, shape (n_outputs,) or (M, n_outputs)
            Of the n networks; the standard deviation divides by n.

        Raises
        ------
        ValueError, TypeError
            If X has the wrong shape, length or dtype.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[1.0, 0.0], [3.0, 0.0]])
        >>> pop.mean_and_std([1.0])
        (array([2.]), array([1.]))
        """
        outputs = self.predict(X)
        return outputs.mean(axis=0), outputs.std(axis=0)

    def error(self, X: ArrayLike, T: ArrayLike, sample_weight: ArrayLike | None = None) -> Floats:
        """The error E of each network, as `Network.error` has it.

        Parameters
        ----------
        X : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,), (M, n_outputs) or (n, M, n_outputs)
            Targets; with one output also without the last axis.
        sample_weight : array_like, shape (M,) or (n, M), optional
            A factor for each sample's error, not negative; all 1 by default.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[1.0, 0.0], [3.0, 0.0]])
        >>> pop.error([[1.0], [2.0]], [[1.0], [4.0]])
        array([2., 4.])
        """
        return self._gradients(Data(self, X, T, sample_weight), None)

    def rms(self, X: ArrayLike, T: ArrayLike) -> Floats:
        """Root of the mean squared error of each network, as `Network.rms` has it.

        Parameters
        ----------
        X : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,), (M, n_outputs) or (n, M, n_outputs)
            Targets; with one output also without the last axis.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError, TypeError
            If X or T has the wrong shape, length or dtype.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[1.0, 0.0], [3.0, 0.0]])
        >>> pop.rms([[1.0], [2.0]], [[1.0], [2.0]]).round(3)
        array([0.   , 3.162])
        """
        return self._error_and_rms(Data(self, X, T))[1]

    def _error_and_rms(self, data, has_turn=False):
        """Both, for `data` that have been checked or not."""
        if self._in_lanes and data.m:
            return data.job().errors(None, get_num_threads(), has_turn)
        errors = np.empty((2, self.n))
        net, vectors = self._worker(), self._params if has_turn else self._copied()
        for i in range(self.n):
            net.params = vectors[i]
            x, t, _ = data.of(i)
            errors[:, i] = net._error_and_rms(x, t)
        self._idle.append(net)
        return errors

    def gradient(self, X: ArrayLike, T: ArrayLike, sample_weight: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """The error E of each network and its gradient.

        Parameters
        ----------
        X : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,), (M, n_outputs) or (n, M, n_outputs)
            Targets, finite; with one output also without the last axis.
        sample_weight : array_like, shape (M,) or (n, M), optional
            A factor for each sample's error, not negative; all 1 by default. A mean divides by their sum.

        Returns
        -------
        error : ndarray of float64, shape (n,)
        gradient : ndarray, shape (n, n_params)
            In the order of `params`.

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[2.0, 0.0], [0.0, 5.0]])
        >>> pop.gradient([3.0], [5.0])
        (array([0.5, 0. ]), array([[3., 1.], [0., 0.]]))
        """
        gradients = np.empty((self.n, self.n_params), self.dtype)
        return self._gradients(Data(self, X, T, sample_weight), gradients), gradients

    def _gradients(self, data, gradients):
        """The errors; where there is an array of gradients, it is filled."""
        data.check()
        if self._in_lanes:
            return data.job().errors(gradients, get_num_threads())[0]
        errors = np.empty(self.n)
        net, vectors = self._worker(), self._copied()
        for i in range(self.n):
            net.params = vectors[i]
            x, t, weights = data.of(i)
            if gradients is None:
                errors[i] = net.error(x, t, weights)
            else:
                errors[i] = net.gradient(x, t, gradients[i], weights)[0]
        self._idle.append(net)
        return errors

    def train_step(self, x: ArrayLike, t: ArrayLike, learning_rate: ArrayLike | None = None) -> Floats:
        """One step of gradient descent of each network, as `Network.train_step` makes it.

        Parameters
        ----------
        x : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            Inputs, finite; at least one sample.
        t : array_like, shape (n_outputs,), (M, n_outputs) or (n, M, n_outputs)
            Targets, finite; with one output also without the last axis.
        learning_rate : float or array_like of shape (n,), optional
            One for all networks or one each. By default 0.1, divided by M where the reduction is "sum".

        Returns
        -------
        ndarray of float64, shape (n,)
            E of each network before the update; NaN for those that were not updated, because their error or their
            update would not have been finite.

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite.

        Warns
        -----
        RuntimeWarning
            If networks were not updated; it names them.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[2.0, 0.0], [0.0, 0.0]])
        >>> pop.train_step([3.0], [5.0], learning_rate=[0.5, 0.1])
        array([ 0.5, 12.5])
        >>> pop.params
        array([[ 0.5, -0.5],
               [ 1.5,  0.5]])
        """
        data = Data(self, x, t)
        rates = None if learning_rate is None else rates_of(learning_rate, self)
        data.check()
        errors = np.full(self.n, np.nan)
        with self._turn():
            self._step(data, rates, errors)
        refused = np.flatnonzero(np.isnan(errors))
        if len(refused):
            warn(f"the updates of {len(refused)} of {self.n} networks would have left the finite numbers and were not "
                 f"made: {', '.join(map(str, refused[:10]))}{', ...' * (len(refused) > 10)}", RuntimeWarning)
        return errors

    def _step(self, data, rates, errors):
        if self._in_lanes:
            step(self, data, rates, errors)
            return
        net = self._worker()
        for i in range(self.n):
            self._lend(net, i)
            try:
                errors[i] = net.train_step(*data.of(i)[:2], None if rates is None else float(rates[i]))
            except DivergenceError:
                continue
            self._take_back(net, i)
        self._idle.append(net)

    def fit(self, X: ArrayLike, T: ArrayLike, *, epochs: int = 100, batch_size: int | str | None = None,
            learning_rate: ArrayLike | None = None, optimizer: str | Optimizer = "sgd",
            l1: ArrayLike | None = None, l2: ArrayLike | None = None, shuffle: bool = True,
            seed: Seed | Sequence[int] | None = None, desired_error: float | None = None,
            verbose: bool | str = False, sample_weight: ArrayLike | None = None,
            validation_data: tuple[ArrayLike, ArrayLike] | None = None, patience: int | None = None,
            min_delta: float = 0.0, time_limit: float | None = None, threads: int | None = None) -> PopulationHistory:
        """Train each network on a set of samples, epoch after epoch, from the parameters that it has.

        Each network has its own order of samples, its own optimizer and its own stopping. One that diverges stops
        alone, with its last finite parameters, and the history names it.

        Parameters
        ----------
        X : array_like, shape (M, n_inputs) or (n, M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (M, n_outputs) or (n, M, n_outputs)
            Targets, finite; with one output also without the last axis. For cross-entropy also integer labels of shape
            (M,) or (n, M).
        epochs : int, default 100
            Number of passes over all samples, at most.
        batch_size : int or "full", optional
            Samples for each update; by default 1, for Rprop "full".
        learning_rate : float or array_like of shape (n,), optional
            One for all networks or one each; by default that of the optimizer, as in `Network.fit`.
        optimizer : str or optimizer, default "sgd"
            A name, or an object of which each network gets a copy in its first state; the object itself is not changed.
        l1, l2 : float or array_like of shape (n,), optional
            The penalties that `SGD` explains, one for all networks or one each.
        shuffle : bool, default True
            Whether each epoch presents the samples in a new random order.
        seed : int, numpy.random.Generator or sequence of n int, optional
            Seed for these orders. Of an integer, the order of network i in an epoch follows from word i of
            ``numpy.random.SeedSequence(seed)`` and from the epoch; a sequence holds a seed for each network, whose word
            0 is taken. By default the population's own random numbers go on: those of its generator, or where it was
            made with a seed for each network, in call k from 0 those of ``SeedSequence(seed, spawn_key=(k,))``.
        desired_error : float, optional
            A network stops after the first epoch whose RMS error is not above this.
        verbose : bool or "tqdm", default False
            Show the progress as `Network.fit` does, with the means of the networks' last errors; those that have
            diverged are left out.
        sample_weight : array_like, shape (M,) or (n, M), optional
            A factor for each sample's error, not negative. How often a bootstrap has drawn a sample is such a factor.
        validation_data : tuple (X, T), optional
            Samples whose error is computed after each epoch, and which are not trained on.
        patience : int, optional
            A network stops when for this many epochs in a row its validation error has not fallen by more than
            `min_delta` below its lowest. However training ends, it gets back the parameters of the epoch with the
            lowest validation error.
        min_delta : float, default 0.0
            See `patience`.
        time_limit : float, optional
            Stop after the first epoch that ends this many seconds or more after the call.
        threads : int, optional
            How many threads share the networks; by default `fastbp.get_num_threads()`. The results do not depend on it.

        Returns
        -------
        PopulationHistory
            The errors of every network and epoch, and why each network stopped. Ctrl-C stops all of them, also in the
            middle of an epoch; they then keep what they have learnt, or with `patience` their best parameters.

        Raises
        ------
        ValueError, TypeError
            If an argument is out of range, has the wrong shape, length or type, or contradicts another; the parameters
            have not changed then, and no random numbers were drawn.

        Warns
        -----
        UnreachableTargetsWarning
            Once for each population, if targets lie outside the range of the outputs.
        UserWarning
            If Rprop is to train by batches, whose signs are too noisy for it.

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(3, [1, 1], "identity", seed=0)
        >>> history = pop.fit([[1.0], [2.0]], [[3.0], [5.0]], epochs=300, learning_rate=[0.01, 0.1, 1e30])
        >>> history.stop_reason.tolist()
        ['epochs', 'epochs', 'diverged']
        >>> history.diverged
        array([2])
        """
        data = Data(self, X, T, sample_weight)
        if data.single:
            raise ValueError(f"X must be a set of samples of shape (M, {self.n_inputs}), got one sample; "
                             "train_step takes single samples")
        data.check()
        validation = None if validation_data is None else self._validation(validation_data)
        return fit(self, data, validation, Options(
            epochs, batch_size, learning_rate, optimizer, l1, l2, shuffle, seed, desired_error, verbose, patience,
            min_delta, time_limit, threads), self._rng)

    def _validation(self, given):
        X, T = pair(given)
        try:
            data = Data(self, X, T)
            if data.single:
                raise ValueError(f"X must have the shape (M, {self.n_inputs}), got one sample")
            data.check()
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation_data: {error}") from None
        return data

    # ---------------------------------------------------------------- networks and files

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Network]:
        return (self[i] for i in range(self.n))

    def __getitem__(self, index: Any) -> Any:
        """A copy of network i as a `Network`; with a slice or an array of indices, a `Population` of copies."""
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            if not -self.n <= index < self.n:
                raise IndexError(f"the population has {self.n} networks, got index {index}")
            net = self._net.copy()
            net.params = self._copied(int(index))
            return net
        vectors = self.params[index]
        if vectors.ndim != 2 or vectors.shape[1] != self.n_params or not len(vectors):
            raise IndexError(f"an index must select one or more of the {self.n} networks, got {index!r:.80}")
        return self._like(vectors)

    def _like(self, vectors):
        """A population of this architecture with these parameters."""
        pop = type(self).__new__(type(self))
        pop._build(len(vectors), self._net.copy())
        pop._rng = np.random.default_rng()
        pop.params = vectors
        return pop

    @classmethod
    def from_networks(cls, networks: Iterable[Network]) -> Population:
        """The population of copies of these networks.

        Parameters
        ----------
        networks : iterable of Network
            One or more, of one architecture, loss, reduction and dtype.

        Returns
        -------
        Population

        Raises
        ------
        ValueError, TypeError
            If there is none, or they are not alike.

        Examples
        --------
        >>> import fastbp
        >>> nets = [fastbp.Network([2, 3, 1], seed=seed) for seed in range(4)]
        >>> pop = fastbp.Population.from_networks(nets)
        >>> bool((pop.params[2] == nets[2].params).all())
        True
        """
        nets = list(networks)
        if not nets:
            raise ValueError("networks must hold at least one network, got none")
        for i, net in enumerate(nets):
            if not isinstance(net, Network):
                raise TypeError(f"networks[{i}] must be a fastbp.Network, got {came(net)}")
            if net._arguments() != nets[0]._arguments():
                raise ValueError(f"networks must be alike, but networks[{i}] is {net!r} and networks[0] {nets[0]!r}, "
                                 "or their losses or reductions differ")
        first = nets[0].copy()
        pop = cls.__new__(cls)
        pop._build(len(nets), Network(first.layer_sizes, first.activations, loss=first.loss, reduction=first.reduction,
                                      dtype=first.dtype, init="zeros"))
        pop._rng = np.random.default_rng()
        pop.params = [net.params for net in nets]
        return pop

    def copy(self) -> Population:
        """An independent population with the same parameters.

        Returns
        -------
        Population

        Examples
        --------
        >>> import fastbp
        >>> pop = fastbp.Population(3, [2, 1], seed=1)
        >>> bool((pop.copy().params == pop.params).all())
        True
        """
        pop = self._like(self.params)
        pop._rng = copy.deepcopy(self._rng)
        return pop

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return _rebuild, (type(self), self._net, self.params, self._rng)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the population to a file that `Population.load` reads; docs/file-format.md describes it.

        Parameters
        ----------
        path : str or os.PathLike
            An existing file is replaced once the new one is complete on disk.

        Raises
        ------
        OSError
            If it cannot be written, or `path` exists and is not a regular file; an existing file is left as it was.
        ValueError
            If the loss is a function of your own.

        Examples
        --------
        >>> import fastbp
        >>> fastbp.Population(3, [2, 1], seed=1).save("three.fastbp")
        >>> fastbp.Population.load("three.fastbp")
        Population(3, [2, 1], ['sigmoid'], float64, 3 parameters each)
        """
        header = {"networks": self.n, **json.loads(io.header_of(self._net))}
        stored = io.STORED_DTYPES[self.dtype.name]
        io.write(path, io.pack(FILE, json.dumps(header).encode(), self.params.astype(stored, copy=False).tobytes()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Population:
        """Read a population that `save` wrote.

        Parameters
        ----------
        path : str or os.PathLike
            A file or a pipe. No more is read than its first bytes announce.

        Returns
        -------
        Population

        Raises
        ------
        FormatError
            If the file does not hold a population, has another format version, is truncated or damaged. This is a
            ValueError.
        OSError
            If the file cannot be read.

        See Also
        --------
        Population.save : has an example.
        """
        with io.naming(os.fsdecode(path)):
            header, body = io.read(FILE, path)
            n = header.pop("networks", None) if isinstance(header, dict) else None
            if type(n) is not int or n < 1 or len(body) % n:
                raise io.FormatError(f"header: networks must be a number of networks that fit the {len(body)} bytes of "
                                     f"parameters, got {n!r:.80}")
            net = Network.from_description(io.described(header, body[:len(body) // n]))
        params = np.frombuffer(body, io.STORED_DTYPES[net.dtype.name]).reshape(n, net.n_params)
        pop = cls.__new__(cls)
        pop._build(n, net)
        pop._rng = np.random.default_rng()
        pop.params = params
        return pop

    def __repr__(self):
        return (f"{type(self).__name__}({self.n}, {list(self.layer_sizes)}, {list(self.activations)}, "
                f"{self.dtype.name}, {self.n_params:,} parameters each)")


def _rebuild(cls, net, params, rng):
    pop = cls.__new__(cls)
    pop._build(len(params), net)
    pop._rng = rng
    pop.params = params
    return pop
