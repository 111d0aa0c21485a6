"""Trends of the whole panel: /api/v1/trends."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import LEAST, Page, PanelFilters, Parameters, Whole, Year
from serve.context import reading
from serve.queries import trends as queries
from serve.queries.windows import Counted

api = APIBlueprint(
    "trends",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/trends",
    abp_tags=[Tag(name="trends", description="plays over time")],
)
_DAYS: dict[str, Any] = {"from": (date, ...), "to": (date, ...)}


class GrainPath(Parameters):
    grain: queries.Grain = Field(description="the period of a row")


class TrendQuery(PanelFilters, Page):
    statistic: queries.Statistic = "scrobbles"
    limit: Whole = Field(366, ge=1, le=10_000)


class CalendarQuery(Parameters):
    year: Year | None = Field(None, description="default: the published day's year")
    counted: Counted = "clean"


class TrendRow(Row):
    period_start: date
    value: float
    is_running: bool | None = Field(description="the period is not over: so far")
    is_cut: bool | None = Field(description="the listening begins within the period")
    previous_year_scrobbles: int | None
    change_pct: float | None = Field(
        description="of scrobbles, against the same period a year before; null while"
        " the period is running"
    )


class WeekdayRow(Row):
    weekday: int = Field(description="1 is Monday")
    scrobbles: int
    share_pct: float | None


class HourRow(Row):
    hour: int = Field(description="0 to 23, UTC")
    scrobbles: int
    share_pct: float | None


class WeekHourRow(Row):
    weekday: int
    hour: int
    scrobbles: int


class DayRow(Row):
    day: date
    week: int = Field(description="column of the calendar, from 0")
    weekday: int = Field(description="1 is Monday")
    scrobbles: int | None = Field(description="null: the day is to come")


class Active(Row):
    active_listeners: int
    scrobbles: int
    panel_listeners: int | None = Field(
        description="null: too few of the country to be told"
    )


@api.get(
    "/weekday", responses=listing(WeekdayRow, **LEAST), openapi_extensions=AS_TABLE
)
def weekday(query: PanelFilters) -> Response:
    """Plays by weekday."""
    with reading() as reader:
        plays = query.plays(reader.published)
        grid = queries.by_weekday_and_hour(
            reader, plays=plays, all_days=queries.whole(plays.days)
        )
        return answers.table(
            reader.published,
            queries.folded(grid, "weekday"),
            least_listeners=plays.least_listeners,
        )


@api.get("/hour", responses=listing(HourRow, **LEAST), openapi_extensions=AS_TABLE)
def hour(query: PanelFilters) -> Response:
    """Plays by hour of the day (UTC)."""
    with reading() as reader:
        plays = query.plays(reader.published)
        grid = queries.by_weekday_and_hour(
            reader, plays=plays, all_days=queries.whole(plays.days)
        )
        return answers.table(
            reader.published,
            queries.folded(grid, "hour"),
            least_listeners=plays.least_listeners,
        )


@api.get(
    "/week-hours", responses=listing(WeekHourRow, **LEAST), openapi_extensions=AS_TABLE
)
def week_hours(query: PanelFilters) -> Response:
    """Plays by weekday and hour: 168 rows."""
    with reading() as reader:
        plays = query.plays(reader.published)
        grid = queries.by_weekday_and_hour(
            reader, plays=plays, all_days=queries.whole(plays.days)
        )
        return answers.table(
            reader.published,
            grid,
            least_listeners=plays.least_listeners,
        )


@api.get("/calendar", responses=listing(DayRow), openapi_extensions=AS_TABLE)
def calendar(query: CalendarQuery) -> Response:
    """Every day of a year with its plays: a heat map."""
    with reading() as reader:
        year = query.year or reader.published.as_of_date.year
        result = queries.calendar(
            reader, year=year, listener_id="", is_clean=query.counted == "clean"
        )
        return answers.table(reader.published, result)


@api.get(
    "/active-listeners",
    responses=single(Active, members={**_DAYS, **LEAST}),
)
def active_listeners(query: PanelFilters) -> Response:
    """Distinct listeners with a play in any window, exactly."""
    with reading() as reader:
        plays = query.plays(reader.published)
        found = queries.active_listeners(reader, plays)
        return answers.document(
            reader.published,
            found,
            members={
                "from": plays.days.first,
                "to": plays.days.last,
                "least_listeners": plays.least_listeners,
            },
        )


@api.get("/<grain>", responses=listing(TrendRow, **LEAST), openapi_extensions=AS_TABLE)
def trend(path: GrainPath, query: TrendQuery) -> Response:
    """One statistic by day, week, month or year, zero-filled, oldest first."""
    with reading() as reader:
        plays = query.plays(reader.published)
        result = queries.by_period(
            reader,
            grain=path.grain,
            statistic=query.statistic,
            plays=plays,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published,
            result,
            limit=query.limit,
            offset=query.offset,
            least_listeners=plays.least_listeners,
        )
