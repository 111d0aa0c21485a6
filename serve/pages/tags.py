"""Tags, their artists, their tracks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from serve.api.parameters import Page
from serve.api.tags import TagPath, TagsQuery
from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.site import Figure, asked, page, pick, table, takes
from serve.problems import Problem
from serve.queries import charts
from serve.queries import tags as queries
from serve.store.contract import Result

_SORTS = {
    "reach": "reach",
    "taggings": "taggings",
    "artists": "artists here",
    "name": "name",
}


def add_routes(pages: Blueprint) -> None:
    """`/tags` and `/tags/<id>`."""
    pages.get("/tags")(all_tags)
    pages.get("/tags/<tag_id>")(tag)


@takes(TagsQuery)
def all_tags() -> Response:
    """Tags by name or size."""
    query = asked(TagsQuery)
    with reading() as reader:
        limit = min(query.limit, 100)
        rows = queries.tags(
            reader,
            text=query.q,
            sort=query.sort,
            limit=limit + 1,
            offset=query.offset,
        ).records()
        return page(
            "tags.html",
            reader.published,
            query=query,
            sorts=pick("/tags", "sort", _SORTS.items(), query.sort, q=query.q),
            figure=_tags(rows[:limit], query, limit),
            has_more=len(rows) > limit,
            more=formatting.address(
                "/tags",
                q=query.q,
                sort=query.sort,
                limit=limit,
                offset=query.offset + limit,
            ),
        )


def _tags(rows: list[dict[str, Any]], query: TagsQuery, limit: int) -> Figure:
    measure = "artists" if query.sort == "name" else query.sort
    says = {
        "reach": "The bars show how many people used the tag on last.fm.",
        "taggings": "The bars show how often the tag was given on last.fm.",
        "artists": "The bars show how many artists here carry the tag.",
    }[measure]
    return Figure(
        key="tags",
        title="Tags",
        summary=says,
        picture=drawing.bars(
            "tags",
            "Tags",
            says,
            [
                (row["tag_name"], row[measure], formatting.number(row[measure]))
                for row in rows[:12]
                if row[measure] is not None
            ],
            links=[
                f"/tags/{row['tag_id']}"
                for row in rows[:12]
                if row[measure] is not None
            ],
        ),
        table=table(
            rows,
            (
                "Tag",
                lambda row: formatting.tag_link(row["tag_id"], row["tag_name"]),
                False,
            ),
            ("Reach", lambda row: formatting.number(row["reach"]), True),
            ("Taggings", lambda row: formatting.number(row["taggings"]), True),
            ("Artists here", lambda row: formatting.number(row["artists"]), True),
        ),
        csv=formatting.address(
            "/api/v1/tags.csv",
            q=query.q,
            sort=query.sort,
            limit=limit,
            offset=query.offset or None,
        ),
        empty="No tag begins with this."
        if query.q
        else "No tag yet: tags come with the artists of the first daily run.",
        has_open_table=True,
    )


@takes(Page)
def tag(tag_id: str) -> Response:
    """One tag: its artists, then their tracks."""
    try:
        key = TagPath.model_validate({"tag_id": tag_id}).tag_id
    except ValueError:
        raise Problem("not_found", "No tag has this key.") from None
    query = asked(Page)
    with reading() as reader:
        found = queries.tag(reader, key)
        if found is None:
            raise Problem("not_found", "No tag has this key.")
        limit = min(query.limit, 100)
        chart = charts.find_issue(
            reader,
            chart="tag_artists",
            scope=found["tag_name"],
            period=None,
            day=None,
            revision=None,
        )
        return page(
            "tag.html",
            reader.published,
            tag=found,
            lastfm=formatting.lastfm("tag", found["tag_name"]),
            chart=formatting.address("/charts/tag_artists", scope=found["tag_name"])
            if chart
            else None,
            artists=_artists(
                key, queries.artists(reader, key, limit=limit, offset=0), limit
            ),
            tracks=_tracks(
                key, queries.tracks(reader, key, limit=limit, offset=0), limit
            ),
        )


def _artists(tag_id: str, found: Result, limit: int) -> Figure:
    rows = found.records()
    says = "Those the tag fits best come first; the bars show its weight, 0 to 100."
    return Figure(
        key="artists",
        title="Artists",
        summary=says,
        picture=drawing.bars(
            "artists",
            "Artists by weight of the tag",
            says,
            [
                (
                    row["artist_name"],
                    row["weight"] or 0,
                    formatting.number(row["weight"]),
                )
                for row in rows[:12]
            ],
            links=[f"/artists/{row['artist_id']}" for row in rows[:12]],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: formatting.artist_link(
                    row["artist_id"], row["artist_name"]
                ),
                False,
            ),
            ("Weight", lambda row: formatting.number(row["weight"]), True),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
            ("Plays", lambda row: formatting.number(row["playcount"]), True),
            (
                "Panel scrobbles",
                lambda row: formatting.number(row["scrobbles_counted"]),
                True,
            ),
        ),
        csv=formatting.address(f"/api/v1/tags/{tag_id}/artists.csv", limit=limit),
        empty="No artist here carries this tag.",
    )


def _tracks(tag_id: str, found: Result, limit: int) -> Figure:
    rows = found.records()
    says = "Tracks of artists who carry the tag (weight 25 up), by panel scrobbles."
    return Figure(
        key="tracks",
        title="Tracks",
        summary=says,
        picture=drawing.bars(
            "tracks",
            "Tracks by panel scrobbles",
            says,
            [
                (
                    f"{row['track_name']} – {row['artist_name']}",
                    row["scrobbles_counted"] or 0,
                    formatting.number(row["scrobbles_counted"]),
                )
                for row in rows[:12]
            ],
            links=[f"/tracks/{row['track_id']}" for row in rows[:12]],
        ),
        table=table(
            rows,
            (
                "Track",
                lambda row: (
                    formatting.track_link(row["track_id"], row["track_name"])
                    + formatting.by_artist(row["artist_id"], row["artist_name"])
                ),
                False,
            ),
            (
                "Panel scrobbles",
                lambda row: formatting.number(row["scrobbles_counted"]),
                True,
            ),
            ("Listeners", lambda row: formatting.number(row["listeners"]), True),
            ("Plays", lambda row: formatting.number(row["playcount"]), True),
        ),
        csv=formatting.address(f"/api/v1/tags/{tag_id}/tracks.csv", limit=limit),
        empty="No track of an artist with this tag is known.",
    )
