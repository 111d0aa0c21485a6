"""The invented world: its size, its clock, its dirt, and that it never changes."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from statistics import mean
from typing import Any
from urllib.parse import quote_plus

import pytest

from local_lastfm import LocalLastfm
from local_lastfm.catalogue import DAY_SECONDS
from local_lastfm.demo import ARTISTS, DemoWorld
from local_lastfm.names import AWKWARD_ARTISTS


def world_of(lastfm: LocalLastfm) -> DemoWorld:
    assert isinstance(lastfm.world, DemoWorld)
    return lastfm.world


def plays_since(world: DemoWorld, days: int) -> int:
    start = (world.last_day - days + 1) * DAY_SECONDS
    total = 0
    for name in world.listeners:
        listener = world.people[name.casefold()]
        first, last = world.plays(listener).window(start, world.now())
        total += last - first
    return total


def test_the_world_is_as_large_as_promised(demo: LocalLastfm) -> None:
    world = world_of(demo)
    assert len(world.chart_artists(world.now())) >= 300
    assert len(world.listeners) >= 60
    assert 55 <= len(world.tag_names) <= 70
    assert len(world.tracks) >= 3500
    assert sum(track.duration_seconds > 0 for track in world.tracks) > 3500
    assert len(world.countries) >= 5
    assert plays_since(world, 90) >= 150_000
    assert world.last_day - world.start_day >= 95


@pytest.mark.parametrize("day", [date(2026, 8, 1), date(2027, 4, 30)])
def test_other_todays_are_large_enough_too(day: date) -> None:
    world = DemoWorld(day)
    assert plays_since(world, 90) >= 150_000
    assert len(world.listeners) >= 60


def test_making_the_world_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    start = time.perf_counter()
    world = DemoWorld(date(2026, 11, 22))
    world.chart_artists(world.now())
    scrobbles = world.generate_all()
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{scrobbles} scrobbles and all counters in {seconds:.2f} s")
    assert scrobbles > 150_000


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("chart.getTopArtists", {"limit": 1000}),
    ("chart.getTopTracks", {"limit": 200}),
    ("chart.getTopTags", {}),
    ("geo.getTopArtists", {"country": "Brazil"}),
    ("geo.getTopTracks", {"country": "Japan"}),
    ("tag.getTopArtists", {"tag": "rock"}),
    ("user.getInfo", {"user": "{user}"}),
    ("user.getRecentTracks", {"user": "{user}", "limit": 1000}),
    ("user.getTopTracks", {"user": "{user}", "period": "1month"}),
    ("user.getLovedTracks", {"user": "{user}"}),
    ("user.getTopTags", {"user": "{user}"}),
    ("user.getWeeklyArtistChart", {"user": "{user}"}),
]


def answers(lastfm: LocalLastfm, caller: Any, day: date) -> list[bytes]:
    user = "Margor"
    found = []
    for method, params in ASKED:
        filled = {k: str(v).format(user=user) for k, v in params.items()}
        answer = caller(lastfm, sockets=False).get(method, day, **filled)
        assert answer.status_code == 200, (method, answer.text)
        found.append(answer.content)
    return found


def test_a_day_is_the_same_whatever_today_is(new_caller: Any, today: date) -> None:
    day = today - timedelta(days=6)
    one = answers(LocalLastfm(today=today), new_caller, day)
    later = LocalLastfm(today=today + timedelta(days=17), since=today)
    other = answers(later, new_caller, day)
    again = answers(LocalLastfm(today=today), new_caller, day)
    assert one == again
    for (method, _), left, right in zip(ASKED, one, other, strict=True):
        assert left == right, method


def test_histories_stay_where_the_first_fetch_found_them(today: date) -> None:
    later = today + timedelta(days=40)
    first = DemoWorld(today).start_day
    assert DemoWorld(later, since=today).start_day == first
    assert DemoWorld(later).start_day > first
    assert (first + 3) % 7 == 0, "songs are chosen a week at a time, from its Monday"


def test_the_control_another_seed_is_another_world(
    new_caller: Any, today: date
) -> None:
    one = new_caller(LocalLastfm(today=today), sockets=False)
    other = new_caller(LocalLastfm(today=today, seed=2), sockets=False)
    asked = {"limit": 5}
    left = one.get("chart.getTopArtists", **asked).content
    assert left != other.get("chart.getTopArtists", **asked).content


def test_histories_and_counters_only_grow_as_days_pass(ask: Any, today: date) -> None:
    user, artist = "Margor", "Neon Antenna"
    plays, counts = [], []
    for back in (60, 30, 10, 1, 0):
        day = today - timedelta(days=back)
        info = ask.json("user.getInfo", day, user=user)["user"]
        plays.append(int(info["playcount"]))
        stats = ask.json("artist.getInfo", day, artist=artist)["artist"]["stats"]
        counts.append(int(stats["playcount"]))
        rows = ask.scrobbles(user, as_of=day, limit=1000)
        assert len(rows) == int(info["playcount"])
    assert plays == sorted(plays) and plays[0] < plays[-1]
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_an_earlier_history_is_the_tail_of_a_later_one(ask: Any, today: date) -> None:
    late = ask.scrobbles("Margor", limit=1000)
    early = ask.scrobbles("Margor", limit=1000, as_of=today - timedelta(days=9))
    assert 0 < len(early) < len(late)
    assert late[-len(early) :] == early


def test_today_is_as_of_its_own_clock_and_a_past_day_as_of_its_end(
    demo: LocalLastfm, ask: Any, today: date
) -> None:
    now = demo.world.now()
    assert now % DAY_SECONDS == 20 * 3600
    newest = ask.scrobbles("loop_machine", limit=1000, as_of=today)[0]
    assert int(newest["date"]["uts"]) <= now
    assert ask.json("user.getInfo", user="Margor") == ask.json(
        "user.getInfo", today + timedelta(days=30), user="Margor"
    )


def test_counters_stall_and_step_back_now_and_then(demo: LocalLastfm) -> None:
    world = world_of(demo)
    stalls = steps_back = flows = 0
    for artist in world.chart_artists(world.now()):
        shown = [
            world.artist_counters(artist, (world.last_day - back) * DAY_SECONDS - 1)[1]
            for back in range(90, 0, -1)
        ]
        changes = [b - a for a, b in pairwise(shown)]
        stalls += sum(change == 0 for change in changes)
        steps_back += sum(change < 0 for change in changes)
        flows += sum(change > 0 for change in changes)
    assert stalls > 400, "one day on which all stall, and single ones"
    assert 3 <= steps_back <= 60
    assert flows > 25_000


def test_sizes_are_those_of_the_real_site(demo: LocalLastfm) -> None:
    world = world_of(demo)
    plays = sorted(
        (world.artist_counters(a, world.now())[1] for a in range(ARTISTS)),
        reverse=True,
    )
    assert 5e8 < plays[0] < 3e9
    assert plays[0] > 40 * plays[100] > 40 * plays[300] > 0


def test_new_artists_appear_and_are_unknown_before(ask: Any, demo: LocalLastfm) -> None:
    world = world_of(demo)
    new = next(a for a in world.artists if world.start_day < a.debut_day)
    born = date.fromordinal(new.debut_day + 719_163)
    before = ask.get("artist.getInfo", born - timedelta(days=1), artist=new.name)
    assert before.json()["error"] == 6
    after = ask.json("artist.getInfo", born + timedelta(days=20), artist=new.name)
    assert int(after["artist"]["stats"]["playcount"]) > 0


def test_robots_play_650_a_day_round_the_clock(demo: LocalLastfm) -> None:
    world = world_of(demo)
    bots = [p for p in world.people.values() if p.is_bot]
    assert len(bots) == 3
    for bot in bots:
        days = Counter(uts // DAY_SECONDS for uts in world.plays(bot).uts)
        assert min(days.values()) >= 650
        day = min(days)
        hours = {
            uts // 3600 % 24 for uts in world.plays(bot).uts if uts // 86400 == day
        }
        assert len(hours) == 24
    people = [p for p in world.people.values() if not p.is_bot]
    busiest = max(
        max(Counter(u // DAY_SECONDS for u in world.plays(p).uts).values(), default=0)
        for p in people
    )
    assert busiest < 650


def test_people_sleep_and_listen_less_on_sundays(demo: LocalLastfm) -> None:
    world = world_of(demo)
    uts = [
        at
        for name in world.listeners
        if not (listener := world.people[name.casefold()]).is_bot
        for at in world.plays(listener).uts
    ]
    weekdays = Counter((at // DAY_SECONDS + 3) % 7 for at in uts)
    assert weekdays[4] > 1.2 * weekdays[6]
    hours = Counter(at // 3600 % 24 for at in uts)
    assert max(hours.values()) > 2 * min(hours.values())


def test_no_play_is_there_twice(demo: LocalLastfm) -> None:
    world = world_of(demo)
    for name in world.listeners:
        plays = world.plays(world.people[name.casefold()])
        keys = set(zip(plays.uts, plays.variants, strict=True))
        assert len(keys) == len(plays.uts)
        assert plays.uts == sorted(plays.uts)


def test_awkward_names_come_back_as_they_are(ask: Any) -> None:
    for name in AWKWARD_ARTISTS:
        # Encoded twice, as last.fm decodes it twice.
        found = ask.json("artist.getInfo", artist=quote_plus(name))["artist"]
        assert found["name"] == name
        assert (
            ask.xml("artist.getInfo", artist=quote_plus(name)).findtext("artist/name")
            == name
        )
    heard = {
        row["artist"]["#text"]
        for user in ("Margor", "Zenram", "Dargor", "Talsol", "Ulul", "Drobel")
        for row in ask.scrobbles(user, limit=1000)
    }
    assert len(heard & set(AWKWARD_ARTISTS)) >= 5


def test_a_renamed_artist_answers_to_both_names(ask: Any, demo: LocalLastfm) -> None:
    world = world_of(demo)
    artist = next(
        a
        for a in world.artists
        if a.former_name and world.start_day < a.renamed_day <= world.last_day
    )
    renamed = date.fromordinal(artist.renamed_day + 719_163)
    for day, expected in (
        (renamed - timedelta(days=1), artist.former_name),
        (renamed, artist.name),
    ):
        for name in (artist.former_name, artist.name):
            found = ask.json("artist.getCorrection", day, artist=name)
            assert found["corrections"]["correction"]["artist"]["name"] == expected
            info = ask.json("artist.getInfo", day, artist=name)
            assert info["artist"]["name"] == expected


def test_a_merged_artist_leaves_the_chart_and_its_plays_go_over(
    ask: Any, demo: LocalLastfm
) -> None:
    world = world_of(demo)
    lost = next(
        a
        for a in world.artists
        if a.merged_into >= 0 and world.start_day < a.merged_day <= world.last_day
    )
    kept = world.artists[lost.merged_into]
    merged = date.fromordinal(lost.merged_day + 719_163)
    before, after = merged - timedelta(days=1), merged

    def plays(day: date, name: str) -> int:
        info = ask.json("artist.getInfo", day, artist=name)["artist"]
        return int(info["stats"]["playcount"])

    assert plays(after, lost.name) == plays(after, kept.name)
    assert plays(after, kept.name) >= plays(before, kept.name) + plays(
        before, lost.name
    )
    names = [
        {
            row["name"]
            for row in ask.json("chart.getTopArtists", day, limit=1000)["artists"][
                "artist"
            ]
        }
        for day in (before, after)
    ]
    assert lost.name in names[0] and lost.name not in names[1]


def test_a_release_is_unknown_before_its_day_and_heard_after(
    ask: Any, demo: LocalLastfm
) -> None:
    world = world_of(demo)
    fresh = [
        a
        for a in world.albums
        if world.start_day + 20 < a.released_day < world.last_day - 40
        and not world.artists[a.artist].debut_day
    ]
    assert len(fresh) >= 10
    heard = Counter(
        world.tracks[world.variants[v].track].album
        for name in world.listeners
        for v in world.plays(world.people[name.casefold()]).variants
    )
    assert mean(heard[a.index] for a in fresh) > 20
    album = fresh[0]
    artist = world.artist_name(album.artist, world.now())
    before = date.fromordinal(album.released_day + 719_162)
    assert (
        ask.get("album.getInfo", before, artist=artist, album=album.name).json()[
            "error"
        ]
        == 6
    )
    assert ask.json("album.getInfo", artist=artist, album=album.name)["album"]["tracks"]


def test_the_panel_is_served_to_who_has_no_configuration(demo: LocalLastfm) -> None:
    import httpx2

    told = httpx2.get(f"{demo.base_url}world.json").json()
    assert told["listeners"] == list(demo.world.listeners)
    assert told["countries"] == list(demo.world.countries)
    assert told["tags"] == list(demo.world.tags)
    assert told["today"] == "2026-11-22"
