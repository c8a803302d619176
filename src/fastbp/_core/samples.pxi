# Samples that have been checked, and their order.

# Declared here, because a cimport would import numpy.random along with fastbp, which takes longer than all else.
cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void* state
        uint32_t (*next_uint32)(void*) noexcept

cdef extern from "random.h" nogil:
    void fastbp_shuffle(uint32_t* order, ptrdiff_t m, uint64_t stream, ptrdiff_t epoch)

# A fair generator must draw again with a probability below 1/2; only one that is stuck does so this often.
cdef enum:
    DRAWS = 1000


cdef class Samples:
    """Inputs, targets and weights that have been checked.

    Attributes
    ----------
    x, t, weights : ndarray
        As the kernels read them: contiguous and of the network's dtype, or integer labels; weights may be None.
    m : int
        How many samples there are.
    single : bool
        Whether it is one sample without a sample axis.
    penalty : float
        The penalty of l1 and l2 in the last epoch: the mean over its batches.
    abandoned : bool
        Set where Ctrl-C has come to another thread: the epoch ends where this one would look for it.
    """
    cdef readonly cnp.ndarray x, t, weights
    cdef cnp.ndarray order      # of intp, contiguous; `data` points to it
    cdef fastbp_samples data
    cdef readonly Py_ssize_t m
    cdef readonly bint single
    cdef readonly double penalty
    cdef public bint abandoned
    cdef double total_weight
    cdef object generator, acquire, release     # the random numbers that shuffle() took last, and their lock
    cdef bitgen_t* bits

    def __init__(self):
        raise TypeError("Samples are made by Network._samples")

    cdef int reorder(self, order) except -1:
        """Take the samples in this order, or in a new one if it is a generator."""
        if order is self.generator or isinstance(order, np.random.Generator):
            return self.draw(order)
        order = np.array(order, np.intp, order="C")
        if not np.array_equal(np.sort(order), np.arange(self.m)):
            raise ValueError(f"order must hold each number below {self.m} once")
        self.follow(order)
        return 0

    cdef void follow(self, cnp.ndarray order) noexcept:
        self.order = order
        self.data.order = <const ptrdiff_t*>cnp.PyArray_DATA(order)

    def _shuffle_by(self, stream, Py_ssize_t epoch):
        """The order of an epoch of this stream of random numbers (random.h), as networks of a population have it."""
        cdef cnp.ndarray order = np.zeros(self.m, np.uint32)
        fastbp_shuffle(<uint32_t*>cnp.PyArray_DATA(order), self.m, stream, epoch)
        self.follow(order.astype(np.intp))

    def shuffle(self, rng):
        """A new random order from a numpy.random.Generator; it is returned, and the samples follow it."""
        self.draw(rng)
        return self.order

    cdef int draw(self, rng) except -1:
        """Shuffle by Fisher and Yates's method on the bits of a numpy.random.Generator.

        Generator.permutation, of the same distribution, takes three times as long.
        """
        cdef ptrdiff_t* order
        cdef ptrdiff_t i, j
        cdef uint64_t product
        cdef uint32_t bound, unfair
        cdef int draws
        if self.m >= 2**32:
            raise ValueError(f"X must have fewer than 2**32 samples to be shuffled, got {self.m}")
        if self.data.order == NULL:
            # The C function, for np.arange is the longest part of a short training.
            self.follow(cnp.PyArray_Arange(0, self.m, 1, cnp.NPY_INTP))
        order = <ptrdiff_t*>cnp.PyArray_DATA(self.order)
        if rng is not self.generator:
            self.bits = <bitgen_t*>PyCapsule_GetPointer(rng.bit_generator.capsule, "BitGenerator")
            lock = rng.bit_generator.lock
            self.generator, self.acquire, self.release = rng, lock.acquire, lock.release
        self.acquire()      # "with" would look both methods up anew, which is half of a short shuffle
        try:
            for i in range(self.m - 1, 0, -1):
                # j below bound, evenly (Lemire 2019): the upper half of a product, unless its lower half is one of
                # the few that would favour some j.
                bound = <uint32_t>(i + 1)
                product = <uint64_t>self.bits.next_uint32(self.bits.state) * bound
                if <uint32_t>product < bound:
                    unfair = <uint32_t>(-<int64_t>bound) % bound
                    draws = 0
                    while <uint32_t>product < unfair:
                        if draws == DRAWS:
                            raise ValueError("seed must be a generator of random numbers, got a "
                                             f"{type(rng.bit_generator).__name__} that repeats one number")
                        draws += 1
                        product = <uint64_t>self.bits.next_uint32(self.bits.state) * bound
                j = <ptrdiff_t>(product >> 32)
                order[i], order[j] = order[j], order[i]
        finally:
            self.release()
        return 0
