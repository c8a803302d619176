# Dropout (Srivastava et al. 2014, section 10, "inverted"): in training, each output of a hidden layer is dropped with a
# probability p, and the others are divided by 1 - p, so that their expectation is what a prediction uses.

cdef extern from "random.h" nogil:
    uint64_t fastbp_random(uint64_t* state)


cdef void multiply_elements(const real* x, const real* y, real* product, ptrdiff_t n) noexcept nogil:
    """The n elements are whole vectors; the arrays may be one."""
    cdef ptrdiff_t i = 0
    while i < n:
        v_store(product + i, v_mul(v_load(x + i), v_load(y + i)))
        i += VLEN


cdef inline real* mask_of(TypedWorkspace work, int l) noexcept nogil:
    """0 or 1 / (1 - p) for each output; null where the layer drops none."""
    return &work.outputs[work.places[l].mask] if work.places[l].dropout > 0 else NULL


cdef void drop_outputs(TypedWorkspace work, int l, ptrdiff_t at, ptrdiff_t n) noexcept nogil:
    """A new mask for n of the layer's outputs, and what it leaves of them."""
    cdef real* mask = mask_of(work, l) + at
    cdef real kept = <real>(1 / (1 - work.places[l].dropout))
    cdef double bound = work.places[l].dropout * 4294967296.0
    cdef uint64_t random = work.random
    cdef ptrdiff_t i
    for i in range(n):
        mask[i] = 0 if <uint32_t>(fastbp_random(&random) >> 32) < bound else kept
    work.random = random
    multiply_elements(mask, output_of(work, l) + at, kept_of(work, l) + at, padded(n))
