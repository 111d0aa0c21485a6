"""What a store promises: whole versions, plain SQL with named binds, plain rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, Protocol

from warehouse.project import variables

Status = Literal["provisional", "final"]

# `:name` is a bind; `::` and a time such as '12:00' are not (queries use cast()).
_BIND = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True)
class Published:
    """The version every part of one answer comes from."""

    version: str
    as_of_date: date
    published_at: datetime

    @property
    def final_through(self) -> date:
        """The last UTC day whose figures are final; listeners send plays late."""
        return self.as_of_date - timedelta(days=int(variables()["provisional_days"]))

    def status(self, last_day: date) -> Status:
        """What the figures of a period with this last day are."""
        return "final" if last_day <= self.final_through else "provisional"


@dataclass(frozen=True)
class Result:
    """The rows of one query.

    `types` names each column's kind: integer, double, text, date, timestamp, boolean.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        columns = self.columns
        return [dict(zip(columns, row, strict=True)) for row in self.rows]

    def first(self) -> dict[str, Any] | None:
        """The first row as a dictionary, or None."""
        if not self.rows:
            return None
        return dict(zip(self.columns, self.rows[0], strict=True))

    def head(self, rows: int) -> Result:
        """The first `rows` rows."""
        return Result(self.columns, self.types, self.rows[:rows])


class Reader(Protocol):
    """One transaction on one version."""

    @property
    def published(self) -> Published:
        """The version this reader reads."""

    @property
    def memo(self) -> dict[Any, Any]:
        """What questions remember of this version, dropped with it; keep it small."""

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        """Run one statement; `:name` binds a value of `binds` (more may be given)."""


class Store(Protocol):
    """The published version, whichever it is now."""

    def published(self) -> Published:
        """The version now; cheap enough for every request.

        Raises:
            StoreUnavailable: nothing is published, or it cannot be read.
        """

    def state(self) -> tuple[str, str]:
        """The version now, and a word that changes when cached answers must go.

        Asked at every request, so it must cost next to nothing.

        Raises:
            StoreUnavailable: nothing is published, or the pointer cannot be read.
        """

    def read(self, *, can_repeat: bool = False) -> AbstractContextManager[Reader]:
        """A transaction on the version of now.

        With `can_repeat` the store may take the version it last saw for the one of now,
        which saves it a question.

        Raises:
            VersionMoved: only with `can_repeat`: there is a newer one; begin anew.
        """

    def versions(self) -> list[dict[str, Any]]:
        """The versions a reader or a rollback can still reach, newest first."""

    def invalidate(self) -> None:
        """Make every process drop its cached answers."""

    def close(self) -> None:
        """Give back all connections."""


@dataclass
class StoreUnavailable(Exception):
    """The version cannot be read now; `code` is the problem's."""

    detail: str
    code: str = field(default="warehouse_unavailable")

    def __str__(self) -> str:
        return self.detail


class VersionMoved(StoreUnavailable):
    """What was read so far is of a version that is no longer the published one."""


def has_column(reader: Reader, mart: str, column: str) -> bool:
    """Whether the version's mart has the column; that of an older release may not."""
    asked = ("has column", mart, column)
    if asked not in reader.memo:
        found = reader.query(
            """
            select 1 as one from information_schema.columns
            where table_schema = 'marts' and table_name = :mart
                and column_name = :column
            """,
            {"mart": mart, "column": column},
        )
        reader.memo[asked] = found.first() is not None
    return bool(reader.memo[asked])


@lru_cache(maxsize=2048)
def translate(sql: str, style: str) -> tuple[str, tuple[str, ...]]:
    """Rewrite `:name` for an engine (`$name` or `$1`); also the names used."""
    names = tuple(dict.fromkeys(_BIND.findall(sql)))
    if style == "duckdb":
        return _BIND.sub(r"$\1", sql), names
    return _BIND.sub(lambda bind: f"${names.index(bind[1]) + 1}", sql), names


def in_lines(texts: Iterable[str]) -> str:
    """Texts as the one value of a bind for :func:`among`; none holds a line feed."""
    return "\n".join(texts)


def among(bind: str) -> str:
    """SQL: the texts of a bind, to stand behind `in`.

    One statement serves any number of them, so engines keep its plan.
    """
    return f"(select unnest(string_to_array(cast(:{bind} as text), chr(10))))"


def chosen(names: Sequence[str], binds: Mapping[str, Any]) -> dict[str, Any]:
    """The binds a statement uses: DuckDB refuses those it does not."""
    return {name: binds[name] for name in names}
