"""What the exchange's routes take and give: parameters, bodies, rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from exchange.boards import Board
from exchange.views.market import ListName
from serve.api.description import Row
from serve.api.parameters import Day, Key, Parameters, Text, Whole

# Parameters ------------------------------------------------------------------


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Shares = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_integral)]
Units = Annotated[int, Field(ge=1, le=2**53 - 1), BeforeValidator(_integral)]
Side = Literal["buy", "sell"]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00]+$")
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class KeyHeader(BaseModel):
    """Sent with every write: the same key gives the first answer again."""

    idempotency_key: str = Field(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="chosen by the client, new for each intention",
    )


class ListPath(Parameters):
    list_name: ListName


class BoardPath(Parameters):
    board: Board


class ArtistPath(Parameters):
    artist_id: Key


class PlayerPath(Parameters):
    player_id: Key


class OrderPath(Parameters):
    order_id: Key


class LeaguePath(Parameters):
    league_id: Key


class Part(Parameters):
    limit: Whole = Field(25, ge=1, le=200)
    offset: Whole = Field(0, ge=0, le=100_000)


class ListQuery(Part):
    tag: Text | None = Field(None, description="only artists whose top tag this is")


class OrdersQuery(Part):
    state: (
        Literal["queued", "filled", "part_filled", "cancelled", "unfilled"] | None
    ) = None


League = Literal["mine", "bronze", "silver", "gold", "operator"]


class NearQuery(Parameters):
    league: League | None = Field(None, description="mine is one's own cohort")
    friends_league: Key | None = None


class BoardQuery(Part):
    league: League | None = Field(None, description="mine is one's own cohort")
    friends_league: Key | None = None


class DaysQuery(Parameters):
    since: Day | None = Field(None, description="first day (UTC)")


class SpanQuery(DaysQuery):
    until: Day | None = Field(None, description="last day (UTC), included")


class EconomyQuery(Parameters):
    days: Whole = Field(90, ge=1, le=3660)


class TermsBody(Body):
    artist_id: Key
    side: Side
    shares: Shares


class TradeBody(TermsBody):
    quote: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class OrderBody(TermsBody):
    limit_units: Units | None = Field(None, description="worst price a share")


class PlayerBody(Body):
    player_name: (
        Annotated[
            str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00]+$")
        ]
        | None
    ) = Field(
        None,
        description="what others see: 3 to 24 characters, nobody else's, not the"
        " last.fm name; changed at most once in 7 days",
    )
    is_public: bool | None = None
    has_seen_tour: bool | None = None


class LeagueBody(Body):
    league_name: Name


class CodeBody(Body):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,20}$")]


# Rows ------------------------------------------------------------------------


class ExchangeStatusRow(Row):
    state: Literal["open", "closed", "orders only", "halted"]
    is_open: bool
    reason: str | None
    reopens_at: str | None
    stale_since: str | None = Field(
        description="since when the prices wait for a day that failed"
    )
    priced_at: str | None
    prices_version: str | None


class ExchangeArtistRow(Row):
    artist_id: str
    artist_name: str
    price_units: int
    fundamental_price_units: int
    change_ppm: int = Field(description="against the close before the last")
    is_halted: bool


class ExchangeArtistsRow(Row):
    artists: list[ExchangeArtistRow]
    next: int | None = None


class ExchangePriceRow(Row):
    date: str
    close_price_units: int
    fundamental_price_units: int
    points: int
    dividend_units: int
    trades: int


class ExchangeQuoteRow(Row):
    quote: str = Field(description="send it back with the trade; good once")
    value_units: int
    fee_units: int
    total_units: int = Field(description="to be paid, or to be had")
    expires_at: str


class ExchangeTradeRow(Row):
    trade_id: str
    total_units: int
    cash_units: int
    holding_shares: int


class ExchangeOrderRow(Row):
    order_id: str
    state: str


class ExchangeOrdersRow(Row):
    orders: list[ExchangeOrderRow]
    next: int | None


class ExchangePortfolioRow(Row):
    player_id: str
    cash_units: int
    worth_units: int
    holdings: list[Row]


class ExchangeTradesRow(Row):
    trades: list[Row]
    next: int | None


class ExchangeDividendsRow(Row):
    dividends: list[Row]
    total_units: int
    next: int | None


class ExchangeWorthRow(Row):
    date: str
    worth_units: int
    return_ppm: int


class ExchangeBoardRow(Row):
    board: str
    rows: list[Row]


class ExchangePlayerRow(Row):
    player_id: str


class ExchangeLeagueRow(Row):
    league_id: str


class ExchangeEconomyRow(Row):
    date: str
    players: int
    money_supply_units: int
    fees_units: int
    issuance_units: int
    dividends_units: int
    house_exposure_units: int
