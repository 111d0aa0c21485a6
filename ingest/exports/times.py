"""Times as files write them, as Unix seconds. Pure; no file and no clock.

A text that is no time gives None: the row is set aside, the file goes on.
"""

from __future__ import annotations

import math
import re
from calendar import timegm
from datetime import UTC, datetime, tzinfo

_MONTHS = {
    name: number
    for number, name in enumerate(
        (
            "Jan",
            "Feb",
            "Mar",
            "Apr",
            "May",
            "Jun",
            "Jul",
            "Aug",
            "Sep",
            "Oct",
            "Nov",
            "Dec",
        ),
        start=1,
    )
}
_LASTFM = re.compile(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}),? (\d{1,2}):(\d{2})")
_DIGITS = re.compile(r"-?\d{1,20}")


def lastfm_text(text: str) -> float | None:
    """A minute as last.fm writes it, in UTC: ``11 Jul 2024, 09:07``."""
    found = _LASTFM.fullmatch(text.strip())
    if found is None or found[2] not in _MONTHS:
        return None
    day, month, year, hour, minute = (
        int(found[1]),
        _MONTHS[found[2]],
        int(found[3]),
        int(found[4]),
        int(found[5]),
    )
    if not (1 <= day <= 31 and hour < 24 and minute < 60):
        return None
    return timegm((year, month, day, hour, minute, 0))


def iso(text: object, zone: tzinfo = UTC) -> float | None:
    """An ISO time; one that names no zone is of `zone`."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        return found.timestamp()
    except (ValueError, OverflowError):
        return None


def seconds(value: object, per_second: int = 1) -> float | None:
    """A number, or the digits of one, as seconds; infinite beyond 64 bits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value.strip()):
            return None
        value = int(value)
    if isinstance(value, int | float):
        if not abs(value) < 2**63:
            return math.inf if value > 0 else -math.inf
        return value / per_second if per_second > 1 else value
    return None


def local(seconds_of_clock: float | None, zone: tzinfo) -> float | None:
    """Unix seconds that were counted on a clock of `zone`, as true Unix seconds."""
    if seconds_of_clock is None or zone is UTC:
        return seconds_of_clock
    try:
        naive = datetime.fromtimestamp(seconds_of_clock, UTC).replace(tzinfo=zone)
        return naive.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
