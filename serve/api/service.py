"""The service itself: health, readiness, freshness, versions, statistics, cache."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from flask import Response, current_app
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field, StringConstraints

from serve import answers
from serve.accounts import require
from serve.answers import account_answer
from serve.api.description import AS_TABLE, Row, listing, operation_id, own
from serve.api.parameters import Day, Nothing, Page, Parameters
from serve.context import reading, services
from serve.problems import CODES, Problem
from serve.queries import about, methods
from serve.store.contract import Result

api = APIBlueprint(
    "service",
    __name__,
    operation_id_callback=operation_id,
    abp_tags=[Tag(name="service", description="health, versions, statistics")],
)


class Link(Row):
    method: str = Field(description="GET, or how it is written to")
    href: str = Field(description="its address; what stands in {} is to be filled in")
    title: str


class Health(Row):
    status: str


class Ready(Row):
    status: str
    version: str
    as_of: date
    age_days: int = Field(description="days since the published day")
    login: bool = Field(description="login is set up")


class VersionRow(Row):
    version: str
    as_of_date: str
    bytes: int
    is_published: bool


class FreshnessRow(Row):
    source: str
    last_as_of_date: date | None
    last_fetched_at: datetime | None
    rows: int | None


class RestatementsQuery(Page):
    subject: about.Subject | None = Field(None, description="what kind of change")
    from_: Day | None = Field(None, alias="from", description="first changed day (UTC)")
    to: Day | None = Field(None, description="last changed day (UTC), included")


class RestatementRow(Row):
    published_in: str = Field(description="the version that was the first to say so")
    subject: about.Subject
    entity_type: str = Field(description="listener, artist, album, track or tag")
    entity_id: str | None = Field(description="null for listeners, who stay unnamed")
    entity_name: str | None
    restated_date: date | None = Field(description="null for the whole history")
    listeners: int | None = Field(description="whose plays changed; null below 5")
    plays: int | None = Field(
        description="that changed; null of fewer than 5 listeners"
    )
    old_value: str | None
    new_value: str | None
    reason: str
    charts_changed: str | None = Field(
        description="charts and periods with final issues that changed with it"
    )
    issues_changed: int = Field(description="how many issues")


class ConstantRow(Row):
    constant: str
    symbol: str | None = Field(description="what the formulas of /methods call it")
    meaning: str
    unit: str
    value: float = Field(description="what this version's values were made with")
    default_value: float
    is_fitted: bool = Field(description="chosen by `scrobble fit`")
    fitted_at: datetime | None = Field(
        description="null without a fit, as all that follows"
    )
    first_date: date | None = Field(description="first day that the fit read")
    split_date: date | None = Field(description="last day that chose")
    last_date: date | None = Field(description="last day, of those that measured")
    artists: int | None
    steps: int | None = Field(description="forecasts of one day that measured")
    error: float | None = Field(
        description="root of their mean squared error, in log attention"
    )
    error_before: float | None = Field(description="the same with the defaults")
    outlook_error: float | None = Field(description="the same of 28-day outlooks")
    outlook_error_before: float | None


class Statistics(Row):
    process: int
    uptime_seconds: int
    requests: int
    hits: int
    misses: int
    not_modified: int
    evictions: int
    drops: int
    answers_2xx: int
    answers_4xx: int
    answers_5xx: int
    cache_entries: int
    cache_bytes: int
    cache_limit_bytes: int


class ProblemPath(Parameters):
    code: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,64}$")]


class Meaning(Row):
    code: str
    status: int
    title: str


class Invalidated(Row):
    is_done: bool


_BESIDE = [
    ("GET", "/openapi.json", "The description of all routes (OpenAPI 3.1)."),
    ("GET", "/api/docs", "The description as a page."),
    ("GET", "/api/docs/try", "A form for every operation (Swagger UI)."),
]


def _index() -> Response:
    """Every operation of the description: what a reader asks first, writes last."""
    app: Any = current_app
    told = [
        (method.upper(), path, operation["summary"])
        for path, item in app.described["paths"].items()
        for method, operation in item.items()
    ]
    told.sort(key=lambda one: one[0] != "GET")
    rows = [
        {"method": method, "href": href, "title": title}
        for method, href, title in (*_BESIDE, *told)
    ]
    return account_answer(rows, headers={"Cache-Control": "public, max-age=300"})


@api.get("/api/", responses=own(list[Link], name="Index"))
def index(query: Nothing) -> Response:
    """What there is: every operation."""
    return _index()


@api.get("/api/v1/", responses=own(list[Link], name="IndexOfVersion"))
def index_of_version(query: Nothing) -> Response:
    """What there is in version 1 of the API: every operation."""
    return _index()


@api.get("/health", responses=own(Health))
def health(query: Nothing) -> Response:
    """Whether the process answers."""
    return account_answer({"status": "ok"})


@api.get("/ready", responses=own(Ready))
def ready(query: Nothing) -> Response:
    """Whether the published version can be read; 503 with the reason if not."""
    from serve.accounts import login
    from serve.accounts.database import utcnow

    with reading() as reader:
        about.ping(reader)
        published = reader.published
    return account_answer(
        {
            "status": "ready",
            "version": published.version,
            "as_of": published.as_of_date,
            "age_days": (utcnow().date() - published.as_of_date).days,
            "login": login.is_configured(services().settings),
        }
    )


@api.get(
    "/api/v1/freshness",
    responses=listing(FreshnessRow),
    openapi_extensions=AS_TABLE,
)
def freshness(query: Nothing) -> Response:
    """How fresh each source is."""
    with reading() as reader:
        return answers.table(reader.published, about.freshness(reader))


@api.get(
    "/api/v1/restatements",
    responses=listing(RestatementRow),
    openapi_extensions=AS_TABLE,
)
def restatements(query: RestatementsQuery) -> Response:
    """What was published of a final day and is told otherwise since, newest first."""
    with reading() as reader:
        result = about.restatements(
            reader,
            subject=query.subject,
            from_date=query.from_,
            to_date=query.to,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get(
    "/api/v1/value-constants",
    responses=listing(ConstantRow),
    openapi_extensions=AS_TABLE,
)
def value_constants(query: Nothing) -> Response:
    """The constants of the artist value: used, by default, and what a fit found."""
    with reading() as reader:
        return answers.table(reader.published, methods.value_constants(reader))


@api.get(
    "/api/v1/versions",
    responses=listing(VersionRow),
    openapi_extensions=AS_TABLE,
)
def versions(query: Nothing) -> Response:
    """The versions a rollback can reach, newest first."""
    store = services().store
    columns = ("version", "as_of_date", "bytes", "is_published")
    rows = [tuple(row[name] for name in columns) for row in store.versions()]
    if answers.asked_format() in ("csv", "ndjson"):
        # These formats name the answer's own version in a column of that name.
        columns = ("known_version", *columns[1:])
    result = Result(columns, ("text", "text", "integer", "boolean"), rows)
    return answers.table(store.published(), result, is_private=True)


@api.get("/api/v1/statistics", responses=own(Statistics))
def statistics(query: Nothing) -> Response:
    """Requests and cache of the worker that answers."""
    return account_answer(services().cache.statistics())


@api.post(
    "/api/v1/cache/invalidate",
    responses=own(Invalidated),
    security=[{"bearer": []}, {"session": []}],
)
def invalidate(query: Nothing) -> Response:
    """Drop the cached answers of all workers (scope admin)."""
    require("admin")
    services().store.invalidate()
    return account_answer({"is_done": True})


@api.get("/problems/<code>", responses=own(Meaning))
def problem(path: ProblemPath, query: Nothing) -> Response:
    """What a problem's type means."""
    if path.code not in CODES:
        raise Problem("not_found", "there is no such problem")
    status, title = CODES[path.code]
    return account_answer({"code": path.code, "status": status, "title": title})
