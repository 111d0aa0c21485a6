"""Pano Scrobbler's files: CSV and lines of JSON. The readable time is the phone's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, first_row, part_of, table, text_of, unread
from ingest.exports.plays import Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_HEADER = ["timeHuman", "timeMs", "artist", "track", "album"]
_MS = re.compile(r"\d{12,13}")
_LINE = re.compile(r'\s*\{\s*"timeHuman"')
_EVENT = 10
_OLD_WIDTH = 8


def _is_csv(source: Source) -> bool:
    row = first_row(source, ",")
    if row[:5] == _HEADER:
        return True
    # Without a header where the file was not begun by the app.
    return len(row) >= _OLD_WIDTH and bool(_MS.fullmatch(row[1].strip()))


def _read_csv(source: Source) -> Iterator[Row]:
    for number, (line, fields) in enumerate(table(source, ",")):
        if not number and fields[:5] == _HEADER:
            continue
        if len(fields) < _OLD_WIDTH:
            yield unread(line, f"field count under {_OLD_WIDTH}", fields)
            continue
        event = fields[_EVENT].strip() if len(fields) > _EVENT else "scrobble"
        _, time, artist, track, album = (field.strip() for field in fields[:5])
        yield _row(line, event, artist, track, album, seconds(time, 1000))


def _is_lines(source: Source) -> bool:
    return bool(_LINE.match(source.text)) and '"timeMs"' in source.text


def _read_lines(source: Source) -> Iterator[Row]:
    for line, row in source.json_lines():
        if isinstance(row, str):
            yield Aside(line, "this line is no JSON object", row)
            continue
        yield _row(
            line,
            text_of(part_of(row, "event")) or "scrobble",
            text_of(part_of(row, "artist")),
            text_of(part_of(row, "track")),
            text_of(part_of(row, "album")),
            seconds(part_of(row, "timeMs"), 1000),
        )


def _row(
    line: int, event: str, artist: str, track: str, album: str, time: float | None
) -> Row:
    if event != "scrobble":
        return Aside(line, f"event is not a play ({event[:20]})")
    return Play(line, artist, track, album, time)


FORMATS = (
    Format("pano_csv", "Pano Scrobbler CSV", "second", _is_csv, _read_csv),
    Format("pano_jsonl", "Pano Scrobbler JSON", "second", _is_lines, _read_lines),
)
