"""What MATLAB's .mat files of version 5 (-v6, -v7) hold, as far as matlab.py needs it: numbers, texts, cells, structs.

The format is MathWorks' "MAT-File Format". SciPy's reader is not used, because damaged files can make it crash (1.17).
"""

import struct
import zlib
from math import prod

import numpy as np

from fastbp.io import FormatError

HEADER, VERSION = 128, 0x0100
# Types of data elements.
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "utf-8", 2: "utf-8", 16: "utf-8", 4: "utf-16", 17: "utf-16"}
# Classes of arrays; those of numbers are from double on.
CELL, STRUCT, CHAR, DOUBLE, LAST_INTEGER = 1, 2, 4, 6, 15
COMPLEX = 0x0800
DEEPEST = 8         # cells in cells


class Mat:
    """Reads the variables of a file's content.

    Numbers are a matrix of float64, a text is a str, a cell array an array of objects, and a struct a dict. All else is
    None.
    """

    def __init__(self, content):
        if len(content) < HEADER or content[126:128] not in (b"IM", b"MI"):
            raise FormatError("is not a .mat file of MATLAB 5 or later")
        self.order = "<" if content[126:128] == b"IM" else ">"
        version, = struct.unpack(f"{self.order}H", content[124:126])
        if version != VERSION:
            raise FormatError(f"is a .mat file of version {version >> 8}; save it with -v7")
        self.content = memoryview(content)[HEADER:]

    def variables(self, names):
        """The variables of these names that are there."""
        found = {}
        room = 4 * len(self.content) + 2**16
        for kind, data in self.elements(self.content):
            if kind == COMPRESSED:
                data = uncompressed(data, room)
                room -= len(data)
                kind, data = self.first(self.elements(data), MATRIX)
            if kind == MATRIX:
                name, value = self.matrix(data, names)
                if name in found:
                    raise FormatError(f"the variable {name} stands twice")
                if name in names:
                    found[name] = value
        return found

    def elements(self, data):
        """(type, bytes) of each element, one after another."""
        at, tag = 0, struct.Struct(f"{self.order}II")
        while at < len(data):
            if at + tag.size > len(data):
                raise FormatError("truncated in a tag")
            kind, size = tag.unpack_from(data, at)
            if kind >> 16:      # an element of four bytes at most has its data beside its size
                kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
                if size > 4:
                    raise FormatError(f"damaged: a small element of {size} bytes")
            else:
                start = at + tag.size
                end = start + (size if kind == COMPRESSED else -(-size // 8) * 8)
            if start + size > len(data):
                raise FormatError(f"truncated: an element of {size} bytes is not there")
            yield kind, data[start:start + size]
            at = end

    @staticmethod
    def first(elements, *kinds):
        """The next element, which must be of one of these types."""
        kind, data = next(elements, (None, None))
        if kind not in kinds:
            raise FormatError(f"damaged: an element of the type {kind} instead of {kinds[0]}")
        return kind, data

    def numbers(self, elements, *kinds):
        kind, data = self.first(elements, *kinds)
        dtype = np.dtype(NUMBERS[kind]).newbyteorder(self.order)
        if len(data) % dtype.itemsize:
            raise FormatError(f"damaged: {len(data)} bytes are no whole number of {dtype.name}")
        return np.frombuffer(data, dtype)

    def matrix(self, data, names=None, depth=0):
        """(name, value) of an array; the value is not looked at where the name is not one of `names`."""
        if not len(data):
            return "", np.empty((0, 0))
        parts = self.elements(data)
        flags = self.numbers(parts, UINT32)
        shape = self.numbers(parts, INT32).tolist()
        name = bytes(self.first(parts, INT8)[1]).decode("ascii")
        if len(flags) != 2 or len(shape) < 2 or min(shape) < 0:
            raise FormatError(f"damaged: an array of the shape {shape!r:.80}")
        if names is not None and name not in names:
            return name, None
        kind = int(flags[0]) & 0xFF
        if kind in (CELL, STRUCT) and depth == DEEPEST:
            raise FormatError(f"cells must not be in more than {DEEPEST} others")
        if kind == CELL:
            return name, self.cell(parts, shape, len(data), depth)
        if kind == STRUCT and shape == [1, 1]:
            return name, self.struct(parts, depth)
        if kind == CHAR:
            encoding, data = self.first(parts, *TEXTS)
            order = {"<": "-le", ">": "-be"}[self.order] if TEXTS[encoding] == "utf-16" else ""
            return name, str(bytes(data), TEXTS[encoding] + order)
        if DOUBLE <= kind <= LAST_INTEGER and not int(flags[0]) & COMPLEX:
            values = self.numbers(parts, *NUMBERS)
            if len(values) != prod(shape):
                raise FormatError(f"damaged: {len(values)} numbers of an array of the shape {shape!r:.80}")
            return name, values.astype(np.float64).reshape(shape, order="F")
        return name, None

    def cell(self, parts, shape, size, depth):
        if prod(shape) > size:      # each takes some bytes
            raise FormatError(f"damaged: a cell array of the shape {shape!r:.80} in {size} bytes")
        cells = np.empty(prod(shape), object)
        for i in range(len(cells)):
            cells[i] = self.matrix(self.first(parts, MATRIX)[1], depth=depth + 1)[1]
        return cells.reshape(shape, order="F")

    def struct(self, parts, depth):
        width = self.numbers(parts, INT32)
        names = bytes(self.first(parts, INT8)[1])
        if len(width) != 1 or width[0] < 1 or len(names) % width[0]:
            raise FormatError(f"damaged: names of fields in {len(names)} bytes")
        fields = [names[at:at + width[0]].split(b"\0")[0].decode("ascii") for at in range(0, len(names), width[0])]
        return {field: self.matrix(self.first(parts, MATRIX)[1], depth=depth + 1)[1] for field in fields}


def uncompressed(data, room):
    """What was compressed, which must not be much larger: there is no other bound of what it takes."""
    try:
        result = zlib.decompressobj().decompress(data, room + 1)
    except zlib.error as error:
        raise FormatError(f"damaged: {error}") from error
    if len(result) > room:
        raise FormatError("is many times as large uncompressed, which no weights are")
    return memoryview(result)
