"""Whether the database's clock and last.fm's agree on what day it is.

Owns the one request that is made before a run touches anything. Must not hold a key.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from sqlalchemy import Engine

from ingest.lastfm.client import user_agent
from warehouse import ops
from warehouse.errors import FetchFailed, SettingsError

# A clock may be off by this much: what NTP leaves, and a slow answer.
MOST_SECONDS = 120
TRIES = 3
WAIT_SECONDS = 2.0


def check(url: httpx2.URL, engine: Engine, wait: float = WAIT_SECONDS) -> None:
    """Hold the database's clock against the `Date` of the server at `url`.

    Raises:
        FetchFailed: the server cannot be reached.
        SettingsError: the clock is ahead, or so far behind that it is another day.
    """
    theirs = server_time(url, wait)
    if theirs is None:
        return
    with engine.connect() as connection:
        ours = ops.database_time(connection)
    if wrong := disagreement(ours, theirs):
        raise SettingsError(f"{wrong}, by the Date of {url.host}; set the clock right")


def disagreement(ours: datetime, theirs: datetime) -> str | None:
    """What is wrong with our clock; None where a day's counters get the right day.

    Args:
        ours, theirs: UTC without a zone.
    """
    ahead = (ours - theirs).total_seconds()
    if ahead > MOST_SECONDS:
        return (
            f"the database's clock says {ours:%Y-%m-%d %H:%M:%S} UTC, {ahead:,.0f} s"
            " ahead: a day that has not begun would be published"
        )
    if ahead < -MOST_SECONDS and ours.date() != theirs.date():
        return (
            f"the database's clock says {ours:%Y-%m-%d %H:%M:%S} UTC, {-ahead:,.0f} s"
            f" behind: counters of {theirs:%Y-%m-%d} would be taken for those of"
            f" {ours:%Y-%m-%d}"
        )
    return None


def server_time(url: httpx2.URL, wait: float = WAIT_SECONDS) -> datetime | None:
    """What time the server says it is (UTC without a zone); None where it does not.

    Raises:
        FetchFailed: it cannot be reached.
    """
    for left in reversed(range(TRIES)):
        try:
            answer = httpx2.head(url, headers={"User-Agent": user_agent()}, timeout=10)
        except httpx2.HTTPError as error:
            if not left:
                raise FetchFailed(
                    f"{url.host} cannot be reached ({error}); nothing was changed and"
                    " the market stays as it is. Run again when it answers"
                ) from error
            time.sleep(wait)
        else:
            break
    try:
        said = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None
    return said.astimezone(UTC).replace(tzinfo=None)
