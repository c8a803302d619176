"""Compiles the core once and the kernels once per instruction set and dtype; all else is in pyproject.toml.

Environment: FASTBP_DEBUG=1 turns on bounds checks and assertions; FASTBP_SANITIZE=address,undefined builds with gcc's
or clang's sanitizers.
"""

import os
import sys
import sysconfig
from glob import glob

import numpy
from Cython.Build import cythonize
from Cython.Build.SharedModule import generate_shared_module
from Cython.Compiler.Options import CompilationOptions
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTBP_DEBUG", "0") not in ("", "0")
SANITIZE = os.environ.get("FASTBP_SANITIZE", "")
SHARED = "fastbp._cyutility"

# Each level's number in simd.h, and the flags that compilers need for it. Only x86-64 has levels above the baseline.
LEVELS = {
    "baseline": (0, [], []),
    "x86_v3": (3, ["-mavx2", "-mfma"], ["/arch:AVX2"]),
    "x86_v4": (
        4,
        ["-mavx512f", "-mavx512dq", "-mavx512cd", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
        ["/arch:AVX512"],
    ),
}
# No -ffast-math: it breaks the rounding by magic numbers and, linked in, flushes subnormals in the whole process.
# -ffp-contract=off: only what is written as a fused multiply-add is one, so that compilers agree on the bits.
# No tables to unwind the stack: C does not use them, and they are a tenth of the size.
# -O2 gives a quarter fewer bytes than -O3, and the loops are vectors already. It aligns loops to 16 bytes only, which
# could cost a narrow network's step up to 10 %; aligning to 32 adds 0.5 %.
UNIX_FLAGS = ["-O2", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-g0", "-fvisibility=hidden",
              "-fno-asynchronous-unwind-tables", "-falign-functions=32", "-falign-loops=32"]
# -O2 inlines less of what is marked inline than -O3 did: without this, single rows took 2 % longer (2 % of the size).
KERNEL_MACROS = [("CYTHON_INLINE", "__inline__ __attribute__((always_inline))")]
# Python methods are called as bound methods, which no hot call does: 6 kB smaller.
CORE_MACROS = [("CYTHON_UNPACK_METHODS", "0")]
UNIX_DEBUG_FLAGS = ["-O1", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-g"]
MSVC_FLAGS = ["/O2", "/fp:precise", "/std:c11"]


def levels_of_target():
    archs = os.environ.get("ARCHFLAGS") if sys.platform == "darwin" else None
    target = archs or sysconfig.get_platform()
    only_x86_64 = ("x86_64" in target or "amd64" in target) and "arm64" not in target
    return LEVELS if only_x86_64 else {"baseline": LEVELS["baseline"]}


def extension(name, source, macros=()):
    debug = [("FASTBP_DEBUG", "1")] if DEBUG else []
    return Extension(
        f"fastbp.{name}",
        [f"src/fastbp/{source}"],
        include_dirs=["src/fastbp/_kernels"],
        depends=[path for kind in ("pxi", "pxd", "h") for path in glob(f"src/fastbp/**/*.{kind}", recursive=True)],
        define_macros=[*macros, *debug],
    )


def extensions():
    yield extension("_core", "_core/core.pyx", [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")])
    for level in levels_of_target():
        for dtype in ("float32", "float64"):
            macros = [("FASTBP_LEVEL", str(LEVELS[level][0])), ("FASTBP_DOUBLE", str(int(dtype == "float64")))]
            yield extension(f"_kernels.{level}_{dtype}", f"_kernels/{level}_{dtype}.pyx", macros)


class BuildExt(build_ext):
    """Adds the flags once the compiler is known."""

    def build_extensions(self):
        msvc = self.compiler.compiler_type == "msvc"
        flags = MSVC_FLAGS if msvc else UNIX_DEBUG_FLAGS if DEBUG else UNIX_FLAGS
        if SANITIZE:
            flags = [*flags, f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
        for ext in self.extensions:
            # "fastbp._kernels.x86_v3_float32" is of level x86_v3; the core itself is for every processor.
            level = ext.name.rpartition(".")[2].rpartition("_")[0] if "._kernels." in ext.name else "baseline"
            _, unix_flags, msvc_flags = LEVELS[level]
            ext.extra_compile_args = [*flags, *(msvc_flags if msvc else unix_flags)]
            if ext.name == SHARED and not (msvc or DEBUG):
                ext.extra_compile_args.append("-Os")    # a quarter smaller; the core would take 11 % more instructions
            if SANITIZE:
                ext.extra_link_args = [f"-fsanitize={SANITIZE}"]
            elif not (msvc or DEBUG or sys.platform == "darwin"):
                ext.extra_link_args = ["-Wl,-s"]      # to the linker: Emscripten has a -s of its own
            if ext.name == "fastbp._core":
                ext.define_macros += CORE_MACROS
                ext.include_dirs.append(numpy.get_include())
                ext.define_macros.append(("FASTBP_FLAGS", f'"{" ".join(flags)}"'))
            elif "._kernels." in ext.name and not (msvc or DEBUG):
                ext.define_macros += KERNEL_MACROS
        super().build_extensions()


def shared_module():
    """Cython's own code for memoryviews, once for all modules: in each it would add 45 kB to a wheel."""
    path = "build/cython/_cyutility.c"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    generate_shared_module(CompilationOptions(
        shared_c_file_path=path, module_name=SHARED,
        compiler_directives={"freethreading_compatible": True}))
    return Extension(SHARED, [path])


def compiled():
    modules = cythonize(
        list(extensions()),
        include_path=["src"],
        build_dir="build/cython",
        shared_utility_qualified_name=SHARED,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": True,
            "freethreading_compatible": True,
            "auto_pickle": False,       # classes that can be pickled define how
            "autotestdict": False,      # it copies the docstrings for doctests, which find the originals anyway
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    )
    return [*modules, shared_module()]


setup(ext_modules=compiled(), cmdclass={"build_ext": BuildExt})
