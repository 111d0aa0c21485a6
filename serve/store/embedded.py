"""DuckDB: immutable version files behind one pointer file.

A file is opened once under its own name and never again after it was replaced (a
second open of the same path in one process gives the old data), so versions are named
and each has its own connection, closed when the last reader has gone.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from serve.settings import ServeSettings
from serve.store.contract import (
    Published,
    Result,
    StoreUnavailable,
    chosen,
    translate,
)

#: Seconds for which a look at the pointer holds: it costs a ready answer as much as
#: all the rest, and lets other threads run in between.
_LOOK_SECONDS = 0.01

_KINDS = {
    "BIGINT": "integer",
    "INTEGER": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "HUGEINT": "integer",
    "UBIGINT": "integer",
    "DOUBLE": "double",
    "FLOAT": "double",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "BOOLEAN": "boolean",
}


class _Version:
    """One open version file and how many readers it has."""

    def __init__(self, published: Published, path: Path, memory: str) -> None:
        self.published = published
        self.memo: dict[Any, Any] = {}
        self.shapes: dict[str, _Shape] = {}
        self.readers = 0
        self.retired = False
        if not path.exists():
            raise StoreUnavailable(f"the published file {path.name} is missing")
        # All given at once: a second connection of this process to the same file shares
        # the instance, and must have the same configuration.
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "memory_limit": memory,
            "enable_external_access": False,  # nothing but the version file
            "lock_configuration": True,
        }
        self.connection = duckdb.connect(str(path), read_only=True, config=config)


class _Reader:
    def __init__(
        self,
        published: Published,
        cursor: duckdb.DuckDBPyConnection,
        version: _Version,
    ) -> None:
        self.published = published
        self.memo = version.memo
        self._shapes = version.shapes
        self._cursor = cursor

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        text, names = translate(sql, "duckdb")
        cursor = self._cursor.execute(text, chosen(names, binds or {}))
        shape = self._shapes.get(text)
        if shape is None:
            shape = self._shapes[text] = _shape(cursor)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if shape.decimals:
            rows = [_without_decimals(row, shape.decimals) for row in rows]
        return Result(shape.columns, shape.kinds, rows)


@dataclass(frozen=True)
class _Shape:
    """The columns of a statement; naming their types costs more than small answers."""

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    decimals: tuple[int, ...]


def _shape(cursor: duckdb.DuckDBPyConnection) -> _Shape:
    description = cursor.description or []
    names = [str(item[1]) for item in description]
    decimals = [index for index, name in enumerate(names) if name[:7] == "DECIMAL"]
    kinds = ["double" if name[:7] == "DECIMAL" else _KINDS.get(name) for name in names]
    return _Shape(
        tuple(item[0] for item in description),
        tuple(kind or "text" for kind in kinds),
        tuple(decimals),
    )


def _without_decimals(
    row: tuple[Any, ...], decimals: tuple[int, ...]
) -> tuple[Any, ...]:
    values = list(row)
    for index in decimals:
        if values[index] is not None:
            values[index] = float(values[index])
    return tuple(values)


class EmbeddedStore:
    """The published DuckDB file of a data folder."""

    def __init__(self, settings: ServeSettings) -> None:
        self._folder = settings.data_dir
        self._pointer = settings.data_dir / "published.json"
        self._pointer_name = str(self._pointer)
        self._every = min(settings.pointer_seconds, _LOOK_SECONDS)
        self._seen_state: tuple[tuple[int, int], tuple[str, str]] | None = None
        self._look_again_at = 0.0
        self._memory = settings.duckdb_memory
        self._seconds = settings.statement_seconds
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._pointed: tuple[Published, Path] | None = None
        self._current: _Version | None = None
        self._deadlines: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self._watch: threading.Thread | None = None
        self._closed = False

    def published(self) -> Published:
        return self._read_pointer()[0]

    def state(self) -> tuple[str, str]:
        known = self._seen_state
        now = time.monotonic()
        if known is not None and now < self._look_again_at:
            return known[1]
        try:
            # Path.stat costs three times as much.
            pointer = os.stat(self._pointer_name)  # noqa: PTH116
        except OSError:
            return self._read_pointer()[0].version, ""
        seen = (pointer.st_ino, pointer.st_mtime_ns)
        if known is None or known[0] != seen:
            version = self._read_pointer()[0].version
            known = self._seen_state = (seen, (version, "{}.{}".format(*seen)))
        self._look_again_at = now + self._every
        return known[1]

    def invalidate(self) -> None:
        self._read_pointer()
        # Every process looks at this time before it answers, or a moment ago.
        now = time.time_ns()
        os.utime(self._pointer_name, ns=(now, now))
        self._look_again_at = 0.0

    def _read_pointer(self) -> tuple[Published, Path]:
        try:
            state = self._pointer.stat()
            seen = (state.st_ino, state.st_mtime_ns, state.st_size)
            if seen == self._seen and self._pointed is not None:
                return self._pointed
            pointer = json.loads(self._pointer.read_text(encoding="utf-8"))
            published = Published(
                str(pointer["version"]),
                date.fromisoformat(str(pointer["as_of"])),
                datetime.fromisoformat(str(pointer["published_at"])).replace(
                    tzinfo=None
                ),
            )
            name = Path(str(pointer["file"]))
            path = self._folder / "versions" / name.name
        except FileNotFoundError:
            raise StoreUnavailable(
                "nothing is published yet; run make daily",
                "nothing_published",
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(
                f"the pointer {self._pointer.name} cannot be read: {error}"
            ) from error
        self._pointed = (published, path)
        self._seen = seen
        return self._pointed

    def _take(self) -> _Version:
        with self._lock:
            # Inside the lock, or a slow thread would open an older version again.
            published, path = self._read_pointer()
            current = self._current
            if current is None or current.published.version != published.version:
                try:
                    fresh = _Version(published, path, self._memory)
                except duckdb.Error as error:
                    raise StoreUnavailable(
                        f"version {published.version} cannot be opened: {error}"
                    ) from error
                if current is not None:
                    current.retired = True
                    self._close_unused(current)
                self._current = current = fresh
            current.readers += 1
            return current

    def _give_back(self, version: _Version) -> None:
        with self._lock:
            version.readers -= 1
            self._close_unused(version)

    @staticmethod
    def _close_unused(version: _Version) -> None:
        if version.retired and version.readers == 0:
            version.connection.close()

    @contextmanager
    def read(self, *, can_repeat: bool = False) -> Iterator[_Reader]:
        version = self._take()
        cursor: duckdb.DuckDBPyConnection | None = None
        try:
            cursor = version.connection.cursor()
            self._limit(cursor)
            try:
                yield _Reader(version.published, cursor, version)
            except duckdb.CatalogException as error:
                raise StoreUnavailable(
                    f"version {version.published.version} lacks what this question"
                    f" needs: {str(error).splitlines()[0]}",
                    "mart_missing",
                ) from error
            except duckdb.InterruptException as error:
                raise StoreUnavailable(
                    f"the query took longer than {self._seconds:g} s"
                ) from error
            except (
                duckdb.IOException,
                duckdb.FatalException,
                duckdb.ConnectionException,
                duckdb.OutOfMemoryException,
            ) as error:
                with self._lock:
                    version.retired = True
                    if self._current is version:
                        self._current = None
                raise StoreUnavailable(
                    f"version {version.published.version} cannot be read: {error}"
                ) from error
        finally:
            if cursor is not None:
                with self._lock:
                    self._deadlines.pop(id(cursor), None)
                cursor.close()
            self._give_back(version)

    def _limit(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Have the watch interrupt the cursor when its time is over."""
        with self._lock:
            self._deadlines[id(cursor)] = (time.monotonic() + self._seconds, cursor)
            # One thread for all queries; made here, after a server has forked.
            if self._watch is None or not self._watch.is_alive():
                self._watch = threading.Thread(target=self._watching, daemon=True)
                self._watch.start()

    def _watching(self) -> None:
        pause = min(0.25, self._seconds / 4)
        while True:
            time.sleep(pause)
            now = time.monotonic()
            with self._lock:
                if self._closed:
                    return
                for deadline, cursor in self._deadlines.values():
                    if deadline < now:
                        cursor.interrupt()

    def versions(self) -> list[dict[str, Any]]:
        current = self.published().version
        rows = []
        for path in sorted((self._folder / "versions").glob("warehouse-*.duckdb")):
            name = path.stem.removeprefix("warehouse-")
            day = name.split("-")[0]
            rows.append(
                {
                    "version": name,
                    "as_of_date": f"{day[:4]}-{day[4:6]}-{day[6:8]}",
                    "bytes": path.stat().st_size,
                    "is_published": name == current,
                }
            )
        return rows[::-1]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._current is not None:
                self._current.retired = True
                self._close_unused(self._current)
                self._current = None
