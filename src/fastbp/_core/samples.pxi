# Samples that have been checked, and their order.

# Declared here, because a cimport would import numpy.random along with fastbp, which takes longer than all else.
cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void* state
        uint32_t (*next_uint32)(void*) noexcept

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
    """
    cdef readonly cnp.ndarray x, t, weights
    cdef cnp.ndarray order_array
    cdef ptrdiff_t[::1] order       # the same
    cdef fastbp_samples data
    cdef readonly Py_ssize_t m
    cdef readonly bint single
    cdef readonly double penalty
    cdef double total_weight
    cdef object generator, lock     # the random numbers that shuffle() took last, and their lock
    cdef bitgen_t* bits

    def __init__(self):
        raise TypeError("Samples are made by Network._samples")

    def reorder(self, order):
        """Take the samples in this order, or in a new one if it is a generator."""
        if order is self.generator or isinstance(order, np.random.Generator):
            self.shuffle(order)
            return
        order = np.array(order, np.intp)
        if not np.array_equal(np.sort(order), np.arange(self.m)):
            raise ValueError(f"order must hold each number below {self.m} once")
        self.follow(order)

    cdef int follow(self, cnp.ndarray order) except -1:
        self.order_array = self.order = order
        self.data.order = &self.order[0]
        return 0

    def shuffle(self, rng):
        """A new random order, which is returned: Fisher and Yates's method on the bits of a numpy.random.Generator.

        Generator.permutation, of the same distribution, takes three times as long.
        """
        cdef ptrdiff_t[::1] order
        cdef ptrdiff_t i, j
        cdef uint64_t product
        cdef uint32_t bound, unfair
        cdef int draws
        if self.m >= 2**32:
            raise ValueError(f"X must have fewer than 2**32 samples to be shuffled, got {self.m}")
        if self.data.order == NULL:
            self.follow(np.arange(self.m, dtype=np.intp))
        order = self.order
        if rng is not self.generator:
            self.bits = <bitgen_t*>PyCapsule_GetPointer(rng.bit_generator.capsule, "BitGenerator")
            self.generator, self.lock = rng, rng.bit_generator.lock
        with self.lock:
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
        return self.order_array
