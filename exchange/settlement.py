"""The close of a day: once, in order, in one transaction.

In this order: new prices in, delisted artists sold back, orders for the open cleared,
leavers sold, the baseline decays, closing prices, dividends, points and net worth,
the season, trophies, boards, the economy, the books checked and sealed. The market
must be closed. What comes from the warehouse is passed by value.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from exchange import (
    auction,
    boards,
    leagues,
    ledger,
    market,
    players,
    pricing,
    schema,
    trading,
    trophies,
)
from exchange.clock import Clock, days_before, new_id
from exchange.errors import Refusal
from exchange.settings import PPM, ExchangeSettings

_listed = schema.listings.c
_held = schema.holdings.c
_player = schema.players.c


@dataclass(frozen=True)
class ArtistValue:
    """What the published marts say of one artist on one day, in whole numbers."""

    artist_id: str
    artist_name: str
    fundamental_price_units: int
    sigma_ppm: int = 0
    surprise_milli: int = 0
    is_listed: bool = True
    is_halted: bool = False
    halt_reason: str | None = None
    top_tag: str | None = None
    listeners: int = 0


@dataclass(frozen=True)
class SettlementInputs:
    """Everything a settlement takes from outside."""

    settled_date: date
    version: str
    priced_at: datetime
    artists: Sequence[ArtistValue] = ()
    is_rolled: bool = False
    """The day's load is incomplete: the market stays on the close before."""
    reason: str | None = None
    new_number_ones: frozenset[str] = field(default_factory=frozenset)
    merged: frozenset[str] = field(default_factory=frozenset)
    """Artists last.fm has found to be another spelling of one it has already."""


@dataclass(frozen=True)
class Settled:
    """What a settlement did; `is_repeat` when the day had been settled before."""

    settled_date: date
    outcome: str
    orders_filled: int = 0
    dividends_units: int = 0
    players: int = 0
    is_repeat: bool = False


def settle(
    connection: Connection,
    clock: Clock,
    settings: ExchangeSettings,
    inputs: SettlementInputs,
    *,
    fence: int = 0,
) -> Settled:
    """Settle one day in the transaction at hand, or nothing at all.

    Raises:
        Refusal: `wrong_order` when a day before is missing, `superseded` for an older
            run, `invalid_request` while the market is open, `market_halted`,
            `violated` when the books do not add up (the caller halts the market).
    """
    state = market.hold(connection)
    day = inputs.settled_date
    before = connection.execute(
        select(schema.settlements).where(schema.settlements.c.settled_date == day)
    ).first()
    if before is not None:
        return Settled(day, before.outcome, is_repeat=True)
    _check_turn(state, day, fence)
    close = _Close(connection, clock, settings, inputs, state)
    close.begin()
    if not inputs.is_rolled:
        close.take_prices()
        close.clear_orders()
        close.sell_leavers()
        close.strike_prices()
        close.pay_dividends()
    close.write_prices()
    close.strike_accounts()
    close.turn_season()
    close.award_trophies()
    close.write_boards()
    close.write_economy(fence)
    broken = ledger.violations(connection)
    if broken:
        raise Refusal("violated", "; ".join(broken[:5]), violations=broken)
    ledger.checkpoint(connection, state.session, day)
    close.finish(fence)
    return Settled(
        day,
        "rolled" if inputs.is_rolled else "settled",
        close.orders_filled,
        close.dividends_units,
        len(close.accounts),
    )


def last_settled(connection: Connection) -> date | None:
    """The last day that has been settled."""
    return connection.execute(select(schema.market.c.last_settled_date)).scalar()


def _check_turn(state: market.Market, day: date, fence: int) -> None:
    if fence and fence < state.fence:
        raise Refusal("superseded", f"run {state.fence} has the market, not {fence}")
    if state.state == "halted":
        raise Refusal("market_halted", "The market is halted.", reason=state.reason)
    if state.state != "closed":
        raise Refusal("invalid_request", "close the market before settling a day")
    if state.last_settled_date is not None:
        due = state.last_settled_date + timedelta(days=1)
        if day != due:
            raise Refusal("wrong_order", f"the next day to settle is {due}, not {day}")


class _Close:
    """One settlement at work; every method is a step, in the order of `settle`."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        settings: ExchangeSettings,
        inputs: SettlementInputs,
        state: market.Market,
    ) -> None:
        self.connection = connection
        self.clock = clock
        self.settings = settings
        self.inputs = inputs
        self.state = state
        self.day = inputs.settled_date
        self.now = clock()
        self.key = market.quote_key(connection)
        self.orders_filled = 0
        self.pool_units = 0
        self.dividends_units = 0
        self.issuance_units = 0
        self.clearing_prices: dict[str, int] = {}
        self.artist_dividends: dict[str, int] = defaultdict(int)
        self.player_dividends: dict[str, int] = defaultdict(int)
        self.season_results: dict[str, leagues.Result] = {}
        self.accounts: list[dict[str, Any]] = []
        self.season = 0

    def begin(self) -> None:
        """Find the season, or begin the first; sum up the fees of the session."""
        season = self.connection.execute(
            select(schema.seasons).where(schema.seasons.c.end_date.is_(None))
        ).first()
        if season is None:
            self.connection.execute(
                insert(schema.seasons).values(season=1, start_date=self.day)
            )
            self.season, self.season_start = 1, self.day
        else:
            self.season, self.season_start = season.season, season.start_date

    # Prices ------------------------------------------------------------------

    def take_prices(self) -> None:
        """List, halt, delist, and set today's fundamental prices."""
        known = {row.artist_id: row for row in self._listings()}
        values = {value.artist_id: value for value in self.inputs.artists}
        fresh, changed = [], []
        for value in values.values():
            row = known.get(value.artist_id)
            if row is None:
                if value.is_listed and value.fundamental_price_units > 0:
                    fresh.append(self._new_listing(value))
            elif row.is_listed and not value.is_listed and not value.is_halted:
                self._delist(row, "delisted")
            elif value.is_listed and value.fundamental_price_units > 0:
                changed.append(self._changed_listing(row, value))
        gone = [
            row
            for row in known.values()
            if row.is_listed
            and row.artist_id in self.inputs.merged
            and row.artist_id not in values
        ]
        for row in gone:
            self._delist(row, "merged with another artist")
        if fresh:
            self.connection.execute(insert(schema.listings), fresh)
        if changed:
            self._update_listings(changed)
        missing = [
            {"which": row.artist_id, "new_is_halted": True, "new_reason": "no value"}
            for row in known.values()
            if row.is_listed
            and row not in gone
            and (
                row.artist_id not in values
                or (
                    not values[row.artist_id].is_listed
                    and values[row.artist_id].is_halted
                )
            )
        ]
        if missing:
            self.connection.execute(
                update(schema.listings)
                .where(_listed.artist_id == bindparam("which"))
                .values(
                    is_halted=bindparam("new_is_halted"),
                    halt_reason=bindparam("new_reason"),
                    surprise_milli=0,
                ),
                missing,
            )

    def _new_listing(self, value: ArtistValue) -> dict[str, Any]:
        price = value.fundamental_price_units
        return {
            "artist_id": value.artist_id,
            "artist_name": value.artist_name,
            "top_tag": value.top_tag,
            "is_halted": value.is_halted,
            "halt_reason": value.halt_reason,
            "fundamental_price_units": price,
            "price_units": price,
            "close_price_units": price,
            "previous_close_units": price,
            "depth_shares": pricing.depth_for(self.settings, price),
            "sigma_ppm": value.sigma_ppm,
            "surprise_milli": value.surprise_milli,
            "listeners": value.listeners,
            "listed_date": self.day,
        }

    def _changed_listing(self, row: Row[Any], value: ArtistValue) -> dict[str, Any]:
        returns = not row.is_listed
        price = value.fundamental_price_units
        baseline = 0 if returns else row.baseline_micros
        depth = pricing.depth_for(self.settings, price) if returns else row.depth_shares
        u = pricing.displacement(row.net_shares, baseline)
        return {
            "which": row.artist_id,
            "new_name": value.artist_name,
            "new_tag": value.top_tag,
            "new_is_halted": value.is_halted,
            "new_reason": value.halt_reason
            or (row.halt_reason if row.is_suspended else None),
            "new_fundamental": price,
            "new_price": pricing.spot(price, depth, u),
            "new_baseline": baseline,
            "new_depth": depth,
            "new_sigma": value.sigma_ppm,
            "new_surprise": value.surprise_milli,
            "new_listeners": value.listeners,
        }

    def _update_listings(self, changed: list[dict[str, Any]]) -> None:
        self.connection.execute(
            update(schema.listings)
            .where(_listed.artist_id == bindparam("which"))
            .values(
                is_listed=True,
                artist_name=bindparam("new_name"),
                top_tag=bindparam("new_tag"),
                is_halted=bindparam("new_is_halted"),
                halt_reason=bindparam("new_reason"),
                fundamental_price_units=bindparam("new_fundamental"),
                price_units=bindparam("new_price"),
                baseline_micros=bindparam("new_baseline"),
                depth_shares=bindparam("new_depth"),
                sigma_ppm=bindparam("new_sigma"),
                surprise_milli=bindparam("new_surprise"),
                listeners=bindparam("new_listeners"),
                curve_version=_listed.curve_version + 1,
            ),
            changed,
        )

    def _delist(self, listing: Row[Any], reason: str) -> None:
        """Sell everybody back at the last price, but never above the fundamental.

        Above it, the last price is what buyers alone have made of it: somebody could
        push an artist that is about to go and be paid the top for every share.
        """
        price = min(listing.price_units, listing.fundamental_price_units)
        for holding in self._holders(listing.artist_id):
            trading.execute(
                self.connection,
                holding.player_id,
                self._listing(listing.artist_id),
                side="sell",
                shares=holding.shares,
                value_units=price * holding.shares,
                fee_units=0,
                kind="delisted",
                session=self.state.session,
                version=self.state.version,
                now=self.now,
                holding=holding,
            )
        self.connection.execute(
            update(schema.listings)
            .where(_listed.artist_id == listing.artist_id)
            .values(
                is_listed=False,
                is_halted=False,
                halt_reason=reason,
                price_units=price,
                surprise_milli=0,
                baseline_micros=0,
            )
        )
        self.connection.execute(
            update(schema.orders)
            .where(
                schema.orders.c.artist_id == listing.artist_id,
                schema.orders.c.state == "queued",
            )
            .values(state="cancelled", reason=reason, ended_at=self.now)
        )

    # Orders ------------------------------------------------------------------

    def clear_orders(self) -> None:
        """One auction per artist; orders of halted artists wait for the next close."""
        queued: dict[str, list[Row[Any]]] = defaultdict(list)
        placed = schema.orders.c
        for order in self.connection.execute(
            select(schema.orders)
            .where(placed.state == "queued")
            .order_by(placed.artist_id, placed.placed_at, placed.order_id)
        ):
            queued[order.artist_id].append(order)
        for artist_id, waiting in sorted(queued.items()):
            listing = self._listing(artist_id)
            if listing.is_listed and not (listing.is_halted or listing.is_suspended):
                self._clear_artist(listing, waiting)

    def _clear_artist(self, listing: Row[Any], waiting: list[Row[Any]]) -> None:
        u = pricing.displacement(listing.net_shares, listing.baseline_micros)
        curve = auction.Curve(
            listing.fundamental_price_units,
            listing.depth_shares,
            u,
            pricing.impact_bound_micros(self.settings, listing.depth_shares),
        )
        traders = self._traders(listing, {order.player_id for order in waiting})
        allowed = {order.order_id: order.shares for order in waiting}
        reasons: dict[str, str] = {}

        def attempt() -> tuple[auction.Cleared, dict[str, tuple[int, str]]]:
            bids = [
                auction.Bid(o.order_id, o.side, allowed[o.order_id], o.limit_units)
                for o in waiting
                if allowed[o.order_id] > 0
            ]
            cleared = auction.clear(bids, curve)
            return cleared, self._cuts(listing, waiting, cleared, traders)

        cleared, cuts = attempt()
        while cuts:
            # The last to come gives way first, and only as far as it must: with fewer
            # shares the price changes, and what can be paid with it.
            order_id = max(cuts)
            low, reasons[order_id] = cuts[order_id]
            high = cleared.fills[order_id] - 1
            while low < high:
                allowed[order_id] = (low + high + 1) // 2
                if order_id in attempt()[1]:
                    high = allowed[order_id] - 1
                else:
                    low = allowed[order_id]
            allowed[order_id] = low
            cleared, cuts = attempt()
        # Sales first, so that what they bring can pay for what is bought.
        for order in sorted(waiting, key=lambda o: o.side == "buy"):
            self._fill(listing, order, cleared, reasons.get(order.order_id))
        if cleared.fills:
            self.clearing_prices[listing.artist_id] = pricing.floor(cleared.price)

    def _traders(
        self, listing: Row[Any], player_ids: set[str]
    ) -> dict[str, tuple[Row[Any], int, int]]:
        """Each player with an order: the row, the shares held, the net worth."""
        found = {}
        for player_id in sorted(player_ids):
            player = self.connection.execute(
                select(schema.players).where(_player.player_id == player_id)
            ).one()
            held = self.connection.execute(
                select(_held.shares).where(
                    _held.player_id == player_id, _held.artist_id == listing.artist_id
                )
            ).scalar()
            worth = trading.net_worth(self.connection, player_id, player.cash_units)
            found[player_id] = (player, held or 0, worth)
        return found

    def _cuts(
        self,
        listing: Row[Any],
        waiting: list[Row[Any]],
        cleared: auction.Cleared,
        traders: dict[str, tuple[Row[Any], int, int]],
    ) -> dict[str, tuple[int, str]]:
        """Fills that a player cannot deliver, pay or hold, and what is left of them."""
        cuts: dict[str, tuple[int, str]] = {}
        rate = self.settings.base_fee_ppm
        after = pricing.spot(
            listing.fundamental_price_units,
            listing.depth_shares,
            pricing.displacement(
                listing.net_shares + cleared.net, listing.baseline_micros
            ),
        )
        cash: dict[str, int] = {p: row.cash_units for p, (row, _, _) in traders.items()}
        held: dict[str, int] = {p: shares for p, (_, shares, _) in traders.items()}
        for order in waiting:
            filled = cleared.fills.get(order.order_id, 0)
            if order.side == "sell" and filled:
                possible = min(filled, held[order.player_id])
                if possible < filled:
                    cuts[order.order_id] = (possible, "insufficient_shares")
                held[order.player_id] -= possible
                value = pricing.value_at(cleared.price, -possible)
                cash[order.player_id] += value - pricing.sale_fee_of(value, rate)
        for order in waiting:
            filled = cleared.fills.get(order.order_id, 0)
            if order.side == "sell" or not filled:
                continue
            player, _, worth = traders[order.player_id]
            pct = self.settings.holding_limit_pct
            limit = worth * pct // 100
            if trading.is_novice(self.settings, player, self.now):
                limit //= 2
            room = max(0, limit // after - held[order.player_id])
            payable = pricing.affordable(cash[order.player_id], cleared.price, rate)
            possible = min(filled, room, payable)
            if possible < filled:
                reason = "limit_reached" if room < payable else "insufficient_funds"
                cuts[order.order_id] = (possible, reason)
            value = pricing.value_at(cleared.price, possible)
            cash[order.player_id] -= value + pricing.fee_of(value, rate)
            held[order.player_id] += possible
        return cuts

    def _fill(
        self,
        listing: Row[Any],
        order: Row[Any],
        cleared: auction.Cleared,
        reason: str | None,
    ) -> None:
        shares = cleared.fills.get(order.order_id, 0)
        price: int | None = None
        if shares:
            signed = shares if order.side == "buy" else -shares
            value = pricing.value_at(cleared.price, signed)
            holding = self.connection.execute(
                select(_held.shares, _held.cost_units).where(
                    _held.player_id == order.player_id,
                    _held.artist_id == order.artist_id,
                )
            ).first()
            trading.execute(
                self.connection,
                order.player_id,
                self._listing(listing.artist_id),
                side=order.side,
                shares=shares,
                value_units=value,
                fee_units=trading.fee(order.side, value, self.settings.base_fee_ppm),
                kind="open",
                session=self.state.session,
                version=self.inputs.version,
                now=self.now,
                holding=holding,
                order_id=order.order_id,
            )
            self.orders_filled += 1
            price = value // shares
        state = "filled" if shares == order.shares else "part_filled"
        self.connection.execute(
            update(schema.orders)
            .where(schema.orders.c.order_id == order.order_id)
            .values(
                state=state if shares else "unfilled",
                reason=None if state == "filled" else (reason or "limit_price"),
                filled_shares=shares,
                price_units=price,
                settled_date=self.day,
                ended_at=self.now,
            )
        )

    def sell_leavers(self) -> None:
        players.liquidate_leavers(self.connection, self.clock, self.state)

    # Close -------------------------------------------------------------------

    def strike_prices(self) -> None:
        """Let the baseline come nearer, and strike the closing prices."""
        changes = []
        for row in self._listings():
            if not row.is_listed:
                continue
            baseline = pricing.decayed(
                self.settings, row.net_shares, row.baseline_micros
            )
            price = pricing.spot(
                row.fundamental_price_units,
                row.depth_shares,
                pricing.displacement(row.net_shares, baseline),
            )
            changes.append(
                {
                    "which": row.artist_id,
                    "new_baseline": baseline,
                    "new_price": price,
                    "new_previous": row.close_price_units,
                }
            )
        if changes:
            self.connection.execute(
                update(schema.listings)
                .where(_listed.artist_id == bindparam("which"))
                .values(
                    baseline_micros=bindparam("new_baseline"),
                    price_units=bindparam("new_price"),
                    close_price_units=bindparam("new_price"),
                    previous_close_units=bindparam("new_previous"),
                    curve_version=_listed.curve_version + 1,
                ),
                changes,
            )

    def pay_dividends(self) -> None:
        """Split the fees and the issuance by what was held when nobody knew."""
        fees = {row.artist_id: row.fees_units for row in self._listings()}
        self.pool_units = sum(fees.values())
        weights = self._weights()
        if not weights:
            return
        active = self.connection.execute(
            select(func.count()).where(_player.left_at.is_(None))
        ).scalar_one()
        self.issuance_units = self.settings.issuance_per_player_units * active
        self.pool_units += self.issuance_units
        shares = split(
            self.pool_units, {key: weight for key, (_, weight) in weights.items()}
        )
        entry = ledger.Entry(
            new_id(self.now), "dividends", self.state.session, self.now
        )
        lines = [
            (ledger.fees_account(artist), ledger.CASH, -amount)
            for artist, amount in fees.items()
        ]
        lines.append((ledger.BANK, ledger.CASH, -self.issuance_units))
        rows = []
        for (player_id, artist_id), amount in sorted(shares.items()):
            eligible, weight = weights[player_id, artist_id]
            self.artist_dividends[artist_id] += amount
            self.player_dividends[player_id] += amount
            lines.append((ledger.player_account(player_id), ledger.CASH, amount))
            rows.append(
                {
                    "dividend_date": self.day,
                    "player_id": player_id,
                    "artist_id": artist_id,
                    "shares": eligible,
                    "weight": weight,
                    "amount_units": amount,
                }
            )
        self.dividends_units = self.pool_units
        if self.pool_units:
            entry.postings = lines
            ledger.post(self.connection, entry)
        self.connection.execute(insert(schema.dividends), rows)

    def _weights(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Eligible shares and weight of each holding.

        The surprise is that of two days ago, and only shares held at that close, the
        next and now count: all were bought before the surprise was published.
        """
        price = schema.prices.c
        cap = self.settings.dividend_surprise_cap_milli
        surprises = {
            row.artist_id: min(row.surprise_milli, cap)
            for row in self.connection.execute(
                select(price.artist_id, price.surprise_milli).where(
                    price.price_date == days_before(self.day, 2),
                    price.surprise_milli > 0,
                )
            )
        }
        weights = {}
        for row in self.connection.execute(
            select(schema.holdings)
            .join(schema.players, _player.player_id == _held.player_id)
            .where(_held.shares > 0, _player.left_at.is_(None))
        ):
            eligible = min(row.shares, row.close_shares, row.previous_close_shares)
            weight = eligible * surprises.get(row.artist_id, 0)
            if weight > 0:
                weights[row.player_id, row.artist_id] = (eligible, weight)
        return weights

    def write_prices(self) -> None:
        """The day's row of every listed artist."""
        cap = self.settings.dividend_surprise_cap_milli
        price = schema.prices.c
        points = {
            row.artist_id: max(0, min(row.surprise_milli, cap)) // 10
            for row in self.connection.execute(
                select(price.artist_id, price.surprise_milli).where(
                    price.price_date == days_before(self.day, 2)
                )
            )
        }
        self.points = {} if self.inputs.is_rolled else points
        rows = [
            {
                "price_date": self.day,
                "artist_id": row.artist_id,
                "fundamental_price_units": row.fundamental_price_units,
                "close_price_units": row.price_units,
                "clearing_price_units": self.clearing_prices.get(row.artist_id),
                "surprise_milli": 0 if self.inputs.is_rolled else row.surprise_milli,
                "points": self.points.get(row.artist_id, 0),
                "net_shares": row.net_shares,
                "baseline_micros": row.baseline_micros,
                "trades": row.session_trades,
                "shares_traded": row.session_shares,
                "dividend_units": self.artist_dividends.get(row.artist_id, 0),
                "is_listed": row.is_listed,
                "is_halted": row.is_halted or row.is_suspended,
            }
            for row in self._listings()
            if row.is_listed or row.session_trades
        ]
        if rows:
            self.connection.execute(insert(schema.prices), rows)

    # Accounts ----------------------------------------------------------------

    def strike_accounts(self) -> None:
        """Every player's worth, return and points at the close."""
        prices = {row.artist_id: row.price_units for row in self._listings()}
        worth: dict[str, int] = defaultdict(int)
        scored: dict[str, int] = defaultdict(int)
        for row in self.connection.execute(
            select(_held.player_id, _held.artist_id, _held.shares).where(
                _held.shares > 0
            )
        ):
            value = row.shares * prices[row.artist_id]
            worth[row.player_id] += value
            scored[row.player_id] += value * self.points.get(row.artist_id, 0)
        traded = self._traded()
        moves = []
        self.rows = self.connection.execute(
            select(schema.players)
            .where(_player.left_at.is_(None))
            .order_by(_player.player_id)
        ).all()
        for row in self.rows:
            total = row.cash_units + worth[row.player_id]
            points = scored[row.player_id] // total if total else 0
            index = max(1, row.wealth_index * total // row.base_units)
            life = max(1, row.life_index * total // row.base_units)
            trades, fees = traded.get(row.player_id, (0, 0))
            self.accounts.append(
                {
                    "player_id": row.player_id,
                    "account_date": self.day,
                    "life": row.life,
                    "cash_units": row.cash_units,
                    "holdings_units": worth[row.player_id],
                    "worth_units": total,
                    "base_units": row.base_units,
                    "dividends_units": self.player_dividends.get(row.player_id, 0),
                    "fees_units": fees,
                    "trades": trades,
                    "points": points,
                    "wealth_index": index,
                    "life_index": life,
                    "season": self.season,
                    "league_tier": row.league_tier,
                    "cohort": row.cohort,
                }
            )
            moves.append(
                {
                    "who": row.player_id,
                    "new_index": index,
                    "new_life": life,
                    "new_base": max(1, total),
                    "more_points": points,
                }
            )
        if self.accounts:
            self.connection.execute(insert(schema.account_days), self.accounts)
            self.connection.execute(
                update(schema.players)
                .where(_player.player_id == bindparam("who"))
                .values(
                    wealth_index=bindparam("new_index"),
                    life_index=bindparam("new_life"),
                    base_units=bindparam("new_base"),
                    points=_player.points + bindparam("more_points"),
                ),
                moves,
            )

    def _traded(self) -> dict[str, tuple[int, int]]:
        """Trades and fees of the session, by player."""
        trade = schema.trades.c
        return {
            row.player_id: (int(row.trades), int(row.fees))
            for row in self.connection.execute(
                select(
                    trade.player_id,
                    func.count().label("trades"),
                    func.sum(trade.fee_units).label("fees"),
                )
                .where(trade.session == self.state.session)
                .group_by(trade.player_id)
            )
        }

    def turn_season(self) -> None:
        """On the season's last day: results, promotions, new cohorts."""
        if not leagues.is_last_day(
            self.settings, self.key, self.season, self.season_start, self.day
        ):
            return
        starts = {row.player_id: row.season_index for row in self.rows}
        standings = [
            leagues.Standing(
                account["player_id"],
                account["league_tier"],
                account["cohort"],
                boards.return_ppm(
                    account["wealth_index"], starts[account["player_id"]]
                ),
            )
            for account in self.accounts
        ]
        results = leagues.turn_season(
            self.connection,
            self.settings,
            self.key,
            self.season,
            self.day,
            standings,
        )
        self.season_results = {result.player_id: result for result in results}
        self.connection.execute(
            update(schema.players).values(season_index=_player.wealth_index)
        )

    def award_trophies(self) -> None:
        holdings: dict[str, list[trophies.Held]] = defaultdict(list)
        for row in self.connection.execute(
            select(schema.holdings, _listed.top_tag)
            .join(schema.listings, _listed.artist_id == _held.artist_id)
            .where(_held.shares > 0)
            .order_by(_held.artist_id)
        ):
            holdings[row.player_id].append(
                trophies.Held(
                    row.artist_id,
                    row.top_tag,
                    min(row.shares, row.close_shares),
                    (self.now - row.held_since).days if row.held_since else 0,
                )
            )
        order = schema.orders.c
        opened: set[str] = set(
            self.connection.execute(
                select(order.player_id)
                .where(order.settled_date == self.day, order.filled_shares > 0)
                .distinct()
            ).scalars()
        )
        evidence = []
        for account in self.accounts:
            player_id = account["player_id"]
            result = self.season_results.get(player_id)
            evidence.append(
                trophies.Evidence(
                    player_id,
                    account["life"],
                    account["worth_units"],
                    account["trades"] > 0,
                    player_id in opened,
                    account["dividends_units"],
                    tuple(holdings[player_id]),
                    result.rank if result else None,
                    bool(result and result.movement == "promoted"),
                )
            )
        trophies.award(self.connection, self.day, evidence, self.inputs.new_number_ones)

    def write_boards(self) -> None:
        boards.write(
            self.connection,
            self.day,
            self.accounts,
            {row.player_id: row.season_index for row in self.rows},
        )

    def write_economy(self, fence: int) -> None:
        """The report of the day, and the settlement's own row."""
        totals = ledger.balances(self.connection)
        trade = schema.trades.c
        traded = self.connection.execute(
            select(
                func.count().label("trades"),
                func.coalesce(func.sum(trade.value_units), 0).label("value"),
                func.coalesce(func.sum(trade.fee_units), 0).label("fees"),
                func.count(trade.player_id.distinct()).label("players"),
            ).where(trade.session == self.state.session)
        ).one()
        posting, header = schema.postings.c, schema.transactions.c
        granted: int = self.connection.execute(
            select(func.coalesce(func.sum(posting.amount), 0))
            .join(
                schema.transactions,
                header.transaction_id == posting.transaction_id,
            )
            .where(
                header.session == self.state.session,
                posting.account == ledger.BANK,
                header.kind.like("grant:%"),
            )
        ).scalar_one()
        listings = self._listings()
        carried = self.pool_units - self.dividends_units
        self.connection.execute(
            insert(schema.economy_days).values(
                economy_date=self.day,
                players=len(self.accounts),
                active_players=int(traded.players),
                money_supply_units=totals["cash_units"] + totals["fees_units"],
                holdings_units=sum(a["holdings_units"] for a in self.accounts),
                fees_units=int(traded.fees),
                issuance_units=self.issuance_units,
                starting_grants_units=-int(granted),
                dividends_units=self.dividends_units,
                carried_units=carried,
                house_cash_units=totals["house_cash_units"],
                house_exposure_units=totals["house_exposure_units"],
                trades=int(traded.trades),
                orders_filled=self.orders_filled,
                value_traded_units=int(traded.value),
                listed_artists=sum(row.is_listed for row in listings),
                halted_artists=sum(
                    row.is_listed and (row.is_halted or row.is_suspended)
                    for row in listings
                ),
                is_rolled=self.inputs.is_rolled,
            )
        )
        self.connection.execute(
            insert(schema.settlements).values(
                settled_date=self.day,
                outcome="rolled" if self.inputs.is_rolled else "settled",
                reason=self.inputs.reason,
                version=self.inputs.version,
                fence=fence,
                session=self.state.session,
                season=self.season,
                orders_filled=self.orders_filled,
                pool_units=self.pool_units,
                dividends_units=self.dividends_units,
                carried_units=carried,
                settled_at=self.now,
            )
        )

    def finish(self, fence: int) -> None:
        """Begin the next session: counters back to zero, closes shifted."""
        self.connection.execute(
            update(schema.listings)
            .where(_listed.session_trades > 0)
            .values(session_trades=0, session_shares=0)
        )
        self.connection.execute(
            delete(schema.holdings).where(
                _held.shares == 0,
                _held.close_shares == 0,
                _held.previous_close_shares == 0,
            )
        )
        self.connection.execute(
            update(schema.holdings).values(
                previous_close_shares=_held.close_shares, close_shares=_held.shares
            )
        )
        changes: dict[str, Any] = {
            "session": self.state.session + 1,
            "last_settled_date": self.day,
            "fence": max(fence, self.state.fence),
        }
        if not self.inputs.is_rolled:
            changes |= {
                "version": self.inputs.version,
                "priced_at": self.inputs.priced_at,
            }
        self.connection.execute(update(schema.market).values(**changes))

    # Reading -----------------------------------------------------------------

    def _listings(self) -> Sequence[Row[Any]]:
        return self.connection.execute(
            select(schema.listings).order_by(_listed.artist_id)
        ).all()

    def _listing(self, artist_id: str) -> Row[Any]:
        return self.connection.execute(
            select(schema.listings).where(_listed.artist_id == artist_id)
        ).one()

    def _holders(self, artist_id: str) -> Sequence[Row[Any]]:
        return self.connection.execute(
            select(schema.holdings)
            .where(_held.artist_id == artist_id, _held.shares > 0)
            .order_by(_held.player_id)
        ).all()


def split(pool: int, weights: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Split a pool by weight, to the last unit: largest remainders, then the key.

    Pure; the sum of the parts is the pool, and no part is more than one unit away from
    its exact share.
    """
    total = sum(weights.values())
    parts = {key: pool * weight // total for key, weight in weights.items()}
    remainders = sorted(weights, key=lambda key: (-(pool * weights[key] % total), key))
    for key in remainders[: pool - sum(parts.values())]:
        parts[key] += 1
    return parts


def ppm(ratio: float) -> int:
    """A ratio of the marts as whole parts per million, halves to even."""
    return round(ratio * PPM)
