"""Libre.fm's CSV, and other tables whose header stands below lines of other things."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.exports.format import Format, table, unread
from ingest.exports.plays import UNNAMED, Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso, seconds

# Lines that can stand before the header.
_MOST_LINES = 30
_TIMES = ("time", "timestamp", "date-time")
_TRACKS = ("track", "song", "title")


def _columns(fields: list[str]) -> dict[str, int]:
    """Where the columns are, if these are the fields of a header."""
    names = [field.strip().lower() for field in fields]
    time = next((names.index(name) for name in _TIMES if name in names), None)
    track = next((names.index(name) for name in _TRACKS if name in names), None)
    if time is None or track is None or "artist" not in names:
        return {}
    found = {"time": time, "track": track, "artist": names.index("artist")}
    for name in ("album", "release"):
        if name in names:
            found["album"] = names.index(name)
    return found


def _is_it(source: Source) -> bool:
    for number, (_, fields) in enumerate(table(source, ",")):
        if _columns(fields):
            return True
        if number > _MOST_LINES:
            break
    return False


def _read(source: Source) -> Iterator[Row]:
    columns: dict[str, int] = {}
    for line, fields in table(source, ","):
        if not columns:
            columns = _columns(fields)
            continue
        if len(fields) <= max(columns.values()):
            yield unread(line, "not the columns of the header", fields)
            continue
        artist, track = fields[columns["artist"]], fields[columns["track"]]
        if not artist.strip() or not track.strip():
            yield Aside(line, UNNAMED)
            continue
        text = fields[columns["time"]]
        time = seconds(text)
        if time is None:
            time = iso(text, source.zone)
        if time is None:
            yield unread(line, "no time that can be read", fields)
            continue
        album = fields[columns["album"]].strip() if "album" in columns else ""
        yield Play(line, artist.strip(), track.strip(), album, time)


FORMATS = (Format("librefm", "Libre.fm and similar CSV", "second", _is_it, _read),)
