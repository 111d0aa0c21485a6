"""Scrobbles, trends, charts and lists: against plain Python, load by load, and rebuilt.

The world is small and unkind: now-playing rows, plays without a time, repeats within
a second, edited albums, deleted plays, plays that come in weeks late, walks with a
page or an item missing, artists corrected to others, lengths and tags that change.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt_project import reference_listening as reference
from tests.dbt_project.project import (
    RawWarehouse,
    differences,
    postgres_rows,
    run_dbt,
)
from tests.dbt_project.reference_listening import Walk
from warehouse.run import Target

SEED = 20260105
FIRST = date(2025, 12, 1)
UNBUILT = "after-the-fourth-load.duckdb"
LISTENERS = ("Ann", "bob", "CARA")
ROBOTS = ("Loop", "Robot")
MARTS = {
    "fct_scrobbles": "scrobble_id",
    "fct_listener_days": "listener_id, scrobbled_date",
    "artist_listener_weeks": "listener_id, artist_id, week_start",
    "listener_artists": "listener_id, artist_id",
    "listener_hours": "listener_id, weekday, hour",
    "listener_trends": "listener_id, period, period_start",
    "listener_top": "listener_id, entity_type, period, period_start, place",
    "listener_flags": "listener_id, flag",
    "listener_neighbours": "listener_id, rank",
    "recommended_artists": "listener_id, rank",
    "recommended_tracks": "listener_id, rank",
    "dim_listeners": "listener_id",
    "totals": "period, period_start",
    "top_charts": "entity_type, period, period_start, entity_id",
    "fct_chart_positions": "chart, scope, period, issue_date, position",
}
SELECT = (*(f"+{mart}" for mart in MARTS), "+restatements")
Rows = list[dict[str, Any]]


class World:
    """Libraries that change from day to day, and what the fetch brings of them."""

    def __init__(self, warehouse: RawWarehouse, seed: int) -> None:
        self.warehouse = warehouse
        self.chance = random.Random(seed)
        self.libraries: dict[str, list[dict[str, Any]]] = {
            n: [] for n in LISTENERS + ROBOTS
        }
        self.answers: Rows = []
        self.walks: list[Walk] = []
        # After each load: the days that are flagged.
        self.flagged: dict[int, set[tuple[str, date]]] = {}

    def run_robots(self, load_id: int, day: date) -> None:
        """Two robots play 651 times in 24 hours, the last 111 of them after midnight.

        Those of the first day come with the second load, those after midnight with the
        third; in the fourth one robot takes two of these back: 649 are no robot.
        """
        for robot in ROBOTS if load_id in (2, 3) else ():
            first = datetime.combine(FIRST + timedelta(days=63), time(5, 0, 10), UTC)
            plays = range(540) if load_id == 2 else range(684, 684 + 111)
            self.libraries[robot] += [
                {
                    "scrobbled_uts": int(first.timestamp()) + 100 * number,
                    "artist_name": f"Artist {number % 12}",
                    "track_name": f"{robot} {number}",
                    "album_name": None,
                }
                for number in plays
            ]
        if load_id == 4:
            del self.libraries["Robot"][-2:]
        for robot in ROBOTS:
            self.walk(load_id, day, robot, days=30, page_size=200)

    def play(self, listener: str, day: date, plays: int) -> None:
        """Plays on a day, in seconds that sometimes repeat."""
        start = int(datetime.combine(day, time(), UTC).timestamp())
        for _ in range(plays):
            artist = int(self.chance.paretovariate(0.9)) % 12
            track = self.chance.randrange(4)
            second = start + self.chance.randrange(0, 86400, 600)
            known = {
                (p["scrobbled_uts"], p["artist_name"], p["track_name"])
                for p in self.libraries[listener]
            }
            names = (f"Artist {artist}", f"Track {track}")
            if (second, *names) in known:
                continue
            self.libraries[listener].append(
                {
                    "scrobbled_uts": second,
                    "artist_name": names[0],
                    "track_name": names[1],
                    "album_name": None if track == 3 else f"Album {artist}",
                }
            )

    def disturb(self, listener: str, today: date) -> None:
        """Delete, edit and put in plays of the past."""
        library = self.libraries[listener]
        for _ in range(min(3, len(library))):
            library.remove(self.chance.choice(library))
        for play in self.chance.sample(library, min(3, len(library))):
            play["album_name"] = f"Album {self.chance.randrange(5)} (edited)"
        self.play(listener, today - timedelta(days=self.chance.randrange(1, 40)), 2)

    def walk(
        self,
        load_id: int,
        day: date,
        listener: str,
        *,
        days: int,
        fault: str = "",
        page_size: int = 7,
    ) -> None:
        """What the fetch gets of the last days; `fault` names what goes wrong."""
        to_uts = int(datetime.combine(day, time(20), UTC).timestamp())
        from_uts = max(to_uts - days * 86400, 0)
        found = sorted(
            (
                play
                for play in self.libraries[listener]
                if from_uts < play["scrobbled_uts"] < to_uts
            ),
            key=lambda play: -play["scrobbled_uts"],
        )
        pages = max(1, -(-len(found) // page_size))
        walk_id = f"{listener} {load_id}"
        fetched = datetime.combine(day, time(20, 0, 1)) + timedelta(minutes=load_id)
        totals = {}
        walk_rows, rows, dead = [], [], []
        for page in range(pages, 0, -1):
            if fault == "page" and page == 1:
                continue
            total = len(found) - (1 if fault == "drift" and page == 1 else 0)
            totals[page] = total
            call = {
                "load_id": load_id,
                "call_id": f"{walk_id} {page}",
                "as_of_date": day,
                "fetched_at": fetched + timedelta(seconds=pages - page),
            }
            walk_rows.append(
                {
                    **call,
                    "listener_name": listener,
                    "walk_id": walk_id,
                    "walk_from_uts": from_uts,
                    "walk_to_uts": to_uts,
                    "pages": pages,
                    "page": page,
                    "total": total,
                }
            )
            items: Rows = [
                {
                    "is_now_playing": True,
                    "artist_name": "Artist 1",
                    "track_name": "Track 1",
                },
                {
                    "is_now_playing": False,
                    "scrobbled_uts": 0,
                    "artist_name": "Artist 2",
                    "track_name": "Track 1",
                },
                *found[(page - 1) * page_size : page * page_size],
            ]
            for index, item in enumerate(items):
                if fault == "dead" and page == 1 and index == 2:
                    dead.append({**call, "item_index": index})
                    continue
                rows.append(
                    {
                        "is_now_playing": False,
                        "scrobbled_uts": None,
                        "album_name": None,
                        **item,
                        **call,
                        "item_index": index,
                        "listener_name": listener,
                    }
                )
        self.warehouse.insert("lastfm__user_recent_tracks", rows)
        self.warehouse.insert("lastfm__scrobble_walks", walk_rows)
        self.warehouse.insert(
            "dead_letters",
            [
                {
                    **letter,
                    "dead_letter_id": f"{letter['call_id']} {letter['item_index']}",
                    "method": "user.getRecentTracks",
                    "table_name": "lastfm__user_recent_tracks",
                    "item": "{}",
                    "encoding": "utf-8",
                    "path": "track",
                    "error": "no name",
                }
                for letter in dead
            ],
        )
        self.answers += rows
        self.walks.append(
            Walk(listener.lower(), from_uts, to_uts, pages, totals, fetched, bool(dead))
        )

    def chart(self, load_id: int, day: date) -> None:
        """The world chart and a country's of a day, drifting between two pages."""
        order = self.chance.sample(range(14), 14)
        call = {
            "load_id": load_id,
            "as_of_date": day,
            "fetched_at": datetime.combine(day, time(21)),
        }
        for table, more in (
            ("lastfm__chart_top_artists", {"listeners": 9, "playcount": 99}),
            ("lastfm__geo_top_artists", {"country": "Spain", "listeners": 5}),
        ):
            self.warehouse.insert(
                table,
                [
                    {
                        **call,
                        **more,
                        "position": place,
                        "artist_name": f"Artist {artist % 12}",
                    }
                    for place, artist in enumerate(order, 1)
                ],
            )
        self.warehouse.insert(
            "lastfm__answers",
            [
                {
                    **call,
                    "call_id": f"chart {day}",
                    "attempt": 1,
                    "run_id": "run",
                    "method": "chart.getTopArtists",
                    "status": 200,
                    "bytes": 1,
                    "outcome": "rows",
                    "items": 0,
                    "loaded": 0,
                    "dead": 0,
                }
            ],
        )

    def facts(self, load_id: int, day: date) -> None:
        """Tags, lengths, likenesses and listeners as answered on a day."""
        call = {"load_id": load_id, "as_of_date": day}
        self.warehouse.insert(
            "lastfm__artist_top_tags",
            [
                {
                    **call,
                    "call_id": f"tags {load_id} {artist}",
                    "item_index": place,
                    "artist_name": f"Artist {artist}",
                    "position": place + 1,
                    "tag_name": f"tag {(artist + place + load_id * artist // 9) % 5}",
                    "tag_count": 100 - 30 * place,
                }
                for artist in range(12)
                for place in range(3)
            ],
        )
        self.warehouse.insert(
            "lastfm__track_infos",
            [
                {
                    **call,
                    "artist_name": f"Artist {artist}",
                    "track_name": "Track 1",
                    "duration_seconds": 180 + artist * load_id,
                }
                for artist in range(3 * load_id)
            ],
        )
        self.warehouse.insert(
            "lastfm__artist_similar",
            [
                {
                    **call,
                    "call_id": f"similar {load_id} {artist}",
                    "item_index": place,
                    "artist_name": f"Artist {artist}",
                    "position": place + 1,
                    "similar_artist_name": f"Artist {(artist + place + 1) % 16}",
                    "match": 1 - place / 4,
                }
                for artist in range(12)
                for place in range(3)
            ],
        )
        self.warehouse.insert(
            "lastfm__artist_top_tracks",
            [
                {
                    **call,
                    "call_id": f"tracks {load_id} {artist}",
                    "artist_name": f"Artist {artist}",
                    "position": 1,
                    "track_name": "Hit",
                    "listeners": 5,
                    "playcount": 50,
                }
                for artist in range(16)
            ],
        )
        self.warehouse.insert(
            "lastfm__user_infos",
            [
                {
                    **call,
                    "listener_name": name,
                    "playcount": len(self.libraries.get(name, ())) + 2,
                }
                for name in (*LISTENERS, "newcomer")
            ],
        )

    def correct(self, load_id: int, day: date, alias: str, artist: str) -> None:
        """last.fm corrects one artist's name to another's."""
        self.warehouse.insert(
            "lastfm__artist_corrections",
            [
                {
                    "load_id": load_id,
                    "as_of_date": day,
                    "requested_name": alias,
                    "artist_name": artist,
                }
            ],
        )

    def close(self, load_id: int, day: date) -> None:
        """The load's own row."""
        self.warehouse.insert(
            "loads",
            [
                {
                    "load_id": load_id,
                    "run_id": "run",
                    "as_of_date": day,
                    "loaded_at": datetime.combine(day, time(22)),
                    "answers": 1,
                    "items": 1,
                    "rows": 1,
                    "dead": 0,
                }
            ],
        )


def load(world: World, load_id: int) -> None:
    """What the n-th load brings; each has something the one before does not have."""
    day = FIRST + timedelta(days=45 + 9 * load_id)
    if load_id == 1:
        for listener in LISTENERS:
            for number in range(0, 54, 2):
                world.play(listener, FIRST + timedelta(days=number), 6)
    else:
        for listener in LISTENERS:
            for number in range(9):
                world.play(listener, day - timedelta(days=number), 3)
            world.disturb(listener, day)
    faults = {2: ("page", "", "dead"), 3: ("", "drift", ""), 4: ("", "", "")}
    for listener, fault in zip(
        LISTENERS, faults.get(load_id, ("", "", "")), strict=True
    ):
        long = load_id in (1, 3)
        world.walk(load_id, day, listener, days=30000 if long else 12, fault=fault)
    world.run_robots(load_id, day)
    world.chart(load_id, day)
    if load_id == 3:
        # An older day is answered again, otherwise.
        world.chart(load_id, FIRST + timedelta(days=54))
        world.correct(load_id, day, "Artist 11", "Artist 1")
    if load_id != 2:
        world.facts(load_id, day)
    world.close(load_id, day)


def mart_rows(warehouse: RawWarehouse) -> dict[str, Rows]:
    """All marts about listening. Revisions are history: a rebuild starts from one."""
    return {
        mart: [
            {name: value for name, value in row.items() if name != "revision"}
            for row in warehouse.rows(f"marts.{mart}", order)
        ]
        for mart, order in MARTS.items()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world after four loads, each built on top of the last."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("listening")
    world = World(RawWarehouse(folder), SEED)
    for load_id in range(1, 5):
        load(world, load_id)
        if load_id == 4:
            shutil.copyfile(world.warehouse.path, folder / UNBUILT)
        world.warehouse.build(*SELECT, built_through=load_id - 1)
        world.flagged[load_id] = {
            (row["listener_id"], row["scrobbled_date"])
            for row in world.warehouse.rows("marts.fct_listener_days", "listener_id")
            if row["is_flagged"]
        }
    return world


def copied(path: Path, folder: Path) -> RawWarehouse:
    """The warehouse of a file, in a copy of its own."""
    warehouse = RawWarehouse.__new__(RawWarehouse)
    warehouse.folder, warehouse.path = folder, folder / "warehouse.duckdb"
    shutil.copyfile(path, warehouse.path)
    return warehouse


@pytest.fixture(scope="module")
def plays(world: World) -> Rows:
    return world.warehouse.rows("marts.fct_scrobbles", "scrobble_id")


@pytest.fixture(scope="module")
def main_tags(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for artist, tag in world.warehouse.query(
        "select artist_id, tag_id from marts.artist_tags"
        " where rank <= 3 and weight >= 50"
    ):
        found[artist].append(tag)
    return found


def test_scrobbles_are_what_the_last_answers_and_whole_walks_leave(
    world: World, plays: Rows
) -> None:
    left = reference.scrobbles(world.answers, world.walks)
    expected = Counter(
        (key[0], datetime.fromtimestamp(key[1], UTC).replace(tzinfo=None))
        for key in left
    )
    assert Counter((p["listener_id"], p["scrobbled_at"]) for p in plays) == expected
    # The controls: the world has repeats within a second, deletions, and faults.
    assert max(expected.values()) > 1
    without_walks = reference.scrobbles(world.answers, [])
    assert len(without_walks) > len(left)
    assert sum(walk.is_complete for walk in world.walks) == len(world.walks) - 3


def unordered(path: Path) -> int:
    """How many scrobbles are stored behind one of a later listener or time."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return int(
            connection.execute(
                """
                select count(*)
                from (
                    select
                        (listener_id, scrobbled_at) as here,
                        lag((listener_id, scrobbled_at)) over (order by rowid) as before
                    from intermediate.int_scrobbles
                )
                where here < before
                """
            ).fetchall()[0][0]
        )


def test_building_load_by_load_and_building_all_at_once_give_the_same(
    world: World, tmp_path: Path
) -> None:
    step_by_step = mart_rows(world.warehouse)
    again = copied(world.warehouse.path, tmp_path)
    again.build(*SELECT, full_refresh=True)
    # Built at once they are stored by listener and time; the control: load by load each
    # adds its own behind the others'.
    stored = (unordered(again.path), unordered(world.warehouse.path))
    assert stored[0] == 0 < stored[1], stored
    at_once = mart_rows(again)
    for mart in MARTS:
        assert not differences(step_by_step[mart], at_once[mart], 0.0), mart
        assert at_once[mart], mart


def test_a_build_killed_on_its_way_and_begun_again_owes_nothing(
    world: World, tmp_path: Path
) -> None:
    expected = mart_rows(world.warehouse)
    again = copied(world.warehouse.folder / UNBUILT, tmp_path)
    again.build("+fct_scrobbles", "artist_listener_weeks", built_through=3)
    again.build(*SELECT, built_through=3)
    found = mart_rows(again)
    for mart in MARTS:
        assert not differences(found[mart], expected[mart], 0.0), mart


def test_charts_count_what_plain_python_counts(
    world: World, plays: Rows, main_tags: dict[str, list[str]]
) -> None:
    days = [play["scrobbled_date"] for play in plays]
    columns = (
        "entity_id",
        "place",
        "rank",
        "scrobbles",
        "scrobbles_flagged",
        "scrobbles_counted",
        "listeners",
        "listeners_counted",
        "listening_seconds",
        "listening_seconds_counted",
        "share_pct",
        "place_all",
        "rank_all",
        "share_all_pct",
    )
    flagged = world.flagged[4]
    charts: dict[tuple[str, str, date], Rows] = defaultdict(list)
    for row in world.warehouse.rows("marts.top_charts", "place nulls last, place_all"):
        charts[row["entity_type"], row["period"], row["period_start"]].append(row)
    for period in ("week", "month", "quarter", "half_year", "year", "all_time"):
        starts = {reference.period_start(period, day) for day in days}
        for kind in ("artist", "track", "album", "tag", "listener"):
            for start in sorted(starts):
                inside = [
                    play
                    for play, day in zip(plays, days, strict=True)
                    if reference.period_start(period, day) == start
                ]
                expected = reference.top_chart(
                    inside, main_tags, kind, is_week=period == "week", flagged=flagged
                )
                found = [
                    {name: row[name] for name in columns}
                    for row in charts[kind, period, start]
                ]
                wanted = [
                    {name: row[name] for name in columns}
                    for row in expected
                    if (row["place"] or 9999) <= 1000 or row["place_all"] <= 1000
                ]
                assert not differences(found, wanted), (period, kind, start)
    # The controls: plays were left out because of a flag, and because of the cap.
    assert any(row["scrobbles_flagged"] for rows in charts.values() for row in rows)
    assert any(
        row["scrobbles"] > row["scrobbles_counted"] + row["scrobbles_flagged"]
        for rows in charts.values()
        for row in rows
    )


def test_dimensions_count_what_the_chart_of_all_time_counts(
    world: World, tmp_path: Path
) -> None:
    again = copied(world.warehouse.path, tmp_path)
    again.build("+dim_artists", "+dim_tracks", "+dim_albums", built_through=4)
    plays = again.query(
        "select count(*), count(album_id) from marts.fct_scrobbles"
    ).pop()
    for kind in ("artist", "track", "album"):
        columns = "scrobbles, scrobbles_counted"
        names = columns
        if kind == "artist":
            columns += ", listeners, listeners_counted"
            names += ", panel_listeners, panel_listeners_counted"
        charted = again.query(
            f"select entity_id, {columns} from marts.top_charts"
            f" where period = 'all_time' and entity_type = '{kind}' order by entity_id"
        )
        found = again.query(
            f"select {kind}_id, {names} from marts.dim_{kind}s"
            f" where scrobbles > 0 order by {kind}_id"
        )
        # The chart ends at a thousand places.
        assert set(charted) <= set(found) and len(charted) >= min(1000, len(found))
        assert sum(row[1] for row in found) == plays[kind == "album"], kind
        # The control: not all of them count. Robots here play no albums.
        assert any(row[2] < row[1] for row in found) or kind == "album"


def test_a_day_is_flagged_and_no_longer_as_the_days_beside_it_change(
    world: World, plays: Rows
) -> None:
    first = FIRST + timedelta(days=63)
    both = {first, first + timedelta(days=1)}
    assert world.flagged[2] == set()
    assert world.flagged[3] == {
        (name, day) for name in ("loop", "robot") for day in both
    }
    assert world.flagged[4] == {("loop", day) for day in both}
    assert world.flagged[4] == reference.flagged_days(plays)


def test_the_entries_of_every_chart_move_as_plain_python_moves_them(
    world: World,
) -> None:
    series: dict[tuple[str, str, str], dict[date, Rows]] = defaultdict(
        lambda: defaultdict(list)
    )
    rows = world.warehouse.rows("marts.fct_chart_positions", "issue_date, position")
    for row in rows:
        key = (row["chart"], row["scope"], row["period"])
        series[key][row["issue_date"]].append(row)
    assert {chart for chart, _, _ in series} >= {"global_artists", "panel_tags"}
    for key, issues in series.items():
        expected = reference.movements(issues, 100)
        for issue, entries in issues.items():
            for row in entries:
                wanted = expected[issue, row["is_bubbling_under"], row["entity_id"]]
                found = {name: row[name] for name in wanted}
                assert found == wanted, (key, issue, row["entity_name"])
    # The control: something came back, and something was absent.
    assert {row["movement"] for row in rows} >= {"NEW", "RE", "UP", "DOWN", "SAME"}


def test_the_chart_of_all_time_at_the_end_of_a_month_knows_nothing_later(
    world: World, plays: Rows, main_tags: dict[str, list[str]]
) -> None:
    rows = [
        row
        for row in world.warehouse.rows("marts.fct_chart_positions", "position")
        if row["period"] == "all_time"
    ]
    assert len({row["issue_date"] for row in rows}) >= 2
    for chart, issue in sorted({(row["chart"], row["issue_date"]) for row in rows}):
        end = reference.period_next("month", issue)
        until = [play for play in plays if play["scrobbled_date"] < end]
        kind = chart.removeprefix("panel_").removesuffix("s")
        expected = reference.top_chart(
            until, main_tags, kind, is_week=False, flagged=world.flagged[4]
        )
        columns = ("entity_id", "rank", "scrobbles_counted", "listeners_counted")
        assert [
            [row[name] for name in columns]
            for row in rows
            if (row["chart"], row["issue_date"]) == (chart, issue)
        ] == [
            [row[name] for name in columns]
            for row in expected[:200]
            if row["rank"] is not None
        ]


def test_neighbours_see_each_other_alike_and_a_newcomer_is_recommended_by_tag(
    world: World,
) -> None:
    pairs = {
        (row["listener_id"], row["neighbour_id"]): row["affinity"]
        for row in world.warehouse.rows("marts.listener_neighbours", "listener_id")
    }
    assert pairs and all(pairs[b, a] == value for (a, b), value in pairs.items())
    artists = world.warehouse.rows("marts.recommended_artists", "listener_id, rank")
    kinds = {row["reason_kind"] for row in artists if row["listener_id"] == "newcomer"}
    assert kinds == {"tag"}
    assert {row["reason_kind"] for row in artists} >= {"tag", "similar_artist"}
    tracks = world.warehouse.rows("marts.recommended_tracks", "listener_id, rank")
    assert any(
        row["listener_id"] == "newcomer" and row["track_name"] == "Hit"
        for row in tracks
    )


@pytest.mark.postgres
def test_both_engines_give_the_same_marts_about_listening(
    world: World, postgres_url: str, tmp_path: Path
) -> None:
    world.warehouse.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), tmp_path, *SELECT)
    embedded = mart_rows(world.warehouse)
    for mart, order in MARTS.items():
        found = [
            {name: value for name, value in row.items() if name != "revision"}
            for row in postgres_rows(postgres_url, f"marts_build.{mart}", order)
        ]
        assert not differences(embedded[mart], found), mart
