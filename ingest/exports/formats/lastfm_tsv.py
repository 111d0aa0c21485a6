"""Tab-separated last.fm scrobbles: lastexport.py, and last.fm's archive of 2012."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, plain_table, unread
from ingest.exports.plays import Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_ARCHIVE = ("unixtime", "track name", "artist name", "album name")
_UTS = re.compile(r"\d{9,10}")


def _is_export(source: Source) -> bool:
    rows = [line.split("\t") for line in source.first_lines[:5]]
    return bool(rows) and len(rows[0]) == 7 and bool(_UTS.fullmatch(rows[0][0].strip()))


def _read_export(source: Source) -> Iterator[Row]:
    for line, fields in plain_table(source, "\t"):
        if len(fields) != 7:
            yield unread(line, "field count not 7", fields, "\t")
            continue
        uts, track, artist, album = (field.strip() for field in fields[:4])
        yield Play(line, artist, track, album, seconds(uts))


def _header(source: Source) -> list[str]:
    return [name.strip().lower() for name in source.text.split("\n")[0].split("\t")]


def _is_archive(source: Source) -> bool:
    return set(_ARCHIVE) <= set(_header(source))


def _read_archive(source: Source) -> Iterator[Row]:
    header = _header(source)
    uts, track, artist, album = (header.index(name) for name in _ARCHIVE)
    for line, fields in plain_table(source, "\t"):
        if line == 1:
            continue
        if len(fields) != len(header):
            yield unread(line, f"field count not {len(header)}", fields, "\t")
            continue
        fields = [field.strip() for field in fields]
        time = seconds(fields[uts])
        yield Play(line, fields[artist], fields[track], fields[album], time)


FORMATS = (
    Format(
        "lastfm_export_tsv",
        "last.fm scrobbles by lastexport.py",
        "second",
        _is_export,
        _read_export,
        "the tool keeps one play of a second: some may be missing",
    ),
    Format(
        "lastfm_archive_tsv",
        "last.fm's archive of 2012 to 2014",
        "second",
        _is_archive,
        _read_archive,
    ),
)
