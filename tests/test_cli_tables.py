"""Tables as people have them: what is read of a file, and what is said about one that cannot be read."""

import contextlib
import gzip
import io
import sys

import numpy as np
import pytest

from fastbp.cli import tables, training_data
from fastbp.cli.fields import Categories, Numbers, TableError

NAMES = ["age", "colour", "size"]
ROWS = [[1.5, 0, 10], [2.25, 1, 20], [-3, 0, 30]]
PLAIN = "age,colour,size\n1.5,red,10\n2.25,blue,20\n-3,red,30\n"


def readers(missing="it is missing", decimal="."):
    return [Numbers("age", missing, decimal), Categories("colour", missing=missing, most=3),
            Numbers("size", missing, decimal)]


def read(path, columns=None, **options):
    """(names, values) of a whole table."""
    with tables.opened(str(path), **options) as table:
        blocks = [*table.blocks(columns or readers())]
        return table.names, np.concatenate(blocks) if blocks else np.empty((0, len(table.names)))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", [
    PLAIN,
    PLAIN.replace("\n", "\r\n"),
    PLAIN.rstrip("\n"),
    "\ufeff" + PLAIN,
    "\n" + PLAIN.replace("\n", "\n\n"),
    1001 * "\n" + PLAIN.replace(",", ";"),
    PLAIN.replace(",", "\t"),
    PLAIN.replace(",", ";"),
    PLAIN.replace(",", "|"),
    PLAIN.replace("red", '"red"').replace("size", '"size"').replace("20", '"20"'),
    PLAIN.replace(",", " , "),
    gzip.compress(PLAIN.encode()),
], ids=["plain", "CRLF", "no last line end", "BOM", "blank lines", "many blank lines", "TSV", "semicolons", "bars",
        "quotes", "spaces", "gzip"])
def test_forms(tmp_path, content):
    names, values = read(write(tmp_path / "table", content))
    assert names == NAMES
    assert values.tolist() == ROWS


@pytest.mark.parametrize("at_once", [2**22, 8])
@pytest.mark.parametrize(("lines", "expected"), [
    ("1\n\n3\n", [1, None, 3]),
    (" \n \n", [None, None]),
    ("\n\n\n", [None, None, None]),
    ("1\n2\n \n\n", [1, 2, None, None]),
    ("1\n\"\"\n3", [1, None, 3]),
])
@pytest.mark.parametrize("header", ["age\n", "\n \nage\n", ""])
def test_every_line_of_a_single_column_is_a_row(tmp_path, monkeypatch, lines, expected, header, at_once):
    path = write(tmp_path / "table", header + lines)
    if header or not lines.isspace():
        monkeypatch.setattr(tables, "AT_ONCE", at_once)
        values = read(path, [Numbers("age")], header=bool(header), delimiter=",")[1]
        np.testing.assert_array_equal(values[:, 0], np.array(expected, float))


@pytest.mark.parametrize("at_once", [2**22, 8])
def test_lines_of_separators_are_rows_and_those_of_spaces_are_not(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(tables, "AT_ONCE", at_once)
    path = write(tmp_path / "table", " \na\tb\n\t\n  \n\t\n1\t2\n \n\n")
    values = read(path, [Numbers("a"), Numbers("b")], header=True, delimiter="\t")[1]
    np.testing.assert_array_equal(values, [2 * [np.nan], 2 * [np.nan], [1, 2]])


def test_a_decimal_comma(tmp_path):
    names, values = read(write(tmp_path / "table", PLAIN.replace(",", ";").replace(".", ",")), readers(decimal=","))
    assert names == NAMES
    assert values.tolist() == ROWS


def test_another_encoding(tmp_path):
    path = write(tmp_path / "table", PLAIN.replace("age", "Größe").encode("utf-16"))
    with pytest.raises(TableError, match=r"table: not text in utf-8 .*--encoding"):
        read(path)
    assert read(path, encoding="utf-16")[0] == ["Größe", "colour", "size"]
    with pytest.raises(TableError, match="unknown encoding: elvish"):
        read(path, encoding="elvish")


def test_quoted_fields_hold_anything(tmp_path):
    label = 'say "red",\nor blue;'
    path = write(tmp_path / "table", PLAIN.replace("red", '"' + label.replace('"', '""') + '"'))
    columns = readers()
    assert read(path, columns)[1].tolist() == ROWS
    assert list(columns[1].numbers) == [label, "blue"]


@pytest.mark.parametrize("text", ["plain", "two\nlines", 'an "inch"', '5" wide'])
def test_blocks_end_where_rows_end(tmp_path, monkeypatch, text):
    rows = [f'{i},{text if text.startswith("5") else chr(34) + text.replace(chr(34), 2 * chr(34)) + chr(34)},{-i}'
            for i in range(50)]
    path = write(tmp_path / "table", "\n".join(["age,colour,size", *rows]))
    expected = [[i, 0, -i] for i in range(50)]
    for at_once in (40, 41, 57, 200):
        monkeypatch.setattr(tables, "AT_ONCE", at_once)
        columns = readers()
        assert read(path, columns)[1].tolist() == expected
        assert list(columns[1].numbers) == [text]


def test_both_ways_of_parsing_agree(tmp_path, monkeypatch, rng):
    values = rng.normal(size=(200, 2)) * 10.0 ** rng.integers(-30, 30, (200, 2))
    rows = [f"{a!r},{'red' if a < 0 else ' blue '},{b!r}" for a, b in values.tolist()]
    path = write(tmp_path / "table", "\n".join(["age,colour,size", *rows]))
    fast = read(path)[1]
    monkeypatch.setattr(tables.TextTable, "_fast", lambda *arguments: None)
    thorough = read(path)[1]
    assert (fast == thorough).all()
    assert (fast[:, [0, 2]] == values).all()


def test_missing_values(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "AT_ONCE", 30)      # the second block is read in another way than the first
    path = write(tmp_path / "table", PLAIN + ",red,1\nNA,,2\n4,n/a,\n5,blue,?\n" + 9 * "nan,red,3\n")
    values = read(path, readers(missing=None))[1]
    nan = np.nan
    np.testing.assert_array_equal(values, [*ROWS, [nan, 0, 1], [nan, nan, 2], [4, nan, nan], [5, 1, nan],
                                           *(9 * [[nan, 0, 3]])])


@pytest.mark.parametrize(("row", "message"), [
    ("abc,red,1", "table, line 6: row 5, column 'age': 'abc' is not a number"),
    ("1_0,red,1", "table, line 6: row 5, column 'age': '1_0' is not a number"),
    ("1,red,inf", "table, line 6: row 5, column 'size': 'inf' is not finite"),
    ("1,red,1e999", "table, line 6: row 5, column 'size': '1e999' is not finite"),
    ("1,red,", "table, line 6: row 5, column 'size': the value is missing; it is missing"),
    ("1,,1", "table, line 6: row 5, column 'colour': the value is missing; it is missing"),
    ("1,red", "table, line 6: row 5 has 2 fields, but there are 3 columns"),
    ("1,red,1,1", "table, line 6: row 5 has 4 fields, but there are 3 columns"),
    ("1,green,1\n2,violet,2", "table, line 7: row 6, column 'colour': there are more than 3 categories; --ignore"),
    ('1,"re\nd",1\n2,red,x', "table, line 8: row 6, column 'size': 'x' is not a number"),
])
@pytest.mark.parametrize("at_once", [2**22, 20])
def test_errors_say_where(tmp_path, monkeypatch, row, message, at_once):
    monkeypatch.setattr(tables, "AT_ONCE", at_once)
    path = write(tmp_path / "table", PLAIN + "7,red,7\n" + row + "\n8,red,8\n")
    with pytest.raises(TableError) as caught:
        read(path, delimiter=",", header=True)
    assert message in str(caught.value)


def test_a_category_that_is_not_known(tmp_path):
    columns = [None, Categories("colour", ["red"]), None]
    with pytest.raises(TableError, match="line 3: row 2, column 'colour': 'blue' is not one of the categories that the "
                                         "model knows: 'red'"):
        read(write(tmp_path / "table", PLAIN), columns)


@pytest.mark.parametrize(("known", "fields"), [
    (["0", "1", "10"], [("0.0", 0), (" 1.00 ", 1), ("1e1", 2), ("+1", 1), ("-0", 0), ("1.5", None), ("red", None)]),
    (["0.0", "1.0"], [("0", 0), ("1", 1), ("2", None)]),
    (["1", "01", "2"], [("1", 0), ("01", 1), ("1.0", None), ("2.0", 2)]),       # codes, which may be read as numbers
    (["1", "red"], [("1", 0), ("1.0", None)]),      # texts
    (["1e2", "red"], [("100", None)]),
    ([str(2**53), str(2**53 + 1)], [(f"{2**53}.0", 0), (f"{2**53 + 1}.0", 1), (str(2**53 + 2), None)]),
    (["1", "1e99999999999999999999"], [("1.0", None), ("1", 0)]),
])
def test_a_number_that_is_a_category_may_be_written_in_another_way(known, fields):
    column = Categories("code", known)
    for _ in range(2):
        for field, expected in fields:
            if expected is None:
                with pytest.raises(ValueError, match="is not one of the categories that the model knows"):
                    column(field)
            else:
                assert column(field) == expected


@pytest.mark.parametrize(("content", "has_header"), [
    (PLAIN, True),
    ("1,2\n3,4\n", False),
    ("a,b\n1,2\n", True),
    ("id,2019,2020\n5,1,2\n6,3,4\n", True),     # names may be numbers, but only data are nothing but numbers
    ("name,2019\nx,a\ny,b\n", False),
    ("red,1\nblue,2\nred,3\n", False),
    ("colour,shape\nred,round\nblue,square\n", True),
    ("red,round\nblue,square\nred,square\n", False),
    ("x\nx\n", False),
    ("x,x\ny,z\n", False),
    ("NA,1\n2,3\n", False),
], ids=repr)
def test_whether_there_is_a_header_is_guessed(tmp_path, content, has_header):
    with tables.opened(str(write(tmp_path / "table", content))) as table:
        assert table.has_header == has_header
        assert has_header or table.names == [str(i + 1) for i in range(len(table.names))]


def test_a_row_of_another_length_does_not_hide_the_separator(tmp_path):
    rows = [f"{i};{i}" for i in range(9)]
    with tables.opened(str(write(tmp_path / "table", "\n".join(["a;b", "1,5;2;3", *rows])))) as table:
        assert table.names == ["a", "b"]


@pytest.mark.parametrize(("content", "message"), [
    (b"", "the table is empty"),
    (b"\n \n", "the table is empty"),
    (1001 * b"\n", "the table is empty"),
    (b'""\n""\n', "the table is empty"),
    (b"a,a\n1,2\n", "columns 1 and 2 are both called 'a'; give each a name of its own in the first row"),
    (b"2,,b\n1,2,3\n", "columns 1 and 2 are both called '2'"),      # a column without a name is called by its number
    (b'a,b\n1,"2\n' + 200_000 * b"x", "after line 1: field larger than field limit"),
    (gzip.compress(PLAIN.encode())[:-9], "the compressed file is damaged"),
    (b"\x1f\x8bnonsense", "the compressed file is damaged"),
    (b"PK\x03\x04nonsense", "the npz is damaged"),
    (b"\xff\xff,\n", "not text in utf-8"),
], ids=range(11))
def test_what_is_no_table(tmp_path, content, message):
    with pytest.raises(TableError, match=message):
        read(write(tmp_path / "table", content), [Numbers("a"), Numbers("b")], header=True)


def test_a_row_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "AT_ONCE", 1000)
    monkeypatch.setattr(tables, "LONGEST_RECORD", 5000)
    with pytest.raises(TableError, match="line 1: the row does not end within"):
        read(write(tmp_path / "table", 10_000 * "x"))


def test_standard_input(monkeypatch):
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(PLAIN.encode()))))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read("-")[1].tolist() == ROWS
    assert not stdin.buffer.closed


def test_npz(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 2)
    path = tmp_path / "table.npz"
    np.savez(path, age=np.float32([1.5, 2.25, -3]), colour=["red", "blue", "red"], more=[[10, 1], [20, 2], [30, 3]])
    columns = [*readers()[:2], Numbers("more.1"), None]
    names, values = read(path, columns)
    assert names == ["age", "colour", "more.1", "more.2"]
    assert values[:, :3].tolist() == ROWS
    np.savez(path, age=[1.5, np.nan, -3], colour=[b"red", b"blue", b"red"], size=["10", "20", "?"])
    assert np.isnan(read(path, readers(missing=None))[1]).tolist() == [3 * [False], [True, False, False], [
        False, False, True]]
    with pytest.raises(TableError, match=r"table.npz: row 2, column 'age': the value is missing"):
        read(path)


def test_every_byte_of_an_npz_damaged(tmp_path):
    """Whatever NumPy and zipfile raise for it, it is a TableError here, or nothing that matters was damaged."""
    path = tmp_path / "table.npz"
    np.savez(path, age=[1.5, 2.25])
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x21]) + content[position + 1:])
        with contextlib.suppress(TableError):
            read(path, [Numbers("age")])


@pytest.mark.parametrize(("arrays", "message"), [
    ({"a": np.zeros(3), "b": np.zeros(2)}, "same number of rows"),
    ({"a": np.zeros((2, 2, 2))}, "array 'a' must hold numbers or texts in one or two dimensions"),
    ({"a": np.array([None, 1])}, "allow_pickle"),
    ({"a": np.zeros(3, complex)}, "array 'a' must hold numbers"),
    ({}, "same number of rows"),
    ({"X": np.zeros((3, 2)), "X.1": np.zeros(3)}, "array 'X.1' has a column called 'X.1', and so has another array"),
    ({"X.2": np.zeros(3), "X": np.zeros((3, 2))}, "array 'X' has a column called 'X.2', and so has another array"),
])
def test_an_npz_that_is_no_table(tmp_path, arrays, message):
    path = tmp_path / "table.npz"
    np.savez(path, **arrays)
    with pytest.raises(TableError, match=message):
        read(path)


def test_medians():
    x = np.array([[1e9, np.nan, np.inf, 1], [2, np.nan, 3, 1e308], [1, np.nan, 5, 1e308], [3, np.nan, -np.inf, 1e308]])
    np.testing.assert_array_equal(training_data.medians(x), [2, 0, 3, 1e308])
