"""A lost or damaged journal is made again; nothing that it does not know is deleted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine, select

from tests.warehouse.test_duckdb_store import make_run, overwrite, publish, read
from warehouse import ops, store
from warehouse.duckdb_store import DuckDBStore
from warehouse.errors import Busy, Damaged
from warehouse.lease import Lease
from warehouse.recovery import recover, repair
from warehouse.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lease_seconds=30)


@pytest.fixture
def versions(settings: Settings) -> list[store.Version]:
    """Two published versions."""
    engine = ops.open_ops(settings)
    files = DuckDBStore(settings, engine)
    found = [publish(files, make_run(settings, engine, f"r{n}"), n) for n in (1, 2)]
    engine.dispose()
    return found


@pytest.fixture
def lost(settings: Settings, versions: list[store.Version]) -> Iterator[Engine]:
    """A new journal in the place of the one that was lost."""
    lose_journal(settings)
    engine = ops.open_ops(settings)
    yield engine
    engine.dispose()


def lose_journal(settings: Settings) -> None:
    for path in settings.data_dir.glob("ops.sqlite*"):
        path.unlink()


def kept(engine: Engine) -> list[store.Version]:
    with engine.begin() as connection:
        return store.kept_versions(connection)


def published(engine: Engine) -> store.Version | None:
    with engine.begin() as connection:
        return store.published_version(connection)


def test_a_lost_journal_knows_every_version_again_as_it_was(
    settings: Settings, versions: list[store.Version], lost: Engine
) -> None:
    assert published(lost) is None
    (said,) = recover(settings, lost)
    assert "2 versions" in said
    assert [version.version for version in kept(lost)] == [
        version.version for version in reversed(versions)
    ]
    again = published(lost)
    assert again is not None
    assert {**again.__dict__, "bytes": 0} == {**versions[1].__dict__, "bytes": 0}
    assert recover(settings, lost) == []
    assert DuckDBStore(settings, lost).repair() == []
    assert read(settings) == 2


def test_the_next_run_has_a_higher_fence_than_any_version(
    settings: Settings, versions: list[store.Version], lost: Engine
) -> None:
    recover(settings, lost)
    with Lease(lost, "next", settings.data_dir / "alive", 30) as lease:
        assert lease.fence == versions[-1].fence + 1


def test_without_recovery_the_versions_go_aside_and_are_not_deleted(
    settings: Settings, versions: list[store.Version], lost: Engine
) -> None:
    said = DuckDBStore(settings, lost).repair()
    assert sum("does not know" in line for line in said) == 2
    assert len(list((settings.data_dir / "aside").iterdir())) == 2


def test_a_pointer_to_an_older_version_stays_where_it_was(
    settings: Settings, versions: list[store.Version]
) -> None:
    engine = ops.open_ops(settings)
    store.roll_back(DuckDBStore(settings, engine), engine, None)
    engine.dispose()
    lose_journal(settings)
    engine = ops.open_ops(settings)
    recover(settings, engine)
    found = published(engine)
    assert found is not None and found.version == versions[0].version
    engine.dispose()


def test_an_older_journal_learns_of_the_newer_versions(
    settings: Settings, tmp_path: Path
) -> None:
    engine = ops.open_ops(settings)
    files = DuckDBStore(settings, engine)
    publish(files, make_run(settings, engine, "a"), 1)
    engine.dispose()
    shutil.copyfile(settings.data_dir / "ops.sqlite", tmp_path / "backup")
    engine = ops.open_ops(settings)
    second = publish(DuckDBStore(settings, engine), make_run(settings, engine, "b"), 2)
    engine.dispose()
    lose_journal(settings)
    shutil.copyfile(tmp_path / "backup", settings.data_dir / "ops.sqlite")
    engine = ops.open_ops(settings)
    assert "1 version" in recover(settings, engine)[0]
    found = published(engine)
    assert found is not None and found.version == second.version
    engine.dispose()


def test_a_version_of_an_older_release_is_told_by_its_name_and_loads(
    settings: Settings, versions: list[store.Version]
) -> None:
    lose_journal(settings)
    for path in (settings.data_dir / "versions").iterdir():
        with duckdb.connect(str(path)) as connection:
            connection.execute("drop schema about cascade")
    engine = ops.open_ops(settings)
    recover(settings, engine)
    found = published(engine)
    assert found is not None
    assert (found.version, found.fence, found.as_of_date, found.built_through) == (
        versions[1].version,
        versions[1].fence,
        versions[1].as_of_date,
        2,
    )
    assert found.row_counts == versions[1].row_counts
    assert found.project_hash == ""
    engine.dispose()


def test_a_damaged_version_is_kept_aside_and_the_others_are_entered(
    settings: Settings, versions: list[store.Version], lost: Engine
) -> None:
    path = DuckDBStore(settings, lost).path_of(versions[1].version)
    overwrite(path, 12, b"\xff")
    said = recover(settings, lost)
    assert str(path) in said[0] and "it is kept as" in said[0]
    found = published(lost)
    assert found is not None and found.version == versions[0].version
    DuckDBStore(settings, lost).repair()
    assert read(settings) == 1


@pytest.mark.parametrize(
    "content", [b"no database", b"SQLite format 3\0" + bytes(4080)]
)
def test_a_damaged_journal_is_named_and_made_again(
    settings: Settings, versions: list[store.Version], content: bytes
) -> None:
    lose_journal(settings)
    path = settings.data_dir / "ops.sqlite"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"ops\.sqlite is damaged.*scrobble repair"):
        ops.open_ops(settings)
    said = repair(settings)
    assert "it is kept as" in said[0] and "2 versions" in said[1]
    assert read(settings) == 2
    assert repair(settings) == []


def test_repair_leaves_a_folder_alone_in_which_a_run_works(
    settings: Settings, versions: list[store.Version]
) -> None:
    engine = ops.open_ops(settings)
    with (
        Lease(engine, "working", settings.data_dir / "alive", 30),
        pytest.raises(Busy, match="working"),
    ):
        repair(settings)
    engine.dispose()


def test_a_run_that_died_after_publishing_did_its_day(settings: Settings) -> None:
    engine = ops.open_ops(settings)
    files = DuckDBStore(settings, engine)
    version = publish(files, make_run(settings, engine, "a"), 1)
    with engine.begin() as connection:
        connection.execute(ops.runs.update().values(state="running", version=None))
    assert f"died after it had published {version.version}" in repair(settings)[0]
    with engine.begin() as connection:
        row = connection.execute(select(ops.runs)).one()
    assert (row.state, row.version) == ("done", version.version)
    engine.dispose()
