"""A table as arrays to train with: read, divided into training, validation and test rows, standardised.

Only the numbers are kept, in the network's dtype. They are collected block by block, and each block is freed once it
has been copied into its place, so the peak is little above what the network trains on.
"""

import contextlib
import mmap
from collections import deque
from dataclasses import dataclass

import numpy as np

from fastbp._checks import number
from fastbp.cli import tables
from fastbp.cli.columns import CategoryColumn, NumberColumn
from fastbp.cli.fields import Categories, Numbers, TableError, is_missing, is_number
from fastbp.cli.tables import in_chunks

PARTS = "training", "validation", "test"
FEW, RECUR = 10, 5      # so few different whole numbers, each so often on average, are taken for labels
WHOLE = 2**53 - 1       # what float64 has as a larger whole number may have been another
LARGEST = {"float32": 1e30, "float64": 1e300}   # scale of a column; weights, products and sums need what is above it
REFUSED = "--missing mean or median fills it in, --missing drop leaves the row out"
REFUSED_TARGET = "targets are not filled in; --missing drop leaves the row out"


@dataclass
class Data:
    """A whole table in memory.

    Attributes
    ----------
    table : TextTable or ArrayTable
        For its names.
    inputs : list of NumberColumn and CategoryColumn
    targets : list of NumberColumn, or a list with one CategoryColumn
        The latter for a classification.
    blocks : deque of ndarray, shape (rows, len(inputs))
        ``(x - shift) / unit`` for numbers, so that float32 keeps small differences of large ones, and numbers of any
        size; numbers of categories.
    shift, unit : ndarray of float64, shape (len(inputs),)
    T : ndarray of float64, shape (M, len(targets))
        Targets, or numbers of labels.
    """

    table: tables.TextTable | tables.ArrayTable
    inputs: list
    targets: list
    blocks: deque
    shift: np.ndarray
    unit: np.ndarray
    T: np.ndarray


def read(arguments):
    """The table that the arguments of the command ask for, as Data."""
    dtype = np.dtype(arguments.dtype or "float32")
    with tables.opened(arguments.table, delimiter=arguments.delimiter, header=arguments.header,
                       encoding=arguments.encoding) as table:
        targets = find(table, arguments.target)
        readers = readers_of(table, targets, arguments)
        inputs = [i for i, reader in enumerate(readers) if reader is not None and i not in targets]
        if not inputs:
            raise TableError(f"{table.name}: there is no column beside the target to learn from")
        data = Data(table, [], [], deque(), np.zeros(len(inputs)), np.ones(len(inputs)), [])
        for values in table.blocks(readers):
            x, t = values[:, inputs], values[:, targets]
            if arguments.missing == "drop":
                whole = ~(np.isnan(x).any(axis=1) | np.isnan(t).any(axis=1))
                x, t = x[whole], t[whole]
            if not len(x):
                continue
            # A map of its own, whose memory goes back to the system with it; malloc would keep it.
            block = np.frombuffer(mmap.mmap(-1, x.size * dtype.itemsize), dtype).reshape(x.shape)
            with np.errstate(over="ignore"):    # `standardise_inputs` finds it
                if not data.blocks:
                    numbers = [isinstance(readers[i], Numbers) for i in inputs]
                    data.shift = np.where(numbers, medians(x[:tables.SAMPLE]), 0.0)
                    data.unit = np.where(numbers, powers_of_two(x[:tables.SAMPLE] - data.shift), 1.0)
                x -= data.shift
                np.divide(x, data.unit, out=block, casting="same_kind")
            data.blocks.append(block)
            data.T.append(t)
    if not data.blocks:
        raise TableError(f"{table.name}: there are no rows to learn from")
    data.T = np.concatenate(data.T)
    data.inputs, data.targets = ([column_of(readers[i], table) for i in places] for places in (inputs, targets))
    return data


def medians(x):
    """The median of the finite numbers in each column, and 0 where there are none; an outlier does not move it."""
    finite = np.isfinite(x)
    ordered, count = np.sort(np.where(finite, x, np.inf), axis=0), finite.sum(axis=0)
    return np.where(count > 0, ordered[np.maximum(count - 1, 0) // 2, np.arange(x.shape[1])], 0.0)


def powers_of_two(x):
    """The size of the largest number in each column, as a power of two, so that a division by it does not round."""
    largest = np.fmax.reduce(abs(x), axis=0)
    return np.where((largest > 0) & (largest < np.inf), np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)


def column_of(reader, table):
    """The column whose fields were read."""
    if isinstance(reader, Numbers):
        return NumberColumn(reader.name)
    if not reader.numbers:
        raise TableError(f"{table.name}: column {reader.name!r} has no values; --ignore {reader.name} leaves it out")
    return CategoryColumn(reader.name, list(reader.numbers))


def find(table, wanted):
    """The places of columns, given by name or by number, several of them between commas."""
    places = []
    for part in wanted:
        for name in [part] if part in table.names else part.split(","):
            places.append(place_of(table, name.strip()))
    if len(set(places)) < len(places):
        raise TableError(f"{table.name}: a column is named twice in {','.join(wanted)!r}")
    return places


def place_of(table, name):
    if name in table.names:
        return table.names.index(name)
    with contextlib.suppress(ValueError):
        position = int(name)
        if 0 < abs(position) <= len(table.names):
            return position - 1 if position > 0 else len(table.names) + position
    raise TableError(f"{table.name}: there is no column {name!r}; there are {', '.join(map(repr, table.names)):.400}")


def readers_of(table, targets, arguments):
    """What reads each column: one of numbers if most of its first fields are numbers, else one of categories."""
    ignored, categories = find(table, arguments.ignore), find(table, arguments.categories)
    readers = []
    for i, name in enumerate(table.names):
        is_target = i in targets
        fields = [row[i] for row in table.sample if len(row) > i and not is_missing(row[i])]
        numbers = sum(is_number(field.replace(arguments.decimal, ".")) for field in fields)
        refused = (REFUSED_TARGET if is_target else REFUSED) if arguments.missing in (
            ("error", "mean", "median") if is_target else ("error",)) else None
        if i in ignored:
            if is_target:
                raise TableError(f"{table.name}: column {name!r} cannot be the target and be ignored")
            readers.append(None)
        elif (i in categories or numbers < len(fields) / 2) and not (is_target and arguments.task == "regression"):
            if i not in categories and arguments.decimal == ".":
                refuse_commas(table, name, fields)
            if is_target and len(targets) > 1:
                raise TableError(f"{table.name}: several targets must be numbers, but column {name!r} has labels")
            readers.append(Categories(name, None, refused, arguments.max_categories))
        else:
            readers.append(Numbers(name, refused, arguments.decimal))
    return readers


def refuse_commas(table, name, fields):
    """Numbers with a decimal comma must not become categories unasked."""
    if all(is_number(field.replace(",", ".", 1)) for field in fields):
        raise TableError(f"{table.name}: column {name!r} has numbers such as {fields[0]!r:.80}; --decimal , reads "
                         f"them, and --categories {name} takes them for categories")


def decide_task(data, arguments):
    """The task; for a classification, `data` gets the numbers of labels as targets."""
    (first, *others), task = data.targets, arguments.task
    if first.kind == "number" and (others or task == "regression"):
        return "regression"
    values = np.unique(data.T).tolist()
    order = list(range(len(values)))
    if first.kind == "category":
        labels = [first.categories[int(value)] for value in values]
        order.sort(key=labels.__getitem__)
    else:
        recur = len(values) <= min(FEW, len(data.T) / RECUR) and all(map(float.is_integer, values))
        if task is None and not recur:
            return "regression"
        if len(values) > arguments.max_categories:
            raise TableError(f"{data.table.name}: column {first.name!r} has {len(values)} different numbers, too many "
                             "for labels; --task regression predicts the number")
        if max(map(abs, values)) > WHOLE:
            raise TableError(f"{data.table.name}: column {first.name!r} has labels beyond 2**53, which as numbers "
                             f"cannot be told apart; --categories {first.name} takes them as they are written, --task "
                             "regression predicts the number")
        labels = [f"{value:.0f}" if value.is_integer() else repr(value) for value in values]
    if len(labels) < 2:
        raise TableError(f"{data.table.name}: column {first.name!r} has one label only, {labels[0]!r:.80}; there is "
                         "nothing to tell apart")
    data.T = np.argsort(order)[np.searchsorted(values, data.T)]
    data.targets = [CategoryColumn(first.name, [labels[i] for i in order])]
    return "classification"


def split(labels, m, arguments, rng):
    """For each of m rows the part that it belongs to: 0 for training, 1 for validation, 2 for the test.

    With labels, each label is divided in the same proportion, but for rounding, and has a row to train on.
    """
    held_out = arguments.validation_fraction, arguments.test_fraction
    for part, fraction in enumerate(held_out, 1):
        number(f"--{PARTS[part]}-fraction", fraction, 0, 1, low_allowed=True)
    if sum(held_out) >= 1:
        raise ValueError("--validation-fraction and --test-fraction must leave rows to train on, got "
                         f"{held_out[0]} and {held_out[1]}")
    parts, due = np.zeros(m, np.int8), np.zeros(2)      # due: rows to hold out, but for rounding
    for group in [slice(None)] if labels is None else [labels == label for label in range(labels.max() + 1)]:
        size = len(parts[group])
        due += np.multiply(held_out, size)
        counts = np.floor(due + 0.5).astype(int)
        while counts.sum() >= size:
            counts[counts.argmax()] -= 1
        due -= counts
        parts[group] = rng.permutation(np.repeat(np.int8([0, 1, 2]), [size - counts.sum(), *counts]))
    counts = np.bincount(parts, minlength=3)
    for part, fraction in enumerate(held_out, 1):
        if fraction and not counts[part]:
            raise ValueError(f"--{PARTS[part]}-fraction {fraction} finds no row to hold out of {m}; with 0 "
                             "it is left out")
    return parts


def fill_categories(data, parts):
    """In columns of categories, the one that is most frequent in the training rows stands for a missing one."""
    counts, start = [np.zeros(column.width, int) for column in data.inputs], 0
    for block in data.blocks:
        of_training = block[parts[start:start + len(block)] == 0]
        start += len(block)
        for i, column in enumerate(data.inputs):
            if column.kind == "category":
                codes = of_training[:, i]
                counts[i] += np.bincount(codes[~np.isnan(codes)].astype(int), minlength=column.width)
    data.inputs = [column if column.kind == "number" else CategoryColumn(
        column.name, column.categories, column.categories[count.argmax()])
        for column, count in zip(data.inputs, counts, strict=True)]


def assemble(data, parts):
    """The inputs of each part, shape (rows, n_inputs); the blocks are used up."""
    counts, width = np.bincount(parts, minlength=3), sum(column.width for column in data.inputs)
    X, done, start = [np.empty((count, width), data.blocks[0].dtype) for count in counts], [0, 0, 0], 0
    while data.blocks:
        block = data.blocks.popleft()
        of_block = parts[start:start + len(block)]
        start += len(block)
        for part in range(3):
            rows = block[of_block == part]
            out, at = X[part][done[part]:done[part] + len(rows)], 0
            for i, column in enumerate(data.inputs):
                column.encode(rows[:, i], out[:, at:at + column.width])
                at += column.width
            done[part] += len(rows)
    return X


def moments(x):
    """Mean and standard deviation of each column, without what is missing.

    A deviation that is nothing but the rounding of the mean counts as 1.
    """
    count = sum((~np.isnan(chunk)).sum(axis=0) for chunk in in_chunks(x))
    with np.errstate(invalid="ignore", over="ignore"):
        mean = sum(np.nansum(chunk, axis=0, dtype=np.float64) for chunk in in_chunks(x)) / count
        square = sum(np.nansum((chunk - mean)**2, axis=0) for chunk in in_chunks(x)) / count
    return mean, np.where(np.sqrt(square) > abs(1e-12 * mean), np.sqrt(square), 1.0)


def is_held(scale, dtype):
    """Whether a network of the dtype can have this scale in its weights."""
    return 1 / LARGEST[dtype] < scale < LARGEST[dtype]


def scaled(column, data, mean, scale, fill, chosen):
    """A column of numbers with its scaling, which the model must hold in the dtype that was chosen for it, if any."""
    if not (np.isfinite(mean) and is_held(scale, chosen or "float64")):
        raise TableError(f"{data.table.name}: column {column.name!r} has values that {chosen or 'float64'} cannot hold"
                         f"{'; --dtype float64 may hold them' if chosen == 'float32' else ''}")
    return NumberColumn(column.name, float(mean), float(scale), fill)


def standardise_inputs(X, data, missing, chosen):
    """Standardise the columns of numbers in place, by the training rows, and fill in what is missing.

    Returns the columns with their scaling.
    """
    dtype = X[0].dtype
    mean, scale = (values.astype(dtype) for values in moments(X[0]))
    made, at = [], -1
    for column, shift, unit in zip(data.inputs, data.shift.tolist(), data.unit.tolist(), strict=True):
        at += column.width
        if column.kind == "category":
            mean[at + 1 - column.width:at + 1], scale[at + 1 - column.width:at + 1] = 0, 1
            made.append(column)
            continue
        if not (np.isfinite([mean[at], scale[at]]).all() and scale[at]):
            raise TableError(f"{data.table.name}: column {column.name!r} has no values in the training rows, or values "
                             f"that {dtype} cannot hold; --ignore {column.name} leaves it out"
                             f"{', --dtype float64 may hold them' if dtype == 'float32' else ''}")
        filled = None
        if missing in ("mean", "median"):
            filled = mean[at] if missing == "mean" else np.nanmedian(X[0][:, at])
            for x in X:
                x[np.isnan(x[:, at]), at] = filled
        made.append(scaled(column, data, shift + unit * float(mean[at]), unit * float(scale[at]),
                           None if filled is None else shift + unit * float(filled), chosen))
    for x in X:
        x -= mean
        x /= scale
    return made


def standardise_targets(T, data, dtype, chosen):
    """The same for targets, which T has in the dtype afterwards."""
    unit = powers_of_two(T[0][:tables.SAMPLE])      # of which the squares of 1e-200 can be held
    for t in T:
        t /= unit
    mean, scale = moments(T[0])
    made = [scaled(column, data, *scaling, None, chosen)
            for column, *scaling in zip(data.targets, mean * unit, scale * unit, strict=True)]
    for part, t in enumerate(T):
        t -= mean
        t /= scale
        T[part] = t.astype(dtype)
    return made
