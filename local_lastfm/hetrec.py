"""hetrec2011-lastfm-2k as a last.fm: real play counts, friends and dated tags.

Non-commercial data of last.fm users (HetRec 2011), read from a folder, never copied.
There are no scrobbles in it. Tag dates are shown as they are, the impossible years
1956 to 1979 included. Users are called by their number.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from local_lastfm.catalogue import DAY_SECONDS, Artist, Listener
from local_lastfm.world import PersonalTag, World, day_number

PANEL_TAGS = 20
FILES = (
    "artists.dat",
    "tags.dat",
    "user_artists.dat",
    "user_friends.dat",
    "user_taggedartists.dat",
)


def read_table(path: Path) -> list[list[str]]:
    """Rows of a tab-separated file without its header, UTF-8 or else Latin-1."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = text.replace("\r\n", "\n").split("\n")
    return [line.split("\t") for line in lines[1:] if line]


class HetrecWorld(World):
    """1,892 listeners; counters are sums over them, the same on every day."""

    name = "hetrec"
    dated_tags = True

    def __init__(self, folder: Path, today: date | None = None) -> None:
        super().__init__(today)
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise ValueError(f"no {', '.join(missing)} in {folder}")
        self._index: dict[str, int] = {}
        for number, name, *_ in read_table(folder / "artists.dat"):
            self._add_artist(number, name)
        self._tops: dict[int, list[tuple[int, int]]] = {}
        self._listeners_of: Counter[int] = Counter()
        self._plays_of: Counter[int] = Counter()
        self._read_plays(folder)
        self._read_friends(folder)
        self._own_tags: dict[int, list[PersonalTag]] = {}
        self._tag_counts: Counter[str] = Counter()
        self._taggers: Counter[str] = Counter()
        self._read_tags(folder)
        self._chart = sorted(
            range(len(self.artists)), key=lambda a: (-self._plays_of[a], a)
        )
        self.listeners = tuple(listener.name for listener in self.people.values())
        ranked = sorted(self._tag_counts.items(), key=lambda row: (-row[1], row[0]))
        self.tag_names = [tag for tag, _ in ranked]
        self.tags = tuple(self.tag_names[:PANEL_TAGS])

    def _add_artist(self, number: str, name: str) -> int:
        index = len(self.artists)
        self._index[number] = index
        self.artists.append(Artist(index, name))
        self.artist_names.setdefault(name.casefold(), index)
        return index

    def _read_plays(self, folder: Path) -> None:
        for user, number, weight in read_table(folder / "user_artists.dat"):
            listener = self.people.get(user)
            if listener is None:
                listener = Listener(index=len(self.people), name=user)
                self.people[user] = listener
            artist, plays = self._index[number], int(weight)
            self._tops.setdefault(listener.index, []).append((artist, plays))
            self._listeners_of[artist] += 1
            self._plays_of[artist] += plays
        for pairs in self._tops.values():
            pairs.sort(key=lambda pair: (-pair[1], self.artists[pair[0]].name))

    def _read_friends(self, folder: Path) -> None:
        friends: dict[str, list[str]] = {}
        for user, friend in read_table(folder / "user_friends.dat"):
            friends.setdefault(user, []).append(friend)
        for user, names in friends.items():
            self.people[user].friends = tuple(names)

    def _read_tags(self, folder: Path) -> None:
        words = {row[0]: row[1] for row in read_table(folder / "tags.dat")}
        by_artist: dict[int, Counter[str]] = {}
        pairs: set[tuple[str, str]] = set()
        for row in read_table(folder / "user_taggedartists.dat"):
            user, number, tag_number, day, month, year = row
            tag = words[tag_number]
            artist = self._index.get(number)
            if artist is None:  # tagged, but nobody's play and without a name
                artist = self._add_artist(number, f"(artist {number})")
            at = day_number(date(int(year), int(month), int(day))) * DAY_SECONDS
            listener = self.people[user]
            self._own_tags.setdefault(listener.index, []).append(
                PersonalTag(tag, "artist", artist, at)
            )
            counts = by_artist.get(artist)
            if counts is None:
                counts = by_artist[artist] = Counter()
            counts[tag] += 1
            self._tag_counts[tag] += 1
            if (user, tag) not in pairs:
                pairs.add((user, tag))
                self._taggers[tag] += 1
        for artist, counts in by_artist.items():
            most = max(counts.values())
            ranked = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
            self.artists[artist].tags = tuple(
                (tag, max(1, 100 * count // most)) for tag, count in ranked[:100]
            )

    def playcount(self, listener: Listener, now: int) -> int:
        return sum(plays for _, plays in self._tops[listener.index])

    def distinct(self, listener: Listener, now: int) -> tuple[int, int, int]:
        return len(self._tops[listener.index]), 0, 0

    def top_artists(
        self, listener: Listener, start: int, end: int
    ) -> list[tuple[str, str, int]]:
        """The whole table for every period: it says nothing about when."""
        return [
            (self.artists[artist].name, "", plays)
            for artist, plays in self._tops[listener.index]
        ]

    def personal_tags(self, listener: Listener, now: int) -> list[PersonalTag]:
        return self._own_tags.get(listener.index, [])

    def first_week(self, listener: Listener) -> int:
        return self.now()

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        return self._listeners_of[index], self._plays_of[index]

    def chart_artists(self, now: int) -> list[int]:
        return self._chart

    def chart_tags(self, now: int) -> list[tuple[str, int, int]]:
        return [
            (tag, self._taggers[tag], self._tag_counts[tag]) for tag in self.tag_names
        ]
