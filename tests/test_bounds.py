"""In a FASTBP_DEBUG build an index out of bounds is an error in the kernels, too."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from fastbp import _core, _dispatch

SOURCE = Path(__file__).parents[1] / "src"
CODE = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
import fastbp, bounds
table = importlib.import_module(f"fastbp._kernels.{sys.argv[2]}_float64").table
print(bounds.output_at(table, int(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the module of bounds.pyx is, which hands a workspace with a wrong index to a kernel."""
    if "-O1" not in _core.FLAGS:
        pytest.skip("not a debug build, which alone checks")
    pytest.importorskip("Cython")
    folder = tmp_path_factory.mktemp("bounds")
    for command in (
        [sys.executable, "-m", "cython", "-3", "-I", SOURCE, "-o", folder / "bounds.c",
         Path(__file__).with_name("bounds.pyx")],
        ["cc", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", f"-I{SOURCE / 'fastbp' / '_kernels'}",
         folder / "bounds.c", "-o", folder / f"bounds{sysconfig.get_config_var('EXT_SUFFIX')}"],
    ):
        subprocess.run(command, check=True)
    return folder


@pytest.mark.parametrize("level", _dispatch.available())
def test_a_wrong_index_is_an_error(folder, level):
    def child(place):
        return subprocess.run([sys.executable, "-c", CODE, folder, level, str(place)], capture_output=True, text=True)

    for place in (0, 7):
        assert child(place).stdout == f"{float(place)}\n"
    for place in (8, -1, 2**40):
        # A kernel cannot raise, for it knows no Python: the error is printed, and null takes the place of the address.
        done = child(place)
        assert "IndexError: Out of bounds on buffer access" in done.stderr
        assert done.returncode != 0
