"""Which pictures belong to which albums and artists.

Owns the questions about ids of covers. An artist has no picture of its own at last.fm:
it is shown by the cover of its best known album.
"""

from __future__ import annotations

from collections.abc import Collection

from serve.store.contract import Reader, among, has_column, in_lines


def are_kept(reader: Reader) -> bool:
    """Whether the version knows of covers."""
    return has_column(reader, "dim_albums", "cover_id")


def is_published(reader: Reader, cover_id: str) -> bool:
    """Whether an album of the published version has this cover."""
    found = reader.query(
        "select 1 as one from marts.dim_albums where cover_id = :cover_id limit 1",
        {"cover_id": cover_id},
    )
    return found.first() is not None


def of_albums(reader: Reader, album_ids: Collection[str]) -> dict[str, str]:
    """Album -> its cover, of those that have one."""
    if not album_ids:
        return {}
    rows = reader.query(
        f"""
        select album_id, cover_id
        from marts.dim_albums
        where cover_id is not null and album_id in {among("album_ids")}
        """,
        {"album_ids": in_lines(sorted(set(album_ids)))},
    ).rows
    return dict(rows)


def of_artist(reader: Reader, artist_id: str) -> str | None:
    """The cover of the artist's album that last.fm ranks first, then the panel."""
    found = reader.query(
        """
        select albums.cover_id
        from marts.dim_albums as albums
        left join marts.artist_top_albums as top_albums
            on top_albums.album_id = albums.album_id
            and top_albums.artist_id = albums.artist_id
        where albums.artist_id = :artist_id and albums.cover_id is not null
        order by top_albums.rank nulls last, albums.scrobbles_counted desc nulls last,
            albums.album_id
        limit 1
        """,
        {"artist_id": artist_id},
    ).first()
    return None if found is None else str(found["cover_id"])
