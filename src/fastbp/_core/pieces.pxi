# The work that several threads share. It is cut so that its results have the same bits for any number of threads.
#
# Networks of few parameters (those with small blocks, layout.pxi) and those that train in lanes (lanes.pxi) have the
# rows of a long batch cut into pieces, each with its own gradient; these are added in their order, by one thread just
# as by many. Pieces are cut where blocks begin, so that lanes have the long blocks that they need.
#
# Other networks have gradients too large for that. Their threads share one block of rows and one gradient: first its
# rows are cut, for everything that is done forward and back, then the gradient, each part of which sums over all rows.
# No sum depends on where the cuts are, so a thread alone makes none. Losses are summed in groups of rows.

cdef enum:
    PIECES = 24                     # a number that divides well among 2, 3, 4, 6, 8 or 12 threads
    PART_ROWS = 96                  # at least so many rows of W, unless it has fewer
    STRIP_ROWS = 12                 # nearly every height of a tile divides it
# So many multiplications of a forward pass, some tens of microseconds, are worth two threads.
cdef double SHARED_WORK = 1_000_000


cdef struct Crew:                   # see fastbp_crew in kernels.h
    fastbp_crew calls               # the first member, so that a pointer to it is one to this
    int threads                     # how many are wanted
    Team* team                      # null: the caller is alone
    bint in_pieces                  # the network's rows are cut into pieces
    const fastbp_kernels* kernels
    const fastbp_model* model
    void* works[MOST_THREADS]       # the Workspace of each
    # What gradients share.
    const fastbp_samples* samples
    const fastbp_place* places
    void* gradient                  # null: none is wanted
    fastbp_into into
    void* partial                   # the gradients of all pieces
    # What is being done.
    ptrdiff_t start, rows
    int pieces
    double scale
    const void* x
    void* out
    fastbp_progress sums[PIECES]    # one for each piece or group
    void (*piece)(Crew*, Workspace work, int piece) noexcept nogil


cdef inline ptrdiff_t blocks_of(ptrdiff_t rows, ptrdiff_t block) noexcept nogil:
    return (rows + block - 1) // block


cdef inline ptrdiff_t cut(ptrdiff_t units, int piece, int pieces, ptrdiff_t unit, ptrdiff_t rows) noexcept nogil:
    """The row at which a piece begins: a whole number of units, but the last piece ends with the rows."""
    return rows if piece == pieces else units * piece // pieces * unit


cdef bint is_shared(Model net, Crew* crew, Workspace work, Py_ssize_t rows, int threads) except -1:
    """Whether so many rows are work to share; if so, the crew is complete but for its team.

    The gradient of rows that are cut into pieces is computed by pieces even if there is only one thread.
    """
    cdef bint training = work.places != NULL
    cdef int i
    cdef Py_ssize_t unit = FASTBP_SUMMED_ROWS
    crew.in_pieces = net.model.block_rows < FASTBP_BLOCK_ROWS or net.kernels.trains_in_lanes(&net.model)
    if crew.in_pieces:
        unit = net.model.batch_rows if training else prediction_unit(&net.model)
    crew.calls.least = max(<Py_ssize_t>(SHARED_WORK / net.model.n_params), 2 * unit)
    if rows < crew.calls.least:
        return False
    threads = threads or atomic_get(&fastbp_num_threads)
    crew.threads = <int>max(1.0, min(<double>threads, 2.0 * rows * net.model.n_params / SHARED_WORK))
    if crew.threads < 2 and not (crew.in_pieces and training):
        return False
    crew.kernels, crew.model, crew.team = net.kernels, &net.model, NULL
    if work.crew is None:
        work.crew = []
    # If the rows are cut into pieces, the caller also uses one of these workspaces.
    while len(work.crew) < crew.threads:
        work.crew.append(new_view(net, work) if training and not crew.in_pieces
                         else new_workspace(net, work.rows, training))
    for i in range(crew.threads):
        crew.works[i] = <void*>(<Workspace>work.crew[i])
    return True


cdef bint shares_gradient(Model net, Crew* crew, Workspace work, const fastbp_samples* samples, Py_ssize_t rows,
                          int threads, bint wanted) except -1:
    """is_shared() for E of batches of so many rows and, if wanted, its gradient, which goes into the workspace."""
    if work.drops or not is_shared(net, crew, work, rows, threads):
        return False
    crew.calls.gradient = share_in_pieces if crew.in_pieces else share_block_by_block
    crew.calls.deltas, crew.calls.from_deltas = share_deltas, share_gradient
    if crew.in_pieces:
        crew.calls.deltas = NULL
    crew.calls.run = run_for_kernels
    crew.samples, crew.places = samples, work.places
    crew.gradient = gradient_at(net.kernels, work) if wanted else NULL
    if crew.in_pieces:
        if work.partial is None:
            work.partial = aligned_zeros(PIECES * net.model.n_params, net.dtype)
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


# ---------------------------------------------------------------- pieces of rows, each with its own gradient

cdef void share_in_pieces(fastbp_crew* calls, ptrdiff_t start, ptrdiff_t m, double scale,
                          fastbp_progress* progress) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    cdef ptrdiff_t size = crew.model.n_params * crew.kernels.real_bytes
    cdef int i
    crew.start, crew.rows, crew.scale = start, m, scale
    crew.pieces = <int>min(blocks_of(m, crew.model.batch_rows), <ptrdiff_t>PIECES)
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
    cdef ptrdiff_t block = crew.model.batch_rows, blocks = blocks_of(crew.rows, block)
    cdef ptrdiff_t first = cut(blocks, piece, crew.pieces, block, crew.rows)
    cdef ptrdiff_t end = cut(blocks, piece + 1, crew.pieces, block, crew.rows)
    cdef ptrdiff_t size = crew.model.n_params * crew.kernels.real_bytes
    memset(&crew.sums[piece], 0, sizeof(fastbp_progress))
    crew.kernels.propagate(crew.model, work, crew.samples, crew.start + first, end - first, crew.scale,
                           crew.gradient == NULL, &crew.sums[piece])
    if crew.gradient != NULL:
        memcpy(<char*>crew.partial + piece * size, gradient_at(crew.kernels, work), size)


# ---------------------------------------------------------------- all others: one block and one gradient

cdef void share_block_by_block(fastbp_crew* calls, ptrdiff_t start, ptrdiff_t m, double scale,
                               fastbp_progress* progress) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    cdef ptrdiff_t done = 0
    while done < m:
        share_deltas(calls, start + done, min(m - done, crew.model.block_rows), scale, progress)
        if crew.gradient != NULL:
            share_gradient(calls, FASTBP_SUM if done > 0 else FASTBP_GRADIENT)
        done += crew.rows


cdef const void* share_deltas(fastbp_crew* calls, ptrdiff_t start, ptrdiff_t m, double scale,
                              fastbp_progress* progress) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    crew.start, crew.rows, crew.scale = start, m, scale
    crew.pieces = <int>max(1, min(m // FASTBP_SUMMED_ROWS, <ptrdiff_t>crew.threads))
    share(crew, crew.pieces, rows_of_block)
    add_sums(crew, <int>((m + FASTBP_SUMMED_ROWS - 1) // FASTBP_SUMMED_ROWS), progress)
    return crew.x


cdef void share_gradient(fastbp_crew* calls, fastbp_into into) noexcept nogil:
    cdef Crew* crew = <Crew*>calls
    cdef int parts = 0, l
    crew.into = into
    for l in range(crew.model.n_layers):
        parts += parts_of(crew, l)
    share(crew, parts, part_of_gradient)


cdef void stand_at(const Crew* crew, Workspace work, ptrdiff_t row) noexcept nogil:
    """Make a view of the shared workspace begin at this row."""
    cdef const fastbp_place* place
    cdef ptrdiff_t from_first
    cdef int l
    for l in range(crew.model.n_layers):
        place, from_first = &crew.places[l], row * crew.model.layers[l].stride
        work.places[l].output = place.output + from_first
        work.places[l].net_input = place.net_input + from_first
        work.places[l].kept = place.kept + from_first


cdef void rows_of_block(Crew* crew, Workspace work, int piece) noexcept nogil:
    """Work out rows of a block from the inputs to the deltas."""
    cdef ptrdiff_t groups = crew.rows // FASTBP_SUMMED_ROWS
    cdef ptrdiff_t first = cut(groups, piece, crew.pieces, FASTBP_SUMMED_ROWS, crew.rows)
    cdef ptrdiff_t end = cut(groups, piece + 1, crew.pieces, FASTBP_SUMMED_ROWS, crew.rows), row = first
    cdef fastbp_progress* sums
    cdef const void* x = crew.kernels.gather(crew.model, work, crew.samples, crew.start + first, end - first, first)
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
    if crew.gradient != NULL:
        stand_at(crew, work, first)
        crew.kernels.all_deltas(crew.model, work, end - first, crew.model.fused)


cdef ptrdiff_t part_columns(const Crew* crew, int l) noexcept nogil:
    """How many columns the parts of a layer have: as many as a product packs at a time."""
    return min(crew.model.layers[l].n_out, crew.kernels.block_columns)


cdef ptrdiff_t part_rows(const Crew* crew, int l) noexcept nogil:
    """How many rows they have: so many that a network has about four parts for each thread."""
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
    crew.kernels.weight_gradient(crew.model, work, l, crew.x, 0, crew.rows, crew.into, part)


# ---------------------------------------------------------------- predictions

# A row's outputs must not depend on the cuts. They depend on the block only if it has fewer than 32 rows, or if the
# rows stand along the lanes, as all whole panels of a call with FASTBP_LANES_LEAST rows do. So the rows of networks
# that may predict in lanes are cut where a block and a panel begin, and the last piece has the rest; those of the
# others are cut within each block.

cdef inline ptrdiff_t prediction_unit(const fastbp_model* model) noexcept nogil:
    return max(model.block_rows, <ptrdiff_t>FASTBP_LANES_LEAST)


cdef void share_prediction(Crew* crew, const void* x, ptrdiff_t m, void* out) noexcept nogil:
    cdef ptrdiff_t blocks = blocks_of(m, crew.model.block_rows)
    crew.x, crew.rows, crew.out, crew.pieces = x, m, out, 1
    if crew.in_pieces:
        crew.pieces = <int>min(m // prediction_unit(crew.model), <ptrdiff_t>(4 * crew.threads))
        share(crew, crew.pieces, piece_of_prediction)
        return
    if blocks < 4 * crew.threads:
        crew.pieces = crew.threads      # of each block
    share(crew, <int>blocks * crew.pieces, piece_of_block)


cdef void piece_of_prediction(Crew* crew, Workspace work, int piece) noexcept nogil:
    cdef ptrdiff_t unit = prediction_unit(crew.model), units = crew.rows // unit
    predict_from(crew, work, cut(units, piece, crew.pieces, unit, crew.rows),
                 cut(units, piece + 1, crew.pieces, unit, crew.rows))


cdef void piece_of_block(Crew* crew, Workspace work, int piece) noexcept nogil:
    cdef const fastbp_model* model = crew.model
    cdef ptrdiff_t block = piece // crew.pieces * model.block_rows, rows = min(crew.rows - block, model.block_rows)
    cdef ptrdiff_t groups = rows // FASTBP_SUMMED_ROWS
    cdef ptrdiff_t first = block + cut(groups, piece % crew.pieces, crew.pieces, FASTBP_SUMMED_ROWS, rows)
    cdef ptrdiff_t end = block + cut(groups, piece % crew.pieces + 1, crew.pieces, FASTBP_SUMMED_ROWS, rows)
    if first < end:
        predict_from(crew, work, first, end)


cdef void predict_from(Crew* crew, Workspace work, ptrdiff_t first, ptrdiff_t end) noexcept nogil:
    cdef const fastbp_model* model = crew.model
    cdef ptrdiff_t itemsize = crew.kernels.real_bytes
    crew.kernels.predict(model, work, <const char*>crew.x + first * model.layers[0].n_in * itemsize, end - first,
                         <char*>crew.out + first * model.layers[model.n_layers - 1].n_out * itemsize)
