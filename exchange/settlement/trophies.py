"""Trophies at the close: what each player has to show for them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from exchange import schema, trophies
from exchange.leagues import Result
from exchange.settlement.contract import Account, Close

_listed = schema.listings.c
_held = schema.holdings.c


def award_trophies(
    connection: Connection,
    close: Close,
    accounts: Sequence[Account],
    results: Mapping[str, Result],
) -> None:
    """Award what the day's accounts and the season's results, if any, have earned."""
    holdings = _holdings(connection, close)
    order = schema.orders.c
    with_filled_order: set[str] = set(
        connection.execute(
            select(order.player_id)
            .where(order.settled_date == close.day, order.filled_shares > 0)
            .distinct()
        ).scalars()
    )
    evidence = []
    for day in (account.day for account in accounts):
        result = results.get(day.player_id)
        evidence.append(
            trophies.Evidence(
                player_id=day.player_id,
                life=day.life,
                worth_units=day.worth_units,
                has_traded=day.trades > 0,
                has_filled_order=day.player_id in with_filled_order,
                dividends_units=day.dividends_units,
                holdings=tuple(holdings[day.player_id]),
                season_rank=result.rank if result else None,
                was_promoted=bool(result and result.movement == "promoted"),
            )
        )
    trophies.award(connection, close.day, evidence, close.inputs.new_number_ones)


def _holdings(
    connection: Connection, close: Close
) -> defaultdict[str, list[trophies.Held]]:
    holdings: defaultdict[str, list[trophies.Held]] = defaultdict(list)
    for row in connection.execute(
        select(schema.holdings, _listed.top_tag)
        .join(schema.listings, _listed.artist_id == _held.artist_id)
        .where(_held.shares > 0)
        .order_by(_held.artist_id)
    ):
        holdings[row.player_id].append(
            trophies.Held(
                row.artist_id,
                row.top_tag,
                min(row.shares, row.close_shares),
                (close.now - row.held_since).days if row.held_since else 0,
            )
        )
    return holdings
