# Who may work with a network.

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()
    ctypedef void* PyThread_type_lock
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock)
    int PyThread_acquire_lock(PyThread_type_lock, int wait)
    int PyThread_acquire_lock_timed(PyThread_type_lock, long long microseconds, int returns_at_signals)
    void PyThread_release_lock(PyThread_type_lock)

# How many forks lie between the first process and this one.
cdef int forks = 0


def _count_fork():
    global forks
    forks += 1
    forget_helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


@cython.final
cdef class Waiter:
    """A thread in the queue of a lock; it sleeps until its baton is released."""
    cdef PyThread_type_lock baton
    cdef bint exclusive, admitted
    cdef Waiter next

    def __cinit__(self):
        self.baton = PyThread_allocate_lock()
        if self.baton == NULL:
            raise MemoryError("there is no memory for a lock")
        PyThread_acquire_lock(self.baton, 1)

    def __dealloc__(self):
        if self.baton != NULL:
            PyThread_release_lock(self.baton)
            PyThread_free_lock(self.baton)


@cython.final
cdef class Lock:
    """The one rule: any number of calls that read the parameters, or one that changes them; first come, first served.

    A caller that leaves admits those at the head of the queue and wakes them, so that they find themselves inside. It
    does so without running Python, which Ctrl-C might interrupt. A long training looks at `waiting` between two
    updates, leaves where it is raised, and comes back at the end of the queue.

    The lock's fields are touched under the GIL, or in a free-threaded Python in the critical section of the network.
    A short call that finds nobody in its way keeps these to its end, and so need not be counted.
    """
    cdef int readers            # calls that read and are counted
    cdef bint writing           # whether a call that changes the parameters is counted
    cdef int waiting            # how many wait; read without the GIL
    cdef unsigned changes       # odd while the parameters change; for readers without the GIL (handle.pxi)
    cdef int entered            # what `forks` was when the last of them came
    cdef unsigned long caller   # the thread that calls a loss of the user's now, or holds the network by a handle; or 0
    cdef Waiter first, last     # the queue

    cdef inline bint enter_shortly(self, bint exclusive) except -1:
        """Be let in for a call that keeps the GIL. Returns whether it is counted, and leave() must follow."""
        if not self.writing and (self.readers == 0 or not exclusive):
            return False
        self.enter(exclusive)
        return True

    cdef int enter(self, bint exclusive, bint calls_back=False) except -1:
        """Wait for one's turn, and be counted until leave(). calls_back: for a loss of the user's, in Python."""
        cdef bint interrupted = False
        while True:
            if self.entered != forks:
                self.forget_the_parent()
            if self.caller != 0 and self.caller == PyThread_get_thread_ident():
                raise RuntimeError("a loss function must not use its own network while it is called, nor a thread the "
                                   "network that it holds through begin() of a handle, or the population that it is "
                                   "just training")
            if (self.first is None or interrupted) and not self.writing and (self.readers == 0 or not exclusive):
                self.admit(exclusive)
                break
            if self.wait(exclusive, interrupted):
                break
            interrupted = True
        if calls_back:
            self.caller = PyThread_get_thread_ident()
        return 0

    cdef void leave(self) noexcept:
        if self.writing:
            self.writing = False
            self.caller = 0
        else:
            self.readers -= 1
        self.admit_waiters()

    cdef inline void admit(self, bint exclusive) noexcept:
        if exclusive:
            self.writing = True
        else:
            self.readers += 1

    cdef void admit_waiters(self) noexcept:
        """Admit as many from the head of the queue as may work side by side."""
        cdef Waiter waiter
        while self.first is not None and not self.writing and (self.readers == 0 or not self.first.exclusive):
            waiter = self.first
            self.dequeue(waiter, None)
            waiter.admitted = True
            self.admit(waiter.exclusive)
            PyThread_release_lock(waiter.baton)

    cdef void dequeue(self, Waiter waiter, Waiter before) noexcept:
        if before is None:
            self.first = waiter.next
        else:
            before.next = waiter.next
        if self.last is waiter:
            self.last = before
        waiter.next = None
        fastbp_set_flag(&self.waiting, self.waiting - 1)

    cdef bint wait(self, bint exclusive, bint interrupted) except -1:
        """Queue until admitted; False where a signal has come and its handler has run: the caller must ask again.

        The handler is run outside of the queue: it may raise, fork, or use the network itself. Whoever was interrupted
        by one comes back at the head of the queue, or a timer's signals would keep it waiting for ever.
        """
        cdef Waiter waiter = Waiter()       # garbage collection may let other threads run here
        waiter.exclusive = exclusive
        if self.first is None:
            self.first = self.last = waiter
        elif interrupted:
            waiter.next, self.first = self.first, waiter
        else:
            self.last.next, self.last = waiter, waiter
        fastbp_set_flag(&self.waiting, self.waiting + 1)
        self.admit_waiters()                # so those inside may have left
        if not waiter.admitted:
            with nogil:
                PyThread_acquire_lock_timed(waiter.baton, -1, 1)
        if waiter.admitted:
            return True
        self.remove(waiter)
        PyErr_CheckSignals()
        return False

    cdef void remove(self, Waiter waiter) noexcept:
        """Remove a waiter from wherever it is in the queue."""
        cdef Waiter before = None, one = self.first
        while one is not None and one is not waiter:
            before, one = one, one.next
        if one is waiter:
            self.dequeue(waiter, before)
            self.admit_waiters()

    cdef void forget_the_parent(self) noexcept:
        """In a child process, forget the threads that were inside or waiting: they have stayed in the parent.

        If a loss of the user's has forked, this thread is still inside and calling it.
        """
        self.entered = forks
        self.first = self.last = None
        fastbp_set_flag(&self.waiting, 0)
        self.readers = 0
        if self.caller != PyThread_get_thread_ident():
            self.writing = False
            self.caller = 0
            self.changes += self.changes & 1    # a change of theirs will not end
