"""Networks for compiled loops: where fastbp.h is, and handles for ctypes and cffi. The guide is docs/embedding.md."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fastbp._core import Handle

POINTER, COUNT, REAL, STATUS = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_double, ctypes.c_int
# Of the functions in fastbp.h: what they return, and what they take.
PROTOTYPES = {
    "predict": (STATUS, POINTER, POINTER, COUNT, POINTER),
    "train_step": (STATUS, POINTER, POINTER, POINTER, COUNT, REAL, POINTER),
    "error": (STATUS, POINTER, POINTER, POINTER, COUNT, POINTER),
    "gradient": (STATUS, POINTER, POINTER, POINTER, COUNT, POINTER, POINTER),
    "jacobian": (STATUS, POINTER, POINTER, COUNT, POINTER),
    "get_params": (STATUS, POINTER, POINTER),
    "set_params": (STATUS, POINTER, POINTER),
    "begin": (STATUS, POINTER),
    "end": (STATUS, POINTER),
    "value": (REAL, REAL, POINTER),
}


class Fields(ctypes.Structure):
    """fastbp_handle, as fastbp.h has it."""

    _fields_ = (("version", STATUS), ("real_bytes", STATUS), ("n_inputs", COUNT), ("n_outputs", COUNT),
                ("n_params", COUNT), *((name, ctypes.CFUNCTYPE(*types)) for name, types in PROTOTYPES.items()))


class Interface(NamedTuple):
    """The handle of a network and its functions, as `Network.ctypes` and `Network.cffi` give them.

    Attributes
    ----------
    address : int
        Of the handle: the first argument of every function but `value`, whose second it is.
    handle : ctypes.c_void_p or cffi's ``fastbp_handle *``
        The same as a pointer.
    predict, train_step, error, gradient, jacobian, get_params, set_params, begin, end, value : function
        As in fastbp.h, for arrays of the network's dtype.
    owner : object
        What keeps handle and network alive.
    """

    address: int
    handle: Any
    predict: Any
    train_step: Any
    error: Any
    gradient: Any
    jacobian: Any
    get_params: Any
    set_params: Any
    begin: Any
    end: Any
    value: Any
    owner: Any


def get_include() -> str:
    """The folder of fastbp.h, for a compiler's include path.

    Returns
    -------
    str

    Examples
    --------
    >>> import os
    >>> import fastbp
    >>> os.listdir(fastbp.get_include())
    ['fastbp.h']
    """
    return str(Path(__file__).with_name("include"))


def of_ctypes(handle: Handle) -> Interface:
    fields = Fields.from_address(handle.address)
    return Interface(handle.address, POINTER(handle.address), *(getattr(fields, name) for name in PROTOTYPES), handle)


def of_cffi(handle: Handle) -> Interface:
    try:
        import cffi
    except ImportError:
        raise ImportError('Network.cffi needs cffi: pip install "fastbp[cffi]"') from None
    header = Path(get_include(), "fastbp.h").read_text("utf-8")
    ffi = cffi.FFI()
    ffi.cdef("typedef struct fastbp_handle fastbp_handle;" + header[header.index("struct fastbp_handle {"):
                                                                     header.index("/* end */")])
    pointer = ffi.cast("fastbp_handle *", handle.address)
    return Interface(handle.address, pointer, *(getattr(pointer, name) for name in PROTOTYPES), (handle, ffi))
