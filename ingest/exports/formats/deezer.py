"""Deezer's workbook: the sheet of the listening history, wherever it stands in it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ingest.exports.format import Format
from ingest.exports.plays import Aside, Play, Row
from ingest.exports.source import MEMBER_BYTES, Source
from ingest.exports.times import iso, seconds
from warehouse.errors import ImportRefused

_SHEET = "listeninghistory"
_COLUMNS = ("Date", "Artist", "Song Title", "Album Title", "Listening Time")
_UNKNOWN = -1


def _is_it(source: Source) -> bool:
    if not source.is_archive:
        return False
    try:
        with source.opened() as file, zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _read(source: Source) -> Iterator[Row]:
    with source.opened() as file:
        content = io.BytesIO(file.read(MEMBER_BYTES))
    try:
        with zipfile.ZipFile(content) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MEMBER_BYTES:
            raise ImportRefused(f"{source.label} unpacks to {size / 1e6:,.0f} MB")
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        yield from _rows(source, book)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise ImportRefused(f"{source.label}: no workbook: {error}") from error


def _rows(source: Source, book: openpyxl.Workbook) -> Iterator[Row]:
    names = [name for name in book.sheetnames if name.lower().endswith(_SHEET)]
    if not names:
        raise ImportRefused(f"{source.label} has no sheet of a listening history")
    columns: dict[str, int] = {}
    for number, row in enumerate(book[names[0]].iter_rows(values_only=True), start=1):
        cells = ["" if cell is None else str(cell).strip() for cell in row]
        if not columns:
            columns = {name: at for at, name in enumerate(cells)}
            if missing := [name for name in _COLUMNS if name not in columns]:
                raise ImportRefused(f"{source.label} lacks {', '.join(missing)}")
            continue
        if not any(cells):
            continue
        time, artist, title, album, played = (cells[columns[name]] for name in _COLUMNS)
        heard = seconds(played.partition(".")[0])
        if heard == _UNKNOWN:
            yield Aside(number, "listening time unknown")
            continue
        yield Play(number, artist, title, album, iso(time, source.zone), heard)


FORMATS = (
    Format(
        "deezer",
        "Deezer, account data",
        "second",
        _is_it,
        _read,
        "the zone of its times is not stated: UTC unless --zone says otherwise",
    ),
)
