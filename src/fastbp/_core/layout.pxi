# Where the parameters of a network are.

cdef inline Py_ssize_t padded(Py_ssize_t n, Py_ssize_t lanes) noexcept nogil:
    return (n + lanes - 1) // lanes * lanes


cdef class Layout:
    """The flat, padded layout (kernels.h) that parameters, gradient and optimizer state of a network have.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, then of neurons in each layer; all positive.
    dtype : numpy.dtype
        float32 or float64.
    """
    cdef const fastbp_kernels* kernels
    cdef fastbp_model model     # a Layout knows the sizes only; all else is the network's
    cdef int typenum
    cdef Py_ssize_t itemsize, lanes
    cdef readonly Py_ssize_t n_inputs, n_outputs, n_params
    cdef readonly tuple layer_sizes
    cdef readonly object dtype

    def __cinit__(self, *args, **kwargs):
        self.n_inputs = -1      # until __init__ has run, no array fits

    def __init__(self, layer_sizes, dtype):
        self.lay_out(tuple(layer_sizes), dtype)
        self.n_inputs = self.layer_sizes[0]

    def __dealloc__(self):
        PyMem_RawFree(self.model.layers)

    cdef int lay_out(self, tuple layer_sizes, dtype) except -1:
        cdef fastbp_layer* layer
        cdef bint is_double, is_wide
        cdef int l, n_layers = len(layer_sizes) - 1
        cdef Py_ssize_t offset = 0, n_params = 0
        if self.model.layers != NULL:
            raise TypeError("a network cannot be initialised twice")
        self.layer_sizes, self.dtype = layer_sizes, dtype
        self.typenum = (<cnp.dtype>dtype).num
        self.itemsize = dtype.itemsize
        is_double = self.typenum == cnp.NPY_DOUBLE
        is_wide = max(layer_sizes[1:]) * self.itemsize > in_force[is_double][0].vector_bytes
        self.kernels = in_force[is_double][is_wide]
        self.lanes = self.kernels.vector_bytes // self.itemsize
        self.model.layers = <fastbp_layer*>PyMem_RawCalloc(n_layers, sizeof(fastbp_layer))
        if self.model.layers == NULL:
            raise MemoryError(f"there is no memory for {n_layers} layers")
        for l in range(n_layers):
            n_in, n_out = layer_sizes[l], layer_sizes[l + 1]
            stride = 1 if n_out == 1 else -(-n_out // self.lanes) * self.lanes
            bias = offset + (-(-n_in // self.lanes) * self.lanes if n_out == 1 else n_in * stride)
            # Before anything is allocated for it, make sure that the largest array of any call will fit.
            if bias * self.itemsize + FASTBP_BLOCK_ROWS * (n_in + stride) * self.itemsize > 2**62:
                raise MemoryError(f"a network with layer_sizes {layer_sizes} does not fit into memory")
            layer = &self.model.layers[l]
            layer.n_in, layer.n_out, layer.stride = n_in, n_out, stride
            layer.weights, layer.bias = offset, bias
            layer.mask_padding = 1 < n_out != stride and l + 1 < n_layers
            n_params += (n_in + 1) * n_out
            self.model.widest = max(self.model.widest, layer.stride)
            offset = bias + padded(stride, self.lanes)
        self.model.n_params = offset
        self.model.block_rows = (FASTBP_SMALL_BLOCK if offset * self.itemsize <= FASTBP_SMALL_PARAMS
                                 else FASTBP_BLOCK_ROWS)
        self.model.n_layers = n_layers
        self.n_params, self.n_outputs = n_params, layer_sizes[n_layers]
        return 0

    cdef bint is_like(self, Layout other):
        """Whether arrays of this layout are arrays of the other."""
        return (self.layer_sizes == other.layer_sizes and self.typenum == other.typenum
                and self.lanes == other.lanes)

    cdef cnp.ndarray zeros(self):
        """A new array of this layout."""
        return aligned_zeros(self.model.n_params, self.dtype)

    cdef cnp.ndarray vector(self, object values, str name):
        """`values` as a compact vector of all parameters, in the order of `Network.params`."""
        cdef cnp.ndarray vector = as_reals(values, name, self.dtype)
        if np.shape(vector) != (self.n_params,):
            raise ValueError(f"{name} must have the shape ({self.n_params},), got {np.shape(vector)}")
        return vector

    cdef cnp.ndarray new_vector(self):
        """For all parameters, in the order of `Network.params`."""
        return np.empty(self.n_params, self.dtype)

    cdef cnp.ndarray compact(self, cnp.ndarray array):
        """The vector of what an array of this layout holds."""
        cdef cnp.ndarray vector = self.new_vector()
        self.kernels.copy_params(&self.model, cnp.PyArray_DATA(array), cnp.PyArray_DATA(vector), True)
        return vector

    cdef cnp.ndarray padded(self, object values, str name):
        """An array of this layout that holds the vector `values`."""
        cdef cnp.ndarray vector = self.vector(values, name), array = self.zeros()
        self.kernels.copy_params(&self.model, cnp.PyArray_DATA(array), cnp.PyArray_DATA(vector), False)
        return array
