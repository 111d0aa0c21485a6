"""The exchange's constants, each with its unit; the simulator chose the defaults.

Money is counted in units of one ten-thousandth of a credit, rates in parts per
million (ppm), ratios in whole percent: no float is stored or decides an amount.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from warehouse.errors import SettingsError
from warehouse.settings import config_path

UNITS_PER_CREDIT = 10_000
PPM = 1_000_000
MICROS_PER_SHARE = 1_000_000

LEAGUES = ("bronze", "silver", "gold", "operator")


@dataclass(frozen=True)
class ExchangeSettings:
    """What a deployment may choose. Changing one changes no stored amount."""

    starting_cash_units: int = 20_000 * UNITS_PER_CREDIT
    base_fee_ppm: int = 10_000
    """Fee of one side, of the value traded: 1 %."""
    staleness_z_milli: int = 3_000
    """z of the spread z·σ·sqrt(h/24), in thousandths."""
    depth_value_units: int = 100_000 * UNITS_PER_CREDIT
    """Depth b of a new listing in money: b = depth_value / price, in shares."""
    min_depth_shares: int = 100
    decay_half_life_days: int = 5
    impact_limit_pct: int = 40
    """|u| may not leave this share of the depth b."""
    holding_limit_pct: int = 20
    """A holding may be this share of net worth at the time of buying."""
    novice_days: int = 14
    """Both limits are halved in the first days of an account."""
    quote_seconds: int = 15
    reset_days: int = 7
    issuance_per_player_units: int = 1 * UNITS_PER_CREDIT
    """New money a day and player that goes into the pool of dividends."""
    dividend_surprise_cap_milli: int = 3_000
    season_days: int = 28
    cohort_players: int = 25
    promotion_pct: int = 20
    max_order_shares: int = 10_000_000
    max_queued_orders: int = 100
    """Queued orders one player may have at a time."""
    expected_closed_minutes: int = 30
    """How long a daily run is expected to keep the market closed."""
    listing_floor_plays: int | None = None
    """Median plays a day an artist needs to be listed.

    None: 3,098 against last.fm, none in an invented world on this machine.
    """


def load_exchange_settings(
    environment: Mapping[str, str] | None = None,
) -> ExchangeSettings:
    """The settings from environment (`EXCHANGE_…`) > table [exchange] > default.

    Raises:
        SettingsError: naming the setting and its places.
    """
    given = os.environ if environment is None else environment
    path = config_path()
    table: dict[str, Any] = {}
    if path.exists():
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("exchange", {})
    names = {field.name for field in fields(ExchangeSettings)}
    unknown = sorted(set(table) - names)
    if unknown:
        raise SettingsError(f"table [exchange] of {path} has no key {unknown[0]!r}")
    chosen = dict(table)
    for name in names:
        if (value := given.get(f"EXCHANGE_{name.upper()}")) is not None:
            chosen[name] = value
    for name, value in chosen.items():
        try:
            chosen[name] = int(value)
        except (TypeError, ValueError):
            raise SettingsError(
                f"setting {name} of the exchange must be a whole number. It is read"
                f" from EXCHANGE_{name.upper()} or table [exchange] of {path}"
            ) from None
        if chosen[name] < 0:
            raise SettingsError(f"setting {name} of the exchange is negative")
    return ExchangeSettings(**chosen)
