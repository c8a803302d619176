"""What pip installed is what users need, and no more."""

import re
from importlib.metadata import files
from pathlib import Path

import pytest

# Python modules, stubs beside the compiled ones, kernels, what C and Cython include, the demo's data with its licence,
# and the command.
WANTED = re.compile(r"""
    fastbp/(\w+/)*\w+\.py
  | fastbp/(_core | _cyutility | _kernels/(baseline|x86_v3|x86_v4)_float(32|64)) (\.[\w-]+)* \.(so|pyd)
  | fastbp/(_core\.pyi | py\.typed)
  | fastbp/(__init__\.pxd | include/fastbp\.h)
  | fastbp/data/(digits\.npz | README\.md)
  | fastbp-[\w.+]+\.dist-info/[\w./-]+
  | ([.]{2}[/\\])+ (bin|Scripts) [/\\] fastbp(\.exe)?
""", re.VERBOSE)


@pytest.fixture
def installed():
    paths = [str(path) for path in files("fastbp") or ()]
    if "fastbp/__init__.py" not in paths:
        pytest.skip("installed in place")
    return [path for path in paths if "__pycache__" not in path]  # which pip made


def test_nothing_else_is_installed(installed):
    assert [path for path in installed if not WANTED.fullmatch(path)] == []


def test_nothing_is_missing(installed):
    source = Path(__file__).parents[1] / "src"
    modules = {path.relative_to(source).as_posix() for path in source.glob("fastbp/**/*.py")}
    assert modules | {"fastbp/_core.pyi", "fastbp/py.typed", "fastbp/data/digits.npz", "fastbp/__init__.pxd",
                      "fastbp/include/fastbp.h"} <= set(installed)
    assert {Path(path).name.partition(".")[0] for path in installed if path.endswith((".so", ".pyd"))} >= {
        "_core", "_cyutility", "baseline_float32", "baseline_float64"}
