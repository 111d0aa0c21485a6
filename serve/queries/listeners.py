"""Listeners: rankings and pairs of the panel, and one listener's own lists."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from serve.store.contract import Reader, Result
from serve.visibility import Named
from warehouse.names import name_key

Sort = Literal[
    "scrobbles",
    "artists",
    "tracks",
    "albums",
    "active_days",
    "minutes",
    "scrobbles_per_day",
    "missing_scrobbles",
    "registered",
]
Direction = Literal["ascending", "descending"]

_ORDER = {
    "scrobbles": "scrobbles",
    "artists": "artists",
    "tracks": "tracks",
    "albums": "albums",
    "active_days": "active_days",
    "minutes": "listening_seconds",
    "scrobbles_per_day": "scrobbles_per_day",
    "missing_scrobbles": "missing_scrobbles",
    "registered": "registered_date",
}


#: `order`: the measure with its direction, from `_ORDER`; `counts`: which plays;
#: `shown`: which listeners.
_RANKINGS_SQL = """
    with

    plays as (

        select
            listener_id,
            cast(count(*) as bigint) as scrobbles,
            cast(count(distinct artist_id) as bigint) as artists,
            cast(count(distinct track_id) as bigint) as tracks,
            cast(count(distinct album_id) as bigint) as albums
        from marts.fct_scrobbles
        where scrobbled_date between :first and :last and {counts}
        group by listener_id

    ),

    days as (

        select
            listener_id,
            cast(count(*) as bigint) as active_days,
            cast(coalesce(sum(listening_seconds), 0) as bigint)
                as listening_seconds
        from marts.fct_listener_days
        where scrobbled_date between :first and :last and {counts}
        group by listener_id

    ),

    ranked as (

        select
            listeners.listener_id, listeners.listener_name, listeners.country,
            listeners.registered_date,
            coalesce(plays.scrobbles, 0) as scrobbles,
            coalesce(plays.artists, 0) as artists,
            coalesce(plays.tracks, 0) as tracks,
            coalesce(plays.albums, 0) as albums,
            coalesce(days.active_days, 0) as active_days,
            coalesce(days.listening_seconds, 0) as listening_seconds,
            cast(plays.scrobbles as double precision)
                / nullif(days.active_days, 0) as scrobbles_per_day,
            listeners.missing_scrobbles, listeners.is_flagged
        from marts.dim_listeners as listeners
        left join plays on plays.listener_id = listeners.listener_id
        left join days on days.listener_id = listeners.listener_id
        where {shown}
            and (cast(:country as text) is null or listeners.country_key = :country)

    )

    select
        cast(rank() over (order by {order}) as integer)
            as rank,
        ranked.*
    from ranked
    order by {order}, listener_id
    limit :limit offset :offset
"""


def rankings(
    reader: Reader,
    *,
    sort: str,
    direction: str,
    year: int | None,
    country: str | None,
    counted: str,
    named: Named,
    limit: int,
    offset: int,
) -> Result:
    """The panel's `named` listeners by one measure, over all time or one year.

    `counted` is clean (without the plays of flagged days) or all.
    """
    way = "asc" if direction == "ascending" else "desc"
    return reader.query(
        _RANKINGS_SQL.format(
            order=f"{_ORDER[sort]} {way} nulls last",
            counts="not is_flagged" if counted == "clean" else "true",
            shown=named.where("listeners.listener_id"),
        ),
        {
            **named.binds,
            "first": date(year, 1, 1) if year else date(1970, 1, 1),
            "last": date(year, 12, 31) if year else date(2200, 12, 31),
            "country": name_key(country) if country else None,
            "limit": limit,
            "offset": offset,
        },
    )


def pairs(
    reader: Reader, *, min_shared_artists: int, named: Named, limit: int, offset: int
) -> Result:
    """Pairs of `named` listeners by affinity; intensity: the count over the largest."""
    return reader.query(
        f"""
        with

        couples as (

            select
                least(listener_id, neighbour_id) as listener_id,
                greatest(listener_id, neighbour_id) as neighbour_id,
                max(affinity) as affinity,
                max(shared_artists) as shared_artists
            from marts.listener_neighbours
            where {named.where("listener_id")} and {named.where("neighbour_id")}
            group by 1, 2

        )

        select
            couples.listener_id, one.listener_name,
            couples.neighbour_id, other.listener_name as neighbour_name,
            cast(couples.affinity as double precision) as affinity,
            cast(couples.shared_artists as bigint) as shared_artists,
            cast(couples.shared_artists as double precision)
                / nullif((select max(shared_artists) from couples), 0) as intensity
        from couples
        inner join marts.dim_listeners as one on one.listener_id = couples.listener_id
        inner join marts.dim_listeners as other
            on other.listener_id = couples.neighbour_id
        where couples.shared_artists >= :min_shared_artists
        order by couples.affinity desc, couples.shared_artists desc,
            couples.listener_id, couples.neighbour_id
        limit :limit offset :offset
        """,
        {
            **named.binds,
            "min_shared_artists": min_shared_artists,
            "limit": limit,
            "offset": offset,
        },
    )


def counts(reader: Reader, named: Named) -> dict[str, Any]:
    """How many listeners the panel has, and how many of them are `named`."""
    found = reader.query(
        f"""
        select
            count(*) as listeners,
            count(*) filter (where {named.where("listener_id")}) as named
        from marts.dim_listeners
        """,
        named.binds,
    ).first()
    assert found is not None
    return found


def listener(reader: Reader, listener_id: str) -> dict[str, Any] | None:
    """One listener of the panel."""
    return reader.query(
        """
        select
            listener_id, listener_name, country, registered_date, playcount, scrobbles,
            missing_scrobbles, first_scrobbled_at, last_scrobbled_at, is_flagged, flags,
            is_complete
        from marts.dim_listeners
        where listener_id = :listener_id
        """,
        {"listener_id": listener_id},
    ).first()


def development(reader: Reader, listener_id: str) -> Result:
    """One row per year from the first to the last play, zero-filled."""
    return reader.query(
        """
        with

        discoveries as (

            select
                cast(date_trunc('year', first_scrobbled_at) as date) as year_start,
                cast(count(*) as bigint) as new_artists
            from marts.listener_artists
            where listener_id = :listener_id
            group by 1

        )

        select
            cast(extract(year from trends.period_start) as integer) as year,
            trends.scrobbles, trends.tracks, trends.artists,
            coalesce(discoveries.new_artists, 0) as new_artists,
            trends.listening_seconds,
            cast(trends.change_pct as double precision) as change_pct
        from marts.listener_trends as trends
        left join discoveries on discoveries.year_start = trends.period_start
        where trends.listener_id = :listener_id and trends.period = 'year'
        order by trends.period_start
        """,
        {"listener_id": listener_id},
    )


def neighbours(
    reader: Reader, listener_id: str, *, named: Named, limit: int, offset: int
) -> Result:
    """The `named` listeners whose taste is closest; ranked among these."""
    return reader.query(
        f"""
        select
            cast(rank() over (order by neighbours.rank) as integer) as rank,
            neighbours.neighbour_id as listener_id,
            listeners.listener_name,
            cast(neighbours.affinity as double precision) as affinity,
            cast(neighbours.intensity as double precision) as intensity,
            neighbours.shared_artists
        from marts.listener_neighbours as neighbours
        inner join marts.dim_listeners as listeners
            on listeners.listener_id = neighbours.neighbour_id
        where neighbours.listener_id = :listener_id
            and {named.where("neighbours.neighbour_id")}
        order by neighbours.rank, neighbours.neighbour_id
        limit :limit offset :offset
        """,
        {**named.binds, "listener_id": listener_id, "limit": limit, "offset": offset},
    )
