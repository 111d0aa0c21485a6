"""Charts: /api/v1/charts."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.api.description import AS_TABLE, Row, listing, operation_id
from serve.api.parameters import (
    Day,
    Flag,
    Key,
    Page,
    Parameters,
    Revision,
    Scope,
    Version,
    Whole,
)
from serve.context import reading
from serve.problems import Problem
from serve.queries import charts as queries
from serve.queries.windows import Counted
from serve.store.contract import Reader, Result, Status

api = APIBlueprint(
    "charts",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/charts",
    abp_tags=[Tag(name="charts", description="ranked issues with their history")],
)


class ChartsQuery(Page):
    chart: queries.Chart | None = None
    scope: Scope | None = Field(None, description="the country or tag of the chart")
    period: queries.Period | None = None


class ChartPath(Parameters):
    chart: queries.Chart = Field(description="the chart's name")


class RunPath(ChartPath):
    entity_id: Key = Field(description="the artist, track, album or tag")


class Of(Page):
    scope: Scope = Field("", description="the country or tag; empty for the others")
    period: queries.Period | None = Field(
        None, description="default: the shortest the chart has"
    )


class IssueQuery(Of):
    issue: Day | None = Field(
        None, description="the issue in force that day; default: the last"
    )
    revision: Revision | None = Field(
        None, description="the issue as this revision had it; default: the newest"
    )
    as_of: Version | None = Field(
        None, description="a version's name: the issue as that version had it"
    )
    by: queries.Measure = Field("rank", description="rank anew by this measure")
    bubbling_under: Flag = Field(
        "false", description="the places just below the chart instead"
    )
    counted: Counted = Field(
        "clean",
        description="all: the panel's charts ranked by every play, robots and all,"
        " without history",
    )


class YearsQuery(Of):
    issue: Day | None = None


class FeedQuery(Parameters):
    scope: Scope = ""
    period: queries.Period | None = None
    depth: Whole = Field(40, ge=1, le=1000, description="places looked at")
    issues: Whole = Field(10, ge=1, le=100, description="issues looked at")


class ChartRow(Row):
    chart: str
    scope: str
    period: str
    issues: int
    first_issue_date: date
    last_issue_date: date


class IssueRow(Row):
    issue_date: date
    revision: int
    entries: int


class RevisionsQuery(Page):
    scope: Scope | None = Field(None, description="the country or tag of the chart")
    period: queries.Period | None = None
    issue: Day | None = Field(None, description="first day of the issue")


class RevisionRow(Row):
    chart: str
    scope: str
    period: str
    issue_date: date
    revision: int
    published_in: str = Field(description="the version that was the first to say so")
    status: Status = Field(description="what the issue was in that version")
    places: int
    changed_places: int = Field(description="places that differ from those before")
    first_before: str | None
    first_now: str | None


class EntryRow(Row):
    rank: int | None
    entity_id: str
    entity_name: str
    artist_id: str | None
    artist_name: str | None
    previous_rank: int | None
    movement: str | None = Field(description="NEW, RE, UP, DOWN or SAME")
    rank_change: int | None
    peak_rank: int | None
    peak_first_date: date | None
    issues_at_peak: int | None
    issues_on_chart: int | None
    run_number: int | None
    run_length: int | None
    issues_at_1: int | None
    scrobbles: int | None
    scrobbles_flagged: int | None = Field(
        description="plays that do not count because the listener's day is flagged"
    )
    scrobbles_counted: int | None = Field(
        description="plays that count: not flagged, and of one listener no more than"
        " the cap; with counted=all every play"
    )
    listeners: int | None
    listeners_counted: int | None
    minutes: float | None
    minutes_counted: float | None
    share_pct: float | None
    lead_over_2_pct: float | None
    points: float | None
    is_bubbling_under: bool | None


class PositionRow(EntryRow):
    chart_rank: int | None = Field(description="the rank in the chart itself")


class RunRow(EntryRow):
    issue_date: date
    revision: int


class YearRow(Row):
    rank: int
    entity_id: str
    entity_name: str
    artist_id: str | None
    artist_name: str | None
    scrobbles: int | None
    listeners: int | None
    year_ago_rank: int | None
    year_ago_scrobbles: int | None
    year_ago_listeners: int | None
    rank_gain: int | None = Field(description="places gained in a year")
    scrobbles_change_pct: float | None


_ISSUE: dict[str, Any] = {
    "chart": (str, ...),
    "scope": (str, ...),
    "period": (str, ...),
    "issue_date": (date, ...),
    "revision": (int, ...),
    "status": (Status, Field(description="of the issue's days, in this version")),
    "counted": (Counted, ...),
}


@api.get("", responses=listing(ChartRow), openapi_extensions=AS_TABLE)
def list_charts(query: ChartsQuery) -> Response:
    """Which charts there are."""
    with reading() as reader:
        result = queries.charts(
            reader,
            chart=query.chart,
            scope=query.scope,
            period=query.period,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get(
    "/<chart>", responses=listing(PositionRow, **_ISSUE), openapi_extensions=AS_TABLE
)
def issue(path: ChartPath, query: IssueQuery) -> Response:
    """One issue of a chart: the last, or the one in force on a day."""
    with reading() as reader:
        found = _find(
            reader,
            path.chart,
            query.scope,
            query.period,
            day=query.issue,
            revision=query.revision,
            as_of=query.as_of,
        )
        result = entries(reader, found, query, limit=query.limit + 1)
        return answers.table(
            reader.published,
            result,
            limit=query.limit,
            offset=query.offset,
            **found,
            status=status(reader, found),
            counted=query.counted,
        )


@api.get("/<chart>/issues", responses=listing(IssueRow), openapi_extensions=AS_TABLE)
def issues(path: ChartPath, query: Of) -> Response:
    """The issues of a chart, newest first."""
    with reading() as reader:
        found = _find(reader, path.chart, query.scope, query.period)
        result = queries.issues(
            reader,
            chart=path.chart,
            scope=query.scope,
            period=found["period"],
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get(
    "/<chart>/revisions", responses=listing(RevisionRow), openapi_extensions=AS_TABLE
)
def revisions(path: ChartPath, query: RevisionsQuery) -> Response:
    """Revisions of the chart's issues, newest first: which version published each."""
    with reading() as reader:
        result = queries.revisions(
            reader,
            chart=path.chart,
            scope=query.scope,
            period=query.period,
            issue_date=query.issue,
            is_restated=False,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get(
    "/<chart>/runs/<entity_id>", responses=listing(RunRow), openapi_extensions=AS_TABLE
)
def run(path: RunPath, query: Of) -> Response:
    """Every issue in which one artist, track, album or tag stood."""
    with reading() as reader:
        found = _find(reader, path.chart, query.scope, query.period)
        result = queries.run(
            reader,
            chart=path.chart,
            scope=query.scope,
            period=found["period"],
            entity_id=path.entity_id,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published,
            _without(result, "newest"),
            limit=query.limit,
            offset=query.offset,
        )


@api.get("/<chart>/years", responses=listing(YearRow), openapi_extensions=AS_TABLE)
def years(path: ChartPath, query: YearsQuery) -> Response:
    """One issue beside the issue a year before."""
    with reading() as reader:
        found = _find(reader, path.chart, query.scope, query.period, day=query.issue)
        earlier = queries.find_issue(
            reader,
            chart=path.chart,
            scope=query.scope,
            period=found["period"],
            day=_year_before(found["issue_date"]),
            revision=None,
        )
        result = queries.year_over_year(
            reader, found, earlier, limit=query.limit + 1, offset=query.offset
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get(
    "/<chart>/feed.atom",
    responses={
        200: {"content": {"application/atom+xml": {"schema": {"type": "string"}}}}
    },
)
def feed(path: ChartPath, query: FeedQuery) -> Response:
    """An Atom feed of what came, came back, climbed most or took the top."""
    with reading() as reader:
        found = _find(reader, path.chart, query.scope, query.period)
        changes = queries.changes(
            reader,
            chart=path.chart,
            scope=query.scope,
            period=found["period"],
            depth=query.depth,
            issues=query.issues,
        )
        body = _atom(found, changes)
        return answers.plain(body, "application/atom+xml", reader.published)


def entries(
    reader: Reader, found: dict[str, Any], query: IssueQuery, *, limit: int
) -> Result:
    """The rows of an issue, by what counts or by all plays.

    Raises:
        Problem: all plays are asked for of a past issue of all time, which is kept by
            what counts only.
    """
    is_of_panel = found["chart"].startswith("panel_")
    if query.by in ("scrobbles", "minutes", "share") and not is_of_panel:
        raise Problem(
            "invalid_combination",
            f"by: last.fm does not say the {query.by} of {found['chart']}; rank it by"
            " rank or listeners",
        )
    if query.counted == "all" and is_of_panel and found["period"] == "all_time":
        raise Problem(
            "invalid_combination",
            "counted: issues of all time are kept by what counts; ask"
            " /api/v1/insights/top/artists?range=all_time&counted=all for today's",
        )
    ask = queries.issue
    if queries.is_replaced(reader, found):
        ask = queries.issue_of_revision
    if query.counted == "all" and is_of_panel:
        if query.revision is not None or query.as_of is not None:
            raise Problem(
                "invalid_combination", "counted: revisions are kept by what counts"
            )
        ask = queries.issue_of_all
    return ask(
        reader,
        found,
        by=query.by,
        is_bubbling_under=query.bubbling_under == "true",
        limit=limit,
        offset=query.offset,
    )


def status(reader: Reader, found: dict[str, Any]) -> Status:
    """Whether the days of an issue are final in the published version."""
    return reader.published.status(
        queries.last_day(found["period"], found["issue_date"])
    )


def _find(
    reader: Reader,
    chart: str,
    scope: str,
    period: str | None,
    *,
    day: date | None = None,
    revision: int | None = None,
    as_of: str | None = None,
) -> dict[str, Any]:
    found = queries.find_issue(
        reader,
        chart=chart,
        scope=scope,
        period=period,
        day=day,
        revision=revision,
        as_of=as_of,
    )
    if found is None:
        asked = {
            "scope": scope,
            "period": period,
            "issue": day,
            "revision": revision,
            "as_of": as_of,
        }
        given = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
        raise Problem(
            "not_found",
            f"chart {chart} has no issue{' of ' if given else ''}{given};"
            f" see /api/v1/charts?chart={chart}",
        )
    return found


def _year_before(day: date) -> date:
    if (day.month, day.day) == (2, 29):
        return date(day.year - 1, 2, 28)
    return day.replace(year=day.year - 1)


def _without(result: Result, column: str) -> Result:
    index = result.columns.index(column)

    def cut(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return values[:index] + values[index + 1 :]

    return Result(
        cut(result.columns), cut(result.types), [cut(tuple(row)) for row in result.rows]
    )


def _atom(found: dict[str, Any], changes: Result) -> bytes:
    space = "http://www.w3.org/2005/Atom"
    ElementTree.register_namespace("", space)
    feed = ElementTree.Element(f"{{{space}}}feed")
    name = " ".join(filter(None, (found["chart"], found["scope"], found["period"])))
    # No host stands in it: the feed is cached, and Host is anybody's to choose.
    place = ":".join((found["chart"], quote(found["scope"]), found["period"]))
    identity = f"tag:scrobble-warehouse,2026:{place}"
    updated = f"{found['issue_date'].isoformat()}T00:00:00Z"

    def add(
        parent: ElementTree.Element, tag: str, text: str, **attributes: str
    ) -> None:
        element = ElementTree.SubElement(parent, f"{{{space}}}{tag}", attributes)
        element.text = _xml_text(text)

    add(feed, "title", f"Changes in {name}")
    add(feed, "id", identity)
    add(feed, "updated", updated)
    add(feed, "link", "", rel="self", href=request.path)
    author = ElementTree.SubElement(feed, f"{{{space}}}author")
    add(author, "name", "Scrobble Warehouse; data: last.fm")
    for row in changes.records():
        entry = ElementTree.SubElement(feed, f"{{{space}}}entry")
        day = row["issue_date"].isoformat()
        add(entry, "id", f"{identity}:{day}:{row['entity_id']}")
        add(entry, "title", _headline(row))
        add(entry, "updated", f"{day}T00:00:00Z")
        add(entry, "summary", f"{_headline(row)}, {name}, {day}")
    return bytes(ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True))


def _headline(row: dict[str, Any]) -> str:
    name = row["entity_name"]
    if row["artist_name"] and row["artist_name"] != name:
        name = f"{name} by {row['artist_name']}"
    place = f"number {row['rank']}"
    if row["movement"] == "NEW":
        return f"{name} is new at {place}"
    if row["movement"] == "RE":
        return f"{name} is back at {place}"
    return f"{name} goes from {row['previous_rank']} to {place}"


def _xml_text(text: str) -> str:
    """Without the control characters XML cannot hold."""
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or (ord(c) >= 0x20 and not 0xFFFE <= ord(c) <= 0xFFFF)
    )
