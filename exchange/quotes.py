"""Quotes: what a trade would cost now, signed, good for seconds and for one use.

A quote is a text the player carries: the server keeps nothing until it is used. The
signature covers player, artist, side, shares, price, fee, the published version, the
market's opening and the time of expiry. It says what the player agreed to, no more: the
price is made again when the trade is done. That it is used once is a unique key on the
trades.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from exchange.errors import Refusal

Side = Literal["buy", "sell"]


@dataclass(frozen=True)
class Quote:
    """The terms of one trade; amounts in units."""

    quote_id: str
    player_id: str
    artist_id: str
    side: Side
    shares: int
    value_units: int
    fee_units: int
    fee_ppm: int
    version: str
    openings: int
    expires_ms: int

    @property
    def total_units(self) -> int:
        """What the player pays (buy) or gets (sell), fee included."""
        if self.side == "buy":
            return self.value_units + self.fee_units
        return self.value_units - self.fee_units

    @property
    def expires_at(self) -> datetime:
        return datetime(1970, 1, 1) + timedelta(milliseconds=self.expires_ms)


_FIELDS = tuple(field.name for field in fields(Quote))


def milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def seal(quote: Quote, key: bytes) -> str:
    """The quote as a signed text."""
    values = [getattr(quote, name) for name in _FIELDS]
    body = json.dumps(values, separators=(",", ":")).encode()
    return f"{_encode(body)}.{_encode(_sign(body, key))}"


def unseal(text: str, key: bytes) -> Quote:
    """The quote in a signed text; refuses whatever was not signed with the key."""
    try:
        first, _, second = text.partition(".")
        body, signature = _decode(first), _decode(second)
    except ValueError:
        raise Refusal("quote_invalid", "This is not a quote.") from None
    if not hmac.compare_digest(signature, _sign(body, key)):
        raise Refusal("quote_invalid", "The quote's signature is wrong.")
    values: list[Any] = json.loads(body)
    if len(values) != len(_FIELDS):
        raise Refusal("quote_invalid", "The quote is of an earlier version.")
    return Quote(*values)


def check_binding(
    quote: Quote, player_id: str, artist_id: str, side: str, shares: int
) -> None:
    """A quote is for one player, one artist, one side and one number of shares."""
    asked = (player_id, artist_id, side, shares)
    if asked != (quote.player_id, quote.artist_id, quote.side, quote.shares):
        raise Refusal(
            "quote_mismatch",
            "The quote was made for another player, artist, side or number of shares.",
        )


def check_alive(quote: Quote, now: datetime, openings: int, seconds: int) -> datetime:
    """A quote lives for seconds, and dies when the market closes.

    Gives the moment it was made, which its spread is reckoned at.
    """
    left = quote.expires_ms - milliseconds(now)
    if left <= 0 or openings != quote.openings:
        raise Refusal("quote_expired", "The quote has expired; ask for a new one.")
    if left > seconds * 1000:
        raise Refusal("quote_invalid", "The quote would live longer than a quote may.")
    return quote.expires_at - timedelta(seconds=seconds)


def _sign(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, b"quote\n" + body, hashlib.sha256).digest()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not ASCII")
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
