"""Boards: who did best, by time-weighted return and by net worth.

A wealth index is chained from close to close and passes over resets, so money that came
in is not mistaken for skill. Rows are made by each settlement and read from there.
"""

from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select

from exchange import schema
from exchange.clock import days_before
from exchange.errors import Refusal
from exchange.settings import LEAGUES, PPM

Board = Literal["day", "week", "month", "season", "lifetime", "worth"]
BOARDS: tuple[Board, ...] = ("day", "week", "month", "season", "lifetime", "worth")
_DAYS = {"day": 1, "week": 7, "month": 30}
START = 1_000_000_000
_row = schema.board_rows.c
_player = schema.players.c


def return_ppm(index: int, start: int) -> int:
    """Growth from one index to another, in ppm, rounded down."""
    return (index - start) * PPM // start


def write(
    connection: Connection,
    day: date,
    accounts: list[dict[str, Any]],
    season_starts: dict[str, int],
) -> None:
    """Make every board anew from the day's accounts."""
    starts: dict[str, dict[str, int]] = {}
    for board, days in _DAYS.items():
        account = schema.account_days.c
        starts[board] = {
            row.player_id: row.wealth_index
            for row in connection.execute(
                select(account.player_id, account.wealth_index).where(
                    account.account_date == days_before(day, days)
                )
            )
        }
    connection.execute(delete(schema.board_rows))
    rows = []
    for board in BOARDS:
        measures = []
        for account_day in accounts:
            player_id = account_day["player_id"]
            if board == "worth":
                measure = account_day["worth_units"]
            elif board == "lifetime":
                measure = return_ppm(account_day["life_index"], START)
            elif board == "season":
                measure = return_ppm(
                    account_day["wealth_index"], season_starts[player_id]
                )
            else:
                measure = return_ppm(
                    account_day["wealth_index"], starts[board].get(player_id, START)
                )
            measures.append((-measure, player_id))
        measures.sort()
        rank = 0
        for position, (negative, player_id) in enumerate(measures, start=1):
            if position == 1 or negative != measures[position - 2][0]:
                rank = position
            rows.append(
                {
                    "board": board,
                    "position": position,
                    "player_id": player_id,
                    "rank": rank,
                    "measure": -negative,
                    "board_date": day,
                }
            )
    if rows:
        connection.execute(insert(schema.board_rows), rows)


def read(
    connection: Connection,
    board: str,
    *,
    player_id: str | None = None,
    league: str | None = None,
    friends_league_id: str | None = None,
    limit: int = 25,
    offset: int = 0,
) -> dict[str, Any]:
    """One board: over all, of one's own cohort in a league, or among friends.

    `league="mine"` is the cohort of `player_id`; a league's name is all its cohorts.
    Ranks are those within what is shown.
    """
    query = _query(connection, board, player_id, league, friends_league_id)
    total = connection.execute(
        select(func.count()).select_from(query.subquery())
    ).scalar_one()
    rows = connection.execute(
        query.order_by(_row.position).limit(limit).offset(offset)
    ).all()
    return {
        "board": board,
        "board_date": rows[0].board_date.isoformat() if rows else None,
        "players": total,
        "rows": [_shown(row, player_id) for row in rows],
        "next": offset + limit if offset + limit < total else None,
    }


def near(
    connection: Connection,
    board: str,
    player_id: str,
    *,
    league: str | None = None,
    friends_league_id: str | None = None,
) -> dict[str, Any]:
    """The four above a player, the player, and the five below; and the position."""
    ranked = _query(connection, board, player_id, league, friends_league_id).subquery()
    place = connection.execute(
        select(ranked.c.place).where(ranked.c.player_id == player_id)
    ).scalar()
    if place is None:
        return {"board": board, "position": None, "rank": None, "rows": []}
    rows = connection.execute(
        select(ranked)
        .where(ranked.c.place >= place - 4, ranked.c.place <= place + 5)
        .order_by(ranked.c.place)
    ).all()
    own = next(row for row in rows if row.player_id == player_id)
    return {
        "board": board,
        "board_date": own.board_date.isoformat(),
        "position": place,
        "rank": own.shown_rank,
        "rows": [_shown(row, player_id) for row in rows],
    }


def _query(
    connection: Connection,
    board: str,
    player_id: str | None,
    league: str | None,
    friends_league_id: str | None,
) -> Any:
    if board not in BOARDS:
        raise Refusal("invalid_request", f"boards are {', '.join(BOARDS)}")
    query = (
        select(
            _row.player_id,
            _row.measure,
            _row.board_date,
            _row.position,
            func.row_number().over(order_by=_row.position).label("place"),
            func.rank().over(order_by=_row.rank).label("shown_rank"),
            _player.player_name,
            _player.is_public,
            _player.league_tier,
        )
        .join(schema.players, _player.player_id == _row.player_id)
        .where(_row.board == board, _player.left_at.is_(None))
    )
    if friends_league_id is not None:
        member = schema.friend_league_members.c
        members = select(member.player_id).where(member.league_id == friends_league_id)
        if player_id not in set(connection.execute(members).scalars()):
            raise Refusal("unknown_league", "You are in no such league.")
        query = query.where(_row.player_id.in_(members))
    elif league == "mine":
        own = connection.execute(
            select(_player.league_tier, _player.cohort).where(
                _player.player_id == player_id
            )
        ).first()
        if own is None:
            raise Refusal("not_signed_in", "Sign in to see your league.")
        query = query.where(
            _player.league_tier == own.league_tier, _player.cohort == own.cohort
        )
    elif league is not None:
        if league not in LEAGUES:
            raise Refusal("unknown_league", f"leagues are {', '.join(LEAGUES)}")
        query = query.where(_player.league_tier == LEAGUES.index(league))
    return query


def _shown(row: Row[Any], player_id: str | None) -> dict[str, Any]:
    is_self = row.player_id == player_id
    visible = row.is_public or is_self
    return {
        "position": row.place,
        "rank": row.shown_rank,
        "player_id": row.player_id if visible else None,
        "player_name": row.player_name if visible else "private player",
        "league": LEAGUES[row.league_tier],
        "measure": row.measure,
        "is_self": is_self,
    }
