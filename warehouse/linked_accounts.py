"""Accounts elsewhere that listeners named themselves, such as one at ListenBrainz.

Owns the table, which stands beside the accounts of the read service: there a listener
names an account or takes it back, and every daily run asks who is named. Whether such
an account exists is found out when it is asked; what it gives is public there.
"""

from __future__ import annotations

from datetime import datetime

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
)

from warehouse.beside_accounts import beside_accounts
from warehouse.settings import Settings

metadata = MetaData()

linked_accounts = Table(
    "linked_accounts",
    metadata,
    Column("listener_id", Text, primary_key=True),
    Column("provider", String(32), primary_key=True),
    Column("listener_name", Text, nullable=False),
    Column("account", Text, nullable=False, doc="its name there"),
    Column("linked_at", DateTime, nullable=False),
)


def link(
    connection: Connection,
    listener: tuple[str, str],
    provider: str,
    account: str | None,
    now: datetime,
) -> None:
    """Name a listener's account, in place of the one before; None takes it back.

    Args:
        connection: in a transaction on the accounts' tables.
        listener: the key and the name.
    """
    key, name = listener
    own = linked_accounts.c
    connection.execute(
        delete(linked_accounts).where(own.listener_id == key, own.provider == provider)
    )
    if account is not None:
        connection.execute(
            insert(linked_accounts).values(
                listener_id=key,
                provider=provider,
                listener_name=name,
                account=account,
                linked_at=now,
            )
        )


def unlink_all(connection: Connection, listener_id: str) -> None:
    """Take back all that a listener named, in a transaction on those tables."""
    own = linked_accounts.c.listener_id == listener_id
    connection.execute(delete(linked_accounts).where(own))


def named(settings: Settings, engine: Engine, provider: str) -> list[tuple[str, str]]:
    """Listener's name and account of everybody who named one, in order of time."""
    with beside_accounts(settings, engine, linked_accounts.name) as accounts:
        if accounts is None:
            return []
        columns = linked_accounts.c
        with accounts.begin() as connection:
            found = connection.execute(
                select(columns.listener_name, columns.account)
                .where(columns.provider == provider)
                .order_by(columns.linked_at, columns.listener_id)
            )
            return [(row[0], row[1]) for row in found]
