"""Kill -9 in the middle of a load leaves raw as it was, or whole."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine

from ingest.lastfm.recipes import TABLES
from tests.ingest.load.landing_files import Landing, answer, scrobble, scrobbles
from warehouse.run import Target

RECENT = "user.getRecentTracks"
Count = Callable[[], dict[str, int]]
PLACES = ["parse", "stage", "promote", "commit"]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """Two parts; the first is loaded before anybody is killed."""
    landing = Landing(tmp_path)
    page = scrobbles([scrobble(uts) for uts in range(1, 200)])
    landing.write([answer(f"a{n}", RECENT, page) for n in range(3)])
    write_counts(landing)
    return landing


def write_counts(landing: Landing) -> None:
    """How many answers each part has, for the child."""
    for part in landing.parts:
        path = (landing.landing_dir / part.part).with_suffix(".answers")
        path.write_text(str(part.answers))


def land_more(landing: Landing) -> None:
    page = scrobbles([scrobble(uts) for uts in range(201, 301)])
    bad = answer("bad", RECENT, scrobbles([scrobble("soon"), scrobble(500)]))
    landing.write([*(answer(f"b{n}", RECENT, page) for n in range(3)), bad], "run-2")
    write_counts(landing)


def counts_in_duckdb(path: Path) -> dict[str, int]:
    with duckdb.connect(str(path)) as connection:
        return {
            table: connection.execute(f"select count(*) from raw.{table}").fetchall()[
                0
            ][0]
            for table in TABLES
        }


def counts_in_postgres(url: str) -> dict[str, int]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return {
                table: connection.exec_driver_sql(
                    f"select count(*) from raw.{table}"
                ).scalar_one()
                for table in TABLES
            }
    finally:
        engine.dispose()


def kill_a_load(landing: Landing, place: str, database: str) -> None:
    """Start a load, wait until it is where it shall be, kill it."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.ingest.load.loading_child",
            str(landing.root),
            place,
            database,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() in ("there", "done")
    finally:
        child.kill()
        child.wait(timeout=30)
        assert child.stdout is not None
        child.stdout.close()


def check_trials(
    landing: Landing, places: list[str], target: Target, database: str, count: Count
) -> None:
    landing.load(target=target)
    before = count()
    land_more(landing)
    seen: list[Any] = []
    for place in places:
        kill_a_load(landing, place, database)
        now = count()
        seen.append(now == before)
        assert now == before or now["loads"] == 2, f"half a load after {place}"
    landing.load("run-3", target)
    after = count()
    assert after["lastfm__user_recent_tracks"] == 3 * 199 + 3 * 100 + 1
    assert after["lastfm__answers"] == 3 + 3 + 1
    assert (after["dead_letters"], after["load_parts"], after["loads"]) == (1, 2, 2)
    assert landing.load("run-4", target).load_id is None
    assert count() == after
    if not places[0].isdigit():
        assert all(seen), "a load was whole before its commit"


def test_a_load_killed_at_any_phase_leaves_duckdb_as_it_was(landing: Landing) -> None:
    path = landing.root / "warehouse.duckdb"
    check_trials(
        landing, PLACES, landing.target, str(path), lambda: counts_in_duckdb(path)
    )


@pytest.mark.postgres
def test_a_load_killed_at_any_phase_leaves_postgres_as_it_was(
    landing: Landing, postgres_url: str
) -> None:
    check_trials(
        landing,
        PLACES,
        Target(url=postgres_url),
        postgres_url,
        lambda: counts_in_postgres(postgres_url),
    )


def test_a_load_killed_at_random_moments_is_whole_or_not_there(
    landing: Landing,
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    moments = random.Random(seed).sample(range(300, 4000), 3)
    path = landing.root / "warehouse.duckdb"
    check_trials(
        landing,
        [str(moment) for moment in moments],
        landing.target,
        str(path),
        lambda: counts_in_duckdb(path),
    )


@pytest.mark.chaos
def test_many_loads_killed_at_random_moments_are_whole_or_not_there(
    landing: Landing, postgres_url: str
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    moments = [str(n) for n in random.Random(seed).sample(range(200, 5000), 40)]
    check_trials(
        landing,
        moments,
        Target(url=postgres_url),
        postgres_url,
        lambda: counts_in_postgres(postgres_url),
    )
