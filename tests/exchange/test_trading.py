"""Quotes and trades on both databases."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange import ledger, market, pricing, quotes, schema, trading
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
    game.wait(seconds=61)
    first = game.take(ann, quote, "same")
    assert (first.status, first.body["code"]) == (409, "quote_expired")
    assert game.take(ann, quote, "same").is_replay


def test_a_quote_lives_for_sixty_seconds_and_not_longer(game: Game) -> None:
    ann = game.join("ann")
    quote = game.quote(ann, "buy", 3)
    game.wait(seconds=59.9)
    assert game.take(ann, quote).status == 200
    late = game.quote(ann, "buy", 3)
    game.wait(seconds=60)
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


def test_a_trade_is_done_at_the_price_of_now_where_it_is_better_than_the_quote(
    game: Game,
) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    game.trade(bob, "buy", 20)
    quote = game.quote(ann, "buy", 3)
    game.trade(bob, "sell", 20)
    value = game.take(ann, quote).body["value_units"]
    assert value == pricing.purchase_value(1_000_000, 4000, 0, 3) < quote["value_units"]


def forged(
    game: Game, quote: dict[str, object], **changes: object
) -> dict[str, object]:
    """The quote with other terms, signed with the exchange's own key."""
    with game.database.read() as connection:
        key = market.quote_key(connection)
    real = quotes.unseal(str(quote["quote"]), key)
    return {**quote, "quote": quotes.seal(dataclasses.replace(real, **changes), key)}  # type: ignore[arg-type]


def test_the_signature_alone_buys_nothing(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the key out of the file cannot make a price of 0.0001 with it."""
    ann = game.join("ann")
    cheap = forged(game, game.quote(ann, "buy", 15), value_units=1, fee_units=0)
    with pytest.raises(Refusal, match="price_changed") as refused:
        game.take(ann, cheap)
    assert refused.value.facts["total_units"] > 15 * 1_000_000
    assert (game.shares(ann), game.player(ann).cash_units) == (0, 200_000_000)
    # A dear sale is no sale either.
    game.trade(ann, "buy", 15)
    dear = forged(game, game.quote(ann, "sell", 15), value_units=10**9)
    with pytest.raises(Refusal, match="price_changed"):
        game.take(ann, dear)
    # The control: a believed price.
    monkeypatch.setattr(trading, "make_terms", believed)
    before = game.player(ann).cash_units
    assert game.take(ann, dear).status == 200
    assert game.player(ann).cash_units > before + 9 * 10**8


def believed(*given: Any) -> trading.Terms:
    """What a sale of fifteen shares would be if the quote were believed."""
    return trading.Terms("sell", 15, 10**9, 0, 0)


def test_a_forged_quote_lives_no_longer_and_is_as_stale_as_it_is(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 3)
    game.wait(hours=6)
    quote = game.quote(ann, "sell", 3)
    ms = quotes.milliseconds(game.now)
    later = forged(game, quote, expires_ms=ms + 3_600_000)
    assert game.take(ann, later).body["code"] == "quote_invalid"
    real = game.take(ann, quote)
    assert real.body["fee_ppm"] == 10_000 + 20_000


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


def test_a_basis_is_what_was_paid_for_and_falls_in_proportion(game: Game) -> None:
    ann = game.join("ann")
    value = game.trade(ann, "buy", 30).body["value_units"]
    holding = game.holding(ann)
    assert holding.basis_nanos == value * 10**9 // 1_000_000
    assert holding.session_basis_nanos == holding.basis_nanos
    assert game.listing().basis_nanos == holding.basis_nanos
    game.trade(ann, "sell", 7)
    left = game.holding(ann).basis_nanos
    assert left == holding.basis_nanos - -(-holding.basis_nanos * 7 // 30)
    game.trade(ann, "sell", 23)
    assert game.holding(ann).basis_nanos == game.listing().basis_nanos == 0
    assert game.violations() == []


def test_a_basis_that_was_not_posted_is_seen(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 3)
    with game.database.write() as connection:
        connection.execute(
            schema.holdings.update().values(
                basis_nanos=schema.holdings.c.basis_nanos + 1
            )
        )
    assert "basis:" in game.violations()[0]


def test_nobody_gains_from_other_peoples_purchases(game: Game) -> None:
    """The old rule, the curve alone, is the control."""
    ann, bob = game.join("ann"), game.join("bob")
    paid = game.trade(ann, "buy", 30).body["value_units"]
    game.trade(bob, "buy", 38)
    got = game.trade(ann, "sell", 30).body["value_units"]
    u = 68 * 1_000_000
    assert -pricing.exact_cost(1_000_000, 4000, u, -30) > paid + 100_000
    assert got in (paid - 1, paid)


def test_a_sale_below_the_fundamental_price_does_not_slip(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"holding_limit_pct": 100})
    ann = game.join("ann")
    game.trade(ann, "buy", 150)
    for _ in range(20):
        game.next_day()
    assert game.listing().baseline_micros > 130 * 1_000_000
    got = game.trade(ann, "sell", 140).body["value_units"]
    assert game.listing().price_units < 1_000_000
    # The first shares a little above it, the rest at the fundamental price.
    assert 140 * 1_000_000 <= got < 140 * 1_000_000 + 50_000


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


def test_a_holding_is_at_most_a_tenth_in_the_first_fourteen_days(game: Game) -> None:
    game.settings = SETTINGS.model_copy(update={"novice_days": 14})
    ann = game.join("ann")
    with pytest.raises(Refusal, match="limit_reached"):
        game.quote(ann, "buy", 20)
    for _ in range(14):
        game.next_day()
    assert game.quote(ann, "buy", 20)["shares"] == 20


def test_only_sales_at_prices_that_grow_old_cost_a_spread(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 2)
    assert game.quote(ann, "sell", 1)["fee_ppm"] == 10_000
    game.wait(hours=6)
    # z·σ·sqrt(h/24) = 2 · 2 % · sqrt(1/4)
    assert game.quote(ann, "sell", 1)["fee_ppm"] == 10_000 + 20_000
    assert game.quote(ann, "buy", 1)["fee_ppm"] == 10_000


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
    # The tables' own clock says which stored answers are old enough to go.
    game.now = datetime.now(UTC).replace(tzinfo=None)
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
