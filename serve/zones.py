"""Time zones: what the clock on somebody's wall said when a play began.

Owns the names that are accepted and the SQL that turns a UTC time into local time. The
offsets come from one place, Python's zoneinfo, so that both databases say the same; a
zone is never the database's or the session's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones

#: UTC second from which an offset in seconds holds.
Step = tuple[datetime, int]


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """All names that are accepted, as in the IANA time zone database."""
    return frozenset(available_timezones() - {"localtime"})


class Zone:
    """A time zone by its name.

    Raises:
        ValueError: the name is not one of :func:`zone_names`.
    """

    def __init__(self, name: str = "UTC") -> None:
        if name not in zone_names():
            raise ValueError(f"{name[:64]!r} is no time zone, such as Europe/Oslo")
        self.name = name

    @cached_property
    def _info(self) -> ZoneInfo:
        return ZoneInfo(self.name)

    def offset(self, moment: datetime) -> int:
        """Seconds to add to this UTC time (without a zone) for local time."""
        shift = moment.replace(tzinfo=UTC).astimezone(self._info).utcoffset()
        assert shift is not None
        return int(shift.total_seconds())

    def local(self, moment: datetime) -> datetime:
        """Local time (without a zone) of a UTC time (without a zone)."""
        return moment + timedelta(seconds=self.offset(moment))

    def begin(self, day: date) -> datetime:
        """The first UTC second (without a zone) of a local day.

        Where a change of the clock leads back over midnight, some minutes of the day
        before follow it; they count with their own date.
        """
        midnight = datetime.combine(day, datetime.min.time())
        before, after = midnight - timedelta(days=1), midnight + timedelta(days=1)
        while after - before > timedelta(seconds=1):
            middle = (before + (after - before) // 2).replace(microsecond=0)
            if self.local(middle).date() < day:
                before = middle
            else:
                after = middle
        return after

    def local_sql(self, column: str, first: date, last: date) -> str:
        """SQL: local time of the UTC timestamps in `column`, all of these UTC days.

        The offsets of the days are a tree of comparisons: a library of twenty years
        meets forty changes, and each row takes five or six of them.
        """
        steps = _steps(self.name, first, last)
        if all(seconds == 0 for _, seconds in steps):
            return column
        return f"{column} + {_tree(column, steps)}"


def _tree(column: str, steps: Sequence[Step]) -> str:
    if len(steps) == 1:
        return f"interval '{steps[0][1]} seconds'"
    middle = len(steps) // 2
    since = steps[middle][0]
    return (
        f"case when {column} < timestamp '{since:%Y-%m-%d %H:%M:%S}'"
        f" then {_tree(column, steps[:middle])}"
        f" else {_tree(column, steps[middle:])} end"
    )


def _steps(name: str, first: date, last: date) -> list[Step]:
    """The offsets that hold on the UTC days `first` through `last`."""
    begin = datetime.combine(first, datetime.min.time())
    end = datetime.combine(last, datetime.min.time()) + timedelta(days=1)
    known: list[Step] = []
    for year in range(first.year, last.year + 1):
        known += [s for s in _steps_of_year(name, year) if s[0] < end]
    steps: list[Step] = []
    for since, seconds in known:
        if since <= begin:
            steps = [(since, seconds)]
        elif seconds != steps[-1][1]:
            steps.append((since, seconds))
    return steps


@lru_cache(maxsize=4096)
def _steps_of_year(name: str, year: int) -> tuple[Step, ...]:
    """The offset at the begin of a UTC year, and each that follows in it."""
    zone = Zone(name)
    at, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    steps = [(at, zone.offset(at))]
    while at < end:
        after = at + timedelta(days=1)
        if zone.offset(after) != steps[-1][1]:
            since = _change(zone, at, after)
            if since < end:
                steps.append((since, zone.offset(since)))
        at = after
    return tuple(steps)


def _change(zone: Zone, before: datetime, after: datetime) -> datetime:
    """The first second with another offset than `before`; at the latest `after`."""
    offset = zone.offset(before)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if zone.offset(middle) == offset:
            before = middle
        else:
            after = middle
    return after
