"""Every player's worth, return and points at the close."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from exchange import pricing, schema
from exchange.settlement.contract import Account, AccountDay, Close
from exchange.settlement.dividends import Dividends
from exchange.settlement.season import Season

_held = schema.holdings.c
_player = schema.players.c


def write_accounts(
    connection: Connection,
    close: Close,
    season: Season,
    listings: Mapping[str, Row[Any]],
    points: Mapping[str, int],
    dividends: Dividends,
) -> Sequence[Account]:
    """Write each player's day at the holdings' own prices, and carry the indexes on.

    Args:
        points: of each artist that day, in hundredths of a deviation.

    Returns:
        The accounts of everybody who plays, in the order of the players' keys.
    """
    worth: dict[str, int] = defaultdict(int)
    scored: dict[str, int] = defaultdict(int)
    for row in connection.execute(select(schema.holdings).where(_held.shares > 0)):
        listing = listings[row.artist_id]
        value = pricing.holding_worth(
            row.shares,
            row.basis_nanos,
            listing.fundamental_price_units,
            listing.price_units,
        )
        worth[row.player_id] += value
        scored[row.player_id] += value * points.get(row.artist_id, 0)
    traded = _traded(connection, close.session)
    paid = dividends.by_player()
    accounts = []
    for row in connection.execute(
        select(schema.players)
        .where(_player.left_at.is_(None))
        .order_by(_player.player_id)
    ):
        total = row.cash_units + worth[row.player_id]
        trades, fees = traded.get(row.player_id, (0, 0))
        day = AccountDay(
            player_id=row.player_id,
            account_date=close.day,
            life=row.life,
            cash_units=row.cash_units,
            holdings_units=worth[row.player_id],
            worth_units=total,
            base_units=row.base_units,
            dividends_units=paid.get(row.player_id, 0),
            fees_units=fees,
            trades=trades,
            points=scored[row.player_id] // total if total else 0,
            wealth_index=max(1, row.wealth_index * total // row.base_units),
            life_index=max(1, row.life_index * total // row.base_units),
            season=season.number,
            league_tier=row.league_tier,
            cohort=row.cohort,
        )
        accounts.append(Account(day, row.season_index))
    if accounts:
        _write(connection, [account.day for account in accounts])
    return accounts


def _write(connection: Connection, days: Sequence[AccountDay]) -> None:
    connection.execute(insert(schema.account_days), [asdict(day) for day in days])
    connection.execute(
        update(schema.players)
        .where(_player.player_id == bindparam("who"))
        .values(
            wealth_index=bindparam("new_index"),
            life_index=bindparam("new_life"),
            base_units=bindparam("new_base"),
            points=_player.points + bindparam("more_points"),
        ),
        [
            {
                "who": day.player_id,
                "new_index": day.wealth_index,
                "new_life": day.life_index,
                "new_base": max(1, day.worth_units),
                "more_points": day.points,
            }
            for day in days
        ],
    )


def _traded(connection: Connection, session: int) -> dict[str, tuple[int, int]]:
    """Trades and fees of the session, by player."""
    trade = schema.trades.c
    return {
        row.player_id: (int(row.trades), int(row.fees))
        for row in connection.execute(
            select(
                trade.player_id,
                func.count().label("trades"),
                func.sum(trade.fee_units).label("fees"),
            )
            .where(trade.session == session)
            .group_by(trade.player_id)
        )
    }
