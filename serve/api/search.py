"""Names of all kinds, looked up in one way: /api/v1/search."""

from __future__ import annotations

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.api.description import AS_TABLE, Row, listing, operation_id
from serve.api.parameters import Page, Text
from serve.context import reading
from serve.queries import search as queries

api = APIBlueprint(
    "search",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/search",
    abp_tags=[Tag(name="search", description="names of all kinds")],
)


class SearchQuery(Page):
    q: Text = Field(description="part of the name, in any case and width")
    kind: queries.Kind = Field("artists", description="what is looked for")


class Found(Row):
    entity_id: str = Field(description="the key in the kind's own routes")
    name: str
    artist_name: str | None = Field(description="of tracks and albums")


_RESEMBLING = "no name holds the text; these are like it but for letters"


@api.get(
    "",
    responses=listing(Found, is_resembling=(bool, Field(description=_RESEMBLING))),
    openapi_extensions=AS_TABLE,
)
def search(query: SearchQuery) -> Response:
    """Things whose name holds the text: the same name first, then the best known.

    Where none does, those whose name is like it but for a typing error.
    """
    with reading() as reader:
        result = queries.named(
            reader,
            kind=query.kind,
            text=query.q,
            limit=query.limit + 1,
            offset=query.offset,
        )
        is_resembling = not result.rows and query.offset == 0
        if is_resembling:
            result = queries.resembling(
                reader, kind=query.kind, text=query.q, limit=query.limit
            )
        return answers.table(
            reader.published,
            result,
            limit=query.limit,
            offset=query.offset,
            is_resembling=is_resembling,
        )
