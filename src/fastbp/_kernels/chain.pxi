# On-line learning of a network with one hidden layer, by plain descent on the squared error: at most four vectors of
# hidden neurons and one of outputs.
#
# Each sample waits for the weights that the last one left, and such a network for little else. So this chain is short:
#   - The net inputs of the next sample x' do not wait for new weights. With W and b from before the update by sample x,
#         r' = x' W + b - (1 + x' x^T) h d,
#     where all but the deltas d is there early. Updates happen beside the chain (study: 12 %).
#   - sigmoid and tanh take net inputs that are multiplied by a factor beside the chain (vecmath.h; study: 50 %).
#   - W of several outputs stands twice: as it is, for the way forward, and transposed for the way back, where row_dots
#     would have to add across lanes.
#   - One comparison permits an update. It is foreseen, so nobody waits for it. A sample that it does not permit is left
#     to the loops of online.pxi, which know exactly; nothing of it has been written.
# 2-2-1 float32 takes TODO ns a sample in place of TODO (Zen 4).
#
# r' rounds otherwise than x' (W - ...) would. So that the bits do not depend on where a training was interrupted, a chain
# begins and ends at fixed places of the order: CHAIN_SAMPLES samples.

cdef enum:
    CHAIN_SAMPLES = 128
    CHAIN_VECTORS = 4
    CHAIN_OUTPUTS = 16      # the lanes of the longest vector


cdef bint has_chain(const fastbp_model* model, const fastbp_samples* samples) noexcept nogil:
    cdef const fastbp_layer* layers = model.layers
    return (model.n_layers == 2 and model.loss == FASTBP_SQUARED_ERROR and samples.weights == NULL
            and 1 < layers[0].n_out <= CHAIN_VECTORS * VLEN and layers[1].n_out <= VLEN
            and layers[0].activation != FASTBP_SOFTMAX and layers[1].activation != FASTBP_SOFTMAX)


cdef inline ptrdiff_t sample_at(const fastbp_samples* samples, ptrdiff_t place) noexcept nogil:
    return place if samples.order == NULL else samples.order[place]


cdef void net_inputs_of_row(const fastbp_layer* layer, const real* params, const real* x, vec* r) noexcept nogil:
    """r = x W + b, of a layer with several outputs."""
    cdef ptrdiff_t v
    for v in range(layer.stride // VLEN):
        row_sums(1, layer.n_in, x, params + layer.weights + v * VLEN, layer.stride, params + layer.bias + v * VLEN,
                 r + v)


cdef void copy_columns(const fastbp_layer* layer, real* w, real* columns, ptrdiff_t stride, bint back) noexcept nogil:
    """W, transposed, to zeroed columns or back."""
    cdef ptrdiff_t j, k
    cdef real* at
    for j in range(layer.n_in):
        for k in range(layer.n_out):
            at = w + j if layer.n_out == 1 else w + j * layer.stride + k
            if back:
                at[0] = columns[k * stride + j]
            else:
                columns[k * stride + j] = at[0]


cdef inline vec one_and_product(ptrdiff_t n, const real* x, const real* next_x, vec* sizes) noexcept nogil:
    """1 + x' x^T in every lane; adds |x| to the sizes."""
    cdef vec part, total = v_zero()
    cdef ptrdiff_t i = 0
    while i < n:
        part = v_load_first(x + i, n - i)
        sizes[0] = v_add(sizes[0], v_abs(part))
        total = v_fma(part, v_load_first(next_x + i, n - i), total)
        i += VLEN
    return v_add(v_set1(1), v_total(total, VLEN))


cdef inline ptrdiff_t chain(const int vectors, const bint single, const fastbp_model* model,
                            const fastbp_samples* samples, ptrdiff_t place, ptrdiff_t stop, vec rate,
                            vec* squares) noexcept nogil:
    """The samples up to `stop`; returns the place of the first whose update was not permitted, or `stop`.

    vectors: of the hidden layer. single: whether there is one output, which then stands in every lane.
    """
    cdef const fastbp_layer* hidden = &model.layers[0]
    cdef const fastbp_layer* output = &model.layers[1]
    cdef real* params = <real*>model.params
    cdef int hidden_activation = hidden.activation, output_activation = output.activation
    cdef vec factor = v_set1(power_factor(hidden_activation)), output_factor = v_set1(power_factor(output_activation))
    cdef vec hidden_lanes = v_first_lanes(hidden.n_out - (vectors - 1) * VLEN)
    cdef vec output_lanes = v_first_lanes(output.n_out)
    cdef vec begin[CHAIN_VECTORS]
    cdef vec r[CHAIN_VECTORS]           # net inputs, times their factor
    cdef vec next_r[CHAIN_VECTORS]      # those of the next sample, by the weights from before the update
    cdef vec a[CHAIN_VECTORS]
    cdef vec slope[CHAIN_VECTORS]
    cdef vec d[CHAIN_VECTORS]           # h d of the hidden layer
    cdef vec sizes, g, s, y, y_slope, error, h_error, output_d, t, e, odd
    cdef vec transposed[CHAIN_OUTPUTS * CHAIN_VECTORS]
    cdef vec stored_a[CHAIN_VECTORS]
    cdef vec stored_d[2]
    cdef real* columns = <real*>transposed      # of W of the outputs
    cdef real* outputs = <real*>stored_a
    cdef real* deltas = <real*>stored_d
    cdef ptrdiff_t n_in = hidden.n_in, n_out = output.n_out, stride = vectors * VLEN, v, k
    cdef const real* inputs = <const real*>samples.x
    cdef const real* targets = <const real*>samples.t
    cdef const real* x = inputs + n_in * sample_at(samples, place)
    cdef const real* next_x = inputs + n_in * sample_at(samples, min(place + 1, stop - 1))
    cdef const real* after_next
    cdef vec bias = v_load(params + output.bias)

    net_inputs_of_row(hidden, params, x, begin)
    for v in range(vectors):
        r[v] = v_mul(factor, begin[v])
    net_inputs_of_row(hidden, params, next_x, begin)
    for v in range(vectors):
        next_r[v] = begin[v]
    memset(columns, 0, (1 if single else VLEN) * stride * sizeof(real))
    copy_columns(output, params + output.weights, columns, stride, False)

    while place < stop:
        after_next = inputs + n_in * sample_at(samples, min(place + 2, stop - 1))
        sizes = v_zero()
        g = v_mul(factor, one_and_product(n_in, x, next_x, &sizes))

        for v in range(vectors):
            a[v] = v_activate_power(hidden_activation, r[v], &slope[v])
        if single:
            s = v_mul(output_factor, bias)
            for v in range(vectors):
                s = v_fma(a[v], v_mul(output_factor, v_load(columns + v * VLEN)), s)
            s = v_total(s, hidden.n_out if vectors == 1 else VLEN)
            t = v_set1(targets[sample_at(samples, place)])
        else:
            for v in range(vectors):
                v_store(outputs + v * VLEN, a[v])
            s = v_fma(output_factor, row_dots(VLEN, vectors, columns, stride, outputs), v_mul(output_factor, bias))
            t = v_load_first(targets + n_out * sample_at(samples, place), n_out)
        y = v_activate_power(output_activation, s, &y_slope)
        error = v_sub(y, t)
        h_error = v_mul(rate, error)
        output_d = v_and(output_lanes, v_mul(h_error, y_slope))
        sizes = v_add(sizes, v_add(v_abs(error), v_abs(output_d)))
        a[vectors - 1] = v_and(hidden_lanes, a[vectors - 1])

        if single:
            output_d = v_mul(h_error, y_slope)
        else:
            v_store(deltas, output_d)
        for v in range(vectors):
            if single:
                e = v_mul(v_load(columns + v * VLEN), slope[v])
                d[v] = v_mul(e, output_d)
                r[v] = v_fnma(v_mul(v_mul(g, e), h_error), y_slope, v_mul(factor, next_r[v]))
            else:
                e = v_mul(v_set1(deltas[0]), v_load(columns + v * VLEN))
                odd = v_mul(v_set1(deltas[1]), v_load(columns + stride + v * VLEN))
                k = 2
                while k < n_out:
                    e = v_fma(v_set1(deltas[k]), v_load(columns + k * stride + v * VLEN), e)
                    if k + 1 < n_out:
                        odd = v_fma(v_set1(deltas[k + 1]), v_load(columns + (k + 1) * stride + v * VLEN), odd)
                    k += 2
                e = v_add(e, odd)
                d[v] = v_mul(e, slope[v])
                r[v] = v_fnma(v_mul(g, slope[v]), e, v_mul(factor, next_r[v]))
            sizes = v_add(sizes, v_add(v_abs(a[v]), v_abs(d[v])))
        if not v_all(v_lt(sizes, v_set1(SAFE_SIZE))):
            break

        squares[0] = v_fma(error, error, squares[0])
        bias = v_sub(bias, v_and(output_lanes, output_d))
        for k in range(1 if single else n_out):
            e = output_d if single else v_set1(deltas[k])
            for v in range(vectors):
                v_store(columns + k * stride + v * VLEN, v_fnma(e, a[v], v_load(columns + k * stride + v * VLEN)))
        v = 0
        while v + 2 <= vectors:
            row_descend(2, n_in, x, after_next, d + v, params + hidden.weights + v * VLEN, hidden.stride,
                        params + hidden.bias + v * VLEN, next_r + v)
            v += 2
        if v < vectors:
            row_descend(1, n_in, x, after_next, d + v, params + hidden.weights + v * VLEN, hidden.stride,
                        params + hidden.bias + v * VLEN, next_r + v)
        x, next_x = next_x, after_next
        place += 1
    copy_columns(output, params + output.weights, columns, stride, True)
    v_store(params + output.bias, bias)
    return place


cdef ptrdiff_t train_chain(const fastbp_model* model, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                           double learning_rate, fastbp_progress* progress) noexcept nogil:
    """One chain; as `chain`, and E goes to the progress."""
    cdef int vectors = model.layers[0].stride // VLEN
    cdef bint single = model.layers[1].n_out == 1
    cdef vec rate = v_set1(<real>learning_rate), squares = v_zero()
    cdef double sum_of_squares
    cdef ptrdiff_t place
    if vectors == 1 and single:
        place = chain(1, True, model, samples, start, stop, rate, &squares)
    elif vectors == 1:
        place = chain(1, False, model, samples, start, stop, rate, &squares)
    else:
        place = chain(vectors, single, model, samples, start, stop, rate, &squares)
    sum_of_squares = v_sum(v_and(v_first_lanes(model.layers[1].n_out), squares))
    progress.squares += sum_of_squares
    progress.error += 0.5 * sum_of_squares
    progress.done += place - start
    REQUIRE(padding_is_zero(model, <const real*>model.params))
    return place
