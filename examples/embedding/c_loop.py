"""A network in a loop in C: compiles loop.c with fastbp.h, and calls it with the network's handle."""

import ctypes
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import fastbp

source = Path(__file__).with_name("loop.c")
library = Path(tempfile.mkdtemp(), "loop.so")
compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
subprocess.run([*compiler, "-O2", "-std=c11", "-shared", "-fPIC", f"-I{fastbp.get_include()}", source, "-o", library],
               check=True)
loop = ctypes.CDLL(str(library))

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])
Y, ns = np.empty((4, 1)), ctypes.c_double()
net = fastbp.Network([2, 6, 1], "tanh", "sigmoid", seed=0)
c = net.ctypes  # as long as this lives, so does the handle

status = loop.train(c.handle, X.ctypes, T.ctypes, ctypes.c_ssize_t(4), 20_000, ctypes.c_double(0.5), ctypes.byref(ns))
print(f"training step: status {status}, {ns.value:.0f} ns a call")
status = loop.predict(c.handle, X.ctypes, Y.ctypes, ctypes.c_ssize_t(4), 20_000, ctypes.byref(ns))
print(f"prediction: status {status}, {ns.value:.0f} ns a call")
print("outputs:", Y.ravel().round(2))
