"""A backup holds everything, is whole or refused, and what is restored goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from exchange.database import Database
from exchange.database import sqlite_url as exchange_url
from tests.warehouse.test_duckdb_store import make_run, overwrite, publish, read
from warehouse import backup as backups
from warehouse import ops, store
from warehouse.backup import back_up, check, restore
from warehouse.cli import cli
from warehouse.duckdb_store import DuckDBStore, version_path
from warehouse.errors import Busy, Damaged, SettingsError, WarehouseError
from warehouse.lease import Lease
from warehouse.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two published versions, an exchange, accounts, landing and a secret."""
    found = Settings(data_dir=tmp_path / "data", lease_seconds=30)
    engine = ops.open_ops(found)
    for n in (1, 2):
        publish(DuckDBStore(found, engine), make_run(found, engine, f"r{n}"), n)
    engine.dispose()
    database = Database(exchange_url(found.data_dir))
    database.upgrade()
    database.dispose()
    with closing(sqlite3.connect(found.data_dir / "accounts.sqlite")) as accounts:
        accounts.execute("pragma journal_mode = wal")
        accounts.execute("create table account (name text)")
        accounts.execute("insert into account values ('ann')")
        accounts.commit()
    (found.data_dir / "landing" / "2026-01-01").mkdir(parents=True)
    (found.data_dir / "landing" / "2026-01-01" / "a.jsonl.zst").write_bytes(b"answers")
    (found.data_dir / "serve.secret").write_text("secret")
    (found.data_dir / "work" / "leftover").mkdir(parents=True)
    (found.data_dir / "work" / "leftover" / "huge").write_bytes(b"scratch")
    (found.data_dir / "covers").mkdir()
    (found.data_dir / "covers" / "0123").write_bytes(b"fetched again when missed")
    return found


def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"data_dir": tmp_path / "restored" / "data"})


def hashes(folder: Path) -> dict[str, str]:
    """Every file that is no database with a log beside it, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "sqlite" not in path.name
    }


def test_what_is_restored_is_what_there_was_and_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    before = hashes(settings.data_dir)
    made, manifest = back_up(settings, tmp_path / "backups")
    # Later days are no part of it.
    engine = ops.open_ops(settings)
    publish(DuckDBStore(settings, engine), make_run(settings, engine, "r3"), 3)
    engine.dispose()
    other = elsewhere(settings, tmp_path)
    assert restore(other, made) == manifest
    left_out = ("work/", "covers/")
    wanted = {path: v for path, v in before.items() if not path.startswith(left_out)}
    assert len(wanted) == len(before) - 2
    alive = {path for path in wanted if path.startswith("alive/")}
    assert hashes(other.data_dir) == {k: v for k, v in wanted.items() if k not in alive}
    with closing(sqlite3.connect(other.data_dir / "accounts.sqlite")) as accounts:
        assert accounts.execute("select name from account").fetchall() == [("ann",)]
    assert read(other) == 2
    engine = ops.open_ops(other)
    with engine.begin() as connection:
        kept = store.kept_versions(connection)
    assert [version.as_of_date for version in kept] and len(kept) == 2
    publish(DuckDBStore(other, engine), make_run(other, engine, "next"), 5)
    engine.dispose()
    assert read(other) == 5


def test_a_file_that_others_write_to_is_copied_as_of_one_moment(
    settings: Settings, tmp_path: Path
) -> None:
    """Two tables that are always equal stay so, while a writer goes on."""
    path = settings.data_dir / "accounts.sqlite"
    stop = threading.Event()
    with closing(sqlite3.connect(path)) as one:
        one.execute("create table a (n int)")
        one.execute("create table b (n int)")
        one.commit()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as writer:
            while not stop.is_set():
                writer.execute("insert into a values (1)")
                writer.execute("insert into b values (1)")
                writer.commit()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        made, _ = back_up(settings, tmp_path / "backups")
    finally:
        stop.set()
        writing.join(30)
    with closing(sqlite3.connect(made / "data" / "accounts.sqlite")) as copy:
        counts = copy.execute(
            "select (select count(*) from a), (select count(*) from b)"
        )
        a, b = counts.fetchone()
    assert a == b


def test_a_cut_changed_or_incomplete_backup_is_refused_and_nothing_is_written(
    settings: Settings, tmp_path: Path
) -> None:
    made, manifest = back_up(settings, tmp_path / "backups")
    other = elsewhere(settings, tmp_path)
    for path in manifest.files:
        for harm in ("cut", "changed", "missing"):
            copy = tmp_path / "harmed"
            shutil.copytree(made, copy)
            file = copy / path
            content = file.read_bytes()
            if harm == "cut":
                file.write_bytes(content[: len(content) // 2])
            elif harm == "changed":
                file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
            else:
                file.unlink()
            with pytest.raises(Damaged, match=path.replace(".", r"\.")):
                restore(other, copy)
            shutil.rmtree(copy)
    extra = made / "data" / "extra.txt"
    extra.write_text("?")
    with pytest.raises(Damaged, match=f"{extra} was added.*nothing was restored"):
        restore(other, made)
    extra.unlink()
    assert list(other.data_dir.parent.glob("*")) == []
    # The control: unharmed it is whole.
    assert check(made) == manifest


def test_an_empty_folder_a_cut_manifest_and_a_newer_release_are_named(
    settings: Settings, tmp_path: Path
) -> None:
    made, _ = back_up(settings, tmp_path / "backups")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Damaged, match="is no whole backup: it has no manifest"):
        check(tmp_path / "empty")
    # Somebody gives the folder of all backups.
    with pytest.raises(Damaged, match=f"in it there are {made.name}"):
        check(tmp_path / "backups")
    said = (made / "manifest.json").read_text()
    (made / "manifest.json").write_text(said[:100])
    with pytest.raises(Damaged, match="cannot be read"):
        check(made)
    newer = {**json.loads(said), "format": backups.FORMAT + 1, "release": "9.0"}
    (made / "manifest.json").write_text(json.dumps(newer))
    with pytest.raises(Damaged, match=r"made by release 9\.0, which is newer"):
        check(made)


def test_an_old_backup_is_restored_and_its_exchange_is_upgraded(
    settings: Settings, tmp_path: Path
) -> None:
    from alembic import command

    from exchange.database import alembic_config

    old = Database(exchange_url(settings.data_dir))
    with old.engine.connect() as connection:
        command.downgrade(alembic_config(connection), "0001")
    old.dispose()
    made, _ = back_up(settings, tmp_path / "backups")
    other = elsewhere(settings, tmp_path)
    restore(other, made)
    database = Database(exchange_url(other.data_dir))
    with database.engine.connect() as connection:
        asked = text("select version_num from alembic_version")
        before = connection.execute(asked).scalar_one()
    database.upgrade()
    with database.engine.connect() as connection:
        after = connection.execute(asked).scalar_one()
    database.dispose()
    assert before == "0001" < after


def test_nothing_is_restored_over_a_warehouse_or_from_the_other_engine(
    settings: Settings, tmp_path: Path
) -> None:
    made, _ = back_up(settings, tmp_path / "backups")
    with pytest.raises(SettingsError, match="is not empty"):
        restore(settings, made)
    assert read(settings) == 2
    postgres = settings.model_copy(
        update={"warehouse_url": "postgresql+psycopg2://x@127.0.0.1/x"}
    )
    with pytest.raises(SettingsError, match="is of a warehouse on DuckDB"):
        restore(postgres, made)


def test_a_run_at_work_is_not_copied_and_a_damaged_file_makes_no_backup(
    settings: Settings, tmp_path: Path
) -> None:
    engine = ops.open_ops(settings)
    with (
        Lease(engine, "run", settings.data_dir / "alive", 30),
        pytest.raises(Busy, match="run run on"),
    ):
        back_up(settings, tmp_path / "backups")
    with engine.begin() as connection:
        published = store.published_version(connection)
    engine.dispose()
    assert published is not None
    version = version_path(settings.data_dir, published.version)
    for file, place, content in (
        (settings.data_dir / "exchange.sqlite", 4096, b"x" * 4096),
        (settings.data_dir / "exchange.sqlite", 0, b"no database at all"),
        (version, 12, b"\xff"),
    ):
        before = file.read_bytes()
        overwrite(file, place, content)
        with pytest.raises(Damaged, match=f"{file} .*no backup was made"):
            back_up(settings, tmp_path / "backups")
        file.write_bytes(before)
    assert list((tmp_path / "backups").glob("*")) == []


def test_a_backup_inside_the_data_folder_is_refused(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match="inside"):
        back_up(settings, settings.data_dir / "backups")


def test_the_commands_say_what_they_did(settings: Settings, tmp_path: Path) -> None:
    runner = CliRunner()
    place = ["--data-dir", str(settings.data_dir)]
    done = runner.invoke(cli, ["backup", str(tmp_path / "backups"), *place])
    assert done.exit_code == 0 and "files" in done.output, done.output
    (made,) = (tmp_path / "backups").iterdir()
    place = ["--data-dir", str(tmp_path / "back")]
    done = runner.invoke(cli, ["restore", str(made), *place])
    assert done.exit_code == 0 and "published is 2026" in done.output, done.output
