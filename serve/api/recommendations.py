"""What to hear next: /api/v1/listeners/<name>/recommendations.

By who asks: the owner's answers go by what the owner has said of them (own rules of the
kinds `recommend_more` and `recommend_never`, and what is left out of the own lists);
everybody else who may read them gets them as published.
"""

from __future__ import annotations

from datetime import date
from functools import partial

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve.api.description import AS_TABLE, Row, listing, operation_id
from serve.api.listeners import allowed, rows_page
from serve.api.listening import chosen_window, rules_of_owner
from serve.api.parameters import (
    Hour,
    Key,
    ListenerName,
    ListenerPath,
    LocalWindow,
    Page,
    QuietDays,
    ZoneName,
)
from serve.context import reading
from serve.queries import listeners
from serve.queries import recommendations as queries
from serve.store.contract import Reader
from warehouse.names import name_key

api = APIBlueprint(
    "recommendations",
    __name__,
    # Their names in a client, as those of the listener's other lists.
    operation_id_callback=partial(operation_id, "listeners"),
    url_prefix="/api/v1/listeners",
    abp_tags=[Tag(name="listeners", description="a listener's own lists")],
    abp_security=[{"bearer": []}, {"session": []}],
)
QUIET_DAYS = 180
"""Not heard for so long, where nothing else is asked for."""


class NewQuery(Page):
    tag: Key | None = Field(None, description="only artists with this tag_id")
    friend: ListenerName | None = Field(
        None, description="what this listener plays, whose lists you may read"
    )


class AgainQuery(Page):
    tag: Key | None = Field(None, description="only artists with this tag_id")
    hour: Hour | None = Field(
        None,
        description="by the plays of this hour of the local day, and its neighbours",
    )
    quiet_days: QuietDays = Field(
        QUIET_DAYS, description="days without a play, at least"
    )
    tz: ZoneName | None = Field(
        None,
        description="time zone of days and hours; without it the owner's, else UTC",
    )


class RecommendedArtistRow(Row):
    rank: int
    artist_id: str
    artist_name: str | None
    score: float | None
    reason: str
    reason_kind: str


class RecommendedTrackRow(RecommendedArtistRow):
    track_id: str
    track_name: str


class AgainRow(RecommendedArtistRow):
    score: float | None = Field(description="its such plays beside the first one's")
    scrobbles: int
    hour_scrobbles: int = Field(description="of them near the hour asked for, or all")
    first_day: date
    last_day: date


def said_by_owner(reader: Reader, listener_id: str) -> queries.Feedback:
    """What the listener has said, where it is the listener who asks; else nothing.

    So nobody can find it out by comparing two answers.
    """
    return queries.feedback(reader, rules_of_owner(listener_id))


def readable_friend(reader: Reader, name: str | None) -> queries.Friend | None:
    """The listener of this name, if whoever asks may read their lists.

    Raises:
        Problem: they may not.
    """
    if name is None:
        return None
    listener_id = name_key(name)
    allowed(reader, listener_id)
    found = listeners.listener(reader, listener_id)
    assert found is not None  # `allowed` has looked
    return queries.Friend(listener_id, found["listener_name"])


@api.get(
    "/<listener_name>/recommendations/artists",
    responses=listing(RecommendedArtistRow),
    openapi_extensions=AS_TABLE,
)
def recommended_artists(path: ListenerPath, query: NewQuery) -> Response:
    """Artists the listener has not heard and may like, with the reason."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        result = queries.artists(
            reader,
            path.listener_id,
            said_by_owner(reader, path.listener_id),
            tag_id=query.tag,
            friend=readable_friend(reader, query.friend),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return rows_page(reader, result, query)


@api.get(
    "/<listener_name>/recommendations/tracks",
    responses=listing(RecommendedTrackRow),
    openapi_extensions=AS_TABLE,
)
def recommended_tracks(path: ListenerPath, query: Page) -> Response:
    """Tracks the listener may like, with the reason."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        result = queries.tracks(
            reader,
            path.listener_id,
            said_by_owner(reader, path.listener_id),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return rows_page(reader, result, query)


@api.get(
    "/<listener_name>/recommendations/again",
    responses=listing(AgainRow),
    openapi_extensions=AS_TABLE,
)
def recommended_again(path: ListenerPath, query: AgainQuery) -> Response:
    """Artists the listener played often and has not for long, with the reason."""
    with reading() as reader:
        allowed(reader, path.listener_id)
        window = LocalWindow.model_validate({"tz": query.tz})
        result = queries.again(
            reader,
            chosen_window(reader, path.listener_id, window),
            said_by_owner(reader, path.listener_id),
            quiet_days=query.quiet_days,
            tag_id=query.tag,
            hour=query.hour,
            limit=query.limit + 1,
            offset=query.offset,
        )
        return rows_page(reader, result, query)
