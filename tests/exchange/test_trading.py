"""Quotes and trades on both databases."""

from dataclasses import replace

import pytest

from exchange import ledger, market, quotes, schema, trading
from exchange.errors import Refusal
from tests.exchange.game import SETTINGS, Game, artist


def test_a_trade_moves_cash_shares_and_fee_and_the_books_balance(
    game: Game,
) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 30)
    answer = game.take(ann, quote)
    assert answer.status == 200
    assert answer.body["total_units"] == quote["value_units"] + quote["fee_units"]
    assert game.player(ann).cash_units == 200_000_000 - quote["total_units"]
    assert game.shares(ann) == 30
    assert game.listing().net_shares == 30
    assert game.listing().house_cash_units == quote["value_units"]
    assert game.listing().fees_units == quote["fee_units"]
    assert game.violations() == []


def test_a_repeated_key_gives_the_first_answer_and_trades_once(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    first = game.take(ann, quote, "same")
    again = game.take(ann, quote, "same")
    assert again.is_replay
    assert again.body == first.body
    assert game.shares(ann) == 3


def test_a_key_used_for_another_request_is_refused(game: Game) -> None:
    ann = game.join("ann")
    game.take(ann, game.quote(ann, "buy", 3), "same")
    with pytest.raises(Refusal, match="idempotency_key_reused"):
        game.take(ann, game.quote(ann, "buy", 4), "same")
    assert game.shares(ann) == 3


def test_a_refusal_is_the_first_answer_of_its_key_too(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    game.wait(seconds=16)
    first = game.take(ann, quote, "same")
    assert (first.status, first.body["code"]) == (409, "quote_expired")
    assert game.take(ann, quote, "same").is_replay


def test_a_quote_lives_for_fifteen_seconds_and_not_longer(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    game.wait(seconds=14.9)
    assert game.take(ann, quote).status == 200
    late = game.quote(ann, "buy", 3)
    game.wait(seconds=15)
    assert game.take(ann, late).body["code"] == "quote_expired"


def test_a_quote_is_used_once(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    assert game.take(ann, quote).status == 200
    assert game.take(ann, quote).body["code"] == "quote_used"
    assert game.shares(ann) == 3
    assert game.violations() == []


@pytest.mark.parametrize(
    "changes", [{"side": "sell"}, {"shares": 4}, {"artist_id": artist("Can")}]
)
def test_a_quote_is_for_nothing_but_what_it_says(
    game: Game, changes: dict[str, object]
) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 10)
    quote = game.quote(ann, "buy", 3)
    assert game.take(ann, quote, **changes).body["code"] == "quote_mismatch"


def test_a_quote_is_for_nobody_else(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    quote = game.quote(ann, "buy", 3)
    assert game.take(bob, quote).body["code"] == "quote_mismatch"


def test_a_forged_quote_is_refused(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    body, _, signature = quote["quote"].partition(".")
    for forged in (
        f"{body[:-2]}AA.{signature}",
        f"{body}.{signature[:-2]}AA",
        "x",
        "é.é",
        "",
    ):
        assert game.take(ann, quote, quote_text=forged).body["code"] == "quote_invalid"


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("buy", {"value_units": 1, "fee_units": 0, "fee_ppm": 0}),
        ("buy", {"fee_units": 0, "fee_ppm": 0}),
        ("buy", {"expires_ms": 4_000_000_000_000}),
        ("sell", {"value_units": 10**12}),
        ("sell", {"fee_units": 0}),
    ],
)
def test_the_key_to_sign_with_buys_nothing(
    game: Game, monkeypatch: pytest.MonkeyPatch, side: str, change: dict[str, int]
) -> None:
    """Terms nobody offered are refused, signed or not; the control takes them."""
    ann = game.join("ann")
    game.trade(ann, "buy", 5)
    with game.database.read() as connection:
        key = market.quote_key(connection)
    quote = game.quote(ann, side, 3)
    honest = quotes.unseal(quote["quote"], key)
    forged = quotes.seal(replace(honest, **change), key)
    before = game.player(ann).cash_units
    with pytest.raises(Refusal, match="price_changed"):
        game.take(ann, quote, quote_text=forged)
    assert (game.shares(ann), game.player(ann).cash_units) == (5, before)
    monkeypatch.setattr(trading, "_check_price", lambda *_: None)
    assert game.take(ann, quote, quote_text=forged).status == 200


def test_a_quote_dies_when_the_market_closes(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    game.close()
    with pytest.raises(Refusal, match="market_closed") as refused:
        game.take(ann, quote)
    assert refused.value.facts["reopens_at"] == "2024-03-01T02:30:00.000000Z"
    game.open()
    assert game.take(ann, quote).body["code"] == "quote_expired"


def test_a_quote_is_refused_when_the_price_has_moved_against_it(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    quote = game.quote(ann, "buy", 3)
    game.trade(bob, "buy", 20)
    with pytest.raises(Refusal, match="price_changed"):
        game.take(ann, quote)
    assert game.shares(ann) == 0


def test_a_quote_is_honoured_at_its_price_when_the_price_has_moved_for_the_house(
    game: Game,
) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(bob, "buy", 20)
    quote = game.quote(ann, "buy", 3)
    game.trade(bob, "sell", 20)
    assert game.take(ann, quote).body["value_units"] == quote["value_units"]


def test_what_cannot_be_paid_or_delivered_is_refused(game: Game) -> None:
    ann = game.join("ann")
    with pytest.raises(Refusal, match="insufficient_funds"):
        game.quote(ann, "buy", 250)
    with pytest.raises(Refusal, match="insufficient_shares"):
        game.quote(ann, "sell", 1)
    # A quote that was good is refused once the cash has gone elsewhere.
    game.settings = SETTINGS.model_copy(update={"holding_limit_pct": 100})
    last = game.quote(ann, "buy", 150)
    game.trade(ann, "buy", 100, "Can")
    assert game.take(ann, last).body["code"] == "insufficient_funds"


def test_a_holding_is_at_most_a_fifth_of_net_worth(game: Game) -> None:
    ann = game.join("ann")
    game.quote(ann, "buy", 39)
    with pytest.raises(Refusal, match="limit_reached") as refused:
        game.quote(ann, "buy", 41)
    assert refused.value.facts["limit"] == "holding"


def test_no_artist_can_be_moved_beyond_the_limit_of_its_depth(game: Game) -> None:
    rich = Game(
        game.database,
        settings=SETTINGS.model_copy(
            update={"starting_cash_units": 10**13, "holding_limit_pct": 100}
        ),
    )
    ann = rich.join("ann")
    depth = rich.listing().depth_shares
    with pytest.raises(Refusal, match="limit_reached") as refused:
        rich.quote(ann, "buy", depth * 40 // 100 + 1)
    assert refused.value.facts["limit"] == "impact"
    rich.trade(ann, "buy", depth * 40 // 100)
    assert rich.trade(ann, "sell", 10).status == 200


def test_limits_are_halved_in_the_first_fourteen_days(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"novice_days": 14})
    ann = game.join("ann")
    with pytest.raises(Refusal, match="limit_reached"):
        game.quote(ann, "buy", 20)
    for _ in range(14):
        game.next_day()
    assert game.quote(ann, "buy", 20)["shares"] == 20


def test_prices_that_grow_old_cost_a_spread(game: Game) -> None:
    ann = game.join("ann")
    fresh = game.quote(ann, "buy", 1)
    assert fresh["fee_ppm"] == 10_000
    game.wait(hours=6)
    # z·σ·sqrt(h/24) = 3 · 2 % · sqrt(1/4)
    assert game.quote(ann, "buy", 1)["fee_ppm"] == 10_000 + 30_000


def test_an_unbalanced_or_unsealed_transaction_cannot_be_committed(
    game: Game,
) -> None:
    ann = game.join("ann")
    account = ledger.player_account(ann)
    for postings in (
        [(account, "cash", 5), ("bank", "cash", -4)],
        [(account, "cash", 5), ("bank", "shares", -5)],
        [(account, "cash", 5)],
    ):
        entry = ledger.Entry("t1", "trick", 1, game.now, postings)
        with (
            pytest.raises(Exception, match="sum to zero"),
            game.database.write() as connection,
        ):
            ledger.record(connection, entry)
    with (
        pytest.raises(Exception, match=r"(?i)foreign key"),
        game.database.write() as connection,
    ):
        connection.execute(
            schema.postings.insert(),
            {
                "transaction_id": "t2",
                "line": 0,
                "account": account,
                "asset": "cash",
                "amount": 5,
            },
        )
    assert game.violations() == []


@pytest.mark.parametrize("table", ["postings", "transactions", "trades", "answers"])
def test_history_cannot_be_rewritten(game: Game, table: str) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 1)
    target = schema.metadata.tables[f"exchange.{table}"]
    for statement in (
        target.delete(),
        target.update().values({target.c[1].name: target.c[1]}),
    ):
        with (
            pytest.raises(Exception, match="append-only"),
            game.database.write() as connection,
        ):
            connection.execute(statement)
