"""Ranges of days: ListenBrainz's words, or from and to.

Owns what a word means. All days are UTC; the anchor is the published day, so that an
answer of a version never depends on the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

Word = Literal[
    "this_week",
    "this_month",
    "this_year",
    "week",
    "month",
    "quarter",
    "half_yearly",
    "year",
    "all_time",
]
WORDS: tuple[str, ...] = get_args(Word)

# No scrobble is older: last.fm (Audioscrobbler) began in October 2002.
BEGINNING = date(2002, 10, 1)
END = date(2200, 12, 31)


@dataclass(frozen=True)
class Range:
    """Both days included. `period` names the mart's period where a word was used."""

    first: date
    last: date
    period: str | None = None

    @property
    def days(self) -> int:
        """How many days it holds."""
        return (self.last - self.first).days + 1


def start_of(period: str, day: date) -> date:
    """The first day of the period that holds `day`; weeks begin on Monday."""
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    months = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[period]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def before(days: Range) -> Range | None:
    """The period before: the calendar period before a named one, else as many days.

    A named period that is not over is compared with as many days of the one before.
    None before all of time.
    """
    if days.period == "all_time":
        return None
    last = days.first - timedelta(days=1)
    if days.period is None:
        return Range(days.first - timedelta(days=days.days), last)
    first = start_of(days.period, last)
    after = days.last + timedelta(days=1)
    if start_of(days.period, after) != after:
        last = min(first + timedelta(days=days.days - 1), last)
    return Range(first, last, days.period)


def of_word(word: str, as_of: date) -> Range:
    """The days of a word: `week` is the last whole one, `this_week` the running one."""
    if word == "all_time":
        return Range(BEGINNING, as_of, "all_time")
    if word.startswith("this_"):
        period = word.removeprefix("this_")
        return Range(start_of(period, as_of), as_of, period)
    period = "half_year" if word == "half_yearly" else word
    last = start_of(period, as_of) - timedelta(days=1)
    return Range(start_of(period, last), last, period)


def of_days(first: date | None, last: date | None, as_of: date) -> Range:
    """The days from `first` to `last`, cut to the days that can be.

    Raises:
        ValueError: `first` is after `last`.
    """
    last = min(last or as_of, END)
    first = max(first or BEGINNING, BEGINNING)
    last = max(last, BEGINNING)
    first = min(first, END)
    if first > last:
        raise ValueError(f"from {first} is after to {last}")
    return Range(first, last)
