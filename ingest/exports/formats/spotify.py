"""Spotify's streaming history, extended and of one year. Its times are of the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, text_of
from ingest.exports.plays import NOT_A_TRACK, Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import iso, seconds

_LIST = re.compile(r"\s*\[\s*\{")
# Such a number of `offline_timestamp` is milliseconds.
_MILLISECONDS_FROM = 100_000_000_000


def _is_extended(source: Source) -> bool:
    text = source.text
    return bool(_LIST.match(text)) and '"ms_played"' in text and '"ts"' in text


def _read_extended(source: Source) -> Iterator[Row]:
    for number, row in enumerate(source.objects("item"), start=1):
        artist = text_of(part_of(row, "master_metadata_album_artist_name"))
        track = text_of(part_of(row, "master_metadata_track_name"))
        if not artist or not track:
            yield Aside(number, NOT_A_TRACK)
            continue
        noted = seconds(part_of(row, "offline_timestamp")) or 0
        yield Play(
            number,
            artist,
            track,
            text_of(part_of(row, "master_metadata_album_album_name")),
            iso(part_of(row, "ts")),
            seconds(part_of(row, "ms_played"), 1000) or 0,  # not said: not heard
            noted / 1000 if noted >= _MILLISECONDS_FROM else noted,
            part_of(row, "incognito_mode") is True,
        )


def _is_short(source: Source) -> bool:
    text = source.text
    return bool(_LIST.match(text)) and '"msPlayed"' in text and '"endTime"' in text


def _read_short(source: Source) -> Iterator[Row]:
    for number, row in enumerate(source.objects("item"), start=1):
        if part_of(row, "episodeName") is not None:
            yield Aside(number, NOT_A_TRACK)
            continue
        artist = text_of(part_of(row, "artistName"))
        track = text_of(part_of(row, "trackName"))
        if (artist, track) == ("Unknown Artist", "Unknown Track"):
            yield Aside(number, NOT_A_TRACK)
            continue
        yield Play(
            number,
            artist,
            track,
            "",
            iso(part_of(row, "endTime")),
            seconds(part_of(row, "msPlayed"), 1000),
        )


FORMATS = (
    Format(
        "spotify_extended",
        "Spotify, extended streaming history",
        "end",
        _is_extended,
        _read_extended,
        "the artist is the album's: a guest's play can stand twice beside last.fm's",
    ),
    Format(
        "spotify_short",
        "Spotify, account data of one year",
        "end minute",
        _is_short,
        _read_short,
        "nothing in this file tells old podcasts from music",
    ),
)
