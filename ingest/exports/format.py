"""What a format of file has to say of itself, and how tables of text are read.

Owns the shape of a format and the reading of rows of named columns. Must not know any
one format.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.exports.plays import Aside, Row, Stamp
from ingest.exports.source import Source
from warehouse.errors import ImportRefused

# Names of music are short; a quote that is never closed must not take the whole file.
csv.field_size_limit(1 << 20)


@dataclass(frozen=True)
class Format:
    """One format of file.

    name: as it stands in the tables; title: for people.
    stamp: what its times are the time of.
    is_it: whether a file is of this format, by what stands in it.
    read: its rows; each row of the file gives exactly one.
    note: what a person should know of a file of this format.
    """

    name: str
    title: str
    stamp: Stamp
    is_it: Callable[[Source], bool]
    read: Callable[[Source], Iterator[Row]]
    note: str = ""


def table(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row that is not empty; quotes as in RFC 4180.

    Raises:
        ImportRefused: a field has no end.
    """
    with source.lines() as lines:
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            raise ImportRefused(
                f"{source.label}, line {reader.line_num}: {error}"
            ) from error


def plain_table(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row of a file without quoting."""
    with source.lines() as lines:
        for number, line in enumerate(lines, start=1):
            if whole := line.rstrip("\r\n"):
                yield number, whole.split(delimiter)


def first_row(source: Source, delimiter: str) -> list[str]:
    """The fields of the file's first row, from its head."""
    for fields in csv.reader(source.first_lines[:5], delimiter=delimiter):
        return fields
    return []


def unread(
    line: int, reason: str, fields: Sequence[str], delimiter: str = ","
) -> Aside:
    """A row that could not be read, kept as it is."""
    text = delimiter.join(fields).encode("utf-8", "replace").decode()
    return Aside(line, reason, text)


def text_of(value: object) -> str:
    """A text of a JSON document without blanks at its ends; anything else is none."""
    return value.strip() if isinstance(value, str) else ""


def part_of(value: object, name: str) -> object:
    """A member of a JSON object; None of anything else."""
    return value.get(name) if isinstance(value, dict) else None
