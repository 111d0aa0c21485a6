"""Books that somebody touched: the next write halts the market, or the watch does."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update

from exchange import audit, ledger, schema
from exchange.errors import Refusal
from tests.exchange.game import Game


def touch(game: Game, table: str, **changes: int) -> None:
    """Raise balances by hand, as a person with the database's password could."""
    columns = schema.metadata.tables[f"exchange.{table}"].c
    with game.database.write() as connection:
        connection.execute(
            update(schema.metadata.tables[f"exchange.{table}"]).values(
                {columns[name]: columns[name] + by for name, by in changes.items()}
            )
        )


def state_of(game: Game) -> str:
    (market,) = game.rows(schema.market)
    return str(market.state)


TOUCHED = {
    "cash": ("players", {"cash_units": 1}),
    "shares": ("holdings", {"shares": 1}),
    "basis": ("holdings", {"basis_nanos": 1}),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_the_first_write_after_a_touch_is_not_done_and_halts(
    game: Game, what: str
) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 5)
    table, changes = TOUCHED[what]
    quote = game.quote(ann, "buy", 2)
    touch(game, table, **changes)
    held, trades = game.shares(ann), len(game.rows(schema.trades))
    with pytest.raises(Refusal) as refused:
        game.take(ann, quote, "first")
    assert refused.value.code == "market_halted"
    # What players read says nothing of anybody's balance; the journal does.
    assert refused.value.facts == {"reason": "the books do not add up"}
    assert (game.rows(schema.market)[0].reason) == "the books do not add up"
    assert ann in str(game.rows(schema.market_events)[-1].reason)
    assert state_of(game) == "halted"
    assert (game.shares(ann), len(game.rows(schema.trades))) == (held, trades)
    with pytest.raises(Refusal, match="market_halted"):
        game.quote(bob, "buy", 1)


def test_without_a_look_after_each_write_three_more_are_done(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control, and what the look through all books finds then."""
    monkeypatch.setattr(ledger, "check_player", lambda *_: None)
    ann = game.join("ann")
    touch(game, "players", cash_units=10**9)
    for _ in range(3):
        assert game.trade(ann, "buy", 1).status == 200
    assert state_of(game) == "open"
    (broken,) = audit.look(game.database, game.clock, "watch")
    assert broken.startswith(f"player:{ann} keeps")
    assert state_of(game) == "halted"
    # A halted market waits for a person.
    assert audit.look(game.database, game.clock, "watch") == []


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("listings", {"house_cash_units": -1}),
        ("listings", {"price_units": 1}),
        ("listings", {"net_shares": 1}),
        ("players", {"cash_units": 7}),
    ],
)
def test_the_watch_halts_whatever_was_touched(
    game: Game, table: str, changes: dict[str, int]
) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 5)
    stop = threading.Event()
    watching = threading.Thread(
        target=audit.watch, args=(lambda: game.database, game.clock, stop, 0.05)
    )
    watching.start()
    try:
        time.sleep(0.3)
        assert state_of(game) == "open"
        touch(game, table, **changes)
        deadline = time.monotonic() + 20
        while state_of(game) != "halted":
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        stop.set()
        watching.join(20)


def test_the_watch_waits_for_an_exchange_that_cannot_be_opened(game: Game) -> None:
    tries = []
    stop = threading.Event()

    def failing() -> None:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise OSError("no such file")

    audit.watch(failing, game.clock, stop, 0.01)  # type: ignore[arg-type]
    assert len(tries) == 3


def test_other_players_and_artists_do_not_halt_a_right_write(game: Game) -> None:
    """Each write looks at its own player only: the watch has the rest."""
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(ann, "buy", 5)
    with game.database.write() as connection:
        connection.execute(
            update(schema.players)
            .where(schema.players.c.player_id == ann)
            .values(cash_units=1)
        )
    assert game.trade(bob, "buy", 1, "Can").status == 200
    assert game.shares(bob, "Can") == 1
