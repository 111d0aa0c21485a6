"""Insights over the whole panel: /api/v1/insights."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.accounts import named_listeners
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import LEAST, Page, PanelFilters, Parameters
from serve.context import reading
from serve.queries import insights as queries
from serve.ranges import Range
from serve.visibility import NOBODY

api = APIBlueprint(
    "insights",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/insights",
    abp_tags=[Tag(name="insights", description="totals and top lists of the panel")],
)

_DAYS: dict[str, Any] = {
    "from": (date | None, Field(description="first day counted; null: no play yet")),
    "to": (date | None, Field(description="last day counted")),
}


class TopPath(Parameters):
    entity: queries.Entity = Field(
        description="primary_artists: plays of `A feat. B` count for A"
    )


class TopQuery(PanelFilters, Page):
    by: queries.By = "scrobbles"


class Totals(Row):
    scrobbles: int
    tracks: int
    artists: int
    albums: int
    listeners: int
    listening_seconds: int
    listening_time: str = Field(description="listening_seconds in words")
    scrobbles_without_duration: int
    scrobbles_all: int = Field(description="every play, whatever counts")
    scrobbles_flagged: int = Field(
        description="of these the plays of flagged days, left out unless counted=all"
    )


class TopRow(Row):
    rank: int
    entity_id: str
    entity_name: str | None
    artist_id: str | None
    artist_name: str | None
    scrobbles: int = Field(description="every play, whatever counts")
    scrobbles_flagged: int = Field(description="plays of flagged days")
    scrobbles_counted: int = Field(description="plays that count; these are ranked")
    listeners: int | None = Field(description="with a play that counts")
    listening_seconds: int | None = Field(description="of the plays that count")
    share_pct: float | None = Field(description="of all plays that count")


@api.get("/totals", responses=single(Totals, members={**_DAYS, **LEAST}))
def totals(query: PanelFilters) -> Response:
    """Listens, distinct tracks, artists, albums, listeners, listening time."""
    with reading() as reader:
        plays = query.plays(reader.published)
        found = queries.mart_totals(reader, plays)
        if found is None:
            found = queries.totals(reader, plays)
        first = found.pop("first_scrobbled_date")
        last = found.pop("last_scrobbled_date")
        found["listening_time"] = queries.in_words(found["listening_seconds"])
        return answers.document(
            reader.published,
            found,
            members={
                "from": _shown(plays.days, first),
                "to": last,
                "least_listeners": plays.least_listeners,
            },
        )


@api.get(
    "/top/<entity>", responses=listing(TopRow, **LEAST), openapi_extensions=AS_TABLE
)
def top(path: TopPath, query: TopQuery) -> Response:
    """Top tracks, artists, albums, public listeners or tags of a range."""
    with reading() as reader:
        plays = query.plays(reader.published)
        result = queries.top(
            reader,
            entity=path.entity,
            plays=plays,
            by=query.by,
            named=named_listeners() if path.entity == "listeners" else NOBODY,
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


def _shown(days: Range, first: date | None) -> date | None:
    return first if days.period == "all_time" or first is None else days.first
