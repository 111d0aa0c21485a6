"""CSV files of last.fm scrobbles, as half a dozen tools write them.

Owns their headers and orders of columns. All times are UTC, as last.fm has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, first_row, plain_table, table, unread
from ingest.exports.plays import Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso, lastfm_text, seconds

_MINUTE = re.compile(r"\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}")
_UTS = re.compile(r"\d{9,10}")
_COLUMNS = "not the columns of the header"
_FIELDS = "field count not {}"

# Names of columns, by what stands there; those of the most exact time come first.
_ARTIST = ("artist", "artist name", "artist_name")
_TRACK = ("track", "title", "track name", "track_name", "song", "name")
_ALBUM = ("album", "album name", "album_name", "release")
_TIMES = ("uts", "unixtime", "unix_time", "timestamp", "time", "date", "utc_time")


def _header(source: Source) -> dict[str, int]:
    """Where the columns of a file with a header are; empty without a header."""
    names = [name.strip().lower() for name in first_row(source, ",")]
    found: dict[str, int] = {}
    for kind, words in (("artist", _ARTIST), ("track", _TRACK), ("album", _ALBUM)):
        for word in words:
            if word in names:
                found[kind] = names.index(word)
                break
    times = [names.index(word) for word in _TIMES if word in names]
    if not ("artist" in found and "track" in found and times):
        return {}
    return found | {"time": times[0]} | ({"clock": _clock(names)} if times else {})


def _clock(names: list[str]) -> int:
    """The column with the hours where the date stands alone (``date,time``); or -1."""
    if "date" in names and "time" in names and "uts" not in names:
        return names.index("time")
    return -1


def _is_headed(source: Source) -> bool:
    return bool(_header(source))


def _is_headed_by_minute(source: Source) -> bool:
    """Whether the only time of the first row is last.fm's text of a minute."""
    columns = _header(source)
    if not columns:
        return False
    for number, (_, fields) in enumerate(table(source, ",")):
        if number and len(fields) > max(columns.values()):
            return bool(_MINUTE.fullmatch(fields[columns["time"]].strip()))
        if number > 20:
            break
    return False


def _read_headed(source: Source) -> Iterator[Row]:
    columns = _header(source)
    artist, track, time = columns["artist"], columns["track"], columns["time"]
    album, clock = columns.get("album", -1), columns["clock"]
    width = 0
    for line, fields in table(source, ","):
        if not width:
            width = len(fields)
            continue
        if len(fields) != width:
            yield unread(line, _COLUMNS, fields)
            continue
        when = fields[time]
        if clock >= 0 and clock != time:
            when = f"{fields[columns['time']]} {fields[clock]}"
        yield Play(
            line,
            fields[artist].strip(),
            fields[track].strip(),
            fields[album].strip() if album >= 0 else "",
            _time(when),
        )


def _time(text: str) -> float | None:
    """A time in any of the ways that tools write it."""
    found = seconds(text)
    if found is None:
        found = lastfm_text(text)
    return iso(text) if found is None else found


# ------------------------------------------------------------- without a header


def _is_headless(source: Source) -> bool:
    """artist,album,track,``20 Nov 2020 09:35``; the row that plays now has no time."""
    rows = _first_rows(source)
    return (
        bool(rows)
        and all(
            len(row) == 4 and (_MINUTE.fullmatch(row[3].strip()) or not row[3].strip())
            for row in rows
        )
        and any(row[3].strip() for row in rows)
    )


def _first_rows(source: Source) -> list[list[str]]:
    """Some rows from the head, without the one that may be cut off."""
    found = []
    for number, (_, fields) in enumerate(table(source, ",")):
        if number == 10:
            break
        found.append(fields)
    return found


def _read_headless(source: Source) -> Iterator[Row]:
    for line, fields in table(source, ","):
        if len(fields) != 4:
            yield unread(line, _FIELDS.format(4), fields)
            continue
        artist, album, track, time = (field.strip() for field in fields)
        yield Play(line, artist, track, album, lastfm_text(time))


def _is_artist_album_track_uts(source: Source) -> bool:
    rows = _first_rows(source)
    return bool(rows) and all(
        len(row) == 4 and _UTS.fullmatch(row[3].strip()) for row in rows
    )


def _read_artist_album_track_uts(source: Source) -> Iterator[Row]:
    for line, fields in table(source, ","):
        if len(fields) != 4:
            yield unread(line, _FIELDS.format(4), fields)
            continue
        artist, album, track, time = (field.strip() for field in fields)
        yield Play(line, artist, track, album, seconds(time))


def _is_semicolons(source: Source) -> bool:
    """track;album;artist;``13 Feb 2009, 09:34``;uts, without any quoting."""
    rows = [line.split(";") for line in source.first_lines[:10]]
    good = [
        row
        for row in rows
        if len(row) == 5 and _MINUTE.fullmatch(row[3]) and _UTS.fullmatch(row[4])
    ]
    return 2 * len(good) > len(rows) > 0


def _read_semicolons(source: Source) -> Iterator[Row]:
    for line, fields in plain_table(source, ";"):
        if len(fields) != 5:
            # A semicolon in a name: where it ends nobody can tell.
            yield unread(line, _FIELDS.format(5), fields, ";")
            continue
        track, album, artist, _, uts = (field.strip() for field in fields)
        yield Play(line, artist, track, album, seconds(uts))


MINUTE_NOTE = "times to the minute: a play in the same minute is taken for the same"

FORMATS = (
    Format(
        "lastfm_csv_minute",
        "last.fm CSV without a header, to the minute",
        "minute",
        _is_headless,
        _read_headless,
        MINUTE_NOTE,
    ),
    Format(
        "lastfm_csv_uts",
        "last.fm CSV without a header",
        "second",
        _is_artist_album_track_uts,
        _read_artist_album_track_uts,
    ),
    Format(
        "lastfm_csv_semicolons",
        "last.fm CSV with semicolons",
        "second",
        _is_semicolons,
        _read_semicolons,
    ),
    Format(
        "lastfm_csv_headed_minute",
        "last.fm CSV with a header, to the minute",
        "minute",
        _is_headed_by_minute,
        _read_headed,
        MINUTE_NOTE,
    ),
    Format(
        "lastfm_csv",
        "last.fm CSV with a header",
        "second",
        _is_headed,
        _read_headed,
    ),
)
