"""The exchange's constants and its settings group; the simulator chose the defaults.

Money is counted in units of one ten-thousandth of a credit, rates in parts per
million (ppm), ratios in whole percent: no float is stored or decides an amount.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from warehouse.settings import SettingsGroup, Unit, load_group

UNITS_PER_CREDIT = 10_000
PPM = 1_000_000
MICROS_PER_SHARE = 1_000_000
NANOS_PER_SHARE = 1_000_000_000

LEAGUES = ("bronze", "silver", "gold", "operator")


class ExchangeSettings(SettingsGroup):
    """The group `exchange`: the rules. Changing one changes no stored amount.

    A unit of money is one ten-thousandth of a credit.
    """

    table: ClassVar[str | None] = "exchange"

    starting_cash_units: Annotated[int, Unit("units")] = Field(
        20_000 * UNITS_PER_CREDIT, ge=0, description="cash of a new player"
    )
    base_fee_ppm: Annotated[int, Unit("ppm")] = Field(
        10_000, ge=0, description="fee of one side, of the value traded"
    )
    staleness_z_milli: Annotated[int, Unit("thousandths")] = Field(
        2_000,
        ge=0,
        description="z of the spread z·σ·√(hours/24) that a sale pays",
    )
    depth_value_units: Annotated[int, Unit("units")] = Field(
        250_000 * UNITS_PER_CREDIT,
        ge=0,
        description="depth b of a new listing in money: b = this / price, in shares",
    )
    min_depth_shares: Annotated[int, Unit("shares")] = Field(
        100, ge=0, description="least depth of a listing"
    )
    decay_half_life_days: Annotated[int, Unit("days")] = Field(
        5, ge=1, description="half-life of the price impact of trades"
    )
    impact_limit_pct: Annotated[int, Unit("%")] = Field(
        40, ge=0, description="the impact may not leave this share of the depth"
    )
    holding_limit_pct: Annotated[int, Unit("%")] = Field(
        20,
        ge=0,
        description="a holding may be this share of net worth at the time of buying",
    )
    novice_days: Annotated[int, Unit("days")] = Field(
        14, ge=0, description="that share is halved in the first days of a player"
    )
    dear_ppm: Annotated[int, Unit("ppm")] = Field(
        20_000,
        ge=0,
        description="where trading now costs more than this over the price, an order"
        " for the open is offered first",
    )
    quote_seconds: Annotated[int, Unit("s")] = Field(
        60, ge=0, description="a quote is valid this long"
    )
    reset_days: Annotated[int, Unit("days")] = Field(
        7, ge=0, description="time between two fresh starts of a player"
    )
    rejoin_days: Annotated[int, Unit("days")] = Field(
        7, ge=0, description="who has left can join again after this time"
    )
    joining_days: Annotated[int, Unit("days")] = Field(
        30, ge=0, description="age a last.fm account needs to join, where it is known"
    )
    joining_scrobbles: Annotated[int, Unit("plays")] = Field(
        200,
        ge=0,
        description="plays a last.fm account needs to join, where they are known",
    )
    open_reserve_pct: Annotated[int, Unit("%")] = Field(
        10,
        ge=0,
        description="an order to buy without a limit reserves, and pays at most, this"
        " much more than the price",
    )
    dividend_rate_ppm: Annotated[int, Unit("ppm")] = Field(
        500,
        ge=0,
        description="largest dividend of a close, of a holding's value for each"
        " deviation of surprise",
    )
    dividend_surprise_cap_milli: Annotated[int, Unit("thousandths")] = Field(
        3_000, ge=0, description="largest growth surprise that dividends count"
    )
    season_days: Annotated[int, Unit("days")] = Field(
        28, ge=0, description="length of a season"
    )
    cohort_players: Annotated[int, Unit("players")] = Field(
        25, ge=1, description="players of a cohort in a league"
    )
    promotion_pct: Annotated[int, Unit("%")] = Field(
        20,
        ge=0,
        description="share of a cohort that is promoted or relegated after a season",
    )
    max_order_shares: Annotated[int, Unit("shares")] = Field(
        10_000_000, ge=0, description="largest order"
    )
    max_queued_orders: Annotated[int, Unit("orders")] = Field(
        100, ge=0, description="queued orders one player may have at a time"
    )
    expected_closed_minutes: Annotated[int, Unit("minutes")] = Field(
        30,
        ge=0,
        description="how long a daily run is expected to keep the market closed",
    )
    cast_players: Annotated[int | None, Unit("players")] = Field(
        None,
        ge=0,
        le=12,
        description="simulated players, marked as such (unset: 12 in the invented"
        " world of a run without key or server, else none)",
    )
    listing_floor_plays: Annotated[int | None, Unit("plays/day")] = Field(
        None,
        ge=0,
        description="median plays an artist needs to be listed (unset: 3,098 against"
        " last.fm, none in an invented world on this machine)",
    )


def load_exchange_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> ExchangeSettings:
    """The exchange's settings; as :func:`warehouse.settings.load_group`.

    Raises:
        SettingsError: naming the setting and its places.
    """
    return load_group(ExchangeSettings, flags, environment)
