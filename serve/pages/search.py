"""Names of all kinds on one page: what holds the text, else what resembles it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from serve.accounts import named_listeners
from serve.api.parameters import Text
from serve.context import reading
from serve.pages import formatting
from serve.pages.site import asked, page, takes
from serve.queries import search as queries
from serve.store.contract import Reader

_KINDS: tuple[tuple[queries.Kind, str], ...] = (
    ("artists", "Artists"),
    ("tracks", "Tracks"),
    ("albums", "Albums"),
    ("tags", "Tags"),
)
_SHOWN = 10


class SearchQuery(BaseModel):
    """What is looked for."""

    q: Text | None = Field(None, description="part of a name")


@dataclass(frozen=True)
class Group:
    """What was found of one kind; `more` leads to all of it."""

    title: str
    path: str
    rows: list[dict[str, Any]]
    more: str | None = None
    is_resembling: bool = False


def add_routes(pages: Blueprint) -> None:
    """`/search`."""
    pages.get("/search")(search_all)


@takes(SearchQuery)
def search_all() -> Response:
    """Artists, tracks, albums, tags and listeners with this in their name."""
    text = asked(SearchQuery).q
    with reading() as reader:
        groups = [] if text is None else _groups(reader, text)
        return page("search.html", reader.published, text=text or "", groups=groups)


def _groups(reader: Reader, text: str) -> list[Group]:
    groups = [_group(reader, kind, title, text) for kind, title in _KINDS]
    people = queries.listeners(
        reader, named_listeners(), text=text, limit=_SHOWN
    ).records()
    for row in people:
        row["entity_id"] = row["name"]
    groups.append(Group("Listeners", "/listeners", people))
    found = [group for group in groups if group.rows]
    # A name that is spelt rightly is no reason to show what merely resembles it.
    exact = [group for group in found if not group.is_resembling]
    return exact or found


def _group(reader: Reader, kind: queries.Kind, title: str, text: str) -> Group:
    rows = queries.named(
        reader, kind=kind, text=text, limit=_SHOWN + 1, offset=0
    ).records()
    if not rows:
        like = queries.resembling(reader, kind=kind, text=text, limit=5)
        return Group(title, f"/{kind}", like.records(), is_resembling=True)
    more = None
    if len(rows) > _SHOWN and kind in ("artists", "tags"):
        more = formatting.address(f"/{kind}", q=text)
    return Group(title, f"/{kind}", rows[:_SHOWN], more)
