"""A trained network as a C header: `Network.to_c`.

functions.py has the C of activations and products, real.py puts a network in floating point together, fixed_point.py
one in 16-bit integers.
"""

from __future__ import annotations

import os
import re
import textwrap

import numpy as np

from fastbp import io
from fastbp._arrays import as_reals
from fastbp._version import __version__
from fastbp.c_source import fixed_point, real
from fastbp.c_source.functions import count


def to_c(net, path, name, jacobian, libm, int16, activate):
    """See `Network.to_c`; `activate` takes the name of an activation and net inputs."""
    if name is None:
        name = os.path.splitext(os.path.basename(os.fsdecode(path)))[0]
        wanted = "name must be given where that of the file is none in C,"
    else:
        wanted = "name must be one in C,"
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {type(name).__name__} {name!r}")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(f"{wanted} of letters, digits and underscores, with a letter first; got {name!r}")
    if not np.isfinite(net.params).all():
        raise ValueError("all parameters must be finite in a header, and some of this network are not")
    if int16 is None:
        text, error = real.header(net, name, bool(jacobian), bool(libm)), None
    else:
        for argument, value in (("jacobian", jacobian), ("libm", libm)):
            if value:
                raise ValueError(f"{argument} must be False where int16 is given, got {value!r}")
        text, error = fixed_point.header(net, name, samples(net, int16), activate)
    io.write(path, f"{introduction(net, name, jacobian, libm, error)}{text}#endif\n".encode())
    return error


def samples(net, X):
    """The samples of int16, checked."""
    X = np.atleast_1d(as_reals(X, "int16", net.dtype))
    if X.ndim == 1 and net.n_inputs == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] != net.n_inputs or len(X) == 0:
        raise ValueError(f"int16 must be samples of the inputs, of shape (M, {net.n_inputs}), got {X.shape}")
    if not np.isfinite(X).all():
        raise ValueError("int16 must be finite samples of the inputs; some are not")
    return X


def introduction(net, name, jacobian, libm, error):
    """What a reader sees first."""
    number = "int16_t" if error is not None else {"float32": "float", "float64": "double"}[net.dtype.name]
    layers = ", ".join(f"{n} {activation}" for n, activation in zip(net.layer_sizes[1:], net.activations, strict=True))
    about = [f"{name}: a network of {count(net.n_inputs, 'input')} and layers of {layers}; {net.n_params} parameters."]
    call = [f"    {number} x[{name}_N_INPUTS], y[{name}_N_OUTPUTS];", f"    {name}_predict(x, y);"]
    if jacobian:
        call[0] = call[0].replace(";", f", J[{name}_N_OUTPUTS * {name}_N_INPUTS];")
        call.append(f"    {name}_jacobian(x, y, J);   J[k * {name}_N_INPUTS + i] = dy[k] / dx[i]")
    if error is not None:
        about += ["", "In integers; at the samples that it was written with, the largest errors of the outputs were "
                  + ", ".join(f"{e:.2g}" for e in error) + "."]
    needs = "it needs the C library's functions of <math.h>" if libm else "it needs no library"
    about_end = (f"C99 and C++17; {needs}, allocates nothing, and its data are const. Written by fastbp {__version__}, "
                 "Network.to_c: to change the network, write it anew.")
    lines = [line for text in (*about, "", *call, "", about_end)
             for line in (textwrap.wrap(text, 116) if not text.startswith(" ") else [text]) or [""]]
    comment = "\n".join(f" * {line}".rstrip() for line in lines)
    return f"/*{comment[2:]}\n */\n#ifndef {name}_INCLUDED\n#define {name}_INCLUDED\n\n"
