"""lastfm-1k as a last.fm: real scrobbles, to the second, of the users in the file.

Non-commercial data (O. Celma, last.fm 1K users), read from a file, never copied. Rows:
user, time, artist mbid, artist, track mbid, track. No albums, no durations.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime
from pathlib import Path

from local_lastfm.catalogue import Artist, Listener, Plays, Track, Variant
from local_lastfm.world import World

COLUMNS = 6


class Lastfm1kWorld(World):
    """Counters of an artist or track count the plays of these listeners by then."""

    name = "lastfm-1k"

    def __init__(self, file: Path, today: date | None = None) -> None:
        super().__init__(today)
        if not file.is_file():
            raise ValueError(f"no file {file}")
        self._tracks: dict[tuple[str, str], int] = {}
        self._variants: dict[tuple[int, str, str], int] = {}
        self._plays_of: dict[int, list[tuple[int, int]]] = {}
        with file.open(encoding="utf-8", newline="") as lines:
            for number, line in enumerate(lines, 1):
                row = line.rstrip("\r\n").split("\t")
                if len(row) != COLUMNS:
                    raise ValueError(f"{file}:{number}: {len(row)} columns, not 6")
                self._add(row)
        self._histories: dict[int, Plays] = {}
        self._artist_times: dict[int, list[int]] = {}
        self._track_times: dict[int, list[int]] = {}
        first_heard: dict[tuple[int, int], int] = {}
        for listener in self.people.values():
            rows = sorted(self._plays_of[listener.index], key=lambda row: row[0])
            plays = Plays([uts for uts, _ in rows], [number for _, number in rows])
            self._histories[listener.index] = plays
            listener.registered_uts = plays.uts[0]
            for uts, number in rows:
                track = self.tracks[self.variants[number].track]
                self._artist_times.setdefault(track.artist, []).append(uts)
                self._track_times.setdefault(track.index, []).append(uts)
                first_heard.setdefault((listener.index, track.artist), uts)
        self._heard: dict[int, list[int]] = {}
        for (_, artist), uts in first_heard.items():
            self._heard.setdefault(artist, []).append(uts)
        for table in (self._artist_times, self._track_times, self._heard):
            for times in table.values():
                times.sort()
        self.listeners = tuple(listener.name for listener in self.people.values())

    def _add(self, row: list[str]) -> None:
        user, when, artist_mbid, artist_name, track_mbid, track_name = row
        listener = self.people.get(user)
        if listener is None:
            listener = Listener(index=len(self.people), name=user)
            self.people[user] = listener
        artist = self.artist_names.get(artist_name.casefold())
        if artist is None:
            artist = len(self.artists)
            self.artists.append(Artist(artist, artist_name, artist_mbid))
            self.artist_names[artist_name.casefold()] = artist
        key = (artist_name, track_name)
        track = self._tracks.get(key)
        if track is None:
            track = len(self.tracks)
            self.tracks.append(Track(track, track_name, artist, mbid=track_mbid))
            self.artists[artist].tracks.append(track)
            self._tracks[key] = track
        spelling = (track, artist_mbid, track_mbid)
        variant = self._variants.get(spelling)
        if variant is None:
            variant = len(self.variants)
            self._variants[spelling] = variant
            self.variants.append(
                Variant(track, artist_name, track_name, "", artist_mbid, track_mbid, "")
            )
        uts = int(datetime.fromisoformat(when).timestamp())
        self._plays_of.setdefault(listener.index, []).append((uts, variant))

    def plays(self, listener: Listener) -> Plays:
        return self._histories[listener.index]

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        heard = bisect_right(self._heard.get(index, []), now)
        return heard, bisect_right(self._artist_times.get(index, []), now)

    def track_counters(self, index: int, now: int) -> tuple[int, int]:
        plays = bisect_right(self._track_times.get(index, []), now)
        return min(plays, len(self.people)), plays

    def chart_artists(self, now: int) -> list[int]:
        plays = {a.index: self.artist_counters(a.index, now)[1] for a in self.artists}
        heard = [index for index, count in plays.items() if count]
        return sorted(heard, key=lambda index: (-plays[index], index))

    def chart_tracks(self, now: int) -> list[int]:
        plays = {t.index: self.track_counters(t.index, now)[1] for t in self.tracks}
        heard = [index for index, count in plays.items() if count]
        return sorted(heard, key=lambda index: (-plays[index], index))
