"""The books are looked at while people trade, and a market whose books are wrong halts.

Each write of a player is checked in its own transaction, so that the first write after
somebody touched a balance is refused; a watch reads all books again and again.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from exchange import ledger, market
from exchange.clock import Clock
from exchange.database import Database
from exchange.errors import Refusal
from warehouse.errors import WarehouseError

Result = TypeVar("Result")

_REASON = "the books do not add up"
LOOK_SECONDS = 30.0
"""Between two looks through all books."""
_SHARE_OF_TIME = 0.1
"""Of a processor that looking may take, at most: large books are read less often."""


def write(
    database: Database, clock: Clock, action: Callable[[Connection], Result]
) -> Result:
    """Run one player's write; halts the market where the player's books are wrong.

    Raises:
        Refusal: `market_halted` when this write found them wrong, and what the action
            raises.
    """
    try:
        return database.run(action)
    except Refusal as refusal:
        if refusal.code != "violated":
            raise
        halt(database, clock, "a player's write", [refusal.detail])
        raise market.halted(_REASON) from refusal


def look(database: Database, clock: Clock, actor: str) -> list[str]:
    """Check all books at one moment; what is wrong, as sentences, halts the market.

    A market that is halted already is not looked at: a person does.
    """
    with database.read() as connection:
        if market.read_state(connection).state == "halted":
            return []
        broken = ledger.violations(connection)
    if broken:
        halt(database, clock, actor, broken)
    return broken


def halt(database: Database, clock: Clock, actor: str, broken: list[str]) -> None:
    """Halt the market for what is wrong; only its journal says what, and of whom."""
    evidence = "; ".join(broken[:5])
    logging.getLogger(__name__).error("%s: %s", _REASON, evidence)
    database.run(
        lambda connection: market.halt(
            connection, clock, actor, _REASON, evidence=evidence
        )
    )


def watch(
    open_database: Callable[[], Database],
    clock: Clock,
    stop: threading.Event,
    seconds: float = LOOK_SECONDS,
) -> None:
    """Look through all books until told to stop.

    An exchange that is not there yet, or cannot be reached, is looked for again.
    """
    log = logging.getLogger(__name__)
    database: Database | None = None
    took = 0.0
    while not stop.wait(max(seconds, took / _SHARE_OF_TIME)):
        began = time.monotonic()
        try:
            database = database or open_database()
            look(database, clock, "watch")
        except (SQLAlchemyError, Refusal, WarehouseError, OSError) as error:
            log.warning("the books were not looked at: %s", error)
        took = time.monotonic() - began
    if database is not None:
        database.dispose()
