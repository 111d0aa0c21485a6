"""The last rows of a settlement: the economy's report, its own, the next session's."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from exchange import ledger, schema
from exchange.settlement.clearing import ClearedOrders
from exchange.settlement.contract import Account, Close
from exchange.settlement.dividends import Dividends
from exchange.settlement.season import Season

_listed = schema.listings.c
_held = schema.holdings.c


def write_economy(
    connection: Connection,
    close: Close,
    season: Season,
    listings: Mapping[str, Row[Any]],
    orders: ClearedOrders,
    dividends: Dividends,
    accounts: Sequence[Account],
) -> None:
    """Write the report of the day, and the settlement's own row."""
    totals = ledger.balances(connection)
    traded = _traded(connection, close.session)
    connection.execute(
        insert(schema.economy_days).values(
            economy_date=close.day,
            players=len(accounts),
            active_players=int(traded.players),
            money_supply_units=totals["cash_units"] + totals["fees_units"],
            holdings_units=sum(account.day.holdings_units for account in accounts),
            fees_units=int(traded.fees),
            issuance_units=0,
            starting_grants_units=_grants(connection, close.session),
            dividends_units=dividends.paid_units,
            carried_units=dividends.unpaid_units,
            house_cash_units=totals["house_cash_units"],
            house_exposure_units=totals["house_exposure_units"],
            trades=int(traded.trades),
            orders_filled=orders.filled,
            value_traded_units=int(traded.value),
            listed_artists=sum(row.is_listed for row in listings.values()),
            halted_artists=sum(
                row.is_listed and (row.is_halted or row.is_suspended)
                for row in listings.values()
            ),
            is_rolled=close.inputs.is_rolled,
        )
    )
    connection.execute(
        insert(schema.settlements).values(
            settled_date=close.day,
            outcome=close.outcome,
            reason=close.inputs.reason,
            version=close.inputs.version,
            fence=close.fence,
            session=close.session,
            season=season.number,
            orders_filled=orders.filled,
            pool_units=dividends.pool_units,
            dividends_units=dividends.paid_units,
            carried_units=dividends.unpaid_units,
            settled_at=close.now,
        )
    )


def _traded(connection: Connection, session: int) -> Row[Any]:
    """Trades, their value and fees, and the players who traded in a session."""
    trade = schema.trades.c
    return connection.execute(
        select(
            func.count().label("trades"),
            func.coalesce(func.sum(trade.value_units), 0).label("value"),
            func.coalesce(func.sum(trade.fee_units), 0).label("fees"),
            func.count(trade.player_id.distinct()).label("players"),
        ).where(trade.session == session)
    ).one()


def _grants(connection: Connection, session: int) -> int:
    """Starting cash given out in a session, in units."""
    posting, header = schema.postings.c, schema.transactions.c
    moved: int = connection.execute(
        select(func.coalesce(func.sum(posting.amount), 0))
        .join(schema.transactions, header.transaction_id == posting.transaction_id)
        .where(
            header.session == session,
            posting.account == ledger.BANK,
            header.kind.like("grant:%"),
        )
    ).scalar_one()
    return -int(moved)


def begin_next_session(connection: Connection, close: Close) -> None:
    """Set the session's counters to zero and shift the holdings' closes by one day."""
    connection.execute(
        update(schema.listings)
        .where(_listed.session_trades > 0)
        .values(session_trades=0, session_shares=0)
    )
    connection.execute(
        delete(schema.holdings).where(
            _held.shares == 0,
            _held.close_shares == 0,
            _held.previous_close_shares == 0,
        )
    )
    connection.execute(
        update(schema.holdings).values(
            previous_close_shares=_held.close_shares, close_shares=_held.shares
        )
    )
    changes: dict[str, Any] = {
        "session": close.session + 1,
        "last_settled_date": close.day,
        "fence": max(close.fence, close.market.fence),
    }
    if not close.inputs.is_rolled:
        changes |= {
            "version": close.inputs.version,
            "priced_at": close.inputs.priced_at,
        }
    connection.execute(update(schema.market).values(**changes))
