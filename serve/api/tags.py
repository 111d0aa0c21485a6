"""Tags, their artists, their tracks: /api/v1/tags."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import Key, Nothing, Page, Parameters, Text
from serve.context import reading
from serve.problems import Problem
from serve.queries import tags as queries
from serve.store.contract import Result

api = APIBlueprint(
    "tags",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/tags",
    abp_tags=[Tag(name="tags", description="tags -> artists -> tracks")],
)


class TagsQuery(Page):
    q: Text | None = Field(None, description="the beginning of the name")
    sort: queries.Sort = "reach"


class TagPath(Parameters):
    tag_id: Key = Field(description="md5 of the tag's folded name")


class TagDetails(Row):
    tag_id: str
    tag_name: str
    reach: int | None
    taggings: int | None
    artists: int | None


class TagArtistRow(Row):
    artist_id: str
    artist_name: str
    weight: int | None
    listeners: int | None
    playcount: int | None
    scrobbles: int | None = Field(description="all plays of the panel")
    scrobbles_counted: int | None = Field(description="those that count on charts")


class TagTrackRow(Row):
    track_id: str
    track_name: str
    artist_id: str
    artist_name: str
    weight: int | None
    scrobbles: int | None = Field(description="all plays of the panel")
    scrobbles_counted: int | None = Field(description="those that count on charts")
    listeners: int | None
    playcount: int | None


@api.get("", responses=listing(TagDetails), openapi_extensions=AS_TABLE)
def list_tags(query: TagsQuery) -> Response:
    """Tags by reach, taggings or number of artists."""
    with reading() as reader:
        result = queries.tags(
            reader,
            text=query.q,
            sort=query.sort,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get("/<tag_id>", responses=single(TagDetails))
def tag(path: TagPath, query: Nothing) -> Response:
    """One tag."""
    with reading() as reader:
        found = queries.tag(reader, path.tag_id)
        if found is None:
            raise _unknown(path.tag_id)
        return answers.document(reader.published, found)


@api.get(
    "/<tag_id>/artists", responses=listing(TagArtistRow), openapi_extensions=AS_TABLE
)
def tag_artists(path: TagPath, query: Page) -> Response:
    """The artists of a tag, those it fits best first."""
    return _part(path, query, queries.artists)


@api.get(
    "/<tag_id>/tracks", responses=listing(TagTrackRow), openapi_extensions=AS_TABLE
)
def tag_tracks(path: TagPath, query: Page) -> Response:
    """The tracks of artists who carry the tag, by the panel's plays."""
    return _part(path, query, queries.tracks)


def _part(path: TagPath, query: Page, question: Callable[..., Result]) -> Response:
    with reading() as reader:
        result = question(
            reader, path.tag_id, limit=query.limit + 1, offset=query.offset
        )
        if not result.rows and queries.tag(reader, path.tag_id) is None:
            raise _unknown(path.tag_id)
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


def _unknown(tag_id: str) -> Problem:
    return Problem("not_found", f"no tag {tag_id}; see /api/v1/tags?q=")
