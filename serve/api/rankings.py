"""Rankings of public listeners and pairs of them: /api/v1/rankings."""

from __future__ import annotations

from datetime import date

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.accounts import named_listeners
from serve.api.description import AS_TABLE, Row, listing, operation_id
from serve.api.parameters import Page, Text, Whole, Year
from serve.context import reading
from serve.queries import listeners as queries
from serve.queries.windows import Counted

api = APIBlueprint(
    "rankings",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/rankings",
    abp_tags=[Tag(name="rankings", description="public listeners compared")],
)


class RankingQuery(Page):
    sort: queries.Sort = "scrobbles"
    direction: queries.Direction = "descending"
    year: Year | None = None
    country: Text | None = None
    counted: Counted = Field("clean", description="clean: without flagged days")


class PairsQuery(Page):
    min_shared_artists: Whole = Field(1, ge=0, le=1_000_000)


class RankingRow(Row):
    rank: int
    listener_id: str
    listener_name: str
    country: str | None
    registered_date: date | None
    scrobbles: int
    artists: int
    tracks: int
    albums: int
    active_days: int
    listening_seconds: int
    scrobbles_per_day: float | None = Field(description="on days with a play")
    missing_scrobbles: int | None
    is_flagged: bool | None


class PairRow(Row):
    listener_id: str
    listener_name: str
    neighbour_id: str
    neighbour_name: str
    affinity: float = Field(description="0 to 1")
    shared_artists: int
    intensity: float | None = Field(description="shared_artists over the largest count")


@api.get("/listeners", responses=listing(RankingRow), openapi_extensions=AS_TABLE)
def rank_listeners(query: RankingQuery) -> Response:
    """The panel's public listeners by one measure, over all time or one year."""
    with reading() as reader:
        result = queries.rankings(
            reader,
            sort=query.sort,
            direction=query.direction,
            year=query.year,
            country=query.country,
            counted=query.counted,
            named=named_listeners(),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get("/pairs", responses=listing(PairRow), openapi_extensions=AS_TABLE)
def pairs(query: PairsQuery) -> Response:
    """Pairs of public listeners by affinity, with intensity."""
    with reading() as reader:
        result = queries.pairs(
            reader,
            min_shared_artists=query.min_shared_artists,
            named=named_listeners(),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )
