from fastbp._core cimport DoubleWorkspace as TypedWorkspace  # no-cython-lint: module.pxi uses it

ctypedef double real

include "module.pxi"
