"""What an artist's lists were on a past day, and its mbids since they are asked for."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from serve.store.contract import Reader, Result

ListName = Literal["tags", "similar", "tracks", "albums"]

_ON = """
    where
        history.artist_id = :artist_id
        and history.list_name = :list_name
        and history.valid_from_date <= :on
        and (history.valid_to_date is null or history.valid_to_date > :on)
    order by history.rank, history.item_id
    limit :limit offset :offset
"""
# The columns are those of today's lists. Counts that change every day are kept for no
# day but today: null.
_ASKED: dict[ListName, str] = {
    "tags": f"""
        select
            history.rank, history.item_id as tag_id, tags.tag_name,
            cast(history.score as bigint) as weight
        from marts.artist_list_history as history
        inner join marts.dim_tags as tags on tags.tag_id = history.item_id
        {_ON}
    """,
    "similar": f"""
        select
            history.rank, history.item_id as artist_id, artists.artist_name,
            history.score as match, snapshots.listeners
        from marts.artist_list_history as history
        inner join marts.dim_artists as artists on artists.artist_id = history.item_id
        left join marts.fct_artist_snapshots as snapshots
            on snapshots.artist_id = history.item_id and snapshots.snapshot_date = :on
        {_ON}
    """,
    "tracks": f"""
        select
            history.rank, history.item_id as track_id, tracks.track_name,
            cast(null as bigint) as playcount, cast(null as bigint) as listeners,
            tracks.duration_seconds, cast(null as bigint) as scrobbles,
            cast(null as bigint) as scrobbles_counted
        from marts.artist_list_history as history
        inner join marts.dim_tracks as tracks on tracks.track_id = history.item_id
        {_ON}
    """,
    "albums": f"""
        select
            history.rank, history.item_id as album_id, albums.album_name,
            cast(null as bigint) as playcount, albums.tracks,
            cast(null as bigint) as scrobbles,
            cast(null as bigint) as scrobbles_counted
        from marts.artist_list_history as history
        inner join marts.dim_albums as albums on albums.album_id = history.item_id
        {_ON}
    """,
}


def on_day(
    reader: Reader,
    artist_id: str,
    list_name: ListName,
    *,
    on: date,
    limit: int,
    offset: int = 0,
) -> Result:
    """One of the artist's lists as the last answer until that day has it."""
    binds: dict[str, Any] = {"artist_id": artist_id, "list_name": list_name, "on": on}
    return reader.query(_ASKED[list_name], {**binds, "limit": limit, "offset": offset})


def first_day(reader: Reader, artist_id: str, list_name: ListName) -> date | None:
    """The day of the first answer with this list; None if there is none."""
    found = reader.query(
        """
        select min(valid_from_date) as first_date
        from marts.artist_list_history
        where artist_id = :artist_id and list_name = :list_name
        """,
        {"artist_id": artist_id, "list_name": list_name},
    ).first()
    return None if found is None else found["first_date"]


def mbids(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """The artist's MusicBrainz ids, the newest first."""
    return reader.query(
        """
        select mbid, valid_from_date, valid_to_date
        from marts.mbid_history
        where entity_type = 'artist' and entity_id = :artist_id
        order by valid_from_date desc
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )
