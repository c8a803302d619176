# On-line learning of a network with one hidden layer, by plain descent on the squared error: at most four vectors of
# hidden neurons and one of outputs.
#
# Each sample waits for the weights that the one before leaves, and such a network for little else. This is how the
# chain of waiting is kept short:
#   - The net inputs of the next sample x' need no new weights. Sample x, with the hidden layer's deltas d, takes
#     h x^T d from W and h d from b, so that by the old ones
#         r' = x' W + b - (1 + x' x^T) h d,
#     where all but d is known early. The update itself is made while the next activation is waited for.
#   - sigmoid and tanh take net inputs that were multiplied by a factor beside the chain (vecmath.h). 2**t needs the
#     nearest integer to t; the hidden layer takes the one for x' W + b, because the rest is small.
#   - The output layer's delta is a product of three reciprocals and of numbers that are known before the division ends.
#   - W of the outputs is transposed for the length of a chain. Its columns, as long as the hidden layer's vectors,
#     serve both ways; by its rows the way back would add across the lanes of a vector for each hidden neuron. A single
#     column stays in registers: what is stored and read again would be waited for.
#   - An update is permitted by one comparison, whose outcome the processor foresees and does not wait for. A sample
#     that is not permitted is left to train_singly, which adds up exactly; nothing of it has been written.
# Zen 4, ns a sample, before and after: 2-2-1 39 and 25 (float64: 44 and 28), 4-8-3 53 and 37 (71 and 51), 16-32-8 195
# and 108 (227 and 190). For 2-2-1 in float32 the latencies add up to 71 cycles: 23 for the hidden layer's sigmoid, 8
# for the sum, 32 for the output's, 7 for the way back, and 1; 91 are taken, because each of some twenty operations
# in a row may find its unit busy with what is made beside, and registers are few.
#
# r' is rounded otherwise than x' (W - h x^T d) + (b - h d). So that the bits do not depend on when a training was
# interrupted for another thread, that is done between two chains, which end at fixed places of the order.

cdef enum:
    CHAIN_SAMPLES = 128     # which float32 adds up well, and of which the beginning costs little
    CHAIN_VECTORS = 4
    CHAIN_OUTPUTS = 16      # the lanes of the longest vector


cdef struct chain_ends:
    vec r[CHAIN_VECTORS]    # x W + b of the first sample
    vec columns[CHAIN_OUTPUTS * CHAIN_VECTORS]      # of W of the outputs
    vec bias                # of the outputs
    vec squares             # the sums of (y - t)**2


cdef bint has_chain(const fastbp_model* model, const fastbp_samples* samples) noexcept nogil:
    cdef const fastbp_layer* layers = model.layers
    return (model.n_layers == 2 and model.loss == FASTBP_SQUARED_ERROR and samples.weights == NULL
            and 1 < layers[0].n_out <= CHAIN_VECTORS * VLEN and layers[1].n_out <= VLEN
            and has_power(layers[0].activation) and has_power(layers[1].activation))


cdef inline ptrdiff_t column_stride(int vectors) noexcept nogil:
    """Elements between columns: a constant in each copy of `chain`."""
    return VLEN if vectors == 1 else CHAIN_VECTORS * VLEN


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


cdef inline vec one_and_product(ptrdiff_t n, const real* x, const real* next_x, vec* squares) noexcept nogil:
    """1 + x' x^T in every lane; adds x**2 to the squares."""
    cdef vec part, total = v_zero()
    cdef ptrdiff_t i = 0
    while i < n:
        part = v_load_first(x + i, n - i)
        squares[0] = v_fma(part, part, squares[0])
        total = v_fma(part, v_load_first(next_x + i, n - i), total)
        i += VLEN
    return v_add(v_set1(1), v_total(total, VLEN))


cdef inline vec split_net_input(power_activation g, vec r, vec* bits) noexcept nogil:
    """t = n + f of net inputs: returns f, to which something may be added yet, and sets the bits of n."""
    cdef vec t = v_mul(g.factor, r)
    bits[0] = v_power_bits(v_clamp_power(t))
    return v_sub(t, v_power_integer(bits[0]))


cdef inline ptrdiff_t chain(const int vectors, const fastbp_model* model, const fastbp_samples* samples,
                            ptrdiff_t place, ptrdiff_t stop, vec rate, chain_ends* ends) noexcept nogil:
    """The samples up to `stop`; returns the place of the first whose update is not permitted, or `stop`.

    vectors: of the hidden layer; where it is the constant 1, they all stay in registers.
    """
    cdef const fastbp_layer* hidden = &model.layers[0]
    cdef const fastbp_layer* output = &model.layers[1]
    cdef real* w = <real*>model.params + hidden.weights
    cdef real* b = <real*>model.params + hidden.bias
    cdef real* columns = <real*>ends.columns
    cdef ptrdiff_t n_in = hidden.n_in, n_hidden = hidden.n_out, n_out = output.n_out, v, k
    cdef ptrdiff_t stride = hidden.stride, column = column_stride(vectors)
    cdef bint single = n_out == 1       # then the output stands in every lane that has a hidden neuron
    cdef power_activation g_hidden = power_of(hidden.activation), g_output = power_of(output.activation)
    cdef vec hidden_lanes = v_first_lanes(n_hidden - (vectors - 1) * VLEN), output_lanes = v_first_lanes(n_out)
    cdef vec bits[CHAIN_VECTORS]        # of the hidden layer's net inputs, times their factor: n + f (vecmath.h)
    cdef vec f[CHAIN_VECTORS]
    cdef vec early_f[CHAIN_VECTORS]     # f of the next sample, by the weights from before the update
    cdef vec next_r[CHAIN_VECTORS]
    cdef vec a[CHAIN_VECTORS]
    cdef vec a_before[CHAIN_VECTORS]    # of the sample before
    cdef vec slope[CHAIN_VECTORS]
    cdef vec d[CHAIN_VECTORS]           # h d of the hidden layer
    cdef vec single_column[CHAIN_VECTORS]
    cdef vec a_in_memory[CHAIN_VECTORS]
    cdef vec d_in_memory
    cdef real* outputs = <real*>a_in_memory
    cdef real* deltas = <real*>&d_in_memory
    cdef vec product, s, t, z, z2, e, odd, correction
    cdef vec error, output_d
    cdef vec squared_sizes              # lane by lane, of all numbers that are multiplied for the update
    cdef vec bias = ends.bias, squares = v_zero()
    cdef fraction y
    cdef const real* inputs = <const real*>samples.x
    cdef const real* targets = <const real*>samples.t
    cdef const real* x = inputs + n_in * sample_at(samples, place)
    cdef const real* x_before = x
    cdef const real* next_x
    rate = v_mul(rate, v_set1(slope_factor(output.activation)))
    for v in range(vectors):
        f[v] = split_net_input(g_hidden, ends.r[v], &bits[v])
        single_column[v] = v_load(columns + v * VLEN)
        a_before[v] = d[v] = v_zero()
    error = output_d = squared_sizes = v_zero()
    v_store(deltas, output_d)

    while True:
        next_x = inputs + n_in * sample_at(samples, min(place + 1, stop - 1))
        for v in range(vectors):
            a[v] = v_activate_power(g_hidden, bits[v], f[v], &slope[v])

        # While these are waited for: the update by the sample before.
        if not v_all(v_lt(squared_sizes, v_set1(SAFE_UPDATE))):
            place -= 1
            break
        squares = v_fma(error, error, squares)
        bias = v_sub(bias, v_and(output_lanes, output_d))
        if single:
            for v in range(vectors):
                single_column[v] = v_fnma(output_d, a_before[v], single_column[v])
        else:
            for k in range(n_out):
                for v in range(vectors):
                    v_store(columns + k * column + v * VLEN,
                            v_fnma(v_set1(deltas[k]), a_before[v], v_load(columns + k * column + v * VLEN)))
        v = 0
        while v + 2 <= vectors:
            row_descend(2, n_in, x_before, next_x, d + v, w + v * VLEN, stride, b + v * VLEN, next_r + v)
            v += 2
        if v < vectors:
            row_descend(1, n_in, x_before, next_x, d + v, w + v * VLEN, stride, b + v * VLEN, next_r + v)
        if place == stop:
            break

        squared_sizes = v_zero()
        product = v_mul(g_hidden.factor, one_and_product(n_in, x, next_x, &squared_sizes))
        s = v_mul(g_output.factor, bias)
        if single:
            for v in range(vectors):
                s = v_fma(a[v], v_mul(g_output.factor, single_column[v]), s)
            s = v_total(s, n_hidden if vectors == 1 else VLEN)
            t = v_set1(targets[sample_at(samples, place)])
        else:
            for v in range(vectors):
                v_store(outputs + v * VLEN, a[v])
            s = v_fma(g_output.factor, column_dots(n_out, vectors, columns, column, outputs), s)
            t = v_load_first(targets + n_out * sample_at(samples, place), n_out)
        for v in range(vectors):
            early_f[v] = split_net_input(g_hidden, next_r[v], &bits[v])

        # With z = 1 / denominator: y - t = (numerator - t denominator) z, and h d = h (y - t) slope_numerator z**2.
        y = v_activate_fraction(g_output, s)
        z = y.reciprocal
        z2 = v_mul(z, z)
        error = v_fnma(t, y.denominator, y.numerator)
        output_d = v_mul(v_mul(rate, y.slope_numerator), error)
        error = v_mul(error, z)
        if single:
            for v in range(vectors):
                e = v_mul(single_column[v], slope[v])
                # In this order the correction waits for z alone. But where a far net input has the wrong target,
                # output_d is so large before the division that the product may overflow: that is not permitted.
                correction = v_mul(v_mul(v_mul(product, e), output_d), z)
                f[v] = v_fnma(correction, z2, early_f[v])
                squared_sizes = v_fma(correction, correction, squared_sizes)
                d[v] = v_mul(e, v_mul(v_mul(output_d, z), z2))
            output_d = v_mul(v_mul(output_d, z), z2)
        else:
            output_d = v_mul(v_mul(output_d, z), z2)
            v_store(deltas, output_d)
            for v in range(vectors):
                e = v_zero()
                odd = v_zero()
                k = 0
                while k < n_out:
                    e = v_fma(v_set1(deltas[k]), v_load(columns + k * column + v * VLEN), e)
                    if k + 1 < n_out:
                        odd = v_fma(v_set1(deltas[k + 1]), v_load(columns + (k + 1) * column + v * VLEN), odd)
                    k += 2
                s = v_mul(product, slope[v])
                f[v] = v_fnma(s, e, v_fnma(s, odd, early_f[v]))
                d[v] = v_mul(v_add(e, odd), slope[v])
        squared_sizes = v_fma(error, error, v_fma(output_d, output_d, squared_sizes))
        for v in range(vectors):
            a_before[v] = v_and(hidden_lanes, a[v]) if v == vectors - 1 else a[v]
            squared_sizes = v_fma(a_before[v], a_before[v], v_fma(d[v], d[v], squared_sizes))
        x_before, x = x, next_x
        place += 1
    if single:
        for v in range(vectors):
            v_store(columns + v * VLEN, single_column[v])
    ends.bias, ends.squares = bias, v_and(output_lanes, squares)
    return place


cdef ptrdiff_t train_chain(const fastbp_model* model, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                           double learning_rate, fastbp_progress* progress) noexcept nogil:
    """One chain; as `chain`, and E goes to the progress."""
    cdef const fastbp_layer* hidden = &model.layers[0]
    cdef const fastbp_layer* output = &model.layers[1]
    cdef real* params = <real*>model.params
    cdef const real* inputs = <const real*>samples.x
    cdef vec rate = v_set1(<real>learning_rate)
    cdef chain_ends ends
    cdef double squares
    cdef ptrdiff_t place
    net_inputs_of_row(hidden, params, inputs + hidden.n_in * sample_at(samples, start), ends.r)
    # `chain` begins with an update by its first inputs times deltas of 0, which infinity or NaN would make NaN.
    if not all_finite(<const real*>ends.r, hidden.stride):
        return start
    memset(ends.columns, 0, VLEN * column_stride(hidden.stride // VLEN) * sizeof(real))
    copy_columns(output, params + output.weights, <real*>ends.columns, column_stride(hidden.stride // VLEN), False)
    ends.bias = v_load(params + output.bias)
    if hidden.stride == VLEN and V_BYTES > 16:
        place = chain(1, model, samples, start, stop, rate, &ends)
    else:
        place = chain(hidden.stride // VLEN, model, samples, start, stop, rate, &ends)
    copy_columns(output, params + output.weights, <real*>ends.columns, column_stride(hidden.stride // VLEN), True)
    v_store(params + output.bias, ends.bias)
    squares = v_sum(ends.squares)
    progress.squares += squares
    progress.error += 0.5 * squares
    progress.done += place - start
    REQUIRE(padding_is_zero(model, <const real*>model.params))
    return place
