# Many networks of one architecture, one in each lane of a vector; the networks of a vector are a group.
#
# A lane never looks at another one, so a network's numbers depend neither on its place nor on the other networks. For
# the length of a call a group's parameters stand together, one vector after another; in the population they are
# (n_params, row), which is what makes live views of each network possible.
#
# Batches: blocks of GROUP_SAMPLES samples, which each network may have in its own order, so that all operands are
# vectors (population.h). Outputs and deltas of a layer are (neuron, sample) vectors; behind a layer's outputs there is
# a row of ones, so that the bias, which follows the weights, has its gradient with them.
#
# On-line learning: a bundle of groups is worked on together, because each of them waits for its own chain.
#
# Lanes pay where layers are narrow: there the ordinary kernels have padding and sums across lanes, and on-line learning
# waits for its own chain. In wide layers all vectors are full either way, and the parameters of a group, sixteen times
# those of a network, leave the cache. Measured on Zen 4 with AVX-512, networks 8-H-H-1 (tanh), ns a sample and network
# of a loop over single networks, and of lanes:
#     H                          8          16         24         32         48         64
#     float32, batches of 32     63, 28     66, 51     127, 83    136, 120   226, 229   364, 392
#     float64, batches of 32     63, 58     116, 111   172, 173   260, 256   467, 481
#     float32, on-line           136, 36    139, 81    282, 135   273, 387
# On-line, each sample reads and writes all parameters, so the limit is a lower one there.
#
# A network that stops is kept as it is by a mask, `training`, in which its lane has no bits: gradients and steps pass
# it last.

cdef extern from "population.h" nogil:
    ctypedef struct lane_matrix:        # element [i, j] is at[i * row + j * column]
        const real* at
        ptrdiff_t row, column
    void gather_rows(ptrdiff_t samples, ptrdiff_t numbers, const real** at, const uint32_t* orders, ptrdiff_t m,
                     real* to, ptrdiff_t to_number, ptrdiff_t to_sample)
    void lane_product(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, lane_matrix a, lane_matrix b,
                      lane_matrix init, real* c, ptrdiff_t c_row, ptrdiff_t c_column)
    void wide_product(int wide, ptrdiff_t rows, ptrdiff_t depth, lane_matrix w, const real* a, lane_matrix init,
                      real* c)
    void wide_squares(int wide, ptrdiff_t n, const real* a, vec* sums)
    void wide_errors(int wide, ptrdiff_t n, const real* y, const real* t, const vec* h, real* d, vec* sums)
    bint wide_permit(int wide, const vec* sizes, real bound, vec* mask)
    void wide_mask(int wide, ptrdiff_t n, const vec* mask, real* a)
    void wide_descent(int wide, ptrdiff_t rows, ptrdiff_t columns, const real* a, const real* d, real* w)

cdef extern from "random.h" nogil:
    void fastbp_shuffle(uint32_t* order, ptrdiff_t m, uint64_t stream, ptrdiff_t epoch)

cdef enum:
    GROUP_SAMPLES = 8           # whose outputs stay in the first cache beside the parameters
    ONLINE_SAMPLES = 16         # that are gathered at once, and whose errors are added in the network's own dtype
    MOST_WIDE = 4               # FASTBP_BUNDLE, as a constant
    GROUP_WIDEST = 32           # layers beyond which the ordinary kernels are as fast
    ONLINE_WIDEST = 24          # the same for updates by single samples


cdef struct group_layer:
    ptrdiff_t n_in, n_out
    int activation
    real* w                     # (n_in, n_out), then b
    real* gradient              # of the same layout
    const real* inputs          # (n_in + 1, samples)
    real* net_inputs            # (n_out, samples); the outputs, unless they are needed afterwards
    real* outputs               # (n_out + 1, samples)
    real* deltas                # (n_out, samples)


cdef struct group:
    const fastbp_population* job
    int n_layers, wide          # wide: the groups of a bundle
    ptrdiff_t first             # the first network
    ptrdiff_t n_params          # without padding
    group_layer* layers
    real* params                # (n_params, wide)
    real* gradient
    real* mean
    real* square
    real* inputs                # (row_numbers, samples)
    real* targets               # the part of them behind the inputs and the ones
    real* weights               # (samples)
    real* row                   # r, y, t and e of a sample of one network, for losses that work on rows
    real* training              # (wide): the mask
    bint all_training           # no lane is masked
    real* rates                 # (wide)
    double* errors              # (wide * VLEN): of the epoch so far
    double* squares
    ptrdiff_t unasked           # samples of a group since is_interrupted was asked
    const real** rows           # (wide * VLEN): the samples of each network
    uint32_t* orders            # (wide * VLEN, m); null: the samples as they stand


cdef ptrdiff_t count_params(const fastbp_model* model) noexcept nogil:
    cdef ptrdiff_t n = 0
    cdef int l
    for l in range(model.n_layers):
        n += (model.layers[l].n_in + 1) * model.layers[l].n_out
    return n


cdef ptrdiff_t widest_of(const fastbp_model* model) noexcept nogil:
    cdef ptrdiff_t widest = model.layers[0].n_in
    cdef int l
    for l in range(model.n_layers):
        widest = max(widest, model.layers[l].n_out)
    return widest


cdef bint suits_population(const fastbp_model* model) noexcept nogil:
    """Whether networks of this architecture are computed in lanes."""
    cdef int l
    for l in range(model.n_layers):
        if model.layers[l].activation == FASTBP_SOFTMAX and not (l + 1 == model.n_layers and model.fused):
            return False
    return widest_of(model) <= GROUP_WIDEST and model.loss != FASTBP_CUSTOM


cdef bint trains_as_population(const fastbp_model* model, const fastbp_optimizer* optimizer,
                               ptrdiff_t batch) noexcept nogil:
    """Whether networks of this architecture are trained in lanes by this optimizer."""
    if not suits_population(model) or (batch == 1 and widest_of(model) > ONLINE_WIDEST):
        return False
    if optimizer.rates != NULL or optimizer.clip > 0 or optimizer.max_norm > 0 or optimizer.batch_means:
        return False
    return (optimizer.method == FASTBP_SGD or optimizer.method == FASTBP_MOMENTUM
            or optimizer.method == FASTBP_NESTEROV or optimizer.method == FASTBP_ADAM
            or optimizer.method == FASTBP_NADAM)


cdef real* take(real** space, ptrdiff_t vectors) noexcept nogil:
    """So many vectors of the space."""
    cdef real* taken = space[0]
    space[0] += vectors * VLEN
    return taken


cdef ptrdiff_t cut_space(const fastbp_population* job, void* space, group* g) noexcept nogil:
    """Give the group its arrays, all of them as long as any bundle needs; returns their bytes."""
    cdef const fastbp_model* model = job.model
    cdef ptrdiff_t n_out = model.layers[model.n_layers - 1].n_out
    cdef ptrdiff_t layers_bytes = (model.n_layers * <ptrdiff_t>sizeof(group_layer) + 63) // 64 * 64
    cdef real* at = <real*>(<char*>space + layers_bytes)
    cdef ptrdiff_t samples = max(<ptrdiff_t>GROUP_SAMPLES, <ptrdiff_t>ONLINE_SAMPLES * FASTBP_BUNDLE)
    cdef group_layer* layer
    cdef int l
    g.job, g.n_layers, g.layers = job, model.n_layers, <group_layer*>space
    g.n_params = count_params(model)
    g.errors = <double*>take(&at, FASTBP_BUNDLE * sizeof(double) // sizeof(real))
    g.squares = <double*>take(&at, FASTBP_BUNDLE * sizeof(double) // sizeof(real))
    g.training, g.rates = take(&at, FASTBP_BUNDLE), take(&at, FASTBP_BUNDLE)
    g.params, g.gradient = take(&at, FASTBP_BUNDLE * g.n_params), take(&at, g.n_params)
    g.mean, g.square = take(&at, g.n_params), take(&at, g.n_params)
    g.inputs = take(&at, samples * job.row_numbers)
    g.rows = <const real**>take(&at, FASTBP_BUNDLE * sizeof(real*) // sizeof(real))
    g.weights, g.row = take(&at, GROUP_SAMPLES), take(&at, 4 * (n_out // VLEN + 2))
    for l in range(model.n_layers):
        n_out = model.layers[l].n_out
        layer = g.layers + l
        # In a call that asks for the bytes only, there is no space to write to.
        if space != NULL:
            layer.n_in, layer.n_out, layer.activation = model.layers[l].n_in, n_out, model.layers[l].activation
            layer.inputs = g.inputs if l == 0 else g.layers[l - 1].outputs
            layer.outputs = at
            layer.net_inputs = at + (n_out + 1) * GROUP_SAMPLES * VLEN
            layer.deltas = at + (2 * n_out + 1) * GROUP_SAMPLES * VLEN
        take(&at, (3 * n_out + 1) * GROUP_SAMPLES)
    g.orders = <uint32_t*>at
    return <char*>(g.orders + (FASTBP_BUNDLE * VLEN * job.m if job.streams != NULL else 0)) - <char*>space


cdef ptrdiff_t population_bytes(const fastbp_population* job) noexcept nogil:
    """What a thread needs to work on a bundle."""
    cdef group g
    return cut_space(job, NULL, &g)


cdef void open_groups(const fastbp_population* job, void* space, ptrdiff_t first, int wide, group* g) noexcept nogil:
    """Make ready for the networks from `first` on, and fetch their parameters."""
    cdef ptrdiff_t offset = 0, lane
    cdef int l
    cut_space(job, space, g)
    g.wide, g.first, g.unasked = wide, first, 0
    if job.streams == NULL:
        g.orders = NULL
    for lane in range(wide * VLEN):
        g.rows[lane] = <const real*>job.x + network_of(g, lane) * job.x_network
    for l in range(g.n_layers):
        g.layers[l].w = g.params + offset * wide * VLEN
        g.layers[l].gradient = g.gradient + offset * VLEN
        offset += (g.layers[l].n_in + 1) * g.layers[l].n_out
    copy_groups(g, <real*>job.params, g.params, False)


cdef void copy_groups(group* g, real* theirs, real* ours, bint back) noexcept nogil:
    """Between the population's arrays and those of the group."""
    cdef ptrdiff_t i, v
    if theirs == NULL:
        return
    theirs += g.first
    for i in range(g.n_params):
        for v in range(g.wide):
            if back:
                v_store(theirs + v * VLEN, v_load(ours + v * VLEN))
            else:
                v_store(ours + v * VLEN, v_load(theirs + v * VLEN))
        theirs += g.job.row
        ours += g.wide * VLEN


cdef inline ptrdiff_t network_of(const group* g, ptrdiff_t lane) noexcept nogil:
    """A lane without a network sees the samples of the last one."""
    return min(g.first + lane, g.job.n - 1)


cdef inline ptrdiff_t sample_of(const group* g, ptrdiff_t lane, ptrdiff_t place) noexcept nogil:
    return place if g.orders == NULL else g.orders[lane * g.job.m + place]


cdef void gather_group(group* g, ptrdiff_t place, ptrdiff_t m) noexcept nogil:
    """m samples from `place` of each network's order, for a batch."""
    cdef const fastbp_population* job = g.job
    cdef const real* at[16]
    cdef ptrdiff_t lane, s
    for lane in range(VLEN):
        at[lane] = g.rows[lane] + (place * job.row_numbers if g.orders == NULL else 0)
    gather_rows(m, job.row_numbers, at, g.orders + place if g.orders != NULL else NULL, job.m, g.inputs, m * VLEN, VLEN)
    g.targets = g.inputs + (job.model.layers[0].n_in + 1) * m * VLEN
    if job.weights != NULL:
        for lane in range(VLEN):
            for s in range(m):
                g.weights[s * VLEN + lane] = (<const real*>job.weights)[
                    network_of(g, lane) * job.weights_network + sample_of(g, lane, place + s)]


cdef inline void ones_after(real* outputs, ptrdiff_t n, ptrdiff_t m) noexcept nogil:
    cdef ptrdiff_t s
    for s in range(n * m, (n + 1) * m):
        v_store(outputs + s * VLEN, v_set1(1))


cdef void softmax_group(const group_layer* layer, ptrdiff_t m) noexcept nogil:
    """Each sample's net inputs r become exp(r - max r) / sum."""
    cdef const real* r
    cdef real* y
    cdef vec peak, total, e
    cdef ptrdiff_t s, j, n = layer.n_out, row = m * VLEN
    for s in range(m):
        r, y = layer.net_inputs + s * VLEN, layer.outputs + s * VLEN
        peak, total = v_load(r), v_zero()
        for j in range(1, n):
            peak = v_max(v_load(r + j * row), peak)
        for j in range(n):
            e = v_exp(v_sub(v_load(r + j * row), peak))
            v_store(y + j * row, e)
            total = v_add(total, e)
        for j in range(n):
            v_store(y + j * row, v_div(v_load(y + j * row), total))


cdef void forward_group(const group* g, ptrdiff_t m, ptrdiff_t step) noexcept nogil:
    """The outputs of m samples; `step`: from one parameter to the next, which may stand in the population."""
    cdef const group_layer* layer
    cdef lane_matrix weights, inputs, biases
    cdef int l
    for l in range(g.n_layers):
        layer = &g.layers[l]
        weights.at, weights.row, weights.column = layer.w, step, layer.n_out * step
        biases.at, biases.row, biases.column = layer.w + layer.n_in * layer.n_out * step, step, 0
        inputs.at, inputs.row, inputs.column = layer.inputs, m * VLEN, VLEN
        lane_product(layer.n_out, m, layer.n_in, weights, inputs, biases, layer.net_inputs, m * VLEN, VLEN)
        if layer.activation == FASTBP_SOFTMAX:
            softmax_group(layer, m)
        else:
            activate_elements(layer.activation, layer.net_inputs, layer.outputs, layer.n_out * m * VLEN)


cdef void squared_errors_of_group(const group* g, ptrdiff_t m, double scale) noexcept nogil:
    cdef const group_layer* layer = &g.layers[g.n_layers - 1]
    cdef ptrdiff_t s, j, at, lane
    cdef vec difference, weight, squares = v_zero(), errors = v_zero(), factor = v_set1(<real>scale)
    cdef real lanes[16]
    for s in range(m):
        weight = v_load(g.weights + s * VLEN) if g.job.weights != NULL else v_set1(1)
        for j in range(layer.n_out):
            at = (j * m + s) * VLEN
            difference = v_sub(v_load(layer.outputs + at), v_load(g.targets + at))
            v_store(layer.deltas + at, v_mul(v_mul(factor, weight), difference))
            difference = v_mul(difference, difference)
            squares = v_add(squares, difference)
            errors = v_fma(weight, difference, errors)
    v_store(lanes, squares)
    for lane in range(VLEN):
        g.squares[lane] += lanes[lane]
    v_store(lanes, errors)
    for lane in range(VLEN):
        g.errors[lane] += 0.5 * lanes[lane]


cdef void errors_of_group(const group* g, ptrdiff_t place, ptrdiff_t m, double scale) noexcept nogil:
    """The last layer's error signals, or its deltas where the loss is fused; E and squares to the sums."""
    cdef const fastbp_population* job = g.job
    cdef const fastbp_model* model = job.model
    cdef const fastbp_layer* layout = &model.layers[g.n_layers - 1]
    cdef const group_layer* layer = &g.layers[g.n_layers - 1]
    cdef ptrdiff_t lane, s, j, at, label, n = layer.n_out
    cdef real* r = g.row
    cdef real* y = r + (n // VLEN + 2) * VLEN
    cdef real* t = y + (n // VLEN + 2) * VLEN
    cdef real* e = t + (n // VLEN + 2) * VLEN
    cdef double loss, weight
    if model.loss == FASTBP_SQUARED_ERROR:
        squared_errors_of_group(g, m, scale)
        return
    for lane in range(VLEN):
        for s in range(m):
            for j in range(n):
                at = (j * m + s) * VLEN + lane
                r[j], y[j], t[j] = layer.net_inputs[at], layer.outputs[at], g.targets[at]
            weight = g.weights[s * VLEN + lane] if job.weights != NULL else 1
            if model.loss != FASTBP_CROSS_ENTROPY:
                loss = elements_row(model, layout, model.fused, r, y, t, <real>(scale * weight), e, &g.squares[lane])
            else:
                label = -1
                if job.labels != NULL:
                    label = job.labels[network_of(g, lane) * job.labels_network + sample_of(g, lane, place + s)]
                loss = cross_entropy_row(layout, model.fused, r, y, NULL if job.labels != NULL else t, label,
                                         <real>(scale * weight), e, &g.squares[lane])
            g.errors[lane] += weight * loss
            for j in range(n):
                layer.deltas[(j * m + s) * VLEN + lane] = e[j]


cdef void backward_group(const group* g, ptrdiff_t m, bint accumulate) noexcept nogil:
    """From the last layer's error signals to the gradient."""
    cdef const group_layer* layer
    cdef lane_matrix weights, inputs, deltas, sums
    cdef real zero[16]
    cdef int l
    v_store(zero, v_zero())
    for l in range(g.n_layers - 1, -1, -1):
        layer = &g.layers[l]
        if not (l == g.n_layers - 1 and g.job.model.fused):
            multiply_by_slope(layer.activation, layer.net_inputs, layer.outputs, layer.deltas, layer.n_out * m * VLEN)
        # The gradient's rows are the outputs, which are fewer than the inputs in most last layers.
        deltas.at, deltas.row, deltas.column = layer.deltas, m * VLEN, VLEN
        inputs.at, inputs.row, inputs.column = layer.inputs, VLEN, m * VLEN
        sums.at, sums.row, sums.column = layer.gradient, VLEN, layer.n_out * VLEN
        if not accumulate:
            sums.at, sums.row, sums.column = zero, 0, 0
        lane_product(layer.n_out, layer.n_in + 1, m, deltas, inputs, sums, layer.gradient, VLEN, layer.n_out * VLEN)
        if l > 0:
            weights.at, weights.row, weights.column = layer.w, layer.n_out * VLEN, VLEN
            sums.at, sums.row, sums.column = zero, 0, 0
            lane_product(layer.n_in, m, layer.n_out, weights, deltas, sums, g.layers[l - 1].deltas, m * VLEN, VLEN)


cdef inline bint is_interrupted(group* g, ptrdiff_t samples) noexcept nogil:
    """Whether to stop at once; `samples` is how many have been worked off since the last call of this."""
    g.unasked += samples * g.wide
    if g.job.is_interrupted == NULL or g.unasked < g.job.patience:
        return False
    g.unasked = 0
    return g.job.is_interrupted(g.job.interruption)


cdef bint gradient_of_group(group* g, ptrdiff_t place, ptrdiff_t m, double scale, bint forward_only) noexcept nogil:
    """E, squares and gradient of m samples, block by block; False where they are incomplete for an interruption."""
    cdef ptrdiff_t done = 0, rows
    cdef int l
    while done < m:
        rows = min(m - done, <ptrdiff_t>GROUP_SAMPLES)
        gather_group(g, place + done, rows)
        forward_group(g, rows, VLEN)
        errors_of_group(g, place + done, rows, scale)
        if not forward_only:
            for l in range(g.n_layers - 1):
                ones_after(g.layers[l].outputs, g.layers[l].n_out, rows)
            backward_group(g, rows, done > 0)
        done += rows
        if is_interrupted(g, rows):
            return False
    return True


cdef inline vec bits_where(vmask mask) noexcept nogil:
    return v_select(mask, v_first_lanes(VLEN), v_zero())


cdef vec numbers_of(const group* g, const double* numbers, int part, double divisor) noexcept nogil:
    """The numbers of a group's networks, divided, or zeros where there are none."""
    cdef real lanes[16]
    cdef int lane
    for lane in range(VLEN):
        lanes[lane] = <real>(numbers[network_of(g, part * VLEN + lane)] / divisor) if numbers != NULL else 0
    return v_load(lanes)


cdef void penalise_group(const group* g) noexcept nogil:
    """The gradient of l1 sum |w| + l2 / 2 sum w**2 is added to the gradient."""
    cdef vec l1 = numbers_of(g, g.job.l1, 0, 1), l2 = numbers_of(g, g.job.l2, 0, 1), w, sign
    cdef const group_layer* layer
    cdef ptrdiff_t i
    cdef int l
    for l in range(g.n_layers):
        layer = &g.layers[l]
        for i in range(layer.n_in * layer.n_out):
            w = v_load(layer.w + i * VLEN)
            sign = v_select(v_lt(v_zero(), v_abs(w)), v_copysign(l1, w), v_zero())
            v_store(layer.gradient + i * VLEN, v_add(v_fma(l2, w, v_load(layer.gradient + i * VLEN)), sign))


cdef void permit_group(const group* g) noexcept nogil:
    """Networks whose update might leave the finite numbers train no longer; see is_safe_update."""
    cdef const fastbp_optimizer* optimizer = &g.job.optimizer
    cdef vec sizes = v_zero(), rates = v_load(g.rates), bound
    cdef real errors[16]
    cdef ptrdiff_t i
    for i in range(g.n_params):
        sizes = v_add(sizes, v_abs(v_load(g.gradient + i * VLEN)))
    if optimizer.method == FASTBP_SGD or optimizer.method == FASTBP_MOMENTUM or optimizer.method == FASTBP_NESTEROV:
        bound = v_set1(<real>(SAFE_UPDATE if optimizer.method == FASTBP_SGD else SAFE_UPDATE * max(
            1 - (<const momentum_numbers*>optimizer.own).momentum, 1e-7)))
        sizes = v_mul(sizes, rates)
    else:
        # The step is bounded whatever g is, but g squared must be a number; and so must the rate be moderate.
        bound = v_set1(<real>sqrt(SAFE_UPDATE))
        sizes = v_max(rates, sizes)
    for i in range(VLEN):
        errors[i] = <real>(0 * g.errors[i])
    sizes = v_add(sizes, v_load(errors))
    v_store(g.training, v_and(v_load(g.training), bits_where(v_lt(sizes, bound))))


cdef void update_group(const group* g, ptrdiff_t steps) noexcept nogil:
    """One update, the `steps`-th; the formulas are those of update.pxi."""
    cdef const fastbp_optimizer* optimizer = &g.job.optimizer
    cdef const adam_numbers* adam = <const adam_numbers*>optimizer.own
    cdef vec h = v_load(g.rates), training = v_load(g.training), gradient, step, velocity, mean, square
    cdef vec mu, beta_1, rest_1, beta_2, rest_2, of_mean, of_gradient, epsilon, keep
    cdef bint nesterov = optimizer.method == FASTBP_NESTEROV, nadam = optimizer.method == FASTBP_NADAM
    cdef double start, correction, b_1, b_2
    cdef ptrdiff_t i, n = g.n_params
    cdef real* w = g.params
    cdef int l
    if optimizer.decay > 0:
        keep = v_max(v_zero(), v_fnma(v_and(training, h), v_set1(<real>optimizer.decay), v_set1(1)))
        for l in range(g.n_layers):
            for i in range(g.layers[l].n_in * g.layers[l].n_out):
                v_store(g.layers[l].w + i * VLEN, v_mul(keep, v_load(g.layers[l].w + i * VLEN)))
    if optimizer.method == FASTBP_SGD:
        for i in range(n):
            v_store(w + i * VLEN, v_fnma(h, v_and(training, v_load(g.gradient + i * VLEN)), v_load(w + i * VLEN)))
    elif optimizer.method == FASTBP_MOMENTUM or nesterov:
        mu = v_set1(<real>(<const momentum_numbers*>optimizer.own).momentum)
        for i in range(n):
            step = v_mul(h, v_and(training, v_load(g.gradient + i * VLEN)))
            velocity = v_sub(v_mul(mu, v_load(g.mean + i * VLEN)), step)
            v_store(g.mean + i * VLEN, velocity)
            if nesterov:
                velocity = v_sub(v_mul(mu, velocity), step)
            v_store(w + i * VLEN, v_add(v_load(w + i * VLEN), v_and(training, velocity)))
    else:
        b_1, b_2 = adam.beta_1, adam.beta_2
        start, correction = 1 - pow(b_1, steps), sqrt(1 - pow(b_2, steps))
        of_mean = v_mul(h, v_set1(<real>(correction * (b_1 / (1 - pow(b_1, steps + 1)) if nadam else 1 / start))))
        of_gradient = v_mul(h, v_set1(<real>(correction * (1 - b_1) / start)))
        epsilon = v_max(v_set1(<real>max(adam.epsilon * correction, <double>LEAST_NORMAL)),
                        v_mul(v_add(of_mean, of_gradient), v_set1(<real>(1 / sqrt(SAFE_UPDATE)))))
        beta_1, rest_1 = v_set1(<real>b_1), v_set1(<real>(1 - b_1))
        beta_2, rest_2 = v_set1(<real>b_2), v_set1(<real>(1 - b_2))
        for i in range(n):
            gradient = v_and(training, v_load(g.gradient + i * VLEN))
            mean = v_fma(beta_1, v_load(g.mean + i * VLEN), v_mul(rest_1, gradient))
            square = v_fma(beta_2, v_load(g.square + i * VLEN), v_mul(rest_2, v_mul(gradient, gradient)))
            v_store(g.mean + i * VLEN, mean)
            v_store(g.square + i * VLEN, square)
            step = v_mul(of_mean, mean)
            if nadam:
                step = v_fma(of_gradient, gradient, step)
            step = v_div(step, v_add(v_sqrt(square), epsilon))
            v_store(w + i * VLEN, v_sub(v_load(w + i * VLEN), v_and(training, step)))


cdef inline void online_step(const int wide, group* g, real* inputs, const real* targets, vec* squares,
                             vec* rates, vec* training) noexcept nogil:
    """Forward, back and update for one sample of each network of a bundle; see train_singly."""
    cdef const group_layer* layer
    cdef lane_matrix weights, init
    cdef vec sizes[MOST_WIDE]       # the squares of all numbers that are multiplied for the update
    cdef const real* a = inputs
    cdef ptrdiff_t v, step = wide * VLEN
    cdef int l, last = g.n_layers - 1
    for v in range(wide):
        sizes[v] = v_zero()
    for l in range(g.n_layers):
        layer = &g.layers[l]
        wide_squares(wide, layer.n_in, a, sizes)
        weights.at, weights.row, weights.column = layer.w, step, layer.n_out * step
        init.at, init.row = layer.w + layer.n_in * layer.n_out * step, step
        wide_product(wide, layer.n_out, layer.n_in, weights, a, init, layer.net_inputs)
        activate_elements(layer.activation, layer.net_inputs, layer.outputs, layer.n_out * step)
        a = layer.outputs
    layer = &g.layers[last]
    wide_errors(wide, layer.n_out, layer.outputs, targets, rates, layer.deltas, squares)
    for l in range(last, -1, -1):
        layer = &g.layers[l]
        if l < last:
            weights.at, init.at = g.layers[l + 1].w, NULL
            weights.row, weights.column = g.layers[l + 1].n_out * step, step
            wide_product(wide, layer.n_out, g.layers[l + 1].n_out, weights, g.layers[l + 1].deltas, init, layer.deltas)
        multiply_by_slope(layer.activation, layer.net_inputs, layer.outputs, layer.deltas, layer.n_out * step)
        wide_squares(wide, layer.n_out, layer.deltas, sizes)
    if not wide_permit(wide, sizes, SAFE_UPDATE, training) or not g.all_training:
        # All factors, since 0 times infinity is NaN. They are made anew for the next sample.
        wide_mask(wide, g.layers[0].n_in, training, inputs)
        for l in range(g.n_layers):
            wide_mask(wide, g.layers[l].n_out, training, g.layers[l].outputs)
            wide_mask(wide, g.layers[l].n_out, training, g.layers[l].deltas)
        g.all_training = False
    for l in range(g.n_layers):
        layer = &g.layers[l]
        a = inputs if l == 0 else g.layers[l - 1].outputs
        wide_descent(wide, layer.n_in, layer.n_out, a, layer.deltas, layer.w)


cdef inline bint train_bundle_online(const int wide, group* g) noexcept nogil:
    """One epoch, an update for each sample; False where it was interrupted."""
    cdef ptrdiff_t place = 0, m, s, v, lane, step = wide * VLEN, row = g.job.row_numbers * wide * VLEN
    cdef ptrdiff_t targets = (g.layers[0].n_in + 1) * step
    cdef vec squares[MOST_WIDE]
    cdef vec training[MOST_WIDE]
    cdef vec rates[MOST_WIDE]
    cdef const real* at[16]
    cdef real lanes[16]
    for v in range(wide):
        training[v], rates[v] = v_load(g.training + v * VLEN), v_load(g.rates + v * VLEN)
    while place < g.job.m:
        m = min(g.job.m - place, <ptrdiff_t>ONLINE_SAMPLES)
        for v in range(wide):
            for lane in range(VLEN):
                at[lane] = g.rows[v * VLEN + lane] + (place * g.job.row_numbers if g.orders == NULL else 0)
            gather_rows(m, g.job.row_numbers, at, g.orders + v * VLEN * g.job.m + place if g.orders != NULL else NULL,
                        g.job.m, g.inputs + v * VLEN, step, row)
            squares[v] = v_zero()
        for s in range(m):
            online_step(wide, g, g.inputs + s * row, g.inputs + s * row + targets, squares, rates, training)
        for v in range(wide):
            v_store(lanes, squares[v])
            for lane in range(VLEN):
                g.squares[v * VLEN + lane] += lanes[lane]
                g.errors[v * VLEN + lane] += 0.5 * lanes[lane]
        place += m
        if is_interrupted(g, m):
            return False
    for v in range(wide):
        v_store(g.training + v * VLEN, training[v])
    return True


cdef bint train_group_in_batches(group* g, ptrdiff_t* steps) noexcept nogil:
    """One epoch, an update for each batch; False where it was interrupted."""
    cdef const fastbp_population* job = g.job
    cdef ptrdiff_t place = 0, m
    while place < job.m:
        m = min(job.batch, job.m - place)
        if m < job.batch and job.divided:
            v_store(g.rates, numbers_of(g, job.rates, 0, m))
        if not gradient_of_group(g, place, m, 1.0 / m if job.mean_error else 1.0, False):
            return False
        if job.l1 != NULL or job.l2 != NULL:
            penalise_group(g)
        permit_group(g)
        steps[0] += 1
        update_group(g, steps[0])
        place += m
    return True


cdef bint is_online(const fastbp_population* job) noexcept nogil:
    return (job.batch == 1 and job.optimizer.method == FASTBP_SGD and job.l1 == NULL and job.l2 == NULL
            and job.weights == NULL and job.model.loss == FASTBP_SQUARED_ERROR
            and job.model.layers[job.model.n_layers - 1].activation != FASTBP_SOFTMAX)


cdef bint lane_is_training(const group* g, ptrdiff_t lane) noexcept nogil:
    return g.first + lane < g.job.n and g.job.stopped[g.first + lane] == FASTBP_IN_TRAINING


cdef bint begin_epoch(group* g, ptrdiff_t epoch) noexcept nogil:
    """Masks, rates, sums and orders; False where no network trains any longer, or all are to stop."""
    cdef const fastbp_population* job = g.job
    cdef ptrdiff_t lane, lanes = g.wide * VLEN
    # A sample of a group takes some times as long as a number of each of its orders.
    cdef ptrdiff_t of_an_order = job.m // lanes
    cdef real ones[16]
    cdef bint any_training = False
    v_store(ones, v_first_lanes(VLEN))
    g.all_training = True
    for lane in range(lanes):
        g.errors[lane] = g.squares[lane] = 0
        g.training[lane] = 0
        if lane_is_training(g, lane):
            any_training = True
            memcpy(g.training + lane, ones, sizeof(real))
            if g.orders != NULL:
                fastbp_shuffle(g.orders + lane * job.m, job.m, job.streams[g.first + lane], epoch)
                if is_interrupted(g, of_an_order):
                    return False
            continue
        g.all_training = False
        if g.orders != NULL:
            memset(g.orders + lane * job.m, 0, job.m * sizeof(uint32_t))
    for lane in range(g.wide):
        v_store(g.rates + lane * VLEN, numbers_of(g, job.rates, lane, job.batch if job.divided else 1))
    return any_training


cdef void end_epoch(const group* g, ptrdiff_t column) noexcept nogil:
    """Record the errors, and note who stops."""
    cdef const fastbp_population* job = g.job
    cdef ptrdiff_t lane, at
    cdef double terms = <double>job.m * g.layers[g.n_layers - 1].n_out
    cdef real none = 0
    for lane in range(g.wide * VLEN):
        if not lane_is_training(g, lane):
            continue
        if memcmp(g.training + lane, &none, sizeof(real)) == 0:
            job.stopped[g.first + lane] = FASTBP_HAS_DIVERGED
            continue
        at = (g.first + lane) * job.history + column
        job.error[at] = g.errors[lane] / job.m if job.mean_error else g.errors[lane]
        job.rms[at] = sqrt(g.squares[lane] / terms)
        if not job.rms[at] <= job.runaway[g.first + lane]:
            job.stopped[g.first + lane] = FASTBP_HAS_DIVERGED
        elif job.rms[at] <= job.desired:
            job.stopped[g.first + lane] = FASTBP_HAS_LEARNT


cdef void train_groups(const fastbp_population* job, ptrdiff_t first, int wide, void* space) noexcept nogil:
    """All epochs of the networks from `first` on."""
    cdef group g
    cdef ptrdiff_t epoch, steps = job.optimizer.steps
    cdef bint complete
    open_groups(job, space, first, wide, &g)
    copy_groups(&g, <real*>job.mean, g.mean, False)
    copy_groups(&g, <real*>job.square, g.square, False)
    for epoch in range(job.epochs):
        if not begin_epoch(&g, job.epoch + epoch):
            break
        if not is_online(job):
            complete = train_group_in_batches(&g, &steps)
        elif wide == FASTBP_BUNDLE:
            complete = train_bundle_online(FASTBP_BUNDLE, &g)
        else:
            complete = train_bundle_online(1, &g)
        if not complete:
            break
        end_epoch(&g, epoch)
    copy_groups(&g, <real*>job.params, g.params, True)
    copy_groups(&g, <real*>job.mean, g.mean, True)
    copy_groups(&g, <real*>job.square, g.square, True)


cdef void train_population(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                           void* space) noexcept nogil:
    """Train a bundle; together, if the networks learn on-line and their parameters stay in the first cache."""
    cdef ptrdiff_t i
    if groups == FASTBP_BUNDLE and is_online(job) and count_params(job.model) * FASTBP_BUNDLE * V_BYTES <= 16 * 1024:
        train_groups(job, first, FASTBP_BUNDLE, space)
        return
    for i in range(groups):
        train_groups(job, first + i * VLEN, 1, space)


cdef void differentiate_population(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                                   void* space) noexcept nogil:
    """E and RMS error of each network of a bundle and, if wanted, its gradient."""
    cdef group g
    cdef ptrdiff_t i, lane, network
    cdef double total
    for i in range(groups):
        open_groups(job, space, first + i * VLEN, 1, &g)
        for lane in range(VLEN):
            g.errors[lane] = g.squares[lane] = 0
        if not gradient_of_group(&g, 0, job.m, 1, job.gradient == NULL):
            return
        for lane in range(min(<ptrdiff_t>VLEN, job.n - g.first)):
            network = g.first + lane
            total = job.total_weights[network] if job.mean_error else 1
            job.error[network] = g.errors[lane] / total
            job.rms[network] = sqrt(g.squares[lane] / (<double>job.m * g.layers[g.n_layers - 1].n_out))
        if job.gradient != NULL:
            if job.mean_error:
                scale_gradient(&g)
            copy_groups(&g, <real*>job.gradient, g.gradient, True)


cdef void scale_gradient(const group* g) noexcept nogil:
    cdef vec total = numbers_of(g, g.job.total_weights, 0, 1)
    cdef ptrdiff_t i
    for i in range(g.n_params):
        v_store(g.gradient + i * VLEN, v_div(v_load(g.gradient + i * VLEN), total))


cdef void gather_inputs(const group* g, ptrdiff_t place, ptrdiff_t m) noexcept nogil:
    """Inputs of m samples for a prediction, where rows have no padding."""
    cdef const real* x
    cdef ptrdiff_t lane, s, i, n = g.layers[0].n_in
    for lane in range(VLEN if g.job.x_network != 0 else 1):
        x = <const real*>g.job.x + network_of(g, lane) * g.job.x_network + place * n
        for s in range(m):
            for i in range(n):
                if g.job.x_network == 0:
                    v_store(g.inputs + (i * m + s) * VLEN, v_set1(x[s * n + i]))
                else:
                    g.inputs[(i * m + s) * VLEN + lane] = x[s * n + i]


cdef void predict_population(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                             void* space) noexcept nogil:
    """The outputs of a bundle's networks. For few samples the parameters are read where they stand."""
    cdef group g
    cdef ptrdiff_t i, lane, s, j, m, place, n_out, offset, step = VLEN
    cdef real* out
    cdef int l
    for i in range(groups):
        cut_space(job, space, &g)
        g.wide, g.first, g.orders = 1, first + i * VLEN, NULL
        if job.m < GROUP_SAMPLES:
            offset, step = 0, job.row
            for l in range(g.n_layers):
                g.layers[l].w = <real*>job.params + g.first + offset * step
                offset += (g.layers[l].n_in + 1) * g.layers[l].n_out
        else:
            open_groups(job, space, g.first, 1, &g)
        n_out = g.layers[g.n_layers - 1].n_out
        place = 0
        while place < job.m:
            m = min(job.m - place, <ptrdiff_t>GROUP_SAMPLES)
            gather_inputs(&g, place, m)
            forward_group(&g, m, step)
            for lane in range(min(<ptrdiff_t>VLEN, job.n - g.first)):
                out = <real*>job.out + ((g.first + lane) * job.m + place) * n_out
                for s in range(m):
                    for j in range(n_out):
                        out[s * n_out + j] = g.layers[g.n_layers - 1].outputs[(j * m + s) * VLEN + lane]
            place += m
