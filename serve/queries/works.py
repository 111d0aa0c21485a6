"""Tracks and albums: what everybody may know of one.

Owns the questions about a single track or album. Plays of the panel are told as totals;
by month only where enough listeners played it (see :mod:`serve.visibility`), and names
only of listeners who may be named.
"""

from __future__ import annotations

from typing import Any, Literal

from serve.store.contract import Reader, Result
from serve.visibility import LEAST_LISTENERS, Named

Kind = Literal["tracks", "albums"]

_KEY: dict[Kind, str] = {"tracks": "track_id", "albums": "album_id"}
_WORK: dict[Kind, str] = {
    "tracks": """
        select
            works.track_id, works.track_name, works.artist_id, works.artist_name,
            works.track_mbid, works.duration_seconds, works.listeners,
            works.playcount, works.scrobbles_counted
        from marts.dim_tracks as works
        where works.track_id = :work_id
    """,
    "albums": """
        select
            works.album_id, works.album_name, works.artist_id, works.artist_name,
            works.album_mbid, works.tracks, top_albums.playcount,
            works.scrobbles_counted
        from marts.dim_albums as works
        left join marts.artist_top_albums as top_albums
            on top_albums.album_id = works.album_id
            and top_albums.artist_id = works.artist_id
        where works.album_id = :work_id
    """,
}
#: The charts on which a kind of work stands.
CHARTS: dict[Kind, tuple[str, ...]] = {
    "tracks": ("global_tracks", "country_tracks", "tag_tracks", "panel_tracks"),
    "albums": ("panel_albums",),
}


def work(reader: Reader, kind: Kind, work_id: str) -> dict[str, Any] | None:
    """One track or album: names, last.fm's counters, the panel's plays.

    `panel_listeners` is null where they are fewer than may be told of.
    """
    found = reader.query(_WORK[kind], {"work_id": work_id}).first()
    if found is None:
        return None
    panel = reader.query(
        f"""
        select
            cast(count(distinct listener_id) as bigint) as listeners,
            cast(coalesce(sum(listening_seconds), 0) as bigint) as listening_seconds
        from marts.fct_scrobbles
        where {_KEY[kind]} = :work_id and not is_flagged
        """,
        {"work_id": work_id},
    ).first()
    assert panel is not None
    is_told = panel["listeners"] >= LEAST_LISTENERS
    return {
        **found,
        "panel_listeners": panel["listeners"] if is_told else None,
        "least_listeners": LEAST_LISTENERS,
        "listening_seconds": panel["listening_seconds"],
    }


def months(reader: Reader, kind: Kind, work_id: str) -> Result:
    """Plays of the panel by month; months of fewer listeners than told are left out."""
    return reader.query(
        f"""
        select
            cast(date_trunc('month', scrobbled_date) as date) as month_start,
            cast(count(*) as bigint) as scrobbles,
            cast(count(distinct listener_id) as bigint) as listeners
        from marts.fct_scrobbles
        where {_KEY[kind]} = :work_id and not is_flagged
        group by 1
        having count(distinct listener_id) >= {LEAST_LISTENERS}
        order by 1
        """,
        {"work_id": work_id},
    )


def listeners(
    reader: Reader, kind: Kind, work_id: str, *, named: Named, limit: int, offset: int
) -> Result:
    """The listeners of the work who may be named, by plays."""
    return reader.query(
        f"""
        select
            cast(rank() over (order by pairs.scrobbles desc) as integer) as rank,
            people.listener_id, people.listener_name, pairs.scrobbles,
            pairs.first_scrobbled_at, pairs.last_scrobbled_at
        from (
            select
                listener_id, cast(count(*) as bigint) as scrobbles,
                min(scrobbled_at) as first_scrobbled_at,
                max(scrobbled_at) as last_scrobbled_at
            from marts.fct_scrobbles
            where {_KEY[kind]} = :work_id and {named.where("listener_id")}
            group by listener_id
        ) as pairs
        inner join marts.dim_listeners as people
            on people.listener_id = pairs.listener_id
        order by pairs.scrobbles desc, people.listener_id
        limit :limit offset :offset
        """,
        {**named.binds, "work_id": work_id, "limit": limit, "offset": offset},
    )


def tracks_of_album(
    reader: Reader, album_id: str, *, limit: int, offset: int
) -> Result:
    """The tracks that the panel played from an album, most played first."""
    return reader.query(
        """
        select
            tracks.track_id, tracks.track_name, tracks.artist_id, tracks.artist_name,
            played.scrobbles_counted
        from (
            select track_id, cast(count(*) as bigint) as scrobbles_counted
            from marts.fct_scrobbles
            where album_id = :album_id and not is_flagged
            group by track_id
        ) as played
        inner join marts.dim_tracks as tracks on tracks.track_id = played.track_id
        order by played.scrobbles_counted desc, tracks.track_id
        limit :limit offset :offset
        """,
        {"album_id": album_id, "limit": limit, "offset": offset},
    )
