"""What changes keeps its history: every past day can be shown as it was.

One world is small enough to write its stretches down; in the other chance decides what
is answered, when it comes, and under which name, and plain Python says what held.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project.project import (
    RawWarehouse,
    day,
    differences,
    postgres_rows,
    run_dbt,
)
from warehouse.run import Target

SEED = 20261129
MARTS = {
    "artist_list_history": "artist_id, list_name, item_id, valid_from_date",
    "mbid_history": "entity_type, entity_id, valid_from_date",
}
TODAY = {
    "tags": ("artist_tags", "tag_id", "weight"),
    "similar": ("artist_similar", "similar_artist_id", "match"),
    "tracks": ("artist_top_tracks", "track_id", "null"),
    "albums": ("artist_top_albums", "album_id", "null"),
}
SELECT = (*(f"+{mart}" for mart in MARTS), *(f"+{mart}" for mart, *_ in TODAY.values()))
TABLES = {
    "tags": ("artist_top_tags", "tag_name", "tag_count"),
    "similar": ("artist_similar", "similar_artist_name", "match"),
    "tracks": ("artist_top_tracks", "track_name", "playcount"),
    "albums": ("artist_top_albums", "album_name", "playcount"),
}
Rows = list[dict[str, Any]]
# (name of the item, its score, its mbid)
Item = tuple[str, Any, str | None]


def key(*parts: str) -> str:
    """The key of names that need no folding but case."""
    return hashlib.md5("\x1f".join(parts).lower().encode()).hexdigest()


def answer(
    warehouse: RawWarehouse,
    load_id: int,
    when: date,
    artist: str,
    name: str,
    items: list[Item],
    hour: int = 5,
) -> None:
    """One answer with a list of an artist."""
    table, column, score = TABLES[name]
    mbid = f"{column.removesuffix('_name')}_mbid"
    warehouse.insert(
        f"lastfm__{table}",
        [
            {
                "load_id": load_id,
                "as_of_date": when,
                "fetched_at": datetime.combine(when, time(hour)),
                "call_id": f"{name} {artist} {when} {load_id} {hour}",
                "item_index": place,
                "artist_name": artist,
                "position": place + 1,
                column: item,
                score: value,
                mbid: item_mbid,
            }
            for place, (item, value, item_mbid) in enumerate(items)
        ],
    )


def info(
    warehouse: RawWarehouse, load_id: int, when: date, artist: str, mbid: str | None
) -> None:
    """One answer about an artist."""
    warehouse.insert(
        "lastfm__artist_infos",
        [
            {
                "load_id": load_id,
                "as_of_date": when,
                "artist_name": artist,
                "artist_mbid": mbid,
                "listeners": 10,
                "playcount": 100 + load_id,
            }
        ],
    )


def marts(warehouse: RawWarehouse) -> dict[str, Rows]:
    return {
        mart: warehouse.rows(f"marts.{mart}", order) for mart, order in MARTS.items()
    }


def test_stretches_follow_who_leaves_comes_back_and_changes_place(
    tmp_path: Path,
) -> None:
    warehouse = RawWarehouse(tmp_path)
    tracks = {
        0: [("One", 90, "m-1"), ("Two", 80, None)],
        1: [("One", 91, "m-1")],  # Two leaves,
        2: [("One", 92, None), ("Two", 85, None)],  # comes back,
        3: [("Two", 99, None), ("One", 93, "m-9")],  # and is first.
        5: [("Two", 99, None), ("One", 93, "m-9")],  # Nobody asked on day 4.
    }
    tags = {
        0: [("rock", 100, None), ("jazz", 50, None)],
        3: [("rock", 100, None), ("jazz", 70, None), ("odd", None, None)],
    }
    for number in range(6):
        load = number + 1
        if number in tracks:
            answer(warehouse, load, day(number), "Ann", "tracks", tracks[number])
        if number in tags:
            answer(warehouse, load, day(number), "Ann", "tags", tags[number])
        info(warehouse, load, day(number), "Ann", "a-1" if number < 4 else "a-2")
        warehouse.build(*SELECT, built_through=number)

    def found(name: str, *item: str) -> list[tuple[Any, ...]]:
        return [
            (row["rank"], row["score"], row["valid_from_date"], row["valid_to_date"])
            for row in warehouse.rows(
                "marts.artist_list_history", "valid_from_date, rank"
            )
            if (row["list_name"], row["item_id"]) == (name, key(*item))
        ]

    assert found("tracks", "Ann", "One") == [
        (1, 90.0, day(0), day(3)),
        (2, 93.0, day(3), None),
    ]
    assert found("tracks", "Ann", "Two") == [
        (2, 80.0, day(0), day(1)),
        (2, 85.0, day(2), day(3)),
        (1, 99.0, day(3), None),
    ]
    assert found("tags", "jazz") == [(2, 50.0, day(0), day(3)), (2, 70.0, day(3), None)]
    assert found("tags", "rock") == [(1, 100.0, day(0), None)]
    assert found("tags", "odd") == [(3, 0.0, day(3), None)]
    assert [
        (row["entity_type"], row["mbid"], row["valid_from_date"], row["valid_to_date"])
        for row in warehouse.rows("marts.mbid_history", "entity_type, valid_from_date")
    ] == [
        ("artist", "a-1", day(0), day(4)),
        ("artist", "a-2", day(4), None),
        ("track", "m-1", day(0), day(3)),
        ("track", "m-9", day(3), None),
    ]


class Chance:
    """Answers by chance, kept beside the warehouse as they were given."""

    artists = ("Ann", "Bob", "Cara", "Old Bob")

    def __init__(self, warehouse: RawWarehouse, seed: int) -> None:
        self.warehouse = warehouse
        self.chance = random.Random(seed)
        self.lists: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)

    def load(self, load_id: int) -> None:
        """A day's answers; some say again, and otherwise, what a past day was."""
        today = day(3 * load_id)
        for artist in self.artists:
            for name in TABLES:
                if self.chance.random() < 0.3:
                    continue  # not asked
                self._answer(load_id, today, artist, name, 5)
                if self.chance.random() < 0.2:
                    self._answer(load_id, today, artist, name, 6)
                if load_id > 2 and self.chance.random() < 0.15:
                    late = today - timedelta(days=self.chance.randint(1, 6))
                    self._answer(load_id, late, artist, name, 7)
            mbid = self.chance.choice((None, "x", "y"))
            info(self.warehouse, load_id, today, artist, mbid)
        if load_id in (4, 6):
            # The two are one artist for a while.
            self.warehouse.insert(
                "lastfm__artist_corrections",
                [
                    {
                        "load_id": load_id,
                        "as_of_date": today,
                        "requested_name": "Old Bob",
                        "artist_name": "Bob" if load_id == 4 else "Old Bob",
                    }
                ],
            )

    def _answer(
        self, load_id: int, when: date, artist: str, name: str, hour: int
    ) -> None:
        of_artists = name == "similar"
        names = self.artists if of_artists else ("One", "Two", "Three", "Four")
        some = self.chance.sample(names, self.chance.randint(1, 4))
        items: list[Item] = [
            (item, self.chance.choice((1, 2)), self.chance.choice((None, "x", "y")))
            for item in some
        ]
        answer(self.warehouse, load_id, when, artist, name, items, hour)
        order = (when, hour, f"{name} {artist} {when} {load_id} {hour}")
        self.lists[artist, name].append((order, items))

    def on(self, artist: str, name: str, when: date) -> dict[str, int]:
        """Item -> place, as the last answer until this day has them."""
        known = [entry for entry in self.lists[artist, name] if entry[0][0] <= when]
        if not known:
            return {}
        items = max(known)[1]
        if name == "tags":
            items = sorted(items, key=lambda item: -item[1])
        of_artist = name in ("tracks", "albums")
        ids = [key(artist, item) if of_artist else key(item) for item, *_ in items]
        if name == "similar":
            ids = [item_id for item_id in ids if item_id != key(artist)]
        return {item_id: place for place, item_id in enumerate(ids, start=1)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Chance:
    """Seven loads, each built on top of the last."""
    print(f"seed {SEED}")
    world = Chance(RawWarehouse(tmp_path_factory.mktemp("histories")), SEED)
    for load_id in range(1, 8):
        world.load(load_id)
        world.warehouse.build(*SELECT, built_through=load_id - 1)
    return world


def test_a_past_day_is_what_the_last_answer_until_then_says(world: Chance) -> None:
    rows = world.warehouse.rows("marts.artist_list_history", "artist_id, rank")
    compared = 0
    for number in range(22):
        when = day(number)
        held: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for row in rows:
            to = row["valid_to_date"]
            if row["valid_from_date"] <= when and (to is None or to > when):
                place = held[row["artist_id"], row["list_name"]]
                assert row["item_id"] not in place, "two stretches of a day"
                place[row["item_id"]] = row["rank"]
        for artist in world.artists:
            for name in TABLES:
                expected = world.on(artist, name, when)
                assert held[key(artist), name] == expected, (artist, name, when)
                compared += len(expected)
    assert compared > 500
    # The control: the lists of the last day are not those of the days before.
    closed = [row for row in rows if row["valid_to_date"] is not None]
    assert len(closed) > 50


def test_what_still_holds_is_what_the_marts_of_today_say(world: Chance) -> None:
    for name, (mart, item_id, score) in TODAY.items():
        found = world.warehouse.query(
            f"select artist_id, item_id, rank, {'score' if score != 'null' else 'null'}"
            " from marts.artist_list_history"
            f" where list_name = '{name}' and valid_to_date is null order by 1, 3"
        )
        today = world.warehouse.query(
            f"select artist_id, {item_id}, rank, {score}"
            f" from marts.{mart} order by 1, 3"
        )
        assert found == today and today, name


def test_days_built_one_by_one_and_all_at_once_give_the_same_histories(
    world: Chance, tmp_path: Path
) -> None:
    grown = marts(world.warehouse)
    again = RawWarehouse(tmp_path)
    again.path.write_bytes(world.warehouse.path.read_bytes())
    again.build("int_stretches", *MARTS, full_refresh=True)
    whole = marts(again)
    for mart in MARTS:
        assert not differences(grown[mart], whole[mart], 0.0), mart
    # The control: one more answer of a past day moves what was there.
    answer(again, 8, day(7), "Ann", "tracks", [("Five", 1, "z")])
    again.build(*SELECT, built_through=7)
    assert differences(grown["artist_list_history"], marts(again)[next(iter(MARTS))])


@pytest.mark.postgres
def test_both_engines_give_the_same_histories(
    world: Chance, postgres_url: str, tmp_path: Path
) -> None:
    world.warehouse.copy_raw_to(postgres_url)
    embedded = marts(world.warehouse)
    # From nothing, and the last load once more upon what is there.
    for built_through in (0, 6):
        run_dbt(
            Target(url=postgres_url), tmp_path, *SELECT, built_through=built_through
        )
        for mart, order in MARTS.items():
            found = postgres_rows(postgres_url, f"marts_build.{mart}", order)
            assert not differences(embedded[mart], found), (mart, built_through)
