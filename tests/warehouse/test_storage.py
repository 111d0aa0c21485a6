"""Sizes, growth, the budget's warning, and which versions and runs stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine, select

from warehouse import duckdb_store, ops, storage
from warehouse.journal import first_day, forget_old_runs
from warehouse.settings import Settings
from warehouse.storage import Storage
from warehouse.store import Version, enter_version

TODAY = date(2026, 11, 29)  # a Sunday
NOON = datetime(2026, 11, 29, 12)


def version(days_ago: int, size: int = 10) -> Version:
    day = TODAY - timedelta(days=days_ago)
    fence = 1000 - days_ago
    return Version(
        version=f"{day:%Y%m%d}-{fence:06d}",
        fence=fence,
        run_id=f"run-{fence}",
        as_of_date=day,
        published_at=NOON - timedelta(days=days_ago),
        built_through=1,
        project_hash="x",
        bytes=size,
        row_counts={},
    )


def days_of(versions: list[Version]) -> list[str]:
    return [f"{one.as_of_date:%m-%d}" for one in versions]


def test_the_newest_stay_then_one_a_week_then_one_a_month() -> None:
    kept = [version(age) for age in range(120)]
    assert days_of(storage.thinned(kept, 3, 2, 2)) == [
        *("11-29", "11-28", "11-27"),
        *("11-22", "11-15"),
        *("10-31", "09-30"),
    ]
    assert days_of(storage.thinned(kept, 2, 0, 0)) == ["11-29", "11-28"]


def test_thinning_day_after_day_keeps_what_thinning_at_once_does() -> None:
    kept: list[Version] = []
    for age in reversed(range(200)):
        kept = storage.thinned([version(age), *kept], 3, 4, 3)
    at_once = storage.thinned([version(age) for age in range(200)], 3, 4, 3)
    assert days_of(kept) == days_of(at_once)


@pytest.mark.parametrize(
    ("spare", "left"), [(0, 6), (-1, 5), (-10, 5), (-11, 4), (-1000, 2)]
)
def test_where_room_is_short_the_oldest_go_and_the_newest_never(
    spare: int, left: int
) -> None:
    stay = [version(age) for age in range(6)]
    assert storage.within(stay, 2, spare) == stay[:left]


def test_growth_is_between_the_oldest_and_newest_note_of_a_fortnight() -> None:
    notes = [
        (NOON - timedelta(days=age), {"landing": 100 * (40 - age), "versions": 5})
        for age in range(40)
    ]
    assert storage.growth(notes) == {"landing": 100.0, "versions": 0.0}
    assert storage.growth(notes[:1]) == storage.growth([]) == {}


@pytest.mark.parametrize(("used", "warned"), [(79, False), (81, True), (120, True)])
def test_the_budget_warns_at_four_fifths_and_says_what_to_do(
    used: int, warned: bool
) -> None:
    mb = storage.MEGABYTE
    stored = Storage(
        {"landing": (used - 5) * mb, "aside": 5 * mb}, 100 * mb, {"landing": 2.0 * mb}
    )
    assert f"({used} %): landing {used - 5}.0 MB (+2.0 a day)" in stored.summary()
    said = stored.warning(Settings(storage_budget_mb=100))
    assert (said is not None) == warned
    if said is not None:
        assert said.startswith(f"{used} % of the storage budget is used")
        assert ("full in" in said) == (used < 100)
        for way in ("empty aside/", "STORAGE_BUDGET_MB (100)", "KEEP_VERSIONS (5)"):
            assert way in said


def test_every_file_of_the_data_folder_is_in_a_part(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    engine = ops.open_ops(settings)
    for name, size in {
        "landing/2026-01-01/a.gz": 7,
        "versions/v.duckdb": 50_000_000,
        "aside/x": 3,
        "covers/0123": 4,
        "exchange.sqlite": 11,
        "exchange.sqlite-wal": 2,
        "accounts.sqlite": 5,
        "dbt/manifest.json": 6,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    found = storage.measure(settings, engine)
    engine.dispose()
    journal = found.bytes["journal"]
    assert journal > 4096
    assert dict(found.bytes) == {
        **{"versions": 50_000_000, "landing": 7, "covers": 4, "aside": 3, "work": 0},
        **{"exchange": 13, "other": 11, "journal": journal},
    }
    assert next(iter(found.bytes)) == "versions", "the largest first"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = ops.open_ops(Settings(data_dir=tmp_path))
    yield opened
    opened.dispose()


def test_old_runs_are_forgotten_but_for_those_that_others_need(engine: Engine) -> None:
    ages = (0, 10, 70, 80, 90, 100)
    kept = version(90)
    with engine.begin() as connection:
        for age in ages:
            at = NOON - timedelta(days=age)
            connection.execute(
                ops.runs.insert().values(
                    run_id=f"run-{1000 - age}",
                    fence=1000 - age,
                    command="daily",
                    as_of_date=at.date(),
                    state="done",
                    host="here",
                    pid=1,
                    started_at=at,
                )
            )
            connection.execute(
                ops.run_steps.insert().values(
                    run_id=f"run-{1000 - age}",
                    step="settle" if age == 80 else "fetch",
                    state="done",
                    started_at=at,
                )
            )
        enter_version(connection, kept)
    assert forget_old_runs(engine, 60) == 1
    with engine.connect() as connection:
        runs = list(connection.execute(select(ops.runs.c.fence)).scalars())
        steps = connection.execute(select(ops.run_steps.c.run_id)).scalars().all()
    assert sorted(runs) == [900, 910, 920, 990, 1000], "the one of 70 days ago went"
    assert len(steps) == 5
    assert first_day(engine) == TODAY - timedelta(days=100)


@pytest.mark.parametrize("share", [0.25, 2.0], ids=["compacted", "the control"])
def test_a_file_with_much_free_room_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(duckdb_store, "COMPACTED_BLOCKS", 4)
    monkeypatch.setattr(duckdb_store, "COMPACTED_SHARE", share)
    path = tmp_path / "it's.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        for name, rows in (("a", 1_000_000), ("b", 300_000)):
            connection.execute(
                f"create table marts.{name} as"
                f" select i, hash(i) as h, md5(i::text) as m from range({rows}) t(i)"
            )
        connection.execute("comment on table marts.b is 'said'")
        connection.execute("create view marts.v as select count(*) as n from marts.b")
        connection.execute("force checkpoint")
        connection.execute("drop table marts.a")
    before = path.stat().st_size
    assert duckdb_store._compact(path) == (share < 1)
    assert (path.stat().st_size < before / 2) == (share < 1)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("from marts.v").fetchall() == [(300_000,)]
        said = connection.execute("select comment from duckdb_tables()").fetchall()
        assert said == [("said",)]
    assert duckdb_store._compact(path) is False, "nothing more to win"


@pytest.mark.parametrize("version", ["v1.0.0", "latest"])
def test_a_file_of_an_older_duckdb_is_converted_with_all_that_is_in_it(
    tmp_path: Path, version: str
) -> None:
    path = tmp_path / "old.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as old (storage_version '{version}')")
        connection.execute("create schema old.marts")
        connection.execute("create table old.marts.a as select 1 as n")
        connection.execute("comment on table old.marts.a is 'said'")

    def stored() -> str:
        with duckdb.connect(str(path), read_only=True) as connection:
            return duckdb_store._storage_versions(connection)["old"]

    before = stored()
    # The control: a file of this DuckDB is left as it is.
    assert duckdb_store._compact(path) == (version != "latest")
    assert (stored() == before) == (version == "latest")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("from marts.a").fetchall() == [(1,)]
        said = connection.execute("select comment from duckdb_tables()").fetchall()
        assert said == [("said",)]
