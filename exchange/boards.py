"""Boards: who did best, by time-weighted return and by net worth.

A wealth index is chained from close to close and passes over resets, so money that came
in is not mistaken for skill. Settlements write the rows, `views.boards` reads them.
"""

from typing import Literal

from exchange.settings import PPM

Board = Literal["day", "week", "month", "season", "lifetime", "worth"]
BOARDS: tuple[Board, ...] = ("day", "week", "month", "season", "lifetime", "worth")
START = 1_000_000_000


def return_ppm(index: int, start: int) -> int:
    """Growth from one index to another, in ppm, rounded down."""
    return (index - start) * PPM // start


#: How a player who is not public is called on the boards.
PRIVATE_NAME = "private player"
