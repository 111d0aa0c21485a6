"""The address of a cover, and how pages show one.

A picture stands on a tile with the name's first letter, in a place of fixed size: the
tile is what is seen while the picture loads, and where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from markupsafe import Markup
from pydantic import Field, ValidationError

from serve.api.parameters import Key, Nothing, Parameters
from serve.context import reading, services
from serve.pages.site import takes
from serve.problems import Problem
from serve.queries import covers as queries
from serve.store.contract import Reader

#: Pixels of a tile in a list, and at the head of a page.
IN_LIST, AT_HEAD = 40, 160
_FOREVER = "public, max-age=31536000, immutable"


class CoverPath(Parameters):
    cover_id: Key = Field(description="id of last.fm's picture")


def add_routes(pages: Blueprint) -> None:
    """`/covers/<id>`."""
    pages.get("/covers/<cover_id>")(cover)


@takes(Nothing)
def cover(cover_id: str) -> Response:
    """The picture of an album's cover, from the service's own folder.

    204 while it is being fetched or its host does not answer.
    """
    kept = services().covers
    try:
        CoverPath.model_validate({"cover_id": cover_id})
    except ValidationError:
        raise Problem("not_found", "No album has this cover.") from None
    with reading() as reader:
        is_known = _are_shown(reader) and queries.is_published(reader, cover_id)
    found = kept.get(cover_id) if is_known else None
    if found is None or found.state == "none":
        raise Problem(
            "not_found",
            "No album has this cover.",
            headers={"Cache-Control": "public, max-age=300"},
        )
    if found.state != "here":
        # Not a failure: the page shows its tile, and asks again.
        response = Response(status=204)
        response.headers["Retry-After"] = str(found.retry_seconds)
        response.headers["Cache-Control"] = "no-store"
        return response
    response = Response(found.body, mimetype=found.media_type)
    response.headers["Cache-Control"] = _FOREVER
    response.set_etag(cover_id)
    response.make_conditional(request)
    return response


def tile(name: str | None, cover_id: str | None, size: int = IN_LIST) -> Markup:
    """A cover, or the first letter of the name where there is none."""
    first = next((sign for sign in name or "" if sign.isalnum()), "♪").upper()
    picture = Markup("")
    if cover_id is not None:
        picture = Markup(
            '<img src="/covers/{}" alt="" loading="lazy" width="{}" height="{}">'
        ).format(cover_id, size, size)
    kind = "cover large" if size == AT_HEAD else "cover"
    return Markup(
        '<span class="{}" aria-hidden="true" data-initial="{}">{}</span>'
    ).format(kind, first, picture)


def beside(row: Mapping[str, Any], words: Markup) -> Markup:
    """What a list says of an album, beside its tile; rows without covers have none."""
    if "cover_id" not in row:
        return words
    return Markup('<span class="covered">{}<span>{}</span></span>').format(
        tile(row["entity_name"], row["cover_id"]), words
    )


def _are_shown(reader: Reader) -> bool:
    """Whether the service shows covers, and the published version has any to show."""
    return services().covers.is_on and queries.are_kept(reader)


def of_album(reader: Reader, album_id: str) -> str | None:
    """The album's cover, where the service shows covers."""
    if not _are_shown(reader):
        return None
    return queries.of_albums(reader, [album_id]).get(album_id)


def add_to(reader: Reader, entity: str, rows: list[dict[str, Any]]) -> None:
    """Give each row of a list of albums its `cover_id`, null without one.

    Rows of other entities stay as they are, and all rows where the service shows no
    covers at all: see :func:`beside`.
    """
    if entity != "albums" or not _are_shown(reader):
        return
    found = queries.of_albums(reader, [row["entity_id"] for row in rows])
    for row in rows:
        row["cover_id"] = found.get(row["entity_id"])


def of_artist(reader: Reader, artist_id: str) -> str | None:
    """The cover that stands for an artist, where the service shows covers."""
    return queries.of_artist(reader, artist_id) if _are_shown(reader) else None
