# The losses: E of a block of rows, and the error signal e = dE/da of the output layer, or where the loss and the last
# activation belong together ("fused") its delta d = dE/dr, which is then simpler and safer than e times the slope.

cdef extern from "kernels.h" nogil:
    int FASTBP_ABSOLUTE_ERROR, FASTBP_HUBER, FASTBP_LOG_COSH, FASTBP_QUANTILE, FASTBP_POISSON
    int FASTBP_BINARY_CROSS_ENTROPY


cdef double squared_errors(const fastbp_layer* layer, ptrdiff_t m, const real* y, const real* t, ptrdiff_t t_stride,
                           real factor, real* e) noexcept nogil:
    """e = factor (y - t), followed by zeros, for m rows; the sum of (y - t)**2. The targets may stand in e."""
    cdef vec difference, squares = v_zero(), scale = v_set1(factor)
    cdef ptrdiff_t n = layer.n_out, rows = m, j
    cdef double total = 0
    cdef real single
    if n == m == 1:
        single = y[0] - t[0]
        e[0] = factor * single
        return single * single
    if n == 1:
        n, rows = m, 1      # what stands in a column stands in a row, too
    while rows > 0:
        j = 0
        while j < n:
            difference = v_sub(v_load(y + j), v_load_first(t + j, n - j))
            if j + VLEN > n:
                difference = v_and(v_first_lanes(n - j), difference)
            squares = v_fma(difference, difference, squares)
            v_store(e + j, v_mul(scale, difference))
            j += VLEN
        y += layer.stride
        t += t_stride
        e += layer.stride
        rows -= 1
        if rows % 16 == 0:  # seldom enough to cost little, often enough for the rounding of float32
            total += v_sum(squares)
            squares = v_zero()
    return total


cdef double beyond_log1p(double x) noexcept nogil:
    """x - log(1 + x) for |x| <= 1/2, where the two nearly cancel.

    With s = x / (2 + x), log(1 + x) = 2 atanh(s) = 2 s + 2 s^3 (1/3 + s^2 / 5 + ...) and x - 2 s = s x; s^2 <= 1/9.
    """
    cdef double s = x / (2 + x), series = 0
    cdef int k
    for k in range(33, 1, -2):
        series = series * s * s + 1.0 / k
    return s * (x - 2 * s * s * series)


cdef inline double element_loss(int loss, double parameter, bint fused, double r, double y, double t,
                                double* slope) noexcept nogil:
    """The loss of one output y = g(r) and its derivative with respect to y or, fused, to r.

    huber: Huber 1964; quantile: Koenker and Bassett 1978; poisson: half the deviance, of y = exp(r); binary
    cross-entropy of y = sigmoid(r). Fused, the last two look at r where y has underflowed or is rounded to 1.
    No formula subtracts what is nearly equal, so that a loss near 0 is as exact as a large one.
    """
    cdef double difference = y - t, size = fabs(difference)
    if loss == FASTBP_ABSOLUTE_ERROR:
        slope[0] = (difference > 0) - (difference < 0) + 0 * difference
        return size
    if loss == FASTBP_HUBER:
        slope[0] = max(-parameter, min(parameter, difference)) + 0 * difference
        return difference * difference / 2 if size <= parameter else parameter * (size - parameter / 2)
    if loss == FASTBP_LOG_COSH:
        slope[0] = tanh(difference)
        # 1 - tanh(u)^2 is 1 / cosh(u)^2; where it cancels, cosh u = exp(|u|) (1 + exp(-2 |u|)) / 2.
        return -log1p(-slope[0] ** 2) / 2 if size < 1 else size + log1p(exp(-2 * size)) - 0.6931471805599453
    if loss == FASTBP_QUANTILE:
        slope[0] = (1 - parameter) * (difference > 0) - parameter * (difference < 0) + 0 * difference
        return slope[0] * difference
    if loss == FASTBP_POISSON:
        if t == 0:
            slope[0] = y if fused else 1 - t / y if y != 0 else 1
            return y
        if 2 * size <= t:
            slope[0] = difference if fused else difference / y
            return t * beyond_log1p(difference / t)
        slope[0] = difference if fused else 1 - t / y
        return difference + t * (log(t) - r)
    if fused:
        slope[0] = difference
    else:
        slope[0] = 1 / (1 - y) if t == 0 else -1 / y if t == 1 else difference / (y * (1 - y))
    return fabs(r) * (1 - t if r > 0 else t) + log1p(exp(-fabs(r)))


cdef double elements_row(const fastbp_model* model, const fastbp_layer* layer, bint fused, const real* r,
                         const real* y, const real* t, real factor, real* e, double* squares) noexcept nogil:
    """The sum of the losses of a row, and their derivatives times the factor."""
    cdef double loss = 0, slope = 0
    cdef ptrdiff_t j
    for j in range(layer.n_out):
        loss += element_loss(model.loss, model.loss_parameter, fused, r[j], y[j], t[j], &slope)
        squares[0] += (<double>y[j] - t[j]) * (<double>y[j] - t[j])
        e[j] = factor * <real>slope
    for j in range(layer.n_out, layer.stride):
        e[j] = 0
    return loss


cdef double cross_entropy_row(const fastbp_layer* layer, bint fused, const real* r, const real* y, const real* t,
                              ptrdiff_t label, real factor, real* e, double* squares) noexcept nogil:
    """E = -sum t log y of a row y = softmax(r), and e = -t / y or, fused, d = y sum(t) - t, times the factor.

    log y is r_j - r_k + log y_k with k the largest output, which is at least one n-th: no logarithm is taken of a y
    that underflows to 0. Nor of a y_k near 1, which is rounded: what it lacks is the sum of the others. Where t is
    null, it is 1 at the label and 0 elsewhere.
    """
    cdef ptrdiff_t j, k = 0
    cdef double loss = 0, others = 0, log_largest
    cdef real target, total = 0
    for j in range(layer.n_out):
        if y[j] > y[k]:
            others += y[k]
            k = j
        elif j != k:
            others += y[j]
        total += t[j] if t != NULL else <real>(j == label)
    log_largest = log1p(-others) if others < 0.5 else log(<double>y[k])
    for j in range(layer.n_out):
        target = t[j] if t != NULL else <real>(j == label)
        squares[0] += (y[j] - target) * (y[j] - target)
        if target != 0:
            loss -= target * (<double>r[j] - r[k] + log_largest)
        if fused:
            e[j] = factor * (total * y[j] - target)
        else:
            e[j] = -factor * target / y[j] if target != 0 else 0
    for j in range(layer.n_out, layer.stride):
        e[j] = 0
    # Where no target is above 0 the sum has no term that a NaN in y could enter.
    return loss + 0 * y[k]


cdef void output_error(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                       ptrdiff_t m, double scale, bint fused, fastbp_progress* progress) noexcept nogil:
    """The last layer's error signals (fused: its deltas) times `scale`; E and the sum of (y - t)**2 to the progress.

    `scale` is 1, one over the batch's weight where the loss is a mean, or the learning rate; E is without it.
    """
    cdef int last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef const real* weights = <const real*>samples.weights
    cdef const real* r = net_input_of(work, last)
    cdef const real* y = output_of(work, last)
    cdef real* e = delta_of(work, last)
    cdef const real* t
    cdef ptrdiff_t i = 0, rows, stride, sample
    cdef double weight, loss, squares, error_of_rows = 0, squares_of_rows = 0, error = 0, all_squares = 0
    if model.loss == FASTBP_SQUARED_ERROR and weights == NULL:
        t, stride = <const real*>samples.t + start * layer.n_out, layer.n_out
        if samples.order != NULL:
            take_rows(m, layer.n_out, <const real*>samples.t, samples.order + start, e, layer.stride)
            t, stride = e, layer.stride
        # Threads share blocks only if these are large.
        rows = FASTBP_SUMMED_ROWS if model.block_rows == FASTBP_BLOCK_ROWS else m
        while i < m:
            all_squares += squared_errors(layer, min(rows, m - i), y + i * layer.stride, t + i * stride, stride,
                                          <real>scale, e + i * layer.stride)
            i += rows
        progress.squares += all_squares
        progress.error += 0.5 * all_squares
        return
    for i in range(m):
        if i % FASTBP_SUMMED_ROWS == 0:
            error += error_of_rows
            all_squares += squares_of_rows
            error_of_rows = squares_of_rows = 0
        sample = start + i if samples.order == NULL else samples.order[start + i]
        weight = 1 if weights == NULL else weights[sample]
        t = <const real*>samples.t
        if t != NULL:
            t += sample * layer.n_out
        if model.loss == FASTBP_SQUARED_ERROR:
            squares = squared_errors(layer, 1, y, t, layer.n_out, <real>(scale * weight), e)
            loss = 0.5 * squares
        elif model.loss != FASTBP_CROSS_ENTROPY:
            squares = 0
            loss = elements_row(model, layer, fused, r, y, t, <real>(scale * weight), e, &squares)
        else:
            squares = 0
            loss = cross_entropy_row(layer, fused, r, y, t, -1 if samples.labels == NULL else samples.labels[sample],
                                     <real>(scale * weight), e, &squares)
        squares_of_rows += squares
        error_of_rows += weight * loss
        r += layer.stride
        y += layer.stride
        e += layer.stride
    progress.squares += all_squares + squares_of_rows
    progress.error += error + error_of_rows
