"""The documentation runs: every Python block of README.md and docs/, and every example in a docstring.

The blocks of one file are run in order, as a reader would type them. A block that needs more than NumPy is fenced
as ```py, which is coloured alike and not run.
"""

import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp
import fastbp.interop

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = {
    str(page.relative_to(ROOT)): BLOCK.findall(page.read_text(encoding="utf-8"))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
}
# plot imports a partner that the test environment need not have.
MODULES = [
    name
    for _, name, _ in pkgutil.iter_modules(fastbp.__path__, "fastbp.")
    if name not in ("fastbp.__main__", "fastbp.plot")
]
INTEROP = [name for _, name, _ in pkgutil.walk_packages(fastbp.interop.__path__, "fastbp.interop.")]


@pytest.mark.parametrize("page", [page for page, blocks in PAGES.items() if blocks])
def test_blocks_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, block in enumerate(PAGES[page], 1):
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no shell")
def test_commands_run(tmp_path):
    """What docs/command_line.md has the reader type, in a directory with the example's data."""
    shutil.copy(ROOT / "examples" / "battery.csv", tmp_path)
    commands = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8"),
                          re.MULTILINE | re.DOTALL)
    assert commands
    script = "\n".join(["set -e", f'fastbp() {{ "{sys.executable}" -W error -m fastbp "$@"; }}', *commands])
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_readme_has_an_example():
    assert PAGES["README.md"]


@pytest.mark.filterwarnings("ignore:__array__ implementation")      # of Keras and NumPy 2
@pytest.mark.parametrize("name", ["fastbp", *MODULES, *INTEROP])
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if name not in INTEROP or "pip install" not in str(error):
            raise
        pytest.skip(str(error))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_network_has_examples():
    finder = doctest.DocTestFinder()
    assert any(test.examples for test in finder.find(fastbp.Network))


def test_bridges_have_examples():
    sklearn, scipy = (pytest.importorskip(f"fastbp.interop.{name}", exc_type=ImportError)
                      for name in ("sklearn", "scipy"))
    for public in (sklearn.MLPClassifier, sklearn.MLPRegressor, sklearn.from_sklearn, sklearn.to_sklearn,
                   scipy.minimize):
        assert doctest.DocTestParser().get_examples(public.__doc__)
