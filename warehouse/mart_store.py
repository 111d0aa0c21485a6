"""How the marts' rows are kept for readers in PostgreSQL: schema ``marts_store``.

Owns the store's tables, what a version's views look like, and the comparison that
writes only what changed. Every row carries the fences between which it is shown:
``_from_fence <= published < _to_fence``; rows of the newest version have no end
(:data:`HEAD`). A *segment* is what is compared as a whole first: a day, a period, or
everything about one artist or listener; the mart's `meta` names the column.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from warehouse.descriptions import comment_statements
from warehouse.errors import PublishFailed
from warehouse.marts import Mart

HEAD = 9223372036854775807
# One lock attempt must be short, because readers queue behind it; there can be many.
_LOCK_SECONDS = 2
_PATIENCE_SECONDS = 600.0
_LOCKED, _DEPENDED_ON, _OTHER_COLUMNS = "55P03", "2BP01", "42P16"


@dataclass(frozen=True)
class MartColumn:
    """A column of a mart: its name, its type, and what the store calls it."""

    name: str
    type: str
    stored: str
    description: str = field(default="", compare=False)


@dataclass(frozen=True)
class Layout:
    """What the view of a mart looks like; two that differ in descriptions are equal."""

    columns: tuple[MartColumn, ...]
    description: str = field(default="", compare=False)

    def stored(self, name: str) -> str:
        """What the store calls a column."""
        return next(column.stored for column in self.columns if column.name == name)

    def type(self, name: str) -> str:
        """The type of a column, as PostgreSQL formats it."""
        return next(column.type for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Written:
    """What writing a mart did: its rows in all, and the tables it wrote to."""

    rows: int
    written_to: tuple[str, ...]


def ensure_bookkeeping(connection: Connection) -> None:
    """Create the table of what each version's views look like."""
    _run(
        connection,
        "create table if not exists marts_store._layouts ("
        " fence bigint not null, mart text not null, columns text not null,"
        " primary key (fence, mart))",
    )


def mart_names(connection: Connection, schema: str) -> list[str]:
    """The tables and views of a schema that can be marts, in a fixed order."""
    rows = _run(
        connection,
        "select relname from pg_class"
        " where relnamespace = to_regnamespace(:schema)"
        " and relkind in ('r', 'p', 'v') and not relispartition"
        r" and relname not like '\_%' and relname not like '%\_\_dbt\_%'"
        ' order by relname collate "C"',
        schema=schema,
    )
    return list(rows.scalars())


def prepare_table(connection: Connection, mart: Mart) -> Layout:
    """Make the store able to take a mart as it was built; readers notice nothing.

    A new column is added; a column whose type changed gets a new place beside the old
    one, which older versions still need.
    """
    name, months = mart.name, mart.meta.months
    built = _columns(connection, "marts_build", name)
    kept = dict(_columns(connection, "marts_store", name))
    texts = mart.texts
    columns = []
    for column, type_ in built:
        places = (column, *(f"{column}__{number}" for number in range(2, 100)))
        stored = next(place for place in places if kept.get(place, type_) == type_)
        columns.append(MartColumn(column, type_, stored, texts.get(column, "")))
    missing = [column for column in columns if column.stored not in kept]
    if not kept:
        listed = ", ".join(f'"{c.stored}" {c.type}' for c in columns)
        _run(
            connection,
            f'create table marts_store."{name}" ({listed},'
            " _from_fence bigint not null, _to_fence bigint not null)"
            + (f' partition by range ("{months}")' if months else ""),
        )
    elif missing:
        listed = ", ".join(f'add column "{c.stored}" {c.type}' for c in missing)
        _patiently(
            connection,
            f"store {name}",
            lambda: _run(connection, f'alter table marts_store."{name}" {listed}'),
        )
    if months:
        _ensure_months(connection, name, months)
    return Layout(tuple(columns), texts[""])


def write_changed_rows(
    connection: Connection, mart: Mart, layout: Layout, fence: int
) -> Written:
    """Bring a mart's newest rows to those that were built, unchanged ones left alone.

    Whole segments are compared first; the rows of those that differ are compared one
    by one, so that a day whose single row changed costs that row in every index.
    """
    name = mart.name
    is_new = not _has_indexes(connection, name)
    _compare_segments(connection, mart, layout)
    rows, is_changed = _run(
        connection,
        "select coalesce(sum(rows), 0), coalesce(bool_or(is_changed), false)"
        " from _changed",
    ).one()
    if is_changed:
        _compare_rows(connection, mart, layout)
        _end_rows(connection, mart, layout, fence)
        _insert_rows(connection, mart, layout, fence)
    _ensure_indexes(connection, mart, layout)
    if is_new:
        _run(connection, f'analyze marts_store."{name}"')
    written_to = _written_to(connection, mart) if is_changed else ()
    return Written(int(rows), written_to)


@dataclass(frozen=True)
class _Side:
    """One of the two tables compared: its rows, and SQL of their segment and hash."""

    rows: str
    columns: str
    key: str
    hash: str


def _built(mart: Mart, layout: Layout) -> _Side:
    columns = ", ".join(_quoted(column.name) for column in layout.columns)
    key = _key(mart.meta.segment, layout.type(mart.meta.segment))
    hash_ = f"hash_record_extended(row({columns}), 0)"
    return _Side(f'marts_build."{mart.name}" as built', columns, key, hash_)


def _kept(mart: Mart, layout: Layout) -> _Side:
    columns = ", ".join(_quoted(column.stored) for column in layout.columns)
    segment = mart.meta.segment
    key = _key(layout.stored(segment), layout.type(segment))
    hash_ = f"hash_record_extended(row({columns}), 0)"
    rows = f'marts_store."{mart.name}" as kept where _to_fence = {HEAD}'
    return _Side(rows, columns, key, hash_)


def _compare_segments(connection: Connection, mart: Mart, layout: Layout) -> None:
    """Make the temporary table of the mart's segments, and whether each changed."""
    built, kept = _built(mart, layout), _kept(mart, layout)
    _run(connection, "drop table if exists pg_temp._changed")
    _run(
        connection,
        "create temporary table _changed on commit drop as"
        f" with built as (select {built.key} as key, count(*) as rows,"
        f"   sum(cast({built.hash} as numeric)) as sum from {built.rows} group by 1),"
        f" kept as (select {kept.key} as key, count(*) as rows,"
        f"   sum(cast({kept.hash} as numeric)) as sum from {kept.rows} group by 1)"
        " select coalesce(built.key, kept.key) as key,"
        " coalesce(built.rows, 0) as rows, coalesce(kept.rows, 0) as kept_rows,"
        " (built.rows, built.sum) is distinct from (kept.rows, kept.sum)"
        "   as is_changed"
        " from built full join kept on kept.key = built.key",
    )


def _compare_rows(connection: Connection, mart: Mart, layout: Layout) -> None:
    """Make the temporary table of the hashes of rows that came or went.

    Equal rows are told apart by number only: where that changed, all of them did.
    """
    built, kept = _built(mart, layout), _kept(mart, layout)
    changed = "(select key from _changed where is_changed)"
    _run(connection, "drop table if exists pg_temp._rows")
    _run(
        connection,
        "create temporary table _rows on commit drop as"
        f" with built as (select {built.key} as _key, {built.hash} as _hash,"
        f"   count(*) as rows from {built.rows}"
        f"   where {built.key} in {changed} group by 1, 2),"
        f" kept as (select {kept.key} as _key, {kept.hash} as _hash,"
        f"   count(*) as rows from {kept.rows}"
        f"   and {kept.key} in {changed} group by 1, 2)"
        " select coalesce(built._key, kept._key) as _key,"
        " coalesce(built._hash, kept._hash) as _hash,"
        " built.rows is not null as has_come, kept.rows is not null as has_gone"
        " from built full join kept"
        "   on kept._key = built._key and kept._hash = built._hash"
        " where built.rows is distinct from kept.rows",
    )
    _run(connection, "analyze _rows")


def _end_rows(connection: Connection, mart: Mart, layout: Layout, fence: int) -> None:
    kept = _kept(mart, layout)
    _run(
        connection,
        f'update marts_store."{mart.name}" as kept set _to_fence = {fence:d}'
        f" from _rows where kept._to_fence = {HEAD} and _rows.has_gone"
        f" and _rows._key = {kept.key} and _rows._hash = {kept.hash}",
    )


def _insert_rows(
    connection: Connection, mart: Mart, layout: Layout, fence: int
) -> None:
    """Insert what came, in the order of the segment and the first index."""
    built, kept = _built(mart, layout), _kept(mart, layout)
    order = dict.fromkeys((mart.meta.segment, *next(iter(mart.meta.indexes), ())))
    _run(
        connection,
        f'insert into marts_store."{mart.name}"'
        f" ({kept.columns}, _from_fence, _to_fence)"
        f" select {built.columns}, {fence:d}, {HEAD} from {built.rows}"
        f" where ({built.key}, {built.hash}) in"
        "   (select _key, _hash from _rows where has_come)"
        f" order by {', '.join(map(_quoted, order))}",
    )


def _written_to(connection: Connection, mart: Mart) -> tuple[str, ...]:
    """The tables with the changed segments of a mart just stored: months or its own.

    All months where one of them is new, because only the whole says how the months
    together look, and the planner wants to know.
    """
    name = mart.name
    if mart.meta.months is None:
        return (name,)
    months = _run(
        connection,
        "select date_trunc('month', key), sum(kept_rows) > 0 from _changed"
        " group by 1 having bool_or(is_changed)",
    ).all()
    if all(was_there for _, was_there in months):
        return tuple(_month_table(name, month) for month, _ in months)
    return (name,)


def end_mart(connection: Connection, name: str, fence: int) -> None:
    """End all rows of a mart that is no longer built."""
    _run(
        connection,
        f'update marts_store."{name}" set _to_fence = {fence:d}'
        f" where _to_fence = {HEAD}",
    )


def delete_dropped_versions(connection: Connection, name: str) -> None:
    """Delete the rows of a mart that no kept version shows.

    Readers that began before keep seeing them: nothing waits for anybody.
    """
    _run(
        connection,
        f'delete from marts_store."{name}" as stored'
        f" where stored._to_fence < {HEAD} and not exists ("
        "   select 1 from ops.versions as kept where kept.dropped_at is null"
        "     and stored._from_fence <= kept.fence"
        "     and kept.fence < stored._to_fence)",
    )


def record_layouts(
    connection: Connection, fence: int, layouts: Mapping[str, Layout]
) -> None:
    """Note what the views of a version look like, for a later rollback."""
    for name, layout in layouts.items():
        _run(
            connection,
            "insert into marts_store._layouts values (:fence, :mart, :columns)",
            fence=fence,
            mart=name,
            columns=_dump_layout(layout),
        )


def layouts_of(connection: Connection, fence: int) -> dict[str, Layout]:
    """What the views of a version look like."""
    rows = _run(
        connection,
        "select mart, columns from marts_store._layouts where fence = :fence",
        fence=fence,
    )
    return {mart: _load_layout(columns) for mart, columns in rows}


def shown_layouts(connection: Connection) -> dict[str, Layout]:
    """What the views look like now."""
    fence = _run(connection, "select fence from ops.published").scalar()
    if fence is None:
        return {}
    views = _run(
        connection,
        "select relname from pg_class"
        " where relnamespace = to_regnamespace('marts') and relkind = 'v'",
    )
    layouts = layouts_of(connection, fence)
    return {name: layouts[name] for name in views.scalars() if name in layouts}


def delete_dropped_layouts(connection: Connection) -> None:
    """Remove the notes of dropped versions, and stored marts nobody can show."""
    _run(
        connection,
        "delete from marts_store._layouts where fence not in"
        " (select fence from ops.versions where dropped_at is null)",
    )
    for name in mart_names(connection, "marts_store"):
        used = _run(
            connection,
            "select 1 from marts_store._layouts where mart = :mart limit 1",
            mart=name,
        ).first()
        if used is None:
            _run(connection, f'drop table marts_store."{name}"')


def replace_views(
    connection: Connection, before: Mapping[str, Layout], after: Mapping[str, Layout]
) -> None:
    """Make the views show these layouts; views that stay the same are not touched.

    Raises:
        PublishFailed: a view is in use for too long, or something depends on it.
    """
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name):
            _patiently(
                connection,
                f"marts.{name}",
                partial(_replace, connection, name, after.get(name)),
            )
    _describe_views(connection, after)


def _describe_views(connection: Connection, layouts: Mapping[str, Layout]) -> None:
    """Bring the comments of the views to their layouts' descriptions.

    A comment's lock waits for no reader, and no reader for it.
    """
    there = _run(
        connection,
        "select relname, coalesce(attname, ''), description"
        " from pg_description"
        " inner join pg_class on pg_class.oid = objoid"
        " left join pg_attribute on attrelid = objoid and attnum = objsubid"
        "   and objsubid > 0"
        " where classoid = 'pg_class'::regclass"
        " and relnamespace = to_regnamespace('marts') and relkind = 'v'",
    ).all()
    statements = comment_statements(
        "marts",
        dict.fromkeys(layouts, "view"),
        {
            name: {"": layout.description}
            | {column.name: column.description for column in layout.columns}
            for name, layout in layouts.items()
        },
        {(name, column): comment for name, column, comment in there},
    )
    if batch := "; ".join(statements):
        # Past SQLAlchemy and without values: a text may hold any character.
        connection.exec_driver_sql(batch.replace("%", "%%"))


def _replace(connection: Connection, name: str, layout: Layout | None) -> None:
    if layout is None:
        _run(connection, f'drop view if exists marts."{name}"')
        return
    shown = ", ".join(
        f'"{column.stored}" as "{column.name}"' for column in layout.columns
    )
    pointer = "(select fence from ops.published)"
    # As one opaque expression the planner takes it for half of the rows; as two
    # comparisons for a ninth, and then joins in nested loops.
    body = (
        f'view marts."{name}" as select {shown} from marts_store."{name}" where'
        f" coalesce(_from_fence <= {pointer} and _to_fence > {pointer}, false)"
    )
    try:
        with connection.begin_nested():
            _run(connection, f"create or replace {body}")
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != _OTHER_COLUMNS:
            raise
        grants = _run(
            connection,
            "select distinct acl.privilege_type,"
            " cast(cast(acl.grantee as regrole) as text)"
            " from pg_class, aclexplode(relacl) as acl"
            " where pg_class.oid = to_regclass(:view)"
            " and acl.grantee not in (0, relowner)",
            view=f'marts."{name}"',
        ).all()
        _run(connection, f'drop view marts."{name}"')
        _run(connection, f"create {body}")
        for privilege, role in grants:
            _run(connection, f'grant {privilege} on marts."{name}" to {role}')


def _run(connection: Connection, sql: str, **values: object) -> Any:
    return connection.execute(text(sql), values)


def _patiently(connection: Connection, what: str, action: Callable[[], object]) -> None:
    """Do what needs a reader-free moment: short attempts, so that nobody queues."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    _run(connection, f"set local lock_timeout = '{_LOCK_SECONDS}s'")
    while True:
        try:
            with connection.begin_nested():
                action()
            break
        except DBAPIError as error:
            code = getattr(error.orig, "pgcode", None)
            if code == _DEPENDED_ON:
                raise PublishFailed(
                    f"{what} changes its columns, but other objects depend on it:"
                    f" {str(error.orig).strip()}; drop those first"
                ) from error
            if code != _LOCKED:
                raise
            if time.monotonic() > deadline:
                raise PublishFailed(
                    f"{what} changes its columns, but a transaction has been reading"
                    f" it for {_PATIENCE_SECONDS:.0f} s; end it and run again"
                ) from error
        time.sleep(0.5)
    _run(connection, "set local lock_timeout = 0")


def _columns(connection: Connection, schema: str, table: str) -> list[tuple[str, str]]:
    rows = _run(
        connection,
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(:name) and attnum > 0 and not attisdropped"
        " order by attnum",
        name=f'{schema}."{table}"',
    )
    return [(name, type_) for name, type_ in rows]


def _key(column: str, type_: str) -> str:
    """A column as a segment's key, null included."""
    if type_ == "date":
        return f"""coalesce("{column}", date '-infinity')"""
    return f"""coalesce(cast("{column}" as text), '')"""


def _ensure_indexes(connection: Connection, mart: Mart, layout: Layout) -> None:
    for index in mart.meta.indexes:
        columns = ", ".join(_quoted(layout.stored(column)) for column in index)
        _ensure_index(connection, mart.name, f"({columns})")
    # Finds the rows of older versions, which are few, without reading the others.
    _ensure_index(connection, mart.name, f"(_to_fence) where _to_fence < {HEAD}")


def _ensure_index(connection: Connection, name: str, on: str) -> None:
    digest = hashlib.sha256(f"{name} {on}".encode()).hexdigest()[:10]
    _run(
        connection,
        f'create index if not exists "{name[:50]}_{digest}"'
        f' on marts_store."{name}" {on}',
    )


def _has_indexes(connection: Connection, name: str) -> bool:
    found = _run(
        connection,
        "select 1 from pg_index where indrelid = to_regclass(:name) limit 1",
        name=f'marts_store."{name}"',
    )
    return found.first() is not None


def _ensure_months(connection: Connection, name: str, column: str) -> None:
    """Attach the months a mart has rows in; attaching locks no reader out."""
    months = _run(
        connection,
        f"""select distinct cast(date_trunc('month', "{column}") as date)"""
        f' from marts_build."{name}"',
    ).scalars()
    for month in sorted(months):
        part = _month_table(name, month)
        known = _run(
            connection, "select to_regclass(:part)", part=f'marts_store."{part}"'
        ).scalar_one()
        if known is not None:
            continue
        following = month.replace(
            year=month.year + month.month // 12, month=month.month % 12 + 1
        )
        _run(
            connection,
            f'create table marts_store."{part}" (like marts_store."{name}")',
        )
        _run(
            connection,
            f'alter table marts_store."{name}" attach partition'
            f' marts_store."{part}"'
            f" for values from ('{month}') to ('{following}')",
        )


def _month_table(name: str, month: date) -> str:
    return f"{name}__{month:%Y%m}"


def _dump_layout(layout: Layout) -> str:
    columns = [[c.name, c.type, c.stored, c.description] for c in layout.columns]
    return json.dumps({"description": layout.description, "columns": columns})


def _load_layout(noted: str) -> Layout:
    read = json.loads(noted)
    if isinstance(read, list):  # of a version from before layouts had descriptions
        read = {"description": "", "columns": read}
    columns = tuple(MartColumn(*column) for column in read["columns"])
    return Layout(columns, read["description"])


def _quoted(column: str) -> str:
    return f'"{column}"'
