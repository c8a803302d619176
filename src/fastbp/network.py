"""Network: the Python side of the compiled core, with all that happens once per network and not once per call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import activations as activation_table
from fastbp import embedding, io, losses
from fastbp._arrays import as_reals
from fastbp._checks import came, one_of, positive_integer, refuse_class
from fastbp._core import Core, Handle
from fastbp.initial import drawing, uniform
from fastbp.training.fit import fit
from fastbp.training.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike, DTypeLike

    from fastbp._core import Optimizer
    from fastbp._types import Callback, Floats, Init, Loss, Schedule, Seed
    from fastbp.training.history import History
    from fastbp.whole_batch import WholeBatch


@dataclass(frozen=True, eq=False)
class Trace:
    """What backpropagation computed on its way, layer by layer; `Network.backprop` returns it.

    Entry l of each list belongs to layer l + 1 of docs/method.md, whose first layer of neurons is 1. For a single
    sample the arrays of samples have no sample axis.

    Attributes
    ----------
    net_inputs, outputs, slopes : list of ndarray, shape (M, n_out)
        r, a = g(r) and g'(r). A softmax has a whole matrix of slopes for each sample, of which this is the diagonal,
        ``a (1 - a)``.
    error_signals, deltas : list of ndarray, shape (M, n_out)
        e = dE/da and d = dE/dr = e g'(r).
    weight_gradients : list of ndarray, shape (n_in, n_out)
        dE/dW, summed over the samples.
    bias_gradients : list of ndarray, shape (n_out,)
        dE/db.
    error : float
        E, the error: by default half the sum of squared differences between outputs and targets.
    """

    net_inputs: list[Floats]
    outputs: list[Floats]
    slopes: list[Floats]
    error_signals: list[Floats]
    deltas: list[Floats]
    weight_gradients: list[Floats]
    bias_gradients: list[Floats]
    error: float

    def __repr__(self):
        """A table of shapes."""
        lists = {name: value for name, value in vars(self).items() if name != "error"}
        rows = [["layer", *lists]]
        for l, arrays in enumerate(zip(*lists.values(), strict=True)):
            rows.append([str(l + 1), *(str(array.shape) for array in arrays)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"Trace of {len(rows) - 1} layers, E = {self.error:.6g}; shapes:", *lines])

    def _repr_html_(self):
        from fastbp import notebook
        return notebook.of_trace(self)


class Network(Core):
    """A fully connected network that learns by backpropagation.

    Neuron B of a layer computes ``a_B = g(sum_A a_A w_AB + b_B)`` from the outputs a_A of the layer before. Learning is
    gradient descent on the error E, by default half the sum of squared differences between outputs y and targets t:
    ``E = 1/2 sum (y - t)**2``.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, then of neurons in each layer; at least two numbers, all positive.
    activation : str or sequence of str, default "sigmoid"
        One name for all layers, or a sequence with one for each layer. identity, threshold, sigmoid, tanh, relu,
        leaky_relu (slope 0.01 below 0), elu, softplus, silu, gelu (the exact one), softsign, gaussian
        (``exp(-r**2)``), sin, exp, softmax; or an alias: linear, step, logistic, swish. The threshold is 1 where
        r >= 0, else 0, and its slope is taken as 1: on a single layer that is the perceptron rule.
    output_activation : str, optional
        Another activation for the last layer.
    loss : str, Huber, Quantile or callable, default "squared_error"
        What is summed over outputs y and samples to give E: "squared_error" ``(y - t)**2 / 2``,
        "absolute_error" ``|y - t|``, "huber", "log_cosh" ``log(cosh(y - t))``, "quantile"; "poisson", half the
        deviance ``y - t + t log(t / y)``, for exp outputs and ``t >= 0``; "binary_cross_entropy"
        ``-t log(y) - (1 - t) log(1 - y)`` for sigmoid outputs and t from 0 to 1; "cross_entropy" ``-t log(y)`` for a
        softmax, whose targets are a row of probabilities for each sample or its integer label. `Huber` and `Quantile`
        have a parameter. A function ``(Y, T) -> (E, dE/dY)`` is called with up to 512 samples at a time, and its E must
        be a sum over them. docs/method.md has the formulas and their sources.
    reduction : {"sum", "mean"}, default "sum"
        "mean" divides E and its gradient by the number of samples.
    dtype : {"float64", "float32"}, default "float64"
        The type of the parameters and of all arithmetic.
    init : str, uniform, sequence of one for each layer, or array_like of shape (n_params,), default "auto"
        "auto" draws the weights into a layer uniformly from +-sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010), or
        from +-sqrt(6 / n_in) for the relu family (He et al. 2015), and its biases from +-sqrt(6 / n_in). Three rules as
        published, with biases of 0 and whatever the activation, are "glorot" and "he" with the intervals above and
        "lecun" with +-sqrt(3 / n_in) (LeCun et al. 1998). "nguyen_widrow" spreads the bends of a layer's neurons over
        inputs from -1 to 1 (Nguyen and Widrow 1990), where its activation is tanh, sigmoid, softsign or gaussian;
        other layers are drawn as by "auto". "zeros" sets weights and biases to 0; the neurons of a hidden
        layer would then stay alike, so it is for networks of one layer. `uniform` draws weights and biases from an
        interval of your own. A sequence holds one of these, or (W, b), for each layer; a vector sets `params`.
    seed, rng : int or numpy.random.Generator, optional
        Seed or generator for the initial weights and the order of samples in `fit`; by default the system's entropy.
        The two are names for one argument (`rng` is that of SPEC 7); give only one of them.

    Attributes
    ----------
    weights, biases : tuple of ndarray, shapes (n_in, n_out) and (n_out,)
        Live views: what is written into them takes effect at the next call.
    params : ndarray, shape (n_params,)
        All weights and biases as a new read-only vector; assign a vector to set them.
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
    Threads may share a network, in a free-threaded Python too: predictions, gradients and Jacobians run side by side,
    and wait for at most one update of a training. Nothing guards against writing into `weights` while another thread
    trains. Subnormal numbers count as 0 in every call.

    Examples
    --------
    >>> import fastbp
    >>> X, T = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> net = fastbp.Network([2, 3, 1], activation="tanh", output_activation="sigmoid", seed=3)
    >>> history = net.fit(X, T, epochs=2000, learning_rate=0.5)
    >>> net.predict(X).round().ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    __slots__ = ("__weakref__", "_random")     # _random: a Generator, or what one is made from

    def __init__(self, layer_sizes: Iterable[int], activation: str | Iterable[str] = "sigmoid",
                 output_activation: str | None = None, *,
                 loss: Loss = "squared_error", reduction: str = "sum", dtype: DTypeLike = "float64",
                 init: Init = "auto", seed: Seed | None = None, rng: Seed | None = None) -> None:
        self._build(layer_sizes, activation, output_activation, loss, reduction, dtype)
        self._random = _generator(seed, rng)
        self._initialise(init)

    def _build(self, layer_sizes, activation, output_activation, loss, reduction, dtype):
        """Set up all but the random numbers and the parameters."""
        sizes = _layer_sizes(layer_sizes)
        activations = _activations(activation, output_activation, len(sizes) - 1)
        loss, kind, parameter = _loss(loss, activations[-1])
        facts, outputs = losses.TABLE.get(kind, losses.Facts()), activation_table.TABLE[activations[-1]]
        if activations[-1] == "softmax" and sizes[-1] == 1:
            raise ValueError("output_activation 'softmax' needs two or more outputs, got 1, which would always be 1; "
                             "use 'sigmoid' for two classes")
        super().__init__(sizes, activations, loss, kind, parameter, facts.activation is not None, facts.targets,
                         (outputs.low, outputs.high), one_of("reduction", reduction, ("sum", "mean")), _dtype(dtype))

    @property
    def _rng(self):
        """The generator for the initial weights, and for `fit` without a seed.

        A copy makes its generator only when it is needed, because that takes as long as the rest of copying.
        """
        if isinstance(self._random, tuple):
            made, state = self._random
            bit_generator = made()
            bit_generator.state = state
            self._random = np.random.Generator(bit_generator)
        return self._random

    def _initialise(self, init):
        refuse_class("init", init)
        if isinstance(init, (str, uniform)):
            init = [init] * len(self.weights)
        elif isinstance(init, np.ndarray) or not _is_layer_by_layer(init):
            try:
                self.params = init
            except (TypeError, ValueError) as error:
                raise type(error)(f"init: {error}") from None
            return
        if len(init) != len(self.weights):
            raise ValueError(f"init must hold a name, a fastbp.uniform or (W, b) for each of the {len(self.weights)} "
                             f"layers, got {len(init)} of them")
        weights, biases, spread = [], [], []    # the arrays to draw, each with its interval; what comes after
        for l, rule in enumerate(init):
            if isinstance(rule, (str, uniform)):
                of_W, of_b, after = drawing(rule, self, l)
                if after is not None:
                    spread.append((after, self.weights[l], self.biases[l]))
                weights.append((self.weights[l], of_W))
                biases.append((self.biases[l], of_b))
            else:
                self._set_layer(l, rule)
        # Weights are drawn first, so that those of a seed do not depend on how biases are drawn.
        for values, (low, high) in weights + biases:
            values[...] = self._rng.uniform(low, high, values.shape)
        for after, W, b in spread:
            after(W, b)

    def _set_layer(self, l, pair):
        try:
            W, b = pair
        except (TypeError, ValueError):
            raise TypeError("init must hold a name, a fastbp.uniform or (W, b) for each layer, "
                            f"got {came(pair)} for layer {l}") from None
        for name, target, values in (("W", self.weights[l], W), ("b", self.biases[l], b)):
            values = as_reals(values, f"init: {name} of layer {l}", self.dtype)
            if values.shape != target.shape:
                raise ValueError(f"init: {name} of layer {l} must have the shape {target.shape}, got {values.shape}")
            target[...] = values

    def layer_outputs(self, X: ArrayLike) -> list[Floats]:
        """Outputs of every layer.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs; NaN and infinity are allowed.

        Returns
        -------
        list of ndarray, shape (n_out,) or (M, n_out)
            The outputs of each layer of neurons in turn; the last are what `predict` gives.

        Raises
        ------
        ValueError, TypeError
            If X has the wrong shape, length or dtype.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1, 1], "identity", init=[([[2.0]], [0.0]), ([[3.0]], [0.5])])
        >>> net.layer_outputs([1.0])
        [array([2.]), array([6.5])]
        """
        single, _, outputs, _ = self._layers(X)
        return [rows[0] for rows in outputs] if single else outputs

    def hessian(self, X: ArrayLike) -> Floats:
        """Second derivatives d2y/dx2 of the outputs with respect to the inputs, for smooth activations.

        The first derivatives J and the second ones H are carried through the layers from the inputs on: weights turn
        them into ``W.T J`` and ``W.T H``, and an activation into ``g'(r) J`` and ``g'(r) H + g''(r) J J.T``.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.

        Returns
        -------
        ndarray, shape (n_outputs, n_inputs, n_inputs) or (M, n_outputs, n_inputs, n_inputs)
            A symmetric matrix for each output.

        Raises
        ------
        ValueError, TypeError
            If X has the wrong shape, length or dtype, or is not finite; or if an activation lacks a second derivative
            somewhere: threshold, relu, leaky_relu, elu, softsign.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "exp", init=[([[2.0]], [0.0])])
        >>> net.hessian([0.0])
        array([[[4.]]])
        """
        # Imported here, because few programs need it.
        from fastbp.hessians import hessian
        return hessian(self, X)

    def backprop(self, X: ArrayLike, T: ArrayLike) -> Trace:
        """Run forward and backward, and return all that is computed on the way; the parameters do not change.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; with one output also (M,), or a number for a single sample.

        Returns
        -------
        Trace
            Net inputs, outputs, slopes, error signals, deltas and gradients of each layer, and E.

        Raises
        ------
        ValueError, TypeError
            If X or T has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1, 1], "identity", init=[([[2.0]], [0.0]), ([[3.0]], [0.0])])
        >>> trace = net.backprop([1.0], [4.0])
        >>> trace.error_signals
        [array([6.]), array([2.])]
        """
        single, r, a, s, e, d, gradient, error = self._trace(X, T)
        if single:
            r, a, s, e, d = ([rows[0] for rows in layers] for layers in (r, a, s, e, d))
        weight_gradients, bias_gradients = [], []
        for W, b in zip(self.weights, self.biases, strict=True):
            of_w, of_b, gradient = np.split(gradient, [W.size, W.size + b.size])
            weight_gradients.append(of_w.reshape(W.shape))
            bias_gradients.append(of_b)
        return Trace(r, a, s, e, d, weight_gradients, bias_gradients, error)

    def fit(self, X: ArrayLike | Iterable[tuple[ArrayLike, ArrayLike]] | Callable[[], Iterable[tuple[Any, Any]]],
            T: ArrayLike | None = None, *, epochs: int = 100, batch_size: int | str | None = None,
            learning_rate: float | None = None, optimizer: str | Optimizer | WholeBatch = "sgd",
            shuffle: bool = True, seed: Seed | None = None, rng: Seed | None = None, desired_error: float | None = None,
            verbose: bool | str = False, sample_weight: ArrayLike | None = None,
            class_weight: dict[int, float] | str | None = None,
            validation_data: tuple[ArrayLike, ArrayLike] | None = None, validation_fraction: float | None = None,
            patience: int | None = None, min_delta: float = 0.0, time_limit: float | None = None,
            callbacks: Callback | Iterable[Callback] = (), schedule: Schedule | None = None,
            checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int = 1,
            resume: str | os.PathLike[str] | None = None,
            dropout: float | Sequence[float] = 0.0, threads: int | None = None) -> History:
        """Train on a set of samples, epoch after epoch, from the parameters that the network has.

        Parameters
        ----------
        X : array_like, shape (M, n_inputs); or batches
            Inputs, finite; at least one sample. A contiguous array or memory map of the network's dtype is read in
            place. Without T, X is an iterable of batches (X, T) that is gone through anew in each epoch, or a function
            without arguments that returns one. Each batch is one update.
        T : array_like, shape (M, n_outputs), optional
            Targets, finite; with one output also (M,). Leave T out with batches, which have their own.
        epochs : int, default 100
            Number of passes over all samples, at most.
        batch_size : int or "full", optional
            Samples for each update: 1, the default, is on-line learning, and "full" is batch learning. "full" is the
            default for Rprop, which warns of less. The last batch may be smaller. Leave it out where X gives batches.
        learning_rate : float, optional
            h in ``w <- w - h dE/dw``; positive and finite. By default that of the optimizer. For "sgd" it is 0.1
            divided by the number of samples that an update sums over, or 0.1 where the reduction is "mean".
        optimizer : str or optimizer, default "sgd"
            "sgd", "rprop", "rmsprop", "adagrad", "adam", "adamw" or "nadam", or an object, as from
            ``fastbp.Adam(0.01)``. A name stands for a new one with default settings; an object continues from its last
            step, with its own rate. Two take all samples for every step, and no learning_rate, batch_size, schedule or
            dropout: "lm" is `LevenbergMarquardt`, for small networks and the squared error, and "lbfgs" SciPy's
            L-BFGS, which takes no checkpoint; it needs ``pip install "fastbp[scipy]"``.
        shuffle : bool, default True
            Whether each epoch presents the samples in a new random order. Batches are taken as they come.
        seed, rng : int or numpy.random.Generator, optional
            Seed or generator for that order, for `validation_fraction` and for `dropout`; by default the network's own
            generator. The two are names for one argument; give only one of them.
        desired_error : float, optional
            Stop after the first epoch whose RMS error is not above this.
        verbose : bool or "tqdm", default False
            Print the progress: on a terminal in one line that is rewritten, elsewhere in ten lines; "tqdm" shows its
            bar, and needs ``pip install "fastbp[progress]"``.
        sample_weight : array_like, shape (M,), optional
            A factor for each sample's error, not negative. Validation errors are not weighted.
        class_weight : dict or "balanced", optional
            A factor for the samples of each class, by its label: an integer target, the position of the 1 in a row, or
            the 0 or 1 of a single output. "balanced" is M / (number of classes * samples of the class). It is
            multiplied by `sample_weight`.
        validation_data : tuple (X, T), optional
            Samples whose error is computed after each epoch, and which are not trained on.
        validation_fraction : float, optional
            Hold out this part of the samples for validation: random rows, or the last ones with ``shuffle=False``.
            Random rows are copied, so they are refused for a memory map.
        patience : int, optional
            Stop when for this many epochs in a row the validation error has not fallen by more than `min_delta` below
            its lowest. However training ends, also by Ctrl-C, a DivergenceError or an exception in a callback, the
            network gets back the parameters of the epoch with the lowest validation error.
        min_delta : float, default 0.0
            See `patience`.
        time_limit : float, optional
            Stop after the first epoch that ends this many seconds or more after the call. A training that is resumed
            has the whole time again.
        callbacks : callable, object or sequence of them, optional
            Functions, or objects with a method ``on_epoch``, that are called with an `EpochState` after each epoch.
            Training stops when one returns True. An exception in one ends training and reaches the caller; the network
            keeps the finished epoch's parameters, or with `patience` the best ones.
        schedule : str, object of fastbp.schedules or callable, optional
            What the optimizer's learning rate is multiplied by in each epoch: "constant", "invscaling", "adaptive",
            "step", "cosine", "warmup", an object such as ``fastbp.schedules.Step(every=20)``, or a function of the
            epoch, counted from 0. A factor must be positive and finite; a rate below the smallest normal number of the
            network's dtype is raised to it. The optimizer gets its own rate back when training has ended.
        checkpoint : str or os.PathLike, optional
            File to write the state of the training to, after every `checkpoint_every` epochs and after the last; an
            older file is replaced once the new one is complete on disk.
        checkpoint_every : int, default 1
            See `checkpoint`.
        resume : str or os.PathLike, optional
            Checkpoint to continue from. Parameters, optimizer, random numbers, History, early stopping and schedule
            continue bit for bit as if training had never been interrupted. Give the data and all other arguments again;
            `epochs` counts from the very beginning. Arguments that contradict the checkpoint are refused, and so is a
            schedule that would have had other rates with these `epochs`; only the conditions for stopping may change.
        dropout : float or sequence of float, default 0.0
            Probability, below 1, with which each output of a hidden layer is left out of an update (Srivastava et al.
            2014); one for all hidden layers or one for each.
        threads : int, optional
            How many threads may share a batch, if there is enough work in it; by default `get_num_threads()`. With
            dropout or a loss of your own it is always one. The results do not depend on it.

        Returns
        -------
        History
            The error E and the RMS error of every epoch, and why training stopped. Ctrl-C stops it too; the network
            then keeps what it has learnt, or with `patience` its best parameters.

        Raises
        ------
        ValueError, TypeError
            If an argument is out of range, has the wrong shape, length or type, or contradicts another; the parameters
            have not changed then. If a batch or a schedule's factor is wrong; the parameters are then those from before
            that epoch, or with `patience` the best ones. If E is not finite because the parameters were not.
        DivergenceError
            If E or an update is not finite; `sample` is a row of X, or of the epoch's batches one after another.
            If the RMS error of an epoch is a million times that of the first one; `sample` is then None.
            The network keeps its last finite parameters, with batches those from before the epoch, or with `patience`
            the best.
        FormatError
            If the file to resume from is not a checkpoint, is damaged or has another version. This is a ValueError.
        MemoryError
            If Levenberg-Marquardt's matrices of n_params**2 numbers do not fit into memory.
        OSError
            If a checkpoint cannot be written or read.

        Warns
        -----
        UnreachableTargetsWarning
            Once for each network, if targets lie outside the range of the outputs.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[0.0]], [0.0])])
        >>> history = net.fit([[1.0], [2.0]], [[3.0], [5.0]], epochs=1000, desired_error=1e-6)
        >>> history.stop_reason
        'desired_error'
        """
        rng = self._rng if seed is None and rng is None else _generator(seed, rng)
        # Not locals(), which is slower: a short training takes as long as a few calls of Python.
        return fit(self, X, T, Options(
            epochs, batch_size, learning_rate, optimizer, shuffle, desired_error, verbose, sample_weight, class_weight,
            validation_data, validation_fraction, patience, min_delta, time_limit, callbacks, schedule, checkpoint,
            checkpoint_every, resume, dropout, threads), rng)

    @property
    def capsule(self) -> object:
        """A PyCapsule with a handle for C and Cython (fastbp.h): a new one each time, with its own memory to work in.

        It keeps the network alive, and must live for as long as its handle is used. Any number of handles may predict
        from one network at once, one thread each.

        Examples
        --------
        >>> import fastbp
        >>> fastbp.Network([2, 1]).capsule                  # doctest: +ELLIPSIS
        <capsule object "fastbp.handle" at ...>
        """
        return Handle(self).capsule

    @property
    def ctypes(self) -> embedding.Interface:
        """A handle like `capsule`'s and the functions of fastbp.h, for ctypes, Numba and scipy.LowLevelCallable.

        Examples
        --------
        >>> import fastbp
        >>> import numpy as np
        >>> net = fastbp.Network([2, 1], "identity", init=[([[1.0], [2.0]], [3.0])])
        >>> c = net.ctypes
        >>> x, y = np.array([10.0, 20.0]), np.empty(1)
        >>> c.predict(c.handle, x.ctypes.data, 1, y.ctypes.data)
        0
        >>> y
        array([53.])
        """
        return embedding.of_ctypes(Handle(self))

    @property
    def cffi(self) -> embedding.Interface:
        """The same by cffi, which the extra of that name installs."""
        return embedding.of_cffi(Handle(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file that `fastbp.load` reads; docs/file-format.md describes it.

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
        >>> net = fastbp.Network([2, 1], seed=1)
        >>> net.save("small.fastbp")
        >>> fastbp.load("small.fastbp")
        Network([2, 1], ['sigmoid'], float64, 3 parameters)
        """
        io.write(path, io.dumps(self))

    def to_c(self, path: str | os.PathLike[str], name: str | None = None, jacobian: bool = False, *,
             libm: bool = False, int16: ArrayLike | None = None) -> Floats | None:
        """Write the network as a C header of its own: its parameters, and a function that predicts.

        The header defines ``NAME_N_INPUTS``, ``NAME_N_OUTPUTS`` and ``void NAME_predict(const real *x, real *y)``,
        where real is double or float as the network's dtype. It is C99 and C++17, allocates nothing, and everything in
        it is static, inline or const. Its outputs are those of `predict` within the bound of docs/embedding.md.

        Parameters
        ----------
        path : str or os.PathLike
            An existing file is replaced once the new one is complete on disk.
        name : str, optional
            What stands for NAME, of letters, digits and underscores; by default the name of the file without its
            ending.
        jacobian : bool, default False
            Whether there is ``void NAME_jacobian(const real *x, real *y, real *jacobian)``, too, which gives y and its
            derivatives by x, row-major n_outputs x n_inputs. They are taken forwards or backwards through the layers,
            whichever takes fewer multiplications; backwards needs each weight twice in memory.
        libm : bool, default False
            Whether activations call the C library's exp, tanh and so on. The header is shorter then, and its functions
            take several times as long; without, it has functions of its own.
        int16 : array_like, shape (M, n_inputs), optional
            Samples of the inputs for a header in 16-bit integers, ``void NAME_predict(const int16_t *x, int16_t *y)``,
            for processors without floating point. An input is ``x[i] * 2**-NAME_x_bits[i]``, an output
            ``y[k] * 2**-NAME_y_bits[k]``; these samples say how large the numbers get, and larger ones are cut off.

        Returns
        -------
        None, or ndarray, shape (n_outputs,)
            With `int16`, the largest error of each output at the samples.

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong, `int16` comes with `jacobian` or `libm`, or a parameter is not finite.
        OSError
            If the file cannot be written; an existing one is then what it was.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 3, 1], "tanh", seed=1)
        >>> net.to_c("pump.h", jacobian=True)
        >>> from pathlib import Path
        >>> "pump_jacobian" in Path("pump.h").read_text()
        True
        >>> net.to_c("pump.h", int16=[[-1.0, -1.0], [1.0, 1.0]]).shape
        (1,)
        """
        # Imported when it is asked for, which few do.
        from fastbp.c_source import to_c

        def activate(activation, r):
            return Network([1, 1], activation, init=[1.0, 0.0]).predict(r[:, None])[:, 0]

        return to_c(self, path, name, jacobian, libm, int16, activate)

    @classmethod
    def from_description(cls, description: io.Description) -> Network:
        """The network that a file describes; `fastbp.io.loads` reads a description from bytes.

        Parameters
        ----------
        description : fastbp.io.Description

        Returns
        -------
        Network

        Raises
        ------
        FormatError
            If `fastbp.io.dumps` cannot have made it from a network. This is a ValueError.

        Examples
        --------
        >>> import fastbp
        >>> data = fastbp.io.dumps(fastbp.Network([2, 1], seed=1))
        >>> fastbp.Network.from_description(fastbp.io.loads(data))
        Network([2, 1], ['sigmoid'], float64, 3 parameters)
        """
        sizes, activations, loss, reduction, dtype, params = description
        try:
            net = cls(sizes, activations, loss=loss, reduction=reduction, dtype=dtype, init=params)
        except (TypeError, ValueError) as error:
            raise io.FormatError(f"this does not describe a network: {error}") from error
        # Users may spell a name in several ways; a file must have it as a network does.
        for name, got in (("activations", activations), ("loss", loss), ("reduction", reduction)):
            if getattr(net, name) != got:
                raise io.FormatError(f"{name} must be spelled {getattr(net, name)}, got {got}")
        return net

    def copy(self) -> Network:
        """An independent network with the same parameters; its random numbers continue from this one's state.

        Returns
        -------
        Network

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], seed=1)
        >>> bool((net.copy().params == net.params).all())
        True
        """
        bits = self._rng.bit_generator
        net = _rebuild(type(self), self._arguments(), self.params)
        of_dict, of_slots = object.__getstate__(self)
        # A subclass may have attributes of its own.
        for name, value in {**(of_dict or {}), **of_slots, "_random": (type(bits), bits.state)}.items():
            setattr(net, name, value)
        return net

    __copy__ = copy

    def __reduce__(self):
        return _rebuild, (type(self), self._arguments(), self.params), object.__getstate__(self)

    def _arguments(self):
        """The arguments that make a `Network` of this architecture."""
        return {"layer_sizes": self.layer_sizes, "activation": self.activations, "loss": self.loss,
                "reduction": self.reduction, "dtype": self.dtype.name}

    def __repr__(self):
        return (f"{type(self).__name__}({list(self.layer_sizes)}, {list(self.activations)}, {self.dtype.name}, "
                f"{self.n_params:,} parameters)")

    def _repr_html_(self):
        from fastbp import notebook
        return notebook.of_network(self)


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that `Network.save` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        A file or a pipe. No more is read than its first bytes announce.

    Returns
    -------
    Network

    Raises
    ------
    FormatError
        If the file is not from fastbp, has another format version, is truncated, damaged or followed by other bytes,
        or does not describe a network. This is a ValueError.
    OSError
        If the file cannot be read.

    See Also
    --------
    Network.save : has an example.
    """
    with io.naming(os.fsdecode(path)):
        return Network.from_description(io.described(*io.read(io.NETWORK, path)))


def _rebuild(cls, arguments, params):
    """A network made without `__init__`, as a subclass's may take other arguments; `_random` is not set yet."""
    net = cls.__new__(cls)
    net._build(output_activation=None, **arguments)
    net.params = params
    return net


def _layer_sizes(sizes):
    try:
        sizes = tuple(sizes)
    except TypeError:
        raise TypeError("layer_sizes must be a sequence of integers, for example [3, 10, 1], got "
                        f"{came(sizes)}") from None
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes must hold the number of inputs and the size of at least one layer, got "
                         f"{list(sizes)}")
    return tuple(positive_integer(f"layer_sizes[{l}]", size) for l, size in enumerate(sizes))


def _activations(activation, output_activation, n_layers):
    if isinstance(activation, str):
        names = [activation] * n_layers
    else:
        try:
            names = list(activation)
        except TypeError:
            raise TypeError(f"activation must be a name or a sequence of names, got {activation!r}") from None
        if len(names) != n_layers:
            raise ValueError(f"activation must hold one name for each of the {n_layers} layers, got {len(names)}")
        if output_activation is not None:
            raise ValueError("output_activation must be left out where activation is a sequence, "
                             f"got {output_activation!r}")
    if output_activation is not None:
        names[-1] = output_activation
    known = *activation_table.TABLE, *activation_table.ALIASES
    arguments = ["activation"] * (n_layers - 1) + [
        "activation" if output_activation is None else "output_activation"]
    names = [one_of(argument, name, known) for argument, name in zip(arguments, names, strict=True)]
    return tuple(activation_table.ALIASES.get(name, name) for name in names)


def _loss(loss, output_activation):
    """(the loss as a network has it, a key of losses.TABLE or a callable for the core, its parameter)."""
    refuse_class("loss", loss)
    if not callable(loss) and not isinstance(loss, losses.WITH_PARAMETER):
        name = one_of("loss", loss, losses.TABLE, "a loss object, a function")
        wanted = losses.TABLE[name].activation
        if wanted not in (None, output_activation):
            raise ValueError(f"loss {name!r} needs output_activation {wanted!r}, got {output_activation!r}")
        loss = losses.DEFAULTS.get(name, name)
    if isinstance(loss, losses.WITH_PARAMETER):
        return loss, loss.kind, loss.parameter
    return loss, loss, 0.0


def _dtype(dtype):
    try:
        dtype = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}") from None
    if dtype not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    return dtype.newbyteorder("=")


def _generator(seed, rng):
    """The generator that one of the two stands for, or a new one."""
    if seed is not None and rng is not None:
        raise ValueError(f"seed and rng are two names for one argument; give one of them, got {seed!r} and {rng!r}")
    argument, value = ("seed", seed) if rng is None else ("rng", rng)
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{argument} must be None, a non-negative integer or a numpy.random.Generator, "
                          f"got {value!r}") from None


def _is_layer_by_layer(init):
    """Whether `init` is a sequence of rules and pairs (W, b), and not one flat vector."""
    try:
        return len(init) > 0 and (any(isinstance(rule, (str, uniform)) for rule in init)
                                  or all(len(pair) == 2 for pair in init))
    except TypeError:
        return False
