"""Insights over the whole panel: totals and top lists of any range."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from serve.queries.windows import Plays
from serve.ranges import Range
from serve.store.contract import Reader, Result

Entity = Literal["artists", "primary_artists", "tracks", "albums", "listeners", "tags"]
By = Literal["scrobbles", "listeners", "minutes", "share"]

_ENTITY_TYPE = {
    "artists": "artist",
    "tracks": "track",
    "albums": "album",
    "listeners": "listener",
    "tags": "tag",
}
_BY = {
    "scrobbles": "scrobbles",
    "listeners": "listeners",
    "minutes": "listening_seconds",
    "share": "scrobbles",
}
# The first named of "A feat. B" and its spellings: whom the play is credited to first.
_PRIMARY = (
    "regexp_replace(artists.{column},"
    " '[ ]+[(]?(feat[.]?|ft[.]?|featuring)[ ].*$', '', 'i')"
)


def totals(reader: Reader, plays: Plays) -> dict[str, Any]:
    """Plays, distinct tracks, artists, albums, listeners, listening time; exact."""
    found = reader.query(
        f"""
        select
            cast(count(*) as bigint) as scrobbles,
            cast(count(distinct plays.track_id) as bigint) as tracks,
            cast(count(distinct plays.artist_id) as bigint) as artists,
            cast(count(distinct plays.album_id) as bigint) as albums,
            cast(count(distinct plays.listener_id) as bigint) as listeners,
            cast(coalesce(sum(tracks.duration_seconds), 0) as bigint)
                as listening_seconds,
            cast(count(*) - count(tracks.duration_seconds) as bigint)
                as scrobbles_without_duration,
            min(plays.scrobbled_date) as first_scrobbled_date,
            max(plays.scrobbled_date) as last_scrobbled_date
        from marts.fct_scrobbles as plays
        left join marts.dim_tracks as tracks on tracks.track_id = plays.track_id
        where {plays.where()}
        """,
        plays.binds,
    ).first()
    assert found is not None
    return found


def mart_totals(reader: Reader, days: Range) -> dict[str, Any] | None:
    """The same from the mart, for a period that is a row there; None if it is not."""
    if days.period is None:
        return None
    return reader.query(
        """
        select
            scrobbles, tracks, artists, albums, listeners, listening_seconds,
            scrobbles_without_duration,
            case
                when :period <> 'all_time' then period_start
                else (select min(scrobbled_date) from marts.fct_listener_days)
            end as first_scrobbled_date,
            period_end as last_scrobbled_date
        from marts.totals
        where period = :period
            and (:period = 'all_time' or period_start = :first)
        order by period_start desc
        limit 1
        """,
        {"period": days.period, "first": days.first},
    ).first()


def top(
    reader: Reader, *, entity: str, plays: Plays, by: str, limit: int, offset: int
) -> Result:
    """The first of a range: from the mart for a whole period, else from the plays."""
    order = _BY[by]
    named = plays.days.period is not None and not plays.is_filtered
    if named and entity != "primary_artists":
        return _ranked(
            reader,
            """
            select entity_id, entity_name, artist_id, artist_name, scrobbles, listeners,
                listening_seconds
            from marts.top_charts
            where entity_type = :entity_type and period = :period
                and period_start = (
                    select max(period_start) from marts.top_charts
                    where entity_type = :entity_type and period = :period
                        and (:period = 'all_time' or period_start = :first)
                )
            """,
            order,
            {
                "entity_type": _ENTITY_TYPE[entity],
                "period": plays.days.period,
                "first": plays.days.first,
                "limit": limit,
                "offset": offset,
            },
            shares="""
                select cast(scrobbles as double precision) as scrobbles
                from marts.totals
                where period = :period
                    and (:period = 'all_time' or period_start = :first)
                order by period_start desc
                limit 1
            """,
        )
    return _ranked(
        reader,
        _FROM_PLAYS[entity].format(where=plays.where()),
        order,
        {**plays.binds, "limit": limit, "offset": offset},
        shares=f"""
            select cast(count(*) as double precision) as scrobbles
            from marts.fct_scrobbles as plays
            where {plays.where()}
        """,
    )


_MEASURES = """
    cast(count(*) as bigint) as scrobbles,
    cast(count(distinct plays.listener_id) as bigint) as listeners,
    cast(coalesce(sum(tracks.duration_seconds), 0) as bigint) as listening_seconds
"""
_PLAYS = """
    from marts.fct_scrobbles as plays
    left join marts.dim_tracks as tracks on tracks.track_id = plays.track_id
"""
_FROM_PLAYS = {
    "artists": f"""
        select plays.artist_id as entity_id, max(artists.artist_name) as entity_name,
            plays.artist_id, max(artists.artist_name) as artist_name, {_MEASURES}
        {_PLAYS}
        inner join marts.dim_artists as artists
            on artists.artist_id = plays.artist_id
        where {{where}}
        group by plays.artist_id
    """,
    "primary_artists": f"""
        select md5(artists.primary_key) as entity_id,
            max(artists.primary_name) as entity_name,
            md5(artists.primary_key) as artist_id,
            max(artists.primary_name) as artist_name, {_MEASURES}
        {_PLAYS}
        inner join (
            select artists.artist_id,
                {_PRIMARY.format(column="artist_name")} as primary_name,
                {_PRIMARY.format(column="name_key")} as primary_key
            from marts.dim_artists as artists
        ) as artists on artists.artist_id = plays.artist_id
        where {{where}}
        group by artists.primary_key
    """,
    "tracks": f"""
        select plays.track_id as entity_id, max(tracks.track_name) as entity_name,
            plays.artist_id, max(tracks.artist_name) as artist_name, {_MEASURES}
        {_PLAYS}
        where {{where}}
        group by plays.track_id, plays.artist_id
    """,
    "albums": f"""
        select plays.album_id as entity_id, max(albums.album_name) as entity_name,
            max(albums.artist_id) as artist_id, max(albums.artist_name) as artist_name,
            {_MEASURES}
        {_PLAYS}
        inner join marts.dim_albums as albums on albums.album_id = plays.album_id
        where {{where}}
        group by plays.album_id
    """,
    "listeners": f"""
        select plays.listener_id as entity_id,
            max(listeners.listener_name) as entity_name,
            cast(null as text) as artist_id, cast(null as text) as artist_name,
            {_MEASURES}
        {_PLAYS}
        inner join marts.dim_listeners as listeners
            on listeners.listener_id = plays.listener_id
        where {{where}}
        group by plays.listener_id
    """,
    "tags": f"""
        select tags.tag_id as entity_id, max(tags.tag_name) as entity_name,
            cast(null as text) as artist_id, cast(null as text) as artist_name,
            {_MEASURES}
        {_PLAYS}
        inner join marts.artist_tags as tags on tags.artist_id = plays.artist_id
        where {{where}}
        group by tags.tag_id
    """,
}


def _ranked(
    reader: Reader, rows: str, order: str, binds: dict[str, Any], *, shares: str
) -> Result:
    return reader.query(
        f"""
        with

        entities as ({rows}),

        whole as ({shares})

        select
            cast(rank() over (order by entities.{order} desc nulls last) as integer)
                as rank,
            entities.entity_id, entities.entity_name, entities.artist_id,
            entities.artist_name, entities.scrobbles, entities.listeners,
            entities.listening_seconds,
            100.0 * entities.scrobbles / nullif((
                select whole.scrobbles from whole
            ), 0) as share_pct
        from entities
        order by entities.{order} desc nulls last, entities.scrobbles desc nulls last,
            entities.listeners desc nulls last, entities.entity_id
        limit :limit offset :offset
        """,
        binds,
    )


def in_words(seconds: int) -> str:
    """A length of time as people say it: `3 years, 12 days and 4 hours`."""
    if seconds < 60:
        return _count(seconds, "second")
    minutes = seconds // 60
    days, rest = divmod(minutes, 24 * 60)
    years, days = divmod(days, 365)
    hours, minutes = divmod(rest, 60)
    parts = [
        _count(number, unit)
        for number, unit in (
            (years, "year"),
            (days, "day"),
            (hours, "hour"),
            (minutes, "minute"),
        )
        if number
    ][:3]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def panel_days(reader: Reader) -> tuple[date, date] | None:
    """The first and the last day with a play."""
    row = reader.query(
        "select min(scrobbled_date) as first_day, max(scrobbled_date) as last_day"
        " from marts.fct_listener_days"
    ).first()
    if row is None or row["first_day"] is None:
        return None
    return row["first_day"], row["last_day"]
