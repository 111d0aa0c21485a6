"""Jellyfin's and Emby's playback report: nine columns, no header, the server's time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, plain_table, unread
from ingest.exports.plays import Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso, seconds

_WIDTH = 9
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+")


def _is_it(source: Source) -> bool:
    row = source.text.split("\n")[0].split("\t")
    return len(row) == _WIDTH and bool(_TIME.fullmatch(row[0]))


def _read(source: Source) -> Iterator[Row]:
    for line, fields in plain_table(source, "\t"):
        if len(fields) != _WIDTH:
            yield unread(line, f"field count not {_WIDTH}", fields, "\t")
            continue
        if fields[3] != "Audio":
            yield Aside(line, f"not Audio ({fields[3][:20]})")
            continue
        artist, track, album = _names(fields[4].strip())
        time = iso(fields[0], source.zone)
        yield Play(line, artist, track, album, time, seconds(fields[8]))


def _names(item: str) -> tuple[str, str, str]:
    """``Artist - Track (Album)``: the first dash, the last balanced parentheses."""
    artist, dash, rest = item.partition(" - ")
    if not dash:
        return "", item, ""
    if rest.endswith(")"):
        depth = 0
        for at in range(len(rest) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(rest[at], 0)
            if not depth:
                if at:
                    return artist, rest[:at].strip(), rest[at + 1 : -1].strip()
                break
    return artist, rest, ""


FORMATS = (
    Format(
        "jellyfin",
        "Jellyfin or Emby playback report",
        "second",
        _is_it,
        _read,
        "its times are the server's: UTC unless --zone says otherwise",
    ),
)
