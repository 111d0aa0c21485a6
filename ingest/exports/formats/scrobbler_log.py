"""``.scrobbler.log`` of Rockbox and other players: local time unless it says UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone, tzinfo

from ingest.exports.format import Format, plain_table, unread
from ingest.exports.plays import SKIPPED, UNNAMED, Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import local, seconds

_HEADER = "#AUDIOSCROBBLER/"
_ZONE = re.compile(r"#TZ/UTC([+-]\d{1,2})?\b")
_WIDTHS = (7, 8)
_UTS = re.compile(r"\d{9,10}")
_UNTAGGED = "<untagged>"


def _is_it(source: Source) -> bool:
    if source.text.startswith(_HEADER):
        return True
    row = source.text.split("\n")[0].rstrip("\r").split("\t")
    # A tool has cut the header off.
    return len(row) in _WIDTHS and row[5] in ("L", "S") and bool(_UTS.fullmatch(row[6]))


def _read(source: Source) -> Iterator[Row]:
    zone: tzinfo = source.zone
    for line, fields in plain_table(source, "\t"):
        if fields[0].startswith("#"):
            if found := _ZONE.match(fields[0]):
                zone = timezone(timedelta(hours=int(found[1]))) if found[1] else UTC
            continue
        if len(fields) not in _WIDTHS:
            yield unread(line, "field count not 8", fields, "\t")
            continue
        artist, album, track = (field.strip() for field in fields[:3])
        if _UNTAGGED in (artist.lower(), track.lower()) or not artist or not track:
            yield Aside(line, UNNAMED)
            continue
        if fields[5].strip() == "S":
            yield Aside(line, SKIPPED)
            continue
        yield Play(line, artist, track, album, local(seconds(fields[6]), zone))


FORMATS = (
    Format(
        "scrobbler_log",
        ".scrobbler.log",
        "second",
        _is_it,
        _read,
        "its times are of the player's clock: UTC unless --zone or the file says"
        " otherwise",
    ),
)
