"""A year of the exchange with invented players, to see who gets rich and why.

Artists' counters, prices and players are invented from a seed; prices, fees, limits,
auctions and dividends are the exchange's own functions. Everything is kept in memory:
the ledger is tested elsewhere. Values follow the warehouse's formula (level and
decaying transient of log attention), so that what can be foreseen here can be foreseen
there.
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import mean, median, quantiles, stdev
from typing import Any

from exchange import auction, pricing
from exchange.adversaries import ADVERSARIES
from exchange.quotes import Side
from exchange.settings import (
    MICROS_PER_SHARE,
    PPM,
    UNITS_PER_CREDIT,
    ExchangeSettings,
)
from exchange.settlement import share_out
from exchange.value_formula import (
    LISTING_FLOOR_PLAYS,
    ValueFormula,
    ValueState,
    advance,
    day_factor,
    first_state,
    log_attention,
    log_value,
    robust_spread,
    value_formula,
)
from exchange.worlds import WEEKDAYS, WORLDS

KINDS = (
    "random",
    "momentum",
    "value",
    "index",
    "patient",
    "robot",
    "wash",
    "farm",
)
_SHARES_OF_PLAYERS = {
    "random": 0.20,
    "momentum": 0.17,
    "value": 0.17,
    "index": 0.13,
    "patient": 0.10,
    "robot": 0.08,
    "wash": 0.05,
    "farm": 0.10,
}


@dataclass(frozen=True)
class Scenario:
    """What is played; the seed decides everything else."""

    seed: int = 1
    days: int = 365
    players: int = 120
    artists: int = 200
    warm_up_days: int = 60
    world: str = "innovations"
    """One of `worlds.WORLDS`."""
    has_adversaries: bool = False
    """Whether those who try every way of cheating play as well: `adversaries`."""
    listing_floor_plays: int = LISTING_FLOOR_PLAYS
    """Artists whose median plays a day in the warm-up are fewer are not listed."""
    formula: ValueFormula = field(default_factory=value_formula)


@dataclass
class SimArtist:
    """One artist: the filter on what is seen of it, and the curve."""

    artist_id: str
    audience: float
    state: ValueState | None = None
    usual: list[float] = field(default_factory=list)
    """Log attention of the last 28 days, the day's factor still in it."""
    errors: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    surprise_milli: list[int] = field(default_factory=list)
    fundamental_units: int = 0
    value: float = 0.0
    depth_shares: int = 0
    net_shares: int = 0
    baseline_micros: int = 0
    sigma_ppm: int = 0
    fees_units: int = 0
    prices: list[int] = field(default_factory=list)
    fundamentals: list[int] = field(default_factory=list)
    plays: list[float] = field(default_factory=list)

    @property
    def displacement(self) -> int:
        return pricing.displacement(self.net_shares, self.baseline_micros)

    @property
    def price_units(self) -> int:
        return pricing.spot(
            self.fundamental_units, self.depth_shares, self.displacement
        )


@dataclass
class SimPlayer:
    """One player and what it holds."""

    player_id: str
    kind: str
    cash_units: int
    shares: dict[str, int] = field(default_factory=dict)
    basis: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    """The part of the basis that was bought "now" since the last close."""
    closes: list[dict[str, int]] = field(default_factory=list)
    worth: list[int] = field(default_factory=list)
    dividends_units: int = 0
    fees_units: int = 0
    trades: int = 0
    note: dict[str, Any] = field(default_factory=dict)
    is_helper: bool = False
    """An account that a scheme spends; it is not in the results."""


@dataclass(frozen=True)
class Order:
    player: SimPlayer
    artist: SimArtist
    side: Side
    shares: int


@dataclass(frozen=True)
class WealthDay:
    """Net worth of one kind of player at one close, in credits."""

    kind: str
    day: int
    mean: float
    lower_quartile: float
    upper_quartile: float


@dataclass
class Simulation:
    """How it went; money in units."""

    scenario: Scenario
    settings: ExchangeSettings
    players: list[SimPlayer]
    dividends_units: int = 0
    fees_units: int = 0
    trades: int = 0
    refused: int = 0
    house_units: int = 0
    index_ratio: list[float] = field(default_factory=list)
    """Worth of one share of every artist, against the first day."""

    def by_kind(self) -> dict[str, list[SimPlayer]]:
        kinds: dict[str, list[SimPlayer]] = defaultdict(list)
        for player in self.players:
            if not player.is_helper:
                kinds[player.kind].append(player)
        return {kind: kinds[kind] for kind in (*KINDS, *ADVERSARIES) if kinds[kind]}

    def wealth_days(self) -> list[WealthDay]:
        """Every kind's net worth day by day, kind after kind; without adversaries."""
        rows = []
        for kind, members in self.by_kind().items():
            if kind not in KINDS:
                continue
            for day in range(self.scenario.days):
                worth = [player.worth[day] / UNITS_PER_CREDIT for player in members]
                # Of one player alone there are no quartiles.
                quarters = (
                    quantiles(worth, n=4, method="inclusive")
                    if len(worth) > 1
                    else worth * 3
                )
                rows.append(WealthDay(kind, day, mean(worth), quarters[0], quarters[2]))
        return rows

    def summary(self) -> dict[str, Any]:
        """Figures for people and for tests: returns are of the whole time, in %."""
        start = self.settings.starting_cash_units
        kinds = {}
        for kind, members in self.by_kind().items():
            ends = [100 * (player.worth[-1] / start - 1) for player in members]
            kinds[kind] = {
                "players": len(members),
                "mean_return_pct": round(mean(ends), 2),
                "median_return_pct": round(median(ends), 2),
                "best_return_pct": round(max(ends), 2),
                "worst_return_pct": round(min(ends), 2),
                "trades": sum(player.trades for player in members),
                "fees": sum(p.fees_units for p in members) // UNITS_PER_CREDIT,
                "dividends": sum(p.dividends_units for p in members)
                // UNITS_PER_CREDIT,
            }
        return {
            "seed": self.scenario.seed,
            "days": self.scenario.days,
            "trades": self.trades,
            "refused": self.refused,
            "fees": self.fees_units // UNITS_PER_CREDIT,
            "dividends": self.dividends_units // UNITS_PER_CREDIT,
            "house": self.house_units // UNITS_PER_CREDIT,
            "kinds": kinds,
        }

    def lines(self) -> list[str]:
        """The summary as a table."""
        facts = self.summary()
        rows = [
            f"{facts['days']} days, seed {facts['seed']}: {facts['trades']} trades,"
            f" fees {facts['fees']}, dividends {facts['dividends']},"
            f" house {facts['house']:+}",
            f"{'kind':<14}{'players':>8}{'mean %':>9}{'median %':>10}{'best %':>9}"
            f"{'worst %':>9}{'trades':>8}{'fees':>9}",
        ]
        for kind, one in facts["kinds"].items():
            rows.append(
                f"{kind:<14}{one['players']:>8}{one['mean_return_pct']:>9}"
                f"{one['median_return_pct']:>10}{one['best_return_pct']:>9}"
                f"{one['worst_return_pct']:>9}{one['trades']:>8}{one['fees']:>9}"
            )
        return rows


def spread_lines(played: Sequence[Simulation]) -> list[str]:
    """Return by kind over seeds, in %: mean, standard deviation, lowest, highest."""
    returns: dict[str, list[float]] = defaultdict(list)
    for one in played:
        for kind, facts in one.summary()["kinds"].items():
            returns[kind].append(facts["mean_return_pct"])
    first = played[0].scenario
    rows = [
        f"world {first.world}, {first.days} days, seeds {first.seed} to"
        f" {first.seed + len(played) - 1}",
        f"{'kind':<14}{'mean %':>9}{'sd':>8}{'lowest %':>10}{'highest %':>11}",
    ]
    for kind, found in returns.items():
        rows.append(
            f"{kind:<14}{mean(found):>9.2f}"
            f"{stdev(found) if len(found) > 1 else 0:>8.2f}"
            f"{min(found):>10.2f}{max(found):>11.2f}"
        )
    return rows


def simulate(scenario: Scenario, settings: ExchangeSettings) -> Simulation:
    """Play the scenario through; the same seed gives the same year."""
    return Year(scenario, settings).play()


class Year:
    """The world, the players and the exchange between them, a day at a time."""

    def __init__(self, scenario: Scenario, settings: ExchangeSettings) -> None:
        self.scenario = scenario
        self.settings = settings
        self.formula = scenario.formula
        # The world has its own dice: players must not change the weather.
        self.world = random.Random(f"world {scenario.seed}")
        self.dice = random.Random(f"players {scenario.seed}")
        self.rates = WORLDS[scenario.world](self.world, scenario.artists)
        self.artists = [
            SimArtist(f"artist-{n:04}", audience=math.exp(self.world.gauss(0, 0.3)))
            for n in range(scenario.artists)
        ]
        self.by_id = {artist.artist_id: artist for artist in self.artists}
        self.cache: dict[tuple[int, float], dict[str, float]] = {}
        self.players = [
            SimPlayer(f"{kind}-{n:03}", kind, settings.starting_cash_units)
            for kind, count in _counts(scenario.players).items()
            for n in range(count)
        ]
        if scenario.has_adversaries:
            self.players += [
                SimPlayer(
                    f"{kind}-{n:03}",
                    kind,
                    settings.starting_cash_units,
                    is_helper=n > 0,
                )
                for kind, (helpers, _) in ADVERSARIES.items()
                for n in range(helpers + 1)
            ]
        self.future: list[dict[str, int]] = []
        """Fundamental prices of the closes to come, for those who foresee."""
        self.result = Simulation(scenario, settings, self.players)
        self.orders: list[Order] = []
        self.day = 0
        self.flows: dict[str, tuple[float, float]] = {}
        self.listed = self.artists
        self.target = self.artists[0]
        self.actions: dict[str, Callable[[SimPlayer], None]] = {
            "random": self._act_randomly,
            "momentum": self._follow_the_risers,
            "value": self._buy_what_fell,
            "index": self._hold_one_of_each,
            "patient": self._order_for_the_open,
            "robot": self._read_live_counters,
            "wash": self._trade_in_a_ring,
            "farm": self._pump_one_artist,
            **{kind: partial(act, self) for kind, (_, act) in ADVERSARIES.items()},
        }

    def play(self) -> Simulation:
        if self.scenario.has_adversaries:
            self.future = self._foresee()
        self._warm_up()
        for artist in self.listed:
            artist.depth_shares = pricing.depth_for(
                self.settings, artist.fundamental_units
            )
            artist.prices.append(artist.price_units)
        basket = sum(artist.price_units for artist in self.listed)
        for day in range(self.scenario.days):
            self.day = day
            # Tomorrow's counters are already running while today is traded on.
            self._draw_flows(self.scenario.warm_up_days + day)
            for player in self.dice.sample(self.players, len(self.players)):
                self.actions[player.kind](player)
            self._take_flows()
            self._price()
            self._close()
            now = sum(artist.price_units for artist in self.listed)
            self.result.index_ratio.append(now / basket)
        return self.result

    def _warm_up(self) -> None:
        """The days before the exchange is founded, and who is listed then."""
        for warm in range(self.scenario.warm_up_days):
            self._draw_flows(warm)
            self._take_flows()
            self._price()
        floor = self.scenario.listing_floor_plays
        self.listed = [a for a in self.artists if median(a.plays[-28:]) >= floor]
        self.target = self.listed[len(self.listed) // 3]
        self._price()

    def _foresee(self) -> list[dict[str, int]]:
        """The same world without anybody in it: players do not change its weather."""
        empty = replace(self.scenario, players=0, has_adversaries=False)
        ghost = Year(empty, self.settings)
        ghost._warm_up()
        days = []
        for day in range(self.scenario.days):
            ghost._draw_flows(self.scenario.warm_up_days + day)
            ghost._take_flows()
            ghost._price()
            days.append({a.artist_id: a.fundamental_units for a in ghost.listed})
        return days

    # The world ---------------------------------------------------------------

    def _draw_flows(self, day: int) -> None:
        """A day's new listeners and plays, with weekdays and counting noise."""
        for artist, expected in zip(self.artists, next(self.rates), strict=True):
            # People come one by one: counting noise, which is what a floor is for.
            rate = expected * WEEKDAYS[day % 7]
            listeners = max(0.0, self.world.gauss(rate, math.sqrt(rate)))
            heard = rate * 20 * artist.audience
            plays = max(0.0, self.world.gauss(heard, math.sqrt(20 * heard)))
            self.flows[artist.artist_id] = (listeners, plays)
            artist.plays.append(plays)

    def _attention(self, seen: float = 1.0) -> dict[str, tuple[float, float]]:
        """x and y of every artist, from the part of the day's flow that was seen."""
        found = {
            artist_id: log_attention(
                listeners * seen, plays * seen, self.formula, seen=seen
            )
            for artist_id, (listeners, plays) in self.flows.items()
        }
        factor = day_factor(
            [
                found[artist.artist_id] - median(artist.usual)
                for artist in self.artists
                if len(artist.usual) >= 14
            ]
        )
        return {artist_id: (x, x - factor) for artist_id, x in found.items()}

    def _take_flows(self) -> None:
        kept = self.formula.sigma_days - 1
        for artist_id, (x, y) in self._attention().items():
            artist = self.by_id[artist_id]
            artist.usual = [*artist.usual[-27:], x]
            if artist.state is None:
                artist.state, error = first_state(y), 0.0
            else:
                artist.state, error = advance(artist.state, y, self.formula)
            artist.errors = [*artist.errors[-kept:], error]
            spread = robust_spread(artist.errors)
            z = error / spread if spread > 0 else 0.0
            artist.surprise_milli.append(round(1000 * max(-1000.0, min(1000.0, z))))

    def _price(self) -> None:
        kept = self.formula.sigma_days - 1
        values = {
            artist.artist_id: math.exp(log_value(artist.state, self.formula))
            for artist in self.listed
            if artist.state is not None
        }
        middle = mean(values.values())
        for artist in self.listed:
            before, last = artist.value, artist.fundamental_units
            artist.value = values[artist.artist_id] / middle
            if before:
                artist.changes = [
                    *artist.changes[-kept:],
                    math.log(artist.value / before),
                ]
                artist.sigma_ppm = round(robust_spread(artist.changes) * PPM)
            artist.fundamental_units = max(
                1, round(100 * UNITS_PER_CREDIT * artist.value)
            )
            artist.fundamentals.append(artist.fundamental_units)
            if last:
                self._take_rise(artist, last)

    def _take_rise(self, artist: SimArtist, last: int) -> None:
        """What was bought since the last close has no part in the rise since."""
        key = artist.artist_id
        for player in self.players:
            if fresh := player.fresh.get(key, 0):
                left = fresh * last // max(last, artist.fundamental_units)
                player.basis[key] -= fresh - left
                player.fresh[key] = 0

    # Trading -----------------------------------------------------------------

    def worth(self, player: SimPlayer) -> int:
        return player.cash_units + sum(
            pricing.holding_worth(
                shares,
                player.basis[artist_id],
                self.by_id[artist_id].fundamental_units,
                self.by_id[artist_id].price_units,
            )
            for artist_id, shares in player.shares.items()
        )

    def rate(self, artist: SimArtist, side: Side, hours: float) -> int:
        if side == "buy":
            return self.settings.base_fee_ppm
        return self.settings.base_fee_ppm + pricing.spread_ppm(
            self.settings.staleness_z_milli, artist.sigma_ppm, int(hours * 3600)
        )

    def _trade(
        self,
        player: SimPlayer,
        artist: SimArtist,
        side: Side,
        shares: int,
        hours: float,
    ) -> bool:
        """Trade now, or be refused by the exchange's own rules."""
        held = player.shares.get(artist.artist_id, 0)
        if shares <= 0 or (side == "sell" and held < shares):
            return False
        signed = shares if side == "buy" else -shares
        u = artist.displacement
        after = u + signed * MICROS_PER_SHARE
        fits = pricing.is_within_impact(self.settings, artist.depth_shares, u, after)
        value = self._value(player, artist, side, shares)
        fee = pricing.fee_of(value, self.rate(artist, side, hours))
        if side == "buy" and fits:
            price = pricing.spot(artist.fundamental_units, artist.depth_shares, after)
            limit = self.worth(player) * self.settings.holding_limit_pct // 100
            limit = limit // 2 if self.day < self.settings.novice_days else limit
            fits = value + fee <= player.cash_units and (held + shares) * price <= limit
        if not fits:
            self.result.refused += 1
            return False
        self._book(player, artist, signed, value, min(fee, value), is_now=True)
        return True

    def _value(
        self, player: SimPlayer, artist: SimArtist, side: Side, shares: int
    ) -> int:
        where = (artist.fundamental_units, artist.depth_shares, artist.displacement)
        if side == "buy":
            return pricing.purchase_value(*where, shares)
        key = artist.artist_id
        return pricing.sale_value(*where, shares, player.shares[key], player.basis[key])

    def _book(
        self,
        player: SimPlayer,
        artist: SimArtist,
        signed: int,
        value: int,
        fee: int,
        *,
        is_now: bool = False,
    ) -> None:
        paid = value if signed > 0 else -value
        player.cash_units -= paid + fee
        key = artist.artist_id
        held, basis = player.shares.get(key, 0), player.basis.get(key, 0)
        fresh = player.fresh.get(key, 0)
        if signed > 0:
            bought = pricing.basis_bought(value, artist.fundamental_units)
            basis += bought
            fresh += bought if is_now else 0
        else:
            basis -= pricing.basis_sold(basis, -signed, held)
            fresh = min(fresh - fresh * -signed // held, basis)
        player.shares[key], player.basis[key] = held + signed, basis
        player.fresh[key] = fresh
        if not player.shares[key]:
            for kept in (player.shares, player.basis, player.fresh):
                del kept[key]
        artist.net_shares += signed
        artist.fees_units += fee
        player.fees_units += fee
        player.trades += 1
        self.result.trades += 1
        self.result.fees_units += fee
        self.result.house_units += paid

    def buy_for(
        self, player: SimPlayer, artist: SimArtist, units: int, hours: float
    ) -> bool:
        cost = artist.price_units * (PPM + self.settings.base_fee_ppm)
        return self._trade(player, artist, "buy", units * PPM // cost, hours)

    def sell_all(self, player: SimPlayer, artist: SimArtist, hours: float) -> bool:
        held = player.shares.get(artist.artist_id, 0)
        return self._trade(player, artist, "sell", held, hours)

    def order(
        self, player: SimPlayer, artist: SimArtist, side: Side, shares: int
    ) -> None:
        """Queue an order for the next close."""
        if shares > 0:
            self.orders.append(Order(player, artist, side, shares))

    def leave(self, player: SimPlayer) -> None:
        """All is sold, the bank takes the cash, and the account joins anew."""
        for artist_id in sorted(player.shares):
            artist, held = self.by_id[artist_id], player.shares[artist_id]
            value = self._value(player, artist, "sell", held)
            self._book(player, artist, -held, value, 0)
        player.cash_units = self.settings.starting_cash_units

    # Players -----------------------------------------------------------------

    def _act_randomly(self, player: SimPlayer) -> None:
        if self.dice.random() > 0.3:
            return
        hours = self.dice.uniform(0.2, 22)
        if player.shares and self.dice.random() < 0.5:
            chosen = self.by_id[self.dice.choice(sorted(player.shares))]
            self.sell_all(player, chosen, hours)
        else:
            chosen = self.dice.choice(self.listed)
            self.buy_for(player, chosen, self.worth(player) // 20, hours)

    def _follow_the_risers(self, player: SimPlayer) -> None:
        """Once a week: out of what has fallen, into last week's five best."""
        if self.day % 7 != int(player.player_id[-3:]) % 7 or self.day < 7:
            return
        self._rebalance(player, lambda artist: artist.prices[-1] / artist.prices[-8])

    def _buy_what_fell(self, player: SimPlayer) -> None:
        """Every two weeks: into what stands lowest against its own mean."""
        if self.day % 14 != int(player.player_id[-3:]) % 14 or self.day < 28:
            return
        self._rebalance(
            player, lambda artist: mean(artist.prices[-90:]) / artist.prices[-1]
        )

    def _rebalance(
        self, player: SimPlayer, score: Callable[[SimArtist], float]
    ) -> None:
        hours = self.dice.uniform(0.2, 12)
        best = sorted(self.listed, key=score, reverse=True)[:15]
        wanted = self.dice.sample(best, 7)
        for artist_id in sorted(player.shares):
            if self.by_id[artist_id] not in best:
                self.sell_all(player, self.by_id[artist_id], hours)
        for artist in wanted:
            if artist.artist_id not in player.shares:
                self.buy_for(player, artist, self.worth(player) // 9, hours)

    def _hold_one_of_each(self, player: SimPlayer) -> None:
        """On the first day one share of every artist, then nothing ever again."""
        if self.day:
            return
        for artist in self.listed:
            self._trade(player, artist, "buy", 1, 0.5)

    def _order_for_the_open(self, player: SimPlayer) -> None:
        if self.dice.random() > 0.1:
            return
        if player.shares and self.dice.random() < 0.5:
            artist = self.by_id[self.dice.choice(sorted(player.shares))]
            self.order(player, artist, "sell", player.shares[artist.artist_id])
        else:
            artist = self.dice.choice(self.listed)
            shares = self.worth(player) // 15 // artist.price_units
            self.order(player, artist, "buy", shares)

    def _read_live_counters(self, player: SimPlayer) -> None:
        """Polls the counters an hour before the close and knows the next price.

        Buys now what will be dearer by more than both fees, spread included, and
        sells in the first minutes after the close, when the spread is nothing.
        """
        for artist_id in sorted(player.shares):
            artist = self.by_id[artist_id]
            if not player.note.get(artist_id):
                self.sell_all(player, artist, 0.1)
            player.note[artist_id] = False
        hours = 23.0
        forecast = self.forecast(hours / 24)
        hopes = []
        for artist in self.listed:
            gain = forecast[artist.artist_id] / artist.value - 1
            costs = 2 * self.settings.base_fee_ppm / PPM
            if gain > costs:
                hopes.append((gain - costs, artist.artist_id))
        for _, artist_id in sorted(hopes, reverse=True)[:8]:
            artist = self.by_id[artist_id]
            if self.buy_for(player, artist, self.worth(player) // 9, hours):
                player.note[artist_id] = False

    def forecast(self, seen: float) -> dict[str, float]:
        """Every artist's next value, from the part of the day that has been seen."""
        key = (self.day, seen)
        if key in self.cache:
            return self.cache[key]
        values = {}
        for artist_id, (_, y) in self._attention(seen).items():
            state = self.by_id[artist_id].state or first_state(y)
            after, _ = advance(state, y, self.formula)
            values[artist_id] = math.exp(log_value(after, self.formula))
        middle = mean(values[artist.artist_id] for artist in self.listed)
        forecast = {artist_id: value / middle for artist_id, value in values.items()}
        self.cache = {key: forecast}
        return forecast

    def _trade_in_a_ring(self, player: SimPlayer) -> None:
        """Buys from and sells to itself through the house, to look busy."""
        if self.target.artist_id in player.shares:
            self.sell_all(player, self.target, 3)
        else:
            self.buy_for(player, self.target, self.worth(player) // 12, 3)

    def _pump_one_artist(self, player: SimPlayer) -> None:
        """The first account buys early, the rest push, the first sells on top."""
        artist = self.listed[len(self.listed) // 2 + self.day // 60 % 20]
        phase = self.day % 60
        is_head = player.player_id.endswith("-000")
        if (phase == 16 and is_head) or (phase == 20 and not is_head):
            self.buy_for(player, artist, self.worth(player) // 6, 2)
        elif (phase == 21 and is_head) or phase == 50:
            self.sell_all(player, artist, 2)

    # The close ---------------------------------------------------------------

    def _close(self) -> None:
        self._clear()
        for artist in self.listed:
            artist.baseline_micros = pricing.decayed(
                self.settings, artist.net_shares, artist.baseline_micros
            )
            artist.prices.append(artist.price_units)
        self._pay()
        for player in self.players:
            player.closes = [*player.closes[-1:], dict(player.shares)]
            player.worth.append(self.worth(player))

    def _clear(self) -> None:
        waiting: dict[str, list[Order]] = defaultdict(list)
        for order in self.orders:
            waiting[order.artist.artist_id].append(order)
        self.orders = []
        for artist_id, orders in sorted(waiting.items()):
            artist = self.by_id[artist_id]
            orders = [order for order in orders if self._can_honour(order)]
            bids = [
                auction.Bid(str(n), order.side, order.shares, None)
                for n, order in enumerate(orders)
            ]
            cleared = auction.clear(
                bids,
                auction.Curve(
                    artist.fundamental_units,
                    artist.depth_shares,
                    artist.displacement,
                    pricing.impact_bound_micros(self.settings, artist.depth_shares),
                ),
            )
            for name, shares in sorted(cleared.fills.items()):
                order = orders[int(name)]
                signed = shares if order.side == "buy" else -shares
                value = pricing.value_at(cleared.price, signed)
                if signed < 0:
                    value = min(
                        value,
                        pricing.basis_value(
                            artist.fundamental_units,
                            order.player.basis[artist_id],
                            shares,
                            order.player.shares[artist_id],
                        ),
                    )
                fee = pricing.fee_of(value, self.settings.base_fee_ppm)
                self._book(order.player, artist, signed, value, min(fee, value))

    def _can_honour(self, order: Order) -> bool:
        if order.side == "sell":
            return order.player.shares.get(order.artist.artist_id, 0) >= order.shares
        return order.player.cash_units >= 3 * order.shares * order.artist.price_units

    def _pay(self) -> None:
        pool = sum(artist.fees_units for artist in self.listed)
        for artist in self.listed:
            artist.fees_units = 0
        if len(self.listed[0].surprise_milli) < 2:
            return
        cap = self.settings.dividend_surprise_cap_milli
        weights: dict[tuple[str, str], int] = {}
        for player in self.players:
            if len(player.closes) < 2:
                continue
            for artist_id, shares in player.shares.items():
                artist = self.by_id[artist_id]
                eligible = min(
                    shares, *(close.get(artist_id, 0) for close in player.closes)
                )
                surprise = max(0, min(artist.surprise_milli[-2], cap))
                weight = eligible * artist.fundamental_units * surprise // 1000
                if weight:
                    weights[player.player_id, artist_id] = weight
        paid = share_out(pool, weights, self.settings.dividend_rate_ppm)
        by_player: dict[str, int] = defaultdict(int)
        for (player_id, _), amount in paid.items():
            by_player[player_id] += amount
        self.result.dividends_units += sum(paid.values())
        for player in self.players:
            player.cash_units += by_player[player.player_id]
            player.dividends_units += by_player[player.player_id]


def _counts(players: int) -> dict[str, int]:
    counts = {kind: int(players * part) for kind, part in _SHARES_OF_PLAYERS.items()}
    counts["random"] += players - sum(counts.values())
    return counts
