"""Libraries of counts, not plays: iTunes, foobar2000. Plays are never invented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from ingest.exports.source import Source
from warehouse.errors import ImportRefused

_PLIST = re.compile(r"<plist\b")
_FOOBAR = re.compile(r"<PlaybackStatistics\b")
# The end of the number below the key "Play Count" of a track.
_PLAY_COUNT = ("end", "integer", "Play Count", 3, True)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)


@dataclass(frozen=True)
class Library:
    """What a library tells: how many things, how many with a count, all counts."""

    title: str
    things: int
    counted: int
    counts: int


def library(source: Source) -> Library | None:
    """The counts of a library; None of any other file.

    Raises:
        ImportRefused: the XML cannot be read.
    """
    text = source.text
    if _ENTITY.search(source.head):
        raise ImportRefused(f"{source.label}: XML with entities is not read")
    try:
        if _PLIST.search(text):
            return _itunes(source)
        if _FOOBAR.search(text):
            return _foobar(source)
    except ElementTree.ParseError as error:
        raise ImportRefused(f"{source.label}: this is no XML: {error}") from error
    return None


def _itunes(source: Source) -> Library:
    """Tracks are the dictionaries in the dictionary that follows the key "Tracks"."""
    tracks = counted = counts = 0
    depth = 0
    in_tracks = False
    key = ""
    with source.opened() as file:
        for event, element in ElementTree.iterparse(file, ("start", "end")):
            if element.tag == "dict":
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 2:
                    in_tracks = key == "Tracks"
                if event == "end" and depth == 2 and in_tracks:
                    tracks += 1
                    element.clear()
            elif event == "end" and element.tag == "key":
                key = element.text or ""
            elif (event, element.tag, key, depth, in_tracks) == _PLAY_COUNT:
                plays = int(element.text or 0)
                counted += plays > 0
                counts += plays
    return Library("an iTunes library", tracks, counted, counts)


def _foobar(source: Source) -> Library:
    entries = counted = counts = 0
    with source.opened() as file:
        for _, element in ElementTree.iterparse(file):
            if element.tag == "Entry":
                plays = int(element.get("Count") or 0)
                entries += 1
                counted += plays > 0
                counts += plays
                element.clear()
    return Library("foobar2000's playback statistics", entries, counted, counts)
