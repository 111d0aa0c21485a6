"""The embedded engine: one immutable DuckDB file a version, and a pointer file.

A run works in a private copy of the published file, so a killed run leaves nothing
that a reader or a later run could see, and a rollback is a pointer move: what the older
file lacks is loaded again from landing. Files are never replaced under a reader: each
version has a path of its own, because DuckDB keeps serving the old data of a replaced
path.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import duckdb
from sqlalchemy import Connection, Engine

from warehouse.aside import move_aside
from warehouse.descriptions import DUCKDB_COMMENTS, comment_statements
from warehouse.errors import Damaged, DiskFull, PublishFailed
from warehouse.keys import write_keys
from warehouse.lease import clear_dead_work
from warehouse.marts import Marts
from warehouse.run import Run, Target
from warehouse.settings import Settings
from warehouse.store import (
    Audit,
    Enter,
    Version,
    digest_of,
    find_version,
    forget_version,
    is_accounted_for,
    keep_again,
    kept_versions,
    point_to,
    point_to_nothing,
    published_version,
    record_version,
)
from warehouse.version_file import check_whole, digest, reading, write_about

FILE = "warehouse.duckdb"
POINTER = "published.json"
# A file is written anew when it has this much free, in blocks of 256 kB.
COMPACTED_SHARE = 0.25
COMPACTED_BLOCKS = 200


class DuckDBStore:
    """Versions as files under the data folder."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.data_dir = settings.data_dir
        self.versions_dir = self.data_dir / "versions"
        self.pointer = self.data_dir / POINTER

    def path_of(self, version: str) -> Path:
        """The file of a version."""
        return version_path(self.data_dir, version)

    def repair(self) -> list[str]:
        """Remove dead runs' work and bring pointer and journal together."""
        mended = clear_dead_work(self.data_dir)
        with self.engine.begin() as connection:
            mended += self._drop_broken(connection)
            current = published_version(connection)
            known = current.version if current is not None else None
            if pointed_version(self.data_dir) != known:
                # Killed between the pointer's replacement and the journal's commit: the
                # journal never saw that version, so readers go back to what it knows.
                if current is not None:
                    self._point(current)
                else:
                    self.pointer.unlink(missing_ok=True)
                mended.append(f"pointed readers to {known or 'nothing'} again")
            mended += self._clear_strays(connection)
        return mended

    def _drop_broken(self, connection: Connection) -> list[str]:
        """Let readers and runs go on from the newest version whose file is whole.

        What the version before lacks is loaded again from landing.

        Raises:
            Damaged: there is no other version.
        """
        current = published_version(connection)
        if current is None or (broken := self._broken(connection, current)) is None:
            return []
        for version in kept_versions(connection):
            if version.fence < current.fence and not self._broken(connection, version):
                break
        else:
            raise Damaged(
                f"{broken}, and no other version is whole: restore it from a backup, or"
                " `scrobble repair --from-landing` begins again from landing"
            )
        aside = self._forget(connection, current)
        point_to(connection, version)
        self._point(version)
        kept = f"; it is kept as {aside}" if aside else ""
        return [
            f"{broken}; going on from version {version.version} and loading the rest"
            f" again from landing{kept}"
        ]

    def _broken(self, connection: Connection, version: Version) -> str | None:
        """Why a version's file cannot be gone on from; None where it can."""
        path = self.path_of(version.version)
        if not path.exists():
            return f"the published file {path} is missing"
        try:
            with reading(path) as file:
                file.execute("select count(*) from duckdb_tables()")
        except Damaged as error:
            return str(error)
        written = digest_of(connection, version)
        if written is not None and digest(path) != written:
            return f"{path} is damaged (it is not what was published)"
        return None

    def _forget(self, connection: Connection, version: Version) -> Path | None:
        """Take a version out of those that are kept; where its file is set aside."""
        forget_version(connection, version)
        path = self.path_of(version.version)
        return move_aside(self.data_dir, path) if path.exists() else None

    def begin_from_landing(self) -> list[str]:
        """Forget a published version that is broken: the next run begins with none."""
        with self.engine.begin() as connection:
            current = published_version(connection)
            if current is None or self._broken(connection, current) is None:
                return []
            self._forget(connection, current)
            point_to_nothing(connection)
            self.pointer.unlink(missing_ok=True)
        return [
            f"version {current.version} is forgotten; the next run begins from landing"
        ]

    def _clear_strays(self, connection: Connection) -> list[str]:
        """Remove what the journal says was never published or is kept no more.

        A file of which it says nothing may be all there is of a day: it goes aside.
        One that was lost and is put back is kept again: those that are dropped because
        they are old, or because a listener is in them, are older than some that stay.
        """
        kept = {version.version: version.fence for version in kept_versions(connection)}
        mended = []
        for path in sorted(self.versions_dir.glob("warehouse-*.duckdb*")):
            name = path.name.removeprefix("warehouse-").split(".duckdb")[0]
            if name in kept:
                continue
            back = find_version(connection, name, is_dropped=True)
            if (
                back is not None
                and back.fence > max(kept.values(), default=0)
                and self._broken(connection, back) is None
            ):
                keep_again(connection, back)
                mended.append(
                    f"version {name} is there again: `scrobble rollback --to {name}`"
                    " makes it the published one"
                )
            elif is_accounted_for(connection, name):
                path.unlink()
                why = "was never published" if back is None else "is kept no more"
                mended.append(f"removed {path.name}, which {why}")
            else:
                moved = move_aside(self.data_dir, path)
                mended.append(
                    f"moved {path.name}, which the journal does not know, to {moved}"
                )
        return mended

    def open_candidate(self, run: Run, base: Version | None) -> Target:
        """Copy the base version's file into the run's work folder."""
        path = run.work_dir / FILE
        run.work_dir.mkdir(parents=True, exist_ok=True)
        if base is not None:
            source = self.path_of(base.version)
            try:
                shutil.copyfile(source, path)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise DiskFull(
                        f"no room to copy {source} ({base.bytes:,} bytes) to"
                        f" {run.work_dir}; free some space and run again"
                    ) from error
                raise
        with duckdb.connect(str(path)) as connection:
            for schema in ("raw", "staging", "intermediate", "marts"):
                connection.execute(f"create schema if not exists {schema}")
        return Target(duckdb_path=path)

    def seal(self, run: Run) -> Audit:
        """Describe the marts, close the file, reopen it and count every mart.

        What the project no longer builds is dropped: the file is a copy of the version
        before, which still has it.
        """
        path = run.work_dir / FILE
        if run.forgets:
            with duckdb.connect(str(path)) as connection:
                # What the run before said of itself, which may name them.
                connection.execute("drop schema if exists about cascade")
        if not _compact(path, always=bool(run.forgets)) and run.forgets:
            raise DiskFull(
                f"there is no room to write {path} anew, and as it is its free blocks"
                " still hold deleted listeners; free some space and run again"
            )
        with duckdb.connect(str(path)) as connection:
            for name, kind in _relations(connection).items():
                if name not in run.marts:
                    connection.execute(f'drop {kind} marts."{name}"')
            _describe(connection, run.marts)
            write_keys(connection, run.marts)
            connection.execute("force checkpoint")
        with duckdb.connect(str(path), read_only=True) as connection:
            counts = {
                name: connection.execute(
                    f'select count(*) from marts."{name}"'
                ).fetchall()[0][0]
                for name in _relations(connection)
            }
            built_through = _max_load_id(connection)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return Audit(counts, built_through, path.stat().st_size)

    def publish(self, run: Run, version: Version, enter: Enter | None = None) -> None:
        """Move the file to its final name and the pointer to the file."""
        self.versions_dir.mkdir(parents=True, exist_ok=True)
        target = self.path_of(version.version)
        candidate = run.work_dir / FILE
        write_about(candidate, version, run.details)
        with candidate.open("rb+") as file:
            os.fsync(file.fileno())
        run.digest = digest(candidate)
        with self.engine.begin() as connection:
            # The journal's write lock is held from here on: no other run can take the
            # lease between this check and the pointer's replacement.
            run.lease.check(connection)
            candidate.replace(target)
            _sync_folder(self.versions_dir)
            record_version(connection, version)
            if enter is not None:
                enter(connection)
            self._point(version)

    def repoint(self, connection: Connection, version: Version) -> None:
        """Write the pointer file for an older version, whose file must be whole."""
        if broken := self._broken(connection, version):
            raise Damaged(f"{broken}; readers stay where they are")
        check_whole(self.path_of(version.version))
        self._point(version)

    def broken(self, version: Version) -> str | None:
        """Why a version's file cannot be gone on from; None where it can."""
        with self.engine.begin() as connection:
            return self._broken(connection, version)

    def drop(self, version: Version) -> None:
        """Delete the file; readers that have it open keep it until they close it."""
        self.path_of(version.version).unlink(missing_ok=True)

    def discard(self, run: Run) -> None:
        """Delete the run's work folder."""
        shutil.rmtree(run.work_dir, ignore_errors=True)

    def _point(self, version: Version) -> None:
        fresh = self.pointer.with_suffix(".json.new")
        body = {
            "version": version.version,
            "as_of": version.as_of_date.isoformat(),
            "file": f"versions/{self.path_of(version.version).name}",
            "published_at": version.published_at.isoformat() + "Z",
        }
        with fresh.open("w") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.pointer)
        _sync_folder(self.data_dir)


def version_path(data_dir: Path, version: str) -> Path:
    """The file of a version, whether it is there or not."""
    return data_dir / "versions" / f"warehouse-{version}.duckdb"


def pointed_version(data_dir: Path) -> str | None:
    """The version the pointer file names; None where it is missing or damaged."""
    try:
        found = json.loads((data_dir / POINTER).read_text())
        return str(found["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def published_path(data_dir: Path) -> Path:
    """The file readers should open now.

    Raises:
        PublishFailed: nothing has been published in this data folder.
        Damaged: the pointer cannot be read, or its file is missing.
    """
    pointer = data_dir / POINTER
    try:
        path = data_dir / str(json.loads(pointer.read_text())["file"])
        if not path.exists():
            raise Damaged(
                f"the published file {path} is missing; `scrobble repair` goes on from"
                " the version before it, or restore it from a backup"
            )
        return path
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"the pointer {pointer} is damaged ({type(error).__name__});"
            " `scrobble repair` writes it again"
        ) from error
    except FileNotFoundError:
        raise PublishFailed(unpublished(data_dir)) from None


def unpublished(data_dir: Path) -> str:
    """What to say where no version is pointed to: the pointer may be what is lost."""
    if any((data_dir / "versions").glob("warehouse-*.duckdb")):
        return (
            f"{data_dir} has versions, but nothing says which of them is published;"
            " `scrobble repair` finds out"
        )
    return f"nothing is published in {data_dir}; run `make daily` first"


def _compact(path: Path, *, always: bool = False) -> bool:
    """Write the file anew where much of it is free, or an older DuckDB's; whether so.

    Args:
        always: whatever is free, because free blocks hold what was deleted.

    DuckDB uses free blocks again, but only gives those at the end of the file back, and
    a file keeps the storage version that it was made with. The new file replaces the
    old one only when each table has as many rows.
    """
    fresh = path.with_suffix(".compact")
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("force checkpoint")
        found = connection.execute(
            "select free_blocks, total_blocks, current_database()"
            " from pragma_database_size() where database_name = current_database()"
        ).fetchall()
        free, total, name = found[0]
        is_loose = always or (
            free >= COMPACTED_BLOCKS and free >= COMPACTED_SHARE * total
        )
        try:
            quoted = str(fresh).replace("'", "''")
            connection.execute(f"attach '{quoted}' as fresh")
            stored = _storage_versions(connection)
            if not is_loose and stored[name] == stored["fresh"]:
                connection.execute("detach fresh")
                fresh.unlink(missing_ok=True)
                return False
            connection.execute(f'copy from database "{name}" to fresh')
            is_same = _row_counts(connection, name) == _row_counts(connection, "fresh")
            connection.execute("detach fresh")
        except (duckdb.Error, OSError):
            is_same = False  # no room for both, say: the file is good as it is
    if is_same:
        fresh.replace(path)
    fresh.unlink(missing_ok=True)
    return is_same


def _storage_versions(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Which DuckDB can read each attached file, at least."""
    found = connection.execute(
        "select database_name, tags['storage_version'] from duckdb_databases()"
    ).fetchall()
    return dict(found)


def _row_counts(
    connection: duckdb.DuckDBPyConnection, database: str
) -> dict[tuple[str, str], int]:
    """The rows of every table of an attached database."""
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?",
        [database],
    ).fetchall()
    counted = {}
    for schema, table in tables:
        sql = f'select count(*) from "{database}"."{schema}"."{table}"'
        counted[(schema, table)] = int(connection.execute(sql).fetchall()[0][0])
    return counted


def _relations(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The tables and views of schema marts: ``table`` or ``view`` by name."""
    found = connection.execute(
        "select table_name, 'table' from duckdb_tables() where schema_name = 'marts'"
        " union all select view_name, 'view' from duckdb_views()"
        " where schema_name = 'marts' and not internal order by 1"
    ).fetchall()
    return dict(found)


def _describe(connection: duckdb.DuckDBPyConnection, marts: Marts) -> None:
    """Bring the comments of the marts to their descriptions."""
    there = connection.execute(DUCKDB_COMMENTS).fetchall()
    statements = comment_statements(
        "marts",
        _relations(connection),
        {name: mart.texts for name, mart in marts.items()},
        {(name, column): comment for name, column, comment in there},
    )
    connection.execute("begin")
    for statement in statements:
        connection.execute(statement)
    connection.execute("commit")


def _max_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute(
        "select count(*) from duckdb_tables()"
        " where schema_name = 'raw' and table_name = 'loads'"
    ).fetchall()[0][0]
    if not found:
        return 0
    sql = "select coalesce(max(load_id), 0) from raw.loads"
    return int(connection.execute(sql).fetchall()[0][0])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
