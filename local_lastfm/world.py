"""What the API asks a world for, with answers computed from plays by default.

A world knows artists, tracks, listeners and their plays at any instant. It knows no
HTTP, no JSON and no paging. Instants are Unix seconds.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from threading import RLock

from local_lastfm.catalogue import (
    DAY_SECONDS,
    Album,
    Artist,
    Listener,
    Plays,
    Scrobble,
    Track,
    Variant,
)

PERIOD_DAYS = {
    "7day": 7,
    "1month": 30,
    "3month": 90,
    "6month": 180,
    "12month": 365,
    "overall": 0,
}


GROUPS = ("artist", "album", "track")


@dataclass(frozen=True, slots=True)
class PersonalTag:
    """One of a listener's own tags on an artist, album or track."""

    tag: str
    kind: str
    item: int
    uts: int


@dataclass(frozen=True, slots=True)
class Recording:
    """An answer recorded from last.fm, to be given again byte for byte."""

    name: str
    method: str
    status: int
    content_type: str
    body: bytes
    params: dict[str, str]
    http_status_known: bool = True
    path: Path | None = None


def day_number(day: date) -> int:
    """Whole days since 1970-01-01."""
    return day.toordinal() - 719_163


class World:
    """Base of all worlds; everything empty until a subclass fills it."""

    name = "empty"
    # Whether personal tags carry a date, which last.fm itself never gives.
    dated_tags = False

    def __init__(self, today: date | None = None, seed: int = 1) -> None:
        """`today` freezes the clock at 20:00 UTC of that day; None lets it run."""
        self.seed = seed
        self.today = today
        self.clock: Callable[[], float] = time.time
        if today is not None:
            frozen = day_number(today) * DAY_SECONDS + 20 * 3600
            self.clock = lambda: frozen
        self.artists: list[Artist] = []
        self.albums: list[Album] = []
        self.tracks: list[Track] = []
        self.variants: list[Variant] = []
        self.people: dict[str, Listener] = {}
        self.tag_names: list[str] = []
        self.listeners: tuple[str, ...] = ()
        self.countries: tuple[str, ...] = ()
        self.tags: tuple[str, ...] = ()
        self.artist_names: dict[str, int] = {}
        self.artist_aliases: dict[str, int] = {}
        self._lock = RLock()
        self._groups: dict[
            str, tuple[list[int], list[int], dict[tuple[str, str], int]]
        ] = {kind: ([], [], {}) for kind in GROUPS}
        # Rows as JSON, by kind and variant, made when first shown.
        self.fragments: dict[tuple[str, int], str] = {}
        self._tag_tops: dict[str, list[tuple[int, int]]] = {}

    # -- time ---------------------------------------------------------------
    def now(self) -> int:
        return int(self.clock())

    @property
    def is_frozen(self) -> bool:
        return self.today is not None

    def current_day(self) -> date:
        return datetime.fromtimestamp(self.now(), UTC).date()

    def as_of(self, day: date | None) -> int:
        """The last second of a past day; the clock for today, later or no day."""
        now = self.now()
        if day is None:
            return now
        return min(now, (day_number(day) + 1) * DAY_SECONDS - 1)

    def name_epoch(self, now: int) -> int:
        """How many renames and merges have happened: what static answers depend on."""
        return 0

    # -- artists ------------------------------------------------------------
    def artist(self, name: str, now: int) -> Artist | None:
        """The artist an (auto-corrected) name leads to at that time."""
        key = name.strip().casefold()
        index = self.artist_names.get(key)
        if index is None:
            index = self.artist_aliases.get(key)
        if index is None:
            return None
        artist = self.artists[index]
        day = now // DAY_SECONDS
        if artist.debut_day > day:
            return None
        if artist.merged_into >= 0 and day >= artist.merged_day:
            artist = self.artists[artist.merged_into]
        return artist

    def artist_name(self, index: int, now: int) -> str:
        artist = self.artists[index]
        if artist.former_name and now // DAY_SECONDS < artist.renamed_day:
            return artist.former_name
        return artist.name

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        """Global (listeners, playcount)."""
        return 0, 0

    def track_counters(self, index: int, now: int) -> tuple[int, int]:
        return 0, 0

    def album_counters(self, index: int, now: int) -> tuple[int, int]:
        return 0, 0

    def track(self, artist: int, name: str, now: int) -> Track | None:
        key = name.strip().casefold()
        day = now // DAY_SECONDS
        for index in self.artists[artist].tracks:
            track = self.tracks[index]
            if track.name.casefold() == key and track.released_day <= day:
                return track
        return None

    def album(self, artist: int, name: str, now: int) -> Album | None:
        key = name.strip().casefold()
        day = now // DAY_SECONDS
        for index in self.artists[artist].albums:
            album = self.albums[index]
            if album.name.casefold() == key and album.released_day <= day:
                return album
        return None

    def artist_tracks(self, artist: int, now: int) -> list[int]:
        """Track indices, most played first."""
        day = now // DAY_SECONDS
        found = [t for t in self.artists[artist].tracks if self._is_out(t, day)]
        found.sort(key=lambda t: -self.track_counters(t, now)[1])
        return found

    def artist_albums(self, artist: int, now: int) -> list[int]:
        day = now // DAY_SECONDS
        found = [
            a for a in self.artists[artist].albums if self.albums[a].released_day <= day
        ]
        found.sort(key=lambda a: -self.album_counters(a, now)[1])
        return found

    def _is_out(self, track: int, day: int) -> bool:
        return self.tracks[track].released_day <= day

    def similar_artists(self, artist: int, now: int) -> list[tuple[int, float]]:
        return []

    # -- charts -------------------------------------------------------------
    def chart_artists(self, now: int) -> list[int]:
        """Artist indices by current popularity, not by their counters."""
        return []

    def chart_tracks(self, now: int) -> list[int]:
        return []

    def chart_tags(self, now: int) -> list[tuple[str, int, int]]:
        """(tag, reach, taggings), most used first."""
        return []

    def geo_artists(self, country: str, now: int) -> list[tuple[int, int]] | None:
        """(artist, listeners of the country); None for an unknown country."""
        return None

    def geo_tracks(self, country: str, now: int) -> list[tuple[int, int]] | None:
        return None

    def tag_artists(self, tag: str, now: int) -> list[int]:
        """Artist indices by weight of the tag, then size."""
        key = tag.casefold()
        if not self._tag_tops:
            tops: dict[str, list[tuple[int, int]]] = {}
            for artist in self.artists:
                for name, weight in artist.tags:
                    tops.setdefault(name.casefold(), []).append((artist.index, weight))
            for pairs in tops.values():
                pairs.sort(key=lambda pair: (-pair[1], pair[0]))
            self._tag_tops = tops
        day = now // DAY_SECONDS
        return [
            index
            for index, _ in self._tag_tops.get(key, [])
            if self.artists[index].debut_day <= day
            and not (
                self.artists[index].merged_into >= 0
                and day >= self.artists[index].merged_day
            )
        ]

    # -- listeners ----------------------------------------------------------
    def listener(self, name: str, now: int) -> Listener | None:
        found = self.people.get(name.casefold())
        if found is None or found.registered_uts > now:
            return None
        return found

    def plays(self, listener: Listener) -> Plays:
        return Plays([], [])

    def playcount(self, listener: Listener, now: int) -> int:
        shown = self.plays(listener).at(now)
        return listener.extra_playcount + shown.window(0, now)[1]

    def distinct(self, listener: Listener, now: int) -> tuple[int, int, int]:
        """How many (artists, albums, tracks) the listener has played by then."""
        shown = self.plays(listener).at(now)
        if shown.firsts is None:
            shown.firsts = tuple(self._firsts(shown, kind) for kind in GROUPS)
        artists, albums, tracks = (bisect_right(f, now) for f in shown.firsts)
        return artists, albums, tracks

    def _firsts(self, shown: Plays, kind: str) -> list[int]:
        """When each artist, album or track was first played, in order of time."""
        groups, _ = self._grouping(kind)
        first: dict[int, int] = {}
        for uts, variant in zip(shown.uts, shown.variants, strict=True):
            first.setdefault(groups[variant], uts)
        first.pop(-1, None)
        return sorted(first.values())

    def _grouping(self, kind: str) -> tuple[list[int], list[int]]:
        """(the group of each variant, -1 for none; one variant of each group)."""
        groups, chosen, known = self._groups[kind]
        for number in range(len(groups), len(self.variants)):
            variant = self.variants[number]
            name = (variant.artist_name, "")
            if kind == "album":
                name = (variant.artist_name, variant.album_name)
            elif kind == "track":
                name = (variant.artist_name, variant.track_name)
            if kind == "album" and not variant.album_name:
                groups.append(-1)
                continue
            group = known.get(name)
            if group is None:
                group = known[name] = len(chosen)
                chosen.append(number)
            groups.append(group)
        return groups, chosen

    def ranked(
        self, kind: str, listener: Listener, start: int, end: int
    ) -> list[tuple[int, int]]:
        """(a variant of it, plays) of each artist, album or track, most played first.

        Counts start <= uts <= end; ties go by the order of the catalogue.
        """
        with self._lock:
            groups, chosen = self._grouping(kind)
        shown = self.plays(listener).at(end)
        first, last = shown.window(start, end)
        counts: dict[int, int] = {}
        for variant, plays in shown.counted(first, last).items():
            group = groups[variant]
            counts[group] = counts.get(group, 0) + plays
        counts.pop(-1, None)
        # One number carries both, so that sorting needs no key function.
        size = len(chosen)
        packed = sorted(group - plays * size for group, plays in counts.items())
        return [(chosen[key % size], -(key // size)) for key in packed]

    def top_artists(
        self, listener: Listener, start: int, end: int
    ) -> list[tuple[str, str, int]]:
        """(name, mbid, plays), most played first."""
        variants = self.variants
        return [
            (variants[number].artist_name, variants[number].artist_mbid, plays)
            for number, plays in self.ranked("artist", listener, start, end)
        ]

    def loved(self, listener: Listener, now: int) -> list[tuple[int, int]]:
        """(variant, uts), newest first."""
        return []

    def personal_tags(self, listener: Listener, now: int) -> list[PersonalTag]:
        return []

    def first_week(self, listener: Listener) -> int:
        """From when on there are weekly charts of the listener."""
        shown = self.plays(listener).at(self.now())
        real = bisect_right(shown.uts, 0)
        if real < len(shown.uts):
            return shown.uts[real]
        return listener.registered_uts

    def now_playing(self, listener: Listener, now: int) -> int | None:
        """The variant on the listener's player at this moment."""
        if not listener.has_now_playing:
            return None
        shown = self.plays(listener).at(now)
        last = shown.window(0, now)[1]
        return shown.variants[last - 1] if last else None

    def truth(self, listener: Listener, now: int) -> list[Scrobble]:
        """The plays a client must end up with, oldest first, without those at 0."""
        shown = self.plays(listener).at(now)
        first, last = shown.window(1, now)
        rows = []
        for uts, number in zip(
            shown.uts[first:last], shown.variants[first:last], strict=True
        ):
            v = self.variants[number]
            rows.append(Scrobble(uts, v.artist_name, v.track_name, v.album_name))
        return rows

    def disturb(
        self, listener: Listener, kind: str, window: tuple[int, int], rng: Random
    ) -> None:
        """Change the history once, inside the window that was asked for.

        A play appears at the window's end (`arrive`) or between two others
        (`arrive_late`), goes (`delete`), gets another album (`edit_album`), is
        repeated at second 0 (`uts_zero`) or shares its second with another track
        (`same_second`).
        """
        plays = self.plays(listener)
        shown = plays.at(window[1])
        first, last = shown.window(max(1, window[0]), window[1])
        if first == last:
            return
        place = rng.randrange(first, last)
        uts, variant = shown.uts[place], shown.variants[place]
        if kind == "delete":
            plays.delete(uts, variant)
        elif kind in ("arrive", "arrive_late"):
            taken = set(shown.uts)
            moment = window[1] if kind == "arrive" else uts
            while moment in taken:
                moment -= 1
            plays.add(moment, variant)
        elif kind == "uts_zero":
            plays.add(0, variant)
        elif kind == "same_second":
            plays.add(uts, self._another(variant, rng))
        elif kind == "edit_album":
            album = f"{self.variants[variant].album_name} (Remastered)".strip()
            self.variants.append(
                replace(self.variants[variant], album_name=album, album_mbid="")
            )
            plays.replace(uts, variant, len(self.variants) - 1)

    def _another(self, variant: int, rng: Random) -> int:
        """A variant of another track."""
        track = self.variants[variant].track
        while True:
            other = rng.randrange(len(self.variants))
            if self.variants[other].track != track or len(self.tracks) < 2:
                return other

    # -- others -------------------------------------------------------------
    def recordings(self) -> list[Recording]:
        return []

    def describe(self) -> dict[str, object]:
        """The panel and the clock, served at /world.json."""
        return {
            "world": self.name,
            "seed": self.seed,
            "today": self.current_day().isoformat(),
            "now": self.now(),
            "listeners": list(self.listeners),
            "countries": list(self.countries),
            "tags": list(self.tags),
        }
