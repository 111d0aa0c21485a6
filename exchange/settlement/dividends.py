"""Dividends: the session's fees, split by value among those who held beforehand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from exchange import ledger, schema
from exchange.clock import days_before, new_id
from exchange.settings import PPM
from exchange.settlement.contract import Close

_held = schema.holdings.c
_player = schema.players.c
_MILLI = 1000

Holding = tuple[str, str]
"""A player's and an artist's key."""


@dataclass(frozen=True)
class Dividends:
    """The fees of a day and who got what of them, in units."""

    pool_units: int = 0
    parts: Mapping[Holding, int] = field(default_factory=dict)

    @property
    def paid_units(self) -> int:
        return sum(self.parts.values())

    @property
    def unpaid_units(self) -> int:
        """What of the fees nobody gets."""
        return self.pool_units - self.paid_units

    def by_player(self) -> dict[str, int]:
        return self._sums(0)

    def by_artist(self) -> dict[str, int]:
        return self._sums(1)

    def _sums(self, place: int) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for holding, amount in self.parts.items():
            sums[holding[place]] += amount
        return sums


@dataclass(frozen=True)
class _Claim:
    """What one holding counts: eligible shares, and their value times surprise."""

    shares: int
    weight: int


def pay_dividends(
    connection: Connection, close: Close, listings: Mapping[str, Row[Any]]
) -> Dividends:
    """Pay out of the fees since the last close; the bank takes what is left."""
    fees = {row.artist_id: row.fees_units for row in listings.values()}
    pool = sum(fees.values())
    claims = _claims(connection, close, listings)
    weights = {holding: claim.weight for holding, claim in claims.items()}
    parts = share_out(pool, weights, close.settings.dividend_rate_ppm)
    paid = Dividends(pool, dict(sorted(parts.items())))
    if pool:
        _post(connection, close, fees, paid)
    if parts:
        connection.execute(
            insert(schema.dividends),
            [
                {
                    "dividend_date": close.day,
                    "player_id": player_id,
                    "artist_id": artist_id,
                    "shares": claims[player_id, artist_id].shares,
                    "weight": claims[player_id, artist_id].weight,
                    "amount_units": amount,
                }
                for (player_id, artist_id), amount in paid.parts.items()
            ],
        )
    return paid


def _post(
    connection: Connection, close: Close, fees: Mapping[str, int], paid: Dividends
) -> None:
    """Empty the fee accounts: to the players' cash, and to the bank."""
    entry = ledger.Entry(new_id(close.now), "dividends", close.session, close.now)
    entry.postings = [
        (ledger.fees_account(artist_id), ledger.CASH, -amount)
        for artist_id, amount in fees.items()
    ]
    entry.postings.append((ledger.BANK, ledger.CASH, paid.unpaid_units))
    entry.postings += [
        (ledger.player_account(player_id), ledger.CASH, amount)
        for (player_id, _), amount in paid.parts.items()
    ]
    ledger.post(connection, entry)


def _claims(
    connection: Connection, close: Close, listings: Mapping[str, Row[Any]]
) -> dict[Holding, _Claim]:
    """What each holding counts in the split; only holdings that count.

    The surprise is that of the day before, and only shares held at the close before
    that one, at that one and now count: all were bought before the day's counters ran.
    """
    price = schema.prices.c
    cap = close.settings.dividend_surprise_cap_milli
    surprises = {
        row.artist_id: min(row.surprise_milli, cap)
        for row in connection.execute(
            select(price.artist_id, price.surprise_milli).where(
                price.price_date == days_before(close.day, 1),
                price.surprise_milli > 0,
            )
        )
    }
    claims = {}
    for row in connection.execute(
        select(schema.holdings)
        .join(schema.players, _player.player_id == _held.player_id)
        .where(_held.shares > 0, _player.left_at.is_(None))
    ):
        eligible = min(row.shares, row.close_shares, row.previous_close_shares)
        value = eligible * listings[row.artist_id].fundamental_price_units
        weight = value * surprises.get(row.artist_id, 0) // _MILLI
        if weight > 0:
            claims[row.player_id, row.artist_id] = _Claim(eligible, weight)
    return claims


def share_out(
    fees: int, weights: Mapping[Holding, int], rate_ppm: int
) -> dict[Holding, int]:
    """Weight times min(fees / sum of weights, rate), to the last unit. Pure."""
    total = sum(weights.values())
    return split(min(fees, total * rate_ppm // PPM), weights) if total else {}


def split(pool: int, weights: Mapping[Holding, int]) -> dict[Holding, int]:
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
