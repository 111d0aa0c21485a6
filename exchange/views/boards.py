"""Boards as they are read: over all, in a league, in one's cohort, among friends.

Rows are written by each settlement; ranks here are those within what is shown.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from exchange import schema
from exchange.boards import BOARDS, PRIVATE_NAME
from exchange.errors import Refusal
from exchange.leagues import is_simulated
from exchange.settings import LEAGUES

_row = schema.board_rows.c
_player = schema.players.c


@dataclass(frozen=True)
class BoardRow:
    """One place; a private player has neither key nor name, except for themselves."""

    position: int
    rank: int
    player_id: str | None
    player_name: str
    league: str
    measure: int
    is_self: bool
    is_simulated: bool
    """Nobody plays it: one of the cast of an invented world."""


@dataclass(frozen=True)
class Board:
    """A part of one board; `next` is the offset of the part after it."""

    board: str
    board_date: date | None
    players: int
    rows: tuple[BoardRow, ...]
    next: int | None


@dataclass(frozen=True)
class Near:
    """The places around a player."""

    board: str
    board_date: date
    position: int
    rank: int
    rows: tuple[BoardRow, ...]


@dataclass(frozen=True)
class NotRanked:
    """The same for a player who is not on the board."""

    board: str
    position: None = None
    rank: None = None
    rows: tuple[BoardRow, ...] = ()


def board(
    connection: Connection,
    player_id: str | None,
    name: str,
    *,
    league: str | None = None,
    friends_league_id: str | None = None,
    limit: int = 25,
    offset: int = 0,
) -> Board:
    """One board: over all, of one's own cohort in a league, or among friends.

    Args:
        player_id: who looks; None for a visitor.
        league: "mine" is the cohort of `player_id`; a league's name is all its cohorts.
    """
    query = _query(connection, name, player_id, league, friends_league_id)
    total = connection.execute(
        select(func.count()).select_from(query.subquery())
    ).scalar_one()
    rows = connection.execute(
        query.order_by(_row.position).limit(limit).offset(offset)
    ).all()
    return Board(
        board=name,
        board_date=rows[0].board_date if rows else None,
        players=total,
        rows=tuple(_shown(row, player_id) for row in rows),
        next=offset + limit if offset + limit < total else None,
    )


def near(
    connection: Connection,
    player_id: str,
    name: str,
    *,
    league: str | None = None,
    friends_league_id: str | None = None,
) -> Near | NotRanked:
    """The four above a player, the player, and the five below; and the position."""
    ranked = _query(connection, name, player_id, league, friends_league_id).subquery()
    place = connection.execute(
        select(ranked.c.place).where(ranked.c.player_id == player_id)
    ).scalar()
    if place is None:
        return NotRanked(name)
    rows = connection.execute(
        select(ranked)
        .where(ranked.c.place >= place - 4, ranked.c.place <= place + 5)
        .order_by(ranked.c.place)
    ).all()
    own = next(row for row in rows if row.player_id == player_id)
    return Near(
        board=name,
        board_date=own.board_date,
        position=place,
        rank=own.shown_rank,
        rows=tuple(_shown(row, player_id) for row in rows),
    )


def _query(
    connection: Connection,
    name: str,
    player_id: str | None,
    league: str | None,
    friends_league_id: str | None,
) -> Select[Any]:
    if name not in BOARDS:
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
            _player.account_id,
        )
        .join(schema.players, _player.player_id == _row.player_id)
        .where(_row.board == name, _player.left_at.is_(None))
    )
    if friends_league_id is not None:
        member = schema.friend_league_members.c
        members = select(member.player_id).where(member.league_id == friends_league_id)
        if player_id not in set(connection.execute(members).scalars()):
            raise Refusal("unknown_league", "You are in no such league.")
        return query.where(_row.player_id.in_(members))
    if league == "mine":
        own = connection.execute(
            select(_player.league_tier, _player.cohort).where(
                _player.player_id == player_id
            )
        ).first()
        if own is None:
            raise Refusal("not_signed_in", "Sign in to see your league.")
        return query.where(
            _player.league_tier == own.league_tier, _player.cohort == own.cohort
        )
    if league is None:
        return query
    if league not in LEAGUES:
        raise Refusal("unknown_league", f"leagues are {', '.join(LEAGUES)}")
    return query.where(_player.league_tier == LEAGUES.index(league))


def _shown(row: Row[Any], player_id: str | None) -> BoardRow:
    is_self = row.player_id == player_id
    visible = row.is_public or is_self
    return BoardRow(
        position=row.place,
        rank=row.shown_rank,
        player_id=row.player_id if visible else None,
        player_name=row.player_name if visible else PRIVATE_NAME,
        league=LEAGUES[row.league_tier],
        measure=row.measure,
        is_self=is_self,
        is_simulated=is_simulated(row.account_id),
    )
