# Training: forward, backward and update, batch after batch, without a Python object in sight.

cdef const real* gather(const fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t m,
                        ptrdiff_t* stride) noexcept nogil:
    """m rows of inputs from place `start` of the order: copied where the order scatters them, else where they stand."""
    cdef ptrdiff_t i, n = net.layers[0].n_in
    cdef const real* x = <const real*>samples.x
    cdef real* rows = <real*>net.inputs
    stride[0] = samples.x_stride
    if samples.order == NULL:
        return x + start * samples.x_stride
    if m == 1:
        return x + samples.order[start] * samples.x_stride
    for i in range(m):
        memcpy(rows + i * n, x + samples.order[start + i] * samples.x_stride, n * sizeof(real))
    stride[0] = n
    return rows


cdef void backward(const fastbp_network* net, const void* x, ptrdiff_t x_stride, ptrdiff_t m,
                   int accumulate) noexcept nogil:
    """From the error signal of the output layer to the gradient of all layers."""
    cdef int l = net.n_layers - 1
    while l >= 0:
        apply_slope(net, l, m)
        weight_gradient(net, l, x, x_stride, m, accumulate)
        if l > 0:
            error_signal(net, l, m)
        l -= 1


cdef void train(const fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                ptrdiff_t batch, int mean, fastbp_optimizer* optimizer, fastbp_progress* progress) noexcept nogil:
    """One update for every `batch` samples; stops before the first update that would leave the finite numbers."""
    cdef ptrdiff_t done, m, in_batch, x_stride
    cdef fastbp_progress sums
    cdef const real* x
    cdef double scale
    progress.done = 0
    if batch == 1 and optimizer.method == FASTBP_SGD:
        train_online(net, samples, start, stop, optimizer.learning_rate, progress)
        return
    while start < stop:
        in_batch = min(batch, stop - start)
        scale = 1.0 / in_batch if mean else 1.0
        sums.error = 0
        sums.squares = 0
        done = 0
        while done < in_batch:
            m = min(in_batch - done, FASTBP_BLOCK_ROWS)
            x = gather(net, samples, start + done, m, &x_stride)
            forward(net, x, x_stride, m)
            output_error(net, samples, start + done, m, scale, &sums)
            backward(net, x, x_stride, m, done > 0)
            done += m
        if not (isfinite(sums.error) and update(net, optimizer)):
            return
        progress.error += sums.error
        progress.squares += sums.squares
        progress.done += in_batch
        start += in_batch
