"""Deletes listeners from what last.fm answered: landing files, the queue, schema raw.

Owns which answers and rows are about a listener, or name one in passing. Must not
decide who is to be deleted (:mod:`warehouse.forgetting` does) and is called in a run
that holds the lease, before its fetch and after its load.

A landing part keeps its name, since raw knows it by that. It is written anew beside
itself, its new length is recorded, and then it takes the old one's place: a run that
dies between the two leaves the new file, which the next one puts there first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, or_, update

from ingest import landing
from ingest.landing import Part, Record, landing_parts, list_parts, read_lines
from ingest.lastfm import friends
from ingest.lastfm.recipes import ROW_TABLES, SCHEMA
from ingest.lastfm.spellings import KEYED_COLUMNS
from ingest.load import dead_letters
from ingest.load.item_sql import text_literal
from ingest.load.promote import Raw, analyze, open_raw
from ingest.providers import providers
from ingest.published.tables import METHOD
from warehouse import ops, uploads
from warehouse.names import name_key
from warehouse.plurals import plural
from warehouse.run import Run, StepResult

NEW = ".new"
# As many identifiers as one statement names.
_BATCH = 500


def forget(run: Run) -> StepResult:
    """Delete the run's `forgets` from landing, from the queue and from what is aside.

    The step ``forget``; safe to repeat.
    """
    kept = [provider.tables for provider in providers()]
    for tables in (*kept, landing.metadata, dead_letters.metadata):
        ops.ensure_tables(run.engine, tables)
    keys = frozenset(run.forgets)
    answers = forget_landed(run.engine, run.landing_dir, keys, run.lease.check)
    with run.engine.begin() as connection:
        calls = _forget_remembered(connection, keys)
    uploads.discard(run.settings.data_dir, keys)
    aside = run.settings.data_dir / "aside"
    kept_aside = sum(path.is_file() for path in aside.rglob("*"))
    shutil.rmtree(aside, ignore_errors=True)
    return StepResult(
        f"{plural(len(keys), 'listener')}: {plural(answers, 'landed answer')} and"
        f" {plural(calls, 'call')}"
        + (f", and {plural(kept_aside, 'file')} that were aside" if kept_aside else ""),
        {},
    )


# ------------------------------------------------------------------------- landing


def forget_landed(
    engine: Engine,
    root: Path,
    keys: Collection[str],
    check: Callable[[Connection], None],
) -> int:
    """Rewrite the landing parts that are about these listeners or name them.

    Args:
        check: raises when this run may no longer write (``Lease.check``).

    Returns:
        How many answers were deleted or changed.
    """
    with engine.begin() as connection:
        parts = list_parts(connection)
    _put_in_place(root, parts)
    changed = 0
    for part in parts:
        if not (root / part.part).exists():
            continue
        lines, touched = _lines_without(read_lines(root, part), keys)
        if touched:
            _rewrite(engine, root, part, lines, check)
            changed += touched
    known = {part.part for part in parts}
    for path in root.glob("*/*"):
        # A batch that was written but never recorded, or what a rewrite left.
        if path.relative_to(root).as_posix() not in known:
            path.unlink(missing_ok=True)
    return changed


def _put_in_place(root: Path, parts: Iterable[Part]) -> None:
    """Finish the rewriting of parts whose new length is recorded already."""
    for part in parts:
        fresh = root / f"{part.part}{NEW}"
        if fresh.exists() and fresh.stat().st_size == part.bytes:
            fresh.replace(root / part.part)


def _rewrite(
    engine: Engine,
    root: Path,
    part: Part,
    lines: Sequence[bytes],
    check: Callable[[Connection], None],
) -> None:
    path = root / part.part
    fresh = root / f"{part.part}{NEW}"
    with fresh.open("wb") as file:
        file.write(landing.packed(lines))
        file.flush()
        os.fsync(file.fileno())
    with engine.begin() as connection:
        check(connection)
        connection.execute(
            update(landing_parts)
            .where(landing_parts.c.part == part.part)
            .values(bytes=fresh.stat().st_size, answers=len(lines))
        )
    fresh.replace(path)


def _lines_without(
    lines: Iterable[bytes], keys: Collection[str]
) -> tuple[list[bytes], int]:
    """The lines of a part without the listeners, and how many were touched."""
    kept, touched = [], 0
    for line in lines:
        folded = line.decode("utf-8", errors="replace").casefold()
        if not any(key in folded for key in keys):
            kept.append(line)
            continue
        record = Record.from_line(line)
        left = _record_without(record, keys)
        if left is not record:
            touched += 1
        if left is not None:
            kept.append(line if left is record else left.to_line())
    return kept, touched


def _record_without(record: Record, keys: Collection[str]) -> Record | None:
    """The answer as it is, less who is named in passing, or None where it is theirs."""
    if _is_of(record.params, keys):
        return None
    method = record.method.lower()
    if method not in (friends.METHOD, METHOD):
        return record  # a thing of that name, not the listener
    if method == friends.METHOD:
        left = friends.without(record.body, lambda name: name_key(name) in keys)
    else:
        left = _news_without(record.body, keys)
    return record if left == record.body else replace(record, body=left)


def _is_of(params: Any, keys: Collection[str]) -> bool:
    user = params.get("user") if isinstance(params, dict) else None
    return isinstance(user, str) and name_key(user) in keys


def _news_without(body: bytes, keys: Collection[str]) -> bytes:
    """What a version said, without what it said of these listeners."""
    lists = orjson.loads(body)[METHOD]
    left = {
        name: [
            row
            for row in rows
            if row.get("entity_type") != "listener" or row.get("entity_id") not in keys
        ]
        for name, rows in lists.items()
    }
    return body if left == lists else orjson.dumps({METHOD: left})


# --------------------------------------------------------------------------- queue


def _forget_remembered(connection: Connection, keys: Collection[str]) -> int:
    """Delete what fetches remember of the listeners; returns how many rows."""
    gone = sum(provider.forget(connection, keys) for provider in providers())
    reasons = dead_letters.wishes.c.reason
    connection.execute(
        update(dead_letters.wishes)
        .where(or_(*(reasons.icontains(key, autoescape=True) for key in keys)))
        .values(reason=None)
    )
    return gone


# ----------------------------------------------------------------------------- raw


def forget_loaded(run: Run) -> StepResult:
    """Delete the run's `forgets` from schema raw of the candidate.

    Part of the step ``load``; safe to repeat. What it leaves has to be built anew.
    """
    with run.engine.begin() as connection:
        parts = list_parts(connection)
    with open_raw(run.target, run.lease.check) as raw:
        rows = forget_raw(raw, run.forgets, parts)
        if run.target.url is not None:
            # The planner's samples hold names as well.
            analyze(raw, {table.name: True for table in ROW_TABLES})
    return StepResult(
        f"{plural(rows, 'row')} of deleted listeners", {"forgotten_rows": rows}
    )


def forget_raw(raw: Raw, keys: Collection[str], parts: Iterable[Part]) -> int:
    """Delete the listeners' rows; returns how many.

    Args:
        parts: the landing parts as they are now: raw notes their lengths.
    """
    listed = ", ".join(text_literal(key) for key in sorted(keys))
    names = _spellings(raw, keys, listed)
    raw.run(
        "create temporary table forgotten_names as"
        f" select name from {SCHEMA}.lastfm__name_keys where name in ({names})"
    )
    gone = _forget_passing(raw, keys, names)
    for table in ROW_TABLES:
        if "listener_name" in table.column_names:
            mine = f"listener_name in ({names})"
            for column in sorted(KEYED_COLUMNS & set(table.column_names)):
                raw.run(
                    f"insert into forgotten_names select distinct {column}"
                    f" from {SCHEMA}.{table.name}"
                    f" where {mine} and {column} is not null"
                )
            gone += raw.run(f"delete from {SCHEMA}.{table.name} where {mine}")
    gone += _forget_answers(raw, keys)
    gone += raw.run(
        f"delete from {SCHEMA}.published__restatements"
        f" where entity_type = 'listener' and entity_id in ({listed})"
    )
    gone += raw.run(
        f"delete from {SCHEMA}.exchange__holdings where listener_id in ({listed})"
    )
    gone += _forget_names(raw)
    _note_lengths(raw, parts)
    return gone


def _spellings(raw: Raw, keys: Collection[str], listed: str) -> str:
    """The names under these keys, as a list of literals."""
    found = raw.rows(
        f"select name from {SCHEMA}.lastfm__name_keys where name_key in ({listed})"
    )
    names = {*keys, *(name for (name,) in found)}
    return ", ".join(text_literal(name) for name in sorted(names))


def _forget_passing(raw: Raw, keys: Collection[str], names: str) -> int:
    """Delete the listeners from the lists of others' friends.

    An answer's items stay the sum of its rows and dead letters.
    """
    others = f"friend_name in ({names}) and listener_name not in ({names})"
    counts = raw.rows(
        f"select load_id, call_id, count(*) from {SCHEMA}.lastfm__user_friends"
        f" where {others} group by load_id, call_id"
    )
    for load_id, call_id, items in counts:
        raw.run(
            f"update {SCHEMA}.lastfm__answers"
            f" set items = items - {items}, loaded = loaded - {items}"
            f" where load_id = {load_id} and call_id = {text_literal(call_id)}"
            f" and loaded >= {items}"
        )
    gone = raw.run(f"delete from {SCHEMA}.lastfm__user_friends where {others}")
    letters = raw.rows(
        f"select dead_letter_id, load_id, call_id, item from {SCHEMA}.dead_letters"
        f" where lower(method) = '{friends.METHOD}'"
    )
    naming = [
        letter for letter in letters if any(k in letter[3].casefold() for k in keys)
    ]
    for _, load_id, call_id, _ in naming:
        raw.run(
            f"update {SCHEMA}.lastfm__answers set items = items - 1, dead = dead - 1"
            f" where load_id = {load_id} and call_id = {text_literal(call_id)}"
            " and dead > 0"
        )
    return gone + _forget_letters(raw, [letter[0] for letter in naming])


def _forget_answers(raw: Raw, keys: Collection[str]) -> int:
    """Delete the answers to what was asked about the listeners, and dead letters."""
    asked = raw.rows(
        f"select call_id, params from {SCHEMA}.lastfm__answers"
        " where params is not null and params like '%\"user\"%'"
    )
    calls = sorted({call for call, params in asked if _is_of(_read(params), keys)})
    gone = 0
    for batch in _batches(calls):
        letters = raw.rows(
            f"select dead_letter_id from {SCHEMA}.dead_letters"
            f" where call_id in ({batch})"
        )
        gone += _forget_letters(raw, [letter for (letter,) in letters])
        gone += raw.run(
            f"delete from {SCHEMA}.lastfm__answers where call_id in ({batch})"
        )
    return gone


def _forget_letters(raw: Raw, letters: Sequence[str]) -> int:
    gone = 0
    for batch in _batches(letters):
        for table in ("dead_letter_decisions", "dead_letters"):
            gone += raw.run(
                f"delete from {SCHEMA}.{table} where dead_letter_id in ({batch})"
            )
    return gone


def _forget_names(raw: Raw) -> int:
    """Delete the spellings that no row holds any more: only the listeners' rows did."""
    for table in ROW_TABLES:
        for column in sorted(KEYED_COLUMNS & set(table.column_names)):
            raw.run(
                f"delete from forgotten_names where name in (select {column}"
                f" from {SCHEMA}.{table.name} where {column} is not null)"
            )
    gone = raw.run(
        f"delete from {SCHEMA}.lastfm__name_keys"
        " where name in (select name from forgotten_names)"
    )
    raw.run("drop table forgotten_names")
    return gone


def _note_lengths(raw: Raw, parts: Iterable[Part]) -> None:
    """Bring the lengths of loaded parts to what the parts are now."""
    known = {
        part: (length, answers)
        for part, length, answers in raw.rows(
            f"select part, bytes, answers from {SCHEMA}.load_parts"
        )
    }
    for part in parts:
        if part.part in known and known[part.part] != (part.bytes, part.answers):
            raw.run(
                f"update {SCHEMA}.load_parts"
                f" set bytes = {part.bytes}, answers = {part.answers}"
                f" where part = {text_literal(part.part)}"
            )


def _read(params: str) -> Any:
    try:
        return orjson.loads(params)
    except ValueError:
        return None


def _batches(values: Sequence[str]) -> Iterator[str]:
    """The values as lists of literals, some hundred each."""
    for start in range(0, len(values), _BATCH):
        yield ", ".join(text_literal(one) for one in values[start : start + _BATCH])
