# Part of _core.pyx: who may work with a network.

# Of how many forks this process is the last child.
cdef int forks = 0


def _count_fork():
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


@cython.final
cdef class Turns:
    """Any number of predictions at a time, or one call that trains or uses the training workspace.

    Short calls wait(), and then keep what protects this object too: the GIL, or in a free-threaded Python the critical
    section of their network. Long ones let it go, and are counted from enter() to leave().
    """
    cdef int trainers, predictors       # threads in wait()
    cdef bint is_turn_of_predictors     # the last call that left was one that trains
    cdef int active          # calls that are counted: -1 one that trains, n > 0 n predictions
    cdef int entered         # what `forks` was when the last of them came
    cdef object idle         # a condition: `active` has become 0
    cdef unsigned long caller       # the thread that calls a custom loss now, or 0

    def __cinit__(self):
        self.idle = threading.Condition()

    cdef inline bint may_enter(self, bint exclusive) noexcept:
        """Calls that train and predictions take turns where both are waiting, so that neither keeps the other out."""
        if exclusive:
            return self.active == 0 and not (self.predictors > 0 and self.is_turn_of_predictors)
        return self.active >= 0 and (self.trainers == 0 or self.is_turn_of_predictors)

    cdef inline int wait(self, bint exclusive) except -1:
        """Return once nothing runs that may not run beside this call."""
        return 0 if self.active == 0 and self.may_enter(exclusive) else self.wait_for_others(exclusive)

    cdef int wait_for_others(self, bint exclusive) except -1:
        if self.active != 0 and self.entered != forks:
            # The threads that had the network in hand, if any, have stayed behind in the parent.
            self.active = self.trainers = self.predictors = 0
            self.idle = threading.Condition()
        if self.active < 0 and self.caller == PyThread_get_thread_ident():
            raise RuntimeError("a loss function must not use the network that is being trained with it")
        # A while, for other threads may come in between waking up and returning.
        while not self.may_enter(exclusive):
            self.trainers += exclusive
            self.predictors += not exclusive
            try:
                with self.idle:
                    while not self.may_enter(exclusive):
                        # Not for ever: Ctrl-C may keep leave() from notifying.
                        self.idle.wait(1)
            finally:
                self.trainers -= exclusive
                self.predictors -= not exclusive
        return 0

    cdef int enter(self, bint exclusive, bint calls_back=False) except -1:
        """Wait, and be counted."""
        self.wait(exclusive)
        self.caller = PyThread_get_thread_ident() if calls_back else 0
        if self.predictors == 0:
            self.is_turn_of_predictors = False      # those who waited are in; who comes now must not keep a trainer out
        self.entered = forks
        self.active = -1 if exclusive else self.active + 1
        return 0

    cdef int leave(self) except -1:
        self.is_turn_of_predictors = self.active < 0
        self.active = max(self.active - 1, 0)
        if self.active == 0 and (self.trainers or self.predictors):
            with self.idle:
                self.idle.notify_all()
        return 0
