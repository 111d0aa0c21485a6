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
from itertools import accumulate
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
    row: Callable[[Sequence[Any]], Any] | None
    readers: tuple[tuple[int, Callable[[Any], Any]], ...]
    """Columns the driver gives in another type, and the type's own way to read them."""

    def bound(self, binds: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them."""
        given = {**self.constants, **binds} if self.constants else binds
        if self.names is None:
            return given
        return [
            value.isoformat(sep=" ", timespec="microseconds")
            if type(value := given[name]) is datetime
            else value
            for name in self.names
        ]

    def read(self, values: Sequence[Any]) -> Any:
        assert self.row is not None
        if self.readers:
            values = list(values)
            for place, reader in self.readers:
                values[place] = reader(values[place])
        return self.row(values)


class Prepared:
    """One statement.

    Args:
        columns: the parameters of an insert without values.
        parts: of a select from several tables, how many columns each has in turn; a
            row is then a tuple with a row for each of them, None where its first
            column is null: an outer join has found nothing.
    """

    def __init__(
        self,
        statement: ClauseElement,
        columns: Sequence[str] | None = None,
        parts: Sequence[int] | None = None,
    ) -> None:
        self._statement = statement
        self._parts = parts
        self._columns = list(columns) if columns is not None else None
        self._compiled: dict[str, _Compiled] = {}
        self._lock = threading.Lock()

    def first(self, connection: Connection, **binds: Any) -> Any:
        """The first row by the names of its columns, or None."""
        compiled = self._of(connection.dialect)
        cursor = execute(connection, compiled.sql, compiled.bound(binds))
        try:
            values = cursor.fetchone()
        finally:
            cursor.close()
        return None if values is None else compiled.read(values)

    def all(self, connection: Connection, **binds: Any) -> list[Any]:
        """All rows by the names of their columns."""
        compiled = self._of(connection.dialect)
        cursor = execute(connection, compiled.sql, compiled.bound(binds))
        try:
            return [compiled.read(values) for values in cursor.fetchall()]
        finally:
            cursor.close()

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
            names = [column.key or f"column_{n}" for n, column in enumerate(columns)]
            row_class = _row_class(names, self._parts)
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


Write = tuple[Prepared, Mapping[str, Any]]
"""A statement and its parameters, for `together`."""


def together(connection: Connection, *writes: Write) -> None:
    """Run statements whose results nobody needs, in one round trip to a server.

    The driver of PostgreSQL fills in parameters itself and takes several statements.
    """
    compiled = [(one._of(connection.dialect), binds) for one, binds in writes]
    if connection.dialect.name == "sqlite":
        for one, binds in compiled:
            execute(connection, one.sql, one.bound(binds)).close()
        return
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        sql = b";".join(cursor.mogrify(one.sql, one.bound(b)) for one, b in compiled)
    execute(connection, sql.decode(), None).close()


def execute(connection: Connection, sql: str, given: Any) -> Any:
    """The driver's cursor after a statement; its errors as SQLAlchemy's."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    dialect = connection.dialect
    error_class: Any = dialect.loaded_dbapi.Error
    cursor: Any = None
    try:
        cursor = driver.cursor()
        cursor.execute(sql, given)
    except error_class as error:
        is_lost = dialect.is_disconnect(error, driver, cursor)
        if cursor is not None:
            cursor.close()
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql,
            given,
            error,
            error_class,
            connection_invalidated=is_lost,
            dialect=dialect,
        ) from error
    return cursor


def _row_class(
    names: list[str], parts: Sequence[int] | None
) -> Callable[[Sequence[Any]], Any]:
    """What makes a row of a driver's values."""
    if parts is None:
        # A column that two tables share stands for its first.
        unique = [
            f"{name}_{n}" if name in names[:n] else name for n, name in enumerate(names)
        ]
        make: Any = namedtuple  # its names are known at run time only
        return make("Found", unique)._make  # type: ignore[no-any-return]
    ends = list(accumulate(parts))
    cuts = [
        (end - size, end, _row_class(names[end - size : end], None))
        for size, end in zip(parts, ends, strict=True)
    ]

    def several(values: Sequence[Any]) -> Any:
        return tuple(
            None if values[start] is None else make(values[start:end])
            for start, end, make in cuts
        )

    return several
