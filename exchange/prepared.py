"""Statements of the hot path, compiled once and run on the driver's own cursor.

SQLAlchemy Core writes the SQL for both databases; executing through it costs some 50 µs
a statement, more than SQLite needs for the statement itself, and a trade has a dozen
while it holds locks. Values are read by the columns' own types (SQLite keeps days and
times as text). Errors come out as SQLAlchemy's, as everywhere else.
"""

import threading
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, Insert, Select

from exchange.schema import SCHEMA


@dataclass(frozen=True)
class _Compiled:
    sql: str
    names: tuple[str, ...] | None
    """The order of positional parameters; None where they go by name."""
    constants: Mapping[str, Any]
    row: Callable[..., Any] | None
    readers: tuple[tuple[int, Callable[[Any], Any]], ...]
    """Columns the driver gives in another type, and the type's own way to read them."""

    def read(self, values: Sequence[Any]) -> Any:
        assert self.row is not None
        if self.readers:
            values = list(values)
            for place, reader in self.readers:
                values[place] = reader(values[place])
        return self.row(*values)


class Prepared:
    """One statement; `columns` are the parameters of an insert without values."""

    def __init__(
        self, statement: ClauseElement, columns: Sequence[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._compiled: dict[str, _Compiled] = {}
        self._lock = threading.Lock()

    def first(self, connection: Connection, **binds: Any) -> Any:
        """The first row by the names of its columns, or None."""
        compiled = self._of(connection.dialect)
        cursor = self._run(connection, compiled, binds)
        try:
            values = cursor.fetchone()
        finally:
            cursor.close()
        return None if values is None else compiled.read(values)

    def all(self, connection: Connection, **binds: Any) -> list[Any]:
        """All rows by the names of their columns."""
        compiled = self._of(connection.dialect)
        cursor = self._run(connection, compiled, binds)
        try:
            return [compiled.read(values) for values in cursor.fetchall()]
        finally:
            cursor.close()

    def run(self, connection: Connection, **binds: Any) -> int:
        """Execute; tells how many rows it changed."""
        compiled = self._of(connection.dialect)
        cursor = self._run(connection, compiled, binds)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def _run(
        self, connection: Connection, compiled: _Compiled, binds: Mapping[str, Any]
    ) -> Any:
        driver = connection.connection
        given: Any = {**compiled.constants, **binds}
        if compiled.names is not None:
            given = tuple(
                value.isoformat(sep=" ", timespec="microseconds")
                if isinstance(value := given[name], datetime)
                else value
                for name in compiled.names
            )
        dialect = connection.dialect
        error_class: type[Exception] = dialect.loaded_dbapi.Error
        cursor: Any = None
        try:
            cursor = driver.cursor()
            cursor.execute(compiled.sql, given)
        except error_class as error:
            is_lost = dialect.is_disconnect(error, driver.dbapi_connection, cursor)  # type: ignore[arg-type]
            if cursor is not None:
                cursor.close()
            if is_lost:
                connection.invalidate(error)
            raise DBAPIError.instance(
                compiled.sql,
                given,
                error,
                error_class,
                connection_invalidated=is_lost,
                dialect=dialect,
            ) from error
        return cursor

    def _of(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            with self._lock:
                compiled = self._compile(dialect)
                self._compiled[dialect.name] = compiled
        return compiled

    def _compile(self, dialect: Dialect) -> _Compiled:
        is_sqlite = dialect.name == "sqlite"
        compiled: Any = self._statement.compile(
            dialect=dialect,
            column_keys=self._columns,
            schema_translate_map={SCHEMA: None} if is_sqlite else None,
            render_schema_translate=is_sqlite,
        )
        row_class: Any = None
        readers: list[tuple[int, Callable[[Any], Any]]] = []
        columns: list[Any] = []
        if isinstance(self._statement, Select):
            columns = list(self._statement.selected_columns)
        elif isinstance(self._statement, Insert):
            columns = list(self._statement.exported_columns)
        if columns:
            # A column that two tables share stands for its first.
            names = [column.key or f"column_{n}" for n, column in enumerate(columns)]
            unique = [
                f"{name}_{n}" if name in names[:n] else name
                for n, name in enumerate(names)
            ]
            row_class = _row_class(unique)
            for place, column in enumerate(columns):
                kind = column.type.dialect_impl(dialect)
                if (read := kind.result_processor(dialect, None)) is not None:
                    readers.append((place, read))
        positional = compiled.positiontup
        return _Compiled(
            str(compiled),
            tuple(positional) if positional is not None else None,
            {k: v for k, v in compiled.params.items() if v is not None},
            row_class,
            tuple(readers),
        )


def _row_class(names: list[str]) -> Callable[..., Any]:
    return namedtuple("Found", names)
