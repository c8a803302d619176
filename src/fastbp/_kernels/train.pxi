# Training: forward, backward and update, batch after batch, without Python objects.

cdef void gather_rows(ptrdiff_t m, ptrdiff_t n, const real* x, const ptrdiff_t* order, real* rows,
                      ptrdiff_t stride) noexcept nogil:
    """The rows of x that the order names, n numbers each; nothing is written beyond the last."""
    cdef ptrdiff_t i, j, excess = padded(n) - n
    cdef ptrdiff_t exact = (excess + stride - 1) // stride      # so many at the end must not write whole vectors
    cdef const real* row
    for i in range(m):
        row = x + order[i] * n
        if n == 1:
            rows[0] = row[0]
        elif i + exact < m:
            j = 0
            while j < n:
                v_store(rows + j, v_load_first(row + j, n - j))
                j += VLEN
        else:
            memcpy(rows, row, n * sizeof(real))
        rows += stride


cdef const real* gather(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                        ptrdiff_t m, ptrdiff_t row) noexcept nogil:
    """m rows of inputs from place `start` of the order: where they stand, or copied into the workspace, from `row` on,
    where the order scatters them."""
    cdef ptrdiff_t n = model.layers[0].n_in
    cdef const real* x = <const real*>samples.x
    if samples.order == NULL:
        return x + start * n
    if m == 1:
        return x + samples.order[start] * n
    gather_rows(m, n, x, samples.order + start, &work.inputs[row * n], n)
    return &work.inputs[row * n]


cdef double total_weight(const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t m) noexcept nogil:
    """Of m samples from place `start` of the order."""
    cdef double total = 0
    cdef ptrdiff_t i
    if samples.weights == NULL:
        return m
    for i in range(start, start + m):
        total += (<const real*>samples.weights)[i if samples.order == NULL else samples.order[i]]
    return total


cdef void propagate(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                    ptrdiff_t m, double scale, bint forward_only, fastbp_progress* progress) noexcept nogil:
    """E and the sum of squares of m samples, by going forward; their gradient in the workspace, by going back."""
    cdef ptrdiff_t done = 0, rows
    cdef const real* x
    while done < m:
        rows = next_block(model, m - done)
        x = gather(model, work, samples, start + done, rows, 0)
        forward_batch(model, work, x, rows)
        output_error(model, work, samples, start + done, rows, scale, model.fused, progress)
        if not forward_only:
            backward_batch(model, work, x, rows, done > 0)
        done += rows


cdef bint is_plain(const fastbp_model* model, TypedWorkspace work, const fastbp_optimizer* optimizer) noexcept nogil:
    """Whether an update is w - h g of every parameter and nothing else."""
    return (optimizer.method == FASTBP_SGD and optimizer.rates == NULL and not optimizer.batch_means
            and optimizer.l1 == optimizer.l2 == optimizer.decay == optimizer.clip == optimizer.max_norm == 0
            and not work.drops)


cdef void train(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                ptrdiff_t stop, ptrdiff_t batch, bint mean, fastbp_optimizer* optimizer, const int* waiting,
                fastbp_crew* crew, fastbp_progress* progress) noexcept nogil:
    """One update for every `batch` samples, long ones by the crew if there is one; stops before the first update that
    would leave the finite numbers, and between two updates where another thread is waiting for the model."""
    cdef ptrdiff_t in_batch
    cdef fastbp_progress sums
    cdef double size, scale
    if batch == 1 and is_plain(model, work, optimizer):
        train_online(model, work, samples, start, stop, optimizer.learning_rate, waiting, progress)
        return
    while start < stop:
        in_batch = min(batch, stop - start)
        size = total_weight(samples, start, in_batch) if optimizer.batch_means else in_batch
        scale = 1 / size if mean else 1.0
        sums.error = sums.squares = sums.penalty = 0
        if crew != NULL and in_batch >= crew.least:
            crew.gradient(crew, start, in_batch, scale, &sums)
        else:
            propagate(model, work, samples, start, in_batch, scale, False, &sums)
        if not (isfinite(sums.error) and update(model, work, optimizer, scale, &sums.penalty, crew)):
            progress.diverged = True
            return
        progress.error += sums.error * (in_batch / size)
        progress.penalty += sums.penalty * in_batch
        progress.squares += sums.squares
        progress.done += in_batch
        start += in_batch
        if fastbp_flag(waiting):
            return
