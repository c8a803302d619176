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
    @cython.critical_section
    def learning_rate(self):
        """h; positive and finite, and may be changed between steps."""
        return self.numbers.learning_rate

    @learning_rate.setter
    @cython.critical_section
    def learning_rate(self, value):
        self.numbers.learning_rate = checked_rate(value)

    @property
    @cython.critical_section
    def steps(self):
        """Updates made since the state was new."""
        return self.numbers.steps

    @cython.critical_section
    def reset(self):
        """Forget the state, as if no step had been made; another network may use the optimizer then."""
        self.adopt(None, None, None, 0)

    cdef int adopt(self, Core net, Memory mean, Memory square, ptrdiff_t steps) except -1:
        """Take up this state at once: nothing here lets another thread run before all of it is there."""
        _old = (self.net_like, self.mean, self.square)      # what they leave may end with code of the user's
        self.net_like, self.mean, self.square = net, mean, square
        self.numbers.mean = NULL if mean is None else mean.data
        self.numbers.square = NULL if square is None else square.data
        self.numbers.steps = steps
        return 0

    @cython.critical_section
    cdef tuple attach(self, Core net, fastbp_optimizer* numbers):
        """Copy the numbers for a step of this network; what is returned must live as long as they are used.

        Another thread may reset() or attach() at each call of Python's that is made here, but not between two lines
        that make none.
        """
        cdef Core like
        cdef Memory mean, square
        if self.rates is not None and len(self.rates) != net.net.n_layers:
            raise ValueError(f"layer_rates must hold one number for each of the {net.net.n_layers} layers, "
                             f"got {len(self.rates)}")
        while self.net_like is not net and self.numbers.method != FASTBP_SGD:       # plain descent has no state
            like = self.net_like
            if like is None:
                net.demand_rate(self.numbers.learning_rate)     # the first step of Rprop's parameters
                mean, square = self.new_state(net)
                if self.net_like is None:
                    self.adopt(net, mean, square, self.numbers.steps)
            elif (net.layer_sizes, net.dtype, net.lanes) != (like.layer_sizes, like.dtype, like.lanes):
                raise ValueError(f"optimizer holds the state of a network of layer_sizes {like.layer_sizes} and "
                                 f"{like.dtype}, this one has {net.layer_sizes} and {net.dtype}; reset() it first")
            elif self.net_like is like:
                self.net_like = net
        numbers[0] = self.numbers
        mean, square = self.mean, self.square
        return mean, square

    cdef tuple new_state(self, Core net):
        cdef Memory mean = None, square = None
        _, has_mean, has_square = self.layout
        if has_mean:
            mean = Memory(net.net.n_params * net.itemsize)
        if self.numbers.method == FASTBP_RPROP:
            square = net.padded_copy(np.full(net.n_params, self.numbers.learning_rate), "learning_rate")
        elif has_square:
            square = Memory(net.net.n_params * net.itemsize)
        return mean, square

    @cython.critical_section
    cdef int went_on(self, const fastbp_optimizer* numbers) except -1:
        """Note the steps that were made with the numbers of `attach`."""
        self.numbers.steps = numbers.steps
        return 0

    @cython.critical_section
    def _state(self):
        """What a checkpoint keeps: the number of steps, and the arrays in the order of `Network.params`, or None."""
        cdef Core net = self.net_like
        cdef Memory mean = self.mean, square = self.square
        return {"steps": self.numbers.steps, "mean": None if mean is None else net.compact(mean.data),
                "square": None if square is None else net.compact(square.data)}

    def _restore(self, Core net, state):
        """Take up a state that `_state` gave, for this network; nothing has changed where it does not fit."""
        cdef Memory mean = None, square = None
        steps, came = state["steps"], (state["mean"] is not None, state["square"] is not None)
        # A double counts no further, and JSON may hold any number.
        if type(steps) is not int or not 0 <= steps < 2**53:
            raise ValueError(f"steps must be a number of steps, got {steps!r:.80}")
        # Without steps there is no state yet.
        if came != self.layout[1:] and (steps > 0 or came != (False, False)):
            raise ValueError(f"optimizer {type(self).__name__} does not fit the state that was stored")
        if came[0]:
            mean = net.padded_copy(state["mean"], "mean")
        if came[1]:
            square = net.padded_copy(state["square"], "square")
        with cython.critical_section(self):
            self.adopt(net if True in came else None, mean, square, steps)
