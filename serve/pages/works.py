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
from serve.pages import covers, drawing, formatting
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
    return _page("tracks", TrackPath, {"track_id": track_id})


@takes(Nothing)
def album(album_id: str) -> Response:
    """One album: its tracks, chart runs, listeners."""
    return _page("albums", AlbumPath, {"album_id": album_id})


def _page(
    kind: queries.Kind, path: type[TrackPath | AlbumPath], given: dict[str, str]
) -> Response:
    one = kind[:-1]
    try:
        (work_id,) = path.model_validate(given).model_dump().values()
    except ValidationError:
        raise Problem("not_found", f"No {one} has this key.") from None
    root = f"/api/v1/{kind}/{work_id}"
    with reading() as reader:
        found = known(reader, kind, work_id)
        name, artist = found[f"{one}_name"], found["artist_name"]
        # Addresses of last.fm have a place for a track's album.
        place = ["_"] if kind == "tracks" else []
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
            tile=covers.tile(name, covers.of_album(reader, work_id), covers.AT_HEAD)
            if kind == "albums"
            else None,
            lastfm=formatting.lastfm("music", artist, *place, name),
            root=root,
            tracks=_tracks(reader, work_id) if kind == "albums" else None,
            months=_months(reader, kind, work_id, f"{root}/months.csv"),
            runs=chart_runs(reader, work_id, name, ranks),
            ranks=ranks_figure(ranks, f"{root}/ranks.csv", one),
            listeners=listeners_figure(
                people,
                f"By scrobbles of this {one}; named are those who are public.",
                f"{root}/listeners.csv",
                one,
            ),
        )


def _months(reader: Reader, kind: queries.Kind, work_id: str, csv: str) -> Figure:
    rows = queries.months(reader, kind, work_id).records()
    says = (
        "Scrobbles of the panel by month (UTC). A month in which fewer than"
        f" {LEAST_LISTENERS} listeners played it is left out."
    )
    labels = [formatting.short_issue("month", row["month_start"]) for row in rows]
    drawn = [
        (
            label,
            row["scrobbles"],
            f"{row['month_start']:%B %Y}:"
            f" {formatting.plural(row['scrobbles'], 'scrobble')} of"
            f" {formatting.plural(row['listeners'], 'listener')}",
        )
        for label, row in zip(drawing.spread(labels), rows, strict=True)
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
