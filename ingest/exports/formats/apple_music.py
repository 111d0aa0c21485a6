"""Apple Music's "Play Activity": columns are found by name, their order changes."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.exports.format import Format, first_row, table, unread
from ingest.exports.plays import UNNAMED, Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso, seconds

_START = "Event Start Timestamp"
_PLAYED = "Play Duration Milliseconds"
_TITLES = ("Content Name", "Song Name")
_ARTISTS = ("Artist Name", "Container Artist Name")
_ALBUMS = ("Container Album Name", "Album Name")
# What stands where a row is a song, or where nobody wrote what it is.
_SONGS = ("", "Song")
_OTHER_ITEMS = ("AD", "AGGREGATE_NON_CATALOG_PLAY_TIME", "NON_SONG_CLIP", "STREAM")


def _is_it(source: Source) -> bool:
    return {_START, _PLAYED} <= set(first_row(source, ","))


def _read(source: Source) -> Iterator[Row]:
    columns: dict[str, int] = {}
    width = 0
    for line, fields in table(source, ","):
        if not columns:
            columns = {name: at for at, name in enumerate(fields)}
            width = len(fields)
            continue
        if len(fields) != width:
            yield unread(line, "not the columns of the header", fields)
            continue
        yield _row(line, {name: fields[at].strip() for name, at in columns.items()})


def _row(line: int, row: dict[str, str]) -> Row:
    event = row.get("Event Type", "")
    if event not in ("", "PLAY_END"):
        return Aside(line, f"event is not a play ({event})")
    if reason := _no_song(row):
        return Aside(line, reason)
    title = _first(row, _TITLES)
    if not title:
        return Aside(line, UNNAMED)
    milliseconds = row[_PLAYED]
    played = seconds(milliseconds.partition(".")[0], 1000)
    if played is not None and played < 0:
        return Aside(line, "negative play duration")
    artist, album = _first(row, _ARTISTS), _first(row, _ALBUMS)
    return Play(line, artist, title, album, iso(row[_START]), played)


def _no_song(row: dict[str, str]) -> str | None:
    """Why a row is no song; None where it is one, or says nothing of it."""
    kind, item = row.get("Content Specific Type", ""), row.get("Item Type", "")
    media = row.get("Media Type", "")
    if kind not in _SONGS or media == "VIDEO":
        what = f"{kind} {media}".strip() if kind else item
        return f"not a song ({what})"
    return f"not a song ({item})" if item in _OTHER_ITEMS else None


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


FORMATS = (
    Format(
        "apple_music",
        "Apple Music play activity",
        "second",
        _is_it,
        _read,
        "a play that was paused can be several rows; only rows of 30 seconds count",
    ),
)
