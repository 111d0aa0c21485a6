"""JSON files of last.fm scrobbles: answers of user.getRecentTracks, or their tracks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, text_of
from ingest.exports.plays import NO_TIME, Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_PAGES = re.compile(r'\s*\[\s*\{\s*"(track|@attr|recenttracks)"\s*:\s*[\[{]')
_FLAT = re.compile(r"\s*\[\s*\{")


def _is_pages(source: Source) -> bool:
    text = source.text
    return bool(_PAGES.match(text)) and '"#text"' in text and '"track"' in text


def _is_flat(source: Source) -> bool:
    text = source.text
    return bool(_FLAT.match(text)) and '"#text"' in text and '"artist"' in text


def _read_pages(source: Source) -> Iterator[Row]:
    has_envelope = '"recenttracks"' in source.text[:200]
    where = "item.recenttracks.track.item" if has_envelope else "item.track.item"
    return _rows(source, where)


def _read_flat(source: Source) -> Iterator[Row]:
    return _rows(source, "item")


def _rows(source: Source, where: str) -> Iterator[Row]:
    for number, track in enumerate(source.objects(where), start=1):
        if part_of(part_of(track, "@attr"), "nowplaying") == "true":
            yield Aside(number, f"{NO_TIME} (now playing)")
            continue
        yield Play(
            number,
            _name(part_of(track, "artist")),
            text_of(part_of(track, "name")),
            _name(part_of(track, "album")),
            seconds(part_of(part_of(track, "date"), "uts")),
        )


def _name(value: object) -> str:
    return (
        text_of(value)
        or text_of(part_of(value, "#text"))
        or text_of(part_of(value, "name"))
    )


FORMATS = (
    Format("lastfm_json_pages", "last.fm JSON", "second", _is_pages, _read_pages),
    Format("lastfm_json", "last.fm JSON, one list", "second", _is_flat, _read_flat),
)
