"""Tables in files: CSV and its kin, also compressed or on standard input, and NumPy's npz; read in blocks of rows.

A block is parsed by NumPy's C code. Only where that fails is it gone through field by field, which finds the place of
what is wrong, or fills in what is missing.
"""

import contextlib
import csv
import gzip
import io
import sys
import zlib
from collections import Counter
from itertools import filterfalse, islice

import numpy as np

from fastbp.cli.fields import Numbers, TableError, is_missing, is_number, read_fields

AT_ONCE = 2**22             # characters of a block
LONGEST_RECORD = 2**26      # characters without the end of a row, which no table has
SAMPLE = 1000               # rows from which separator, header and kinds of columns are guessed
ROWS_AT_ONCE = 2**14        # of arrays
DELIMITERS = "\t;|,"        # a comma comes last, because numbers may have one
NPZ, GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"     # the first bytes of these files


@contextlib.contextmanager
def opened(path, *, delimiter=None, header=None, encoding="utf-8-sig"):
    """The table in a file, or on standard input for "-"; the first bytes say whether it is compressed or an npz.

    Parameters
    ----------
    path : str
    delimiter : str, optional
        The separator of fields; by default it is guessed.
    header : bool, optional
        Whether the first row has names; by default that is guessed.
    encoding : str
        The default takes UTF-8 with and without a byte order mark.

    Yields
    ------
    TextTable or ArrayTable
    """
    name = "standard input" if path == "-" else path
    if path == "-" and sys.stdin is None:
        raise TableError("standard input is closed")
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
        try:
            if file.peek(4).startswith(GZIP):
                file = stack.enter_context(gzip.open(file))
            if file.peek(4).startswith(NPZ):
                # A zip's directory stands at its end; a pipe is read as a whole.
                yield ArrayTable(name, file if file.seekable() else io.BytesIO(file.read()))
            else:
                text = io.TextIOWrapper(file, encoding)
                stack.callback(text.detach)     # standard input stays open
                yield TextTable(name, text, delimiter, header)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TableError(f"{name}: the compressed file is damaged: {error}") from error
        except LookupError as error:        # of the encoding
            raise TableError(str(error)) from error
        except UnicodeDecodeError as error:
            raise TableError(f"{name}: not text in {encoding.removesuffix('-sig')} ({error.reason}); --encoding names "
                             "another, such as latin-1 or utf-16") from error


class TextTable:
    """Rows of text.

    Attributes
    ----------
    names : list of str
        Of the columns; their numbers, from 1, where the file has no names.
    has_header : bool
    sample : list of list of str
        The first rows.
    """

    def __init__(self, name, file, delimiter, header):
        self.name, self.file = name, file
        self.rest, self.line = "", 0    # what was read and not yet used, and the lines before it
        text = self._next_text()
        lines = lines_in(text)
        self.dialect = {"delimiter": delimiter or guess_delimiter(lines), "quotechar": '"'}
        with self._csv_errors():
            rows = list(islice(filterfalse(is_blank, csv.reader(lines, **self.dialect)), SAMPLE + 1))
        if not rows:
            raise TableError(f"{name}: the table is empty")
        self.has_header = guess_header(rows) if header is None else header
        if self.has_header:
            self.names = names_in(name, rows.pop(0))
            reader = csv.reader(lines, **self.dialect)
            next(filterfalse(is_blank, reader))
            text = "".join(lines[reader.line_num:])
            self.line += reader.line_num
        else:
            self.names = [str(i + 1) for i in range(len(rows[0]))]
        self.sample, self.text = rows[:SAMPLE], text or self._next_text()

    def blocks(self, columns):
        """Blocks of rows, parsed.

        Parameters
        ----------
        columns : list
            For each column of the table what reads its fields: a `Numbers`, a `Categories`, or None for nothing.

        Yields
        ------
        ndarray of float64, shape (rows, len(columns))
            NaN where a value is missing, anything in the columns that are not read.
        """
        converters = {i: len if column is None else column.converter for i, column in enumerate(columns)
                      if column is None or column.converter}      # `len` is the fastest to make a number of a text
        row, text = 0, self.text
        del self.text
        while text:
            values = self._fast(text, columns, converters)
            if values is None:
                values = self._thorough(text, columns, row)
                # Where values are missing in this block, they will be missing in others.
                converters |= {int(i): columns[i] for i in np.flatnonzero(np.isnan(values).any(axis=0))}
            if len(values):
                yield values
            row += len(values)
            self.line += text.count("\n")
            text = self._next_text()

    def _fast(self, text, columns, converters):
        """A block by NumPy's parser, or None where it has difficulties."""
        if text.isspace():      # of which NumPy would warn
            return None
        try:
            values = np.loadtxt(io.StringIO(text), comments=None, converters=converters, encoding=None, ndmin=2,
                                **self.dialect)
        except (ValueError, TypeError):
            return None
        parsed = [i for i in range(len(columns)) if i not in converters]
        if values.shape[1] != len(columns) or not np.isfinite(values[:, parsed]).all():
            return None
        # In a table of one column a blank line is a row, over which NumPy passes.
        if len(columns) == 1 and len(values) < text.count("\n") + (not text.endswith("\n")):
            return None
        return values

    def _thorough(self, text, columns, row):
        """The same, field by field, after `row` rows."""
        lines = lines_in(text)
        values, reader, done, line = np.full((len(lines), len(columns)), 0.0), csv.reader(lines, **self.dialect), 0, 1
        with self._csv_errors():
            for fields in reader:
                if len(columns) == 1 or not is_blank(fields):
                    fields = fields or [""]
                    place = f"{self.name}, line {self.line + line}: row {row + done + 1}"
                    if len(fields) != len(columns):
                        raise TableError(f"{place} has {len(fields)} fields, but there are {len(columns)} columns")
                    read_fields(fields, columns, values[done], place)
                    done += 1
                line = reader.line_num + 1
        return values[:done]

    def _next_text(self):
        """Whole rows, about as many as fit into a block; "" at the end of the file."""
        pieces, size, text = [self.rest], len(self.rest), ""
        while piece := self.file.read(AT_ONCE):
            pieces.append(piece)
            size += len(piece)
            if "\n" in piece:
                text = "".join(pieces)
                end = self._end_of_rows(text)
                if end:
                    self.rest = text[end:]
                    return text[:end]
                pieces = [text]
            if size > LONGEST_RECORD:
                raise TableError(f"{self.name}, line {self.line + 1}: the row does not end within {size:,} characters")
        self.rest = ""
        return "".join(pieces)

    def _end_of_rows(self, text):
        """Where the last whole row ends, or 0; a line's end between quotes ends no row."""
        end = text.rindex("\n") + 1
        if text.count('"', 0, end) % 2 == 0:
            return end
        lines = lines_in(text[:end])
        with self._csv_errors():
            reader = csv.reader(lines, **getattr(self, "dialect", {"delimiter": guess_delimiter(lines)}))
            ends = [0, *(reader.line_num for _ in reader)]
        return sum(map(len, lines[:ends[-2]]))      # the last row may be cut off

    @contextlib.contextmanager
    def _csv_errors(self):
        try:
            yield
        except csv.Error as error:
            raise TableError(f"{self.name}, after line {self.line}: {error}") from None


class ArrayTable:
    """The arrays of an npz: one of one dimension is a column, one of two dimensions has a column for each of its own.

    The attributes are those of `TextTable`.
    """

    has_header = True

    def __init__(self, name, file):
        self.name, self.columns = name, {}
        try:
            with np.load(file, allow_pickle=False) as npz:
                arrays = {key: np.asarray(npz[key]) for key in npz.files}
        except MemoryError:
            raise
        except Exception as error:      # zipfile, and NumPy's parser of headers, raise any kind for a damaged file
            raise TableError(f"{name}: the npz is damaged: {error}") from error
        for key, array in arrays.items():
            if array.ndim not in (1, 2) or array.dtype.kind not in "biufUS":
                raise TableError(f"{name}: array {key!r} must hold numbers or texts in one or two dimensions, got "
                                 f"{array.dtype} in {array.ndim}")
            columns = {key: array} if array.ndim == 1 else {
                f"{key}.{i + 1}": column for i, column in enumerate(array.T)}
            twice = columns.keys() & self.columns.keys()
            if twice:
                raise TableError(f"{name}: array {key!r} has a column called {min(twice)!r}, and so has another array; "
                                 "one of them needs another name")
            self.columns |= columns
        self.names = list(self.columns)
        lengths = {key: len(column) for key, column in self.columns.items()}
        if len(set(lengths.values())) != 1:
            raise TableError(f"{name}: the arrays must have the same number of rows, got {lengths}")
        self.sample = list(map(list, zip(*(texts(column[:SAMPLE]) for column in self.columns.values()), strict=True)))

    def blocks(self, columns):
        """As `TextTable.blocks`."""
        start = 0
        for arrays in zip(*map(in_chunks, self.columns.values()), strict=True):
            values = np.zeros((len(arrays[0]), len(columns)))
            thorough = []
            for i, (array, column) in enumerate(zip(arrays, columns, strict=True)):
                if isinstance(column, Numbers) and array.dtype.kind in "biuf" and np.isfinite(array).all():
                    values[:, i] = array
                elif column is not None:
                    thorough.append(i)
            for row, fields in enumerate(zip(*(texts(arrays[i]) for i in thorough), strict=True)):
                read_fields(fields, [columns[i] for i in thorough], read := np.empty(len(thorough)),
                            f"{self.name}: row {start + row + 1}")
                values[row, thorough] = read
            start += len(values)
            yield values


def in_chunks(array):
    """Views of its rows, few at a time."""
    return (array[start:start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))


def texts(array):
    """The elements of an array as they would stand in a CSV."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    return list(map(str, array.tolist()))


def is_blank(fields):
    """Whether a line has nothing but spaces; in a table of one column that is a value that is missing."""
    return len(fields) < 2 and not "".join(fields).strip()


def names_in(name, fields):
    """The names in a header; a column without one is called by its number."""
    names = [field.strip() or str(i + 1) for i, field in enumerate(fields)]
    first = {}
    for i, column in enumerate(names, 1):
        if first.setdefault(column, i) != i:
            raise TableError(f"{name}: columns {first[column]} and {i} are both called {column!r}; give each a name of "
                             "its own in the first row")
    return names


def guess_delimiter(lines):
    """The first of `DELIMITERS` that gives all rows, or else most, the same number of fields, and more than one."""
    lines = list(islice(filter(str.strip, lines), SAMPLE))
    for share in (1, 0.5):
        for delimiter in DELIMITERS:
            with contextlib.suppress(csv.Error):
                widths = [len(fields) for fields in csv.reader(lines, delimiter=delimiter) if fields]
                if len(lines) >= SAMPLE:
                    widths.pop()        # the last row may be cut off
                for width, count in Counter(widths).most_common(1):
                    if width > 1 and count >= share * len(widths):
                        return delimiter
    return ","


def guess_header(rows):
    """Whether the first row has names: it has a text above numbers, or above texts that differ from it."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = [[field for field in column if not is_missing(field)] for column in zip(*rest, strict=True)]
    if any(column and not is_number(field) and not is_missing(field) and all(map(is_number, column))
           for field, column in zip(first, columns, strict=False)):
        return True
    if any(map(is_number, first)) or len(set(first)) < len(first):
        return False
    return not any(field in column for field, column in zip(first, columns, strict=False))


def lines_in(text):
    """The lines, each with its end; `splitlines` knows other ends than a CSV does."""
    return list(io.StringIO(text))
