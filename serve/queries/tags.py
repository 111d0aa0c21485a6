"""Tags, their artists and their tracks."""

from __future__ import annotations

from typing import Any, Literal

from serve.queries.search import Search, in_key_order
from serve.store.contract import Reader, Result

Sort = Literal["reach", "taggings", "artists", "name"]

_ORDER = {
    "reach": "reach desc nulls last",
    "taggings": "taggings desc nulls last",
    "artists": "artists desc nulls last",
    "name": in_key_order("name_key"),
}


def tags(
    reader: Reader, *, text: str | None, sort: str, limit: int, offset: int
) -> Result:
    """Tags whose name begins with `text`."""
    search = Search(text)
    return reader.query(
        f"""
        select tag_id, tag_name, reach, taggings, artists
        from marts.dim_tags
        where {search.begins("name_key")}
        order by {_ORDER[sort]}, tag_id
        limit :limit offset :offset
        """,
        {
            **search.binds,
            "limit": limit,
            "offset": offset,
        },
    )


def tag(reader: Reader, tag_id: str) -> dict[str, Any] | None:
    """One tag with last.fm's counts and its number of artists here."""
    return reader.query(
        "select tag_id, tag_name, reach, taggings, artists from marts.dim_tags"
        " where tag_id = :tag_id",
        {"tag_id": tag_id},
    ).first()


def artists(reader: Reader, tag_id: str, *, limit: int, offset: int) -> Result:
    """The artists of a tag, those it fits best first."""
    return reader.query(
        """
        select
            tags.artist_id, artists.artist_name, tags.weight, artists.listeners,
            artists.playcount, artists.scrobbles, artists.scrobbles_counted
        from marts.artist_tags as tags
        inner join marts.dim_artists as artists on artists.artist_id = tags.artist_id
        where tags.tag_id = :tag_id
        order by tags.weight desc nulls last, artists.listeners desc nulls last,
            tags.artist_id
        limit :limit offset :offset
        """,
        {"tag_id": tag_id, "limit": limit, "offset": offset},
    )


def tracks(reader: Reader, tag_id: str, *, limit: int, offset: int) -> Result:
    """The tracks the panel plays most of artists who carry the tag (weight 25 up)."""
    return reader.query(
        """
        select
            tracks.track_id, tracks.track_name, tracks.artist_id, tracks.artist_name,
            tags.weight, tracks.scrobbles, tracks.scrobbles_counted,
            tracks.listeners, tracks.playcount
        from marts.artist_tags as tags
        inner join marts.dim_tracks as tracks on tracks.artist_id = tags.artist_id
        where tags.tag_id = :tag_id and tags.weight >= 25
        order by tracks.scrobbles_counted desc nulls last,
            tracks.playcount desc nulls last, tracks.track_id
        limit :limit offset :offset
        """,
        {"tag_id": tag_id, "limit": limit, "offset": offset},
    )
