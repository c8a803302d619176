# Numbers and state of an optimizer; its loops are in _kernels/update.pxi.

cdef inline bint descends(int method) noexcept nogil:
    return method == FASTBP_SGD or method == FASTBP_MOMENTUM or method == FASTBP_NESTEROV


cdef class Optimizer:
    """Numbers and state of an optimizer; `fastbp.optimizers` has the classes that users make.

    Parameters
    ----------
    method : str
        A name of kernels.h.
    learning_rate, decay, l1, l2, clip, max_norm : float
        As `fastbp_optimizer` in kernels.h has them.
    rates : sequence of float, optional
        One factor of the learning rate for each layer.
    divided : bool
        Whether an update that sums over m samples takes the learning rate divided by m.
    **own : float
        The method's own numbers, by the names that kernels.h has for them.
    """
    cdef fastbp_optimizer numbers
    cdef str method
    cdef bint is_divided
    cdef cnp.ndarray rates
    cdef tuple state        # (mean, square, rates), which a step holds on to; another one after each reset
    cdef Layout layout      # that of mean and square

    def __init__(self, method, learning_rate, *, decay=0.0, l1=0.0, l2=0.0, clip=0.0, max_norm=0.0, rates=None,
                 bint divided=False, **own):
        cdef double own_numbers[4]
        cdef double decay_, l1_, l2_, clip_, max_norm_
        cdef int code
        number, names, _, _ = METHODS[method]
        code = number
        for i, name in enumerate(names):
            own_numbers[i] = own[name]
        decay_, l1_, l2_, clip_, max_norm_ = decay, l1, l2, clip, max_norm
        rates = None if rates is None else np.array(rates, np.float64)
        self.learning_rate = learning_rate
        # All has been checked; nothing from here on raises or lets another thread run.
        self.method, self.rates, self.is_divided = method, rates, divided
        self.numbers.method = code
        self.numbers.own = own_numbers
        self.numbers.l1, self.numbers.l2, self.numbers.decay = l1_, l2_, decay_
        self.numbers.clip, self.numbers.max_norm = clip_, max_norm_
        self.adopt(None, None, None, 0)

    def _like_sklearn(self, double alpha):
        """Take means, the penalty alpha and Adam's epsilon as scikit-learn does (kernels.h)."""
        self.numbers.batch_means = self.numbers.plain_epsilon = True
        self.numbers.l2 = alpha

    @property
    @cython.critical_section
    def learning_rate(self):
        """h; positive and finite, and may be changed between steps.

        An `SGD` made without one has 0.1, and divides it as its docstring says, also after a change.
        """
        return self.numbers.learning_rate

    @learning_rate.setter
    @cython.critical_section
    def learning_rate(self, value):
        self.numbers.learning_rate = checked_rate(value)

    @property
    def divided(self):
        """Whether an update that sums over m samples takes the learning rate divided by m, as in an `SGD` made without
        one."""
        return self.is_divided

    @property
    def descends(self):
        """Whether its steps grow with the gradient."""
        return descends(self.numbers.method)

    @property
    @cython.critical_section
    def steps(self):
        """Updates made since the state was new."""
        return self.numbers.steps

    @cython.critical_section
    def reset(self):
        """Forget the state, as if no step had been made; another network may then use the optimizer."""
        self.demand_state()
        self.adopt(None, None, None, 0)

    cdef bint adopt(self, Layout layout, cnp.ndarray mean, cnp.ndarray square, ptrdiff_t steps):
        """Take up this state at once: nothing here lets another thread run before all of it is there.

        Returns False, and changes nothing, where the state is not of the optimizer's present method: __init__ may have
        run again since the state was made.
        """
        cdef tuple state = (mean, square, self.rates)
        cdef const method_facts* facts = &methods[self.numbers.method]
        if layout is not None and (facts.has_mean, facts.has_square) != (mean is not None, square is not None):
            return False
        _old = (self.layout, self.state)    # what they leave may end with code of the user's
        self.layout, self.state = layout, state
        self.numbers.mean = NULL if mean is None else cnp.PyArray_DATA(mean)
        self.numbers.square = NULL if square is None else cnp.PyArray_DATA(square)
        self.numbers.rates = NULL
        if self.rates is not None:
            self.numbers.rates = <const double*>cnp.PyArray_DATA(self.rates)
        self.numbers.steps = steps
        return True

    @cython.critical_section
    cdef tuple attach(self, Model net, fastbp_optimizer* numbers, Py_ssize_t m):
        """Copy the numbers for steps of this network that take m samples each; what is returned must live as long as
        they are used.

        Another thread may reset() or attach() at each call of Python's that is made here, but not between two lines
        that make none.
        """
        cdef Layout layout
        cdef cnp.ndarray mean, square
        self.demand_state()
        while self.layout is not net and self.numbers.method != FASTBP_SGD:     # plain descent has no state
            layout = self.layout
            if layout is None:
                demand_rate(net, self.numbers.learning_rate)        # the first step of Rprop's parameters
                mean, square = self.new_state(net)
                if self.layout is None:
                    self.adopt(net, mean, square, self.numbers.steps)
            elif not net.is_like(layout) and self.numbers.steps == 0:
                self.adopt(None, None, None, 0)     # of a step that failed
            elif not net.is_like(layout):
                raise ValueError(f"optimizer holds the state of a network of layer_sizes {layout.layer_sizes} and "
                                 f"{layout.dtype}, but this one has {net.layer_sizes} and {net.dtype}; call reset() "
                                 "first")
            elif self.layout is layout:
                self.layout = net
        # After all that may have let another thread run __init__ again.
        if self.rates is not None and cnp.PyArray_DIM(self.rates, 0) != net.model.n_layers:
            raise ValueError(f"layer_rates must hold one number for each of the {net.model.n_layers} layers, "
                             f"got {len(self.rates)}")
        numbers[0] = self.numbers
        if self.is_divided and not net.mean:
            numbers.learning_rate /= m
        return self.state

    cdef int demand_state(self) except -1:
        if self.state is None:
            raise ValueError("the optimizer has not been initialised: its __init__ did not run to the end")
        return 0

    cdef tuple new_state(self, Model net):
        _, _, has_mean, has_square = METHODS[self.method]
        mean = net.zeros() if has_mean else None
        if self.numbers.method == FASTBP_RPROP:
            return mean, net.padded(np.full(net.n_params, self.numbers.learning_rate), "learning_rate")
        return mean, net.zeros() if has_square else None

    @cython.critical_section
    cdef int went_on(self, const fastbp_optimizer* numbers, tuple state) except -1:
        """Note the steps that were made with what `attach` gave, unless that has been reset meanwhile.

        If none was made, because the first was refused, the state is forgotten.
        """
        if self.state is state and numbers.steps == 0:
            self.adopt(None, None, None, 0)
        elif self.state is state:
            self.numbers.steps = numbers.steps
        return 0

    @cython.critical_section
    def _state(self):
        """What a checkpoint keeps: the number of steps, and the arrays in the order of `Network.params`, or None."""
        cdef Layout layout = self.layout
        cdef ptrdiff_t steps = self.numbers.steps
        self.demand_state()
        mean, square, _ = self.state
        return {"steps": steps, "mean": None if mean is None else layout.compact(mean),
                "square": None if square is None else layout.compact(square)}

    def _restore(self, Layout layout not None, state):
        """Take up a state that `_state` gave, for this layout; where it does not fit, nothing changes."""
        cdef cnp.ndarray mean = None, square = None
        self.demand_state()
        _, _, has_mean, has_square = METHODS[self.method]
        steps, came = state["steps"], (state["mean"] is not None, state["square"] is not None)
        # A double counts no further, and JSON may hold any number.
        if type(steps) is not int or not 0 <= steps < 2**53:
            raise ValueError(f"steps must be a number of steps, got {steps!r:.80}")
        # Without steps there is no state yet.
        if came != (has_mean, has_square) and (steps > 0 or came != (False, False)):
            raise ValueError(f"optimizer {type(self).__name__} does not fit the state that was stored")
        if came[0]:
            mean = layout.padded(state["mean"], "mean")
        if came[1]:
            square = layout.padded(state["square"], "square")
        with cython.critical_section(self):
            if not self.adopt(layout if True in came else None, mean, square, steps):
                raise ValueError("optimizer was initialised again while its state was being restored")

    def _step(self, Core net not None, gradient, Py_ssize_t m):
        """One update of a network by a gradient of m samples that was computed elsewhere.

        Returns False, and changes nothing, where it would leave the finite numbers.
        """
        cdef cnp.ndarray vector = net.vector(gradient, "gradient")
        cdef fastbp_optimizer numbers
        cdef tuple state = self.attach(net, &numbers, m)
        cdef Workspace work
        cdef double penalty = 0
        cdef bint done
        demand_rate(net, numbers.learning_rate)
        with cython.critical_section(net):
            work = net.training.take(net, 1)
            net.lock.enter(True)
            net.begin_change()
            net.kernels.copy_params(&net.model, gradient_at(net.kernels, work), cnp.PyArray_DATA(vector), False)
            done = net.kernels.update(&net.model, work, &numbers, 1, &penalty)
            net.end_change()
            net.lock.leave()
            if done:
                net.training.give_back(work)
        self.went_on(&numbers, state)
        return done

    # ---------------------------------------------------------------- copy, deepcopy, pickle

    def copy(self):
        """An independent optimizer with the same numbers and the state that this one has now.

        Returns
        -------
        optimizer
        """
        return copy.copy(self)

    def __reduce__(self):
        return _rebuild_optimizer, (type(self), self._everything()), object.__getstate__(self)

    def _everything(self):
        """Numbers and state in plain objects, independent of this processor's layout."""
        self.demand_state()
        numbers = self.numbers
        names = METHODS[self.method][1]
        layout = self.layout
        return {
            "method": self.method, "learning_rate": numbers.learning_rate,
            "numbers": {"decay": numbers.decay, "l1": numbers.l1, "l2": numbers.l2, "clip": numbers.clip,
                        "max_norm": numbers.max_norm, "rates": None if self.rates is None else self.rates.tolist(),
                        "divided": bool(self.is_divided),
                        **{name: numbers.own[i] for i, name in enumerate(names)}},
            "like_sklearn": bool(numbers.batch_means),
            "layout": None if layout is None else (layout.layer_sizes, layout.dtype.name),
            "state": self._state(),
        }

    def _become(self, everything):
        """Take up what `_everything` returned."""
        Optimizer.__init__(self, everything["method"], everything["learning_rate"], **everything["numbers"])
        if everything["like_sklearn"]:
            self._like_sklearn(everything["numbers"]["l2"])
        if everything["layout"] is not None:
            layer_sizes, dtype = everything["layout"]
            self._restore(Layout(layer_sizes, np.dtype(dtype)), everything["state"])
        else:
            self.numbers.steps = everything["state"]["steps"]


def _rebuild_optimizer(cls, everything):
    optimizer = cls.__new__(cls)
    optimizer._become(everything)
    return optimizer
