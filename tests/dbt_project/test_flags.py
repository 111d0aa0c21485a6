"""Who is flagged: patterns of listening with the flag they deserve, and plain Python.

The patterns stand in `17-robot-patterns.json` of the shared cases; how each is played
stands here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project import reference_listening as reference
from tests.dbt_project.project import RawWarehouse
from warehouse.build import invoke_dbt
from warehouse.run import Target

FIRST = date(2026, 3, 2)
LAST = FIRST + timedelta(days=40)
Play = tuple[datetime, str, int | None]


def _at(day: int, hour: int = 0, second: int = 0) -> datetime:
    start = datetime.combine(FIRST + timedelta(days=day), time(hour), UTC)
    return start + timedelta(seconds=second)


def _noon_to_noon() -> Iterator[Play]:
    for number in range(480):
        yield _at(0, 12, 180 * number), f"song {number}", 180


def _noon_to_noon_after_one_play_at_night() -> Iterator[Play]:
    yield _at(0, 0, 600), "before", 180
    yield from _noon_to_noon()


def _one_track() -> Iterator[Play]:
    for day in range(30):
        for number in range(400):
            yield _at(day, 6, 153 * number), "the song", 150


def _three_hours_of_sleep() -> Iterator[Play]:
    for day in range(10):
        for number in range(640):
            yield _at(day, 3, 118 * number), f"song {day} {number}", 110


def _short_tracks_of_unknown_length() -> Iterator[Play]:
    for day in range(2):
        for number in range(120):
            yield _at(day, 19, 61 * number + 7), f"short {day} {number}", None


def _minute_precision() -> Iterator[Play]:
    for day in range(23):
        for number in range(120):
            yield _at(day, 10, 60 * (5 * (number // 3))), f"song {day} {number}", 200


def _a_long_saturday() -> Iterator[Play]:
    for number in range(238):
        yield _at(5, 9, 211 * number), f"song {number}", 210


PATTERNS = {
    "480 plays from noon to noon, tracks of 180 s": _noon_to_noon,
    "the same, and one play at 00:10 before a long pause": (
        _noon_to_noon_after_one_play_at_night
    ),
    "one track, 400 plays a day, 17 hours a day, 30 days": _one_track,
    "640 plays a day, 3 hours of sleep": _three_hours_of_sleep,
    "120 tracks of 60 s whose length is unknown, two evenings": (
        _short_tracks_of_unknown_length
    ),
    "a history whose times have minute precision (an old importer), up to three plays"
    " in one minute": _minute_precision,
    "a person who plays 14 hours on one Saturday": _a_long_saturday,
}


def _skips(every: int) -> Iterator[Play]:
    """100 plays, of which some last 30 of 200 seconds."""
    moment = _at(3, 18, 11)
    for number in range(100):
        yield moment, f"song {number}", 200
        moment += timedelta(seconds=33 if number < every else 213)
    yield moment, "the last", 200


def _long_tracks() -> Iterator[Play]:
    """Mixes of an hour, each given up after 5 minutes: last.fm counts these."""
    for number in range(110):
        yield _at(3, 10, 307 * number + 5), f"mix {number}", 3600


MORE: dict[str, Any] = {
    "30 of 100 cut short": lambda: _skips(30),
    "29 of 100 cut short": lambda: _skips(29),
    "long tracks left early": _long_tracks,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> RawWarehouse:
    """A warehouse in which each pattern is a listener, named by its number."""
    warehouse = RawWarehouse(tmp_path_factory.mktemp("flags"))
    call = {"load_id": 1, "as_of_date": LAST}
    plays, lengths = [], {}
    for number, pattern in enumerate([*PATTERNS.values(), *MORE.values()]):
        for index, (moment, track, seconds) in enumerate(pattern()):
            name = f"{track} of {number}"
            plays.append(
                {
                    **call,
                    "call_id": f"walk {number}",
                    "item_index": index,
                    "listener_name": f"listener{number}",
                    "is_now_playing": False,
                    "artist_name": f"Artist {number}",
                    "track_name": name,
                    "scrobbled_uts": int(moment.timestamp()),
                }
            )
            lengths[f"Artist {number}", name] = seconds
    warehouse.insert("lastfm__user_recent_tracks", plays)
    warehouse.insert(
        "lastfm__track_infos",
        [
            {
                **call,
                "artist_name": artist,
                "track_name": track,
                "duration_seconds": seconds,
            }
            for (artist, track), seconds in lengths.items()
            if seconds is not None
        ],
    )
    warehouse.insert(
        "loads",
        [
            {
                "load_id": 1,
                "run_id": "run",
                "as_of_date": LAST,
                "loaded_at": datetime.combine(LAST, time(22)),
                "answers": 1,
                "items": 1,
                "rows": 1,
                "dead": 0,
            }
        ],
    )
    warehouse.build("+listener_flags", "+fct_listener_days", "+fct_scrobbles")
    return warehouse


def _flags(built: RawWarehouse) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in built.rows("marts.listener_flags", "listener_id, flag"):
        found.setdefault(row["listener_id"], []).append(row)
    return found


def test_each_pattern_has_the_flag_it_deserves(
    built: RawWarehouse, shared_dir: Path
) -> None:
    text = (shared_dir / "cases/17-robot-patterns.json").read_text(encoding="utf-8")
    cases = json.loads(text)["cases"]
    assert {case["pattern"] for case in cases} == set(PATTERNS)
    found = _flags(built)
    for case in cases:
        number = list(PATTERNS).index(case["pattern"])
        flags = found.get(f"listener{number}", [])
        wanted = case["want"].startswith("flagged")
        assert bool(flags) == wanted, case
        if "repetition" in case["want"]:
            assert "repetition" in {row["flag"] for row in flags}
        # The evidence lies within the listener's history.
        for row in flags:
            assert row["first_date"] >= FIRST, case


def test_a_third_of_the_plays_cut_short_is_the_edge(built: RawWarehouse) -> None:
    found = _flags(built)
    flags = {
        name: [row["flag"] for row in found.get(f"listener{number}", ())]
        for number, name in enumerate(MORE, len(PATTERNS))
    }
    assert flags == {
        "30 of 100 cut short": ["bursts"],
        "29 of 100 cut short": [],
        "long tracks left early": [],
    }


def test_the_days_flagged_are_those_plain_python_flags(built: RawWarehouse) -> None:
    plays = built.rows("marts.fct_scrobbles", "scrobble_id")
    days = built.rows("marts.fct_listener_days", "listener_id, scrobbled_date")
    flagged = {
        (row["listener_id"], row["scrobbled_date"]) for row in days if row["is_flagged"]
    }
    assert flagged == reference.flagged_days(plays)
    assert flagged and len(flagged) < len(days)


def test_whom_other_rules_would_flag_is_asked_without_building(
    built: RawWarehouse, tmp_path: Path
) -> None:
    before = _flags(built)
    rules = json.dumps({"allowed_listeners": ["listener2"]})
    outcome = invoke_dbt(
        Target(duckdb_path=built.path),
        ["show", "-s", "other_flags", "--limit", "100", "--vars", rules],
        tmp_path,
        {},
    )
    assert outcome.success, outcome.exception
    table = outcome.result.results[0].agate_table
    assert len(table.rows) == sum(len(flags) for flags in before.values()) > 1
    assert [
        (row["listener_id"], row["flag"], row["days_flagged"], row["days_unflagged"])
        for row in table.rows
        if row["days_flagged"] or row["days_unflagged"]
    ] == [("listener2", "repetition", 0, 30)]
    assert _flags(built) == before
