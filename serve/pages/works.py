"""Tracks and albums, for everybody."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup
from pydantic import ValidationError

from serve.accounts import named_listeners
from serve.api.parameters import Nothing
from serve.api.works import AlbumPath, TrackPath, known
from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.artists import chart_runs, listeners_figure, ranks_figure
from serve.pages.site import Figure, page, table, takes
from serve.problems import Problem
from serve.queries import charts
from serve.queries import works as queries
from serve.store.contract import Reader
from serve.visibility import LEAST_LISTENERS

_SHOWN = 10
_TRACKS = 50


def add_routes(pages: Blueprint) -> None:
    """`/tracks/<id>` and `/albums/<id>`."""
    pages.get("/tracks/<track_id>")(track)
    pages.get("/albums/<album_id>")(album)


@takes(Nothing)
def track(track_id: str) -> Response:
    """One track: counters, chart runs, listeners."""
    try:
        path = TrackPath.model_validate({"track_id": track_id})
    except ValidationError:
        raise Problem("not_found", "No track has this key.") from None
    with reading() as reader:
        found = known(reader, "tracks", path.track_id)
        name, artist = found["track_name"], found["artist_name"]
        return _page(
            reader,
            "tracks",
            found,
            path.track_id,
            name,
            formatting.lastfm("music", artist, "_", name),
            None,
        )


@takes(Nothing)
def album(album_id: str) -> Response:
    """One album: its tracks, chart runs, listeners."""
    try:
        path = AlbumPath.model_validate({"album_id": album_id})
    except ValidationError:
        raise Problem("not_found", "No album has this key.") from None
    with reading() as reader:
        found = known(reader, "albums", path.album_id)
        name, artist = found["album_name"], found["artist_name"]
        return _page(
            reader,
            "albums",
            found,
            path.album_id,
            name,
            formatting.lastfm("music", artist, name),
            _tracks(reader, path.album_id),
        )


def _page(
    reader: Reader,
    kind: queries.Kind,
    found: dict[str, Any],
    work_id: str,
    name: str,
    lastfm: str,
    tracks: Figure | None,
) -> Response:
    root = f"/api/v1/{kind}/{work_id}"
    ranks = charts.ranks(
        reader, work_id, queries.CHARTS[kind], limit=50, offset=0
    ).records()
    people = queries.listeners(
        reader, kind, work_id, named=named_listeners(), limit=_SHOWN, offset=0
    ).records()
    return page(
        "work.html",
        reader.published,
        kind=kind,
        work=found,
        name=name,
        lastfm=lastfm,
        root=root,
        tracks=tracks,
        months=_months(reader, kind, work_id, f"{root}/months.csv"),
        runs=chart_runs(reader, work_id, name, ranks),
        ranks=ranks_figure(ranks, f"{root}/ranks.csv", kind[:-1]),
        listeners=listeners_figure(
            people,
            f"By scrobbles of this {kind[:-1]}; named are those who are public.",
            f"{root}/listeners.csv",
            kind[:-1],
        ),
    )


def _months(reader: Reader, kind: queries.Kind, work_id: str, csv: str) -> Figure:
    rows = queries.months(reader, kind, work_id).records()
    says = (
        "Scrobbles of the panel by month (UTC). A month in which fewer than"
        f" {LEAST_LISTENERS} listeners played it is left out."
    )
    every = max(1, -(-len(rows) // 7))
    drawn = [
        (
            formatting.short_issue("month", row["month_start"])
            if (len(rows) - 1 - number) % every == 0
            else "",
            row["scrobbles"],
            f"{row['month_start']:%B %Y}:"
            f" {formatting.plural(row['scrobbles'], 'scrobble')} of"
            f" {formatting.plural(row['listeners'], 'listener')}",
        )
        for number, row in enumerate(rows)
    ]
    return Figure(
        key="months",
        title="Month by month",
        summary=says,
        picture=drawing.columns("months", "Scrobbles by month", says, drawn),
        table=table(
            rows[::-1],
            ("Month", lambda row: f"{row['month_start']:%B %Y}", False),
            ("Scrobbles", lambda row: formatting.number(row["scrobbles"]), True),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
        ),
        csv=csv,
        empty="No month has enough listeners to be told of.",
    )


def _tracks(reader: Reader, album_id: str) -> Figure:
    rows = queries.tracks_of_album(reader, album_id, limit=_TRACKS, offset=0).records()
    says = "What the panel played from this album; the bars show scrobbles."

    def named(row: dict[str, Any]) -> Markup:
        return formatting.track_link(row["track_id"], row["track_name"])

    return Figure(
        key="tracks",
        title="Tracks",
        summary=says,
        picture=drawing.bars(
            "tracks",
            "Tracks of the album",
            says,
            [
                (
                    row["track_name"],
                    row["scrobbles_counted"],
                    formatting.number(row["scrobbles_counted"]),
                )
                for row in rows[:12]
            ],
            links=[f"/tracks/{row['track_id']}" for row in rows[:12]],
        ),
        table=table(
            rows,
            ("Track", named, False),
            (
                "Scrobbles",
                lambda row: formatting.number(row["scrobbles_counted"]),
                True,
            ),
        ),
        csv=f"/api/v1/albums/{album_id}/tracks.csv",
        empty="Nothing of this album was played here yet.",
    )
