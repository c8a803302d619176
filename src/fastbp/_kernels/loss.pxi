# The loss of a block of rows and the error signal of the output layer.

cdef void output_error(const fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t m,
                       double scale, fastbp_progress* progress) noexcept nogil:
    """e = scale (y - t) into the last layer's delta; E = 1/2 sum (y - t)**2 and the sum of squares to the progress.

    `scale` is 1, or one over the batch's weight where the loss is a mean; E itself is divided by the caller.
    """
    cdef const fastbp_layer* layer = &net.layers[net.n_layers - 1]
    cdef const real* weights = <const real*>samples.weights
    cdef const real* y
    cdef const real* t
    cdef real* e
    cdef ptrdiff_t i, j, sample
    cdef real difference, factor, squares
    for i in range(m):
        sample = start + i if samples.order == NULL else samples.order[start + i]
        y = <const real*>layer.output + i * layer.stride
        e = <real*>layer.delta + i * layer.stride
        t = <const real*>samples.t + sample * samples.t_stride
        factor = <real>scale if weights == NULL else <real>scale * weights[sample]
        squares = 0
        for j in range(layer.n_out):
            difference = y[j] - t[j]
            squares += difference * difference
            e[j] = factor * difference
        for j in range(layer.n_out, layer.stride):
            e[j] = 0
        progress.squares += squares
        progress.error += 0.5 * squares if weights == NULL else 0.5 * weights[sample] * squares
