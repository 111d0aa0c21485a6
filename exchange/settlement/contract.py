"""What a settlement takes and returns, and what its steps hand on. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from exchange.market import Market
from exchange.settings import ExchangeSettings


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
    previous_price_units: int | None = None
    """The fundamental price of the last day before that had one."""


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


@dataclass(frozen=True)
class Close:
    """The close at work: what is the same for all its steps."""

    settings: ExchangeSettings
    inputs: SettlementInputs
    market: Market
    """The market's row as it was before the settlement, locked."""
    now: datetime
    fence: int
    """Number of the daily run that settles; 0 for none."""

    @property
    def day(self) -> date:
        return self.inputs.settled_date

    @property
    def session(self) -> int:
        """The trading session that this close ends."""
        return int(self.market.session)

    @property
    def outcome(self) -> str:
        return "rolled" if self.inputs.is_rolled else "settled"


@dataclass(frozen=True)
class AccountDay:
    """One player at one close: a row of `account_days`."""

    player_id: str
    account_date: date
    life: int
    cash_units: int
    holdings_units: int
    worth_units: int
    base_units: int
    dividends_units: int
    fees_units: int
    trades: int
    points: int
    wealth_index: int
    life_index: int
    season: int
    league_tier: int
    cohort: int


@dataclass(frozen=True)
class Account:
    """A player's day, and the wealth index with which the player began the season."""

    day: AccountDay
    season_index: int
