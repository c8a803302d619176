"""Rules of the house that no other test would notice being broken."""

import inspect
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
