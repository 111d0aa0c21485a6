"""Everything the published version holds of one listener, table by table.

Owns which marts that is. What names other people stays out: neighbours, and the reasons
of recommendations; so does what says of a friend whether they are in the panel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serve.store.contract import Reader

PAGE_ROWS = 5_000
#: Mart -> columns that are left out, and an order that cannot tie.
TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "dim_listeners": ((), "listener_id"),
    "listener_flags": ((), "flag"),
    "listener_friends": (("is_in_panel",), "friend_id"),
    "listener_loved_tracks": ((), "track_id, loved_at"),
    "listener_tag_assignments": ((), "tagging_type, item_id, tag_id"),
    "fct_listener_days": ((), "scrobbled_date"),
    "listener_hours": ((), "weekday, hour"),
    "listener_artists": ((), "artist_id"),
    "artist_listener_weeks": ((), "artist_id, week_start"),
    "listener_top": ((), "entity_type, period, period_start, place, entity_id"),
    "listener_trends": ((), "period, period_start"),
    "recommended_artists": (("reason",), "rank, artist_id"),
    "recommended_tracks": (("reason",), "rank, track_id"),
}
_SCROBBLES = """
    select
        plays.scrobble_id, plays.scrobbled_at, plays.listening_seconds,
        plays.is_flagged, plays.artist_id, artists.artist_name, plays.track_id,
        tracks.track_name, plays.album_id, albums.album_name
    from marts.fct_scrobbles as plays
    left join marts.dim_artists as artists on artists.artist_id = plays.artist_id
    left join marts.dim_tracks as tracks on tracks.track_id = plays.track_id
    left join marts.dim_albums as albums on albums.album_id = plays.album_id
    where plays.listener_id = :listener_id
    order by plays.scrobbled_at, plays.scrobble_id
"""


def tables(
    reader: Reader, listener_id: str
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name of each table and the listener's rows in it, a page at a time.

    A table that the version does not have is left out.
    """
    there = reader.query(
        "select table_name from information_schema.tables where table_schema = 'marts'"
    )
    names = {name for (name,) in there.rows}
    for name, (_, order) in TABLES.items():
        if name in names:
            query = (
                f"select * from marts.{name} where listener_id = :listener_id"
                f" order by {order}"
            )
            yield name, _rows(reader, query, listener_id, TABLES[name][0])
    yield "fct_scrobbles", _rows(reader, _SCROBBLES, listener_id, ())


def _rows(
    reader: Reader, query: str, listener_id: str, hidden: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        page = reader.query(
            f"{query} limit {PAGE_ROWS} offset {offset}", {"listener_id": listener_id}
        )
        for record in page.records():
            yield {name: of for name, of in record.items() if name not in hidden}
        if len(page.rows) < PAGE_ROWS:
            return
        offset += PAGE_ROWS
