"""Trends of the panel or one listener: by day to year, weekday, hour, calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

from serve.queries.windows import Plays
from serve.ranges import BEGINNING, Range, start_of
from serve.store.contract import Reader, Result
from serve.visibility import panel_of_country

Grain = Literal["day", "week", "month", "year"]
Statistic = Literal["scrobbles", "tracks", "artists", "listeners", "minutes"]

_COLUMN = {
    "scrobbles": "cast(scrobbles{end} as double precision)",
    "tracks": "cast(tracks{end} as double precision)",
    "artists": "cast(artists{end} as double precision)",
    "listeners": "cast(active_listeners{end} as double precision)",
    "minutes": "cast(listening_seconds{end} as double precision) / 60.0",
}
_FROM_PLAYS = {
    "scrobbles": "cast(count(*) as double precision)",
    "tracks": "cast(count(distinct plays.track_id) as double precision)",
    "artists": "cast(count(distinct plays.artist_id) as double precision)",
    "listeners": "cast(count(distinct plays.listener_id) as double precision)",
    "minutes": (
        "cast(coalesce(sum(plays.listening_seconds), 0) as double precision) / 60.0"
    ),
}


def by_period(
    reader: Reader,
    *,
    grain: str,
    statistic: str,
    plays: Plays,
    limit: int,
    offset: int,
) -> Result:
    """One row per period, zero-filled, oldest first; only plays of the range count.

    From the mart where no filter is set and the range cuts no period.
    """
    of_mart = not (plays.artist_id or plays.tag_id or plays.country)
    of_mart = of_mart and _holds_whole_periods(reader, grain, plays.days)
    if of_mart:
        end = "_clean" if plays.is_clean else ""
        return reader.query(
            f"""
            select
                period_start, {_COLUMN[statistic].format(end=end)} as value,
                is_running, is_cut,
                cast(previous_year_scrobbles{end} as bigint)
                    as previous_year_scrobbles,
                cast(change{end}_pct as double precision) as change_pct
            from marts.listener_trends
            where listener_id = :listener_id and period = :grain
                and period_start between :start and :last
            order by period_start
            limit :limit offset :offset
            """,
            {
                "listener_id": plays.listener_id or "",
                "grain": grain,
                "start": start_of(grain, plays.days.first),
                "last": plays.days.last,
                "limit": limit,
                "offset": offset,
            },
        )
    found = reader.query(
        f"""
        select
            cast(date_trunc('{grain}', plays.scrobbled_date) as date) as period_start,
            {_FROM_PLAYS[statistic]} as value,
            cast(null as boolean) as is_running, cast(null as boolean) as is_cut,
            cast(null as bigint) as previous_year_scrobbles,
            cast(null as double precision) as change_pct
        from marts.fct_scrobbles as plays
        where {plays.where()} and {plays.counts}
        group by cast(date_trunc('{grain}', plays.scrobbled_date) as date)
        order by period_start
        """,
        plays.binds,
    )
    rows = _zero_filled(found, grain)
    return Result(found.columns, found.types, rows[offset : offset + limit])


def _holds_whole_periods(reader: Reader, grain: str, days: Range) -> bool:
    """Whether the range cuts no period; nothing is before the first known day."""
    if days.period == "all_time":
        return True
    is_begun = start_of(grain, days.first) == days.first or days.first <= BEGINNING
    after = days.last + timedelta(days=1)
    is_ended = days.last >= reader.published.as_of_date
    return is_begun and (is_ended or start_of(grain, after) == after)


def _zero_filled(found: Result, grain: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in found.rows:
        if rows:
            day = _next_start(grain, rows[-1][0])
            while day < row[0]:
                rows.append((day, 0.0, None, None, None, None))
                day = _next_start(grain, day)
        rows.append(row)
    return rows


def _next_start(grain: str, day: date) -> date:
    longest = {"day": 1, "week": 7, "month": 31, "year": 366}[grain]
    return start_of(grain, day + timedelta(days=longest))


def by_weekday_and_hour(reader: Reader, *, plays: Plays, all_days: bool) -> Result:
    """168 rows: plays by weekday (1 is Monday) and hour, UTC.

    `all_days` takes them ready from the mart, else they are counted in the range.
    """
    if all_days and not (plays.artist_id or plays.tag_id or plays.country):
        found = reader.query(
            f"""
            select weekday, hour, scrobbles{"_clean" if plays.is_clean else ""}
            from marts.listener_hours
            where listener_id = :listener_id
            """,
            {"listener_id": plays.listener_id or ""},
        )
    else:
        found = reader.query(
            f"""
            select
                cast(extract(isodow from plays.scrobbled_at) as integer) as weekday,
                cast(extract(hour from plays.scrobbled_at) as integer) as hour,
                cast(count(*) as bigint) as scrobbles
            from marts.fct_scrobbles as plays
            where {plays.where()} and {plays.counts}
            group by 1, 2
            """,
            plays.binds,
        )
    counts = {(row[0], row[1]): row[2] for row in found.rows}
    rows = [
        (weekday, hour, counts.get((weekday, hour), 0))
        for weekday in range(1, 8)
        for hour in range(24)
    ]
    return Result(("weekday", "hour", "scrobbles"), found.types, rows)


def folded(grid: Result, column: str) -> Result:
    """The grid summed over one side: by `weekday` or by `hour`."""
    index = grid.columns.index(column)
    sums: dict[int, int] = {}
    for row in grid.rows:
        sums[row[index]] = sums.get(row[index], 0) + row[2]
    whole = sum(sums.values())
    rows = [
        (key, count, 100.0 * count / whole if whole else None)
        for key, count in sorted(sums.items())
    ]
    return Result(
        (column, "scrobbles", "share_pct"), ("integer", "integer", "double"), rows
    )


def calendar(
    reader: Reader, *, year: int, listener_id: str, is_clean: bool = True
) -> Result:
    """One row per day of a year, zero-filled, with its week and weekday: a heat map.

    Days after the published one are null: nothing is known of them.
    `is_clean` leaves out the plays of flagged days of the panel.
    """
    column = "scrobbles_clean" if is_clean and not listener_id else "scrobbles"
    found = reader.query(
        f"""
        select period_start, {column}
        from marts.listener_trends
        where listener_id = :listener_id and period = 'day'
            and period_start between :first and :last
        """,
        {
            "listener_id": listener_id,
            "first": date(year, 1, 1),
            "last": date(year, 12, 31),
        },
    )
    counts = dict(found.rows)
    rows = []
    day = date(year, 1, 1)
    while day.year == year:
        week = (day - date(year, 1, 1)).days + date(year, 1, 1).weekday()
        known = counts.get(day, 0) if day <= reader.published.as_of_date else None
        rows.append((day, week // 7, day.isoweekday(), known))
        day += timedelta(days=1)
    return Result(
        ("day", "week", "weekday", "scrobbles"),
        ("date", "integer", "integer", "integer"),
        rows,
    )


def active_listeners(reader: Reader, plays: Plays) -> dict[str, Any]:
    """How many listeners played anything (that passes the filters) in the window.

    Exact for any window: distinct counts of its parts do not add up.
    """
    if plays.artist_id or plays.tag_id:
        source, day = "marts.fct_scrobbles", plays.where()
        scrobbles = "count(*)"
    else:
        source, day = "marts.fct_listener_days", plays.where()
        scrobbles = "coalesce(sum(plays.scrobbles), 0)"
    panel = "select count(*) from marts.dim_listeners"
    if plays.country:
        panel = panel_of_country()
    found = reader.query(
        f"""
        select
            cast(count(distinct plays.listener_id) as bigint) as active_listeners,
            cast({scrobbles} as bigint) as scrobbles,
            cast(({panel}) as bigint) as panel_listeners
        from {source} as plays
        where {day} and {plays.counts}
        """,
        plays.binds,
    ).first()
    assert found is not None
    return found


def whole(days: Range) -> bool:
    """Whether a range is all there is."""
    return days.period == "all_time"
