"""The exchange inside the service: who asks, reads in one transaction, writes once.

Routes and pages reach the exchange through this module alone. An account of the service
becomes a player at its first visit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import current_app
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from exchange import audit, market, player_request, players
from exchange.clock import Clock, utc_now
from exchange.database import Database
from exchange.player_request import Answer, PlayerRequest
from exchange.settings import ExchangeSettings
from exchange.views import own_records
from serve import own_rules
from serve.accounts import Account, current_account, require, require_fresh
from serve.context import reading
from serve.problems import Problem
from serve.queries import listeners, recommendations
from serve.store.contract import StoreUnavailable, VersionMoved
from warehouse.errors import WarehouseError

log = logging.getLogger(__name__)

Given = ParamSpec("Given")
Shown = TypeVar("Shown")


@dataclass
class Exchange:
    """The exchange of one application; its database is opened at the first request."""

    settings: ExchangeSettings
    open_database: Callable[[], Database]
    clock: Clock = utc_now
    _database: Database | None = None
    _quote_key: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def database(self) -> Database:
        with self._lock:
            if self._database is None:
                self._database = self.open_database()
            return self._database

    @property
    def quote_key(self) -> bytes:
        """What quotes are signed with; it never changes."""
        if self._quote_key is None:
            with self.database.read() as connection:
                self._quote_key = market.quote_key(connection)
        return self._quote_key


def exchange() -> Exchange:
    """The exchange of the application that answers now."""
    installed: Exchange = current_app.extensions["exchange"]
    return installed


def read(
    view: Callable[Concatenate[Connection, Given], Shown],
    *given: Given.args,
    **named: Given.kwargs,
) -> Shown:
    """What a view finds for everybody, in one read transaction."""
    with exchange().database.read() as connection:
        return view(connection, *given, **named)


def read_as_viewer(
    view: Callable[Concatenate[Connection, str | None, Given], Shown],
    *given: Given.args,
    **named: Given.kwargs,
) -> Shown:
    """What a view finds for the player who asks, or for a visitor."""
    account = current_account()
    with exchange().database.read() as connection:
        player_id = None
        if account is not None and "read" in account.scopes:
            player_id = _find_player(connection, account)
        return view(connection, player_id, *given, **named)


def read_own(
    view: Callable[Concatenate[Connection, str, Given], Shown],
    *given: Given.args,
    **named: Given.kwargs,
) -> Shown:
    """What a view finds for the player who asks; a visitor is refused.

    Raises:
        Problem: nobody is logged in, or the token lacks the scope `read`.
    """
    return read_for(require("read"), view, *given, **named)


def read_for(
    account: Account,
    view: Callable[Concatenate[Connection, str, Given], Shown],
    *given: Given.args,
    **named: Given.kwargs,
) -> Shown:
    """What a view finds for the player of an account; the first visit makes one."""
    with exchange().database.read() as connection:
        player_id = _find_player(connection, account)
        if player_id is not None:
            return view(connection, player_id, *given, **named)
    player_id = _join(account)
    with exchange().database.read() as connection:
        return view(connection, player_id, *given, **named)


def read_if_player(
    account: Account,
    view: Callable[Concatenate[Connection, str, Given], Shown],
    *given: Given.args,
    **named: Given.kwargs,
) -> Shown | None:
    """What a view finds for the player of an account; None where there is none.

    Nobody becomes a player by what a program asks by itself.
    """
    with exchange().database.read() as connection:
        player_id = _find_player(connection, account)
        if player_id is None:
            return None
        return view(connection, player_id, *given, **named)


def write_once(
    operation: str,
    key: str,
    body: BaseModel | None,
    action: Callable[[PlayerRequest], dict[str, Any]],
    status: int = 200,
    *,
    in_person: bool = False,
) -> Answer:
    """Do a write of the player who asks once for its key, or answer as the first time.

    A refusal is an answer too; its status is 400 or more.

    Args:
        in_person: no token may do it and no old login, because it cannot be taken
            back.

    Raises:
        Problem: nobody is logged in, the token lacks the scope `trade` or may not do
            this, or a browser sent no CSRF token.
    """
    page = "/exchange/profile"
    account = require_fresh("trade", page) if in_person else require("trade")
    shared = exchange()
    with shared.database.read() as connection:
        player_id = _find_player(connection, account)
    if player_id is None:
        player_id = _join(account)
    payload = {
        "operation": operation,
        **(body.model_dump(mode="json") if body is not None else {}),
    }
    return audit.write(
        shared.database,
        shared.clock,
        lambda connection: player_request.answer_once(
            connection, shared.clock, player_id, key, payload, action, status=status
        ),
    )


def refusal_of(answer: Answer) -> Problem:
    """The problem that a refused write is, with what the refusal names."""
    given = dict(answer.body)
    code, detail = given.pop("code"), given.pop("detail")
    headers = {"Idempotency-Replayed": "true"} if answer.is_replay else {}
    for made_anew in ("type", "title", "status"):
        given.pop(made_anew)
    return Problem(code, detail, headers=headers, **given)


def leave_with_account(account: Account) -> None:
    """The account is deleted: the player leaves, the books stay."""
    shared = exchange()
    try:
        with shared.database.read() as connection:
            player_id = _find_player(connection, account)
        if player_id is not None:
            shared.database.run(
                lambda connection: players.leave(
                    player_request.lock(connection, player_id), shared.clock
                )
            )
    except (SQLAlchemyError, WarehouseError) as error:
        log.error("account %s was not deleted: %s", account.account_id, error)
        raise Problem(
            "warehouse_unavailable",
            "the exchange cannot be reached, so the account was not deleted",
        ) from error


@contextmanager
def kept_of(
    account: Account,
) -> Iterator[Iterable[tuple[str, Iterator[dict[str, Any]]]]]:
    """What the books hold of the account's player; nothing where there is none."""
    with exchange().database.read() as connection:
        player_id = _find_player(connection, account)
        if player_id is None:
            yield ()
        else:
            yield own_records.tables(connection, player_id)


def recommended_artists(account: Account) -> list[str]:
    """Keys of artists recommended from the account's own listening, the best first.

    Empty while the marts cannot be read: the market is open all the same.
    """
    try:
        with reading() as reader:
            result = recommendations.artists(
                reader,
                account.listener_id,
                recommendations.feedback(
                    reader, own_rules.read(account.rules).values()
                ),
                limit=200,
                offset=0,
            )
            return [row["artist_id"] for row in result.records()]
    except VersionMoved:
        raise
    except StoreUnavailable:
        return []


def _find_player(connection: Connection, account: Account) -> str | None:
    row = players.find(connection, str(account.account_id))
    return str(row.player_id) if row is not None else None


def _standing(account: Account) -> players.Standing:
    """What the marts know of the account; nothing while they cannot be read."""
    try:
        with reading() as reader:
            row = listeners.listener(reader, account.listener_id)
    except VersionMoved:
        raise
    except StoreUnavailable:
        row = None
    if row is None:
        return players.Standing()
    return players.Standing(row["registered_date"], row["playcount"])


def _join(account: Account) -> str:
    shared = exchange()
    standing = _standing(account)
    return shared.database.run(
        lambda connection: players.join(
            connection,
            shared.clock,
            shared.settings,
            str(account.account_id),
            account.listener_id,
            standing,
        )
    )
