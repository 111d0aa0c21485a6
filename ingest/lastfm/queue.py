"""The durable work queue of the fetch: what to ask for a day, and what became of it.

Owns the tables of the fetch in the ops database and their transactions. Must not speak
to last.fm and must not decide what is asked (``plan`` does).

A call's identity is a hash of its day, method, parameters and context, so planning the
same thing twice changes nothing. One transaction a batch records the new length of the
landing part, the calls that are final, the calls that follow from them, and what was
learned about listeners and artists: a killed fetch goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from ingest import landing
from ingest.lastfm.completeness import NOT_FOUND, CallState, doubted
from ingest.lastfm.plan import (
    NOTED,
    Call,
    ListenerState,
    Mode,
)
from warehouse import ops
from warehouse.errors import LeaseLost
from warehouse.names import name_key

metadata = MetaData()

fetch_days = Table(
    "fetch_days",
    metadata,
    Column("as_of_date", Date, primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("walk_to", BigInteger, nullable=False, doc="frozen end of scrobble walks"),
    Column("phase", Integer, nullable=False, doc="phases planned so far, 0 to 2"),
    Column("finished_at", DateTime),
)

fetch_calls = Table(
    "fetch_calls",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("as_of_date", Date, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("method", String(64), nullable=False),
    Column("params", Text, nullable=False),
    Column("context", Text),
    Column("entity", Text, doc="whom the call asks about, as plan.entity says"),
    Column(
        "state",
        String(16),
        nullable=False,
        doc="pending, done, skipped, failed, superseded",
    ),
    Column("attempts", Integer, nullable=False),
    Column("error_code", Integer),
    Column("error", Text),
    Column("part", Text, doc="landing part that holds the final answer"),
    Column("walk_id", Text),
    Column("total", BigInteger, doc="the total a page of a walk answered"),
    Index("fetch_calls_by_day", "as_of_date", "state", "seq"),
    Index("fetch_calls_by_walk", "walk_id"),
)

fetch_listeners = Table(
    "fetch_listeners",
    metadata,
    Column("listener_id", Text, primary_key=True),
    Column("listener_name", Text, nullable=False),
    Column("watermark_uts", BigInteger, doc="every scrobble until then is landed"),
    Column("is_history_complete", Boolean, nullable=False),
    Column("counted_uts", BigInteger, doc="last.fm's count was taken as of then"),
    Column("counted_scrobbles", BigInteger),
    Column("is_private", Boolean, nullable=False),
    Column("private_since", Date),
    Column("last_walk_id", Text),
    Column("full_walk_date", Date, doc="when the whole history was walked last"),
)

fetch_panel = Table(
    "fetch_panel",
    metadata,
    Column("listener_id", Text, primary_key=True),
    Column("listener_name", Text, nullable=False),
    Column("added_at", DateTime, nullable=False),
)

fetch_artists = Table(
    "fetch_artists",
    metadata,
    Column("artist_key", Text, primary_key=True),
    Column("artist_name", Text, nullable=False),
    Column("tracked_since", Date, nullable=False),
)

fetch_known = Table(
    "fetch_known",
    metadata,
    Column("method", String(64), primary_key=True),
    Column("params", Text, primary_key=True),
    Column("as_of_date", Date, nullable=False, doc="the day it was answered last"),
)

fetch_limits = Table(
    "fetch_limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_slot", Float, nullable=False, doc="database clock, seconds"),
    Column("blocked_until", Float, nullable=False),
    Column("slowed_at", Float, nullable=False),
    Column("factor", Float, nullable=False, doc="of the rate, 1 when all is well"),
)

# Keys that rarely change are asked again after a while only; see plan.REMEMBERED.
_ID_BYTES = 16


@dataclass(slots=True)
class QueuedCall:
    """A call of the queue with what happened to it so far."""

    call_id: str
    seq: int
    call: Call
    attempts: int
    tries: int = 0  # of this process
    is_closed: bool = False  # skipped or superseded while on its way


@dataclass(frozen=True, slots=True)
class Ending:
    """What a landed answer means for its call."""

    call_id: str
    state: str
    attempts: int
    error_code: int | None = None
    error: str | None = None
    total: int | None = None


@dataclass
class Batch:
    """Everything one transaction records."""

    answers: int = 0
    endings: dict[str, Ending] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)  # walk ids
    skipped: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """entity -> why, and the error's code"""
    left_out: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """method -> why, and the error's code"""
    private: dict[str, bool] = field(default_factory=dict)  # listener -> is private
    known: list[Call] = field(default_factory=list)
    walks: dict[str, Call] = field(default_factory=dict)  # walks to look at


@dataclass(frozen=True)
class Day:
    """The fetch's state for one day."""

    as_of: date
    mode: Mode
    walk_to: int
    phase: int
    is_finished: bool


def canonical(value: Mapping[str, Any]) -> str:
    """One text for equal mappings."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def call_id(as_of: date, call: Call) -> str:
    """The call's identity: 32 hex digits."""
    text = orjson.dumps(
        [as_of, call.method, call.params, call.context], option=orjson.OPT_SORT_KEYS
    )
    return hashlib.blake2b(text, digest_size=_ID_BYTES).hexdigest()


class Queue:
    """The queue in the ops database. One process at a time works on a day."""

    def __init__(self, engine: Engine, landing_root: Path) -> None:
        self.engine = engine
        self.root = landing_root
        ops.ensure_tables(engine, metadata)
        ops.ensure_tables(engine, landing.metadata)

    # Days ------------------------------------------------------------------------

    def open_day(
        self, as_of: date, mode: Mode, walk_to: int, loaded: Collection[str] = ()
    ) -> Day:
        """Enter the day, or take it up where a killed fetch left it.

        Parts are cut to their recorded length; calls whose part this machine lacks
        (unless `loaded` names it or retention removed it) and calls that failed become
        pending again; so does what last.fm said not to know, where that is too much to
        believe. A list that is asked again lets the second phase be planned again.
        """
        self.doubt(as_of, self.states(as_of))
        with self.engine.begin() as connection:
            parts = landing.list_parts(connection, as_of)
            there, lost = landing.repair(self.root, parts)
            lost = [part for part in lost if part.part not in loaded]
            for part in there:
                landing.finish_part(connection, part.part)
            for part in lost:
                connection.execute(
                    update(fetch_calls)
                    .where(fetch_calls.c.part == part.part)
                    .values(state="pending", part=None, total=None)
                )
                connection.execute(
                    delete(landing.landing_parts).where(
                        landing.landing_parts.c.part == part.part
                    )
                )
            recorded = {part.part for part in parts}
            connection.execute(
                update(fetch_calls)
                .where(
                    fetch_calls.c.as_of_date == as_of, fetch_calls.c.state == "failed"
                )
                .values(state="pending", error_code=None, error=None)
            )
            row = connection.execute(
                select(fetch_days).where(fetch_days.c.as_of_date == as_of)
            ).first()
            if row is None:
                day = Day(as_of, mode, walk_to, 0, False)
                connection.execute(
                    insert(fetch_days).values(
                        as_of_date=as_of, mode=mode, walk_to=walk_to, phase=0
                    )
                )
            elif row.mode == "snapshot" and mode == "full":
                day = Day(as_of, "full", row.walk_to, 0, False)
                connection.execute(
                    update(fetch_days)
                    .where(fetch_days.c.as_of_date == as_of)
                    .values(mode="full", phase=0, finished_at=None)
                )
            else:
                day = self._taken_up(connection, row)
        landing.sweep(self.root, as_of, recorded)
        return day

    @staticmethod
    def _taken_up(connection: Connection, row: Any) -> Day:
        """A day that was begun. A list that is asked again is a part of phase one."""
        pending = set[str](
            connection.execute(
                select(fetch_calls.c.method)
                .where(
                    fetch_calls.c.as_of_date == row.as_of_date,
                    fetch_calls.c.state == "pending",
                )
                .distinct()
            ).scalars()
        )
        phase = min(row.phase, 1) if pending & NOTED else row.phase
        if phase < row.phase:
            connection.execute(
                update(fetch_days)
                .where(fetch_days.c.as_of_date == row.as_of_date)
                .values(phase=phase)
            )
        is_finished = row.finished_at is not None and not pending
        return Day(row.as_of_date, row.mode, row.walk_to, phase, is_finished)

    def plan(
        self, day: Day, phase: int, calls: Sequence[Call], artists: Iterable[str] = ()
    ) -> Day:
        """Enter the calls of a phase and the artists that are tracked from now on."""
        with self.engine.begin() as connection:
            self._insert_calls(connection, day.as_of, calls)
            self._track(connection, day.as_of, artists)
            connection.execute(
                update(fetch_days)
                .where(fetch_days.c.as_of_date == day.as_of)
                .values(phase=phase, finished_at=None)
            )
        return Day(day.as_of, day.mode, day.walk_to, phase, False)

    def doubt(self, as_of: date, states: Iterable[CallState]) -> None:
        """Let a later run ask again what last.fm knew nothing of, beyond belief.

        It is neither taken for this day's answer nor remembered for the days to come.
        """
        calls = fetch_calls.c
        methods = doubted(states)
        if not methods:
            return
        unknown = (
            (calls.as_of_date == as_of)
            & calls.method.in_(methods)
            & (calls.state == "skipped")
            & (calls.error_code == NOT_FOUND)
        )
        remembered = tuple_(fetch_known.c.method, fetch_known.c.params)
        with self.engine.begin() as connection:
            connection.execute(
                delete(fetch_known).where(
                    fetch_known.c.as_of_date == as_of,
                    remembered.in_(select(calls.method, calls.params).where(unknown)),
                )
            )
            connection.execute(
                update(fetch_calls)
                .where(unknown)
                .values(state="pending", part=None, error_code=None, error=None)
            )

    def finish_day(self, as_of: date, part: str | None) -> None:
        """Everything of the day is answered, or was given up."""
        with self.engine.begin() as connection:
            if part is not None:
                landing.finish_part(connection, part)
            connection.execute(
                update(fetch_days)
                .where(fetch_days.c.as_of_date == as_of)
                .values(finished_at=ops.utcnow())
            )

    def close_part(self, part: str) -> None:
        """Nothing more will be written to this part."""
        with self.engine.begin() as connection:
            landing.finish_part(connection, part)

    def prune(self, before: date) -> int:
        """Forget the calls of finished days before `before`; return how many."""
        finished = select(fetch_days.c.as_of_date).where(
            fetch_days.c.as_of_date < before, fetch_days.c.finished_at.is_not(None)
        )
        with self.engine.begin() as connection:
            gone = connection.execute(
                delete(fetch_calls).where(fetch_calls.c.as_of_date.in_(finished))
            ).rowcount
            connection.execute(
                delete(fetch_known).where(
                    fetch_known.c.as_of_date < before - timedelta(days=365)
                )
            )
        return gone

    def join_panel(self, name: str) -> None:
        """Follow this listener from now on, beside those the settings name."""
        with self.engine.begin() as connection:
            connection.execute(
                insert_new(connection, fetch_panel),
                {
                    "listener_id": name_key(name),
                    "listener_name": name,
                    "added_at": ops.utcnow(),
                },
            )

    def panel(self) -> tuple[str, ...]:
        """The listeners who joined by themselves, in the order in which they did."""
        with self.engine.connect() as connection:
            return tuple(
                connection.execute(
                    select(fetch_panel.c.listener_name).order_by(
                        fetch_panel.c.added_at, fetch_panel.c.listener_id
                    )
                ).scalars()
            )

    # Reading ---------------------------------------------------------------------

    def pending(self, as_of: date, after: int, limit: int) -> list[QueuedCall]:
        """Pending calls with a sequence number past `after`, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(fetch_calls)
                .where(
                    fetch_calls.c.as_of_date == as_of,
                    fetch_calls.c.state == "pending",
                    fetch_calls.c.seq > after,
                )
                .order_by(fetch_calls.c.seq)
                .limit(limit)
            ).all()
        return [
            QueuedCall(
                row.call_id,
                row.seq,
                Call(
                    row.method,
                    json.loads(row.params),
                    json.loads(row.context) if row.context else None,
                ),
                row.attempts,
            )
            for row in rows
        ]

    def counts(self, as_of: date) -> dict[str, int]:
        """The day's calls by state."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(fetch_calls.c.state, func.count())
                .where(fetch_calls.c.as_of_date == as_of)
                .group_by(fetch_calls.c.state)
            )
            return {str(row[0]): int(row[1]) for row in rows}

    def states(self, as_of: date) -> list[CallState]:
        """How the day's calls ended, alike ones counted; lists of one method apart."""
        calls = fetch_calls.c
        params = case(
            (calls.method.like("geo.%"), calls.params),
            (calls.method.like("tag.%"), calls.params),
            else_="{}",
        )
        alike = (calls.method, params, calls.state, calls.error_code)
        with self.engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(
                select(*alike, func.count())
                .where(calls.as_of_date == as_of)
                .group_by(*alike)
            ).all()
        return [CallState(*row) for row in rows]

    def listeners(self) -> dict[str, ListenerState]:
        """What is known of each listener, by case-folded name."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(fetch_listeners)).all()
        return {
            row.listener_id: ListenerState(
                name=row.listener_name,
                watermark_uts=row.watermark_uts,
                is_history_complete=row.is_history_complete,
                counted_uts=row.counted_uts,
                counted_scrobbles=row.counted_scrobbles,
                is_private=row.is_private,
                private_since=row.private_since,
                full_walk_date=row.full_walk_date,
            )
            for row in rows
        }

    def tracked_artists(self) -> dict[str, str]:
        """Key to name of every tracked artist, in the order they came."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(fetch_artists).order_by(
                    fetch_artists.c.tracked_since, fetch_artists.c.artist_key
                )
            )
            return {row.artist_key: row.artist_name for row in rows}

    def known(self) -> dict[tuple[str, str], date]:
        """When each remembered (method, canonical params) was answered last."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(fetch_known))
            return {(row.method, row.params): row.as_of_date for row in rows}

    # Writing ---------------------------------------------------------------------

    def record(
        self, connection: Connection, as_of: date, batch: Batch, part: str | None
    ) -> list[str]:
        """Record a batch in the caller's transaction; return the walks now complete.

        Raises:
            LeaseLost: another process has recorded some of these calls.
        """
        self._end_calls(connection, list(batch.endings.values()), part)
        if batch.superseded:
            connection.execute(
                update(fetch_calls)
                .where(
                    fetch_calls.c.walk_id.in_(batch.superseded),
                    fetch_calls.c.state == "pending",
                )
                .values(state="superseded")
            )
        closed = [
            *(("skipped", fetch_calls.c.entity, *one) for one in batch.skipped.items()),
            *(("failed", fetch_calls.c.method, *one) for one in batch.left_out.items()),
        ]
        for state, column, value, (why, code) in closed:
            connection.execute(
                update(fetch_calls)
                .where(
                    fetch_calls.c.as_of_date == as_of,
                    column == value,
                    fetch_calls.c.state == "pending",
                )
                .values(state=state, error=why, error_code=code)
            )
        self._insert_calls(connection, as_of, batch.calls)
        for name, is_private in batch.private.items():
            self._put_listener(
                connection,
                name,
                is_private=is_private,
                private_since=as_of if is_private else None,
            )
        if batch.known:
            self._remember(connection, as_of, batch.known)
        return [
            walk_id
            for walk_id, call in batch.walks.items()
            if self._complete_walk(connection, as_of, walk_id, call)
        ]

    @staticmethod
    def _end_calls(
        connection: Connection, endings: Sequence[Ending], part: str | None
    ) -> None:
        if not endings:
            return
        ended = connection.execute(
            update(fetch_calls)
            .where(
                fetch_calls.c.call_id == bindparam("b_call_id"),
                fetch_calls.c.state == "pending",
            )
            .values(
                state=bindparam("b_state"),
                attempts=bindparam("b_attempts"),
                error_code=bindparam("b_error_code"),
                error=bindparam("b_error"),
                total=bindparam("b_total"),
                part=bindparam("b_part"),
            ),
            [
                {
                    "b_call_id": ending.call_id,
                    "b_state": ending.state,
                    "b_attempts": ending.attempts,
                    "b_error_code": ending.error_code,
                    "b_error": ending.error,
                    "b_total": ending.total,
                    "b_part": part if ending.state in ("done", "skipped") else None,
                }
                for ending in endings
            ],
        )
        if ended.rowcount != len(endings):
            raise LeaseLost(
                "another fetch has answered some of the same calls; this one stops"
                " and records nothing more"
            )

    def _insert_calls(
        self, connection: Connection, as_of: date, calls: Iterable[Call]
    ) -> None:
        last = last_number(connection, as_of)
        rows: dict[str, dict[str, Any]] = {}
        for call in calls:
            identity = call_id(as_of, call)
            if identity in rows:
                continue
            last += 1
            rows[identity] = {
                "call_id": identity,
                "as_of_date": as_of,
                "seq": last,
                "method": call.method,
                "params": canonical(call.params),
                "context": canonical(call.context) if call.context else None,
                "entity": call.entity,
                "state": "pending",
                "attempts": 0,
                "walk_id": call.walk_id,
            }
        if rows:
            connection.execute(insert_new(connection, fetch_calls), list(rows.values()))

    @staticmethod
    def _track(connection: Connection, as_of: date, names: Iterable[str]) -> None:
        rows = {
            name_key(name): {
                "artist_key": name_key(name),
                "artist_name": name,
                "tracked_since": as_of,
            }
            for name in names
        }
        if rows:
            connection.execute(
                insert_new(connection, fetch_artists), list(rows.values())
            )

    @staticmethod
    def _remember(connection: Connection, as_of: date, calls: Iterable[Call]) -> None:
        rows = {
            (call.method, canonical(call.params)): {
                "method": call.method,
                "params": canonical(call.params),
                "as_of_date": as_of,
            }
            for call in calls
        }
        statement: Any = _insert(connection, fetch_known)
        newest = statement.excluded.as_of_date
        statement = statement.on_conflict_do_update(
            index_elements=[fetch_known.c.method, fetch_known.c.params],
            set_={
                "as_of_date": case(
                    (newest > fetch_known.c.as_of_date, newest),
                    else_=fetch_known.c.as_of_date,
                )
            },
        )
        connection.execute(statement, list(rows.values()))

    @staticmethod
    def _put_listener(connection: Connection, name: str, **values: Any) -> None:
        row = {
            "listener_id": name_key(name),
            "listener_name": name,
            "is_history_complete": False,
            "is_private": False,
        }
        statement: Any = _insert(connection, fetch_listeners).values({**row, **values})
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[fetch_listeners.c.listener_id], set_=values
            )
        )

    def _complete_walk(
        self, connection: Connection, as_of: date, walk_id: str, call: Call
    ) -> bool:
        """Move the listener's watermark when every page answered the same total."""
        assert call.context is not None
        context = call.context
        found = connection.execute(
            select(
                func.count(),
                func.min(fetch_calls.c.total),
                func.max(fetch_calls.c.total),
            ).where(
                and_(fetch_calls.c.walk_id == walk_id, fetch_calls.c.state == "done")
            )
        ).one()
        pages, lowest, highest = found
        if pages != context["pages"] or not lowest == highest == context["total"]:
            return False
        name = call.params["user"]
        values: dict[str, Any] = {"last_walk_id": walk_id}
        if context["walk_from"] == 0:
            values["full_walk_date"] = as_of
        known = connection.execute(
            select(fetch_listeners.c.watermark_uts).where(
                fetch_listeners.c.listener_id == name_key(name)
            )
        ).scalar()
        # A past day fetched late must not take a newer watermark back.
        if known is None or known < context["walk_to"]:
            values |= {
                "watermark_uts": context["walk_to"],
                "counted_uts": context["walk_to"],
                "counted_scrobbles": context["history_total"],
            }
        self._put_listener(connection, name, is_history_complete=True, **values)
        return True


def finished_days(engine: Engine) -> list[date]:
    """The days whose fetch came to its end, oldest first."""
    ops.ensure_tables(engine, metadata)
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(fetch_days.c.as_of_date)
                .where(fetch_days.c.finished_at.is_not(None))
                .order_by(fetch_days.c.as_of_date)
            ).scalars()
        )


def now_uts() -> int:
    """The time now, in seconds since 1970."""
    return int(datetime.now(UTC).timestamp())


def _insert(connection: Connection, table: Table) -> Insert:
    """An insert of the connected database's own kind, which knows conflicts."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def last_number(connection: Connection, as_of: date) -> int:
    """The largest number of the day's calls; 0 where there are none.

    A fetch reads on from the number it read last, so each call has one of its own.
    """
    last: int = connection.execute(
        select(func.coalesce(func.max(fetch_calls.c.seq), 0)).where(
            fetch_calls.c.as_of_date == as_of
        )
    ).scalar_one()
    return last


def insert_new(connection: Connection, table: Table) -> Insert:
    """An insert that passes over rows that are there."""
    statement: Any = _insert(connection, table)
    new: Insert = statement.on_conflict_do_nothing()
    return new
