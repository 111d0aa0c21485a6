"""What was bought "now" since the last close bears that day's fall, and has no rise.

Live counters show today what the close will publish. So the basis of such shares goes
down by what the price goes up, and a sale pays no more than its basis.
"""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, update

from exchange import ledger, schema
from exchange.clock import new_id
from exchange.settlement.contract import Close

_held = schema.holdings.c
_listed = schema.listings.c


def take_rises(
    connection: Connection, close: Close, moves: Mapping[str, tuple[int, int]]
) -> None:
    """B ← B·min(1, F_old/F_new) for the basis bought since the last close.

    Args:
        moves: fundamental price before and after, of each artist that got a new one;
            what was bought of the others waits for theirs.
    """
    changes, taken = [], defaultdict[str, int](int)
    entry = ledger.Entry(new_id(close.now), "first_close", close.session, close.now)
    for row in connection.execute(
        select(schema.holdings)
        .where(_held.session_basis_nanos > 0)
        .order_by(_held.artist_id, _held.player_id)
    ):
        if row.artist_id not in moves:
            continue
        before, after = moves[row.artist_id]
        fresh = row.session_basis_nanos
        lost = fresh - fresh * before // max(before, after)
        entry.move(
            ledger.basis_asset(row.artist_id),
            ledger.player_account(row.player_id),
            ledger.house_account(row.artist_id),
            lost,
        )
        taken[row.artist_id] += lost
        changes.append({"who": row.player_id, "which": row.artist_id, "lost": lost})
    if changes:
        connection.execute(_settle_holding, changes)
    if entry.postings:
        ledger.record(connection, entry)
        connection.execute(
            _settle_listing,
            [{"which": key, "lost": lost} for key, lost in taken.items()],
        )


_settle_holding = (
    update(schema.holdings)
    .where(_held.player_id == bindparam("who"), _held.artist_id == bindparam("which"))
    .values(basis_nanos=_held.basis_nanos - bindparam("lost"), session_basis_nanos=0)
)
_settle_listing = (
    update(schema.listings)
    .where(_listed.artist_id == bindparam("which"))
    .values(basis_nanos=_listed.basis_nanos - bindparam("lost"))
)
