"""The demo world: an invented last.fm which lives on, day after day.

Everything depends on the seed and on absolute days, never on which day it is asked:
the world of a day is the same whatever today is. Counters start at a fixed epoch;
histories start on the Monday that lies at least 95 days before the day `since`, so that
a first fetch stays small for ever, and who goes on names the day of that first fetch.
(Dates before 2027 use the epoch of the year before.)
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from math import cos, exp, pi, pow, sin
from random import Random
from threading import Lock

from local_lastfm import changes, names
from local_lastfm.catalogue import (
    DAY_SECONDS,
    Album,
    Artist,
    Listener,
    Plays,
    Track,
    Variant,
)
from local_lastfm.world import PersonalTag, World, day_number

ARTISTS = 320
DEBUTS = 36
DEBUT_EVERY_DAYS = 45
PEOPLE = 67
HISTORY_DAYS = 95
TOP_PLAYS_PER_DAY = 1_300_000
ZIPF_EXPONENT = 0.93
WEEKDAYS = (1.0, 1.01, 1.02, 1.02, 1.05, 0.96, 0.92)  # Monday first
# Nearly the longest name that is loaded: what is longer is a dead letter.
LONG_TITLE = ("This Title Is a Joke Which Somebody Found Funny Once. " * 47).strip()

TAGS = names.words("""
rock electronic alternative indie pop metal ambient folk jazz experimental punk
hip-hop soul hardcore instrumental black+metal death+metal industrial classical
house techno soundtrack post-rock shoegaze dream+pop synthpop new+wave idm trip-hop
downtempo drum+and+bass dubstep reggae blues country singer-songwriter acoustic
female+vocalists psychedelic progressive+rock stoner+rock doom+metal grindcore noise
drone krautrock math+rock emo ska funk disco latin bossa+nova j-pop k-pop chanson
schlager game+music seen+live 80s lo-fi r&b/soul
""")
COUNTRIES = {
    "United Kingdom": 0,
    "Germany": 1,
    "Brazil": -3,
    "Japan": 9,
    "Poland": 1,
    "United States": -6,
    "Mexico": -6,
    "Finland": 2,
    "Türkiye": 3,
    "Korea, Republic of": 9,
}
PANEL_COUNTRIES = tuple(COUNTRIES)[:5]
COUNTRY_SHARE = (0.11, 0.07, 0.13, 0.025, 0.05, 0.28, 0.06, 0.012, 0.02, 0.01)
OWN_TAGS = ("favourites", "seen live", "for the train", "köttur 🐈", "check out")
# Local hour -> how likely a session starts in it.
HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 8, 8, 9, 9, 9, 10, 11, 11, 10, 9, 7, 4)
WEEKEND_HOURS = (
    4,
    3,
    2,
    1,
    1,
    1,
    1,
    2,
    4,
    6,
    8,
    9,
    9,
    9,
    9,
    9,
    9,
    9,
    9,
    10,
    10,
    10,
    9,
    7,
)


def _mix(*numbers: int) -> int:
    """One 64-bit number from several; splitmix64, the same on every machine."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state


def _mbid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def history_start(since: date) -> date:
    """The last Monday that is 95 days before that day or earlier."""
    reach = since - timedelta(days=HISTORY_DAYS)
    return reach - timedelta(days=reach.weekday())


def epoch_of(today: date) -> date:
    """Where counters start: 2026, or the year before for dates in the past."""
    return date(min(2026, (today - timedelta(days=150)).year), 1, 1)


@dataclass(frozen=True)
class Habits:
    """How a listener listens: shares of sessions and plays, from 0 to 1."""

    album_share: float
    without_album: float
    misspells: bool


@dataclass(frozen=True)
class Week:
    """What a listener chooses from in a week: artists with cumulated weights."""

    number: int
    artists: list[int]
    weights: list[float]
    songs: dict[int, tuple[list[int], int]] = field(default_factory=dict)


class _Counters:
    """Global counters of one artist, day by day from the epoch on."""

    def __init__(self, world: DemoWorld, artist: Artist, rank: int) -> None:
        rng = Random(_mix(world.seed, 11, artist.index))
        self._rng = rng
        self._lock = Lock()
        self._artist = artist
        self._day = world.epoch_day - 1
        self.first_day = world.epoch_day
        flow = TOP_PLAYS_PER_DAY / pow(rank + 1, ZIPF_EXPONENT)
        flow *= exp(rng.gauss(0, 0.25))
        self.base_flow = flow
        years = 0.0 if artist.debut_day else rng.uniform(0.8, 2.6)
        self._plays = flow * 365 * years
        # Plays a listener ends up with: large artists are heard more often.
        per_listener = 160 / pow(rank + 2, 0.25) * rng.uniform(0.7, 1.3)
        self._plays_per_listener = 18 + per_listener
        self._listeners = self._plays / self._plays_per_listener
        self._period = rng.uniform(300, 900)
        self._phase = rng.uniform(0, 2 * pi)
        self._swing = rng.choice((0.08, 0.1, 0.15, 0.15, 0.3, 0.5, 0.8))
        names = {name for name, _ in artist.tags}
        self._season = 0.0
        if "chanson" in names and rank % 3 == 0:
            self._season = 1.6
        elif "latin" in names or "reggae" in names:
            self._season = -0.5
        self._walk = 0.0
        self._shock = 0.0
        self.releases = world.release_days.get(artist.index, [])
        self.flows: list[float] = []
        self.heat: list[float] = []
        # Shown at the end of each day; [0] is the state before the epoch.
        self.plays: list[int] = [int(self._plays)]
        self.listeners: list[int] = [int(self._listeners)]

    def extend(self, day: int) -> None:
        """Compute all days up to and including `day`."""
        if self._day >= day:
            return
        with self._lock:
            self._extend(day)

    def _extend(self, day: int) -> None:
        rng = self._rng
        while self._day < day:
            today = self._day + 1
            first, second = rng.gauss(0, 1), rng.gauss(0, 1)
            chance, luck = rng.random(), rng.random()
            self._walk = 0.985 * self._walk + 0.035 * first
            self._shock *= 0.85
            if chance > 0.9994:
                self._shock = 1.0 + luck
            trend = self._swing * sin(2 * pi * today / self._period + self._phase)
            if self._season:
                trend += self._season * max(0.0, cos(2 * pi * (today - 345) / 365.25))
            boost = 1.0
            for released in self.releases:
                if 0 <= today - released < 90:
                    boost += 1.4 * exp((released - today) / 18)
            heat = exp(trend + self._walk + self._shock) * boost
            if self._artist.debut_day:
                age = today - self._artist.debut_day
                heat *= 0.0 if age < 0 else 1.05 - exp(-(age + 1) / 45)
            self.heat.append(heat)
            flow = self.base_flow * heat * WEEKDAYS[(today + 3) % 7]
            # So noisy a day, next to the walk's 0.035, makes 0.3 the right gain of the
            # artist value's level: with less, its price could be foretold.
            flow *= exp(0.11 * second)
            self.flows.append(flow)
            self._plays += flow
            novelty = 1.0 + 1.5 * (boost - 1.0) + 0.8 * self._shock
            self._listeners += (
                flow * novelty * (0.97 + 0.06 * luck) / self._plays_per_listener / 1.6
            )
            # A correction: last.fm takes plays of robots out again, 1 to 5 days' worth.
            if chance < 0.0005 and flow > 0:
                taken = flow * (1 + 4 * luck)
                self._plays = max(0.0, self._plays - taken)
                self._listeners = max(0.0, self._listeners - taken / 60)
            stalled = today % 61 == 17 or (
                chance < 0.004 and chance >= 0.0025 and luck < 0.9
            )
            if stalled:
                self.plays.append(self.plays[-1])
                self.listeners.append(self.listeners[-1])
            else:
                self.plays.append(int(self._plays))
                self.listeners.append(int(self._listeners))
            # Last: other threads take it as the sign that the day is there.
            self._day = today

    def at(self, now: int) -> tuple[int, int]:
        """(listeners, plays) at that second, straight lines between ends of days."""
        place = now // DAY_SECONDS - self.first_day
        if place < 0:
            return self.listeners[0], self.plays[0]
        self.extend(place + self.first_day)
        part = (now % DAY_SECONDS + 1) / DAY_SECONDS
        low, high = self.listeners[place], self.listeners[place + 1]
        few, many = self.plays[place], self.plays[place + 1]
        return int(low + (high - low) * part), int(few + (many - few) * part)

    def heat_on(self, day: int) -> float:
        place = day - self.first_day
        if place < 0:
            return 1.0
        self.extend(day)
        return self.heat[place]

    def flow_on(self, day: int) -> float:
        place = day - self.first_day
        if place < 0:
            return self.base_flow
        self.extend(day)
        return self.flows[place]


class DemoWorld(World):
    """See the module; `listeners`, `countries` and `tags` are the default panel."""

    name = "demo"

    def __init__(
        self, today: date | None = None, seed: int = 1, since: date | None = None
    ) -> None:
        super().__init__(today, seed)
        day = self.current_day()
        self.epoch_day = day_number(epoch_of(day))
        self.start_day = day_number(history_start(min(since or day, day)))
        self.last_day = day_number(day)
        self.tag_names = list(TAGS)
        self.release_days: dict[int, list[int]] = {}
        self._day_charts: dict[tuple[str, int], list[int]] = {}
        self._country_charts: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._affinity: dict[int, list[float]] = {}
        self._similar: dict[tuple[int, int], list[tuple[int, float]]] = {}
        self._rng = Random(_mix(seed, 1))
        self._make_artists()
        self._make_recordings()
        self._make_variants()
        self._counters = [
            _Counters(self, artist, self._ranks[artist.index])
            for artist in self.artists
        ]
        self._make_people()
        self._plays: dict[int, Plays] = {}
        self._loved: dict[int, list[tuple[int, int]]] = {}
        self._own_tags: dict[int, list[PersonalTag]] = {}
        self._changed = sorted(
            [a.renamed_day for a in self.artists if a.former_name]
            + [a.merged_day for a in self.artists if a.merged_into >= 0]
            + [a.debut_day for a in self.artists if a.debut_day]
            + [day for days in self.release_days.values() for day in days]
        )

    # -- catalogue ----------------------------------------------------------
    def _make_artists(self) -> None:
        rng = self._rng
        taken = {name.casefold() for name in names.AWKWARD_ARTISTS}
        awkward = list(names.AWKWARD_ARTISTS)
        places = dict(
            zip(rng.sample(range(ARTISTS), len(awkward)), awkward, strict=True)
        )
        countries = list(COUNTRIES)
        self._ranks = []
        for index in range(ARTISTS + DEBUTS):
            name = places.get(index) or names.artist_name(rng, taken)
            main = min(int(rng.expovariate(1 / 14)), len(self.tag_names) - 1)
            others = rng.sample(range(len(self.tag_names)), rng.randint(1, 5))
            tags = [(self.tag_names[main], 100)]
            weight = 100
            for other in others:
                weight = int(weight * rng.uniform(0.3, 0.95))
                if other != main:
                    tags.append((self.tag_names[other], max(1, weight)))
            artist = Artist(
                index=index,
                name=name,
                mbid=_mbid(rng) if rng.random() < 0.62 else "",
                tags=tuple(tags) if name != "[unknown]" else (),
                country=rng.choices(countries, COUNTRY_SHARE)[0],
            )
            rank = index
            if index >= ARTISTS:
                number = index - ARTISTS
                artist.debut_day = self.epoch_day + 20 + number * DEBUT_EVERY_DAYS
                rank = rng.randrange(30, 300)
            self._ranks.append(rank)
            self.artists.append(artist)
            self.artist_names[name.casefold()] = index
        self._make_corrections(rng, taken)

    def _make_corrections(self, rng: Random, taken: set[str]) -> None:
        """Renamed and merged artists, and misspellings which were always corrected."""
        ordinary = [
            a.index
            for a in self.artists[40:ARTISTS]
            if a.name not in names.AWKWARD_ARTISTS
        ]
        chosen = rng.sample(ordinary, 40)
        for number, index in enumerate(chosen[:12]):
            artist = self.artists[index]
            artist.former_name = names.artist_name(rng, taken)
            artist.renamed_day = self.epoch_day + 25 + number * 47
            self.artist_aliases[artist.former_name.casefold()] = index
        for number, index in enumerate(chosen[12:18]):
            artist = self.artists[index]
            artist.merged_into = chosen[34 + number]
            artist.merged_day = self.epoch_day + 70 + number * 83
        for index in [*chosen[18:34], *range(0, 30, 3)]:
            name = self.artists[index].name
            wrong = name[4:] if name.startswith("The ") else f"The {name}"
            if "&" in name:
                wrong = name.replace("&", "and")
            if wrong.casefold() not in self.artist_names:
                self.artist_aliases.setdefault(wrong.casefold(), index)
        self.merges: dict[int, list[int]] = {}
        for artist in self.artists:
            if artist.merged_into >= 0:
                self.merges.setdefault(artist.merged_into, []).append(artist.index)

    def _make_recordings(self) -> None:
        """Albums and tracks; every third artist goes on releasing albums."""
        for artist in self.artists:
            rng = Random(_mix(self.seed, 2, artist.index))
            taken: set[str] = set()
            albums_taken: set[str] = set()
            albums = 1 + (rng.random() < 0.55) + (rng.random() < 0.2)
            for _ in range(albums):
                released = artist.debut_day
                self._make_album(artist, rng, taken, albums_taken, released)
            singles = rng.randint(0, 3)
            for _ in range(singles):
                self._make_track(artist, rng, taken, -1, artist.debut_day)
        self.tracks[self.artists[7].tracks[-1]].name = LONG_TITLE
        releases = []
        for artist in self.artists[::3]:
            rng = Random(_mix(self.seed, 3, artist.index))
            day = self.epoch_day + rng.randint(0, 400)
            while day <= self.last_day + 1:
                releases.append((day, artist.index))
                day += rng.randint(250, 700)
        for day, index in sorted(releases):
            artist = self.artists[index]
            rng = Random(_mix(self.seed, 4, index, day))
            taken = {self.tracks[t].name.casefold() for t in artist.tracks}
            albums_taken = {self.albums[a].name.casefold() for a in artist.albums}
            released = max(day, artist.debut_day)
            self.release_days.setdefault(index, []).append(released)
            self._make_album(artist, rng, taken, albums_taken, released)
        for artist in self.artists:
            count = len(artist.tracks)
            weights = [1 / (place + 1) ** 0.8 for place in range(count)]
            rng = Random(_mix(self.seed, 5, artist.index))
            for track, weight in zip(artist.tracks, weights, strict=True):
                self.tracks[track].share = weight * rng.uniform(0.7, 1.3) / 6

    def _make_album(
        self,
        artist: Artist,
        rng: Random,
        taken: set[str],
        albums_taken: set[str],
        released: int,
    ) -> None:
        album = Album(
            index=len(self.albums),
            name=names.album_name(rng, albums_taken),
            artist=artist.index,
            mbid=_mbid(rng) if rng.random() < 0.5 else "",
            released_day=released,
        )
        if rng.random() < 0.05:
            album.name = artist.name
        self.albums.append(album)
        artist.albums.append(album.index)
        for _ in range(rng.choice((3, 4, 4, 5, 5, 6, 8))):
            self._make_track(artist, rng, taken, album.index, released)

    def _make_track(
        self, artist: Artist, rng: Random, taken: set[str], album: int, released: int
    ) -> None:
        seconds = int(min(1800, max(31, rng.lognormvariate(5.4, 0.32))))
        track = Track(
            index=len(self.tracks),
            name=names.track_name(rng, taken),
            artist=artist.index,
            album=album,
            duration_seconds=seconds if rng.random() < 0.94 else 0,
            mbid=_mbid(rng) if rng.random() < 0.33 else "",
            released_day=released,
        )
        self.tracks.append(track)
        artist.tracks.append(track.index)
        if album >= 0:
            self.albums[album].tracks.append(track.index)

    def _make_variants(self) -> None:
        """Two for each track (with and without album), more for changed names."""
        for track in self.tracks:
            artist = self.artists[track.artist]
            album = self.albums[track.album] if track.album >= 0 else None
            for with_album in (True, False):
                shown = album if with_album else None
                self.variants.append(
                    Variant(
                        track=track.index,
                        artist_name=artist.name,
                        track_name=track.name,
                        album_name=shown.name if shown else "",
                        artist_mbid=artist.mbid,
                        track_mbid=track.mbid,
                        album_mbid=shown.mbid if shown else "",
                    )
                )
        # Track -> the variants to use instead before a rename, or by spelling.
        self._former: dict[int, tuple[int, int]] = {}
        self._spelled: dict[int, int] = {}
        spelled = {index: key for key, index in self.artist_aliases.items()}
        for artist in self.artists:
            wrong = spelled.get(artist.index, "")
            for number in artist.tracks:
                base = self.variants[2 * number]
                if artist.former_name:
                    self._former[number] = (artist.renamed_day, len(self.variants))
                    self.variants.append(self._respelled(base, artist.former_name))
                elif wrong:
                    self._spelled[number] = len(self.variants)
                    self.variants.append(self._respelled(base, wrong.title()))

    @staticmethod
    def _respelled(base: Variant, artist_name: str) -> Variant:
        return Variant(
            track=base.track,
            artist_name=artist_name,
            track_name=base.track_name,
            album_name=base.album_name,
            artist_mbid="",
            track_mbid=base.track_mbid,
            album_mbid=base.album_mbid,
        )

    # -- people -------------------------------------------------------------
    def _make_people(self) -> None:
        rng = Random(_mix(self.seed, 6))
        taken: set[str] = set()
        countries = list(COUNTRIES)
        made: list[Listener] = []
        for index in range(PEOPLE + 8):
            registered = day_number(date(2005, 1, 1)) + rng.randrange(7000)
            if index % 13 == 5:  # joined while we watched
                registered = self.epoch_day + 30 + index // 13 * 110
            listener = Listener(
                index=index,
                name=names.listener_name(rng, taken),
                country=rng.choices(countries, COUNTRY_SHARE)[0],
                registered_uts=registered * DAY_SECONDS + rng.randrange(DAY_SECONDS),
                has_now_playing=index % 16 == 4,
                extra_playcount=rng.randrange(500, 20_000) if index % 19 == 7 else 0,
            )
            if index % 9 == 2:
                listener.country = ""
            made.append(listener)
        for number, name in enumerate(("loop_machine", "radio24h", "weekendrobot")):
            bot = made[PEOPLE - 6 + number]
            bot.name, bot.is_bot = name, True
        made[PEOPLE - 3].is_private = made[PEOPLE - 2].is_private = True
        made[PEOPLE - 1].name = "empty_shelf"
        made[PEOPLE - 1].extra_playcount = 0
        known = made[:PEOPLE]
        for listener in known:
            self.people[listener.name.casefold()] = listener
        outside = [listener.name for listener in made[PEOPLE:]]
        for listener in made[PEOPLE:]:
            self.people[listener.name.casefold()] = listener
        pairs: dict[int, set[int]] = {listener.index: set() for listener in made}
        for one in range(PEOPLE - 2):
            for other in rng.sample(range(PEOPLE - 2), rng.randint(0, 4)):
                if one != other:
                    pairs[one].add(other)
                    pairs[other].add(one)
            if rng.random() < 0.3:
                pairs[one].add(PEOPLE + rng.randrange(len(outside)))
        for listener in made:
            friends = sorted(pairs[listener.index])
            listener.friends = tuple(made[friend].name for friend in friends)
        self.listeners = tuple(
            listener.name
            for listener in known
            if listener.registered_uts // DAY_SECONDS <= self.last_day
        )
        self.countries = PANEL_COUNTRIES
        self.tags = tuple(self.tag_names[:4])
        self._last_listened = PEOPLE - 1

    def _taste(self, listener: Listener) -> list[tuple[int, float, float, float]]:
        """(artist, weight, phase, period of the interest) for one listener."""
        rng = Random(_mix(self.seed, 7, listener.index))
        own = set(rng.sample(self.tag_names[:40], 4))
        scored = []
        for artist in self.artists:
            match = sum(w for tag, w in artist.tags if tag in own) / 100
            liking = rng.random() ** 3 * (0.08 + match)
            if artist.country == listener.country:
                liking *= 1.4
            size = 1 / (self._ranks[artist.index] + 8) ** 0.35
            scored.append((liking * size, artist.index))
        scored.sort(reverse=True)
        count = rng.randint(45, 130)
        return [
            (index, weight, rng.uniform(0, 2 * pi), rng.uniform(90, 420))
            for weight, index in scored[:count]
        ]

    def _first_listening_day(self, listener: Listener) -> int:
        return max(self.start_day, listener.registered_uts // DAY_SECONDS + 1)

    def plays(self, listener: Listener) -> Plays:
        """All plays up to the end of the current day, made when first asked for."""
        found = self._plays.get(listener.index)
        day = self.now() // DAY_SECONDS
        if found is not None and day <= self.last_day:
            return found
        with self._lock:
            if day > self.last_day:  # the clock has passed midnight
                self._plays.clear()
                self._loved.clear()
                self._own_tags.clear()
                self._day_charts.clear()
                self._country_charts.clear()
                self.last_day = day
            found = self._plays.get(listener.index)
            if found is None:
                found = self._plays[listener.index] = self._generate(listener, day)
            return found

    def _generate(self, listener: Listener, until: int) -> Plays:
        plays = Plays([], [])
        if listener.index >= self._last_listened:
            return plays
        taste = self._taste(listener)
        rng = Random(_mix(self.seed, 8, listener.index))
        rate = rng.lognormvariate(2.92, 0.55)
        habits = Habits(
            album_share=rng.uniform(0.1, 0.6),
            without_album=0.7 if rng.random() < 0.12 else 0.02,
            misspells=rng.random() < 0.2,
        )
        offset = COUNTRIES.get(listener.country, 1)
        clocks = [
            list(accumulate(hours[(hour + offset) % 24] for hour in range(24)))
            for hours in (HOURS, WEEKEND_HOURS)
        ]
        week = Week(-1, [], [])
        for day in range(self._first_listening_day(listener), until + 1):
            rng = Random(_mix(self.seed, 9, listener.index, day))
            weekday = (day + 3) % 7
            number = (day + 3) // 7
            if number != week.number or not week.artists:
                week = Week(number, *self._week_taste(taste, number * 7 - 3))
            if not week.artists:
                continue
            if listener.is_bot:
                self._bot_day(
                    listener,
                    rng,
                    day,
                    week.artists,
                    week.weights,
                    plays.uts,
                    plays.variants,
                )
                continue
            season = 1 + 0.12 * cos(2 * pi * (day - 15) / 365.25)
            count = rate * season * (1.1, 1.1, 1.1, 1.1, 1.2, 0.8, 0.7)[weekday]
            if rng.random() < 0.12:
                continue
            count = int(count * rng.lognormvariate(0, 0.5) + 0.5)
            hours = clocks[weekday >= 5]
            sessions = sorted(
                rng.choices(range(24), cum_weights=hours, k=1 + count // 14)
            )
            per_session = max(1, round(count / len(sessions)))
            moment = day * DAY_SECONDS
            for hour in sessions:
                start = day * DAY_SECONDS + hour * 3600 + int(rng.random() * 3600)
                moment = self._session(
                    rng, day, max(moment, start), per_session, habits, week, plays
                )
        if listener.index % changes.PEOPLE == 7:
            return changes.ChangingPlays(plays, listener.index, 2 * len(self.tracks))
        return plays

    def _session(
        self,
        rng: Random,
        day: int,
        moment: int,
        length: int,
        habits: Habits,
        week: Week,
        plays: Plays,
    ) -> int:
        """Play `length` tracks from `moment` on; returns when the last one ends."""
        end = (day + 1) * DAY_SECONDS
        if rng.random() < habits.album_share:
            picks = rng.choices(week.artists, cum_weights=week.weights) * length
            order = int(rng.random() * 40)
        else:
            picks = rng.choices(week.artists, cum_weights=week.weights, k=length)
            order = -1
        for artist in picks:
            if moment >= end:
                break
            songs = week.songs.get(artist)
            if songs is None:
                songs = week.songs[artist] = self._songs(artist, day)
            listed, fresh = songs
            if order >= 0:
                track = listed[order % len(listed)]
                order += 1
            else:
                draw = rng.random()
                if fresh and draw < 0.5:
                    track = listed[len(listed) - 1 - int(draw * 2 * fresh)]
                else:
                    draw = rng.random()
                    track = listed[int(draw * draw * len(listed))]
            variant = 2 * track + (rng.random() < habits.without_album)
            if track in self._former:
                renamed, other = self._former[track]
                if day < renamed:
                    variant = other
            elif habits.misspells and track in self._spelled:
                variant = self._spelled[track]
            plays.uts.append(moment)
            plays.variants.append(variant)
            seconds = self.tracks[track].duration_seconds or 240
            moment += seconds + int(rng.random() * 6)
            if rng.random() < 0.06:  # skipped in the middle
                moment -= seconds // 3
        return moment

    def _week_taste(
        self, taste: list[tuple[int, float, float, float]], monday: int
    ) -> tuple[list[int], list[float]]:
        artists: list[int] = []
        weights: list[float] = []
        total = 0.0
        for artist, weight, phase, period in taste:
            chosen = self.artists[artist]
            if chosen.debut_day > monday:
                continue
            if chosen.merged_into >= 0 and monday >= chosen.merged_day:
                artist = chosen.merged_into
            interest = 0.25 + max(0.0, sin(2 * pi * monday / period + phase))
            heat = self._counters[artist].heat_on(monday)
            total += weight * interest * min(heat, 6.0)
            artists.append(artist)
            weights.append(total)
        return artists, weights

    def _songs(self, artist: int, day: int) -> tuple[list[int], int]:
        """The tracks out by that day and how many of the last of them are fresh."""
        listed = [
            t for t in self.artists[artist].tracks if self.tracks[t].released_day <= day
        ]
        fresh = 0
        if artist in self.release_days:
            fresh = sum(day - self.tracks[t].released_day < 45 for t in listed)
        return listed, fresh

    def _bot_day(
        self,
        listener: Listener,
        rng: Random,
        day: int,
        artists: list[int],
        weights: list[float],
        uts: list[int],
        variants: list[int],
    ) -> None:
        """At least 650 plays round the clock, on the days the robot runs."""
        month_day = datetime.fromtimestamp(day * DAY_SECONDS, UTC).day
        runs = (
            month_day <= 9,
            17 <= month_day <= 25,
            (day + 3) % 7 == 5,
        )[listener.index % 3]
        if not runs:
            return
        step = DAY_SECONDS / (655 + rng.randrange(60))
        moment = day * DAY_SECONDS + rng.random() * step
        favourite = artists[day % 5 % len(artists)]
        end = (day + 1) * DAY_SECONDS
        while moment < end:
            artist = favourite
            if rng.random() < 0.3:
                artist = rng.choices(artists, cum_weights=weights)[0]
            listed, _ = self._songs(artist, day)
            track = listed[int(rng.random() * min(3, len(listed)))]
            variant = 2 * track
            if track in self._former and day < self._former[track][0]:
                variant = self._former[track][1]
            uts.append(int(moment))
            variants.append(variant)
            moment += step

    def generate_all(self) -> int:
        """Make every history now; the number of scrobbles up to the clock."""
        now = self.now()
        return sum(
            self.plays(self.people[name.casefold()]).window(0, now)[1]
            for name in self.listeners
        )

    def loved(self, listener: Listener, now: int) -> list[tuple[int, int]]:
        found = self._loved.get(listener.index)
        if found is None:
            shown = self.plays(listener)
            seen: set[int] = set()
            found = []
            for uts, variant in zip(shown.uts, shown.variants, strict=True):
                track = self.variants[variant].track
                if track not in seen:
                    seen.add(track)
                    if _mix(self.seed, 20, listener.index, track) % 23 == 0:
                        found.append((uts + 41, variant))
            self._loved[listener.index] = found
        return [(v, uts) for uts, v in reversed(found) if uts <= now]

    def personal_tags(self, listener: Listener, now: int) -> list[PersonalTag]:
        found = self._own_tags.get(listener.index)
        if found is None:
            found = self._tag_things(listener)
            self._own_tags[listener.index] = found
        return [tag for tag in found if tag.uts <= now]

    def _tag_things(self, listener: Listener) -> list[PersonalTag]:
        shown = self.plays(listener)
        seen: set[tuple[str, int]] = set()
        found: list[PersonalTag] = []
        vocabulary = (*OWN_TAGS, *self.tag_names[:20])
        for uts, variant in zip(shown.uts, shown.variants, strict=True):
            track = self.tracks[self.variants[variant].track]
            things = (
                ("artist", track.artist, 8),
                ("track", track.index, 160),
                ("album", track.album, 40),
            )
            for kind, item, rarity in things:
                if item < 0 or (kind, item) in seen:
                    continue
                seen.add((kind, item))
                draw = _mix(self.seed, 21, listener.index, len(kind), item)
                if draw % rarity == 0:
                    tag = vocabulary[draw // 1000 % len(vocabulary)]
                    found.append(PersonalTag(tag, kind, item, uts + 300))
        return found

    def first_week(self, listener: Listener) -> int:
        return self._first_listening_day(listener) * DAY_SECONDS

    # -- global counters ----------------------------------------------------
    def name_epoch(self, now: int) -> int:
        return bisect_right(self._changed, now // DAY_SECONDS)

    def artist_counters(self, index: int, now: int) -> tuple[int, int]:
        listeners, plays = self._counters[index].at(now)
        for merged in self.merges.get(index, ()):
            if now // DAY_SECONDS >= self.artists[merged].merged_day:
                more_listeners, more_plays = self._counters[merged].at(now)
                listeners += int(0.8 * more_listeners)
                plays += more_plays
        return listeners, plays

    def track_counters(self, index: int, now: int) -> tuple[int, int]:
        track = self.tracks[index]
        listeners, plays = self._counters[track.artist].at(now)
        if track.released_day > self.epoch_day:
            before = self._counters[track.artist].at(track.released_day * DAY_SECONDS)
            plays = max(0, plays - before[1])
            listeners = min(listeners, plays // 2)
        return int(listeners * min(0.9, 1.6 * track.share)), int(plays * track.share)

    def album_counters(self, index: int, now: int) -> tuple[int, int]:
        counters = [self.track_counters(t, now) for t in self.albums[index].tracks]
        return max(c[0] for c in counters), sum(c[1] for c in counters)

    def _current(self, index: int, day: int) -> float:
        """Plays of the last 7 days: what the charts are ordered by."""
        counters = self._counters[index]
        counters.extend(day)
        last = day - counters.first_day + 1
        if last < 7:
            return sum(counters.flow_on(day - back) for back in range(7))
        return sum(counters.flows[last - 7 : last])

    def chart_artists(self, now: int) -> list[int]:
        day = now // DAY_SECONDS
        found = self._day_charts.get(("artists", day))
        if found is None:
            alive = [
                a.index
                for a in self.artists
                if a.debut_day <= day
                and not (a.merged_into >= 0 and day >= a.merged_day)
            ]
            flows = {index: self._current(index, day) for index in alive}
            found = sorted(alive, key=lambda index: (-flows[index], index))
            self._day_charts["artists", day] = found
        return found

    def chart_tracks(self, now: int) -> list[int]:
        day = now // DAY_SECONDS
        found = self._day_charts.get(("tracks", day))
        if found is None:
            flows: dict[int, float] = {}
            for artist in self.chart_artists(now):
                flow = self._current(artist, day)
                for number in self.artists[artist].tracks:
                    track = self.tracks[number]
                    age = day - track.released_day
                    if age >= 300:
                        flows[number] = flow * track.share
                    elif age >= 0:
                        flows[number] = flow * track.share * (1 + 4 * exp(-age / 25))
            found = sorted(flows, key=lambda number: (-flows[number], number))
            self._day_charts["tracks", day] = found
        return found

    def chart_tags(self, now: int) -> list[tuple[str, int, int]]:
        days = (now + 1) / DAY_SECONDS - self.epoch_day
        rows = []
        for rank, tag in enumerate(self.tag_names):
            pace = 0.7 + _mix(self.seed, 30, rank) % 100 / 100
            size = 4_000_000 / (rank + 1) ** 0.85
            taggings = int(size * (1 + 0.00012 * pace * days))
            rows.append((tag, int(taggings / (7.5 + 4 * pace)), taggings))
        rows.sort(key=lambda row: (-row[2], row[0]))
        return rows

    def _country(self, name: str) -> int | None:
        for number, country in enumerate(COUNTRIES):
            if country.casefold() == name.casefold():
                return number
        return None

    def _affinities(self, country: int) -> list[float]:
        """How much more than elsewhere a country hears each artist."""
        found = self._affinity.get(country)
        if found is None:
            home = list(COUNTRIES)[country]
            found = []
            for artist in self.artists:
                draw = _mix(self.seed, 40, artist.index, country) % 10_000 / 10_000
                own = 5.0 if artist.country == home else 1.0
                found.append(own * exp(1.6 * draw - 0.8))
            self._affinity[country] = found
        return found

    def geo_artists(self, country: str, now: int) -> list[tuple[int, int]] | None:
        number = self._country(country)
        if number is None:
            return None
        day = now // DAY_SECONDS
        found = self._country_charts.get((number, day))
        if found is None:
            share = COUNTRY_SHARE[number] / 40
            affinities = self._affinities(number)
            rows = [
                (artist, int(self._current(artist, day) * share * affinities[artist]))
                for artist in self.chart_artists(now)
            ]
            rows.sort(key=lambda row: (-row[1], row[0]))
            found = [row for row in rows if row[1] > 0]
            self._country_charts[number, day] = found
        return found

    def geo_tracks(self, country: str, now: int) -> list[tuple[int, int]] | None:
        artists = self.geo_artists(country, now)
        if artists is None:
            return None
        day = now // DAY_SECONDS
        rows = []
        for artist, listeners in artists[:150]:
            for number in self.artists[artist].tracks:
                track = self.tracks[number]
                age = day - track.released_day
                if age >= 0:
                    heard = listeners * track.share * 1.5
                    if age < 300:
                        heard *= 1 + 3 * exp(-age / 25)
                    rows.append((-int(heard), number))
        rows.sort()
        return [(number, -heard) for heard, number in rows if heard]

    def similar_artists(self, artist: int, now: int) -> list[tuple[int, float]]:
        key = (artist, self.name_epoch(now))
        found = self._similar.get(key)
        if found is None:
            found = self._similar[key] = self._similar_artists(artist, now)
        return found

    def _similar_artists(self, artist: int, now: int) -> list[tuple[int, float]]:
        own = dict(self.artists[artist].tags)
        if not own:
            return []
        size = sum(w * w for w in own.values()) ** 0.5
        rows = []
        for other in self.chart_artists(now):
            if other != artist:
                tags = self.artists[other].tags
                shared = sum(w * own.get(tag, 0) for tag, w in tags)
                if shared:
                    length = sum(w * w for _, w in tags) ** 0.5
                    jitter = 0.85 + _mix(self.seed, 50, artist, other) % 150 / 1000
                    rows.append((shared / size / length * jitter, other))
        rows.sort(key=lambda row: (-row[0], row[1]))
        best = rows[0][0] if rows else 1.0
        return [(other, match / best) for match, other in rows[:100]]
