"""The fields of a table's rows: what reads a column of numbers, and what reads a column of categories."""

from collections import Counter
from decimal import Decimal, InvalidOperation

import numpy as np

MISSING = {"", "?", "na", "n/a", "nan", "null"}     # fields without a value, in small letters


class TableError(ValueError):
    """A table that cannot be used as it was asked for; the message says where."""


class Numbers:
    """Reads the fields of a column of numbers.

    Parameters
    ----------
    name : str
    missing : str, optional
        What to say where a value is missing; without, it becomes NaN.
    decimal : str
        The decimal point.
    """

    def __init__(self, name, missing=None, decimal="."):
        self.name, self.missing, self.decimal = name, missing, decimal
        self.converter = None if decimal == "." else self   # NumPy's parser needs none for a point

    def __call__(self, field):
        if is_missing(field):
            return absent(self.missing)
        value = number_in(field.replace(self.decimal, ".") if self.decimal != "." else field)
        if value is None:
            raise ValueError(f"{field.strip()!r:.80} is not a number")
        if not np.isfinite(value):
            raise ValueError(f"{field.strip()!r:.80} is not finite")
        return value


class Categories(dict):
    """Reads the fields of a column of categories as their numbers, from 0: a dict from field to number.

    Parameters
    ----------
    name : str
    known : list of str, optional
        The categories that there are; without, each new one gets the next number. If all of them are numbers, a field
        may write one in another way: 1.0 for 1.
    missing : str, optional
        As for `Numbers`.
    most : int, optional
        The largest number of categories.
    """

    def __init__(self, name, known=None, missing=None, most=None):
        super().__init__()
        self.name, self.missing, self.most, self.is_open = name, missing, most, known is None
        self.numbers = {category: float(i) for i, category in enumerate(known or ())}
        values = {category: exact_number_in(category) for category in self.numbers}
        counts = Counter(values.values())
        # The codes 1 and 01 are two categories of one value, so that 1.0 is neither.
        self.of_value = {} if None in counts else {
            value: category for category, value in values.items() if counts[value] == 1}
        self.converter = self.__getitem__       # in C for a field that was seen before

    def __call__(self, field):
        return self[field]

    def __missing__(self, field):
        if is_missing(field):
            return absent(self.missing)
        category = field.strip()
        if category not in self.numbers and self.of_value:
            category = self.of_value.get(exact_number_in(category), category)
        if category not in self.numbers:
            if not self.is_open:
                known = ", ".join(map(repr, self.numbers))
                raise ValueError(f"{category!r:.80} is not one of the categories that the model knows: {known:.400}")
            if len(self.numbers) == self.most:
                raise ValueError(f"there are more than {self.most} categories; --ignore leaves a column out, "
                                 "--max-categories allows for more")
            self.numbers[category] = float(len(self.numbers))
        if field == category:       # but for its spaces, of which there may be any number
            self[field] = self.numbers[category]
        return self.numbers[category]


def read_fields(fields, columns, values, place):
    """Set `values` to what the fields of a row hold; an error begins with the place."""
    for i, (field, column) in enumerate(zip(fields, columns, strict=True)):
        if column is not None:
            try:
                values[i] = column(field)
            except ValueError as error:
                raise TableError(f"{place}, column {column.name!r}: {error}") from None


def absent(missing):
    """NaN for a value that is missing, where that is allowed."""
    if missing is not None:
        raise ValueError(f"the value is missing; {missing}")
    return np.nan


def is_missing(field):
    return field.strip().lower() in MISSING


def number_in(field):
    """The number that a text is, or None."""
    try:
        return None if "_" in field else float(field)   # Python would read 1_000
    except ValueError:
        return None


def exact_number_in(field):
    """The same without rounding."""
    try:
        return Decimal(field) if is_number(field) else None
    except InvalidOperation:    # the exponent has more digits than it may
        return None


def is_number(field):
    return number_in(field) is not None
