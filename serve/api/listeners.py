"""One listener's own lists: /api/v1/listeners/<name>.

Private to the owner unless made public. A listener one may not read and one that is not
there answer alike, so that nobody learns who is in the panel from here.
"""

from __future__ import annotations

from datetime import date, datetime

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.accounts import current_account, named_listeners
from serve.accounts import store as accounts
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import Filters, ListenerPath, Nothing, Page, Whole, Year
from serve.api.trends import DayRow, TrendRow, WeekHourRow
from serve.context import reading, services
from serve.problems import Problem
from serve.queries import listeners as queries
from serve.queries import trends
from serve.queries.windows import Plays
from serve.ranges import of_word
from serve.store.contract import Reader, Result
from serve.visibility import may_see

api = APIBlueprint(
    "listeners",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/listeners",
    abp_tags=[Tag(name="listeners", description="a listener's own lists")],
    abp_security=[{"bearer": []}, {"session": []}],
)


class GrainPath(ListenerPath):
    grain: trends.Grain


class TrendQuery(Filters, Page):
    statistic: trends.Statistic = "scrobbles"
    limit: Whole = Field(366, ge=1, le=10_000)


class CalendarQuery(Nothing):
    year: Year | None = None


class Listener(Row):
    listener_id: str
    listener_name: str
    country: str | None
    registered_date: date | None
    playcount: int | None
    scrobbles: int | None
    missing_scrobbles: int | None
    first_scrobbled_at: datetime | None
    last_scrobbled_at: datetime | None
    is_flagged: bool | None
    flags: str | None
    is_complete: bool | None


class DevelopmentRow(Row):
    year: int
    scrobbles: int
    tracks: int | None
    artists: int | None
    new_artists: int = Field(description="artists heard for the first time")
    listening_seconds: int | None
    change_pct: float | None


class NeighbourRow(Row):
    rank: int
    listener_id: str
    listener_name: str
    affinity: float
    intensity: float | None
    shared_artists: int


def allowed(reader: Reader, listener_id: str) -> bool:
    """Check that the lists may be read; True when by everybody.

    Raises:
        Problem: 401 for a visitor, 403 for another listener, also where there are
            none; 404 for oneself when there are none.
    """
    shared = services()
    account = current_account()
    is_own = account is not None and account.listener_id == listener_id
    if is_own and account is not None and "read" not in account.scopes:
        raise Problem("missing_scope", "this needs the scope 'read'", scope="read")
    known = accounts.visibility(shared.accounts, listener_id)
    is_public = known[1] if known is not None else shared.settings.public_panel
    is_there = queries.listener(reader, listener_id) is not None
    if is_own and not is_there:
        raise Problem("not_found", "you are not in the panel yet")
    if not is_there or not may_see("lists", is_public=is_public, is_own=is_own):
        if account is None:
            raise Problem(
                "unauthenticated", "these lists are private; their owner can log in"
            )
        raise Problem("forbidden", "these lists are another listener's and private")
    return is_public


def rows_page(reader: Reader, result: Result, asked: Page) -> Response:
    """A page of one listener's rows, for whoever was allowed to read them."""
    return answers.table(
        reader.published,
        result,
        limit=asked.limit,
        offset=asked.offset,
        is_private=True,
    )


@api.get("/<listener_name>", responses=single(Listener))
def listener(path: ListenerPath, query: Nothing) -> Response:
    """One listener's counts."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        found = queries.listener(reader, path.listener_id)
        return answers.document(reader.published, found, is_private=True)


@api.get(
    "/<listener_name>/trends/week-hours",
    responses=listing(WeekHourRow),
    openapi_extensions=AS_TABLE,
)
def week_hours(path: ListenerPath, query: Nothing) -> Response:
    """The listener's plays by weekday and hour."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        plays = Plays(
            of_word("all_time", reader.published.as_of_date),
            listener_id=path.listener_id,
        )
        grid = trends.by_weekday_and_hour(reader, plays=plays, all_days=True)
        return answers.table(reader.published, grid, is_private=True)


@api.get(
    "/<listener_name>/trends/calendar",
    responses=listing(DayRow),
    openapi_extensions=AS_TABLE,
)
def calendar(path: ListenerPath, query: CalendarQuery) -> Response:
    """Every day of a year with the listener's plays."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        year = query.year or reader.published.as_of_date.year
        result = trends.calendar(reader, year=year, listener_id=path.listener_id)
        return answers.table(reader.published, result, is_private=True)


@api.get(
    "/<listener_name>/trends/<grain>",
    responses=listing(TrendRow),
    openapi_extensions=AS_TABLE,
)
def trend(path: GrainPath, query: TrendQuery) -> Response:
    """The listener's plays by day, week, month or year, zero-filled."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        filters = query.plays(reader.published)
        plays = Plays(
            filters.days,
            artist_id=filters.artist_id,
            tag_id=filters.tag_id,
            country=filters.country,
            listener_id=path.listener_id,
        )
        result = trends.by_period(
            reader,
            grain=path.grain,
            statistic=query.statistic,
            plays=plays,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return rows_page(reader, result, query)


@api.get(
    "/<listener_name>/development",
    responses=listing(DevelopmentRow),
    openapi_extensions=AS_TABLE,
)
def development(path: ListenerPath, query: Nothing) -> Response:
    """One row per year, zero-filled."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        result = queries.development(reader, path.listener_id)
        return answers.table(reader.published, result, is_private=True)


@api.get(
    "/<listener_name>/neighbours",
    responses=listing(NeighbourRow),
    openapi_extensions=AS_TABLE,
)
def neighbours(path: ListenerPath, query: Page) -> Response:
    """The public listeners whose taste is closest."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        result = queries.neighbours(
            reader,
            path.listener_id,
            named=named_listeners(),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return rows_page(reader, result, query)
