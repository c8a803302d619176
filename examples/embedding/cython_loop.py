"""A network in a loop in Cython: compiles loop.pyx, which cimports fastbp, and calls it."""

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension
from setuptools.dist import Distribution

import fastbp

source = str(Path(__file__).with_name("loop.pyx"))
os.chdir(tempfile.mkdtemp())
extension = Extension("loop", [source], include_dirs=[fastbp.get_include()])
include_path = [str(Path(fastbp.__file__).parents[1])]
build = Distribution({"ext_modules": cythonize([extension], include_path=include_path, build_dir=".", quiet=True)})
command = build.get_command_obj("build_ext")
command.build_lib = "."
build.run_command("build_ext")
sys.path.insert(0, "")
loop = importlib.import_module("loop")

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])
Y = np.empty((4, 1))
net = fastbp.Network([2, 6, 1], "tanh", "sigmoid", seed=0)
capsule = net.capsule  # as long as this lives, so does the handle

for name, call in (("training step", lambda: loop.train(capsule, X, T, 20_000, 0.5)),
                   ("prediction", lambda: loop.predict(capsule, X, Y, 20_000))):
    start = time.perf_counter()
    status = call()
    print(f"{name}: status {status}, {1e9 * (time.perf_counter() - start) / 80_000:.0f} ns a call")
print("outputs:", Y.ravel().round(2))
