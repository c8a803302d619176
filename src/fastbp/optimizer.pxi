# Part of _core.pyx: numbers and state of an optimizer; its loops are in _kernels/update.pxi.

# Its number, and whether it has an array `mean` and an array `square` of the parameters' layout.
cdef dict METHODS = {
    "sgd": (FASTBP_SGD, False, False), "momentum": (FASTBP_MOMENTUM, True, False),
    "nesterov": (FASTBP_NESTEROV, True, False), "adam": (FASTBP_ADAM, True, True),
    "nadam": (FASTBP_NADAM, True, True), "rmsprop": (FASTBP_RMSPROP, False, True),
    "adagrad": (FASTBP_ADAGRAD, False, True), "rprop": (FASTBP_RPROP, True, True),
}


cdef class Optimizer:
    """Numbers and state of an optimizer; `fastbp.optimizers` has the classes that users make.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    learning_rate, beta_1, beta_2, epsilon, largest, decay, l1, l2, clip, max_norm : float
        As `fastbp_optimizer` in kernels.h has them.
    rates : sequence of float, optional
        One factor of the learning rate for each layer.
    """
    cdef fastbp_optimizer numbers
    cdef tuple layout        # the method's entry in METHODS
    cdef object rates
    cdef Memory mean, square
    cdef Core net_like       # a network of the layout that the state has

    def __init__(self, method, learning_rate, *, beta_1=0.0, beta_2=0.0, epsilon=0.0, largest=0.0, decay=0.0, l1=0.0,
                 l2=0.0, clip=0.0, max_norm=0.0, rates=None):
        self.layout = METHODS[method]
        self.numbers.method = self.layout[0]
        self.numbers.beta_1, self.numbers.beta_2 = beta_1, beta_2
        self.numbers.epsilon, self.numbers.largest = epsilon, largest
        self.numbers.l1, self.numbers.l2, self.numbers.decay = l1, l2, decay
        self.numbers.clip, self.numbers.max_norm = clip, max_norm
        self.rates = None if rates is None else np.array(rates, np.float64)
        self.numbers.rates = NULL       # __init__ may be called again
        if self.rates is not None:
            self.numbers.rates = <const double*>cnp.PyArray_DATA(self.rates)
        self.learning_rate = learning_rate
        self.reset()

    def _like_sklearn(self, double alpha):
        """Take means, the penalty alpha and Adam's epsilon as scikit-learn does (kernels.h)."""
        self.numbers.batch_means = self.numbers.plain_epsilon = True
        self.numbers.l2 = alpha

    @property
    def learning_rate(self):
        """h; positive and finite, and may be changed between steps."""
        return self.numbers.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.numbers.learning_rate = checked_rate(value)

    @property
    def steps(self):
        """Updates made since the state was new."""
        return self.numbers.steps

    def reset(self):
        """Forget the state, as if no step had been made; another network may use the optimizer then."""
        self.numbers.steps = 0
        self.numbers.mean = self.numbers.square = NULL
        self.mean = self.square = self.net_like = None

    cdef fastbp_optimizer* attach(self, Core net) except NULL:
        """The numbers for a step of this network."""
        if self.rates is not None and len(self.rates) != net.net.n_layers:
            raise ValueError(f"layer_rates must hold one number for each of the {net.net.n_layers} layers, "
                             f"got {len(self.rates)}")
        if self.net_like is net or self.numbers.method == FASTBP_SGD:
            return &self.numbers        # plain descent has no state
        if self.net_like is not None and (net.layer_sizes, net.dtype, net.lanes) != (
                self.net_like.layer_sizes, self.net_like.dtype, self.net_like.lanes):
            raise ValueError(f"optimizer holds the state of a network of layer_sizes {self.net_like.layer_sizes} and "
                             f"{self.net_like.dtype}, this one has {net.layer_sizes} and {net.dtype}; reset() it first")
        if self.net_like is None:
            net.demand_rate(self.numbers.learning_rate)     # the first step of Rprop's parameters
            _, has_mean, has_square = self.layout
            if has_mean:
                self.mean = Memory(net.net.n_params * net.itemsize)
                self.numbers.mean = self.mean.data
            if has_square:
                self.square = Memory(net.net.n_params * net.itemsize)
                self.numbers.square = self.square.data
            if self.numbers.method == FASTBP_RPROP:
                steps = np.full(net.n_params, self.numbers.learning_rate, net.dtype)
                net.copy_flat(self.square.data, cnp.PyArray_BYTES(steps), False)
        self.net_like = net
        return &self.numbers

    def _state(self):
        """What a checkpoint keeps: the number of steps, and the arrays in the order of `Network.params`, or None."""
        cdef Core net = self.net_like
        cdef Memory memory
        state = {"steps": self.steps, "mean": None, "square": None}
        for name, array in (("mean", self.mean), ("square", self.square)):
            if array is not None:
                memory = array
                state[name] = np.empty(net.n_params, net.dtype)
                net.copy_flat(memory.data, cnp.PyArray_BYTES(state[name]), True)
        return state

    def _restore(self, Core net, state):
        """Take up a state that `_state` gave, for this network; nothing has changed where it does not fit."""
        cdef Memory memory
        _, has_mean, has_square = self.layout
        steps, flat = state["steps"], {}
        # A double counts no further, and JSON may hold any number.
        if type(steps) is not int or not 0 <= steps < 2**53:
            raise ValueError(f"steps must be a number of steps, got {steps!r:.80}")
        for name, has_it in (("mean", has_mean), ("square", has_square)):
            # Without steps there is no state yet.
            if (state[name] is None) == has_it and (has_it is False or steps > 0):
                raise ValueError(f"optimizer {type(self).__name__} does not fit the state that was stored")
            if state[name] is not None:
                flat[name] = as_reals(state[name], name, net.dtype)
                if np.shape(flat[name]) != (net.n_params,):
                    raise ValueError(f"{name} must have the shape ({net.n_params},), got {np.shape(flat[name])}")
        self.reset()
        self.attach(net)
        for name, values in flat.items():
            memory = self.mean if name == "mean" else self.square
            net.copy_flat(memory.data, cnp.PyArray_BYTES(values), False)
        self.numbers.steps = steps
