# Work that several threads share, cut in ways that make the same bits of it whatever their number.
#
# A network of few parameters (those with small blocks, layout.pxi) has the rows of a long batch cut into pieces, each
# with a gradient of its own; these are added in their order, by one thread just as by many.
#
# Other networks have gradients too large for that. Their threads share one block of rows and one gradient: first its
# rows are cut, for all that is done on the way there and back, then the gradient, each part of which sums over all
# rows. No sum depends on where the cuts are, so a thread alone makes none. Losses are summed in groups of rows.

cdef enum:
    PIECES = 24                     # a number that divides well among 2, 3, 4, 6, 8 or 12 threads
    PART_ROWS = 96                  # of W, at least, unless there are fewer
    STRIP_ROWS = 12                 # which every height of a tile divides, or nearly
# Multiplications of a way there that are worth two threads: some tens of microseconds.
cdef double SHARED_WORK = 1_000_000


cdef struct Crew:                   # see fastbp_crew in kernels.h
    fastbp_crew calls               # the first member, so that a pointer to it is one to this
    int threads                     # that are wanted
    Team* team                      # of them; null: the caller is alone
    const fastbp_kernels* kernels
    const fastbp_model* model
    void* works[MOST_THREADS]       # the Workspace of each
    # Of gradients: what is shared.
    const fastbp_samples* samples
    const fastbp_place* places
    void* gradient                  # null: none is wanted
    void* partial                   # gradients of all pieces
    # What is done now.
    ptrdiff_t start, rows
    int pieces
    double scale
    bint accumulate
    const void* x
    void* out
    fastbp_progress sums[PIECES]    # of pieces or groups
    void (*piece)(Crew*, Workspace work, int piece) noexcept nogil


cdef inline bint is_small(const fastbp_model* model) noexcept nogil:
    return model.block_rows < FASTBP_BLOCK_ROWS


cdef inline ptrdiff_t blocks_of(const fastbp_model* model, ptrdiff_t rows) noexcept nogil:
    return (rows + model.block_rows - 1) // model.block_rows


cdef inline ptrdiff_t cut(ptrdiff_t units, int piece, int pieces, ptrdiff_t unit, ptrdiff_t rows) noexcept nogil:
    """Where a piece begins, in whole units; the last one ends with the rows."""
    return rows if piece == pieces else units * piece // pieces * unit


cdef bint is_shared(Model net, Crew* crew, Workspace work, Py_ssize_t rows, int threads, bint cut_small) except -1:
    """Whether there is work to share in so many rows; then the crew has all but its team.

    cut_small: whether a small network is cut into pieces however many threads there are.
    """
    cdef int i
    crew.calls.least = max(<Py_ssize_t>(SHARED_WORK / net.model.n_params),
                           2 * (net.model.block_rows if is_small(&net.model) else FASTBP_SUMMED_ROWS))
    if rows < crew.calls.least:
        return False
    threads = threads or atomic_get(&fastbp_num_threads)
    crew.threads = <int>max(1.0, min(<double>threads, 2.0 * rows * net.model.n_params / SHARED_WORK))
    if crew.threads < 2 and not cut_small:
        return False
    crew.kernels, crew.model, crew.team = net.kernels, &net.model, NULL
    if work.crew is None:
        work.crew = []
    # A small network's workspace is one for the caller, too.
    while len(work.crew) < crew.threads:
        work.crew.append(new_view(net, work) if not is_small(&net.model) and work.places != NULL
                         else new_workspace(net, work.rows, work.places != NULL))
    for i in range(crew.threads):
        crew.works[i] = <void*>(<Workspace>work.crew[i])
    return True


cdef bint shares_gradient(Model net, Crew* crew, Workspace work, const fastbp_samples* samples, Py_ssize_t rows,
                          int threads, bint wanted) except -1:
    """is_shared() for E of batches of so many rows and, if wanted, its gradient into the workspace."""
    if work.drops or not is_shared(net, crew, work, rows, threads, is_small(&net.model)):
        return False
    crew.calls.gradient = share_small if is_small(&net.model) else share_large
    crew.calls.run = run_for_kernels
    crew.samples, crew.places = samples, work.places
    crew.gradient = gradient_at(net.kernels, work) if wanted else NULL
    if is_small(&net.model) and work.partial is None:
        work.partial = aligned_zeros(PIECES * net.model.n_params, net.dtype)
    if is_small(&net.model):
        crew.partial = cnp.PyArray_DATA(work.partial)
    return True


cdef void* gradient_at(const fastbp_kernels* kernels, Workspace work) noexcept nogil:
    if kernels.real_bytes == sizeof(double):
        return &(<DoubleWorkspace>work).gradient[0]
    return &(<FloatWorkspace>work).gradient[0]


cdef void share(Crew* crew, int pieces, void (*piece)(Crew*, Workspace work, int piece) noexcept nogil) noexcept nogil:
    crew.piece = piece
    run(crew.team, pieces, with_workspace, crew)


cdef void with_workspace(void* job, int piece, int member) noexcept nogil:
    cdef Crew* crew = <Crew*>job
    crew.piece(crew, <Workspace>crew.works[member], piece)


cdef void run_for_kernels(fastbp_crew* calls, int pieces, fastbp_task task, void* job) noexcept nogil:
    run((<Crew*>calls).team, pieces, task, job)


# ---------------------------------------------------------------- small networks: pieces with gradients of their own

cdef void share_small(fastbp_crew* calls, ptrdiff_t start, ptrdiff_t m, double scale,
                      fastbp_progress* progress) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    cdef ptrdiff_t size = crew.model.n_params * crew.kernels.real_bytes
    cdef int i
    crew.start, crew.rows, crew.scale = start, m, scale
    crew.pieces = <int>min(blocks_of(crew.model, m), <ptrdiff_t>PIECES)
    share(crew, crew.pieces, piece_of_rows)
    add_sums(crew, crew.pieces, progress)
    if crew.gradient == NULL:
        return
    memcpy(crew.gradient, crew.partial, size)
    for i in range(1, crew.pieces):
        crew.kernels.add_gradient(crew.model, crew.gradient, <char*>crew.partial + i * size)


cdef void add_sums(Crew* crew, int n, fastbp_progress* progress) noexcept nogil:
    cdef double error = 0, squares = 0
    cdef int i
    for i in range(n):
        error += crew.sums[i].error
        squares += crew.sums[i].squares
    progress.error += error
    progress.squares += squares


cdef void piece_of_rows(Crew* crew, Workspace work, int piece) noexcept nogil:
    cdef ptrdiff_t block = crew.model.block_rows, blocks = blocks_of(crew.model, crew.rows)
    cdef ptrdiff_t first = cut(blocks, piece, crew.pieces, block, crew.rows)
    cdef ptrdiff_t end = cut(blocks, piece + 1, crew.pieces, block, crew.rows)
    cdef ptrdiff_t size = crew.model.n_params * crew.kernels.real_bytes
    memset(&crew.sums[piece], 0, sizeof(fastbp_progress))
    crew.kernels.propagate(crew.model, work, crew.samples, crew.start + first, end - first, crew.scale,
                           crew.gradient == NULL, &crew.sums[piece])
    if crew.gradient != NULL:
        memcpy(<char*>crew.partial + piece * size, gradient_at(crew.kernels, work), size)


# ---------------------------------------------------------------- all others: one block and one gradient

cdef void share_large(fastbp_crew* calls, ptrdiff_t start, ptrdiff_t m, double scale,
                      fastbp_progress* progress) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    cdef int parts = 0, l
    cdef ptrdiff_t done = 0
    crew.scale = scale
    for l in range(crew.model.n_layers):
        parts += parts_of(crew, l)
    while done < m:
        crew.start, crew.rows, crew.accumulate = start + done, min(m - done, crew.model.block_rows), done > 0
        crew.pieces = <int>max(1, min(crew.rows // FASTBP_SUMMED_ROWS, <ptrdiff_t>crew.threads))
        share(crew, crew.pieces, rows_of_block)
        add_sums(crew, <int>((crew.rows + FASTBP_SUMMED_ROWS - 1) // FASTBP_SUMMED_ROWS), progress)
        if crew.gradient != NULL:
            share(crew, parts, part_of_gradient)
        done += crew.rows


cdef void stand_at(const Crew* crew, Workspace work, ptrdiff_t row) noexcept nogil:
    """Let a view of the shared workspace begin at this row."""
    cdef const fastbp_place* place
    cdef ptrdiff_t from_first
    cdef int l
    for l in range(crew.model.n_layers):
        place, from_first = &crew.places[l], row * crew.model.layers[l].stride
        work.places[l].output = place.output + from_first
        work.places[l].net_input = place.net_input + from_first
        work.places[l].kept = place.kept + from_first


cdef void rows_of_block(Crew* crew, Workspace work, int piece) noexcept nogil:
    """From the inputs to the deltas."""
    cdef ptrdiff_t groups = crew.rows // FASTBP_SUMMED_ROWS
    cdef ptrdiff_t first = cut(groups, piece, crew.pieces, FASTBP_SUMMED_ROWS, crew.rows)
    cdef ptrdiff_t end = cut(groups, piece + 1, crew.pieces, FASTBP_SUMMED_ROWS, crew.rows), row = first
    cdef fastbp_progress* sums
    cdef const void* x = crew.kernels.gather(crew.model, work, crew.samples, crew.start + first, end - first, first)
    cdef int l = crew.model.n_layers - 1
    if piece == 0:
        crew.x = x
    stand_at(crew, work, first)
    crew.kernels.forward(crew.model, work, x, 0, end - first)
    while row < end:
        sums = &crew.sums[row // FASTBP_SUMMED_ROWS]
        memset(sums, 0, sizeof(sums[0]))
        stand_at(crew, work, row)
        crew.kernels.output_error(crew.model, work, crew.samples, crew.start + row,
                                  min(<ptrdiff_t>FASTBP_SUMMED_ROWS, end - row), crew.scale, crew.model.fused, sums)
        row += FASTBP_SUMMED_ROWS
    if crew.gradient == NULL:
        return
    stand_at(crew, work, first)
    if not crew.model.fused:
        crew.kernels.apply_slope(crew.model, work, l, end - first)
    while l > 0:
        crew.kernels.error_signal(crew.model, work, l, end - first)
        l -= 1
        crew.kernels.apply_slope(crew.model, work, l, end - first)


cdef ptrdiff_t part_columns(const Crew* crew, int l) noexcept nogil:
    """Of the parts of a layer: as many as a product packs at a time."""
    return min(crew.model.layers[l].n_out, crew.kernels.block_columns)


cdef ptrdiff_t part_rows(const Crew* crew, int l) noexcept nogil:
    """So many that there are about four parts of a network for each thread."""
    cdef const fastbp_layer* layer = &crew.model.layers[l]
    cdef ptrdiff_t wanted = max(crew.model.n_params // (4 * crew.threads * part_columns(crew, l)),
                                <ptrdiff_t>PART_ROWS)
    if layer.n_out == 1 or layer.n_in < 2 * wanted:
        return layer.n_in
    return layer.n_in // (layer.n_in // wanted) // STRIP_ROWS * STRIP_ROWS


cdef int parts_of(const Crew* crew, int l) noexcept nogil:
    cdef const fastbp_layer* layer = &crew.model.layers[l]
    cdef ptrdiff_t columns = part_columns(crew, l)
    return <int>((layer.n_out + columns - 1) // columns * (layer.n_in // part_rows(crew, l)))


cdef void part_of_gradient(Crew* crew, Workspace work, int piece) noexcept nogil:
    cdef const fastbp_layer* layer
    cdef fastbp_part part
    cdef ptrdiff_t by_rows
    cdef int l = 0
    while piece >= parts_of(crew, l):
        piece -= parts_of(crew, l)
        l += 1
    layer = &crew.model.layers[l]
    part.rows, part.columns = part_rows(crew, l), part_columns(crew, l)
    by_rows = layer.n_in // part.rows
    part.row, part.column = piece % by_rows * part.rows, piece // by_rows * part.columns
    if piece % by_rows == by_rows - 1:
        part.rows = layer.n_in - part.row
    part.columns = min(part.columns, layer.n_out - part.column)
    stand_at(crew, work, 0)
    crew.kernels.weight_gradient(crew.model, work, l, crew.x, 0, crew.rows, crew.accumulate, part)


# ---------------------------------------------------------------- predictions

cdef void share_prediction(Crew* crew, const void* x, ptrdiff_t m, void* out) noexcept nogil:
    """Block by block; where there are few, each in as many pieces as there are threads."""
    cdef ptrdiff_t blocks = blocks_of(crew.model, m)
    crew.x, crew.rows, crew.out, crew.pieces = x, m, out, 1
    if not is_small(crew.model) and blocks < 4 * crew.threads:
        crew.pieces = crew.threads
    share(crew, <int>blocks * crew.pieces, piece_of_prediction)


cdef void piece_of_prediction(Crew* crew, Workspace work, int piece) noexcept nogil:
    cdef const fastbp_model* model = crew.model
    cdef ptrdiff_t block = piece // crew.pieces * model.block_rows, rows = min(crew.rows - block, model.block_rows)
    cdef ptrdiff_t groups = rows // FASTBP_SUMMED_ROWS
    cdef ptrdiff_t first = block + cut(groups, piece % crew.pieces, crew.pieces, FASTBP_SUMMED_ROWS, rows)
    cdef ptrdiff_t end = block + cut(groups, piece % crew.pieces + 1, crew.pieces, FASTBP_SUMMED_ROWS, rows)
    cdef ptrdiff_t itemsize = crew.kernels.real_bytes
    if first < end:
        crew.kernels.predict(model, work,
                             <const char*>crew.x + first * model.layers[0].n_in * itemsize, end - first,
                             <char*>crew.out + first * model.layers[model.n_layers - 1].n_out * itemsize)
