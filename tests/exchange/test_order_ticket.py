"""What is shown while an amount is typed is what a quote says, and what can be done."""

from __future__ import annotations

import random

import pytest

from exchange.errors import Refusal
from exchange.views import order_ticket
from exchange.views.order_ticket import Ticket
from tests.exchange.game import Game, artist


def tickets(game: Game, player: str, shares: int | None) -> tuple[Ticket, ...]:
    with game.database.read() as connection:
        return order_ticket.tickets(
            connection, player, game.clock, game.settings, artist("Low"), shares
        )


def test_a_ticket_and_a_quote_say_the_same(game: Game) -> None:
    ann = game.join("ann")
    game.trade(ann, "buy", 20)
    game.wait(hours=5)
    for shares in (1, 7, 19):
        for one in tickets(game, ann, shares):
            quote = game.quote(ann, one.side, shares)
            figures = one.figures
            assert figures is not None and one.refusal is None
            assert (
                figures.value_units,
                figures.fee_units,
                figures.total_units,
                figures.mean_price_units,
                one.fee_ppm,
            ) == tuple(
                quote[name]
                for name in (
                    "value_units",
                    "fee_units",
                    "total_units",
                    "price_units",
                    "fee_ppm",
                )
            )


def test_the_price_after_and_the_share_of_wealth_come_true(game: Game) -> None:
    ann = game.join("ann")
    (buy,) = tickets(game, ann, 12)
    assert buy.figures is not None
    game.trade(ann, "buy", 12)
    assert game.listing().price_units == buy.figures.price_after_units
    # Counted at the price the purchase leaves, as the limit counts it.
    assert buy.figures.wealth_ppm == 12 * buy.figures.price_after_units // 200


@pytest.mark.parametrize("seed", range(4))
def test_the_most_can_be_traded_and_one_more_cannot(game: Game, seed: int) -> None:
    rng = random.Random(seed)
    ann, bob = game.join(f"ann{seed}"), game.join(f"bob{seed}")
    game.trade(bob, "buy", rng.randint(1, 30))
    game.trade(ann, "buy", rng.randint(1, 15))
    for one in tickets(game, ann, None):
        assert game.quote(ann, one.side, one.largest_shares)
        with pytest.raises(Refusal) as refused:
            game.quote(ann, one.side, one.largest_shares + 1)
        more = tickets(game, ann, one.largest_shares + 1)
        same = next(two for two in more if two.side == one.side)
        assert (same.refusal, same.detail) == (refused.value.code, refused.value.detail)


def test_an_amount_beyond_all_reason_has_no_figures(game: Game) -> None:
    ann = game.join("ann")
    (buy,) = tickets(game, ann, game.settings.max_order_shares)
    assert (buy.figures, buy.refusal) == (None, "insufficient_funds")
    assert buy.is_open_first is False


def test_now_is_dear_from_two_per_cent_on(game: Game) -> None:
    """Fee and own impact together; the control is the share with which it begins."""
    ann = game.join("ann")
    # b is 4,000 shares: buying Q costs 1 % and about Q / 8,000 over the price.
    firsts = {}
    for shares in (70, 90):
        (buy,) = tickets(game, ann, shares)
        assert buy.figures is not None
        firsts[shares] = (buy.figures.cost_ppm > 20_000, buy.is_open_first)
    assert firsts == {70: (False, False), 90: (True, True)}


def test_a_closed_market_still_tells_the_figures_and_why_not(game: Game) -> None:
    ann = game.join("ann")
    game.close()
    (buy,) = tickets(game, ann, 3)
    assert buy.refusal == "market_closed" and buy.figures is not None
    assert buy.reserve_units > buy.figures.total_units
