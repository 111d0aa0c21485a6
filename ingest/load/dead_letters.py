"""Dead letters: items that did not fit, and what becomes of them.

Owns listing, replaying and waiving. An operator's wish is kept in the ops database; the
load of the next run carries it out, because what is published is never written to. A
wish stays there, so that it holds again after a rollback.
"""

import base64
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    insert,
    select,
    update,
)

from ingest.landing import Part, PartWriter, Record, read_part
from ingest.lastfm.recipes import SCHEMA
from ingest.load.item_sql import text_literal
from ingest.load.parse import Parsed, Parser
from ingest.load.promote import (
    Decision,
    FenceCheck,
    Promotion,
    enter_decisions,
    open_raw,
    promote,
)
from ingest.load.recipes import recipes_of
from ingest.load.stage import fill_stage, stage_name
from warehouse.run import Target

metadata = MetaData()

wishes = Table(
    "dead_letter_wishes",
    metadata,
    Column("dead_letter_id", String(32), primary_key=True),
    Column("decision", String(16), nullable=False, doc="replayed or waived"),
    Column("reason", Text),
    Column("asked_at", DateTime, nullable=False),
    Column("outcome", Text, doc="why a replay came to nothing; null while it is open"),
)

_COLUMNS = (
    "dead_letter_id",
    "load_id",
    "call_id",
    "as_of_date",
    "method",
    "table_name",
    "item_index",
    "item",
    "encoding",
    "path",
    "error",
)
_OPEN = f"""
    select {", ".join(f"letters.{name}" for name in _COLUMNS)}
    from {SCHEMA}.dead_letters as letters
    where not exists (
        select 1 from {SCHEMA}.dead_letter_decisions as decisions
        where decisions.dead_letter_id = letters.dead_letter_id
    )
    order by letters.load_id, letters.call_id, letters.table_name, letters.item_index
"""


@dataclass(frozen=True)
class DeadLetter:
    """One item that did not fit; ``table_name`` is None for a whole answer."""

    dead_letter_id: str
    load_id: int
    call_id: str
    as_of_date: date
    method: str
    table_name: str | None
    item_index: int
    item: str
    encoding: str
    path: str
    error: str

    @property
    def body(self) -> bytes:
        """The bytes that did not fit."""
        if self.encoding == "base64":
            return base64.b64decode(self.item)
        return self.item.encode()


@dataclass(frozen=True)
class Replay:
    """What a replay did; ``load_id`` is None when nothing fits today either."""

    load_id: int | None
    replayed: tuple[str, ...]
    still_dead: tuple[str, ...]
    rows: int


# ------------------------------------------------------------------------- reading


def open_dead_letters(target: Target) -> list[DeadLetter]:
    """The dead letters without a decision; reads only, never creates anything."""
    return [DeadLetter(*row) for row in _read(target, _OPEN)]


def _read(target: Target, query: str) -> list[tuple[Any, ...]]:
    if target.duckdb_path is not None:
        with duckdb.connect(str(target.duckdb_path), read_only=True) as connection:
            return connection.execute(query).fetchall()
    engine = create_engine(str(target.url))
    try:
        with engine.connect() as transaction:
            return [tuple(row) for row in transaction.exec_driver_sql(query)]
    finally:
        engine.dispose()


# ------------------------------------------------------------------ what is wished


def wish(
    connection: Connection,
    dead_letter_ids: Sequence[str],
    decision: str,
    reason: str | None,
    asked_at: datetime,
) -> None:
    """Note what shall become of these dead letters; a later wish takes its place."""
    for dead_letter_id in dead_letter_ids:
        connection.execute(
            delete(wishes).where(wishes.c.dead_letter_id == dead_letter_id)
        )
        connection.execute(
            insert(wishes).values(
                dead_letter_id=dead_letter_id,
                decision=decision,
                reason=reason,
                asked_at=asked_at,
            )
        )


def open_wishes(connection: Connection) -> list[Decision]:
    """The wishes that can still come true."""
    rows = connection.execute(
        select(wishes).where(wishes.c.outcome.is_(None)).order_by(wishes.c.asked_at)
    )
    return [
        Decision(row.dead_letter_id, row.decision, row.reason, row.asked_at)
        for row in rows
    ]


def give_up_wishes(
    connection: Connection, dead_letter_ids: Sequence[str], outcome: str
) -> None:
    """Note that these replays came to nothing, so that they are not tried every day."""
    connection.execute(
        update(wishes)
        .where(wishes.c.dead_letter_id.in_(dead_letter_ids))
        .values(outcome=outcome)
    )


# ------------------------------------------------------------------ carrying it out


def waive(target: Target, decisions: Sequence[Decision], fence: FenceCheck) -> int:
    """Record the decision that these dead letters are no loss; returns how many."""
    there = {letter.dead_letter_id for letter in open_dead_letters(target)}
    wanted = [each for each in decisions if each.dead_letter_id in there]
    if wanted:
        with open_raw(target, fence) as raw:
            enter_decisions(raw, None, wanted)
    return len(wanted)


def replay(
    target: Target,
    landing_dir: Path,
    decisions: Sequence[Decision],
    run_id: str,
    as_of_date: date,
    work_dir: Path,
    fence_check: FenceCheck,
) -> Replay:
    """Parse dead letters again with today's recipes; what fits now is appended.

    The answer is taken from landing, where it still is; otherwise from the dead letter,
    which knows the item but not the page around it.
    """
    wanted = {each.dead_letter_id: each for each in decisions}
    letters = [
        letter
        for letter in open_dead_letters(target)
        if letter.dead_letter_id in wanted
    ]
    if not letters:
        return Replay(None, (), (), 0)
    folder = work_dir / "replay"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        part = _land_again(target, landing_dir, folder / "landing", letters, run_id)
        parser = Parser(folder / "landing", folder)
        try:
            parsed = parser.parse([part], only=_items(letters))
            done = _replayed(parser, letters)
        finally:
            parser.close()
        still_dead = tuple(
            letter.dead_letter_id
            for letter in letters
            if letter.dead_letter_id not in done
        )
        if not done:
            return Replay(None, (), still_dead, 0)
        stage = fill_stage(target, parsed.files, stage_name(f"{run_id} replay"), folder)
        load_id = promote(
            target,
            stage,
            _promotion(parsed, run_id, as_of_date, [wanted[each] for each in done]),
            fence_check,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Replay(load_id, tuple(done), still_dead, parsed.rows)


def _promotion(
    parsed: Parsed, run_id: str, as_of_date: date, decisions: Sequence[Decision]
) -> Promotion:
    return Promotion(
        run_id=run_id,
        as_of_date=as_of_date,
        parts=(),
        part_answers={},
        answers=0,
        items=parsed.items,
        rows=parsed.rows,
        dead=parsed.dead,
        rows_by_table=parsed.rows_by_table,
        decisions=decisions,
    )


def _items(letters: Sequence[DeadLetter]) -> pa.Table:
    return pa.table(
        {
            "call_id": [letter.call_id for letter in letters],
            "table_name": pa.array([each.table_name for each in letters], pa.string()),
            "item_index": pa.array([each.item_index for each in letters], pa.int32()),
        }
    )


def _replayed(parser: Parser, letters: Sequence[DeadLetter]) -> list[str]:
    """Which letters came out: an item as its row, an answer by being read at all."""
    read = parser.read_calls()
    rows = parser.written_items()
    return [
        letter.dead_letter_id
        for letter in letters
        if (
            letter.call_id in read
            if letter.table_name is None
            else (letter.call_id, letter.table_name, letter.item_index) in rows
        )
    ]


def _land_again(
    target: Target,
    landing_dir: Path,
    folder: Path,
    letters: Sequence[DeadLetter],
    run_id: str,
) -> Part:
    """A landing part with the answers the letters are of."""
    calls = {letter.call_id for letter in letters}
    loads = ", ".join(str(each) for each in sorted({x.load_id for x in letters}))
    parts = _read(
        target,
        f"select part, bytes, answers from {SCHEMA}.load_parts"
        f" where load_id in ({loads}) order by part",
    )
    found: dict[str, Record] = {}
    for name, length, answers in parts:
        part = Part(name, run_id, letters[0].as_of_date, length, answers, True)
        if (landing_dir / name).exists():
            for record in read_part(landing_dir, part):
                # The last good answer of a call is the one its letters are of.
                if record.call_id in calls and record.is_data:
                    found[record.call_id] = record
    for letter in letters:
        if letter.call_id not in found:
            found[letter.call_id] = _answer_around(target, letter)
    with PartWriter(folder, letters[0].as_of_date, run_id) as writer:
        length = writer.append([record.to_line() for record in found.values()])
        writer.recorded(length, len(found))
    return Part(writer.part, run_id, letters[0].as_of_date, length, len(found), True)


def _answer_around(target: Target, letter: DeadLetter) -> Record:
    """What can be said of an answer whose landing file is gone."""
    ((params, context, attempt, fetched_at, run_id),) = _read(
        target,
        "select params, context, attempt, fetched_at, run_id"
        f" from {SCHEMA}.lastfm__answers"
        f" where call_id = {text_literal(letter.call_id)}"
        f" and load_id = {letter.load_id} and outcome <> 'error'",
    )
    body = letter.body
    if letter.table_name is not None:
        # "recenttracks/track/3/date/uts" is item 3 of recenttracks/track.
        recipe = next(
            each
            for each in recipes_of(letter.method)
            if each.table == letter.table_name
        )
        node: Any = orjson.Fragment(body)
        if recipe.items:
            node = [None] * letter.item_index + [node]
            for step in reversed(recipe.items.split("/")):
                node = {step: node}
        body = orjson.dumps({letter.path.partition("/")[0]: node})
    return Record(
        call_id=letter.call_id,
        run_id=run_id,
        as_of_date=letter.as_of_date,
        method=letter.method,
        params=orjson.loads(params) if params else {},
        context=orjson.loads(context) if context else None,
        attempt=attempt,
        fetched_at=fetched_at,
        status=200,
        body=body,
    )


def carry_out(
    target: Target,
    landing_dir: Path,
    decisions: Sequence[Decision],
    run_id: str,
    as_of_date: date,
    work_dir: Path,
    fence_check: FenceCheck,
) -> Replay:
    """Do what is wished: waive the waived, replay the others."""
    waive(target, [e for e in decisions if e.decision == "waived"], fence_check)
    return replay(
        target,
        landing_dir,
        [replace(e, decision="replayed") for e in decisions if e.decision != "waived"],
        run_id,
        as_of_date,
        work_dir,
        fence_check,
    )
