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


OrderState = Literal["queued", "filled", "part_filled", "cancelled", "unfilled"]


class OrdersQuery(Part):
    state: OrderState | None = None


class TicketQuery(Parameters):
    shares: Annotated[Whole, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="unset: ten, or the most that is possible"
    )


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

Moment = Annotated[str, Field(description="UTC")]


class ExchangeSeasonRow(Row):
    season: int
    start_date: str


class ExchangeStatusRow(Row):
    state: Literal["open", "closed", "orders only", "halted"]
    is_open: bool
    reason: str | None
    opened_at: Moment | None
    closed_at: Moment | None
    stale_since: Moment | None = Field(
        description="since when the prices wait for a day that failed"
    )
    reopens_at: Moment | None = Field(
        description="when it is expected to open, by the length of past runs"
    )
    priced_at: Moment | None
    prices_version: str | None
    last_settled_date: str | None
    season: ExchangeSeasonRow | None


class ExchangeArtistRow(Row):
    artist_id: str
    artist_name: str
    top_tag: str | None
    price_units: int
    close_price_units: int
    fundamental_price_units: int
    change_ppm: int = Field(description="against the close before the last")
    listeners: int
    session_trades: int = Field(description="since the last close")
    is_halted: bool
    halt_reason: str | None
    traded_at: Moment | None


class ExchangeListingRow(ExchangeArtistRow):
    is_listed: bool
    listed_date: str
    depth_shares: int
    shares_held: int
    holders: int
    sigma_ppm: int = Field(description="daily standard deviation, for the spread")


class ExchangeArtistsRow(Row):
    artists: list[ExchangeArtistRow]
    list_name: str | None = Field(None, alias="list")
    next: int | None = None


class ExchangePriceRow(Row):
    date: str
    close_price_units: int
    fundamental_price_units: int
    clearing_price_units: int | None = Field(
        description="the one price of the orders for the open, if there were any"
    )
    points: int
    dividend_units: int = Field(description="paid for the artist, all holdings")
    trades: int
    shares_traded: int
    is_halted: bool


class ExchangeFiguresRow(Row):
    mean_price_units: int
    value_units: int
    fee_units: int
    total_units: int = Field(description="to be paid, or to be had")
    price_after_units: int
    cost_ppm: int = Field(description="fee, spread and impact over the first share")
    wealth_ppm: int = Field(description="the holding then, of net worth")


class ExchangeTicketRow(Row):
    side: Side
    shares: int
    price_units: int = Field(description="of the first share")
    fee_ppm: int
    limit_pct: int = Field(description="most of net worth a holding may be")
    largest_shares: int = Field(description="the most that could be traded now")
    figures: ExchangeFiguresRow | None = Field(
        description="null where it is far more than one has"
    )
    reserve_units: int = Field(description="set aside by an order for the open")
    is_open_first: bool = Field(description="an order for the open is better")
    refusal: str | None = Field(description="code of what a trade would meet now")
    detail: str | None


class ExchangeQuoteRow(Row):
    quote: str = Field(description="send it back with the trade; good once")
    artist_id: str
    artist_name: str
    side: Side
    shares: int
    value_units: int
    fee_units: int
    fee_ppm: int
    total_units: int = Field(description="to be paid, or to be had")
    price_units: int
    prices_version: str
    expires_at: Moment
    expires_in_seconds: int


class ExchangeDoneRow(Row):
    trade_id: str
    artist_id: str
    artist_name: str
    side: Side
    shares: int
    value_units: int
    fee_units: int
    fee_ppm: int
    total_units: int = Field(description="what was paid, or had")
    price_units: int
    prices_version: str
    traded_at: Moment
    cash_units: int
    holding_shares: int


class ExchangePlacedRow(Row):
    order_id: str
    artist_id: str
    artist_name: str
    side: Side
    shares: int
    limit_units: int | None
    reserved_units: int
    state: Literal["queued"]
    placed_at: Moment


class ExchangeCancelledRow(Row):
    order_id: str
    state: Literal["cancelled"]


class ExchangeOrderRow(Row):
    order_id: str
    artist_id: str
    artist_name: str
    side: Side
    shares: int
    limit_units: int | None
    reserved_units: int
    state: OrderState
    reason: str | None
    filled_shares: int
    price_units: int | None
    placed_at: Moment
    ended_at: Moment | None


class ExchangeOrdersRow(Row):
    orders: list[ExchangeOrderRow]
    next: int | None


class ExchangeHoldingRow(Row):
    artist_id: str
    artist_name: str
    shares: int
    price_units: int
    own_price_units: int = Field(description="what the first share would bring")
    sale_units: int = Field(description="what all would bring now, before the fee")
    reserved_shares: int
    close_price_units: int
    worth_units: int
    cost_units: int
    return_ppm: int | None
    held_since: Moment | None
    is_halted: bool


class ExchangePersonRow(Row):
    player_id: str
    player_name: str
    is_public: bool
    has_seen_tour: bool
    has_chosen_name: bool
    joined_at: Moment
    life: int
    points: int
    league: str
    cohort: int
    is_simulated: bool = Field(description="nobody plays it")


class ExchangePortfolioRow(ExchangePersonRow):
    cash_units: int
    reserved_units: int
    holdings_units: int
    worth_units: int
    day_return_ppm: int
    season_return_ppm: int
    lifetime_return_ppm: int
    holdings: list[ExchangeHoldingRow]


class ExchangeTrophyRow(Row):
    trophy: str
    title: str
    won_date: str
    artist_id: str | None


class ExchangePlaceRow(Row):
    rank: int
    measure: int = Field(description="units for net worth, else a return in ppm")


class ExchangeProfileRow(ExchangePersonRow):
    worth_units: int
    boards: dict[str, ExchangePlaceRow]
    trophies: list[ExchangeTrophyRow]


class ExchangeTradeRow(Row):
    trade_id: str
    artist_id: str
    artist_name: str
    side: Side
    shares: int
    price_units: int
    value_units: int
    fee_units: int
    kind: str
    traded_at: Moment


class ExchangeTradesRow(Row):
    trades: list[ExchangeTradeRow]
    next: int | None


class ExchangeDividendRow(Row):
    date: str
    artist_id: str
    artist_name: str
    shares: int
    amount_units: int


class ExchangeDividendsRow(Row):
    dividends: list[ExchangeDividendRow]
    total_units: int
    next: int | None


class ExchangeWorthRow(Row):
    date: str
    cash_units: int
    holdings_units: int
    worth_units: int
    dividends_units: int
    fees_units: int
    trades: int
    points: int
    return_ppm: int = Field(description="of the day")
    life: int


class ExchangeNoticeRow(Row):
    notice_id: str
    kind: Literal["filled", "unfilled", "dividend", "halted"]
    noticed_at: Moment
    artist_id: str | None
    artist_name: str | None
    side: Side | None
    shares: int | None
    asked_shares: int | None
    price_units: int | None
    amount_units: int | None
    reason: str | None


class ExchangeBoardPlaceRow(Row):
    position: int
    rank: int
    player_id: str | None = Field(description="null for a private player")
    player_name: str
    league: str
    measure: int = Field(description="units for net worth, else a return in ppm")
    is_self: bool
    is_simulated: bool = Field(description="nobody plays it")


class ExchangeBoardRow(Row):
    board: str
    board_date: str | None
    players: int
    rows: list[ExchangeBoardPlaceRow]
    next: int | None


class ExchangeNearRow(Row):
    board: str
    board_date: str | None = None
    position: int | None
    rank: int | None
    rows: list[ExchangeBoardPlaceRow]


class ExchangeChangedRow(Row):
    player_id: str
    player_name: str
    is_public: bool
    has_seen_tour: bool
    has_chosen_name: bool


class ExchangeResetRow(Row):
    player_id: str
    life: int
    cash_units: int


class ExchangeLeftRow(Row):
    player_id: str
    state: Literal["left"]


class ExchangeLeagueRow(Row):
    league_id: str
    league_name: str
    code: str
    is_owner: bool
    joined_at: Moment


class ExchangeFoundedRow(Row):
    league_id: str
    league_name: str
    code: str


class ExchangeJoinedRow(Row):
    league_id: str
    league_name: str


class ExchangeLeftLeagueRow(Row):
    league_id: str
    state: Literal["left", "ended"]


class ExchangeEconomyRow(Row):
    date: str
    players: int
    active_players: int
    money_supply_units: int
    holdings_units: int
    fees_units: int
    issuance_units: int
    starting_grants_units: int
    dividends_units: int
    carried_units: int = Field(description="of the fees, what was not paid")
    house_cash_units: int
    house_exposure_units: int
    trades: int
    orders_filled: int
    value_traded_units: int
    listed_artists: int
    halted_artists: int
    is_rolled: bool
