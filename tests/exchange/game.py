"""A small exchange for tests: shortcuts that say what happens, and nothing clever."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import md5
from typing import Any

from sqlalchemy import select

from exchange import (
    audit,
    ledger,
    market,
    orders,
    player_request,
    players,
    schema,
    settlement,
    trading,
)
from exchange.database import Database
from exchange.settings import UNITS_PER_CREDIT, ExchangeSettings
from exchange.settlement import ArtistValue, Settled, SettlementInputs

FIRST_DAY = date(2024, 3, 1)
START = datetime(2024, 3, 1, 2, 0, 0)
# b is 4,000 shares at 100 credits; nobody is new.
SETTINGS = ExchangeSettings(novice_days=0, depth_value_units=400_000 * UNITS_PER_CREDIT)
NAMES = ("Low", "Broadcast", "Stereolab", "Can", "Neu!")


def artist(name: str) -> str:
    return md5(name.lower().encode()).hexdigest()


def values(
    price: int = 100, surprise_milli: int = 0, **changes: Any
) -> tuple[ArtistValue, ...]:
    """Five artists, all at one price in credits."""
    return tuple(
        replace(
            ArtistValue(
                artist(name),
                name,
                price * UNITS_PER_CREDIT,
                sigma_ppm=20_000,
                surprise_milli=surprise_milli,
                top_tag="slowcore",
            ),
            **changes,
        )
        for name in NAMES
    )


class Game:
    """A database, a clock, and the use cases with short names."""

    def __init__(
        self, database: Database, settings: ExchangeSettings = SETTINGS
    ) -> None:
        self.database = database
        self.settings = settings
        self.now = START
        self.day = FIRST_DAY
        self.keys = itertools.count(1)
        with database.write() as connection:
            market.prepare(connection, self.clock, "ab" * 32)

    def clock(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def opened(self) -> Game:
        self.settle()
        self.open()
        return self

    def close(self, fence: int = 0) -> None:
        market.close_market(self.database, self.clock, self.settings, fence=fence)

    def open(self, fence: int = 0) -> bool:
        return market.open_market(self.database, self.clock, fence=fence)

    def settle(
        self,
        artists: tuple[ArtistValue, ...] | None = None,
        *,
        fence: int = 0,
        **inputs: Any,
    ) -> Settled:
        """Settle the next day; the market must be closed."""
        with self.database.read() as connection:
            last = settlement.last_settled(connection)
        self.day = last + timedelta(days=1) if last else FIRST_DAY
        given = SettlementInputs(
            self.day,
            f"{self.day:%Y%m%d}-000001",
            self.now,
            values() if artists is None else artists,
            **inputs,
        )
        return self.database.run(
            lambda c: settlement.settle(
                c, self.clock, self.settings, given, fence=fence
            )
        )

    def next_day(self, artists: tuple[ArtistValue, ...] | None = None) -> Settled:
        """A day goes by, and the market closes, settles and opens."""
        self.now = datetime.combine(self.now.date() + timedelta(days=1), START.time())
        self.close()
        settled = self.settle(artists)
        self.open()
        return settled

    def join(self, name: str) -> str:
        return self.database.run(
            lambda c: players.join(c, self.clock, self.settings, f"@{name}", name)
        )

    def quote(
        self, player: str, side: Any, shares: int, name: str = "Low"
    ) -> dict[str, Any]:
        with self.database.read() as connection:
            return trading.quote(
                connection,
                self.clock,
                self.settings,
                player,
                artist(name),
                side,
                shares,
            )

    def take(
        self,
        player: str,
        quote: dict[str, Any],
        key: str | None = None,
        **changes: Any,
    ) -> player_request.Answer:
        """Trade on a quote; the changes are what the player says differently."""
        terms = {
            "artist_id": quote["artist_id"],
            "side": quote["side"],
            "shares": quote["shares"],
            "quote_text": quote["quote"],
            **changes,
        }
        return self.once(
            player,
            {"operation": "trade", **terms},
            lambda d: trading.trade(d, self.clock, self.settings, **terms),
            key,
        )

    def once(
        self, player: str, request: dict[str, Any], action: Any, key: str | None = None
    ) -> player_request.Answer:
        used = key or f"key {next(self.keys)}"
        return audit.write(
            self.database,
            self.clock,
            lambda c: player_request.answer_once(
                c, self.clock, player, used, request, action
            ),
        )

    def trade(
        self, player: str, side: Any, shares: int, name: str = "Low"
    ) -> player_request.Answer:
        return self.take(player, self.quote(player, side, shares, name))

    def order(
        self,
        player: str,
        side: str,
        shares: int,
        limit: int | None = None,
        name: str = "Low",
    ) -> player_request.Answer:
        """Queue an order; the limit is in units."""
        return self.once(
            player,
            {"operation": "order", "n": next(self.keys)},
            lambda d: orders.place(
                d, self.clock, self.settings, artist(name), side, shares, limit
            ),
        )

    def player(self, player: str) -> Any:
        with self.database.read() as connection:
            return connection.execute(
                select(schema.players).where(schema.players.c.player_id == player)
            ).one()

    def listing(self, name: str = "Low") -> Any:
        with self.database.read() as connection:
            return connection.execute(
                select(schema.listings).where(
                    schema.listings.c.artist_id == artist(name)
                )
            ).one()

    def holding(self, player: str, name: str = "Low") -> Any:
        """The row of a holding; None for nothing ever."""
        with self.database.read() as connection:
            return trading.find_holding(connection, player, artist(name))

    def shares(self, player: str, name: str = "Low") -> int:
        found = self.holding(player, name)
        return found.shares if found else 0

    def rows(self, table: Any, *where: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(table).where(*where)))

    def violations(self) -> list[str]:
        with self.database.read() as connection:
            return ledger.violations(connection)
