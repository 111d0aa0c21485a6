"""The boards of a close, made anew from the accounts of the day."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from exchange import schema
from exchange.boards import BOARDS, START, Board, return_ppm
from exchange.clock import days_before
from exchange.settlement.contract import Account

_DAYS = {"day": 1, "week": 7, "month": 30}


def write_boards(
    connection: Connection, day: date, accounts: Sequence[Account]
) -> None:
    """Replace every board: players by measure, then by key; equal measures tie."""
    rows: list[dict[str, Any]] = []
    for board in BOARDS:
        measure = _measure(connection, board, day)
        ranked = sorted((-measure(one), one.day.player_id) for one in accounts)
        rank = 0
        for position, (negative, player_id) in enumerate(ranked, start=1):
            if position == 1 or negative != ranked[position - 2][0]:
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
    connection.execute(delete(schema.board_rows))
    if rows:
        connection.execute(insert(schema.board_rows), rows)


def _measure(
    connection: Connection, board: Board, day: date
) -> Callable[[Account], int]:
    """What a board ranks by: net worth in units, or a return in ppm."""
    if board == "worth":
        return lambda account: account.day.worth_units
    if board == "lifetime":
        return lambda account: return_ppm(account.day.life_index, START)
    if board == "season":
        return lambda account: return_ppm(
            account.day.wealth_index, account.season_index
        )
    account_day = schema.account_days.c
    before = connection.execute(
        select(account_day.player_id, account_day.wealth_index).where(
            account_day.account_date == days_before(day, _DAYS[board])
        )
    )
    starts = {row.player_id: row.wealth_index for row in before}
    return lambda account: return_ppm(
        account.day.wealth_index, starts.get(account.day.player_id, START)
    )
