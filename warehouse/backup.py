"""One folder with everything of a warehouse, and a warehouse made from it again.

Owns what a backup holds: every file of the data folder that is not a run's own scratch
(SQLite files through SQLite, so that they are of one moment), on PostgreSQL a dump of
the database beside them, and a manifest with the size and SHA-256 of each. A backup is
whole or it has no manifest; a restore checks all of it before it writes anything, and
writes only where nothing is.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as release_of
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, inspect, make_url, text, update

from warehouse import ops, store
from warehouse.duckdb_store import version_path
from warehouse.errors import Damaged, SettingsError, WarehouseError
from warehouse.lease import Lease
from warehouse.settings import Settings, admin_url_of
from warehouse.version_file import check_whole

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "data"
DUMP = "database.dump"
_SQLITE = b"SQLite format 3\0"
# Covers are fetched again when they are missed.
_SCRATCH_FOLDERS = ("alive", "dbt", "work", "covers")
_SCRATCH_SUFFIXES = ("-wal", "-shm", "-journal", ".queue", ".partial")
# An account that joined the exchange between two copies would leave a player whose
# account another person gets later: so the accounts are copied last.
_LAST = "accounts.sqlite"
_POSTGRES_PROGRAMS = "/usr/lib/postgresql"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; `files` are sizes and hashes by path."""

    format: int
    release: str
    made_at: str
    engine: str
    published: str | None
    files: dict[str, dict[str, Any]]

    @property
    def bytes(self) -> int:
        return sum(int(facts["bytes"]) for facts in self.files.values())


def back_up(
    settings: Settings, into: Path, admin_url: str | None = None
) -> tuple[Path, Manifest]:
    """Copy the whole warehouse into a new folder below `into`.

    Readers and trades go on; a daily run does not start meanwhile.

    Args:
        admin_url: a login that may read every schema (default: the warehouse's).

    Raises:
        Busy: a run is at work.
        Damaged: a file cannot be read; no backup is made.
    """
    made_at = datetime.now(UTC)
    whole = into / f"scrobble-{made_at:%Y%m%dT%H%M%S}"
    if settings.is_postgres:
        ops.open_ops(settings).dispose()  # one that is down is no empty warehouse
    _check_places(settings.data_dir, whole)
    partial = whole.with_name(f"{whole.name}.partial")
    engine = ops.open_ops(settings)
    lease = Lease(
        engine,
        f"backup-{secrets.token_hex(6)}",
        settings.data_dir / "alive",
        settings.lease_seconds,
    )
    try:
        with lease:
            partial.mkdir(parents=True)
            with engine.begin() as connection:
                current = store.published_version(connection)
            _copy_files(settings.data_dir, partial / FILES)
            published = current.version if current else None
            try:
                _check_readable(partial / FILES, published, settings)
            except Damaged as error:
                said = str(error).replace(str(partial / FILES), str(settings.data_dir))
                raise Damaged(f"{said}; no backup was made") from error
            if settings.is_postgres:
                url = admin_url_of(settings, admin_url)
                _postgres("pg_dump", url, "-Fc", "-f", str(partial / DUMP))
            manifest = Manifest(
                FORMAT,
                release_of("scrobble-warehouse"),
                f"{made_at:%Y-%m-%dT%H:%M:%SZ}",
                _engine_name(settings),
                published,
                {path: _facts(partial / path) for path in _paths(partial)},
            )
            _write_manifest(partial, manifest)
            partial.rename(whole)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        engine.dispose()
    return whole, manifest


def _check_places(data_dir: Path, whole: Path) -> None:
    if not data_dir.exists():
        raise SettingsError(f"there is nothing to back up: {data_dir} does not exist")
    if data_dir.resolve() in whole.resolve().parents:
        raise SettingsError(
            f"{whole.parent} is inside {data_dir}: what harms one would harm both"
        )
    if whole.exists():
        raise SettingsError(f"{whole} is there already")


def restore(settings: Settings, backup: Path, admin_url: str | None = None) -> Manifest:
    """Make a warehouse from a backup, where there is none.

    Args:
        admin_url: a login that may create the tables (default: the warehouse's).

    Raises:
        Damaged: something of the backup is missing or not as it was written; nothing
            was restored.
        SettingsError: there is a warehouse already, or the backup is of the other
            engine.
    """
    manifest = check(backup)
    if manifest.engine != _engine_name(settings):
        raise SettingsError(
            f"{backup} is of a warehouse on {manifest.engine}, but the settings are"
            f" those of {_engine_name(settings)}: see warehouse_url"
        )
    data_dir = settings.data_dir
    if data_dir.exists() and any(data_dir.iterdir()):
        raise SettingsError(
            f"{data_dir} is not empty: give an empty data_dir, or move it away first"
        )
    if settings.is_postgres:
        _restore_database(admin_url_of(settings, admin_url), backup / DUMP)
    coming = data_dir.with_name(f"{data_dir.name}.restoring")
    shutil.rmtree(coming, ignore_errors=True)
    try:
        shutil.copytree(backup / FILES, coming)
        _check_copies(coming, manifest, settings)
    except BaseException as error:
        shutil.rmtree(coming, ignore_errors=True)
        if not isinstance(error, Damaged):
            raise
        said = str(error).replace(str(coming), str(backup / FILES))
        raise Damaged(f"{said}; nothing was restored: take another backup") from error
    if data_dir.exists():
        data_dir.rmdir()
    coming.rename(data_dir)
    if not settings.is_postgres:
        engine = ops.open_ops(settings)
        _free_lease(engine)
        engine.dispose()
    return manifest


def _free_lease(engine: Engine) -> None:
    """The backup's own lease came along, and nobody holds it here."""
    with engine.begin() as connection:
        connection.execute(update(ops.lease).values(run_id=None, alive_path=None))


def check(backup: Path) -> Manifest:
    """Compare every file of a backup with its manifest.

    Raises:
        Damaged: it is no backup, or not whole; the text names the file.
    """
    manifest = _read_manifest(backup)
    for path, facts in manifest.files.items():
        file = backup / path
        if not file.is_file():
            raise Damaged(f"the backup {backup} is not whole: {path} is missing")
        if _facts(file) != facts:
            raise Damaged(
                f"the backup {backup} is damaged: {path} is not as it was written;"
                " take another backup"
            )
    return manifest


def _read_manifest(backup: Path) -> Manifest:
    path = backup / MANIFEST
    try:
        said = json.loads(path.read_text())
        found = int(said["format"])
        if found > FORMAT:
            raise Damaged(
                f"the backup {backup} was made by release {said.get('release')}, which"
                " is newer than this one: restore it with that release"
            )
        return Manifest(**said)
    except FileNotFoundError:
        inside = sorted(one.parent.name for one in backup.glob(f"*/{MANIFEST}"))
        hint = f"; in it there are {', '.join(inside)}" if inside else ""
        raise Damaged(
            f"{backup} is no whole backup: it has no {MANIFEST}{hint}"
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Damaged(f"the backup's {path} cannot be read ({error})") from error


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    with (folder / MANIFEST).open("w") as file:
        json.dump(asdict(manifest), file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def _copy_files(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    paths = [path for path in _paths(source) if not _is_scratch(Path(path))]
    for path in sorted(paths, key=lambda one: (one == _LAST, one)):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if _is_sqlite(source / path):
            _copy_sqlite(source / path, copy)
        else:
            shutil.copyfile(source / path, copy)


def _is_scratch(path: Path) -> bool:
    return path.parts[0] in _SCRATCH_FOLDERS or path.name.endswith(_SCRATCH_SUFFIXES)


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _copy_sqlite(source: Path, target: Path) -> None:
    """One moment of an SQLite file that others write to.

    Raises:
        Damaged: the file is not what SQLite wrote.
    """
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading:
        try:
            with closing(sqlite3.connect(target)) as copy:
                reading.backup(copy)
                copy.execute("pragma journal_mode = delete")
        except sqlite3.DatabaseError as error:
            raise Damaged(f"{source} cannot be backed up ({error})") from error


def _check_copies(folder: Path, manifest: Manifest, settings: Settings) -> None:
    """What arrived is what was written, and can be read."""
    for path in _paths(folder):
        file = folder / path
        if f"{FILES}/{path}" not in manifest.files:
            raise Damaged(f"{file} was added to the backup after it was made")
        if _facts(file) != manifest.files[f"{FILES}/{path}"]:
            raise Damaged(f"{file} did not arrive as it is in the backup")
    _check_readable(folder, manifest.published, settings)


def _check_readable(folder: Path, published: str | None, settings: Settings) -> None:
    """The databases and the published version among these files are whole.

    Raises:
        Damaged: naming the file.
    """
    for path in _paths(folder):
        file = folder / path
        if _is_sqlite(file):
            if wrong := ops.sqlite_damage(file):
                raise Damaged(f"{file} is damaged ({wrong})")
        elif file.suffix == ".sqlite" and file.stat().st_size:
            raise Damaged(f"{file} is damaged (it is no SQLite database)")
    if published is not None and not settings.is_postgres:
        check_whole(version_path(folder, published))


def _restore_database(url: str, dump: Path) -> None:
    """Fill an empty database, in one transaction.

    Raises:
        SettingsError: a version is published in it.
    """
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            is_used = inspect(connection).has_table("versions", schema="ops") and (
                connection.execute(text("select 1 from ops.versions limit 1")).first()
            )
        if is_used:
            raise SettingsError(
                f"{make_url(url).render_as_string()} holds a warehouse: restore into"
                " an empty database"
            )
        options = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
        _postgres("pg_restore", url, *options, str(dump))
        _free_lease(engine.execution_options(schema_translate_map={None: "ops"}))
    finally:
        engine.dispose()


def _postgres(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on the database of a URL."""
    parsed = make_url(url)
    password = parsed.password
    environment = dict(os.environ)
    if password is not None:
        # Other people of the machine read arguments, but not the environment.
        environment["PGPASSWORD"] = str(password)
    address = parsed.set(drivername="postgresql")._replace(password=None)
    done = subprocess.run(
        [
            _find_program(program),
            *("-d", address.render_as_string(hide_password=False), *arguments),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise WarehouseError(f"{program} failed: {said}")


def _find_program(name: str) -> str:
    """Debian's newest, for the wrapper in PATH may pick an older one, or PATH's."""
    newest = sorted(
        Path(_POSTGRES_PROGRAMS).glob(f"*/bin/{name}"),
        key=lambda path: int("0" + path.parts[-3]),
    )
    found = str(newest[-1]) if newest else shutil.which(name)
    if found is None:
        raise WarehouseError(
            f"{name} is not installed; it is one of PostgreSQL's client programs"
        )
    return found


def _engine_name(settings: Settings) -> str:
    return "PostgreSQL" if settings.is_postgres else "DuckDB"


def _paths(folder: Path) -> list[str]:
    """Every file below a folder but the manifest, as relative paths."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    )


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
