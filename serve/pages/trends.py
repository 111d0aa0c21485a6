"""Trends of the panel: over time, by weekday and hour, by day of a year."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup
from pydantic import Field

from serve.api.parameters import Whole, Year
from serve.api.trends import TrendQuery
from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.artists import places_of
from serve.pages.site import (
    Figure,
    Table,
    asked,
    counted_picker,
    page,
    pick,
    table,
    takes,
)
from serve.queries import artists, insights, tags
from serve.queries import trends as queries
from serve.store.contract import Reader, Result

GRAINS = {"day": "by day", "week": "by week", "month": "by month", "year": "by year"}
STATISTICS = {
    "scrobbles": "scrobbles",
    "listeners": "active listeners",
    "artists": "distinct artists",
    "tracks": "distinct tracks",
    "minutes": "minutes listened",
}
#: More bars than this would be thinner than a line.
_BARS = 120
_ROWS = 800


class Asked(TrendQuery):
    grain: queries.Grain = "month"
    year: Year | None = None
    limit: Whole = Field(10_000, ge=1, le=10_000)


def add_routes(pages: Blueprint) -> None:
    """`/trends`."""
    pages.get("/trends")(trends)


@takes(Asked)
def trends() -> Response:
    """Scrobbles over time, in the week and in the year; filters in the address."""
    query = asked(Asked)
    with reading() as reader:
        plays = query.plays(reader.published)
        kept = _kept(query)
        return page(
            "trends.html",
            reader.published,
            query=query,
            grains=pick("/trends", "grain", GRAINS.items(), query.grain, **kept),
            statistics=STATISTICS,
            ranges=formatting.RANGES,
            range=query.range or ("all_time" if not query.from_ else ""),
            active=queries.active_listeners(reader, plays),
            least_listeners=plays.least_listeners,
            artist=_named_artist(reader, query.artist),
            tag=tags.tag(reader, query.tag) if query.tag else None,
            counted=counted_picker(
                "/trends", query.counted, **{**kept, "counted": None}
            ),
            over_time=over_time(
                queries.by_period(
                    reader,
                    grain=query.grain,
                    statistic=query.statistic,
                    plays=plays,
                    limit=query.limit,
                    offset=0,
                ),
                query.grain,
                query.statistic,
                formatting.address(f"/api/v1/trends/{query.grain}.csv", **_api(query)),
            ),
            week=week_figure(
                queries.by_weekday_and_hour(
                    reader, plays=plays, all_days=queries.whole(plays.days)
                ),
                formatting.address(
                    "/api/v1/trends/week-hours.csv",
                    **{**_api(query), "statistic": None, "limit": None},
                ),
            ),
            year=year_figure(
                reader,
                query.year,
                "",
                "/trends",
                "/api/v1/trends/calendar.csv",
                kept,
                is_clean=query.counted == "clean",
            ),
        )


def _kept(query: Asked) -> dict[str, Any]:
    return {
        "statistic": query.statistic if query.statistic != "scrobbles" else None,
        "grain": query.grain if query.grain != "month" else None,
        **{name: value for name, value in _api(query).items() if name != "statistic"},
        "limit": None,
    }


def _api(query: Asked) -> dict[str, Any]:
    return {
        "statistic": query.statistic,
        "range": query.range,
        "from_": query.from_,
        "to": query.to,
        "artist": query.artist,
        "tag": query.tag,
        "country": query.country,
        "counted": query.counted if query.counted != "clean" else None,
        "limit": query.limit,
    }


def _named_artist(reader: Reader, artist_id: str | None) -> dict[str, Any] | None:
    return None if artist_id is None else artists.artist(reader, artist_id)


def over_time(found: Result, grain: str, statistic: str, csv: str) -> Figure:
    """One statistic by period: bars, or a filled line where they would be thin."""
    rows = found.records()
    name = STATISTICS[statistic]
    title = f"{name.capitalize()} {GRAINS[grain]}"
    says = f"{title} (UTC), with every period in between."
    if rows:
        best = max(rows, key=lambda row: row["value"])
        says += (
            f" Most: {formatting.number(best['value'])} in"
            f" {formatting.issue(grain, best['period_start'])}."
        )
    if len(rows) > _BARS:
        points = [(row["period_start"], row["value"]) for row in rows]
        drawn = drawing.lines(
            "time",
            title,
            says,
            [drawing.Line(name, points)],
            from_zero=True,
            is_filled=True,
        )
        places = places_of([day for day, _ in points])
    else:
        drawn = drawing.columns("time", title, says, _upright(rows, grain, name))
        places = [(number + 0.5) / len(rows) for number in range(len(rows))]
    columns: list[tuple[str, Callable[[dict[str, Any]], str], bool]] = [
        (
            grain.capitalize(),
            lambda row: formatting.issue(grain, row["period_start"]) + _state(row),
            False,
        ),
        (name.capitalize(), lambda row: formatting.number(row["value"]), True),
    ]
    if any(row["previous_year_scrobbles"] is not None for row in rows):
        columns += [
            (
                "Scrobbles a year before",
                lambda row: formatting.number(row["previous_year_scrobbles"]),
                True,
            ),
            (
                "Change of scrobbles",
                lambda row: (
                    formatting.signed(row["change_pct"])
                    + (" %" if row["change_pct"] is not None else "")
                ),
                True,
            ),
        ]
    return Figure(
        key="time",
        title=title,
        summary=says,
        picture=drawn,
        table=table(rows[::-1][:_ROWS], *columns, places=places[::-1][:_ROWS]),
        csv=csv,
        empty="No play passes these filters. Choose a longer time or fewer filters; on"
        " the first day, plays come with the daily run.",
    )


def _state(row: dict[str, Any]) -> str:
    """What a reader has to know of a period: it is not over, or not whole."""
    if row["is_running"]:
        return " (so far)"
    return " (listening begins)" if row["is_cut"] else ""


def _upright(
    rows: list[dict[str, Any]], grain: str, name: str
) -> list[tuple[str, float, str]]:
    labels = [formatting.short_issue(grain, row["period_start"]) for row in rows]
    given = []
    for label, row in zip(drawing.spread(labels), rows, strict=True):
        start: date = row["period_start"]
        value = formatting.number(row["value"])
        says = f"{formatting.issue(grain, start)}: {value} {name}"
        given.append((label, row["value"], says))
    return given


def week_figure(grid: Result, csv: str, key: str = "week") -> Figure:
    """When in the week people listen."""
    cells = [(int(row[0]), int(row[1]), int(row[2])) for row in grid.rows]
    says = "Scrobbles by weekday and hour, UTC; a fuller colour is more."
    whole = sum(count for _, _, count in cells)
    if whole:
        weekday, hour, count = max(cells, key=lambda cell: cell[2])
        says += (
            f" Most on {_WEEKDAYS[weekday - 1]} from {hour:02}:00:"
            f" {formatting.plural(count, 'scrobble')}."
        )
    counts = {(weekday, hour): count for weekday, hour, count in cells}
    return Figure(
        key=key,
        title="In the week",
        summary=says,
        picture=drawing.week_hours(key, "Scrobbles by weekday and hour", says, cells)
        if whole
        else Markup(""),
        table=Table(
            ["Hour (UTC)", *formatting.WEEKDAYS],
            [
                [
                    f"{hour:02}",
                    *(
                        formatting.number(counts.get((day, hour), 0))
                        for day in range(1, 8)
                    ),
                ]
                for hour in range(24)
            ],
            frozenset(range(1, 8)),
        ),
        csv=csv,
        empty="No play passes these filters; plays come with the daily run.",
    )


_WEEKDAYS = (
    "Mondays",
    "Tuesdays",
    "Wednesdays",
    "Thursdays",
    "Fridays",
    "Saturdays",
    "Sundays",
)


def year_figure(
    reader: Reader,
    asked_year: int | None,
    listener_id: str,
    path: str,
    csv: str,
    kept: dict[str, Any],
    is_clean: bool = True,
) -> dict[str, Any]:
    """A year day by day, with the years before and after."""
    newest = reader.published.as_of_date.year
    year = asked_year or newest
    found = queries.calendar(
        reader, year=year, listener_id=listener_id, is_clean=is_clean
    )
    days = [
        (row[0], row[1], row[2], int(row[3]))
        for row in found.rows
        if row[3] is not None
    ]
    whole = sum(day[3] for day in days)
    heard = [day for day in days if day[3]]
    says = f"Every day of {year} (UTC); a fuller colour is more."
    if heard:
        best = max(days, key=lambda day: day[3])
        says += (
            f" {formatting.plural(whole, 'scrobble')}"
            f" on {formatting.plural(len(heard), 'day')};"
            f" most on {formatting.day(best[0])}: {formatting.number(best[3])}."
        )
    figure = Figure(
        key="calendar",
        title=f"The year {year}",
        summary=says,
        picture=drawing.calendar("calendar", f"Scrobbles by day, {year}", says, days)
        if heard
        else Markup(""),
        table=Table(
            ["Day", "Scrobbles"],
            [
                [formatting.short_day(day[0]), formatting.number(day[3])]
                for day in heard[::-1]
            ],
            frozenset({1}),
        ),
        csv=formatting.address(csv, year=year),
        empty=f"No scrobbles in {year}; plays come with the daily run.",
    )
    first = insights.panel_days(reader)
    oldest = first[0].year if first else newest
    return {
        "figure": figure,
        "year": year,
        "before": formatting.address(path, **{**kept, "year": year - 1})
        if year > oldest
        else None,
        "after": formatting.address(path, **{**kept, "year": year + 1})
        if year < newest
        else None,
    }
