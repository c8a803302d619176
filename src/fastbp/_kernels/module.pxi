# The body of every kernel module: a file of three lines names the dtype, setup.py compiles it for an instruction set.
#
# Nothing here makes or touches a Python object except the last line, which hands the table of functions over; the
# workspaces that come in are read through their memoryviews. The vector operations, the micro-kernel and the
# activations are C, for the reasons in docs/architecture.md; the loops that make a network of them are below, one
# file for each part of the method. They are included and not cimported: a .pxd would have one `real` for all modules.

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY, exp, expm1, fabs, isfinite, log, log1p, pow, sqrt, tanh
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fastbp._core cimport Workspace
from fastbp._kernels.kernels cimport *

cdef extern from "simd.h" nogil:
    ctypedef struct vec:
        pass
    int VLEN, V_BYTES
    real SAFE_UPDATE, LEAST_NORMAL
    vec v_zero()
    vec v_set1(real)
    vec v_load(const real*)
    void v_store(real*, vec)
    vec v_add(vec, vec)
    vec v_sub(vec, vec)
    vec v_mul(vec, vec)
    vec v_div(vec, vec)
    vec v_sqrt(vec)
    vec v_fma(vec a, vec b, vec c)      # a * b + c
    vec v_fnma(vec a, vec b, vec c)     # c - a * b
    vec v_and(vec, vec)
    vec v_abs(vec)
    vec v_power_below(vec)
    vec v_min(vec, vec)
    vec v_max(vec, vec)
    vec v_copysign(vec size, vec sign)
    ctypedef struct vmask:
        pass
    vmask v_lt(vec, vec)
    vec v_select(vmask, vec, vec)
    bint v_any(vmask)
    bint v_all(vmask)
    real v_sum(vec)
    vec v_total(vec, ptrdiff_t)
    vec v_first_lanes(ptrdiff_t)
    vec v_load_first(const real*, ptrdiff_t)
    void REQUIRE(bint)

cdef extern from "float_mode.h" nogil:
    ctypedef struct float_mode:
        pass
    float_mode enter_float_mode()
    void leave_float_mode(float_mode)

cdef extern from "tile.h" nogil:
    int TILE_ROWS, TILE_VECTORS, LANE, PACK_DEPTH, PACK_BYTES, SMALL_BYTES
    ptrdiff_t PACKED_BLOCK, PACKED_STRIP
    ctypedef struct matrix:             # element [i, j] is at[i * row + j * column]
        const real* at
        ptrdiff_t row, column
    matrix rows_of(const real* at, ptrdiff_t stride)
    matrix columns_of(const real* at, ptrdiff_t stride)
    matrix part_of(matrix, ptrdiff_t row, ptrdiff_t column)
    void strip(int rows, ptrdiff_t vectors, ptrdiff_t depth, matrix a, matrix b, ptrdiff_t b_panel, matrix init,
               real* c, ptrdiff_t c_row)
    void transpose_vectors(int wide, ptrdiff_t depth, const real* w, ptrdiff_t w_row, real* out, ptrdiff_t out_row)

cdef extern from "lanes.h" nogil:
    int LANES
    void add_dots(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t panels, const real* a, ptrdiff_t a_panel, const real* d,
                  ptrdiff_t d_panel, real* c, ptrdiff_t c_row)

cdef extern from "row.h" nogil:
    void row_sums(int vectors, ptrdiff_t depth, const real* a, const real* b, ptrdiff_t b_row, const real* init,
                  vec* sums)
    int row_vectors(ptrdiff_t vectors, ptrdiff_t depth, const real* a, const real* b, ptrdiff_t b_row, const real* init,
                    vec* sums)
    void row_descend(int vectors, ptrdiff_t depth, const real* x, const real* next, const vec* d, real* w,
                     ptrdiff_t w_row, real* b, vec* sums)
    vec row_dots(ptrdiff_t rows, ptrdiff_t vectors, const real* b, ptrdiff_t b_row, const real* d)
    vec column_dots(ptrdiff_t n, ptrdiff_t vectors, const real* b, ptrdiff_t b_row, const real* d)

cdef extern from "activation.h" nogil:
    vec v_exp(vec)
    vec v_activate(int activation, vec net_input, vec* slope)
    bint has_power(int activation)
    ctypedef struct power_activation:
        vec factor
    power_activation power_of(int activation)
    vec v_clamp_power(vec)
    vec v_power_bits(vec)
    vec v_power_integer(vec bits)
    vec v_activate_power(power_activation, vec bits, vec f, vec* slope)
    ctypedef struct fraction:
        vec numerator, denominator, reciprocal, slope_numerator
    fraction v_activate_fraction(power_activation, vec power)
    real slope_factor(int activation)
    void activate_elements(int activation, const real* net_input, real* output, ptrdiff_t n)
    void multiply_by_slope(int activation, const real* net_input, const real* output, real* delta, ptrdiff_t n)

include "product.pxi"
include "workspace.pxi"
include "softmax.pxi"
include "row.pxi"
include "dropout.pxi"
include "forward.pxi"
include "loss.pxi"
include "delta.pxi"
include "lanes.pxi"
include "penalty.pxi"
include "update.pxi"
include "narrow.pxi"
include "chain.pxi"
include "online.pxi"
include "train.pxi"
include "population.pxi"
include "entries.pxi"
