from fastbp._core cimport FloatWorkspace as TypedWorkspace

ctypedef float real

include "module.pxi"
