"""What to hear next: new and old artists, by tag, friend or hour, each with its reason.

The owner says of an artist "more" or "never"; both are own rules, kept until removed.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from markupsafe import Markup

from serve.accounts import Account, csrf_token, require
from serve.api import recommendations as api
from serve.api import rules
from serve.api.listening import chosen_window
from serve.api.parameters import (
    Hour,
    ListenerName,
    LocalWindow,
    Parameters,
    QuietDays,
    Text,
)
from serve.own_rules import Kind, Rule
from serve.pages import drawing, formatting
from serve.pages.private import opened, private_page
from serve.pages.site import Cell, Figure, Table, asked, table, takes
from serve.problems import Problem
from serve.queries import listeners, tags
from serve.queries import recommendations as queries
from serve.queries.own_rules import tag_key
from serve.queries.statistics import FAVOURITE_PLAYS
from serve.store.contract import Reader

_SHOWN = 10
_LISTED = 20
_ANSWERS: dict[str, Kind] = {"more": "recommend_more", "never": "recommend_never"}
Row = dict[str, Any]


class NextQuery(Parameters):
    tag: Text | None = None
    friend: ListenerName | None = None
    hour: Hour | None = None
    quiet_days: QuietDays = api.QUIET_DAYS


def add_routes(pages: Blueprint) -> None:
    """`/listeners/<name>/next`, and what the owner says of an artist."""
    pages.get("/listeners/<listener_name>/next")(what_next)
    pages.post("/me/recommendations")(say_of_artist)


@takes(NextQuery)
def what_next(listener_name: str) -> Response:
    """New artists, and those not heard for long."""
    return opened(listener_name, _page)


def say_of_artist() -> Any:
    """Keep "more" or "never" of an artist, and go back to the list."""
    asking = require("write")
    kind = _ANSWERS.get(request.form.get("answer", ""))
    name = request.form.get("artist", "")[:200]
    if kind is None or "\0" in name:
        raise Problem("bad_request", "say more or never, and of which artist")
    rules.keep(asking, rules.checked(Rule(kind, artist=name)))
    return redirect(f"/listeners/{formatting.quoted(asking.listener_name)}/next", 303)


def _page(reader: Reader, listener_id: str, owner: Account | None) -> Response:
    query = asked(NextQuery)
    found = listeners.listener(reader, listener_id)
    assert found is not None  # `allowed` has looked
    root = f"/api/v1/listeners/{formatting.quoted(found['listener_name'])}"
    tag_id = tag_key(query.tag) if query.tag else None
    if tag_id and tags.tag(reader, tag_id) is None:
        raise Problem("not_found", "No tag has this name; look for it with the search.")
    friend = api.readable_friend(reader, query.friend)
    said = api.said_by_owner(reader, listener_id)
    return private_page(
        "listener_next.html",
        reader,
        listener=found,
        owner=owner,
        query=query,
        hours=range(24),
        new=new_artists(reader, listener_id, root, said, owner, tag_id, friend),
        again=_again(reader, listener_id, root, said, owner, tag_id, query),
        tracks=None
        if query.tag or friend
        else new_tracks(reader, listener_id, root, said),
    )


def new_artists(
    reader: Reader,
    listener_id: str,
    root: str,
    said: queries.Feedback,
    owner: Account | None,
    tag_id: str | None = None,
    friend: queries.Friend | None = None,
) -> Figure:
    """Artists not heard yet, best first."""
    rows = queries.artists(
        reader,
        listener_id,
        said,
        tag_id=tag_id,
        friend=friend,
        limit=_LISTED,
        offset=0,
    ).records()
    whose = friend.listener_name if friend else None
    return _figure(
        "recommended-artists",
        "Artists to try",
        f"Artists not heard yet{f', of those {whose} plays' if whose else ''}, each"
        " with its reason.",
        rows,
        _artist_table(rows, owner),
        formatting.address(
            f"{root}/recommendations/artists.csv",
            limit=_LISTED,
            tag=tag_id,
            friend=whose,
        ),
        "Nothing to try here. Recommendations need neighbours, similar artists or tags;"
        " they come with the next daily run that has some.",
    )


def new_tracks(
    reader: Reader, listener_id: str, root: str, said: queries.Feedback
) -> Figure:
    """Tracks not heard yet, best first."""
    rows = queries.tracks(
        reader,
        listener_id,
        said,
        limit=_SHOWN,
        offset=0,
    ).records()
    return _figure(
        "recommended-tracks",
        "Tracks to try",
        "Tracks not heard yet, each with its reason.",
        rows,
        table(
            rows,
            (
                "Track",
                lambda row: (
                    formatting.track_link(row["track_id"], row["track_name"])
                    + formatting.by_artist(row["artist_id"], row["artist_name"])
                ),
                False,
            ),
            ("Why", _reason, False),
            ("Score", lambda row: formatting.number(row["score"], 2), True),
        ),
        f"{root}/recommendations/tracks.csv?limit={_SHOWN}",
        "Recommendations need neighbours, similar artists or tags; they come with the"
        " next daily run that has some.",
    )


def _again(
    reader: Reader,
    listener_id: str,
    root: str,
    said: queries.Feedback,
    owner: Account | None,
    tag_id: str | None,
    query: NextQuery,
) -> Figure:
    days, hour = query.quiet_days, query.hour
    rows = queries.again(
        reader,
        chosen_window(reader, listener_id, LocalWindow.model_validate({})),
        said,
        quiet_days=days,
        tag_id=tag_id,
        hour=hour,
        limit=_LISTED,
        offset=0,
    ).records()
    return _figure(
        "again",
        "Artists to hear again",
        f"Artists with at least {FAVOURITE_PLAYS} plays and none for"
        f" {days} days, most played first.",
        rows,
        _artist_table(rows, owner),
        formatting.address(
            f"{root}/recommendations/again.csv",
            limit=_LISTED,
            tag=tag_id,
            hour=hour,
            quiet_days=days,
        ),
        f"No artist with {FAVOURITE_PLAYS} plays has been quiet for {days} days.",
    )


def _figure(
    key: str,
    title: str,
    says: str,
    rows: list[Row],
    drawn: Table,
    csv: str,
    empty: str,
) -> Figure:
    entity = "track" if rows and "track_id" in rows[0] else "artist"
    return Figure(
        key=key,
        title=title,
        summary=says,
        picture=drawing.bars(
            key,
            f"{title} by score",
            says,
            [
                (
                    row["artist_name"]
                    if entity == "artist"
                    else f"{row['track_name']} – {row['artist_name']}",
                    row["score"] or 0,
                    formatting.number(row["score"], 2),
                )
                for row in rows[:_SHOWN]
            ],
            links=[f"/{entity}s/{row[f'{entity}_id']}" for row in rows[:_SHOWN]],
        ),
        table=drawn,
        csv=csv,
        empty=empty,
        has_open_table=True,
    )


def _reason(row: Row) -> Markup:
    return formatting.named(row["reason"])


def _artist_table(rows: list[Row], owner: Account | None) -> Table:
    columns: list[Any] = [
        (
            "Artist",
            lambda row: formatting.artist_link(row["artist_id"], row["artist_name"]),
            False,
        ),
        ("Why", _reason, False),
        ("Score", lambda row: formatting.number(row["score"], 2), True),
    ]
    if owner is not None:
        columns.append(
            ("You", lambda row: _answers(row["artist_name"], csrf_token(owner)), False)
        )
    return table(rows, *columns)


def _answers(artist: str | None, csrf: str | None) -> Cell:
    if not artist:
        return formatting.NOTHING
    return Markup(
        '<form class="answers" method="post" action="/me/recommendations">'
        '<input type="hidden" name="csrf_token" value="{csrf}">'
        '<input type="hidden" name="artist" value="{artist}">'
        '<button class="quiet" name="answer" value="more">More'
        '<span class="unseen"> like {artist}</span></button> '
        '<button class="quiet" name="answer" value="never">Never'
        '<span class="unseen"> {artist}</span></button></form>'
    ).format(csrf=csrf, artist=artist)
