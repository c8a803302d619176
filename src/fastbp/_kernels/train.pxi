# Training: forward, backward and update, batch after batch, without Python objects.

cdef void take_rows(ptrdiff_t m, ptrdiff_t n, const real* x, const ptrdiff_t* order, real* rows,
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
    take_rows(m, n, x, samples.order + start, &work.inputs[row * n], n)
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
            backward_batch(model, work, x, rows, FASTBP_SUM if done > 0 else FASTBP_GRADIENT)
        done += rows


cdef bint is_plain(const fastbp_model* model, TypedWorkspace work, const fastbp_optimizer* optimizer) noexcept nogil:
    """Whether an update is w - h g of every parameter and nothing else."""
    return (optimizer.method == FASTBP_SGD and optimizer.rates == NULL and not optimizer.batch_means
            and optimizer.l1 == optimizer.l2 == optimizer.decay == optimizer.clip == optimizer.max_norm == 0
            and not work.drops)


# Plain descent by a batch of few rows takes the gradient from W without writing it down: with deltas times -h, it is
# W + a^T d. What is saved is writing the gradient, reading it for the check, and reading it again. The check is made
# before, of a and d, as it is for a single sample; so the deltas of all layers come first.

cdef bint descends_at_once(const fastbp_model* model, ptrdiff_t m) noexcept nogil:
    """Whether all a and d of m rows, which stand in one block of rows, are fewer than what is saved."""
    cdef ptrdiff_t numbers = model.layers[0].n_in
    cdef int l
    if next_block(model, m) < m or takes_lanes(model, m):
        return False
    for l in range(model.n_layers):
        numbers += 2 * model.layers[l].stride
    return m * numbers < 3 * model.n_params


cdef bint is_safe_descent(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    """As `is_safe`, whose single row has too few numbers for sums of its own in each layer."""
    cdef real sum_a = sum_of_sizes(x, m * model.layers[0].n_in, 1), sum_d = 0
    cdef int l
    for l in range(model.n_layers):
        sum_d += sum_of_sizes(delta_of(work, l), m * model.layers[l].stride, 1)
        if l + 1 < model.n_layers:
            sum_a += sum_of_sizes(output_of(work, l), m * model.layers[l].stride, 1)
    return sum_d < SAFE_UPDATE and sum_a * sum_d < SAFE_UPDATE


cdef bint descend_at_once(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples,
                          ptrdiff_t start, ptrdiff_t m, double rate, fastbp_crew* crew,
                          fastbp_progress* progress) noexcept nogil:
    """One update by m rows; False, and no parameter changed, where that is not known to be safe."""
    cdef const real* x
    cdef int l
    progress.error = progress.squares = 0
    if crew == NULL:
        x = gather(model, work, samples, start, m, 0)
        forward(model, work, x, m)
        output_error(model, work, samples, start, m, -rate, model.fused, progress)
        all_deltas(model, work, m, model.fused)
    else:
        x = <const real*>crew.deltas(crew, start, m, -rate, progress)
    if not (isfinite(progress.error) and is_safe_descent(model, work, x, m)):
        return False
    if crew == NULL:
        for l in range(model.n_layers):
            weight_gradient(model, work, l, x, m, FASTBP_DESCENT, fastbp_whole(&model.layers[l]))
    else:
        crew.from_deltas(crew, FASTBP_DESCENT)
    REQUIRE(padding_is_zero(model, <const real*>model.params))
    return True


cdef void train(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                ptrdiff_t stop, ptrdiff_t batch, bint mean, fastbp_optimizer* optimizer, const int* waiting,
                fastbp_crew* crew, fastbp_progress* progress) noexcept nogil:
    """One update for every `batch` samples, long ones by the crew if there is one; stops before the first update that
    would leave the finite numbers, and between two updates where another thread is waiting for the model."""
    cdef ptrdiff_t in_batch
    cdef fastbp_progress sums
    cdef double size, scale
    cdef fastbp_crew* sharing
    cdef bint plain = is_plain(model, work, optimizer), at_once
    if batch == 1 and plain:
        train_online(model, work, samples, start, stop, optimizer.learning_rate, waiting, progress)
        return
    while start < stop:
        in_batch = min(batch, stop - start)
        size = total_weight(samples, start, in_batch) if optimizer.batch_means else in_batch
        scale = 1 / size if mean else 1.0
        sums.penalty = 0
        sharing = crew if crew != NULL and in_batch >= crew.least else NULL
        at_once = plain and descends_at_once(model, in_batch) and (sharing == NULL or sharing.deltas != NULL)
        if at_once and descend_at_once(model, work, samples, start, in_batch, scale * optimizer.learning_rate, sharing,
                                       &sums):
            optimizer.steps += 1
        else:
            sums.error = sums.squares = 0
            if sharing != NULL:
                sharing.gradient(sharing, start, in_batch, scale, &sums)
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
