"""Walks over the histories of ListenBrainz accounts, page by page, newest first.

Owns where each account's walk stands and the landing of its pages. A page is landed and
the walk moved on in one transaction, under the lease: a kill loses the page under way,
and what is landed is not asked again. Must not know how a question is asked or a row is
made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, date
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
)

from ingest import landing
from ingest.exports.plays import CLOCK_SKEW_SECONDS
from ingest.landing import PartWriter, Record
from ingest.listenbrainz.client import PAGE_LISTENS, AccountLeftOut, Client, Listens
from ingest.listenbrainz.recipe import METHOD
from warehouse import ops
from warehouse.names import name_key

# Players that were offline hand their listens in late.
OVERLAP_SECONDS = 2 * 86_400
# What is older is seen when the whole history is asked for again.
FULL_WALK_DAYS = 90

metadata = MetaData()

walks = Table(
    "listenbrainz_walks",
    metadata,
    Column("listener_id", Text, primary_key=True),
    Column("account", Text, primary_key=True, doc="in small letters"),
    Column("began_on", Date, nullable=False, doc="the day of the walk"),
    Column("page", Integer, nullable=False, doc="how many of it are landed"),
    Column(
        "floor_uts", BigInteger, nullable=False, doc="where it ends; 0: at the first"
    ),
    Column("next_uts", BigInteger, doc="the next page's max_ts; null: it is over"),
    Column("newest_uts", BigInteger, nullable=False, doc="of the listens it has seen"),
    Column("full_on", Date, doc="when the whole history was last begun and ended"),
)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where an account's walk stands; the columns of the table."""

    listener_id: str
    account: str
    began_on: date
    page: int = 0
    floor_uts: int = 0
    next_uts: int | None = None
    newest_uts: int = 0
    full_on: date | None = None

    @property
    def is_over(self) -> bool:
        return self.page > 0 and self.next_uts is None


@dataclass(frozen=True)
class Walked:
    """What one run did of an account's walk."""

    pages: int
    listens: int


def walk(
    client: Client,
    engine: Engine,
    landing_root: Path,
    listener: str,
    account: str,
    *,
    run_id: str,
    as_of: date,
    check: Callable[[Connection], None],
) -> Walked:
    """Land what is new of an account for a listener, or go on where a run was killed.

    Args:
        as_of: the day the pages land under; an account is walked once a day.
        check: raises when the run may no longer write (``Lease.check``).

    Raises:
        AccountLeftOut, ServerGivenUp: what is landed stays, the next run goes on.
        LeaseLost: another run works on this.
        DiskFull: no room.
    """
    ops.ensure_tables(engine, metadata)
    ops.ensure_tables(engine, landing.metadata)
    with engine.begin() as connection:
        state = _state(connection, name_key(listener), account.casefold())
    now = _begun(state, name_key(listener), account.casefold(), as_of)
    pages = seen = 0
    while not now.is_over:
        params = {"count": PAGE_LISTENS}
        if now.next_uts is not None:
            params["max_ts"] = now.next_uts
        page = client.listens(account, params)
        now = _after(now, page)
        _land(engine, landing_root, run_id, as_of, listener, now, params, page, check)
        pages, seen = pages + 1, seen + len(page.times)
        # A walk of an earlier day knows nothing of what was heard since it began.
        now = _begun(now, now.listener_id, now.account, as_of)
    return Walked(pages, seen)


def _begun(state: Walk | None, listener_id: str, account: str, as_of: date) -> Walk:
    """The walk to go on with: one that was not ended, or a new day's."""
    if state is None:
        return Walk(listener_id, account, as_of)
    if not state.is_over or state.began_on >= as_of:
        return state
    is_full = state.full_on is None or (as_of - state.full_on).days >= FULL_WALK_DAYS
    floor = 0 if is_full else max(0, state.newest_uts - OVERLAP_SECONDS)
    return replace(state, began_on=as_of, page=0, floor_uts=floor, next_uts=None)


def _after(now: Walk, page: Listens) -> Walk:
    """The walk once this page is landed.

    A page ends in the middle of a second where several listens share it, so the next
    one begins with that second again; where a page holds a single second, behind it.

    Raises:
        AccountLeftOut: the answer is not of the time that was asked for.
    """
    # What a wrong clock wrote must not become the place where later walks end.
    latest = int(page.fetched_at.replace(tzinfo=UTC).timestamp()) + CLOCK_SKEW_SECONDS
    next_uts: int | None = None
    if page.times:
        last = min(page.times)
        next_uts = last + 1
        if now.next_uts is not None and last >= now.next_uts:
            raise AccountLeftOut("its pages do not go back in time")
        if next_uts == now.next_uts:
            next_uts = last
        is_first = page.oldest is not None and last <= page.oldest
        if last < now.floor_uts or (is_first and len(page.times) < PAGE_LISTENS):
            next_uts = None
    is_full = next_uts is None and now.floor_uts == 0
    return replace(
        now,
        page=now.page + 1,
        next_uts=next_uts,
        newest_uts=max([now.newest_uts, *(at for at in page.times if at <= latest)]),
        full_on=now.began_on if is_full else now.full_on,
    )


def _land(
    engine: Engine,
    root: Path,
    run_id: str,
    as_of: date,
    listener: str,
    now: Walk,
    params: dict[str, int],
    page: Listens,
    check: Callable[[Connection], None],
) -> None:
    """Write the page as one part; it counts with the walk that has it behind."""
    name = f"{METHOD} {now.listener_id} {now.account} {now.began_on} {now.page}"
    record = Record(
        call_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        run_id=run_id,
        as_of_date=as_of,
        method=METHOD,
        params={
            "user": listener,
            "account": now.account,
            **{key: str(value) for key, value in params.items()},
        },
        fetched_at=page.fetched_at,
        body=page.body,
    )
    with PartWriter(root, as_of, run_id) as writer:
        length = writer.append([record.to_line()])
        with engine.begin() as connection:
            check(connection)
            landing.enter_part(connection, writer, length, 1)
            landing.finish_part(connection, writer.part)
            _put(connection, now)
        writer.recorded(length, 1)


def _state(connection: Connection, listener_id: str, account: str) -> Walk | None:
    row = connection.execute(
        select(walks).where(
            walks.c.listener_id == listener_id, walks.c.account == account
        )
    ).one_or_none()
    return None if row is None else Walk(**row._mapping)


def _put(connection: Connection, now: Walk) -> None:
    connection.execute(
        delete(walks).where(
            walks.c.listener_id == now.listener_id, walks.c.account == now.account
        )
    )
    connection.execute(
        insert(walks).values(
            {column.name: getattr(now, column.name) for column in walks.c}
        )
    )


def forget(connection: Connection, keys: Collection[str]) -> int:
    """Delete where the listeners' walks stand; returns how many."""
    return connection.execute(
        delete(walks).where(walks.c.listener_id.in_(keys))
    ).rowcount
