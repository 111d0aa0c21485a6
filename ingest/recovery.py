"""Brings landing and its part of the journal back to what can still be had.

Owns the reading of landing files that no row knows, and what raw tells of the fetch:
which artists are tracked, who is on the panel, what was answered lately. Where each
listener's walk ended is not brought back: the next fetch walks every history again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from ingest import landing
from ingest.landing import Part, Record, landing_parts
from ingest.lastfm import queue as queues
from ingest.lastfm.plan import REMEMBERED, end_of_walks, entity
from ingest.load.recipes import OWN_METHODS
from ingest.published.tables import METHOD
from warehouse import ops
from warehouse.aside import move_aside
from warehouse.names import name_key
from warehouse.plurals import plural
from warehouse.run import Recovered, Recovery
from warehouse.version_file import reading

_TRACKED = """
    select params ->> '$.artist' as name, min(as_of_date) as since
    from raw.lastfm__answers where method = 'artist.getInfo' group by 1 order by 2, 1
"""
_PANEL = """
    select distinct params ->> '$.user' as name, fetched_at
    from raw.lastfm__answers where method = 'user.getInfo' and as_of_date = (
        select max(as_of_date) from raw.lastfm__answers where method = 'user.getInfo'
    )
    order by 2, 1
"""
_LOADED = """
    select part, max(bytes), max(answers) from raw.load_parts group by 1 order by 1
"""
_KNOWN = f"""
    select method, params, max(as_of_date)
    from raw.lastfm__answers
    where outcome in ('rows', 'empty') and method in {tuple(sorted(REMEMBERED))}
    group by 1, 2
"""


def recover(recovery: Recovery) -> Recovered:
    """Enter the landing files and the fetch's memory that the journal lacks."""
    connection = recovery.connection
    for tables in (landing.metadata, queues.metadata):
        tables.create_all(connection)
    versions = {
        row.version: row.as_of_date
        for row in connection.execute(
            select(ops.versions.c.version, ops.versions.c.as_of_date)
        )
    }
    loaded: dict[str, tuple[int, int]] = {}
    if recovery.newest is not None:
        named = {name_key(name) for name in recovery.settings.lastfm_listeners}
        loaded = _recover_fetch(connection, recovery.newest, named)
    known = set[str](connection.execute(select(landing_parts.c.part)).scalars())
    root = recovery.settings.data_dir / "landing"
    entered = 0
    for path in sorted(root.glob("*/*.jsonl.gz")):
        part = path.relative_to(root).as_posix()
        if part in known:
            continue
        length, records = whole_batches(path)
        if not records:
            continue
        first = records[0]
        if first.method == METHOD:
            # What a version said counts with the version only.
            if part not in loaded and first.params.get("version") not in versions:
                continue
        elif first.method.lower() not in OWN_METHODS:
            last_day = max(versions.values(), default=None)
            is_over = last_day is not None and first.as_of_date <= last_day
            _enter_calls(connection, part, records, is_over)
        _enter_part(connection, part, length, records)
        entered += 1
    gone = {part: size for part, size in loaded.items() if part not in known}
    expired = _enter_expired(connection, root, gone)
    texts = [plural(entered, "landing file")] if entered else []
    texts += [f"{plural(expired, 'landing file')} that had expired"] if expired else []
    return Recovered(", ".join(texts))


def _enter_part(
    connection: Connection, part: str, length: int, records: list[Record]
) -> None:
    first = records[0]
    connection.execute(
        insert(landing_parts).values(
            part=part,
            run_id=first.run_id,
            as_of_date=first.as_of_date,
            bytes=length,
            answers=len(records),
            is_complete=True,
            created_at=first.fetched_at,
        )
    )


def _enter_expired(
    connection: Connection, root: Path, loaded: Mapping[str, tuple[int, int]]
) -> int:
    """Enter what only versions hold: none that lacks it may be gone on from.

    Args:
        loaded: bytes and answers of parts that the newest version holds.

    Returns:
        How many of them have no file.
    """
    gone = [part for part in loaded if not (root / part).exists()]
    for part in gone:
        day, _, name = part.partition("/")
        size, answers = loaded[part]
        connection.execute(
            insert(landing_parts).values(
                part=part,
                run_id=name.rpartition("-")[0],
                as_of_date=date.fromisoformat(day),
                bytes=size,
                answers=answers,
                is_complete=True,
                created_at=datetime.fromisoformat(day),
                removed_at=ops.utcnow(),
            )
        )
    return len(gone)


def _enter_calls(
    connection: Connection, part: str, records: list[Record], is_over: bool
) -> None:
    """The calls that a part answers.

    Those of a day that was published (`is_over`) are done. Of a later day nobody knows
    what the answers asked for, so its calls are made again: as further tries, since an
    answer is known by its call and try.
    """
    day = records[0].as_of_date
    calls = queues.fetch_calls
    rows = {}
    in_order = sorted(records, key=lambda one: one.attempt)
    for number, record in enumerate(in_order, queues.last_number(connection, day) + 1):
        rows[record.call_id] = {
            "call_id": record.call_id,
            "as_of_date": day,
            "seq": number,
            "method": record.method,
            "params": queues.canonical(record.params),
            "context": queues.canonical(record.context) if record.context else None,
            "entity": entity(record.method, record.params),
            "state": "done" if is_over else "pending",
            "attempts": record.attempt,
            "part": part if is_over else None,
            "walk_id": (record.context or {}).get("walk_id"),
        }
    connection.execute(queues.insert_new(connection, calls), list(rows.values()))
    connection.execute(
        update(calls)
        .where(
            calls.c.call_id == bindparam("b_call_id"),
            calls.c.attempts < bindparam("b_attempts"),
        )
        .values(attempts=bindparam("b_attempts")),
        [
            {"b_call_id": row["call_id"], "b_attempts": row["attempts"]}
            for row in rows.values()
        ],
    )
    if is_over:
        end = end_of_walks(day, queues.now_uts())
        connection.execute(
            queues.insert_new(connection, queues.fetch_days),
            {
                "as_of_date": day,
                "mode": "full",
                "walk_to": end,
                "phase": 2,
                "finished_at": ops.utcnow(),
            },
        )


def salvage(
    engine: Engine,
    data_dir: Path,
    parts: Iterable[Part],
    check: Callable[[Connection], None],
) -> list[str]:
    """Keep what is whole of damaged parts, and ask for the rest again.

    Args:
        check: raises when this run may no longer write (``Lease.check``).

    Returns:
        A sentence for each damaged part. One that is missing is none of them.
    """
    said = []
    for part in parts:
        path = data_dir / "landing" / part.part
        if not path.exists():
            continue
        length, records = whole_batches(path, part.bytes)
        if length == part.bytes:
            continue
        kept = move_aside(data_dir, path)
        if length:
            path.write_bytes(kept.read_bytes()[:length])
        with engine.begin() as connection:
            check(connection)
            asked = _shorten(connection, part, length, records)
        said.append(
            f"landing part {part.part} is damaged after {length:,} of {part.bytes:,}"
            f" bytes: {len(records):,} of {part.answers:,} answers are kept, {asked:,}"
            f" are asked again with their day; the file is kept as {kept}"
        )
    return said


def _shorten(
    connection: Connection, part: Part, length: int, records: list[Record]
) -> int:
    """Record that a part is shorter; returns how many calls are to be made again."""
    this = landing_parts.c.part == part.part
    if length:
        connection.execute(
            update(landing_parts)
            .where(this)
            .values(bytes=length, answers=len(records), is_complete=True)
        )
    else:
        connection.execute(delete(landing_parts).where(this))
    calls = queues.fetch_calls
    there = {record.call_id for record in records}
    lost = [
        {"b_call_id": row.call_id}
        for row in connection.execute(
            select(calls.c.call_id).where(calls.c.part == part.part)
        )
        if row.call_id not in there
    ]
    if lost:
        connection.execute(
            update(calls)
            .where(calls.c.call_id == bindparam("b_call_id"))
            .values(state="pending", part=None, total=None),
            lost,
        )
    return len(lost)


def whole_batches(path: Path, most: int = -1) -> tuple[int, list[Record]]:
    """The bytes and records of a landing file's whole batches, from its beginning.

    A batch is a gzip member; what follows the last whole one was never answered for.

    Args:
        most: no more bytes than these are looked at; -1: all.
    """
    with path.open("rb") as file:
        packed = file.read(most)
    length, records = 0, list[Record]()
    while length < len(packed):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            text = member.decompress(packed[length:])
            found = [Record.from_line(line) for line in text.splitlines()]
        except (zlib.error, ValueError):
            break
        if not member.eof:
            break
        length = len(packed) - len(member.unused_data)
        records += found
    return length, records


def _recover_fetch(
    connection: Connection, newest: Path, named: Collection[str]
) -> dict[str, tuple[int, int]]:
    """What raw tells of earlier fetches; returns the loaded parts.

    Of each part how many of its bytes and answers are loaded.

    Args:
        named: keys of the listeners whom the settings name: they did not join.
    """
    with reading(newest) as version:
        tables = version.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw'"
        ).fetchall()
        if ("lastfm__answers",) not in tables:
            return {}
        tracked = version.execute(_TRACKED).fetchall()
        panel = version.execute(_PANEL).fetchall()
        known = version.execute(_KNOWN).fetchall()
        parts = version.execute(_LOADED).fetchall()
    loaded = {part: (size, answers) for part, size, answers in parts}
    if connection.execute(select(queues.fetch_artists).limit(1)).first():
        return loaded  # the journal has a memory of its own, and who left it is gone
    rows: dict[Any, list[dict[str, Any]]] = {
        queues.fetch_artists: [_artist(name, since) for name, since in tracked],
        queues.fetch_panel: [
            {
                "listener_id": name_key(name),
                "listener_name": name,
                "added_at": fetched_at,
            }
            for name, fetched_at in panel
            if name_key(name) not in named
        ],
        queues.fetch_known: [
            {
                "method": method,
                "params": queues.canonical(json.loads(params)),
                "as_of_date": day,
            }
            for method, params, day in known
        ],
    }
    for table, values in rows.items():
        if values:
            connection.execute(queues.insert_new(connection, table), values)
    return loaded


def _artist(name: str, since: date) -> dict[str, Any]:
    return {
        "artist_key": name_key(name),
        "artist_name": name,
        "tracked_since": since,
    }
