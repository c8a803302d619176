from fastbp._core cimport FloatWorkspace as TypedWorkspace  # no-cython-lint: module.pxi uses it

ctypedef float real

include "module.pxi"
