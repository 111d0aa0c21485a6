"""Dividends: the session's fees and new money, split among the holders."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from exchange import ledger, schema
from exchange.clock import days_before, new_id
from exchange.settlement.contract import Close

_held = schema.holdings.c
_player = schema.players.c

Holding = tuple[str, str]
"""A player's and an artist's key."""


@dataclass(frozen=True)
class Dividends:
    """The pool of a day and who got what of it, in units."""

    pool_units: int = 0
    issuance_units: int = 0
    """New money in the pool; the rest is fees."""
    parts: Mapping[Holding, int] = field(default_factory=dict)

    @property
    def paid_units(self) -> int:
        """The whole pool, or nothing when nobody had a claim."""
        return sum(self.parts.values())

    @property
    def carried_units(self) -> int:
        """What stays in the fee accounts for a later day."""
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
    """What one holding counts: eligible shares, and shares times surprise."""

    shares: int
    weight: int


def pay_dividends(
    connection: Connection, close: Close, listings: Mapping[str, Row[Any]]
) -> Dividends:
    """Split the fees and the issuance by what was held when nobody knew."""
    fees = {row.artist_id: row.fees_units for row in listings.values()}
    claims = _claims(connection, close)
    if not claims:
        return Dividends(pool_units=sum(fees.values()))
    active = connection.execute(
        select(func.count()).where(_player.left_at.is_(None))
    ).scalar_one()
    issuance = close.settings.issuance_per_player_units * active
    pool = sum(fees.values()) + issuance
    parts = split(pool, {holding: claim.weight for holding, claim in claims.items()})
    paid = Dividends(pool, issuance, dict(sorted(parts.items())))
    if pool:
        _post(connection, close, fees, paid)
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
    """Move the fees and the issuance to the players' cash."""
    entry = ledger.Entry(new_id(close.now), "dividends", close.session, close.now)
    entry.postings = [
        (ledger.fees_account(artist_id), ledger.CASH, -amount)
        for artist_id, amount in fees.items()
    ]
    entry.postings.append((ledger.BANK, ledger.CASH, -paid.issuance_units))
    entry.postings += [
        (ledger.player_account(player_id), ledger.CASH, amount)
        for (player_id, _), amount in paid.parts.items()
    ]
    ledger.post(connection, entry)


def _claims(connection: Connection, close: Close) -> dict[Holding, _Claim]:
    """What each holding counts in the split; only holdings that count.

    The surprise is that of two days ago, and only shares held at that close, the next
    and now count: all were bought before the surprise was published.
    """
    price = schema.prices.c
    cap = close.settings.dividend_surprise_cap_milli
    surprises = {
        row.artist_id: min(row.surprise_milli, cap)
        for row in connection.execute(
            select(price.artist_id, price.surprise_milli).where(
                price.price_date == days_before(close.day, 2),
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
        weight = eligible * surprises.get(row.artist_id, 0)
        if weight > 0:
            claims[row.player_id, row.artist_id] = _Claim(eligible, weight)
    return claims


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
