include "module.pxi"
