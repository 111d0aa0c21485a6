"""Maloja: its JSON export, and the tab-separated store of its old versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, plain_table, text_of, unread
from ingest.exports.plays import Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_JSON = re.compile(r'\s*\{\s*"maloja"\s*:')
_UTS = re.compile(r"\d{9,10}")
_JOINED_BY = "\u241f"


def _is_json(source: Source) -> bool:
    return bool(_JSON.match(source.text)) and '"scrobbles"' in source.text


def _read_json(source: Source) -> Iterator[Row]:
    for number, play in enumerate(source.objects("scrobbles.item"), start=1):
        track = part_of(play, "track")
        artists = part_of(track, "artists")
        names = [text_of(n) for n in artists] if isinstance(artists, list) else []
        yield Play(
            number,
            ", ".join(name for name in names if name),
            text_of(part_of(track, "title")),
            text_of(part_of(part_of(track, "album"), "albumtitle")),
            seconds(part_of(play, "time")),
            seconds(part_of(play, "duration")),
        )


def _is_tsv(source: Source) -> bool:
    rows = [line.split("\t") for line in source.first_lines[:3]]
    return bool(rows) and all(
        len(row) == 5 and _UTS.fullmatch(row[0]) for row in rows if row != [""]
    )


def _read_tsv(source: Source) -> Iterator[Row]:
    for line, fields in plain_table(source, "\t"):
        if len(fields) != 5:
            yield unread(line, "field count not 5", fields, "\t")
            continue
        uts, artists, title, album, played = (field.strip() for field in fields)
        yield Play(
            line,
            ", ".join(artists.split(_JOINED_BY)),
            title,
            "" if album == "-" else album,
            seconds(uts),
            seconds(played),
        )


FORMATS = (
    Format("maloja", "Maloja export", "second", _is_json, _read_json),
    Format("maloja_tsv", "Maloja, old store", "second", _is_tsv, _read_tsv),
)
