"""Files into plays: every file of an import, known, read and counted, in a stream.

Owns what one import is: its files, archives opened, each with its tally. Must not land
anything or know the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from ingest.exports.format import Format
from ingest.exports.formats.aggregates import library
from ingest.exports.plays import Aside, Judge, Taken, Tally
from ingest.exports.registry import format_of
from ingest.exports.source import Source, sources
from warehouse.errors import ImportRefused


@dataclass
class FileRead:
    """A file that is read: its format and what became of its rows."""

    label: str
    format: Format
    tally: Tally = field(default_factory=Tally)


@dataclass
class Reading:
    """One file that somebody names: what it is, and what was in it.

    digest: SHA-256 of its bytes, by which it is known again.
    zone: of its times that name none.
    ignored: files in an archive that are no listening history.
    """

    path: Path
    digest: str
    zone: tzinfo = UTC
    files: list[FileRead] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def tally(self) -> Tally:
        """The sums over its files."""
        whole = Tally()
        for each in self.files:
            whole.add(each.tally)
        return whole


@dataclass(frozen=True, slots=True)
class Found:
    """A play or an unreadable row, and the format it was read as."""

    format: str
    row: Taken | Aside


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(reading: Reading, now: datetime) -> Iterator[Found]:
    """The plays and unreadable rows of a named file; its tallies fill on the way.

    Equal rows in several files of one archive are one play: services split their
    answers, and the parts overlap.

    Raises:
        ImportRefused: the file, or all that is in it, is no listening history.
    """
    judge = Judge(now)
    counted: list[str] = []
    for source in sources(reading.path, reading.zone):
        known = format_of(source)
        if known is None:
            if aside := _counts(source):
                counted.append(aside)
            reading.ignored.append(source.label)
            continue
        judge.tally = Tally()
        reading.files.append(FileRead(source.label, known, judge.tally))
        for row in judge.judged(known.read(source), known.stamp):
            yield Found(known.name, row)
    if not reading.files:
        raise ImportRefused(
            "; ".join(counted)
            or f"{reading.path.name}: no listening history in a known format (what is"
            " known: docs/imports.md)"
        )


def _counts(source: Source) -> str | None:
    """What a library of counts says, as the reason why it is not imported."""
    found = library(source)
    if found is None:
        return None
    return (
        f"{source.label} is {found.title}: {found.things:,} things, {found.counted:,}"
        f" with a count, {found.counts:,} plays in all, but not when each was; plays"
        " are not invented"
    )


def readings(paths: Sequence[Path], zone: tzinfo = UTC) -> list[Reading]:
    """The named files; the same bytes under two names count once."""
    found: dict[str, Reading] = {}
    for path in paths:
        if not path.is_file():
            raise ImportRefused(f"{path} is no file")
        digest = digest_of(path)
        found.setdefault(digest, Reading(path, digest, zone))
    return list(found.values())
