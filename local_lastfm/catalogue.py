"""What a world is made of: artists, albums, tracks, listeners and their plays.

Plain records without behaviour beyond look-ups. Times are Unix seconds, days are
whole days since 1970-01-01, both UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field

DAY_SECONDS = 86_400
COUNTS_KEPT = 6


@dataclass(slots=True)
class Artist:
    """An artist as last.fm keeps one; `index` is its place in `World.artists`."""

    index: int
    name: str
    mbid: str = ""
    tags: tuple[tuple[str, int], ...] = ()
    country: str = ""
    tracks: list[int] = field(default_factory=list)
    albums: list[int] = field(default_factory=list)
    debut_day: int = 0
    former_name: str = ""
    renamed_day: int = 0
    merged_into: int = -1
    merged_day: int = 0


@dataclass(slots=True)
class Album:
    index: int
    name: str
    artist: int
    mbid: str = ""
    tracks: list[int] = field(default_factory=list)
    released_day: int = 0


@dataclass(slots=True)
class Track:
    index: int
    name: str
    artist: int
    album: int = -1
    duration_seconds: int = 0
    mbid: str = ""
    share: float = 0.0
    released_day: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """How a play of a track is written down: spelling of the artist, album or none."""

    track: int
    artist_name: str
    track_name: str
    album_name: str
    artist_mbid: str
    track_mbid: str
    album_mbid: str


@dataclass(slots=True)
class Listener:
    index: int
    name: str
    country: str = ""
    real_name: str = ""
    registered_uts: int = 0
    is_private: bool = False
    is_bot: bool = False
    extra_playcount: int = 0
    friends: tuple[str, ...] = ()
    has_now_playing: bool = False


@dataclass(frozen=True, slots=True)
class Scrobble:
    """One play as a client should have it in the end."""

    uts: int
    artist_name: str
    track_name: str
    album_name: str


class Plays:
    """The plays of one listener in order of time: two parallel lists.

    Plays of `uts` 0 stand first, as last.fm shows them last.
    """

    def __init__(self, uts: list[int], variants: list[int]) -> None:
        self.uts = uts
        self.variants = variants
        # When each artist, album and track was first played; made by the world.
        self.firsts: tuple[list[int], ...] | None = None
        self._counts: dict[tuple[int, int], Counter[int]] = {}

    def at(self, now: int) -> Plays:
        """The plays a server would show at `now`; scripted histories override it."""
        return self

    def window(self, start: int, end: int) -> tuple[int, int]:
        """Half-open index range of the plays with start <= uts <= end."""
        return bisect_left(self.uts, start), bisect_right(self.uts, end)

    def counted(self, first: int, last: int) -> Counter[int]:
        """Plays by variant in a range of indices; the last few are remembered."""
        found = self._counts.get((first, last))
        if found is None:
            found = Counter(self.variants[first:last])
            if len(self._counts) >= COUNTS_KEPT:
                self._counts = {}
            self._counts[first, last] = found
        return found

    def _forget(self) -> None:
        self.firsts = None
        self._counts = {}

    def add(self, uts: int, variant: int) -> None:
        self._forget()
        place = bisect_right(self.uts, uts)
        self.uts = [*self.uts[:place], uts, *self.uts[place:]]
        self.variants = [*self.variants[:place], variant, *self.variants[place:]]

    def _place(self, uts: int, variant: int) -> int:
        place = bisect_left(self.uts, uts)
        while self.uts[place] == uts:
            if self.variants[place] == variant:
                return place
            place += 1
        raise LookupError(f"no play at {uts}")

    def delete(self, uts: int, variant: int) -> None:
        self._forget()
        place = self._place(uts, variant)
        self.uts = self.uts[:place] + self.uts[place + 1 :]
        self.variants = self.variants[:place] + self.variants[place + 1 :]

    def replace(self, uts: int, variant: int, other: int) -> None:
        self._forget()
        variants = list(self.variants)
        variants[self._place(uts, variant)] = other
        self.variants = variants
