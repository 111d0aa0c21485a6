"""Everything the books hold of one player, table by table, for the player alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, select

from exchange import ledger, schema

#: The column of each table that says whose a row is.
_OWNERS = {"friend_leagues": "owner_id"}
_PLAYER = "player_id"


def tables(
    connection: Connection, player_id: str
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name of each table and the player's rows in it, as they are read."""
    for table in schema.metadata.sorted_tables:
        owner = _OWNERS.get(table.name, _PLAYER)
        if owner in table.c:
            yield table.name, _rows(connection, table, owner, player_id)
    account = schema.postings.c.account
    posted = select(schema.postings).where(account == ledger.player_account(player_id))
    yield "postings", _streamed(connection, posted)


def _rows(
    connection: Connection, table: Table, owner: str, player_id: str
) -> Iterator[dict[str, Any]]:
    own = select(table).where(table.c[owner] == player_id)
    return _streamed(connection, own.order_by(*table.primary_key.columns))


def _streamed(connection: Connection, query: Any) -> Iterator[dict[str, Any]]:
    found = connection.execute(query, execution_options={"yield_per": 1000})
    for row in found.mappings():
        yield dict(row)
