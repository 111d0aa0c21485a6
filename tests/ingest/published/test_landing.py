"""What a publish lands counts exactly once, with the version, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Connection, Engine

from ingest import landing
from ingest.lastfm.recipes import raw_ddl
from ingest.load.parse import Parser
from ingest.published.landing import land
from warehouse import ops, store
from warehouse.duckdb_store import DuckDBStore
from warehouse.errors import LeaseLost
from warehouse.lease import Lease
from warehouse.report import Reporter
from warehouse.run import Run
from warehouse.settings import Settings

DAY = date(2026, 1, 3)
VERSION = "20260103-000001"
#: A final issue of two places, the second without an album's worth of columns.
_NEWS = f"""
    create schema if not exists raw;
    create schema if not exists intermediate;
    create schema if not exists marts;
    create table intermediate.int_new_restatements as select
        '{VERSION}' as version, 1::bigint as edition, 'came_late' as subject,
        'listener' as entity_type, 'ann' as entity_id, 'Ann' as entity_name,
        date '2025-12-31' as restated_date, 3::bigint as plays,
        '12 plays' as old_value, '15 plays' as new_value, 'late' as reason,
        null::varchar as charts_changed, 0::bigint as issues_changed;
    create table intermediate.int_new_chart_issues as select
        '{VERSION}' as version, 1::bigint as edition, 'country_artists' as chart,
        'Côte d''Ivoire' as scope, 'day' as period, date '2026-01-01' as issue_date,
        2 as revision, 'final' as finality, 2::bigint as places,
        1::bigint as changed_places, '"A"' as first_before, null::varchar as first_now;
    create table intermediate.int_chart_histories as select
        'country_artists' as chart, 'Côte d''Ivoire' as scope, 'day' as period,
        date '2026-01-01' as issue_date, n::integer as position, n::integer as rank,
        md5(n::varchar) as entity_id, 'Name ' || n as entity_name,
        null::varchar as artist_id, null::varchar as artist_name,
        null::bigint as scrobbles, null::bigint as scrobbles_flagged,
        null::bigint as scrobbles_counted, 1000 - n as listeners,
        null::bigint as listeners_counted, null::bigint as minutes,
        null::bigint as minutes_counted, 1.0 / 3 * n as share_pct,
        null::integer as previous_rank, 'NEW' as movement, 1 as peak_rank,
        1::bigint as issues_on_chart
    from range(1, 12002) as numbers (n);
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lease_seconds=30)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = ops.open_ops(settings)
    ops.ensure_tables(opened, landing.metadata)
    yield opened
    opened.dispose()


@pytest.fixture
def run(settings: Settings, engine: Engine) -> Iterator[Run]:
    """A run whose sealed candidate has something new to say."""
    lease = Lease(engine, "a", settings.data_dir / "alive", settings.lease_seconds)
    lease.acquire()
    run = Run(
        settings=settings,
        engine=engine,
        run_id="a",
        as_of_date=DAY,
        lease=lease,
        reporter=Reporter(quiet=True),
        work_dir=settings.data_dir / "work" / "a",
        last_published=None,
        version=VERSION,
    )
    run.target = DuckDBStore(settings, engine).open_candidate(run, None)
    with duckdb.connect(str(run.target.duckdb_path)) as connection:
        for statement in raw_ddl("duckdb"):
            connection.execute(statement)
        connection.execute(_NEWS)
    yield run
    lease.release()


def version() -> store.Version:
    return store.Version(
        version=VERSION,
        fence=1,
        run_id="a",
        as_of_date=DAY,
        published_at=datetime(2026, 1, 3, 6),
        built_through=1,
        project_hash="x",
        bytes=1,
        row_counts={},
    )


def parts(engine: Engine) -> list[landing.Part]:
    with engine.begin() as connection:
        return landing.list_parts(connection, complete_only=True)


def publish(run: Run, engine: Engine, fail: Callable[[Connection], None]) -> None:
    """Publish as a run does; `fail` is called at the end of the transaction."""
    with land(run, version()) as enter:

        def both(connection: Connection) -> None:
            enter(connection)
            fail(connection)

        DuckDBStore(run.settings, engine).publish(run, version(), both)


def fine(_: Connection) -> None:
    """Nothing fails."""


def test_what_was_landed_comes_back_through_the_load_as_it_was(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    publish(run, engine, fine)
    (part,) = parts(engine)
    assert part.answers == 3, "bodies are bounded"
    with closing(Parser(run.landing_dir, tmp_path / "parsed")) as parser:
        parsed = parser.parse([part])
    assert (parsed.rows, parsed.dead, parsed.items) == (12004, 0, 12004)

    def rows(table: str, columns: str) -> list[tuple[object, ...]]:
        files = [str(path) for path in parsed.files[f"published__{table}"]]
        return duckdb.sql(
            f"select {columns} from read_parquet({files}) order by all"
        ).fetchall()

    assert rows("versions", "version, edition, published_at, as_of_date") == [
        (VERSION, 1, "2026-01-03T06:00:00", DAY)
    ]
    assert rows("restatements", "subject, restated_on, plays, charts_changed") == [
        ("came_late", "2025-12-31", 3, None)
    ]
    assert rows("issues", "scope, issued_on, revision, first_before, first_now") == [
        ("Côte d'Ivoire", "2026-01-01", 2, '"A"', None)
    ]
    places = rows("places", "position, entity, listeners, share_pct, scrobbles")
    assert places == [
        (n, f"Name {n}", 1000 - n, 1.0 / 3 * n, None) for n in range(1, 12002)
    ]
    assert not parsed.files.get("lastfm__name_keys"), "a printed name is no spelling"


def test_a_publish_that_fails_has_landed_nothing(run: Run, engine: Engine) -> None:
    def fail(_: Connection) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        publish(run, engine, fail)
    assert parts(engine) == []
    with engine.begin() as connection:
        assert store.published_version(connection) is None
    # What a kill may leave of the file goes when the day is fetched again.
    landing.sweep(run.landing_dir, DAY, ())
    assert not list(run.landing_dir.rglob("*.gz"))


def test_a_run_that_lost_the_lease_lands_nothing(run: Run, engine: Engine) -> None:
    other = Lease(engine, "b", run.settings.data_dir / "alive", 30)
    run.lease.release()
    other.acquire()
    with pytest.raises(LeaseLost):
        publish(run, engine, fine)
    assert parts(engine) == []
    other.release()
