# The threads that help with long calls. The first call that wants them starts them, all calls share them, and they
# sleep between calls; they know nothing of Python.
#
# A call recruits a team of free helpers and gives it one task after another, each cut into pieces. Each member, the
# caller included, has a share of the pieces, which is the same in the next task, so that what it has written is in its
# own cache. A member that has finished its share goes on with the others' shares, so a helper that comes late delays
# nobody. Between two tasks of a call a member looks for the next one for some ten microseconds and then sleeps; when
# the call ends, the helpers sleep at once. Threads and locks are Python's own (pythread.h); docs/architecture.md says
# why.

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_start_new_thread(void (*function)(void*) noexcept nogil, void* argument)
    int PY_LOCK_ACQUIRED

cdef extern from "Python.h":
    int run_handlers "PyErr_CheckSignals"() noexcept        # what one raises stays with the thread

cdef extern from *:
    """
    /* Sequentially consistent: the waker writes a flag and then reads `asleep`, the sleeper does the reverse. */
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    static inline int atomic_add(int *at, int n) { return _InterlockedExchangeAdd((volatile long *)at, n); }
    static inline int atomic_swap(int *at, int value) { return _InterlockedExchange((volatile long *)at, value); }
    static inline int atomic_get(int *at) { return atomic_add(at, 0); }
    #else
    static inline int atomic_add(int *at, int n) { return __atomic_fetch_add(at, n, __ATOMIC_SEQ_CST); }
    static inline int atomic_swap(int *at, int value) { return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST); }
    static inline int atomic_get(int *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
    #endif
    /* Leaves the core to its other thread, if it has one, for a moment. */
    #if defined(_MSC_VER) && !defined(__clang__)
    #define relax() YieldProcessor()
    #elif defined(__x86_64__) || defined(__i386__)
    #define relax() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define relax() __asm__ __volatile__("isb")
    #else
    #define relax() (void)0
    #endif

    /* How many threads a call may use by default; threadpoolctl recognises the core by this name. */
    Py_EXPORTED_SYMBOL int fastbp_num_threads = 1;
    """
    int atomic_add(int*, int) nogil         # returns what was there before
    int atomic_swap(int*, int) nogil
    int atomic_get(int*) nogil
    void relax() nogil
    int fastbp_num_threads

cdef enum:
    MOST_THREADS = 256
    GLANCES = 1000              # at the next task before a member sleeps: 10 to 50 microseconds
    NAP = 20_000                # microseconds between two looks for signals while helpers finish


def thread_count(argument, value):
    """`value` as a number of threads."""
    result = positive_integer(argument, value)
    if result > MOST_THREADS:
        raise ValueError(f"{argument} must be at most {MOST_THREADS}, got {value!r}")
    return result


cdef struct Interruption:       # of a long call by an exception that a signal's handler raises, Ctrl-C's for instance
    int raised                  # the thread that called has one now, which is raised when the call returns
    unsigned long caller


cdef bint is_interrupted(void* at) noexcept nogil:
    """Whether a long call is to end; its own thread runs the handlers of signals that have come."""
    cdef Interruption* interruption = <Interruption*>at
    if not atomic_get(&interruption.raised) and PyThread_get_thread_ident() == interruption.caller:
        with gil:
            if run_handlers() != 0:
                atomic_swap(&interruption.raised, 1)
    return atomic_get(&interruption.raised)


cdef struct Seat:               # where a thread sleeps until its baton is released
    PyThread_type_lock baton
    int asleep


cdef struct Team:
    int size, held              # how many members it has, with the caller; how many still refer to this struct
    Helper* helpers[MOST_THREADS]
    Seat caller
    fastbp_task task
    void* job
    int pieces                  # of the task
    int untaken, unfinished     # how many of them are
    int left[MOST_THREADS]      # how many are left of each member's share
    int finished, dismissed


cdef struct Helper:
    Seat seat
    int taken                   # by a team
    int called                  # `team` and `number` have been set
    int number                  # as a member of the team
    Team* team


cdef Helper helpers[MOST_THREADS]


def set_num_threads(int threads):
    """Set how many threads calls may use by default."""
    atomic_swap(&fastbp_num_threads, threads)


def get_num_threads():
    """How many threads a call may use by default.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastbp
    >>> fastbp.get_num_threads()
    1
    """
    return atomic_get(&fastbp_num_threads)


cdef Team* recruit(int threads) noexcept:
    """A team of at most so many members; null if the caller is alone."""
    cdef Team* team
    cdef Helper* helper
    cdef int i
    if threads < 2:
        return NULL
    team = <Team*>PyMem_RawCalloc(1, sizeof(Team))
    if team == NULL or not furnish(&team.caller):
        PyMem_RawFree(team)
        return NULL
    team.size = 1
    for i in range(threads - 1):
        helper = &helpers[i]
        if atomic_swap(&helper.taken, 1):
            continue
        if helper.seat.baton == NULL and not start(helper):
            atomic_swap(&helper.taken, 0)
            break
        helper.team, helper.number = team, team.size
        team.helpers[team.size] = helper
        team.size += 1
    team.held = team.size
    for i in range(1, team.size):
        atomic_swap(&team.helpers[i].called, 1)
        wake(&team.helpers[i].seat)
    return team


cdef bint furnish(Seat* seat) noexcept:
    seat.baton = PyThread_allocate_lock()
    return seat.baton != NULL and PyThread_acquire_lock(seat.baton, 1)


cdef bint start(Helper* helper) noexcept:
    if not furnish(&helper.seat):
        return False
    if PyThread_start_new_thread(help, helper) != <unsigned long>-1:
        return True
    PyThread_free_lock(helper.seat.baton)
    helper.seat.baton = NULL
    return False


cdef void help(void* me) noexcept nogil:
    """What a helper does until the process ends."""
    cdef Helper* helper = <Helper*>me
    cdef Team* team
    while True:
        while not atomic_get(&helper.called):
            sleep(&helper.seat, &helper.called, &helper.called)
        team = helper.team
        while not atomic_get(&team.dismissed):
            take_pieces(team, helper.number)
            wait(&helper.seat, &team.untaken, &team.dismissed)
        let_go(team)
        atomic_swap(&helper.called, 0)
        atomic_swap(&helper.taken, 0)


cdef void run(Team* team, int pieces, fastbp_task task, void* job, Interruption* interruption=NULL) noexcept nogil:
    """Call task(job, piece, member) for each piece; look for signals while the helpers finish, if that is wanted."""
    cdef int i
    if team == NULL or pieces == 1:
        for i in range(pieces):
            task(job, i, 0)
        return
    team.task, team.job, team.pieces = task, job, pieces
    atomic_swap(&team.finished, 0)
    for i in range(team.size):
        team.left[i] = share_end(team, i) - share_end(team, i - 1)
    atomic_swap(&team.unfinished, pieces)
    atomic_swap(&team.untaken, pieces)          # a member that takes a piece sees all that was written before
    for i in range(1, team.size):
        wake(&team.helpers[i].seat)
    take_pieces(team, 0)
    while not atomic_get(&team.finished):
        if interruption == NULL:
            wait(&team.caller, &team.finished, &team.finished)
        else:
            wait(&team.caller, &team.finished, &team.finished, NAP)
            is_interrupted(interruption)


cdef inline int share_end(Team* team, int member) noexcept nogil:
    """The piece after the member's share."""
    return team.pieces * (member + 1) // team.size


cdef void take_pieces(Team* team, int member) noexcept nogil:
    cdef int owner = member, left
    while atomic_get(&team.untaken) > 0 and atomic_add(&team.untaken, -1) > 0:
        # Every member that comes this far finds a piece.
        left = atomic_add(&team.left[owner], -1)
        while left <= 0:
            owner = (owner + 1) % team.size
            left = atomic_add(&team.left[owner], -1)
        team.task(team.job, share_end(team, owner) - left, member)
        if atomic_add(&team.unfinished, -1) == 1:
            atomic_swap(&team.finished, 1)
            wake(&team.caller)


cdef void dismiss(Team* team) noexcept:
    cdef int i
    if team == NULL:
        return
    atomic_swap(&team.dismissed, 1)
    for i in range(1, team.size):
        wake(&team.helpers[i].seat)
    let_go(team)


cdef void let_go(Team* team) noexcept nogil:
    """The last member to leave, which may be a helper that wakes up late, frees the team."""
    if atomic_add(&team.held, -1) == 1:
        PyThread_release_lock(team.caller.baton)
        PyThread_free_lock(team.caller.baton)
        PyMem_RawFree(team)


cdef void wait(Seat* seat, int* flag, int* other, long long microseconds=-1) noexcept nogil:
    """Wait until one of the flags is above 0, first by looking at them, then asleep, for so long at most unless that is
    negative; may return without a reason."""
    cdef int i
    for i in range(GLANCES):
        if atomic_get(flag) > 0 or atomic_get(other) > 0:
            return
        relax()
    sleep(seat, flag, other, microseconds)


cdef void sleep(Seat* seat, int* flag, int* other, long long microseconds=-1) noexcept nogil:
    atomic_swap(&seat.asleep, 1)
    # A thread that raised a flag before this has not seen `asleep`; one that has seen it releases the baton.
    if (atomic_get(flag) > 0 or atomic_get(other) > 0) and atomic_swap(&seat.asleep, 0):
        return
    if PyThread_acquire_lock_timed(seat.baton, microseconds, 0) != PY_LOCK_ACQUIRED and (
            not atomic_swap(&seat.asleep, 0)):
        PyThread_acquire_lock(seat.baton, 1)        # which another thread is just about to release


cdef void wake(Seat* seat) noexcept nogil:
    if atomic_get(&seat.asleep) and atomic_swap(&seat.asleep, 0):
        PyThread_release_lock(seat.baton)


cdef void forget_helpers() noexcept:
    """Begin without helpers in a child process, which has none of its parent's threads; their locks are abandoned."""
    memset(helpers, 0, sizeof(helpers))
