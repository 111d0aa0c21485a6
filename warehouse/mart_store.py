"""How the marts' rows are kept for readers in PostgreSQL: schema ``marts_store``.

Owns the store's tables, what a version's views look like, and the comparison that
writes only what changed. Every row carries the fences between which it is shown:
``_from_fence <= published < _to_fence``; rows of the newest version have no end
(:data:`HEAD`). A *segment* is what is compared and rewritten as a whole: a day, a
period, or everything about one artist or listener.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from warehouse.errors import PublishFailed

HEAD = 9223372036854775807
# Kept by month: the facts that grow for ever and are asked about by time.
MONTHLY = {"fct_scrobbles": "scrobbled_date", "fct_artist_snapshots": "snapshot_date"}
# The first of these that a mart has is its segment; otherwise its first column is.
SEGMENT_DATES = (
    "scrobbled_date",
    "snapshot_date",
    "value_date",
    "issue_date",
    "period_start",
    "week_start",
)
# What the read service and people ask by; columns a mart lacks are left out.
INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "fct_scrobbles": (
        ("listener_id", "scrobbled_at"),
        ("artist_id", "scrobbled_at"),
        ("track_id",),
        ("scrobbled_date",),
    ),
    "fct_artist_snapshots": (("artist_id", "snapshot_date"),),
    "fct_artist_values": (("artist_id", "value_date"), ("value_date", "score")),
    "fct_chart_positions": (
        ("chart", "scope", "period", "issue_date"),
        ("entity_id",),
    ),
    "top_charts": (("entity_type", "period", "period_start", "rank"), ("entity_id",)),
    "fct_listener_days": (("listener_id", "scrobbled_date"), ("scrobbled_date",)),
    "listener_top": (("listener_id", "entity_type", "period", "period_start"),),
    "listener_artists": (("listener_id",), ("artist_id",)),
    "artist_listener_weeks": (("artist_id", "week_start"),),
    "dim_tracks": (("track_id",), ("artist_id",)),
    "dim_albums": (("album_id",), ("artist_id",)),
    "artist_tags": (("artist_id",), ("tag_id",)),
}
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


Layout = tuple[MartColumn, ...]


@dataclass(frozen=True)
class Stored:
    """What storing a mart did: its rows in all, and the tables it wrote to."""

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


def tables(connection: Connection, schema: str) -> list[str]:
    """The tables of a schema that are marts, in a fixed order."""
    rows = _run(
        connection,
        "select relname from pg_class"
        " where relnamespace = to_regnamespace(:schema)"
        " and relkind in ('r', 'p') and not relispartition"
        r" and relname not like '\_%' and relname not like '%\_\_dbt\_%'"
        ' order by relname collate "C"',
        schema=schema,
    )
    return list(rows.scalars())


def fit(connection: Connection, name: str) -> Layout:
    """Make the store able to take a mart as it was built; readers notice nothing.

    A new column is added; a column whose type changed gets a new place beside the old
    one, which older versions still need.
    """
    built = _columns(connection, "marts_build", name)
    kept = dict(_columns(connection, "marts_store", name))
    layout = []
    for column, type_ in built:
        places = (column, *(f"{column}__{number}" for number in range(2, 100)))
        stored = next(place for place in places if kept.get(place, type_) == type_)
        layout.append(MartColumn(column, type_, stored))
    missing = [column for column in layout if column.stored not in kept]
    if not kept:
        columns = ", ".join(f'"{c.stored}" {c.type}' for c in layout)
        month = MONTHLY.get(name)
        _run(
            connection,
            f'create table marts_store."{name}" ({columns},'
            " _from_fence bigint not null, _to_fence bigint not null)"
            + (f' partition by range ("{month}")' if month else ""),
        )
    elif missing:
        columns = ", ".join(f'add column "{c.stored}" {c.type}' for c in missing)
        _patiently(
            connection,
            f"store {name}",
            lambda: _run(connection, f'alter table marts_store."{name}" {columns}'),
        )
    if name in MONTHLY:
        _ensure_months(connection, name)
    return tuple(layout)


def store(connection: Connection, name: str, layout: Layout, fence: int) -> Stored:
    """Write the segments of a mart that differ from the newest stored version."""
    segment = _segment(layout)
    place = {column.name: column.stored for column in layout}[segment.name]
    built_row = ", ".join(f'"{column.name}"' for column in layout)
    kept_row = ", ".join(f'"{column.stored}"' for column in layout)
    built_key = _key(segment.name, segment.type)
    kept_key = _key(place, segment.type)
    is_new = not _has_indexes(connection, name)
    _run(connection, "drop table if exists pg_temp._changed")
    _run(
        connection,
        "create temporary table _changed on commit drop as"
        f" with built as (select {built_key} as key, count(*) as rows,"
        f"   sum(cast(hash_record_extended(row({built_row}), 0) as numeric)) as sum"
        f'   from marts_build."{name}" group by 1),'
        f" kept as (select {kept_key} as key, count(*) as rows,"
        f"   sum(cast(hash_record_extended(row({kept_row}), 0) as numeric)) as sum"
        f'   from marts_store."{name}" where _to_fence = {HEAD} group by 1)'
        " select coalesce(built.key, kept.key) as key,"
        " coalesce(built.rows, 0) as rows, coalesce(kept.rows, 0) as kept_rows,"
        " (built.rows, built.sum) is distinct from (kept.rows, kept.sum)"
        "   as is_changed"
        " from built full join kept on kept.key = built.key",
    )
    rows, written, closed = _run(
        connection,
        "select coalesce(sum(rows), 0),"
        " coalesce(sum(rows) filter (where is_changed), 0),"
        " coalesce(sum(kept_rows) filter (where is_changed), 0) from _changed",
    ).one()
    if closed:
        _run(
            connection,
            f'update marts_store."{name}" as kept set _to_fence = {fence:d}'
            f" from _changed where kept._to_fence = {HEAD}"
            f" and _changed.is_changed and _changed.key = {kept_key}",
        )
    if written:
        chosen = (
            f" where {built_key} in (select key from _changed where is_changed)"
            if written < rows
            else ""
        )
        order = dict.fromkeys((segment.name, *next(iter(_indexes(name, layout)), ())))
        _run(
            connection,
            f'insert into marts_store."{name}"'
            f" ({kept_row}, _from_fence, _to_fence)"
            f' select {built_row}, {fence:d}, {HEAD} from marts_build."{name}"'
            f"{chosen} order by {', '.join(_quoted(column) for column in order)}",
        )
    _ensure_indexes(connection, name, layout)
    if is_new:
        _run(connection, f'analyze marts_store."{name}"')
    written_to = _written_to(connection, name) if written or closed else ()
    return Stored(int(rows), written_to)


def _written_to(connection: Connection, name: str) -> tuple[str, ...]:
    """The tables with the changed segments of a mart just stored: months or its own.

    All months where one of them is new, because only the whole says how the months
    together look, and the planner wants to know.
    """
    if name not in MONTHLY:
        return (name,)
    months = _run(
        connection,
        "select date_trunc('month', key), sum(kept_rows) > 0 from _changed"
        " group by 1 having bool_or(is_changed)",
    ).all()
    if all(was_there for _, was_there in months):
        return tuple(_month_table(name, month) for month, _ in months)
    return (name,)


def close(connection: Connection, name: str, fence: int) -> None:
    """End all rows of a mart that is no longer built."""
    _run(
        connection,
        f'update marts_store."{name}" set _to_fence = {fence:d}'
        f" where _to_fence = {HEAD}",
    )


def forget(connection: Connection, name: str) -> None:
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


def enter_layouts(
    connection: Connection, fence: int, layouts: Mapping[str, Layout]
) -> None:
    """Note what the views of a version look like, for a later rollback."""
    for name, layout in layouts.items():
        _run(
            connection,
            "insert into marts_store._layouts values (:fence, :mart, :columns)",
            fence=fence,
            mart=name,
            columns=_dump(layout),
        )


def layouts_of(connection: Connection, fence: int) -> dict[str, Layout]:
    """What the views of a version look like."""
    rows = _run(
        connection,
        "select mart, columns from marts_store._layouts where fence = :fence",
        fence=fence,
    )
    return {
        mart: tuple(MartColumn(*column) for column in json.loads(columns))
        for mart, columns in rows
    }


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


def forget_layouts(connection: Connection) -> None:
    """Remove the notes of dropped versions, and stored marts nobody can show."""
    _run(
        connection,
        "delete from marts_store._layouts where fence not in"
        " (select fence from ops.versions where dropped_at is null)",
    )
    for name in tables(connection, "marts_store"):
        used = _run(
            connection,
            "select 1 from marts_store._layouts where mart = :mart limit 1",
            mart=name,
        ).first()
        if used is None:
            _run(connection, f'drop table marts_store."{name}"')


def show(
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


def _replace(connection: Connection, name: str, layout: Layout | None) -> None:
    if layout is None:
        _run(connection, f'drop view if exists marts."{name}"')
        return
    shown = ", ".join(f'"{column.stored}" as "{column.name}"' for column in layout)
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


def _segment(layout: Layout) -> MartColumn:
    by_name = {column.name: column for column in layout}
    return next((by_name[d] for d in SEGMENT_DATES if d in by_name), layout[0])


def _key(column: str, type_: str) -> str:
    """A column as a segment's key, null included."""
    if type_ == "date":
        return f"""coalesce("{column}", date '-infinity')"""
    return f"""coalesce(cast("{column}" as text), '')"""


def _indexes(name: str, layout: Layout) -> list[tuple[str, ...]]:
    """The columns of each index of a mart, by the mart's names."""
    has = {column.name for column in layout}
    chosen = INDEXES.get(name)
    if chosen is None:
        first = layout[0].name
        chosen = ((first,),) if first.endswith("_id") else ()
    return [columns for columns in chosen if has.issuperset(columns)]


def _ensure_indexes(connection: Connection, name: str, layout: Layout) -> None:
    place = {column.name: column.stored for column in layout}
    wanted = [
        ", ".join(f'"{place[column]}"' for column in columns)
        for columns in _indexes(name, layout)
    ]
    for columns in wanted:
        _ensure_index(connection, name, f"({columns})")
    # Finds the rows of older versions, which are few, without reading the others.
    _ensure_index(connection, name, f"(_to_fence) where _to_fence < {HEAD}")


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


def _ensure_months(connection: Connection, name: str) -> None:
    """Attach the months a mart has rows in; attaching locks no reader out."""
    column = MONTHLY[name]
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


def _dump(layout: Layout) -> str:
    return json.dumps([[c.name, c.type, c.stored] for c in layout])


def _quoted(column: str) -> str:
    return f'"{column}"'
