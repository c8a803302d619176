# The table of functions that the core gets: each knows the dtype of what it is handed, finds its rows, and lets the
# kernels work in their floating-point mode (float_mode.h), which ends with it.

cdef bint all_finite_entry(const void* x, ptrdiff_t n) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    cdef bint answer = all_finite(<const real*>x, n)
    leave_float_mode(before)
    return answer


cdef bint all_within_entry(const void* x, ptrdiff_t n, double low, double high) noexcept nogil:
    return all_within(<const real*>x, n, low, high)


cdef void copy_params_entry(const fastbp_model* model, void* padded_params, void* compact,
                            bint to_compact) noexcept nogil:
    copy_params(model, <real*>padded_params, <real*>compact, to_compact)


cdef void predict_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t m,
                        void* out) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    predict(model, <TypedWorkspace>work, <const real*>x, m, <real*>out)
    leave_float_mode(before)


cdef inline const real* rows_from(const fastbp_model* model, const void* x, ptrdiff_t start) noexcept nogil:
    return <const real*>x + start * model.layers[0].n_in


cdef const void* gather_entry(const fastbp_model* model, Workspace work, const fastbp_samples* samples,
                              ptrdiff_t start, ptrdiff_t m, ptrdiff_t row) noexcept nogil:
    return gather(model, <TypedWorkspace>work, samples, start, m, row)


cdef void forward_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t start,
                        ptrdiff_t m) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    forward(model, <TypedWorkspace>work, rows_from(model, x, start), m)
    leave_float_mode(before)


cdef void forward_batch_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t start,
                              ptrdiff_t m) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    forward_batch(model, <TypedWorkspace>work, rows_from(model, x, start), m)
    leave_float_mode(before)


cdef void output_error_entry(const fastbp_model* model, Workspace work, const fastbp_samples* samples, ptrdiff_t start,
                             ptrdiff_t m, double scale, bint fused, fastbp_progress* progress) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    output_error(model, <TypedWorkspace>work, samples, start, m, scale, fused, progress)
    leave_float_mode(before)


cdef void apply_slope_entry(const fastbp_model* model, Workspace work, int l, ptrdiff_t m) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    apply_slope(model, <TypedWorkspace>work, l, m)
    leave_float_mode(before)


cdef void weight_gradient_entry(const fastbp_model* model, Workspace work, int l, const void* x, ptrdiff_t start,
                                ptrdiff_t m, fastbp_into into, fastbp_part part) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    weight_gradient(model, <TypedWorkspace>work, l, rows_from(model, x, start), m, into, part)
    leave_float_mode(before)


cdef void error_signal_entry(const fastbp_model* model, Workspace work, int l, ptrdiff_t m) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    error_signal(model, <TypedWorkspace>work, l, m)
    leave_float_mode(before)


cdef void all_deltas_entry(const fastbp_model* model, Workspace work, ptrdiff_t m, bint fused) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    all_deltas(model, <TypedWorkspace>work, m, fused)
    leave_float_mode(before)


cdef void backward_batch_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m,
                               fastbp_into into) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    backward_batch(model, <TypedWorkspace>work, rows_from(model, x, start), m, into)
    leave_float_mode(before)


cdef void propagate_entry(const fastbp_model* model, Workspace work, const fastbp_samples* samples, ptrdiff_t start,
                          ptrdiff_t m, double scale, bint forward_only, fastbp_progress* progress) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    propagate(model, <TypedWorkspace>work, samples, start, m, scale, forward_only, progress)
    leave_float_mode(before)


cdef void copy_rows_entry(const fastbp_model* model, Workspace work, fastbp_rows what, int l, ptrdiff_t m, void* to,
                          ptrdiff_t start) noexcept nogil:
    copy_rows(model, <TypedWorkspace>work, what, l, m, <real*>to, start)


cdef void set_errors_entry(const fastbp_model* model, Workspace work, int l, const void* errors, ptrdiff_t start,
                           ptrdiff_t m) noexcept nogil:
    set_errors(model, <TypedWorkspace>work, l, <const real*>errors, start, m)


cdef void input_errors_entry(const fastbp_model* model, Workspace work, ptrdiff_t m, void* to,
                             ptrdiff_t start) noexcept nogil:
    cdef ptrdiff_t n_inputs = model.layers[0].n_in
    cdef float_mode before = enter_float_mode()
    input_errors(model, <TypedWorkspace>work, m, <real*>to + start * n_inputs, n_inputs)
    leave_float_mode(before)


cdef void jacobian_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m,
                         void* to) noexcept nogil:
    cdef ptrdiff_t size = model.layers[0].n_in * model.layers[model.n_layers - 1].n_out
    cdef float_mode before = enter_float_mode()
    jacobian(model, <TypedWorkspace>work, rows_from(model, x, start), m, <real*>to + start * size)
    leave_float_mode(before)


cdef void param_rows_entry(const fastbp_model* model, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m,
                           void* to, ptrdiff_t row) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    param_rows(model, <TypedWorkspace>work, rows_from(model, x, start), m, <real*>to, row)
    leave_float_mode(before)


cdef void add_gradient_entry(const fastbp_model* model, void* total, const void* g) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    add_gradient(model, <real*>total, <const real*>g)
    leave_float_mode(before)


cdef bint update_entry(const fastbp_model* model, Workspace work, fastbp_optimizer* optimizer, double scale,
                       double* penalty) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    cdef bint done = update(model, <TypedWorkspace>work, optimizer, scale, penalty, NULL)
    leave_float_mode(before)
    return done


cdef void train_entry(const fastbp_model* model, Workspace work, const fastbp_samples* samples, ptrdiff_t start,
                      ptrdiff_t stop, ptrdiff_t batch, bint mean, fastbp_optimizer* optimizer, const int* waiting,
                      fastbp_crew* crew, fastbp_progress* progress) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    train(model, <TypedWorkspace>work, samples, start, stop, batch, mean, optimizer, waiting, crew, progress)
    leave_float_mode(before)


cdef void predict_population_entry(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                                   void* space) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    predict_population(job, first, groups, space)
    leave_float_mode(before)


cdef void differentiate_population_entry(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                                         void* space) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    differentiate_population(job, first, groups, space)
    leave_float_mode(before)


cdef void train_population_entry(const fastbp_population* job, ptrdiff_t first, ptrdiff_t groups,
                                 void* space) noexcept nogil:
    cdef float_mode before = enter_float_mode()
    train_population(job, first, groups, space)
    leave_float_mode(before)


cdef fastbp_kernels functions
functions.abi = FASTBP_KERNELS_ABI
functions.vector_bytes = V_BYTES
functions.real_bytes = sizeof(real)
functions.block_columns = widest_block()
functions.all_finite = all_finite_entry
functions.all_within = all_within_entry
functions.batch_rows = batch_rows
functions.trains_in_lanes = trains_in_lanes
functions.next_block = next_block
functions.packed_size = space_for
functions.copy_params = copy_params_entry
functions.predict = predict_entry
functions.gather = gather_entry
functions.forward = forward_entry
functions.forward_batch = forward_batch_entry
functions.output_error = output_error_entry
functions.apply_slope = apply_slope_entry
functions.weight_gradient = weight_gradient_entry
functions.error_signal = error_signal_entry
functions.all_deltas = all_deltas_entry
functions.backward_batch = backward_batch_entry
functions.propagate = propagate_entry
functions.copy_rows = copy_rows_entry
functions.set_errors = set_errors_entry
functions.input_errors = input_errors_entry
functions.jacobian = jacobian_entry
functions.param_rows = param_rows_entry
functions.add_gradient = add_gradient_entry
functions.update = update_entry
functions.train = train_entry
functions.suits_population = suits_population
functions.trains_as_population = trains_as_population
functions.population_bytes = population_bytes
functions.predict_population = predict_population_entry
functions.differentiate_population = differentiate_population_entry
functions.train_population = train_population_entry

table = PyCapsule_New(&functions, FASTBP_CAPSULE, NULL)
