from fastbp._core cimport DoubleWorkspace as TypedWorkspace

ctypedef double real

include "module.pxi"
