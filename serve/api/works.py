"""Tracks and albums, for everybody: /api/v1/tracks and /api/v1/albums."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import Field

from serve import answers
from serve.accounts import named_listeners
from serve.api.artists import RankRow, TopListenerRow
from serve.api.description import AS_TABLE, Row, listing, operation_id, single
from serve.api.parameters import Key, Nothing, Page, Parameters
from serve.context import reading
from serve.problems import Problem
from serve.queries import charts
from serve.queries import works as queries
from serve.store.contract import Reader

api = APIBlueprint(
    "works",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="works", description="tracks and albums")],
)


class TrackPath(Parameters):
    track_id: Key = Field(description="md5 of the artist's and the track's name")


class AlbumPath(Parameters):
    album_id: Key = Field(description="md5 of the artist's and the album's name")


class WorkRow(Row):
    artist_id: str
    artist_name: str
    playcount: int | None = Field(description="last.fm plays")
    scrobbles_counted: int | None = Field(description="of the panel, for charts")
    panel_listeners: int | None = Field(description="null: fewer than least_listeners")
    least_listeners: int = Field(description="fewer listeners are not told of")
    listening_seconds: int = Field(description="of the plays of the panel")


class TrackDetails(WorkRow):
    track_id: str
    track_name: str
    track_mbid: str | None
    duration_seconds: int | None
    listeners: int | None = Field(description="last.fm listeners")


class AlbumDetails(WorkRow):
    album_id: str
    album_name: str
    album_mbid: str | None
    tracks: int | None = Field(description="as last.fm lists them")


class WorkMonthRow(Row):
    month_start: date
    scrobbles: int
    listeners: int


class AlbumTrackRow(Row):
    track_id: str
    track_name: str
    artist_id: str
    artist_name: str
    scrobbles_counted: int = Field(description="plays of the panel from this album")


def known(reader: Reader, kind: queries.Kind, work_id: str) -> dict[str, Any]:
    """One track or album.

    Raises:
        Problem: 404, none has this key.
    """
    found = queries.work(reader, kind, work_id)
    if found is None:
        raise Problem("not_found", f"none of the {kind} has this key")
    return found


def _details(kind: queries.Kind, work_id: str) -> Response:
    with reading() as reader:
        return answers.document(reader.published, known(reader, kind, work_id))


def _months(kind: queries.Kind, work_id: str) -> Response:
    with reading() as reader:
        known(reader, kind, work_id)
        return answers.table(reader.published, queries.months(reader, kind, work_id))


def _listeners(kind: queries.Kind, work_id: str, query: Page) -> Response:
    with reading() as reader:
        known(reader, kind, work_id)
        result = queries.listeners(
            reader,
            kind,
            work_id,
            named=named_listeners(),
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


def _ranks(kind: queries.Kind, work_id: str, query: Page) -> Response:
    with reading() as reader:
        known(reader, kind, work_id)
        result = charts.ranks(
            reader,
            work_id,
            queries.CHARTS[kind],
            limit=query.limit + 1,
            offset=query.offset,
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )


@api.get("/tracks/<track_id>", responses=single(TrackDetails))
def track(path: TrackPath, query: Nothing) -> Response:
    """One track: its artist, last.fm's counters, the panel's plays."""
    return _details("tracks", path.track_id)


@api.get("/albums/<album_id>", responses=single(AlbumDetails))
def album(path: AlbumPath, query: Nothing) -> Response:
    """One album: its artist, last.fm's plays, the panel's plays."""
    return _details("albums", path.album_id)


@api.get(
    "/tracks/<track_id>/months",
    responses=listing(WorkMonthRow),
    openapi_extensions=AS_TABLE,
)
def track_months(path: TrackPath, query: Nothing) -> Response:
    """The panel's plays by month, where enough listeners played it."""
    return _months("tracks", path.track_id)


@api.get(
    "/albums/<album_id>/months",
    responses=listing(WorkMonthRow),
    openapi_extensions=AS_TABLE,
)
def album_months(path: AlbumPath, query: Nothing) -> Response:
    """The panel's plays by month, where enough listeners played it."""
    return _months("albums", path.album_id)


@api.get(
    "/tracks/<track_id>/listeners",
    responses=listing(TopListenerRow),
    openapi_extensions=AS_TABLE,
)
def track_listeners(path: TrackPath, query: Page) -> Response:
    """The panel's public listeners of the track by plays."""
    return _listeners("tracks", path.track_id, query)


@api.get(
    "/albums/<album_id>/listeners",
    responses=listing(TopListenerRow),
    openapi_extensions=AS_TABLE,
)
def album_listeners(path: AlbumPath, query: Page) -> Response:
    """The panel's public listeners of the album by plays."""
    return _listeners("albums", path.album_id, query)


@api.get(
    "/tracks/<track_id>/ranks", responses=listing(RankRow), openapi_extensions=AS_TABLE
)
def track_ranks(path: TrackPath, query: Page) -> Response:
    """Where the track stood last, chart by chart."""
    return _ranks("tracks", path.track_id, query)


@api.get(
    "/albums/<album_id>/ranks", responses=listing(RankRow), openapi_extensions=AS_TABLE
)
def album_ranks(path: AlbumPath, query: Page) -> Response:
    """Where the album stood last, chart by chart."""
    return _ranks("albums", path.album_id, query)


@api.get(
    "/albums/<album_id>/tracks",
    responses=listing(AlbumTrackRow),
    openapi_extensions=AS_TABLE,
)
def album_tracks(path: AlbumPath, query: Page) -> Response:
    """The tracks that the panel played from the album."""
    with reading() as reader:
        known(reader, "albums", path.album_id)
        result = queries.tracks_of_album(
            reader, path.album_id, limit=query.limit + 1, offset=query.offset
        )
        return answers.table(
            reader.published, result, limit=query.limit, offset=query.offset
        )
