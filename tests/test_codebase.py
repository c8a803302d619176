"""Rules of this code base whose violation no other test would notice."""

import ast
import graphlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import fastbp

PUBLIC = {name: getattr(fastbp, name) for name in fastbp.__all__}


def public_callables():
    for name, thing in PUBLIC.items():
        if inspect.isclass(thing):
            yield name, thing
            for method_name, method in inspect.getmembers(thing, inspect.isroutine):
                if not method_name.startswith("_") and method.__qualname__.startswith(name + "."):
                    yield f"{name}.{method_name}", method
        elif callable(thing):
            yield name, thing


CALLABLES = dict(public_callables())


def test_import_brings_numpy_and_nothing_else():
    # Modules without a spec are Cython's shared types, which no file stands behind.
    code = """
import sys, numpy
before = set(sys.modules)
import fastbp
roots = {name.partition(".")[0] for name in set(sys.modules) - before if sys.modules[name].__spec__}
print(*(roots - {"fastbp", "numpy"} - sys.stdlib_module_names))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_all_is_what_the_face_has():
    visible = {name for name, thing in vars(fastbp).items() if not name.startswith("_") and not inspect.ismodule(thing)}
    assert visible == {name for name in fastbp.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("name", CALLABLES)
def test_docstring_names_every_argument(name):
    thing = CALLABLES[name]
    doc = inspect.getdoc(thing)
    assert doc
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return  # made by fastbp, not by users
    documented = set(re.findall(r"^\**(\w[\w, *]*?) : ", doc, re.MULTILINE))
    documented = {argument.strip(" *") for group in documented for argument in group.split(",")}
    arguments = [argument for argument in inspect.signature(thing).parameters if argument != "self"]
    assert documented >= set(arguments)


def attributes():
    """(class, attribute) of the public classes and of their compiled bases."""
    for owner, thing in PUBLIC.items():
        if inspect.isclass(thing):
            for name, _ in inspect.getmembers(thing, inspect.isdatadescriptor):
                if not name.startswith("_") and not hasattr(Exception, name):
                    yield owner, name


@pytest.mark.parametrize(("owner", "name"), [*attributes()])
def test_attribute_is_documented(owner, name):
    thing = PUBLIC[owner]
    assert inspect.getdoc(getattr(thing, name)) or re.search(rf"\b{name}\b", inspect.getdoc(thing))


SOURCE = pathlib.Path(__file__).parents[1] / "src" / "fastbp"
# _types.py, which type checkers alone import, names what any other module defines.
FILES = {".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): path
         for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.pyx")] if path.name != "_types.py"}
FILES["fastbp._core"] = FILES.pop("fastbp._core.core")


class Imports(ast.NodeVisitor):
    """The modules of fastbp that a module imports, at its top or in a function."""

    def __init__(self):
        self.modules = set()

    def visit_If(self, node):
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_Import(self, node):
        self.modules.update(alias.name for alias in node.names if alias.name.partition(".")[0] == "fastbp")

    def visit_ImportFrom(self, node):
        if (node.module or "").partition(".")[0] == "fastbp":
            # Each name is a module of the package, or something in the package itself.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            self.modules |= {name if name in FILES else node.module for name in names}


def imports(module):
    visitor = Imports()
    text = FILES[module].read_text(encoding="utf-8")
    if FILES[module].suffix == ".pyx":      # is no Python, nor are its parts, but their lines that import are
        text += "".join(part.read_text(encoding="utf-8") for part in FILES[module].parent.glob("*.pxi"))
        text = "\n".join(re.findall(r"^ *(?:from .* )?import .*$", text, re.MULTILINE))
        text = re.sub("^ *", "", text, flags=re.MULTILINE)
    visitor.visit(ast.parse(text))
    return visitor.modules


def test_schedules_are_imported_when_one_is_asked_for():
    code = """
import sys, fastbp
net = fastbp.Network([1, 1])
net.fit([[0.0]], [[0.0]], epochs=1)
print("fastbp.schedules" in sys.modules)
net.fit([[0.0]], [[0.0]], epochs=1, schedule="step")
print("fastbp.schedules" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]


def test_imports_point_one_way():
    graph = {module: imports(module) for module in FILES}
    assert "fastbp.training.run" in graph["fastbp.training.fit"]    # the test sees what there is
    assert "fastbp.training.rates" in graph["fastbp.training.run"]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("module", [module for module in FILES if module.startswith("fastbp.training")])
def test_training_knows_neither_the_face_nor_the_network(module):
    assert not imports(module) & {"fastbp", "fastbp.network"}


def test_the_core_offers_nothing_that_only_tests_use():
    offered = set(re.findall(r"def (_[a-z]\w*)", (SOURCE / "_core.pyi").read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in [*FILES.values(), *SOURCE.rglob("*.pxi")])
    used = set(re.findall(r"(?<!def )\b\w+", code))
    assert offered - used == {"_waiting"}       # how many threads wait for a lock, which nothing else could tell
