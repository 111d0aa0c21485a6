"""One's own listening in any window: each number is counted again in plain Python.

The library is made to hurt: the clock changes, plays lie at midnight, two in the same
second, weeks tie, the year ends in a gap, and the last play is tomorrow in the east.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.app import create_app
from serve.queries import listening as queries
from serve.queries import statistics
from serve.queries.listening import Listening
from serve.ranges import of_word
from serve.store.contract import Reader
from serve.zones import Zone
from tests.serve.conftest import close, csrf, log_in, make_settings, shared
from tests.serve.marts import World, key, publish, version_path, write_duckdb
from tests.serve.marts import write_postgres as write_into_postgres

SEED = 20260315
AS_OF = date(2026, 3, 14)
DAY = timedelta(days=1)
ZONES = ("UTC", "Europe/Oslo", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland")
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"range": "this_year"},
    {"range": "year"},
    {"range": "month"},
    {"range": "this_week"},
    {"from": "2025-03-29", "to": "2025-03-31"},
    {"from": "2025-12-15", "to": "2026-01-20"},
    {"from": "2025-10-26", "to": "2025-10-26"},
)
Play = dict[str, Any]


def times(chance: random.Random) -> Iterator[tuple[datetime, str, int]]:
    """When which artist's which song was played, UTC."""
    day = date(2024, 11, 20)
    while day <= AS_OF:
        is_gap = date(2025, 12, 20) <= day <= date(2026, 1, 10)
        if not is_gap and chance.random() < 0.8:
            at = datetime.combine(day, datetime.min.time())
            at += timedelta(minutes=chance.choice((5, 410, 1000, 1405)))
            for _ in range(chance.randint(1, 6)):
                name = f"Artist {int(12 * chance.random() ** 2)}"
                yield at, name, chance.randint(0, 2)
                at += timedelta(seconds=chance.choice((0, 150, 210, 1960, 2010, 2011)))
        day += DAY
    for number in range(10):  # nine are too few to be a favourite
        yield datetime(2025, 4, 12, 12, number), "Forgotten", number % 2
        if number < 9:
            yield datetime(2025, 4, 13, 12, number), "Nearly", 0
    for number in range(10):
        yield datetime(2025, 4, 13, 15, number), "Too Late", number % 2
    for number in range(5):
        yield datetime(2025, 6, 1, 10, number), "Wonder", 0
        if number < 4:
            yield datetime(2025, 6, 1, 11, number), "No Wonder", 0
        yield datetime(2025, 6, 1, 12, number), "Two Songs", number % 2
    # The hour that is twice, the one that is not, and tomorrow in the east.
    for at in ("2025-10-26 00:30", "2025-10-26 01:30", "2025-03-30 00:59"):
        yield datetime.fromisoformat(at), "Clock", 0
    yield datetime(2025, 3, 30, 1, 0), "Clock", 0
    yield datetime(2026, 3, 14, 23, 50), "Clock", 1
    # A week of two artists with the same number of plays and seconds.
    for number in range(40):
        name = ("Tied A", "Tied B")[number % 2]
        yield datetime(2026, 1, 14, 9) + timedelta(minutes=number), name, 0


def make_library(change: Callable[[Play], Play | None] = lambda play: play) -> World:
    """A world of one listener, Zoe; each play as `change` makes it, or without it."""
    world = World(AS_OF)
    plays: list[Play] = world["fct_scrobbles"]
    seen: set[str] = set()
    for at, name, song in times(random.Random(SEED)):
        if (scrobble := key(f"{at}{name}{song}")) in seen:
            continue
        seen.add(scrobble)
        plays.append(
            {
                "scrobble_id": scrobble,
                "listener_id": "zoe",
                "artist_id": key(name),
                "track_id": key(f"{name} song {song}"),
                "album_id": key(f"{name} album") if song < 2 else None,
                "scrobbled_at": at,
                "scrobbled_date": at.date(),
                "duration_seconds": 150 + 30 * song,
                "listening_seconds": 150 + 30 * song,
                "is_flagged": at.day == 1,
                "load_id": 1,
                "name": name,
                "song": song,
            }
        )
    _names(world)
    plays[:] = [changed for play in plays if (changed := change(play)) is not None]
    moments = [play["scrobbled_at"] for play in plays]
    world["dim_listeners"].append(
        {
            "listener_id": "zoe",
            "listener_name": "Zoe",
            "scrobbles": len(plays),
            "playcount": len(plays),
            "missing_scrobbles": 0,
            "first_scrobbled_at": min(moments),
            "last_scrobbled_at": max(moments),
            "is_flagged": False,
            "is_complete": True,
        }
    )
    for name in {play["name"] for play in plays}:
        played = [play for play in plays if play["name"] == name]
        own = [play["scrobbled_at"] for play in played]
        world["listener_artists"].append(
            {
                "listener_id": "zoe",
                "artist_id": key(name),
                "scrobbles": len(own),
                "listening_seconds": sum(play["listening_seconds"] for play in played),
                "first_scrobbled_at": min(own),
                "last_scrobbled_at": max(own),
            }
        )
    _top_lists(world)
    for day, count in Counter(play["scrobbled_date"] for play in plays).items():
        world["fct_listener_days"].append(
            {
                "listener_id": "zoe",
                "scrobbled_date": day,
                "scrobbles": count,
                "is_flagged": False,
            }
        )
    return world


def _top_lists(world: World) -> None:
    """What marts.listener_top has of them: all time, and the month before."""
    months = {"all_time": date(2024, 11, 20), "month": date(2026, 2, 1)}
    for period, start in months.items():
        plays = [
            play
            for play in world["fct_scrobbles"]
            if period == "all_time" or play["scrobbled_date"].replace(day=1) == start
        ]
        for thing in ("artist", "track", "album"):
            counts = Counter(play[f"{thing}_id"] for play in plays)
            del counts[None]
            order = sorted(counts, key=lambda one: (-counts[one], one))
            for place, one in enumerate(order[:50], 1):
                world["listener_top"].append(
                    {
                        "listener_id": "zoe",
                        "entity_type": thing,
                        "period": period,
                        "period_start": start,
                        "rank": ranked(counts)[one],
                        "place": place,
                        "entity_id": one,
                        "entity_name": "of the mart",
                        "scrobbles": counts[one],
                        "share_pct": 100 * counts[one] / counts.total(),
                        "entities": len(counts),
                    }
                )


def _names(world: World) -> None:
    """The names of what was played, and two tags an artist; the third is too weak."""
    for name in sorted({play["name"] for play in world["fct_scrobbles"]}):
        artist = {"artist_id": key(name), "artist_name": name}
        world["dim_artists"].append({**artist, "name_key": name.lower()})
        for song in range(3):
            world["dim_tracks"].append(
                {
                    **artist,
                    "track_id": key(f"{name} song {song}"),
                    "track_name": f"Song {song}",
                    "name_key": f"song {song}",
                }
            )
        world["dim_albums"].append(
            {
                **artist,
                "album_id": key(f"{name} album"),
                "album_name": f"All of {name}",
                "name_key": f"all of {name.lower()}",
            }
        )
        for rank, (tag, weight) in enumerate(
            ((f"tag {len(name) % 3}", 100), ("common", 60), ("weak", 10)), 1
        ):
            world["artist_tags"].append(
                {
                    "artist_id": key(name),
                    "tag_id": key(tag),
                    "tag_name": tag,
                    "rank": rank,
                    "weight": weight,
                }
            )


def tags_of(name: str) -> tuple[str, ...]:
    """The tags that an artist's plays count for."""
    return (f"tag {len(name) % 3}", "common")


@pytest.fixture(scope="module")
def library() -> World:
    """Zoe's plays."""
    return make_library()


@pytest.fixture(scope="module")
def duckdb_app(
    library: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The library in DuckDB, with pages."""
    folder = tmp_path_factory.mktemp("listening")
    write_duckdb(library, version_path(folder, "20260314-000001"))
    publish(folder, "20260314-000001", AS_OF)
    made = create_app(make_settings(folder, public_panel=True))
    yield made
    close(made)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def app(
    request: pytest.FixtureRequest,
    library: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """The library behind both engines."""
    if request.param == "duckdb":
        yield request.getfixturevalue("duckdb_app")
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    write_into_postgres(library, url)
    folder = tmp_path_factory.mktemp("listening-postgres")
    made = create_app(
        make_settings(folder, public_panel=True, warehouse={"warehouse_url": url}),
        parts=(),
    )
    yield made
    close(made)
    server.drop_database(url)


class Zoe:
    """Asks the service about Zoe, and holds her plays to count them again."""

    def __init__(self, app: Flask, library: World) -> None:
        self.client: FlaskClient = app.test_client()
        self.library = library
        self._plays: dict[str, list[Play]] = {}

    def ask(self, path: str, **query: Any) -> dict[str, Any]:
        """One answer."""
        answer = self.client.get(f"/api/v1/listeners/zoe/{path}", query_string=query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The rows of an answer."""
        found: list[dict[str, Any]] = self.ask(path, **query)["data"]
        return found

    def plays(self, zone: str) -> list[Play]:
        """All plays, oldest first, with local time."""
        if zone not in self._plays:
            self._plays[zone] = self._placed(zone)
        return self._plays[zone]

    def _placed(self, zone: str) -> list[Play]:
        info = ZoneInfo(zone)
        found = []
        for play in self.library["fct_scrobbles"]:
            local = play["scrobbled_at"].replace(tzinfo=UTC).astimezone(info)
            local = local.replace(tzinfo=None)
            found.append({**play, "local_at": local, "day": local.date()})
        return sorted(
            found, key=lambda play: (play["scrobbled_at"], play["scrobble_id"])
        )


@pytest.fixture(scope="module")
def zoe(app: Flask, library: World) -> Zoe:
    """Zoe behind both engines."""
    return Zoe(app, library)


def days_of(window: dict[str, Any]) -> tuple[date, date]:
    """The first and the last day of a window, by the calendar of its test."""
    if "from" in window:
        return date.fromisoformat(window["from"]), date.fromisoformat(window["to"])
    return {
        None: (date(2002, 10, 1), AS_OF + DAY),  # the last play may be tomorrow
        "this_year": (date(2026, 1, 1), AS_OF),
        "year": (date(2025, 1, 1), date(2025, 12, 31)),
        "month": (date(2026, 2, 1), date(2026, 2, 28)),
        "this_week": (date(2026, 3, 9), AS_OF),
    }[window.get("range")]


def days_before(window: dict[str, Any]) -> tuple[date, date] | None:
    """The period before, worked out by hand."""
    if not window:
        return None
    if "from" in window:
        first, last = days_of(window)
        return first - (last - first) - DAY, first - DAY
    return {
        "this_year": (date(2025, 1, 1), date(2025, 3, 14)),
        "year": (date(2024, 1, 1), date(2024, 12, 31)),
        "month": (date(2026, 1, 1), date(2026, 1, 31)),
        "this_week": (date(2026, 3, 2), date(2026, 3, 7)),
    }[window["range"]]


def cases(zoe: Zoe) -> Iterator[tuple[dict[str, Any], list[Play], list[Play]]]:
    """Windows in zones: what to ask, its plays, and those until its end.

    Every window in one zone, and in the others those that a zone changes most.
    """
    for zone in ZONES:
        plays = zoe.plays(zone)
        for window in WINDOWS if zone == "Europe/Oslo" else WINDOWS[::5]:
            first, last = days_of(window)
            until = [play for play in plays if play["day"] <= last]
            inside = [play for play in until if play["day"] >= first]
            yield {**window, "tz": zone}, inside, until


def end_of(query: dict[str, Any], until: list[Play]) -> date:
    """The last day that can be known of a window."""
    return max(min(days_of(strip(query))[1], AS_OF), *(p["day"] for p in until))


def strip(query: dict[str, Any]) -> dict[str, Any]:
    """The window without its zone."""
    return {name: value for name, value in query.items() if name != "tz"}


def ranked(counts: Counter[str]) -> dict[str, int]:
    """Rank by count; ties share the better one."""
    return {
        one: 1 + sum(other > count for other in counts.values())
        for one, count in counts.items()
    }


# Lists and plays --------------------------------------------------------------


def test_top_lists_of_every_window_are_those_of_the_plays(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        for entity in ("artists", "tracks", "albums", "tags"):
            counts: Counter[str] = Counter()
            seconds: Counter[str] = Counter()
            for play in plays:
                if entity == "tags":
                    keys = [key(tag) for tag in tags_of(play["name"])]
                else:
                    keys = [play[f"{entity[:-1]}_id"]]
                for one in filter(None, keys):
                    counts[one] += 1
                    seconds[one] += play["listening_seconds"]
            for by, measure in (("scrobbles", counts), ("minutes", seconds)):
                rows = zoe.rows(f"top/{entity}", by=by, limit=1000, **query)
                assert {r["entity_id"]: r["scrobbles"] for r in rows} == counts, query
                assert {r["entity_id"]: r["listening_seconds"] for r in rows} == seconds
                assert {r["entity_id"]: r["rank"] for r in rows} == ranked(measure)
                assert [r["rank"] for r in rows] == sorted(r["rank"] for r in rows)
                if rows:
                    assert sum(r["share_pct"] for r in rows) == pytest.approx(100)
                    assert {r["entities"] for r in rows} == {len(counts)}


def test_the_first_of_a_list_are_the_same_from_the_mart_and_from_the_plays(
    app: Flask,
) -> None:
    for word, zone, is_mart in (
        ("all_time", "UTC", True),
        ("all_time", "Asia/Kolkata", True),
        ("month", "UTC", True),
        ("month", "Asia/Kolkata", False),
    ):
        with app.extensions["serve"].store.read() as reader:
            listening = Listening("zoe", of_word(word, AS_OF), AS_OF, Zone(zone))
            assert queries.is_in_mart(listening) is is_mart
            for entity in ("artists", "tracks", "albums"):
                found = queries.first_of(reader, listening, entity=entity, limit=20)
                wanted = queries.top(
                    reader, listening, entity=entity, by="share", limit=20, offset=0
                )
                for own, other in zip(found.records(), wanted.records(), strict=True):
                    for name in ("rank", "entity_id", "scrobbles"):
                        assert own[name] == other[name], (word, zone, entity)
                    assert own["share_pct"] == pytest.approx(other["share_pct"])
                    assert (own["entity_name"] == "of the mart") is is_mart


def test_a_version_of_an_older_release_has_the_same_lists(
    zoe: Zoe, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def lists() -> list[dict[str, Any]]:
        days = of_word("all_time", AS_OF)
        listening = Listening("zoe", days, AS_OF, Zone("Europe/Oslo"))
        with shared(app).store.read() as reader:
            return [
                row
                for entity in ("artists", "tags")
                for row in queries.top(
                    reader, listening, entity=entity, by="minutes", limit=9, offset=1
                ).records()
            ]

    def has_none(_reader: Reader, mart: str, column: str) -> bool:
        asked.append((mart, column))
        return False

    told = lists()
    monkeypatch.setattr(queries, "has_column", has_none)
    assert lists() == told and len(told) > 9
    assert asked == [("listener_artists", "listening_seconds")] * 2


def test_a_list_is_paged_to_its_end_without_loss_or_repetition(zoe: Zoe) -> None:
    whole = zoe.rows("top/tracks", limit=1000)
    found: list[dict[str, Any]] = []
    address: str | None = "/api/v1/listeners/zoe/top/tracks?limit=7"
    while address is not None:
        body = zoe.client.get(address).get_json()
        found += body["data"]
        address = body["next"]
    assert found == whole and len(whole) > 21


def test_the_times_of_a_list_are_local(zoe: Zoe) -> None:
    for zone in ZONES:
        plays = [play for play in zoe.plays(zone) if play["name"] == "Clock"]
        rows = zoe.rows("top/artists", limit=1000, tz=zone)
        row = next(row for row in rows if row["entity_name"] == "Clock")
        assert row["first_played_at"].rstrip("Z") == plays[0]["local_at"].isoformat()
        assert row["last_played_at"].rstrip("Z") == plays[-1]["local_at"].isoformat()


def test_plays_come_newest_first_in_local_time_and_are_found_by_any_name(
    zoe: Zoe,
) -> None:
    for query, plays, _ in cases(zoe):
        rows = zoe.rows("plays", limit=5000, **query)
        assert sorted(row["scrobble_id"] for row in rows) == sorted(
            play["scrobble_id"] for play in plays
        ), query
        local = {p["scrobble_id"]: p["local_at"].isoformat() for p in plays}
        assert [row["local_at"].rstrip("Z") for row in rows] == [
            local[row["scrobble_id"]] for row in rows
        ]
        moments = [row["scrobbled_at"] for row in rows]
        assert moments == sorted(moments, reverse=True)
    for text, wanted in (
        ("WONDER", {"Wonder", "No Wonder"}),
        ("all of tied a", {"Tied A"}),
        ("%", set()),
        ("ng 2", None),
    ):
        rows = zoe.rows("plays", q=text, limit=5000)
        if wanted is not None:
            assert {row["artist_name"] for row in rows} == wanted
        else:
            assert {row["track_name"] for row in rows} == {"Song 2"}


def test_one_thing_in_a_window_has_its_plays_totals_and_periods(zoe: Zoe) -> None:
    artist, tag = key("Tied A"), key("tag 0")
    for query, plays, _ in cases(zoe):
        mine = [play for play in plays if play["artist_id"] == artist]
        rows = zoe.rows(f"artists/{artist}/plays", limit=5000, **query)
        assert len(rows) == len(mine)
        days = Counter(play["day"].replace(day=1).isoformat() for play in mine)
        rows = zoe.rows(f"artists/{artist}/periods", grain="month", **query)
        assert {r["period_start"]: r["scrobbles"] for r in rows if r["scrobbles"]} == (
            days
        )
        tagged = [play for play in plays if "tag 0" in tags_of(play["name"])]
        rows = zoe.rows(f"tags/{tag}/plays", limit=5000, **query)
        assert len(rows) == len(tagged)
        totals = zoe.ask("totals", **query)["data"]
        assert totals["scrobbles"] == len(plays)
        assert totals["active_days"] == len({play["day"] for play in plays})
        assert totals["albums"] == len({p["album_id"] for p in plays} - {None})
    periods = zoe.rows(f"artists/{key('Clock')}/periods", grain="month")
    starts = [date.fromisoformat(row["period_start"]) for row in periods]
    assert starts[0] == date(2025, 3, 1) and starts[-1] == date(2026, 3, 1)
    assert len(starts) == 13  # zero-filled over the year's end


# Statistics -------------------------------------------------------------------


def test_activity_is_set_beside_the_period_before(zoe: Zoe) -> None:
    for query, plays, until in cases(zoe):
        found = {
            row["measure"]: row for row in zoe.rows("statistics/activity", **query)
        }
        before_days = days_before(strip(query))
        before = None
        if before_days is not None:
            everything = zoe.plays(query["tz"])
            before = [
                play
                for play in everything
                if before_days[0] <= play["day"] <= before_days[1]
            ]
        for column, own in (("value", plays), ("previous_value", before)):
            if own is None:
                assert {row[column] for row in found.values()} == {None}
                continue
            days = {play["day"] for play in own}
            assert found["scrobbles"][column] == len(own), query
            assert found["active_days"][column] == len(days)
            assert found["tracks"][column] == len({play["track_id"] for play in own})
            assert found["listening_seconds"][column] == sum(
                play["listening_seconds"] for play in own
            )
        first = days_of(strip(query))[0]
        firsts = {play["artist_id"]: play["day"] for play in reversed(until)}
        for play in until:
            firsts[play["artist_id"]] = min(firsts[play["artist_id"]], play["day"])
        assert found["new_artists"]["value"] == sum(d >= first for d in firsts.values())


def test_the_week_and_the_days_are_those_of_the_local_clock(zoe: Zoe) -> None:
    for query, plays, until in cases(zoe):
        rows = zoe.rows("statistics/week-hours", **query)
        assert len(rows) == 168
        counts = Counter(
            (play["day"].isoweekday(), play["local_at"].hour) for play in plays
        )
        assert {
            (r["weekday"], r["hour"]): r["scrobbles"] for r in rows if r["scrobbles"]
        } == counts, query
        rows = zoe.rows("statistics/calendar", **query)
        days = Counter(play["day"].isoformat() for play in plays)
        assert {r["day"]: r["scrobbles"] for r in rows if r["scrobbles"]} == days
        if plays:
            end = end_of(query, until)
            assert rows[-1]["day"] == end.isoformat()
            assert len(rows) == (end - min(play["day"] for play in plays)).days + 1


def test_the_first_and_the_last_play_are_found(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        rows = zoe.rows("statistics/first-and-last", **query)
        wanted = [
            (kind, play["local_at"].isoformat(), play["track_id"])
            for kind, play in (("first", plays[:1]), ("last", plays[-1:]))
            for play in play
        ]
        assert [
            (r["kind"], r["played_at"].rstrip("Z"), r["track_id"]) for r in rows
        ] == wanted, query


def test_streaks_and_gaps_cover_every_day_once(zoe: Zoe) -> None:
    for query, plays, until in cases(zoe):
        rows = zoe.rows("statistics/streaks", **query)
        heard = {play["day"] for play in plays}
        wanted: set[tuple[str, str, str, bool]] = set()
        if heard:
            day, end = min(heard), end_of(query, until)
            runs: list[list[Any]] = []
            while day <= end:
                kind = "streak" if day in heard else "gap"
                if runs and runs[-1][0] == kind:
                    runs[-1][2] = day
                else:
                    runs.append([kind, day, day])
                day += DAY
            for kind in ("streak", "gap"):
                mine = [run for run in runs if run[0] == kind]
                mine.sort(key=lambda run: (run[1] - run[2], run[1]))
                wanted |= {
                    (kind, run[1].isoformat(), run[2].isoformat(), run[2] == end)
                    for run in mine[: statistics.LONGEST]
                }
        assert {
            (r["kind"], r["first_day"], r["last_day"], r["is_current"]) for r in rows
        } == wanted, query
        for kind in ("streak", "gap"):
            lengths = [row["days"] for row in rows if row["kind"] == kind]
            assert lengths == sorted(lengths, reverse=True)
    gaps = [r for r in zoe.rows("statistics/streaks") if r["kind"] == "gap"]
    assert (gaps[0]["first_day"], gaps[0]["last_day"]) == ("2025-12-20", "2026-01-10")


def test_sessions_end_with_a_pause_after_the_track(zoe: Zoe) -> None:
    limit = timedelta(minutes=statistics.SESSION_PAUSE_MINUTES)
    for query, plays, _ in cases(zoe):
        ordered = sorted(
            plays, key=lambda play: (play["scrobbled_at"], play["listening_seconds"])
        )
        sittings: list[list[Play]] = [ordered[:1]] if ordered else []
        for before, play in pairwise(ordered):
            over = before["scrobbled_at"] + timedelta(
                seconds=before["listening_seconds"]
            )
            if play["scrobbled_at"] > over + limit:
                sittings.append([])
            sittings[-1].append(play)
        rows = zoe.rows("statistics/sessions", **query)
        lengths = sorted((len(sitting) for sitting in sittings), reverse=True)
        assert [r["scrobbles"] for r in rows] == lengths[: statistics.LONGEST], query
        assert {row["sessions"] for row in rows} <= {len(sittings)}
        begun = {s[0]["local_at"].isoformat(): len(s) for s in sittings}
        for row in rows:
            assert begun[row["started_at"].rstrip("Z")] == row["scrobbles"]


def test_the_eddington_number_has_as_many_days_as_plays(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        rows = zoe.rows("statistics/eddington", **query)
        days = Counter(play["day"] for play in plays)
        number = 0
        while sum(count > number for count in days.values()) >= number + 1:
            number += 1
        reached = [row["scrobbles"] for row in rows if row["is_reached"]]
        assert reached == list(range(1, number + 1)), query
        for row in rows:
            assert row["days"] == sum(c >= row["scrobbles"] for c in days.values())


def test_milestones_are_the_plays_with_round_numbers(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        inside = {play["scrobble_id"] for play in plays}
        every = zoe.plays(query["tz"])
        wanted = [
            (number, every[number - 1]["local_at"].isoformat())
            for number in (1, 100, 1000, 5000)
            if number <= len(every) and every[number - 1]["scrobble_id"] in inside
        ]
        rows = zoe.rows("statistics/milestones", **query)
        assert [(r["number"], r["played_at"].rstrip("Z")) for r in rows] == wanted, (
            query
        )
    assert len(zoe.rows("statistics/milestones")) == 3


def test_pace_says_when_the_next_milestone_is_due(zoe: Zoe) -> None:
    for query, plays, until in cases(zoe):
        rows = zoe.rows("statistics/pace", **query)
        if not plays:
            assert rows == []
            continue
        (row,) = rows
        first = max(days_of(strip(query))[0], min(play["day"] for play in until))
        end = end_of(query, until)
        days = (end - first).days + 1
        assert (row["days"], row["scrobbles"]) == (days, len(plays)), query
        assert row["scrobbles_per_day"] == pytest.approx(len(plays) / days)
        following = next(n for n in (100, 1000, 5000) if n > len(until))
        assert row["next_milestone"] == following
        due, played = end, len(until) * days
        while played < following * days:
            due += DAY
            played += len(plays)
        assert row["expected_date"] == due.isoformat()


def test_discoveries_stand_in_the_month_of_the_first_play(zoe: Zoe) -> None:
    for query, plays, until in cases(zoe):
        rows = zoe.rows("statistics/discoveries", **query)
        first = days_of(strip(query))[0]
        firsts: dict[str, date] = {}
        for play in until:
            firsts.setdefault(play["artist_id"], play["day"])
        new = [day for day in firsts.values() if day >= first]
        counts = Counter(day.replace(day=1).isoformat() for day in new)
        found = {r["month_start"]: r["new_artists"] for r in rows if r["new_artists"]}
        assert found == counts, query
        if plays:
            months = {play["day"].replace(day=1).isoformat() for play in plays}
            assert months <= {row["month_start"] for row in rows}


def test_forgotten_favourites_were_played_often_and_long_ago(zoe: Zoe) -> None:
    for query, _, until in cases(zoe):
        end = end_of(query, until)
        counts = Counter(play["artist_id"] for play in until)
        last = {play["artist_id"]: play["day"] for play in until}
        wanted = {
            one: (count, (end - last[one]).days)
            for one, count in counts.items()
            if count >= 10 and (end - last[one]).days >= 180
        }
        rows = zoe.rows("statistics/forgotten", **query)
        assert {
            row["artist_id"]: (row["scrobbles"], row["quiet_days"]) for row in rows
        } == wanted, query
    names = {row["artist_name"] for row in zoe.rows("statistics/forgotten")}
    assert "Forgotten" in names and "Nearly" not in names


def test_one_hit_wonders_have_one_track_and_enough_plays(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        tracks: dict[str, set[str]] = {}
        for play in plays:
            tracks.setdefault(play["artist_id"], set()).add(play["track_id"])
        counts = Counter(play["artist_id"] for play in plays)
        wanted = {
            one: count
            for one, count in counts.items()
            if count >= 5 and len(tracks[one]) == 1
        }
        rows = zoe.rows("statistics/one-hit-wonders", **query)
        assert {row["artist_id"]: row["scrobbles"] for row in rows} == wanted, query
    names = {row["artist_name"] for row in zoe.rows("statistics/one-hit-wonders")}
    assert "Wonder" in names and not names & {"No Wonder", "Two Songs"}


def test_anniversaries_come_within_thirty_days(zoe: Zoe) -> None:
    for query, _, until in cases(zoe):
        end = end_of(query, until)
        counts = Counter(play["artist_id"] for play in until)
        first = {play["artist_id"]: play["day"] for play in reversed(until)}
        coming = {(end + n * DAY).strftime("%m-%d"): end + n * DAY for n in range(30)}
        wanted = {
            one: coming[day.strftime("%m-%d")].isoformat()
            for one, day in first.items()
            if counts[one] >= 10
            and day.strftime("%m-%d") in coming
            and coming[day.strftime("%m-%d")].year > day.year
        }
        rows = zoe.rows("statistics/anniversaries", **query)
        assert {r["artist_id"]: r["anniversary_date"] for r in rows} == wanted, query
    names = {row["artist_name"] for row in zoe.rows("statistics/anniversaries")}
    # 12 April is the thirtieth day from 14 March on.
    assert "Forgotten" in names and "Too Late" not in names


def test_the_29th_of_february_has_its_anniversary_every_year() -> None:
    leap = date(2024, 2, 29)
    assert statistics.next_anniversary(leap, date(2025, 1, 1)) == date(2025, 2, 28)
    assert statistics.next_anniversary(leap, date(2028, 1, 1)) == date(2028, 2, 29)
    assert statistics.next_anniversary(leap, date(2025, 3, 1)) == date(2026, 2, 28)


def test_each_week_has_its_number_one_with_share_and_dominance(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        weeks: dict[str, list[Play]] = {}
        for play in plays:
            monday = play["day"] - timedelta(days=play["day"].weekday())
            weeks.setdefault(monday.isoformat(), []).append(play)
        rows = zoe.rows("statistics/weekly", **query)
        led: Counter[str] = Counter()
        for row in rows:
            own = weeks.pop(row["week_start"], [])
            if not own:
                assert row["artist_id"] is None and row["scrobbles"] == 0
                continue
            counts = Counter(play["artist_id"] for play in own)
            seconds: Counter[str] = Counter()
            for play in own:
                seconds[play["artist_id"]] += play["listening_seconds"]
            order = sorted(counts, key=lambda one: (-counts[one], -seconds[one], one))
            led[order[0]] += 1
            assert row["artist_id"] == order[0], query
            assert row["share_pct"] == pytest.approx(100 * counts[order[0]] / len(own))
            assert row["weeks_at_1"] == led[order[0]]
            second = counts[order[1]] if len(order) > 1 else None
            assert row["second_scrobbles"] == second
            assert row["dominance"] == (
                None if second is None else pytest.approx(counts[order[0]] / second)
            )
        assert weeks == {}
    tied = [r for r in zoe.rows("statistics/weekly") if r["week_start"] == "2026-01-12"]
    assert tied[0]["dominance"] == 1 and tied[0]["artist_name"] in ("Tied A", "Tied B")


def period_of(grain: str, day: date) -> date:
    """The first day of the period of a day."""
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return {
        "day": day,
        "month": day.replace(day=1),
        "year": day.replace(month=1, day=1),
    }[grain]


def grain_of(plays: list[Play]) -> str:
    """By what a series of these plays is drawn."""
    days = [play["day"] for play in plays]
    span = (max(days) - min(days)).days if days else 0
    return "day" if span <= 31 else "week" if span <= 190 else "month"


def test_evolution_follows_the_first_artists_period_by_period(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        grain = grain_of(plays)
        counts = Counter(play["artist_id"] for play in plays)
        leaders = sorted(counts, key=lambda one: (-counts[one], one))[:5]
        parts: dict[str, Counter[str]] = {}
        for play in plays:
            start = period_of(grain, play["day"]).isoformat()
            parts.setdefault(start, Counter())[play["artist_id"]] += 1
        rows = zoe.rows("statistics/evolution", **query)
        assert list(dict.fromkeys(row["artist_id"] for row in rows)) == leaders, query
        for row in rows:
            part = parts.get(row["period_start"], Counter())
            assert row["scrobbles"] == part[row["artist_id"]]
            assert row["rank"] == ranked(part).get(row["artist_id"])
        periods = {row["period_start"] for row in rows}
        assert len(rows) == len(periods) * len(leaders) and set(parts) <= periods


def test_movers_are_compared_with_the_period_before(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        rows = zoe.rows("statistics/movers", **query)
        before_days = days_before(strip(query))
        if before_days is None:
            assert rows == []
            continue
        now = Counter(play["artist_id"] for play in plays)
        before = Counter(
            play["artist_id"]
            for play in zoe.plays(query["tz"])
            if before_days[0] <= play["day"] <= before_days[1]
        )
        changes = {one: now[one] - before[one] for one in set(now) | set(before)}
        for kind, sign in (("climber", 1), ("faller", -1)):
            mine = sorted(
                (one for one, change in changes.items() if change * sign > 0),
                key=lambda one: (-abs(changes[one]), one),
            )
            found = [row for row in rows if row["kind"] == kind]
            assert [row["artist_id"] for row in found] == mine[:10], query
            for row in found:
                assert row["change"] == changes[row["artist_id"]]
                assert row["rank"] == ranked(now).get(row["artist_id"])
                assert row["previous_rank"] == ranked(before).get(row["artist_id"])


def test_tags_and_variety_are_those_of_each_period(zoe: Zoe) -> None:
    for query, plays, _ in cases(zoe):
        grain = grain_of(plays)
        parts: dict[str, list[Play]] = {}
        for play in plays:
            start = period_of(grain, play["day"]).isoformat()
            parts.setdefault(start, []).append(play)
        tags = Counter(tag for play in plays for tag in tags_of(play["name"]))
        leaders = sorted(tags, key=lambda tag: (-tags[tag], key(tag)))[:5]
        rows = zoe.rows("statistics/tags", **query)
        assert list(dict.fromkeys(row["tag_name"] for row in rows)) == leaders, query
        for row in rows:
            own = parts.get(row["period_start"], [])
            count = sum(row["tag_name"] in tags_of(play["name"]) for play in own)
            assert row["scrobbles"] == count
            assert row["share_pct"] == pytest.approx(100 * count / max(len(own), 1))
        rows = zoe.rows("statistics/variety", **query)
        assert set(parts) <= {row["period_start"] for row in rows}
        for row in rows:
            counts = Counter(
                play["artist_id"] for play in parts.get(row["period_start"], [])
            )
            assert row["artists"] == len(counts)
            shares = [count / counts.total() for count in counts.values()]
            wanted = 1 / sum(share**2 for share in shares) if shares else None
            assert row["effective_artists"] == (
                None if wanted is None else pytest.approx(wanted)
            )


def test_weeks_that_stand_out_do_so_from_all_the_others(zoe: Zoe) -> None:
    found = 0
    with_itself = 0
    for query, plays, until in cases(zoe):
        counts = Counter(play["day"] for play in plays)
        end = end_of(query, until)
        weeks = {}
        start = min(counts, default=end + DAY)
        while start.weekday() != 0:
            start += DAY
        while start + 6 * DAY <= end:
            weeks[start] = sum(counts[start + day * DAY] for day in range(7))
            start += 7 * DAY
        wanted = []
        for start, count in weeks.items():
            others = [weeks[other] for other in weeks if other != start]
            if len(others) >= 3 and (spread := stdev(others)):
                z = (count - fmean(others)) / spread
                if abs(z) >= 2:
                    wanted.append((start.isoformat(), count, fmean(others), z))
                # The control: with the week itself among them it may be no longer one.
                whole = [*others, count]
                with_itself += abs(z) >= 2 > abs((count - fmean(whole)) / stdev(whole))
        wanted.sort(key=lambda row: (-abs(row[3]), row[0]))
        rows = zoe.rows("statistics/unusual-weeks", **query)
        found += len(rows)
        assert [(row["week_start"], row["scrobbles"]) for row in rows] == [
            row[:2] for row in wanted[: statistics.LONGEST]
        ], query
        for row, (_, _, mean, z) in zip(rows, wanted, strict=False):
            assert row["mean_of_others"] == pytest.approx(mean)
            assert row["z_score"] == pytest.approx(z)
    assert found > 5 and with_itself > 0


def test_a_statistic_in_another_zone_is_another(zoe: Zoe) -> None:
    """The control of all windows: a zone that is ignored would be found."""
    found = {zone: str(zoe.rows("statistics/week-hours", tz=zone)) for zone in ZONES}
    assert len(set(found.values())) == len(ZONES)
    days = {
        zone: len(zoe.rows("plays", tz=zone, **WINDOWS[5], limit=1000))
        for zone in ZONES
    }
    assert len(set(days.values())) > 1


# Zones and settings -----------------------------------------------------------


@pytest.mark.parametrize("name", [*ZONES, "America/Sao_Paulo", "Africa/Casablanca"])
def test_sql_of_a_zone_says_what_zoneinfo_says(name: str) -> None:
    import duckdb

    zone, info = Zone(name), ZoneInfo(name)
    first, last = date(2009, 12, 30), date(2026, 3, 15)
    sql = zone.local_sql("moment", first, last)
    chance = random.Random(SEED)
    moments = [
        datetime(2009, 12, 30) + timedelta(seconds=chance.randrange(16 * 365 * 86400))
        for _ in range(3_000)
    ]
    at = datetime(2010, 1, 1)
    while at < datetime(2026, 3, 1):
        if zone.offset(at) != zone.offset(at + DAY):
            # A change of the clock: each minute of the day, and the seconds beside.
            moments += [at + timedelta(minutes=n) for n in range(1441)]
            moments += [at + timedelta(hours=n, seconds=-1) for n in range(25)]
        at += DAY
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select moment, {sql} from (select unnest(?) as moment)", [moments]
        ).fetchall()
    assert len(found) == len(moments)
    for at, local in found:
        wanted = at.replace(tzinfo=UTC).astimezone(info).replace(tzinfo=None)
        assert local == wanted, (at, local, wanted)


def test_a_local_day_begins_where_the_date_changes() -> None:
    for name, day, begin in (
        ("UTC", date(2026, 3, 14), datetime(2026, 3, 14)),
        ("Europe/Oslo", date(2025, 3, 30), datetime(2025, 3, 29, 23)),
        ("Europe/Oslo", date(2025, 3, 31), datetime(2025, 3, 30, 22)),
        # In São Paulo the clock went from 00:00 to 01:00: the day had 23 hours.
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3)),
        ("Asia/Kolkata", date(2026, 3, 14), datetime(2026, 3, 13, 18, 30)),
    ):
        assert Zone(name).begin(day) == begin, (name, day)


def test_a_zone_that_is_none_is_refused_with_an_example(duckdb_app: Flask) -> None:
    client = duckdb_app.test_client()
    for name, status in (("Europe/Atlantis", 400), ("../etc/passwd", 422)):
        answer = client.get(f"/api/v1/listeners/zoe/totals?tz={name}")
        assert answer.status_code == status
    answer = client.get("/api/v1/listeners/zoe/totals?tz=Mars/Base")
    assert answer.get_json()["code"] == "invalid_time_zone"
    assert "Europe/Oslo" in answer.get_json()["detail"]


def test_the_owners_zone_is_that_of_own_lists_and_of_nobody_elses(
    duckdb_app: Flask,
) -> None:
    browser = log_in(duckdb_app, "Zoe")
    path = "/api/v1/listeners/zoe/totals"
    assert browser.get(path).get_json()["tz"] == "UTC"
    chosen = {"time_zone": "Asia/Kolkata"}
    done = browser.patch("/api/v1/account", json=chosen, headers=csrf(browser))
    assert done.get_json()["data"]["time_zone"] == "Asia/Kolkata"
    assert browser.get(path).get_json()["tz"] == "Asia/Kolkata"
    assert browser.get(f"{path}?tz=UTC").get_json()["tz"] == "UTC"
    wrong = {"time_zone": "Mars/Base"}
    refused = browser.patch("/api/v1/account", json=wrong, headers=csrf(browser))
    assert refused.status_code == 400
    # Others see UTC: where she lives is not theirs to know.
    public = {"is_public": True}
    browser.patch("/api/v1/account", json=public, headers=csrf(browser))
    visitor = duckdb_app.test_client()
    assert visitor.get(path).get_json()["tz"] == "UTC"
    assert "Kolkata" not in visitor.get("/listeners/zoe").text
    token = csrf(browser)["X-CSRF-Token"]
    form = {"csrf_token": token, "time_zone": ""}
    assert browser.post("/me/time-zone", data=form).status_code == 303
    assert browser.get(path).get_json()["tz"] == "UTC"


def test_all_of_a_window_can_be_had_as_csv_and_parquet(
    duckdb_app: Flask, library: World
) -> None:
    import io

    import pyarrow.parquet

    client = duckdb_app.test_client()
    path = "/api/v1/listeners/zoe/plays"
    csv = client.get(f"{path}.csv?limit=100000")
    assert csv.text.count("\r\n") == len(library["fct_scrobbles"]) + 1
    parquet = client.get(f"{path}.parquet?limit=100000&range=year&tz=Europe/Oslo")
    found = pyarrow.parquet.read_table(io.BytesIO(parquet.data))
    json = client.get(f"{path}?limit=100000&range=year&tz=Europe/Oslo").get_json()
    assert found.num_rows == len(json["data"]) > 100


# Pages ------------------------------------------------------------------------

HTML = {"Accept": "text/html"}
QUERY = "from=2025-01-05&to=2025-11-20&tz=Asia/Kolkata"


def links(text: str) -> list[str]:
    """The addresses of a page's links."""
    import html
    import re

    return [html.unescape(found) for found in re.findall(r'<a href="([^"]+)"', text)]


def test_the_window_goes_along_from_list_to_artist_to_track(duckdb_app: Flask) -> None:
    from urllib.parse import parse_qs, urlsplit

    client = duckdb_app.test_client()
    wanted = parse_qs(QUERY)
    path = "/listeners/zoe/top/artists"
    for following in ("/artists/", "/tracks/"):
        page = client.get(f"{path}?{QUERY}", headers=HTML)
        assert page.status_code == 200, page.text
        found = [
            link
            for link in links(page.text)
            if urlsplit(link).path.startswith(f"/listeners/Zoe{following}")
        ]
        assert found, (path, following)
        for link in found:
            assert parse_qs(urlsplit(link).query) == wanted, link
        path = urlsplit(found[0]).path
    assert client.get(f"{path}?{QUERY}", headers=HTML).status_code == 200


def test_every_bar_of_a_list_leads_somewhere(duckdb_app: Flask) -> None:
    import re

    client = duckdb_app.test_client()
    for path in ("top/artists", "top/tags", "statistics/discoveries?range=all_time"):
        text = client.get(f"/listeners/zoe/{path}", headers=HTML).text
        pictures = re.findall(r'<svg class="picture".*?</svg>', text, re.S)
        led = [link for picture in pictures for link in links(picture)]
        assert len(led) >= 2, path
        for link in led[:4]:
            assert client.get(link, headers=HTML).status_code == 200, link


def test_every_statistic_stands_on_a_page_with_its_definition_and_picture(
    duckdb_app: Flask,
) -> None:
    import html
    import re

    from serve.pages.statistics import PARTS

    client = duckdb_app.test_client()
    shown = [name for part in PARTS.values() for name in part]
    assert sorted(shown) == sorted(statistics.STATISTICS)
    for part, names in PARTS.items():
        query = "from=2025-01-01&to=2026-03-14&tz=Europe/Oslo"
        page = client.get(f"/listeners/zoe/statistics/{part}?{query}", headers=HTML)
        assert page.status_code == 200, page.text
        for name in names:
            figure = re.search(
                rf'<figure class="card" id="figure-statistic-{name}".*?</figure>',
                page.text,
                re.S,
            )
            assert figure is not None, name
            definition = statistics.STATISTICS[name].definition
            assert definition in html.unescape(figure[0]), name
            assert '<svg class="picture"' in figure[0], name
            csv = re.search(r'href="(/api/[^"]+\.csv[^"]*)"', figure[0])
            assert csv is not None
            assert client.get(html.unescape(csv[1])).status_code == 200


def test_a_page_of_nothing_says_so(duckdb_app: Flask) -> None:
    client = duckdb_app.test_client()
    for path in ("top/artists", "plays", "statistics/charts", "statistics/records"):
        query = "from=2003-01-01&to=2003-01-31"
        page = client.get(f"/listeners/zoe/{path}?{query}", headers=HTML)
        assert page.status_code == 200 and 'class="empty"' in page.text, path
    for path in ("top/cheeses", "statistics/moods", f"artists/{'0' * 32}", "cheeses/1"):
        page = client.get(f"/listeners/zoe/{path}", headers=HTML)
        assert page.status_code == 404, path


def test_the_document_has_every_statistic_with_its_definition() -> None:
    document = (Path(__file__).parents[2] / "docs" / "listening.md").read_text()
    for name, statistic in statistics.STATISTICS.items():
        assert f"| {statistic.title} | `{name}` |" in document, name
        assert f"| {statistic.definition} |" in document, name
