"""The documentation runs: every Python block of README.md and docs/, and every example in a docstring.

The blocks of one file are run in order, as a reader would type them, and print what stands in the ```text behind them.
A block that needs more than NumPy is fenced as ```py, which is coloured alike and not run.
"""

import ast
import doctest
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
         for page in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("**/*.md"))]}
PAGES = {page: BLOCK.findall(text) for page, text in TEXTS.items()}


def module_of(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "fastbp._core" if "_core" in parts else ".".join(parts).removesuffix(".__init__")


MODULES = sorted({module_of(path) for path in SOURCE.rglob("*")
                  if path.suffix in (".py", ".pyx", ".pxi") and ">>> " in path.read_text(encoding="utf-8")})


@pytest.mark.parametrize("page", [page for page, blocks in PAGES.items() if blocks])
def test_blocks_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, (block, printed) in enumerate(PAGES[page], 1):
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)
        out = capsys.readouterr().out
        if printed:
            assert out.split() == printed.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no shell")
def test_commands_run(tmp_path):
    """What docs/command_line.md has the reader type, in a directory with the example's data, and what it prints."""
    shutil.copy(ROOT / "examples" / "battery.csv", tmp_path)
    page = TEXTS[str(Path("docs") / "command_line.md")]
    commands = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^```text\n(.*?)^```", page[:page.index("## Tables")], re.MULTILINE | re.DOTALL)
    assert commands and len(shown) == 3
    script = "\n".join(["set -e", f'fastbp() {{ "{sys.executable}" -W error -m fastbp "$@"; }}', *commands])
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    printed = re.split(r"[\s,]+", result.stdout)
    for words in (re.split(r"[\s,]+", text.strip()) for text in shown):
        assert any(all(map(alike, printed[i:], words)) for i in range(len(printed) - len(words))), words


def alike(word, shown):
    """Whether words are the same, or numbers near each other, as they are on another processor."""
    try:
        return float(word) == pytest.approx(float(shown), rel=0.3)
    except ValueError:
        return word == shown


def test_readme_has_an_example():
    assert PAGES["README.md"]


def test_readme_repeats_the_times_of_its_benchmark():
    """The table of other libraries has those of a step of 4-8-3 and of a prediction of 4-16-3, in microseconds."""
    rows = [line.split("|") for line in TEXTS["README.md"].splitlines() if line.startswith("| ")]
    step, prediction = (
        {name: float(f"{float(number) * {'ns': 1e-3, 'µs': 1}[unit]:.2g}") for name, number, unit in
         re.findall(r"([A-Za-z][\w, -]*?) ([\d.]+) (ns|µs)", ",".join(["fastbp" + own, peer, others]))}
        for row in rows if row[1].strip() in ("W1 4-8-3 f32", "W2 4-16-3 f32")
        for own, peer, others in [(row[2], row[3], row[6])])
    repeated = {re.match(r"[\w-]*", row[1].strip())[0]: row[5].split() for row in rows
                if row[5:] and row[5].endswith("µs ")}
    assert repeated.keys() == {"fastbp", "PyTorch", "JAX", "FANN", "scikit-learn"}
    for name, (one, other, _) in repeated.items():
        assert not one[0].isdigit() or float(one.rstrip(",")) == step[name]
        assert float(other) == prediction[name]


@pytest.mark.filterwarnings("ignore:__array__ implementation")      # of Keras and NumPy 2
@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if 'pip install "fastbp[' not in str(error):
            raise
        pytest.skip(str(error))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
    assert result.attempted


def test_network_has_examples():
    finder = doctest.DocTestFinder()
    assert any(test.examples for test in finder.find(fastbp.Network))


def test_bridges_have_examples():
    sklearn, scipy = (pytest.importorskip(f"fastbp.interop.{name}", exc_type=ImportError)
                      for name in ("sklearn", "scipy"))
    for public in (sklearn.MLPClassifier, sklearn.MLPRegressor, sklearn.from_sklearn, sklearn.to_sklearn,
                   scipy.minimize):
        assert doctest.DocTestParser().get_examples(public.__doc__)


# A link from a formula to what computes it, and the lines of it that a page quotes.
LINK = re.compile(r"\[`(\w+)`\]\(\.\./(src/[\w./]+)\)|^```(?:c|cython)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_formulas_stand_beside_the_code_that_computes_them():
    quotes = 0
    for name, path, quoted in LINK.findall(TEXTS["docs/method.md"]):
        if name:
            code = (ROOT / path).read_text(encoding="utf-8")
            lines = [line.strip() for line in code[code.index(f"{name}("):].splitlines()]
        else:
            quotes += 1
            assert "\n".join(line.strip() for line in quoted.splitlines()) in "\n".join(lines)
    assert quotes >= 8


def public(path):
    """What a bridge offers: its __all__, or else its functions with an example; read, for it may not be importable."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            yield from ast.literal_eval(node.value)
        elif isinstance(node, ast.FunctionDef) and ">>> " in (ast.get_docstring(node) or ""):
            yield node.name


def test_api_reference_has_every_public_name():
    names = {*fastbp.__all__, *public(SOURCE / "fastbp" / "plot" / "__init__.py")} - {"__version__"}
    bridges = SOURCE / "fastbp" / "interop"
    for path in [*bridges.glob("*.py"), *bridges.glob("*/__init__.py")]:
        bridge = path.parent.name if path.stem == "__init__" else path.stem
        names |= {f"{bridge}.{name}" for name in public(path)}
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    assert names <= set(re.findall(r"^   ([\w.]+)$", text, re.MULTILINE))
    assert "torch.to_torch" in names


def prose(text):
    """What is not in a block of code."""
    return re.sub(r"^ *(````?)\w.*?^ *\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """The names that the repository's host gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_links_between_files_lead_somewhere(page):
    """As the repository's host follows them; tools/check_site.py follows those of the site."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", prose(TEXTS[page]))):
        path, _, anchor = target.partition("#")
        if ":" not in path:
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


GALLERY = sorted((ROOT / "examples" / "gallery").glob("*.py"))


def test_gallery_has_twelve_examples():
    assert len(GALLERY) >= 12


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_example_of_the_gallery_is_short_and_draws_one_picture(path):
    """`nox -s docs` runs them all, and fails where one does."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert text.count("plt.show()") == 1
    assert len(re.findall(r"plt\.(?:subplots|figure)\(", text)) == 1
