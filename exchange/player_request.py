"""One writing request of one player: the locks it takes, and its idempotency key.

Every write goes through `answer_once`: it share-locks the market, locks the player, and
answers a repeated key with the first answer. The key's answer is stored in the same
transaction as what it answers, so an acknowledged write can always be answered again.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, DateTime, bindparam, delete, func, insert, select

from exchange import ledger, market, schema
from exchange.clock import Clock, iso, utc_now
from exchange.errors import Refusal
from exchange.prepared import Prepared


@dataclass(frozen=True)
class PlayerRequest:
    """What a use case works with: an open transaction and the rows it has locked."""

    connection: Connection
    market: market.Market
    player: Any


@dataclass(frozen=True)
class Answer:
    """A status and a body; `is_replay` when the key had been used before."""

    status: int
    body: dict[str, Any]
    is_replay: bool = False


def market_and_player(*, is_locked: bool = True) -> Prepared:
    """The rows of market and player, as the locks are taken: one after the other.

    PostgreSQL works out a common table expression that locks before what reads it.
    """
    state = (market.SHARED if is_locked else market.ROW).cte("state")
    who = schema.players.c.player_id == bindparam("player_id")
    found = select(state, schema.players).select_from(state.join(schema.players, who))
    if is_locked:
        found = found.with_for_update(of=schema.players)
    return Prepared(found, parts=(market.COLUMNS, len(schema.players.c)))


_market_and_player = market_and_player()
_first_answer = Prepared(
    select(schema.answers).where(
        schema.answers.c.player_id == bindparam("player_id"),
        schema.answers.c.idempotency_key == bindparam("key"),
    )
)
# The last statement of a write reads the books: another would cost a round trip.
_keep_answer = Prepared(
    insert(schema.answers)
    .values({c.name: bindparam(c.name, type_=c.type) for c in schema.answers.c})
    .returning(*ledger.PLAYER_BOOKS)
)

#: Answers kept of one player in 24 hours, but for trades that are done.
MOST_ANSWERS = 5_000
_DAY = timedelta(days=1)
#: How long an answer is kept for a repeated key; the tables let none go before 30 days.
KEPT = timedelta(days=31)
_recent_answers = Prepared(
    select(
        func.count().label("answers"),
        func.min(schema.answers.c.answered_at).label("oldest"),
    ).where(
        schema.answers.c.player_id == bindparam("player_id"),
        schema.answers.c.answered_at > bindparam("since", type_=DateTime),
    )
)
# Refusals that may be lifted in a moment: the same key may then succeed.
_NOT_KEPT = ("transient", "service", "authentication")


def lock(connection: Connection, player_id: str) -> PlayerRequest:
    """Lock what every write locks, in the order every write locks it."""
    found = _market_and_player.first(connection, player_id=player_id)
    if found is None:
        # Without a market there is nobody, and that is what to say.
        market.read_state(connection)
    elif found[1].left_at is None:
        return PlayerRequest(connection, *found)
    raise Refusal("unknown_player", "There is no such player.")


def answer_once(
    connection: Connection,
    clock: Clock,
    player_id: str,
    key: str | None,
    payload: dict[str, Any],
    action: Callable[[PlayerRequest], dict[str, Any]],
    *,
    status: int = 200,
) -> Answer:
    """Do a write once per player and key, and remember how it ended.

    Args:
        key: the client's Idempotency-Key.
        payload: what the player asks for, with the operation's name in it; the same
            key with another payload is refused. Where it names an `artist_id`, the
            player's shares of it are checked as the player's cash is.
        action: the use case. It must check before it writes: a refusal it raises is an
            answer, and what it has written until then would stay.
        status: of the answer when the action succeeds.
    """
    if not key or len(key) > 200:
        raise Refusal(
            "idempotency_key_required",
            "Send a header Idempotency-Key of at most 200 characters.",
        )
    body_hash = payload_hash(payload)
    request = lock(connection, player_id)
    first = find_answer(connection, player_id, key)
    if first is not None:
        if first.body_hash != body_hash:
            raise Refusal(
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request.",
            )
        return Answer(first.status, json.loads(first.body), is_replay=True)
    # A trade that is done costs its fee; what costs nothing is counted.
    is_trade = payload.get("operation") == "trade"
    if not is_trade:
        _check_quota(connection, clock, player_id)
    try:
        answer = Answer(status, action(request))
    except Refusal as refusal:
        if refusal.kind in _NOT_KEPT:
            raise
        if is_trade:
            _check_quota(connection, clock, player_id)
        answer = Answer(refusal.status, refusal.problem())
    artist_id = payload.get("artist_id")
    books = _keep_answer.first(
        connection,
        **ledger.whose_books(player_id, artist_id),
        player_id=player_id,
        idempotency_key=key,
        body_hash=body_hash,
        status=answer.status,
        body=json.dumps(answer.body, separators=(",", ":")),
        answered_at=clock(),
    )
    ledger.check_player(books, player_id, artist_id)
    return answer


def _check_quota(connection: Connection, clock: Clock, player_id: str) -> None:
    """Refuse what would be one stored answer too many for a day."""
    found = _recent_answers.first(connection, player_id=player_id, since=clock() - _DAY)
    if found.answers >= MOST_ANSWERS:
        raise Refusal(
            "too_many_writes",
            f"{MOST_ANSWERS} requests in 24 hours are as many as one may send.",
            allowed_at=iso(found.oldest + _DAY),
        )


def forget_old_answers(connection: Connection, clock: Clock) -> None:
    """Delete answers that no client asks for again."""
    # A clock that is ahead must not ask for what the tables do not let go.
    before = min(clock(), utc_now()) - KEPT
    connection.execute(
        delete(schema.answers).where(schema.answers.c.answered_at < before)
    )


def find_answer(connection: Connection, player_id: str, key: str) -> Any:
    """The first answer given to a key, if it was used."""
    return _first_answer.first(connection, player_id=player_id, key=key)


def payload_hash(payload: dict[str, Any]) -> str:
    """SHA-256 of a request's content, whatever the order of its members."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
