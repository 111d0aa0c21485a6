"""Revision 0004's change of the books: the basis of what is held, posted.

A change is a new revision, not an edit here.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, text

from exchange.clock import new_id

_NANOS = 1_000_000_000
_HELD = """
    select h.player_id, h.artist_id, h.shares, h.close_shares,
        l.fundamental_price_units as price,
        coalesce(sum(t.shares), 0) as bought, coalesce(sum(t.value_units), 0) as paid
    from {s}holdings h
    join {s}listings l on l.artist_id = h.artist_id
    cross join {s}market m
    left join {s}trades t on t.player_id = h.player_id and t.artist_id = h.artist_id
        and t.session = m.session and t.side = 'buy'
    where h.shares > 0
    group by h.player_id, h.artist_id, h.shares, h.close_shares,
        l.fundamental_price_units
    order by h.artist_id, h.player_id
"""


def give_basis(connection: Connection, prefix: str) -> None:
    """Post every holding's basis, keep the sums, and cancel the orders that wait."""

    def run(sql: str, rows: list[dict[str, object]]) -> None:
        if rows:
            connection.execute(text(sql.format(s=prefix)), rows)

    now = datetime.now(UTC).replace(tzinfo=None)
    holdings: list[dict[str, object]] = []
    totals: dict[str, int] = {}
    for row in connection.execute(text(_HELD.format(s=prefix))):
        basis = min(row.shares, row.close_shares) * _NANOS
        fresh = 0
        new = max(0, row.shares - row.close_shares)
        if new and row.bought:
            fresh = new * int(row.paid) * _NANOS // (int(row.bought) * row.price)
        holdings.append(
            {
                "player": row.player_id,
                "artist": row.artist_id,
                "basis": basis + fresh,
                "fresh": fresh,
            }
        )
        totals[row.artist_id] = totals.get(row.artist_id, 0) + basis + fresh
    run(
        "update {s}holdings set basis_nanos = :basis, session_basis_nanos = :fresh"
        " where player_id = :player and artist_id = :artist",
        holdings,
    )
    run(
        "update {s}listings set basis_nanos = :basis where artist_id = :artist",
        [{"artist": key, "basis": basis} for key, basis in totals.items()],
    )
    lines = [
        (account, one["artist"], sign * one["basis"])  # type: ignore[operator]
        for one in holdings
        if one["basis"]
        for account, sign in (
            (f"player:{one['player']}", 1),
            (f"house:{one['artist']}", -1),
        )
    ]
    if lines:
        _post(connection, prefix, now, lines)
    connection.execute(
        text(
            f"update {prefix}orders set state = 'cancelled', ended_at = :now,"
            " reason = 'orders now set aside what they need: place it again'"
            " where state = 'queued'"
        ).bindparams(bindparam("now", now))
    )


def _post(
    connection: Connection,
    prefix: str,
    now: datetime,
    lines: list[tuple[str, object, int]],
) -> None:
    merged: dict[tuple[str, object], int] = {}
    for account, artist, amount in lines:
        merged[account, artist] = merged.get((account, artist), 0) + amount
    transaction = new_id(now)
    connection.execute(
        text(
            f"insert into {prefix}postings"
            " (transaction_id, line, account, asset, amount)"
            " values (:id, :line, :account, :asset, :amount)"
        ),
        [
            {
                "id": transaction,
                "line": line,
                "account": account,
                "asset": f"basis:{artist}",
                "amount": amount,
            }
            for line, ((account, artist), amount) in enumerate(merged.items())
        ],
    )
    connection.execute(
        text(
            f"insert into {prefix}transactions"
            " (transaction_id, kind, session, occurred_at)"
            f" select :id, 'basis', session, :now from {prefix}market"
        ).bindparams(bindparam("now", now)),
        {"id": transaction},
    )
