"""Files of lastfmstats.com: CSV with semicolons, and JSON. Times are milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, first_row, part_of, table, text_of, unread
from ingest.exports.plays import Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_DATE = "date#"
_JSON = re.compile(r'\s*\{\s*"username"\s*:.*?"scrobbles"\s*:\s*\[', re.DOTALL)


def _header(source: Source) -> list[str]:
    return [name.strip().lower() for name in first_row(source, ";")]


def _is_csv(source: Source) -> bool:
    """``Artist;Album;AlbumId;Track;Date#user``; without the ``#`` it is another's."""
    names = _header(source)
    if not (
        len(names) == 5
        and {"artist", "album", "track"} <= set(names)
        and names[-1].startswith(_DATE)
    ):
        return False
    second = source.first_lines[1:2]
    # Rows of another shape than the header: nothing in them can be trusted.
    return not second or not second[0].strip() or second[0].count(";") >= 4


def _read_csv(source: Source) -> Iterator[Row]:
    names = _header(source)
    artist, album, track = (names.index(n) for n in ("artist", "album", "track"))
    for number, (line, fields) in enumerate(table(source, ";")):
        if not number:
            continue
        if len(fields) != 5:
            yield unread(line, "field count not 5", fields, ";")
            continue
        fields = [field.strip() for field in fields]
        time = seconds(fields[4], 1000)
        yield Play(line, fields[artist], fields[track], fields[album], time)


def _is_json(source: Source) -> bool:
    return bool(_JSON.match(source.text))


def _read_json(source: Source) -> Iterator[Row]:
    for number, play in enumerate(source.objects("scrobbles.item"), start=1):
        yield Play(
            number,
            text_of(part_of(play, "artist")),
            text_of(part_of(play, "track")),
            text_of(part_of(play, "album")),
            seconds(part_of(play, "date"), 1000),
        )


FORMATS = (
    Format("lastfmstats_csv", "lastfmstats.com CSV", "second", _is_csv, _read_csv),
    Format("lastfmstats_json", "lastfmstats.com JSON", "second", _is_json, _read_json),
)
