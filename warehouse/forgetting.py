"""Whom the warehouse forgets: who asked to be deleted, and who has been.

Owns two tables that stand beside the accounts, so that one transaction deletes an
account and asks for the rest: the open requests, and those whose deletion is done, of
whom nothing is kept but a keyed hash of the name: enough to leave a listener out whom a
setting still names. Also cleans the journal. What answers and tables hold is deleted by
who wrote them (the step ``forget`` and the load), in a run: a request stays open until
a version without the listener is published and no other is kept, so a run that dies
leaves it to the next.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from warehouse import ops
from warehouse.beside_accounts import beside_accounts
from warehouse.linked_accounts import unlink_all
from warehouse.names import name_key
from warehouse.secret_file import made_once
from warehouse.settings import Settings

#: What stands where a name stood, in what the journal says of a run.
NOBODY = "(deleted)"
SECRET = "forget.secret"
_EMBEDDED = ("ops.sqlite", "accounts.sqlite", "exchange.sqlite")

metadata = MetaData()

deletion_requests = Table(
    "deletion_requests",
    metadata,
    Column("listener_id", Text, primary_key=True),
    Column("requested_at", DateTime, nullable=False),
)

deleted_listeners = Table(
    "deleted_listeners",
    metadata,
    Column("listener_hash", String(64), primary_key=True, doc="keyed; see SECRET"),
    Column("deleted_at", DateTime, nullable=False),
)


def ask(connection: Connection, listener_id: str, now: datetime) -> None:
    """Ask that a listener be deleted, in a transaction on the accounts' tables.

    The accounts elsewhere that the listener named go with it: nobody is to ask there.
    """
    unlink_all(connection, listener_id)
    own = deletion_requests.c.listener_id == listener_id
    connection.execute(delete(deletion_requests).where(own))
    connection.execute(
        insert(deletion_requests).values(listener_id=listener_id, requested_at=now)
    )


def asked_for(settings: Settings, engine: Engine) -> tuple[str, ...]:
    """The keys of the listeners whose deletion is asked for and not done yet."""
    with beside_accounts(settings, engine, deletion_requests.name) as accounts:
        if accounts is None:
            return ()
        with accounts.begin() as connection:
            found = connection.execute(
                select(deletion_requests.c.listener_id).order_by(
                    deletion_requests.c.requested_at, deletion_requests.c.listener_id
                )
            )
            return tuple(found.scalars())


def left_out(settings: Settings, engine: Engine) -> Callable[[str], bool]:
    """A function that says of a name whether nothing of it may be fetched."""
    open_requests = frozenset(asked_for(settings, engine))
    hashes = frozenset[str]()
    with beside_accounts(settings, engine, deletion_requests.name) as accounts:
        if accounts is not None:
            with accounts.begin() as connection:
                found = connection.execute(select(deleted_listeners.c.listener_hash))
                hashes = frozenset(found.scalars())
    if not hashes:
        return lambda name: name_key(name) in open_requests
    key = _key(settings)
    return lambda name: (
        name_key(name) in open_requests or _hash(key, name_key(name)) in hashes
    )


def take_back(settings: Settings, engine: Engine, name: str) -> None:
    """A listener who was deleted has joined again, by themselves."""
    own = _hash(_key(settings), name_key(name))
    with beside_accounts(settings, engine, deletion_requests.name) as accounts:
        if accounts is not None:
            with accounts.begin() as connection:
                _drop_hashes(connection, [own])


def finish(settings: Settings, engine: Engine, listener_ids: Sequence[str]) -> None:
    """Note that nothing is left of these listeners, and make it so in the journal.

    Called when the version without them is the only one. Safe to repeat.
    """
    with engine.begin() as connection:
        _clean_journal(connection, listener_ids)
    overwrite_deleted(settings, engine)
    key = _key(settings)
    own = [_hash(key, listener_id) for listener_id in listener_ids]
    with beside_accounts(settings, engine, deletion_requests.name) as accounts:
        assert accounts is not None, "they asked there"
        with accounts.begin() as connection:
            now = ops.database_time(connection)
            _drop_hashes(connection, own)
            connection.execute(
                insert(deleted_listeners),
                [{"listener_hash": one, "deleted_at": now} for one in own],
            )
            asked = deletion_requests.c.listener_id
            connection.execute(delete(deletion_requests).where(asked.in_(listener_ids)))
    overwrite_deleted(settings, engine)


def _drop_hashes(connection: Connection, hashes: Sequence[str]) -> None:
    own = deleted_listeners.c.listener_hash.in_(hashes)
    connection.execute(delete(deleted_listeners).where(own))


def overwrite_deleted(settings: Settings, engine: Engine) -> None:
    """Give back the room of deleted rows: until then their bytes can still be read.

    Of PostgreSQL's tables those that this login may vacuum; others wait for autovacuum.
    """
    if settings.is_postgres:
        alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.connect() as connection:
            names: Sequence[str] = (
                connection.exec_driver_sql(
                    "select format('%%I.%%I', nspname, relname) from pg_class"
                    " inner join pg_namespace on pg_namespace.oid = relnamespace"
                    # A partitioned table has statistics of all its months, too.
                    " where relkind in ('r', 'p') and not relispartition"
                    " and nspname !~ '^(pg_|information_schema$)'"
                )
                .scalars()
                .all()
            )
            for name in names:
                # What was noted of a table's values stays when its last row goes.
                is_kept = not name.endswith(f".{deletion_requests.name}")
                connection.exec_driver_sql(
                    f"vacuum (analyze {is_kept}, skip_locked) {name}"
                )
        return
    for file_name in _EMBEDDED:
        path = settings.data_dir / file_name
        if path.exists():
            with closing(sqlite3.connect(path, timeout=60)) as file:
                file.execute("vacuum")
                file.execute("pragma wal_checkpoint(truncate)")


def without(text: str, listener_ids: Collection[str]) -> str:
    """A text of the journal without these names; of JSON only values change."""
    try:
        found = json.loads(text)
    except ValueError:
        return _words_without(text, listener_ids)
    return json.dumps(_value_without(found, listener_ids))


def _value_without(value: Any, listener_ids: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _value_without(of, listener_ids) for name, of in value.items()}
    if isinstance(value, list):
        return [_value_without(one, listener_ids) for one in value]
    return _words_without(value, listener_ids) if isinstance(value, str) else value


def _words_without(text: str, listener_ids: Collection[str]) -> str:
    for listener_id in listener_ids:
        word = rf"(?<![\w-]){re.escape(listener_id)}(?![\w-])"
        text = re.sub(word, NOBODY, text, flags=re.IGNORECASE)
    return text


def _clean_journal(connection: Connection, listener_ids: Collection[str]) -> None:
    """Take the names out of what runs said of themselves."""
    steps, runs = ops.run_steps, ops.runs
    said: Sequence[Any] = connection.execute(
        select(steps.c.run_id, steps.c.step, steps.c.detail).where(
            steps.c.detail.is_not(None)
        )
    ).all()
    for run_id, step, detail in said:
        if (cleaned := without(detail, listener_ids)) != detail:
            connection.execute(
                update(steps)
                .where(steps.c.run_id == run_id, steps.c.step == step)
                .values(detail=cleaned)
            )
    errors: Sequence[Any] = connection.execute(
        select(runs.c.run_id, runs.c.error).where(runs.c.error.is_not(None))
    ).all()
    for run_id, error in errors:
        connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id)
            .values(error=_words_without(error, listener_ids))
        )


def _key(settings: Settings) -> bytes:
    return made_once(settings.data_dir / SECRET).encode()


def _hash(key: bytes, listener_id: str) -> str:
    return hmac.new(key, listener_id.encode(), hashlib.sha256).hexdigest()
