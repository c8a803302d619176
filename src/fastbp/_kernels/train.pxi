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


cdef double total_weight(const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t m) noexcept nogil:
    """Of m samples from place `start` of the order."""
    cdef double total = 0
    cdef ptrdiff_t i
    if samples.weights == NULL:
        return m
    for i in range(start, start + m):
        total += (<const real*>samples.weights)[i if samples.order == NULL else samples.order[i]]
    return total


cdef bint is_plain(const fastbp_network* net, const fastbp_optimizer* optimizer) noexcept nogil:
    """Whether an update is w - h g of every parameter and nothing else."""
    cdef int l
    for l in range(net.n_layers):
        if net.layers[l].mask != NULL:
            return False
    return (optimizer.method == FASTBP_SGD and optimizer.rates == NULL and not optimizer.batch_means
            and optimizer.l1 == optimizer.l2 == optimizer.decay == optimizer.clip == optimizer.max_norm == 0)


cdef void train(fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                ptrdiff_t batch, int mean, fastbp_optimizer* optimizer, fastbp_progress* progress) noexcept nogil:
    """One update for every `batch` samples; stops before the first update that would leave the finite numbers."""
    cdef ptrdiff_t done, m, in_batch, x_stride
    cdef fastbp_progress sums
    cdef const real* x
    cdef double size, scale
    progress.done = 0
    if batch == 1 and is_plain(net, optimizer):
        train_online(net, samples, start, stop, optimizer.learning_rate, progress)
        v_leave()
        return
    while start < stop:
        in_batch = min(batch, stop - start)
        size = total_weight(samples, start, in_batch) if optimizer.batch_means else in_batch
        scale = 1 / size if mean else 1.0
        sums.error = sums.squares = sums.penalty = 0
        done = 0
        while done < in_batch:
            m = min(in_batch - done, net.block_rows)
            x = gather(net, samples, start + done, m, &x_stride)
            forward(net, x, x_stride, m)
            output_error(net, samples, start + done, m, scale, &sums)
            backward(net, x, x_stride, m, done > 0)
            done += m
        if not (isfinite(sums.error) and update(net, optimizer, scale, &sums.penalty)):
            return
        progress.error += sums.error * (in_batch / size)
        progress.penalty += sums.penalty * in_batch
        progress.squares += sums.squares
        progress.done += in_batch
        start += in_batch
