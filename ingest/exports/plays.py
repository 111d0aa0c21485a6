"""What every format of file is read into, and which of it counts as a play.

Owns the normal form of a row, the words for why one is no play, and the rules that hold
for all formats: names, a possible time, thirty seconds, no private session, the first
of equal ones. Must not know any format or where rows go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from warehouse.names import name_key

Stamp = Literal["second", "minute", "end", "end minute"]
"""What the time of a row is: the second or minute of its start, or of its end."""

LEAST_SECONDS = 30.0
"""Shorter is no play, where the file says how long it was heard (last.fm's rule)."""
MOST_SECONDS = 86400.0
"""Longer is no play either: a number gone wrong, which would lie over all others."""
FIRST_UTS = 1033430400  # 2002-10-01, before last.fm there was nothing
CLOCK_SKEW_SECONDS = 3600
# What is longer is no name of music; a page holds a thousand rows.
LONGEST_NAME_BYTES = 1000
# As much of a row that could not be read is kept.
KEPT_CHARACTERS = 2000
# A start that is noted counts where it is not a day before the end.
LONGEST_PAUSE_SECONDS = 86400

UNNAMED = "no artist or title"
NO_TIME = "no time"
OUT_OF_RANGE = "time out of range"
SHORT = f"played under {LEAST_SECONDS:.0f} seconds"
LONG = "played for more than a day"
PRIVATE = "private session"
NUL = "NUL character in a name"
UNREADABLE = "not UTF-8"
TOO_LONG = "the name is too long"
NOT_A_TRACK = "not a track (podcast, audiobook, video or removed)"
SKIPPED = "rated as skipped"
NO_NAMES = frozenset({"", "<untagged>", "<unknown>"})

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Play:
    """A row as the file has it.

    at: Unix seconds as given, None where it has no time; what it is the time of says
    the file's `Stamp`.
    started: Unix second of the start, where an end-stamped row notes it as well.
    played: seconds heard, None where the file does not say.
    """

    line: int
    artist: str
    track: str
    album: str
    at: float | None
    played: float | None = None
    started: float | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """A row that is no play, by the rules of its format.

    text: the row itself where it could not be read; such a row is kept, as far as
    `KEPT_CHARACTERS`.
    """

    line: int
    reason: str
    text: str | None = None


Row = Play | Aside


@dataclass(frozen=True, slots=True)
class Taken:
    """A play that counts: whole seconds.

    stamped: as given; started: when it began, as far as the file tells.
    copy: 1, or the number of this one among the equal rows of a file that tells the
    minute only: they may be true repeats.
    """

    line: int
    artist: str
    track: str
    album: str | None
    stamp: Stamp
    stamped: int
    started: int
    played_ms: int | None
    copy: int


@dataclass
class Tally:
    """What became of a file's rows: read = taken + set aside + duplicates."""

    rows: int = 0
    taken: int = 0
    duplicates: int = 0
    aside: Counter[str] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None

    def add(self, other: Tally) -> None:
        """Count another file in."""
        self.rows += other.rows
        self.taken += other.taken
        self.duplicates += other.duplicates
        self.aside.update(other.aside)
        for stamped in (other.first, other.last):
            self._reach(stamped)

    def _reach(self, stamped: int | None) -> None:
        if stamped is not None:
            self.first = stamped if self.first is None else min(self.first, stamped)
            self.last = stamped if self.last is None else max(self.last, stamped)


class Judge:
    """Decides which rows of one import count; remembers what it has taken."""

    def __init__(self, now: datetime) -> None:
        self.latest = now.replace(tzinfo=UTC).timestamp() + CLOCK_SKEW_SECONDS
        self.tally = Tally()
        self._seen: set[int] = set()
        self._copies: dict[int, int] = {}
        self._keys: dict[str, str] = {}

    def judged(self, rows: Iterable[Row], stamp: Stamp) -> Iterator[Taken | Aside]:
        """The plays that count, and the rows that could not be read."""
        tally = self.tally
        for row in rows:
            tally.rows += 1
            if isinstance(row, Aside):
                tally.aside[row.reason] += 1
                if row.text is not None:
                    yield replace(row, text=row.text[:KEPT_CHARACTERS])
                continue
            reason = self._reason(row, stamp)
            if reason is not None:
                tally.aside[reason] += 1
                continue
            taken = self._taken(row, stamp)
            if taken is None:
                tally.duplicates += 1
                continue
            tally.taken += 1
            tally._reach(taken.stamped)
            yield taken

    def _reason(self, play: Play, stamp: Stamp) -> str | None:
        if play.artist.lower() in NO_NAMES or play.track.lower() in NO_NAMES:
            return UNNAMED
        names = f"{play.artist}{play.track}{play.album}"
        if "\0" in names:
            return NUL
        if not names.isascii() and _SURROGATE.search(names):
            return UNREADABLE
        if len(names) * 4 > LONGEST_NAME_BYTES and any(
            len(name.encode()) > LONGEST_NAME_BYTES
            for name in (play.artist, play.track, play.album)
        ):
            return TOO_LONG
        if play.at is None:
            return NO_TIME
        # A number that is none compares false both ways.
        if not FIRST_UTS <= play.at <= self.latest:
            return OUT_OF_RANGE
        if play.played is not None and not play.played >= LEAST_SECONDS:
            return SHORT
        if play.played is not None and play.played > MOST_SECONDS:
            return LONG
        if _start(play, stamp, int(play.at)) < FIRST_UTS:
            return OUT_OF_RANGE
        return PRIVATE if play.is_private else None

    def _taken(self, play: Play, stamp: Stamp) -> Taken | None:
        assert play.at is not None
        stamped = int(play.at)
        # Of a minute's plays, what was heard of each tells them apart.
        heard = play.played if stamp == "end minute" else None
        names = (self._key(play.artist), self._key(play.track))
        key = hash((stamp, stamped, *names, heard))
        copy = 1
        if key in self._seen:
            if stamp != "minute":
                return None
            copy = self._copies[key] = self._copies.get(key, 1) + 1
        self._seen.add(key)
        played_ms = None if play.played is None else round(play.played * 1000)
        return Taken(
            line=play.line,
            artist=play.artist,
            track=play.track,
            album=None if play.album.lower() in NO_NAMES else play.album,
            stamp=stamp,
            stamped=stamped,
            started=_start(play, stamp, stamped),
            played_ms=played_ms,
            copy=copy,
        )

    def _key(self, name: str) -> str:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = name_key(name)
        return key


def _start(play: Play, stamp: Stamp, stamped: int) -> int:
    """When the play began: noted, or its end less what was heard of it."""
    if stamp not in ("end", "end minute"):
        return stamped
    noted = play.started
    if noted and 0 < noted <= stamped and stamped - noted < LONGEST_PAUSE_SECONDS:
        return int(noted)
    return int(stamped - (play.played or 0))
