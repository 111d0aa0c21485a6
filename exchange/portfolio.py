"""What a player owns and did: read only, plain rows."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select

from exchange import boards, schema, trading
from exchange.clock import iso
from exchange.errors import Refusal
from exchange.settings import LEAGUES, PPM
from exchange.trophies import RULES

_listed = schema.listings.c
_held = schema.holdings.c


def portfolio(connection: Connection, player_id: str) -> dict[str, Any]:
    """Cash, holdings with worth and return, net worth, and how it has gone."""
    player = connection.execute(
        select(schema.players).where(schema.players.c.player_id == player_id)
    ).first()
    if player is None or player.left_at is not None:
        raise Refusal("unknown_player", "There is no such player.")
    rows = connection.execute(
        select(schema.holdings, schema.listings)
        .join(schema.listings, _listed.artist_id == _held.artist_id)
        .where(_held.player_id == player_id, _held.shares > 0)
        .order_by((_held.shares * _listed.price_units).desc(), _held.artist_id)
    ).mappings()
    holdings = []
    for row in rows:
        worth = row[_held.shares] * row[_listed.price_units]
        cost = row[_held.cost_units]
        holdings.append(
            {
                "artist_id": row[_listed.artist_id],
                "artist_name": row[_listed.artist_name],
                "shares": row[_held.shares],
                "price_units": row[_listed.price_units],
                "close_price_units": row[_listed.close_price_units],
                "worth_units": worth,
                "cost_units": cost,
                "return_ppm": (worth - cost) * PPM // cost if cost else None,
                "held_since": iso(row[_held.held_since]),
                "is_halted": bool(row[_listed.is_halted] or row[_listed.is_suspended]),
            }
        )
    holdings_units = sum(holding["worth_units"] for holding in holdings)
    worth = player.cash_units + holdings_units
    index = player.wealth_index * worth // player.base_units
    life = player.life_index * worth // player.base_units
    return {
        **_profile(player),
        "cash_units": player.cash_units,
        "holdings_units": holdings_units,
        "worth_units": worth,
        "day_return_ppm": (worth - player.base_units) * PPM // player.base_units,
        "season_return_ppm": boards.return_ppm(index, player.season_index),
        "lifetime_return_ppm": boards.return_ppm(life, boards.START),
        "holdings": holdings,
    }


def _profile(player: Any) -> dict[str, Any]:
    return {
        "player_id": player.player_id,
        "player_name": player.player_name,
        "is_public": bool(player.is_public),
        "has_seen_tour": bool(player.has_seen_tour),
        "joined_at": iso(player.joined_at),
        "life": player.life,
        "points": player.points,
        "league": LEAGUES[player.league_tier],
        "cohort": player.cohort,
    }


def profile(
    connection: Connection, player_id: str, viewer_id: str | None
) -> dict[str, Any]:
    """What others may see of a player: nothing, unless the player is public."""
    player = connection.execute(
        select(schema.players).where(schema.players.c.player_id == player_id)
    ).first()
    if (
        player is None
        or player.left_at is not None
        or not (player.is_public or player_id == viewer_id)
    ):
        raise Refusal("unknown_player", "There is no such player.")
    worth = trading.net_worth(connection, player_id, player.cash_units)
    row = schema.board_rows.c
    ranks = {
        found.board: {"rank": found.rank, "measure": found.measure}
        for found in connection.execute(
            select(schema.board_rows).where(row.player_id == player_id)
        )
    }
    return {
        **_profile(player),
        "worth_units": worth,
        "boards": ranks,
        "trophies": trophies(connection, player_id),
    }


def trophies(connection: Connection, player_id: str) -> list[dict[str, Any]]:
    """The trophies of a player's present life."""
    won = schema.trophies.c
    player = schema.players.c
    return [
        {
            "trophy": row.trophy,
            "title": RULES[row.trophy],
            "won_date": row.won_date.isoformat(),
            "artist_id": row.artist_id,
        }
        for row in connection.execute(
            select(schema.trophies)
            .join(schema.players, player.player_id == won.player_id)
            .where(won.player_id == player_id, won.life == player.life)
            .order_by(won.won_date, won.trophy)
        )
    ]


def history(
    connection: Connection, player_id: str, *, limit: int = 50, offset: int = 0
) -> dict[str, Any]:
    """A player's trades, newest first."""
    trade = schema.trades.c
    rows = connection.execute(
        select(schema.trades, _listed.artist_name)
        .join(schema.listings, _listed.artist_id == trade.artist_id)
        .where(trade.player_id == player_id)
        .order_by(trade.traded_at.desc(), trade.trade_id.desc())
        .limit(limit + 1)
        .offset(offset)
    ).all()
    return {
        "trades": [
            {
                "trade_id": row.trade_id,
                "artist_id": row.artist_id,
                "artist_name": row.artist_name,
                "side": row.side,
                "shares": row.shares,
                "price_units": row.price_units,
                "value_units": row.value_units,
                "fee_units": row.fee_units,
                "kind": row.kind,
                "traded_at": iso(row.traded_at),
            }
            for row in rows[:limit]
        ],
        "next": offset + limit if len(rows) > limit else None,
    }


def orders(
    connection: Connection,
    player_id: str,
    *,
    state: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> dict[str, Any]:
    """A player's orders, newest first."""
    placed = schema.orders.c
    query = (
        select(schema.orders, _listed.artist_name)
        .join(schema.listings, _listed.artist_id == placed.artist_id)
        .where(placed.player_id == player_id)
        .order_by(placed.placed_at.desc(), placed.order_id.desc())
        .limit(limit + 1)
        .offset(offset)
    )
    if state is not None:
        query = query.where(placed.state == state)
    rows = connection.execute(query).all()
    return {
        "orders": [
            {
                "order_id": row.order_id,
                "artist_id": row.artist_id,
                "artist_name": row.artist_name,
                "side": row.side,
                "shares": row.shares,
                "limit_units": row.limit_units,
                "state": row.state,
                "reason": row.reason,
                "filled_shares": row.filled_shares,
                "price_units": row.price_units,
                "placed_at": iso(row.placed_at),
                "ended_at": iso(row.ended_at),
            }
            for row in rows[:limit]
        ],
        "next": offset + limit if len(rows) > limit else None,
    }


def worth_days(
    connection: Connection, player_id: str, *, since: date | None = None
) -> list[dict[str, Any]]:
    """A player's net worth at each close, oldest first."""
    day = schema.account_days.c
    query = (
        select(schema.account_days)
        .where(day.player_id == player_id)
        .order_by(day.account_date)
    )
    if since is not None:
        query = query.where(day.account_date >= since)
    return [
        {
            "date": row.account_date.isoformat(),
            "cash_units": row.cash_units,
            "holdings_units": row.holdings_units,
            "worth_units": row.worth_units,
            "dividends_units": row.dividends_units,
            "fees_units": row.fees_units,
            "trades": row.trades,
            "points": row.points,
            "return_ppm": (row.worth_units - row.base_units) * PPM // row.base_units,
            "life": row.life,
        }
        for row in connection.execute(query)
    ]


def dividends(
    connection: Connection, player_id: str, *, limit: int = 50, offset: int = 0
) -> dict[str, Any]:
    """A player's dividends, newest first, and their sum."""
    paid = schema.dividends.c
    rows = connection.execute(
        select(schema.dividends, _listed.artist_name)
        .join(schema.listings, _listed.artist_id == paid.artist_id)
        .where(paid.player_id == player_id)
        .order_by(paid.dividend_date.desc(), paid.amount_units.desc(), paid.artist_id)
        .limit(limit + 1)
        .offset(offset)
    ).all()
    total: int = connection.execute(
        select(func.coalesce(func.sum(paid.amount_units), 0)).where(
            paid.player_id == player_id
        )
    ).scalar_one()
    return {
        "total_units": int(total),
        "dividends": [
            {
                "date": row.dividend_date.isoformat(),
                "artist_id": row.artist_id,
                "artist_name": row.artist_name,
                "shares": row.shares,
                "amount_units": row.amount_units,
            }
            for row in rows[:limit]
        ],
        "next": offset + limit if len(rows) > limit else None,
    }
