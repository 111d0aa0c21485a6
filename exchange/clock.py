"""Time and identifiers: the only two things the exchange takes from the outside."""

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the time in UTC, without a zone, as the tables store it."""


def utc_now() -> datetime:
    """The system's clock in UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_id(now: datetime) -> str:
    """32 hex digits: milliseconds, then 80 random bits; sorts by time."""
    milliseconds = int(now.replace(tzinfo=UTC).timestamp() * 1000)
    return f"{milliseconds:012x}{secrets.token_hex(10)}"


def iso(moment: datetime | None) -> str | None:
    """A time as text, always with microseconds and Z."""
    if moment is None:
        return None
    return moment.isoformat(timespec="microseconds") + "Z"


def days_before(day: date, days: int) -> date:
    return day - timedelta(days=days)
