"""Koito's export: names stand as lists of aliases only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, text_of
from ingest.exports.plays import Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso

_START = re.compile(r"\s*\{")


def _is_it(source: Source) -> bool:
    text = source.text
    return bool(_START.match(text)) and all(
        f'"{name}"' in text for name in ("version", "exported_at", "listens")
    )


def _read(source: Source) -> Iterator[Row]:
    for number, listen in enumerate(source.objects("listens.item"), start=1):
        artists = part_of(listen, "artists")
        named = [_name(artist) for artist in _primary(artists)]
        yield Play(
            number,
            ", ".join(name for name in named if name),
            _name(part_of(listen, "track")),
            _name(part_of(listen, "album")),
            iso(part_of(listen, "listened_at")),
        )


def _primary(artists: object) -> list[object]:
    """The main artists; all of them where none is said to be one."""
    if not isinstance(artists, list):
        return []
    main = [artist for artist in artists if part_of(artist, "is_primary") is True]
    return main or artists


def _name(thing: object) -> str:
    aliases = part_of(thing, "aliases")
    if not isinstance(aliases, list):
        return ""
    main = [alias for alias in aliases if part_of(alias, "is_primary") is True]
    return next((text_of(part_of(alias, "alias")) for alias in main or aliases), "")


FORMATS = (Format("koito", "Koito export", "second", _is_it, _read),)
