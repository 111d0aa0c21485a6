"""YouTube Music in Google's Takeout: the watch history as JSON, mostly video."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, text_of
from ingest.exports.plays import Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso

_LIST = re.compile(r"\s*\[\s*\{")
_HEADER = "YouTube Music"
_TOPIC = " - Topic"
# The other languages put the words around the title; it is taken as it stands then.
_WATCHED = "Watched "


def _is_it(source: Source) -> bool:
    text = source.text
    return bool(_LIST.match(text)) and all(
        f'"{name}"' in text for name in ("header", "title", "time", "products")
    )


def _read(source: Source) -> Iterator[Row]:
    for number, row in enumerate(source.objects("item"), start=1):
        if part_of(row, "header") != _HEADER:
            yield Aside(number, "not YouTube Music (header)")
            continue
        channels = part_of(row, "subtitles")
        first = channels[0] if isinstance(channels, list) and channels else None
        title = text_of(part_of(row, "title"))
        if title == text_of(part_of(row, "titleUrl")):
            title = ""  # the video was removed
        yield Play(
            number,
            text_of(part_of(first, "name")).removesuffix(_TOPIC),
            title.removeprefix(_WATCHED),
            "",
            iso(part_of(row, "time")),
        )


FORMATS = (
    Format(
        "youtube_takeout",
        "YouTube Music, Google Takeout",
        "second",
        _is_it,
        _read,
        "where the channel is no artist's, its owner stands as the artist",
    ),
)
