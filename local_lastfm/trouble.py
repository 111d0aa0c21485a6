"""A small world with one listener, `trouble`, whose history is hard to get right.

The history is a script: every play says when it appears, when it vanishes and which
album it has from when on, so that `truth` is known for any instant. `deep` also
changes plays that lie weeks back, which only a second full walk can notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from random import Random

from local_lastfm.catalogue import (
    DAY_SECONDS,
    Album,
    Artist,
    Listener,
    Plays,
    Track,
    Variant,
)
from local_lastfm.world import World

DAYS = 40
PLAYS_PER_DAY = 36
ZEROS = 43
FOREVER = 1 << 40
ARTISTS = (
    "Trouble & Strife",
    "[unknown]",
    "A/B Test",
    "100%+",
    "<b>Bold</b>",
    'The "Inverted Commas"',
    "二重奏",
    "Дублет",
    "Twin 👯 Twin",
    "Same Second",
)


@dataclass(slots=True)
class ScriptedPlay:
    """Shown at t when shown_from <= t < gone_from; `looks` are (from, variant)."""

    uts: int
    looks: list[tuple[int, int]]
    shown_from: int = 0
    gone_from: int = FOREVER

    def variant(self, now: int) -> int:
        return next(v for since, v in reversed(self.looks) if since <= now)


class ScriptedPlays(Plays):
    """Plays that change with the instant they are looked at."""

    def __init__(self, script: list[ScriptedPlay]) -> None:
        super().__init__([], [])
        self.script = script

    def at(self, now: int) -> Plays:
        shown = [
            (play.uts, play.variant(now))
            for play in self.script
            if play.shown_from <= now < play.gone_from
        ]
        shown.sort(key=lambda row: row[0])
        return Plays([uts for uts, _ in shown], [variant for _, variant in shown])

    def add(self, uts: int, variant: int) -> None:
        self.script.append(ScriptedPlay(uts, [(0, variant)]))

    def _find(self, uts: int, variant: int) -> ScriptedPlay:
        for play in self.script:
            if play.uts == uts and any(look == variant for _, look in play.looks):
                return play
        raise LookupError(f"no play at {uts}")

    def delete(self, uts: int, variant: int) -> None:
        self.script.remove(self._find(uts, variant))

    def replace(self, uts: int, variant: int, other: int) -> None:
        self._find(uts, variant).looks = [(0, other)]


class TroubleWorld(World):
    """`trouble` has the troubles; `calm` is there to be mistaken for."""

    name = "trouble"

    def __init__(
        self, today: date | None = None, seed: int = 1, deep: bool = False
    ) -> None:
        super().__init__(today, seed)
        self.is_deep = deep
        self._rng = Random(seed)
        self.last_day = self.now() // DAY_SECONDS
        self.first_day = self.last_day - DAYS + 1
        self.tag_names = ["trouble", "twins"]
        self._make_catalogue()
        registered = (self.first_day - 1000) * DAY_SECONDS
        for index, name in enumerate(("trouble", "calm")):
            self.people[name] = Listener(
                index=index,
                name=name.capitalize() if index == 0 else name,
                country="Finland",
                registered_uts=registered,
                has_now_playing=index == 0,
                friends=(("calm",), ("trouble",))[index],
            )
        self.listeners = ("trouble", "calm")
        self.tags = ("trouble",)
        self._script = {0: self._make_trouble(), 1: self._make_calm()}

    def _make_catalogue(self) -> None:
        for name in ARTISTS:
            artist = Artist(len(self.artists), name, tags=(("trouble", 100),))
            self.artists.append(artist)
            self.artist_names[name.casefold()] = artist.index
            album = Album(len(self.albums), f"{name} I", artist.index)
            self.albums.append(album)
            artist.albums.append(album.index)
            for number in range(6):
                track = Track(
                    index=len(self.tracks),
                    name=f"{name} No. {number}" if number else "Untitled",
                    artist=artist.index,
                    album=album.index,
                    duration_seconds=150 + 10 * number,
                    share=0.15,
                )
                self.tracks.append(track)
                artist.tracks.append(track.index)
                album.tracks.append(track.index)
                self.variants.append(
                    Variant(track.index, name, track.name, album.name, "", "", "")
                )

    def _edited(self, variant: int) -> int:
        """The same track with another album name and another mbid."""
        old = self.variants[variant]
        self.variants.append(
            replace(
                old,
                album_name=f"{old.album_name} (Deluxe Edition)",
                album_mbid="00000000-0000-4000-a000-00000000ed17",
                track_mbid="00000000-0000-4000-a000-0000000074ac",
            )
        )
        return len(self.variants) - 1

    def _day(self, day: int, tracks: Iterator[int]) -> list[ScriptedPlay]:
        """Evening-heavy plays; some share a second, one is the last of the day."""
        rng = self._rng
        start = day * DAY_SECONDS
        times = sorted(rng.sample(range(6 * 3600, 23 * 3600), PLAYS_PER_DAY - 12))
        late = range(start + 21 * 3600, start + 23 * 3600 + 3000, 700)
        plays = [ScriptedPlay(start + at, [(0, next(tracks))]) for at in times]
        plays += [ScriptedPlay(at, [(0, next(tracks))]) for at in late]
        for twin in rng.sample(plays, 5):
            for _ in range(rng.choice((1, 1, 2))):
                plays.append(ScriptedPlay(twin.uts, [(0, next(tracks))]))
        return plays

    def _cycle(self) -> Iterator[int]:
        """All variants in turn, shuffled anew: no twin is the same track."""
        while True:
            order = list(range(6 * len(ARTISTS)))
            self._rng.shuffle(order)
            yield from order

    def _make_trouble(self) -> ScriptedPlays:
        rng, tracks = self._rng, self._cycle()
        script: list[ScriptedPlay] = []
        for day in range(self.first_day, self.last_day + 1):
            plays = self._day(day, tracks)
            script += plays
            morning = (day + 1) * DAY_SECONDS + 600
            # After the day was read: all within 3 hours of the last play.
            end = day * DAY_SECONDS + 23 * 3600
            shallow = [p for p in plays if end - 5400 <= p.uts < end + 1200]
            gone, edited, edited_too = rng.sample(shallow, 3)
            gone.gone_from = morning
            for play in (edited, edited_too):
                play.looks.append((morning, self._edited(play.looks[0][1])))
            script.append(
                ScriptedPlay(end - 3601, [(0, next(tracks))], shown_from=morning)
            )
            if self.is_deep and day > self.first_day + 10 and day % 5 == 0:
                old = rng.sample(script[:200], 6)
                for play in old[:3]:
                    play.gone_from = min(play.gone_from, morning)
                for play in old[3:]:
                    play.looks.append((morning, self._edited(play.looks[-1][1])))
        script += [
            ScriptedPlay(0, [(0, variant)])
            for variant in rng.sample(range(6 * len(ARTISTS)), ZEROS)
        ]
        return ScriptedPlays(self._without_repeats(script))

    def _without_repeats(self, script: list[ScriptedPlay]) -> list[ScriptedPlay]:
        """One row per second, artist and track: last.fm keeps no more."""
        kept: dict[tuple[int, int], ScriptedPlay] = {}
        for play in script:
            kept.setdefault((play.uts, self.variants[play.looks[0][1]].track), play)
        return list(kept.values())

    def _make_calm(self) -> ScriptedPlays:
        rng = self._rng
        start = self.first_day * DAY_SECONDS
        return ScriptedPlays(
            [
                ScriptedPlay(start + 3 + 7200 * step, [(0, rng.randrange(60))])
                for step in range(12 * DAYS)
            ]
        )

    def plays(self, listener: Listener) -> Plays:
        return self._script[listener.index]

    def chart_artists(self, now: int) -> list[int]:
        return [artist.index for artist in self.artists]

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        """Of a crowd that is not shown: so many more every hour."""
        hours = (now + 1) // 3600 - self.first_day * 24
        return 1000 * (index + 1) + 3 * hours, 40_000 * (index + 1) + 150 * hours

    def chart_tags(self, now: int) -> list[tuple[str, int, int]]:
        return [("trouble", 20, 300), ("twins", 10, 100)]
