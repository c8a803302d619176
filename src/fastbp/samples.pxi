# Part of _core.pyx: what has passed the door, and its order.


cdef class Samples:
    """Inputs, targets and weights that have passed the door."""
    cdef readonly cnp.ndarray x, t, weights     # of the network's dtype, or t labels of intp; weights may be None
    cdef cnp.ndarray order
    cdef fastbp_samples data
    cdef readonly Py_ssize_t m
    cdef readonly bint single
    cdef readonly double penalty    # of l1 and l2 in the last epoch: the mean of its batches'
    cdef double total_weight

    def reorder(self, order):
        """Take the samples in this order, or in a new one from this generator."""
        if isinstance(order, np.random.Generator):
            self.shuffle(order)
            return
        self.order = np.array(order, np.intp)
        if not np.array_equal(np.sort(self.order), np.arange(self.m)):
            raise ValueError(f"order must hold each number below {self.m} once")
        self.data.order = <ptrdiff_t*>cnp.PyArray_DATA(self.order)

    def shuffle(self, rng):
        """A new random order, which is returned: Fisher and Yates's method on the bits of a numpy.random.Generator.

        Generator.permutation, of the same distribution, takes three times as long.
        """
        cdef bitgen_t* bits
        cdef ptrdiff_t* order
        cdef ptrdiff_t i, j
        cdef uint64_t product
        cdef uint32_t bound, unfair
        if self.m >= 2**32:
            raise ValueError(f"X must have fewer than 2**32 samples to be shuffled, got {self.m}")
        if self.order is None:
            self.order = np.arange(self.m, dtype=np.intp)
        self.data.order = order = <ptrdiff_t*>cnp.PyArray_DATA(self.order)
        bits = <bitgen_t*>PyCapsule_GetPointer(rng.bit_generator.capsule, "BitGenerator")
        with rng.bit_generator.lock:
            for i in range(self.m - 1, 0, -1):
                # j below bound, evenly (Lemire 2019): the upper half of a product, unless its lower half is one of
                # the few that would favour some j.
                bound = <uint32_t>(i + 1)
                product = <uint64_t>bits.next_uint32(bits.state) * bound
                if <uint32_t>product < bound:
                    unfair = <uint32_t>(-<int64_t>bound) % bound
                    while <uint32_t>product < unfair:
                        product = <uint64_t>bits.next_uint32(bits.state) * bound
                j = <ptrdiff_t>(product >> 32)
                order[i], order[j] = order[j], order[i]
        return self.order
