"""The order of a settlement, in one transaction.

New prices in, delisted artists sold back, orders for the open cleared, leavers sold,
the baseline decays, closing prices, dividends, points and net worth, the season,
trophies, boards, the economy, the books checked and sealed.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, select

from exchange import ledger, market, player_request, players, schema
from exchange.clock import Clock
from exchange.errors import Refusal
from exchange.settings import ExchangeSettings
from exchange.settlement.accounts import write_accounts
from exchange.settlement.boards import write_boards
from exchange.settlement.clearing import ClearedOrders, clear_orders
from exchange.settlement.contract import Close, Settled, SettlementInputs
from exchange.settlement.dividends import Dividends, pay_dividends
from exchange.settlement.listings import (
    Listings,
    close_prices,
    read_listings,
    take_prices,
    write_prices,
)
from exchange.settlement.report import begin_next_session, write_economy
from exchange.settlement.season import end_season, find_season
from exchange.settlement.trophies import award_trophies


@dataclass(frozen=True)
class _MarketClose:
    """What trading at the close came to."""

    listings: Listings
    """As they stand at the closing prices."""
    orders: ClearedOrders
    dividends: Dividends


def settle(
    connection: Connection,
    clock: Clock,
    settings: ExchangeSettings,
    inputs: SettlementInputs,
    *,
    fence: int = 0,
) -> Settled:
    """Settle one day in the given transaction, or nothing at all.

    Raises:
        Refusal: `wrong_order` when a day before is missing, `superseded` for an older
            run, `invalid_request` while the market is open, `market_halted`,
            `violated` when the books do not balance (the caller halts the market).
    """
    state = market.lock(connection)
    day = inputs.settled_date
    before = connection.execute(
        select(schema.settlements).where(schema.settlements.c.settled_date == day)
    ).first()
    if before is not None:
        return Settled(day, before.outcome, is_repeat=True)
    _check_turn(state, day, fence)
    close = Close(settings, inputs, state, clock(), fence)
    season = find_season(connection, day)
    if inputs.is_rolled:
        traded = _MarketClose(read_listings(connection), ClearedOrders(), Dividends())
    else:
        traded = _close_market(connection, clock, close)
    points = write_prices(
        connection, close, traded.listings, traded.orders, traded.dividends
    )
    accounts = write_accounts(
        connection, close, season, traded.listings, points, traded.dividends
    )
    results = end_season(connection, close, season, accounts)
    award_trophies(connection, close, accounts, results)
    write_boards(connection, day, accounts)
    write_economy(
        connection,
        close,
        season,
        traded.listings,
        traded.orders,
        traded.dividends,
        accounts,
    )
    broken = ledger.violations(connection)
    if broken:
        raise Refusal("violated", "; ".join(broken[:5]), violations=broken)
    ledger.checkpoint(connection, close.session, day)
    begin_next_session(connection, close)
    player_request.forget_old_answers(connection, clock)
    return Settled(
        day,
        close.outcome,
        traded.orders.filled,
        traded.dividends.paid_units,
        len(accounts),
    )


def last_settled(connection: Connection) -> date | None:
    """The last day that has been settled."""
    return connection.execute(select(schema.market.c.last_settled_date)).scalar()


def _close_market(connection: Connection, clock: Clock, close: Close) -> _MarketClose:
    """Prices, orders, leavers and dividends of a day with complete data."""
    listings = take_prices(connection, close)
    orders = clear_orders(connection, close, listings)
    players.liquidate_leavers(connection, clock, close.market)
    listings = close_prices(connection, close, read_listings(connection))
    return _MarketClose(listings, orders, pay_dividends(connection, close, listings))


def _check_turn(state: market.Market, day: date, fence: int) -> None:
    if fence and fence < state.fence:
        raise Refusal(
            "superseded", f"run {state.fence} holds the market; run {fence} is older"
        )
    if state.state == "halted":
        raise Refusal("market_halted", "The market is halted.", reason=state.reason)
    if state.state != "closed":
        raise Refusal("invalid_request", "close the market before settling a day")
    if state.last_settled_date is not None:
        due = state.last_settled_date + timedelta(days=1)
        if day != due:
            raise Refusal("wrong_order", f"the next day to settle is {due}, not {day}")
