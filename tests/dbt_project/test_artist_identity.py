"""Corrections make aliases, and aliases move an artist's history, also day by day."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

from tests.dbt_project.project import RawWarehouse, day, differences

MARTS = {
    "marts.fct_artist_snapshots": "artist_id, snapshot_date",
    "marts.fct_artist_values": "artist_id, value_date",
    "staging.base_lastfm__artist_spellings": "artist_name, artist_mbid",
    "staging.base_lastfm__names": "name",
}
SELECT = (
    "+fct_artist_values",
    "stg_lastfm__artist_aliases",
    "fct_artist_snapshots",
    "base_lastfm__artist_spellings",
)


def artist_id(key: str) -> str:
    return hashlib.md5(key.encode()).hexdigest()


def info(name: str, when: date, load_id: int, count: int) -> dict[str, Any]:
    return {
        "artist_name": name,
        "requested_name": name,
        "as_of_date": when,
        "load_id": load_id,
        "listeners": 1000 + count,
        "playcount": 20000 + 9 * count,
        "call_id": f"{name} {when}",
    }


def corrected(name: str, to: str, when: date, load_id: int) -> dict[str, Any]:
    return {
        "requested_name": name,
        "artist_name": to,
        "as_of_date": when,
        "load_id": load_id,
    }


def state(warehouse: RawWarehouse) -> dict[str, list[dict[str, Any]]]:
    return {mart: warehouse.rows(mart, order) for mart, order in MARTS.items()}


def test_a_name_corrected_later_brings_its_history_to_the_artist(
    tmp_path: Path,
) -> None:
    warehouse = RawWarehouse(tmp_path)
    names = ("Old Name", "New Name", "Somebody Else")
    for number in range(6):
        # Last.fm renames the artist: the old name is answered no more from day 3 on.
        shown = (names[0], names[2]) if number < 3 else (names[1], names[2])
        warehouse.insert(
            "lastfm__artist_infos",
            [info(name, day(number), number + 1, 40 * number) for name in shown],
        )
        if number == 4:
            warehouse.insert(
                "lastfm__artist_corrections",
                [corrected("Old Name", "New Name", day(4), 5)],
            )
        if number in (3, 4, 5):
            warehouse.build(*SELECT, built_through=number if number > 3 else 0)
    grown = state(warehouse)
    snapshots = [
        row
        for row in grown["marts.fct_artist_snapshots"]
        if row["artist_id"] == artist_id("new name")
    ]
    assert [row["snapshot_date"] for row in snapshots] == [day(n) for n in range(6)]
    assert [row["plays_per_day"] for row in snapshots] == [None] + [360.0] * 5
    gone = artist_id("old name")
    assert not [r for r in grown["marts.fct_artist_values"] if r["artist_id"] == gone]
    warehouse.build(*SELECT, full_refresh=True)
    for mart, rows in state(warehouse).items():
        assert not differences(grown[mart], rows, 1e-12), mart


def test_a_correction_taken_back_gives_each_artist_its_own_history(
    tmp_path: Path,
) -> None:
    warehouse = RawWarehouse(tmp_path)
    for number in range(4):
        warehouse.insert(
            "lastfm__artist_infos",
            [
                info("Twin", day(number), number + 1, 30 * number),
                info("Twins", day(number), number + 1, 70 * number),
            ],
        )
        to = "Twins" if number < 3 else "Twin"
        warehouse.insert(
            "lastfm__artist_corrections",
            [corrected("Twin", to, day(number), number + 1)],
        )
        if number >= 2:
            warehouse.build(*SELECT, built_through=number if number > 2 else 0)
    grown = state(warehouse)
    artists = {row["artist_id"] for row in grown["marts.fct_artist_values"]}
    assert artists == {artist_id("twin"), artist_id("twins")}
    warehouse.build(*SELECT, full_refresh=True)
    for mart, rows in state(warehouse).items():
        assert not differences(grown[mart], rows, 1e-12), mart


def test_what_an_administrator_decides_stands_before_last_fm_and_moves_history(
    tmp_path: Path,
) -> None:
    warehouse = RawWarehouse(tmp_path)
    found = []
    for number in range(6):
        warehouse.insert(
            "lastfm__artist_infos",
            [
                info(name, day(number), number + 1, growth * number)
                for name, growth in (("Twin", 30), ("Twins", 70), ("Other", 50))
            ],
        )
        # Every day last.fm says that Twin is Twins; from the third the administrator
        # says that it is not, then that it is Other, then once more that it is not.
        warehouse.insert(
            "lastfm__artist_corrections",
            [corrected("Twin", "Twins", day(number), number + 1)],
        )
        decided = {2: "Twin", 3: "Other", 4: "TWIN"}.get(number)
        if decided is not None:
            warehouse.insert(
                "corrections__artists",
                [corrected("twin", decided, day(number), number + 1)],
            )
        if number:
            warehouse.build(*SELECT, built_through=number if number > 1 else 0)
        found.append(
            warehouse.query(
                "select alias_key, artist_key, is_decided"
                " from staging.stg_lastfm__artist_aliases where is_alias"
            )
            if number
            else []
        )
    twins, other = ("twin", "twins", False), ("twin", "other", True)
    assert found == [[], [twins], [], [other], [], []]
    grown = state(warehouse)
    artists = {row["artist_id"] for row in grown["marts.fct_artist_values"]}
    assert artists == {artist_id("twin"), artist_id("twins"), artist_id("other")}
    assert {
        row["snapshot_date"]
        for row in grown["marts.fct_artist_snapshots"]
        if row["artist_id"] == artist_id("twin")
    } == {day(number) for number in range(6)}
    warehouse.build(*SELECT, full_refresh=True)
    for mart, rows in state(warehouse).items():
        assert not differences(grown[mart], rows, 1e-12), mart


def test_a_row_that_plays_just_now_makes_no_artist_and_no_track(
    tmp_path: Path,
) -> None:
    def names(folder: Path, *, is_now_playing: bool) -> list[tuple[Any, ...]]:
        folder.mkdir()
        warehouse = RawWarehouse(folder)
        warehouse.insert(
            "lastfm__user_recent_tracks",
            [
                {
                    "as_of_date": day(0),
                    "item_index": number,
                    "listener_name": "ann",
                    "scrobbled_uts": 1_700_000_000 + number,
                    "is_now_playing": artist == "Ghost" and is_now_playing,
                    "artist_name": artist,
                    "track_name": f"Song of {artist}",
                    "album_name": f"Album of {artist}",
                }
                for number, artist in enumerate(("Ghost", "Low"))
            ],
        )
        warehouse.build("+int_artists", "+int_albums", "+int_tracks")
        return warehouse.query(
            "select artist_name from intermediate.int_artists"
            " union all select track_name from intermediate.int_tracks"
            " union all select album_name from intermediate.int_albums order by 1"
        )

    of_low = ["Album of Low", "Low", "Song of Low"]
    found = names(tmp_path / "playing", is_now_playing=True)
    assert [name for (name,) in found] == of_low
    # The control: once it was played it does.
    played = [name for (name,) in names(tmp_path / "played", is_now_playing=False)]
    assert played == sorted([*of_low, "Ghost", "Song of Ghost", "Album of Ghost"])
