"""Plays by holders of an artist's shares do not count into the artist's flow."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from hashlib import md5
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

OWN_PLAYS = "+int_own_plays"
ORDER = "artist_id, snapshot_date"
Rows = list[dict[str, Any]]


def infos(number: int) -> Rows:
    """Two artists who gain 10 listeners and 100 plays a day, asked at 4 o'clock."""
    return [
        {
            "load_id": number + 1,
            "as_of_date": day(number),
            "fetched_at": datetime.combine(day(number), time(4)),
            "artist_name": name,
            "requested_name": name,
            "listeners": 1000 + 10 * number,
            "playcount": 9000 + 100 * number,
        }
        for name in ("Low", "Can")
    ]


def play(load_id: int, listener: str, artist: str, *moments: datetime) -> Rows:
    """Plays of an artist, a day's answer of the listener."""
    return [
        {
            "load_id": load_id,
            "as_of_date": day(load_id - 1),
            "walk_id": f"{listener} {load_id}",
            "listener_name": listener,
            "is_now_playing": False,
            "artist_name": artist,
            "track_name": "Monkey",
            "scrobbled_uts": int((moment - datetime(1970, 1, 1)).total_seconds()),
        }
        for moment in moments
    ]


def hold(load_id: int, listener: str, artist_id: str) -> Rows:
    """A holding at the close before the load's day."""
    return [
        {
            "load_id": load_id,
            "held_date": day(load_id - 2),
            "player_id": f"player {listener}",
            "listener_id": listener,
            "artist_id": artist_id,
            "shares": 3,
        }
    ]


@pytest.fixture
def warehouse(tmp_path: Path) -> RawWarehouse:
    made = RawWarehouse(tmp_path)
    for number in range(4):
        made.insert("lastfm__artist_infos", infos(number))
    return made


@pytest.mark.postgres
def test_plays_of_holders_since_the_last_snapshot_are_taken_out(
    warehouse: RawWarehouse, postgres_url: str
) -> None:
    low = md5(b"low").hexdigest()
    snapshot = datetime.combine(day(2), time(4))
    minute = timedelta(minutes=1)
    answered = [
        *play(2, "ann", "Low", snapshot - 30 * minute * 60),
        *play(
            3,
            "ann",
            "Low",
            # In an answer before too, and before the snapshot before.
            snapshot - 30 * minute * 60,
            snapshot - 24 * minute * 60 + minute,
            snapshot - minute,
        ),
        *play(3, "ann", "Can", snapshot - minute),
        *play(3, "bob", "Low", snapshot - minute),
        # After the snapshot, and known too late.
        *play(4, "ann", "Low", snapshot + minute, snapshot - 2 * minute),
    ]
    warehouse.insert("exchange__holdings", hold(3, "ann", low))
    warehouse.insert(
        "lastfm__user_recent_tracks", [row for row in answered if row["load_id"] <= 3]
    )
    warehouse.build(OWN_PLAYS)
    first = warehouse.rows("intermediate.int_own_plays", ORDER)
    assert [(row["snapshot_date"], row["own_scrobbles"]) for row in first] == [
        (day(2), 2)
    ]

    warehouse.insert("exchange__holdings", hold(4, "ann", low))
    warehouse.insert(
        "lastfm__user_recent_tracks", [row for row in answered if row["load_id"] == 4]
    )
    warehouse.build("+fct_artist_values", built_through=3)
    found = warehouse.rows("intermediate.int_own_plays", ORDER)
    assert found[:1] == first
    assert [(row["snapshot_date"], row["own_plays_per_day"]) for row in found] == [
        (day(2), 2.0),
        (day(3), 1.0),
    ]
    plays = {
        (row["artist_id"], row["value_date"]): row["plays_per_day"]
        for row in warehouse.rows("marts.fct_artist_values", "value_date, artist_id")
    }
    assert {value_date: n for (key, value_date), n in plays.items() if key == low} == {
        day(1): 100.0,
        day(2): 98.0,
        day(3): 99.0,
    }
    assert {n for (key, _), n in plays.items() if key != low} == {100.0}

    # Built at once, and by the other engine.
    warehouse.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), warehouse.folder, OWN_PLAYS)
    assert not differences(
        postgres_rows(postgres_url, "intermediate.int_own_plays", ORDER), found
    )


def test_a_correction_moves_own_plays_and_all_values_as_a_full_build_does(
    warehouse: RawWarehouse,
) -> None:
    low = md5(b"low").hexdigest()
    snapshot = datetime.combine(day(2), time(4))
    minute = timedelta(minutes=1)
    select = ("+fct_artist_values",)
    # Lowe has no counters: no snapshot tells that the name is another artist's.
    warehouse.insert("exchange__holdings", hold(3, "ann", low))
    warehouse.insert(
        "lastfm__user_recent_tracks",
        [
            *play(3, "ann", "Low", snapshot - minute),
            *play(3, "ann", "Lowe", *(snapshot - n * minute for n in range(2, 22))),
            *play(4, "ann", "Can", snapshot),
        ],
    )
    warehouse.build(*select)

    tables = {
        "intermediate.int_own_plays": ORDER,
        "marts.fct_artist_values": "artist_id, value_date",
    }
    found = []
    for number, to, table in (
        (4, "Low", "lastfm__artist_corrections"),
        (5, "Lowe", "corrections__artists"),
    ):
        warehouse.insert("lastfm__artist_infos", infos(number))
        row = {"load_id": number + 1, "as_of_date": day(number)}
        warehouse.insert(table, [{**row, "requested_name": "Lowe", "artist_name": to}])
        warehouse.build(*select, built_through=number)
        grown = {name: warehouse.rows(name, order) for name, order in tables.items()}
        warehouse.build(*select, full_refresh=True)
        for name, order in tables.items():
            assert not differences(grown[name], warehouse.rows(name, order)), name
        found.append(
            [row["own_scrobbles"] for row in grown["intermediate.int_own_plays"]]
        )
    assert found == [[21], [1]]
