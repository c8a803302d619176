"""The plan of columns: what a table's columns are to a network, kept in the model's file beside the network.

A column of numbers is one input or output, a column of categories one for each of its categories: 1 for the one that
it is, 0 for the others. The scaling is part of the network's weights (`fastbp.interop.scaling`); the plan has it to be
looked at.
"""

import sys
from dataclasses import asdict, dataclass, fields

import numpy as np

from fastbp.cli.fields import Categories, Numbers, TableError
from fastbp.io import FormatError

VERSION = 1
REFUSED = "the model was trained without missing values (train --missing mean fills them in)"


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers.

    Attributes
    ----------
    name : str
    mean, scale : float
        What the network was trained on is ``(x - mean) / scale``.
    fill : float or None
        What stands for a missing value; None where it is refused.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    fill: float | None = None
    kind = "number"
    width = 1

    def reader(self, decimal):
        return Numbers(self.name, None if self.fill is not None else REFUSED, decimal)

    def encode(self, values, out):
        """The inputs, of shape (rows, width), for values of the column as a table's blocks have them."""
        out[:, 0] = values
        if self.fill is not None:
            out[np.isnan(values), 0] = self.fill


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories.

    Attributes
    ----------
    name : str
    categories : list of str
    fill : str or None
        As for `NumberColumn`.
    """

    name: str
    categories: list[str]
    fill: str | None = None
    kind = "category"

    @property
    def width(self):
        return len(self.categories)

    def reader(self, decimal):
        return Categories(self.name, self.categories, None if self.fill is not None else REFUSED)

    def encode(self, values, out):
        if self.fill is not None:
            values = np.where(np.isnan(values), self.categories.index(self.fill), values)
        np.equal(values[:, None], np.arange(self.width), out=out)


@dataclass(frozen=True)
class Plan:
    """What is known of a model's table.

    Attributes
    ----------
    task : str
        "classification" or "regression".
    columns : list of str
        The names of all columns of the table that it was trained on, or their numbers.
    has_header : bool
        Whether they are names.
    inputs : list of NumberColumn and CategoryColumn
    targets : list
        A CategoryColumn for a classification, else a NumberColumn for each output.
    training : dict
        How the network was trained, as reports.py shows it.
    """

    task: str
    columns: list[str]
    has_header: bool
    inputs: list[NumberColumn | CategoryColumn]
    targets: list[NumberColumn | CategoryColumn]
    training: dict

    @property
    def n_inputs(self):
        return sum(column.width for column in self.inputs)

    @property
    def n_outputs(self):
        return sum(column.width for column in self.targets)

    def places(self, table):
        """Where a table has the inputs; a TableError where it lacks one.

        Without names, a table has the columns that the model was trained on, with or without the targets.
        """
        names = table.names
        if not (table.has_header and self.has_header):
            targets = {column.name for column in self.targets}
            known = [self.columns, [name for name in self.columns if name not in targets]]
            names = next((columns for columns in known if len(columns) == len(table.names)), None)
            if names is None:
                raise TableError(f"{table.name}: a table without names must have the {len(known[0])} columns that the "
                                 f"model was trained on, or the {len(known[1])} without targets; got "
                                 f"{len(table.names)}")
        place_of = {name: place for place, name in enumerate(names)}
        missing = [column.name for column in self.inputs if column.name not in place_of]
        if missing:
            hint = "; --no-header if its first row is not names" if len(missing) == len(self.inputs) else ""
            raise TableError(f"{table.name}: the model needs {', '.join(map(repr, missing)):.400}, which the table "
                             f"lacks{hint}")
        return [place_of[column.name] for column in self.inputs]

    def encode(self, values, places):
        """The network's inputs for a block of a table."""
        X = np.empty((len(values), self.n_inputs))
        start = 0
        for column, place in zip(self.inputs, places, strict=True):
            column.encode(values[:, place], X[:, start:start + column.width])
            start += column.width
        return X

    def to_attributes(self):
        """The plan as a network's file holds it (docs/command_line.md)."""
        return {"version": VERSION, "task": self.task, "columns": self.columns, "has_header": self.has_header,
                "inputs": [{"kind": column.kind, **asdict(column)} for column in self.inputs],
                "targets": [{"kind": column.kind, **asdict(column)} for column in self.targets],
                "training": self.training}


def scaling(columns):
    """Means and scales of the inputs or outputs that the columns are."""
    return np.array([(column.mean, column.scale) if column.kind == "number" else (0.0, 1.0)
                     for column in columns for _ in range(column.width)]).T


def plan_from(attributes, net):
    """The Plan that `to_attributes` wrote beside this network; a FormatError where it cannot have."""
    demand(type(attributes) is dict, f"it is {attributes!r:.80}")
    version = attributes.get("version")
    if version != VERSION:
        raise FormatError(f"the plan of columns has version {version!r:.80}; this fastbp reads version {VERSION}")
    parts = {name: value for name, value in attributes.items() if name != "version"}
    demand(parts.keys() == {field.name for field in fields(Plan)}, "it has other parts")
    demand(parts["task"] in ("classification", "regression"), f"its task is {parts['task']!r:.80}")
    demand(is_names(parts["columns"]), "its columns are not names, each once")
    demand(type(parts["has_header"]) is bool, "has_header is not true or false")
    demand(type(parts["training"]) is dict, "training is no object")
    for part in ("inputs", "targets"):
        demand(type(parts[part]) is list and parts[part], f"it has no {part}")
        parts[part] = [column_from(entry) for entry in parts[part]]
    plan = Plan(**parts)
    kinds = {column.kind for column in plan.targets}
    demand(kinds == {"category" if plan.task == "classification" else "number"}
           and (plan.task == "regression" or len(plan.targets) == 1), "its targets do not fit its task")
    names = [column.name for column in plan.inputs + plan.targets]
    demand(is_names(names) and set(names) <= set(plan.columns), "inputs and targets are not columns, each once")
    demand((plan.n_inputs, plan.n_outputs) == (net.n_inputs, net.n_outputs),
           f"it is for {plan.n_inputs} inputs and {plan.n_outputs} outputs, but the network has {net.n_inputs} and "
           f"{net.n_outputs}")
    return plan


def column_from(entry):
    """A column as a file holds it."""
    demand(type(entry) is dict, f"a column is {entry!r:.80}")
    kind, values = entry.get("kind"), {name: value for name, value in entry.items() if name != "kind"}
    kinds = {column.kind: column for column in (NumberColumn, CategoryColumn)}
    demand(type(kind) is str and kind in kinds, f"a column is of the kind {kind!r:.80}")
    demand(values.keys() == {field.name for field in fields(kinds[kind])} and type(values["name"]) is str,
           f"a column is {entry!r:.80}")
    column, fill = kinds[kind](**values), values["fill"]
    if kind == "number":
        demand(is_finite(column.mean) and is_finite(column.scale) and column.scale != 0
               and (fill is None or is_finite(fill)), f"the scaling of column {column.name!r:.80} is not finite")
    else:
        demand(is_names(column.categories) and (fill is None or fill in column.categories),
               f"the categories of column {column.name!r:.80} are not texts, each once")
    return column


def demand(condition, what):
    if not condition:
        raise FormatError(f"the plan of columns is damaged: {what}")


def is_names(values):
    return (type(values) is list and len(values) > 0 and all(type(value) is str for value in values)
            and len(set(values)) == len(values))


def is_finite(value):
    return type(value) in (int, float) and abs(value) <= sys.float_info.max
