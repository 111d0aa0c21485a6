"""Versions as files: a reader sees a whole version, whatever dies in between."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from tests.warehouse.small_marts import small_mart
from tests.warehouse.test_descriptions import duckdb_comments
from warehouse import ops, store
from warehouse.duckdb_store import FILE, DuckDBStore, published_path
from warehouse.errors import Damaged, LeaseLost, PublishFailed
from warehouse.journal import Journal
from warehouse.lease import Lease
from warehouse.report import Reporter
from warehouse.run import Run
from warehouse.settings import Settings

DAY = date(2026, 1, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lease_seconds=30)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = ops.open_ops(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def files(settings: Settings, engine: Engine) -> DuckDBStore:
    return DuckDBStore(settings, engine)


# What the command line asks of a version.
RAW = (
    "loads (load_id bigint)",
    "load_parts (part text, bytes bigint, answers int)",
    "dead_letters (dead_letter_id text)",
    "dead_letter_decisions (dead_letter_id text)",
    "lastfm__answers (load_id bigint, method text, params text, as_of_date date,"
    " fetched_at timestamp, outcome text)",
)


def make_run(settings: Settings, engine: Engine, name: str) -> Run:
    lease = Lease(engine, name, settings.data_dir / "alive", settings.lease_seconds)
    lease.acquire()
    return Run(
        settings=settings,
        engine=engine,
        run_id=name,
        as_of_date=DAY,
        lease=lease,
        reporter=Reporter(quiet=True),
        work_dir=settings.data_dir / "work" / name,
        last_published=None,
        version=f"20260101-{lease.fence:06d}",
        marts={"totals": small_mart("totals", "One row.", segment="n")},
    )


def sealed(files: DuckDBStore, run: Run, number: int) -> store.Version:
    with run.engine.begin() as connection:
        base = store.published_version(connection)
    target = files.open_candidate(run, base)
    with duckdb.connect(str(target.duckdb_path)) as connection_:
        for table in RAW:
            connection_.execute(f"create table if not exists raw.{table}")
        connection_.execute(f"insert into raw.loads values ({number})")
        connection_.execute("create or replace table marts.totals (n bigint)")
        connection_.execute(f"insert into marts.totals values ({number})")
    audit = files.seal(run)
    return store.Version(
        version=run.version,
        fence=run.lease.fence,
        run_id=run.run_id,
        as_of_date=DAY,
        published_at=ops.utcnow(),
        built_through=audit.built_through,
        project_hash="x",
        bytes=audit.bytes,
        row_counts=audit.row_counts,
    )


def publish(files: DuckDBStore, run: Run, number: int) -> store.Version:
    journal = Journal(run.engine, run.run_id)
    journal.open(run.lease.fence, "daily", DAY)
    version = sealed(files, run, number)
    journal.start("publish")
    files.publish(run, version)
    journal.finish("publish", {"digest": run.digest})
    journal.close("done", version.version)
    files.discard(run)
    run.lease.release()
    return version


def read(settings: Settings) -> int:
    with duckdb.connect(
        str(published_path(settings.data_dir)), read_only=True
    ) as connection:
        return int(connection.execute("select n from marts.totals").fetchall()[0][0])


def test_a_mart_that_is_a_view_is_counted_like_a_table(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    run = make_run(settings, engine, "a")
    run.marts = {
        name: small_mart(name, "One row.", segment="range") for name in ("three", "two")
    }
    target = files.open_candidate(run, None)
    with duckdb.connect(str(target.duckdb_path)) as connection:
        connection.execute("create table intermediate.three as from range(3)")
        connection.execute("create view marts.three as from intermediate.three")
        connection.execute("create table marts.two as from range(2)")
    assert files.seal(run).row_counts == {"three": 3, "two": 2}
    run.lease.release()


def test_before_the_first_publish_a_reader_is_told_what_to_do(
    settings: Settings,
) -> None:
    with pytest.raises(PublishFailed, match="run `make daily` first"):
        published_path(settings.data_dir)


def test_each_version_starts_from_the_one_before_and_old_readers_keep_theirs(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    publish(files, make_run(settings, engine, "a"), 1)
    old_reader = duckdb.connect(str(published_path(settings.data_dir)), read_only=True)
    second = publish(files, make_run(settings, engine, "b"), 2)
    assert read(settings) == 2
    assert second.built_through == 2
    assert old_reader.execute("select n from marts.totals").fetchall() == [(1,)]
    old_reader.close()
    with duckdb.connect(str(files.path_of(second.version)), read_only=True) as now:
        assert now.execute("select count(*) from raw.loads").fetchall() == [(2,)]


def test_a_run_that_lost_its_lease_publishes_nothing(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    publish(files, make_run(settings, engine, "a"), 1)
    late = make_run(settings, engine, "late")
    version = sealed(files, late, 7)
    late.lease.release()
    publish(files, make_run(settings, engine, "quick"), 2)
    with pytest.raises(LeaseLost):
        files.publish(late, version)
    assert read(settings) == 2
    assert not files.path_of(version.version).exists()


def test_the_control_a_run_that_kept_its_lease_does_publish(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    run = make_run(settings, engine, "a")
    files.publish(run, sealed(files, run, 7))
    run.lease.release()
    assert read(settings) == 7


def test_repair_removes_what_a_dead_run_left_and_keeps_what_a_living_one_has(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    publish(files, make_run(settings, engine, "a"), 1)
    dead = settings.data_dir / "work" / "dead"
    dead.mkdir(parents=True)
    (dead / FILE).write_bytes(b"half")
    stray = files.path_of("20260102-000099")
    stray.write_bytes(b"half")
    living = make_run(settings, engine, "living")
    living.work_dir.mkdir(parents=True)
    mended = files.repair()
    assert not dead.exists()
    assert not stray.exists()
    (aside,) = (settings.data_dir / "aside").iterdir()
    assert aside.read_bytes() == b"half"
    assert living.work_dir.exists()
    assert len(mended) == 2
    assert files.repair() == []
    living.lease.release()


def test_a_pointer_ahead_of_the_journal_is_set_back_and_the_day_done_again(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    """As after a kill between the pointer's replacement and the journal's commit."""
    publish(files, make_run(settings, engine, "a"), 1)
    run = make_run(settings, engine, "killed")
    Journal(engine, run.run_id).open(run.lease.fence, "daily", DAY)
    version = sealed(files, run, 2)
    (run.work_dir / FILE).replace(files.path_of(version.version))
    files._point(version)
    assert read(settings) == 2
    run.lease.release()
    assert any("pointed readers" in mended for mended in files.repair())
    assert read(settings) == 1
    assert not files.path_of(version.version).exists()
    assert not (settings.data_dir / "aside").exists()


def test_where_no_version_is_whole_the_file_and_the_way_out_are_named(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    version = publish(files, make_run(settings, engine, "a"), 1)
    files.path_of(version.version).unlink()
    with pytest.raises(Damaged, match=r"is missing.*scrobble repair --from-landing"):
        files.repair()
    assert "begins from landing" in files.begin_from_landing()[0]
    assert files.repair() == []
    with engine.begin() as connection:
        assert store.published_version(connection) is None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a database"),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a header's byte": lambda path: overwrite(path, 12, b"\xff"),
    "zeroed header": lambda path: overwrite(path, 0, bytes(4096)),
    "one byte of a block": lambda path: overwrite(
        path, path.stat().st_size - 5000, b"\xa5"
    ),
    "overwritten tail": lambda path: overwrite(
        path, path.stat().st_size - 8192, b"Z" * 8192
    ),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(place)
        file.write(content)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_version_is_set_aside_and_the_one_before_goes_on(
    files: DuckDBStore, settings: Settings, engine: Engine, kind: str
) -> None:
    first = publish(files, make_run(settings, engine, "a"), 1)
    second = publish(files, make_run(settings, engine, "b"), 2)
    assert files.repair() == []
    path = files.path_of(second.version)
    DAMAGES[kind](path)
    mended = files.repair()
    assert len(mended) == 1, mended
    assert str(path) in mended[0] and first.version in mended[0]
    assert read(settings) == 1
    with engine.begin() as connection:
        assert store.published_version(connection) == first
    third = publish(files, make_run(settings, engine, "c"), 3)
    assert read(settings) == 3
    with pytest.raises(PublishFailed, match="no version"):
        store.roll_back(files, engine, second.version)
    assert third.built_through == 3


def test_a_version_that_is_put_back_is_kept_again(
    files: DuckDBStore, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    first = publish(files, make_run(settings, engine, "a"), 1)
    second = publish(files, make_run(settings, engine, "b"), 2)
    path = files.path_of(second.version)
    backup = tmp_path / path.name
    path.rename(backup)
    files.repair()
    assert read(settings) == 1
    # What is not as it was published is no version.
    path.write_bytes(backup.read_bytes()[:-4096])
    assert "removed" in files.repair()[0]
    path.write_bytes(backup.read_bytes())
    assert f"rollback --to {second.version}" in files.repair()[0]
    assert read(settings) == 1
    store.roll_back(files, engine, second.version)
    assert read(settings) == 2
    # One that was dropped for its age, or for a listener in it, stays so.
    with engine.begin() as connection:
        store.forget_version(connection, first)
    assert "removed" in files.repair()[0]


def test_rollback_opens_a_version_before_it_points_to_it(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    first = publish(files, make_run(settings, engine, "a"), 1)
    publish(files, make_run(settings, engine, "b"), 2)
    overwrite(files.path_of(first.version), 12, b"\xff")
    with pytest.raises(Damaged, match="readers stay where they are"):
        store.roll_back(files, engine, None)
    assert read(settings) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "x"}', b"\xff"])
def test_a_damaged_pointer_is_named_and_written_again(
    files: DuckDBStore, settings: Settings, engine: Engine, content: bytes
) -> None:
    publish(files, make_run(settings, engine, "a"), 1)
    files.pointer.write_bytes(content)
    with pytest.raises(Damaged, match=r"published\.json is damaged.*scrobble repair"):
        published_path(settings.data_dir)
    assert "pointed readers" in files.repair()[0]
    assert read(settings) == 1


def test_rollback_goes_to_the_version_before_and_back_again(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    first = publish(files, make_run(settings, engine, "a"), 1)
    second = publish(files, make_run(settings, engine, "b"), 2)
    assert store.roll_back(files, engine, None) == (second, first)
    assert read(settings) == 1
    with pytest.raises(PublishFailed, match="no older version"):
        store.roll_back(files, engine, None)
    store.roll_back(files, engine, second.version)
    assert read(settings) == 2
    with pytest.raises(PublishFailed, match=r"version nonsense.*kept versions"):
        store.roll_back(files, engine, "nonsense")


def test_after_a_rollback_the_next_run_starts_from_the_older_version(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    publish(files, make_run(settings, engine, "a"), 1)
    publish(files, make_run(settings, engine, "b"), 2)
    store.roll_back(files, engine, None)
    third = publish(files, make_run(settings, engine, "c"), 3)
    with duckdb.connect(str(files.path_of(third.version)), read_only=True) as now:
        rows = now.execute("select load_id from raw.loads order by 1").fetchall()
    assert rows == [(1,), (3,)]


def test_old_versions_are_dropped_but_never_the_published_one(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    versions = [
        publish(files, make_run(settings, engine, f"r{number}"), number)
        for number in range(4)
    ]
    store.roll_back(files, engine, versions[0].version)
    dropped = store.drop_old_versions(files, engine, lambda kept: kept[:2])
    assert [version.version for version in dropped] == [versions[1].version]
    assert read(settings) == 0
    left = sorted(path.name for path in files.versions_dir.iterdir())
    assert left == sorted(
        files.path_of(versions[number].version).name for number in (0, 2, 3)
    )


def test_the_pointer_says_where_and_what(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    version = publish(files, make_run(settings, engine, "a"), 1)
    body = json.loads((settings.data_dir / "published.json").read_text())
    assert body["version"] == version.version
    assert body["as_of"] == "2026-01-01"
    assert (settings.data_dir / body["file"]).exists()


def test_a_sealed_file_describes_tables_and_views_and_drops_what_is_built_no_more(
    files: DuckDBStore, settings: Settings, engine: Engine
) -> None:
    run = make_run(settings, engine, "a")
    columns = {"n": "It's a number; 100 %."}
    for name in ("totals", "seen"):
        mart = small_mart(name, f"One row of {name}.", segment="n")
        run.marts[name] = replace(mart, columns=columns)
    target = files.open_candidate(run, None)
    with duckdb.connect(str(target.duckdb_path)) as connection:
        connection.execute("create table raw.loads as select 1 as load_id")
        connection.execute("create table marts.totals as select 1 as n")
        connection.execute("create view marts.seen as select n from marts.totals")
        connection.execute("create table marts.gone as select 1 as n")
        connection.execute("create view marts.lost as select 1 as n")
    audit = files.seal(run)
    assert audit.row_counts == {"totals": 1, "seen": 1}
    with duckdb.connect(str(target.duckdb_path), read_only=True) as connection:
        assert duckdb_comments(connection) == {
            ("totals", ""): "One row of totals.",
            ("totals", "n"): "It's a number; 100 %.",
            ("seen", ""): "One row of seen.",
            ("seen", "n"): "It's a number; 100 %.",
        }
    run.lease.release()
