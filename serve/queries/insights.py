"""Insights over the whole panel: totals and top lists of any range."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from serve.queries.windows import Plays, is_main_tag
from serve.store.contract import Reader, Result
from serve.visibility import NOBODY, Named

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
    "scrobbles": "scrobbles_counted",
    "listeners": "listeners",
    "minutes": "listening_seconds",
    "share": "scrobbles_counted",
}
# The first named of "A feat. B" and its spellings: whom the play is credited to first.
_PRIMARY = (
    "regexp_replace(artists.{column},"
    " '[ ]+[(]?(feat[.]?|ft[.]?|featuring)[ ].*$', '', 'i')"
)


def totals(reader: Reader, plays: Plays) -> dict[str, Any]:
    """Plays, distinct tracks, artists, albums, listeners, listening time; exact."""
    kept = f"filter (where {plays.counts})"
    found = reader.query(
        f"""
        select
            cast(count(*) {kept} as bigint) as scrobbles,
            cast(count(distinct plays.track_id) {kept} as bigint) as tracks,
            cast(count(distinct plays.artist_id) {kept} as bigint) as artists,
            cast(count(distinct plays.album_id) {kept} as bigint) as albums,
            cast(count(distinct plays.listener_id) {kept} as bigint) as listeners,
            cast(coalesce(sum(plays.listening_seconds) {kept}, 0) as bigint)
                as listening_seconds,
            cast(
                count(*) {kept} - count(plays.duration_seconds) {kept} as bigint
            ) as scrobbles_without_duration,
            cast(count(*) as bigint) as scrobbles_all,
            cast(count(*) filter (where plays.is_flagged) as bigint)
                as scrobbles_flagged,
            min(plays.scrobbled_date) as first_scrobbled_date,
            max(plays.scrobbled_date) as last_scrobbled_date
        from marts.fct_scrobbles as plays
        where {plays.where()}
        """,
        plays.binds,
    ).first()
    assert found is not None
    return found


def mart_totals(reader: Reader, plays: Plays) -> dict[str, Any] | None:
    """The same from the mart, for a period that is a row there; None if it is not."""
    if plays.is_filtered or plays.days.period is None:
        return None
    end = "_clean" if plays.is_clean else ""
    return reader.query(
        f"""
        select
            scrobbles{end} as scrobbles, tracks{end} as tracks,
            artists{end} as artists, albums{end} as albums,
            listeners{end} as listeners, listening_seconds{end} as listening_seconds,
            scrobbles_without_duration{end} as scrobbles_without_duration,
            scrobbles as scrobbles_all,
            scrobbles - scrobbles_clean as scrobbles_flagged,
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
        {"period": plays.days.period, "first": plays.days.first},
    ).first()


def top(
    reader: Reader,
    *,
    entity: str,
    plays: Plays,
    by: str,
    limit: int,
    offset: int,
    named: Named = NOBODY,
) -> Result:
    """The first of a range: from the mart for a whole period, else from the plays.

    Ranked by what counts (see :attr:`Plays.counts` and :attr:`Plays.cap`); beside it
    stand all plays and those of flagged days. Of listeners only those who are `named`.
    """
    is_named = plays.days.period is not None and not plays.is_filtered
    binds = {**plays.binds, "limit": limit, "offset": offset}
    if is_named and entity != "primary_artists":
        rows = _MART_CLEAN if plays.is_clean else _MART_ALL
        binds = {
            "entity_type": _ENTITY_TYPE[entity],
            "period": plays.days.period,
            "first": plays.days.first,
            "limit": limit,
            "offset": offset,
        }
    else:
        rows = _from_plays(entity, plays)
        binds["cap"] = plays.cap
    key, shown = "entity_id", "true"
    if entity == "listeners":
        key, shown = "md5(entity_id)", named.where("entities.entity_id")
        binds.update(named.binds)
    return reader.query(
        f"""
        select
            cast(rank() over (order by {_BY[by]} desc nulls last) as integer) as rank,
            entity_id, entity_name, artist_id, artist_name, scrobbles,
            scrobbles_flagged, scrobbles_counted, listeners, listening_seconds,
            share_pct
        from ({rows}) as entities
        where {shown}
        order by {_BY[by]} desc nulls last, scrobbles_counted desc, listeners desc,
            scrobbles desc, {key}
        limit :limit offset :offset
        """,
        binds,
    )


_MART = """
    select
        entity_id, entity_name, artist_id, artist_name, scrobbles, scrobbles_flagged,
        {columns}
    from marts.top_charts
    where entity_type = :entity_type and period = :period
        and {place} is not null
        and period_start = (
            select max(period_start) from marts.top_charts
            where entity_type = :entity_type and period = :period
                and (:period = 'all_time' or period_start = :first)
        )
"""
_MART_CLEAN = _MART.format(
    place="place",
    columns="scrobbles_counted, listeners_counted as listeners,"
    " listening_seconds_counted as listening_seconds, share_pct",
)
_MART_ALL = _MART.format(
    place="place_all",
    columns="scrobbles as scrobbles_counted, listeners, listening_seconds,"
    " share_all_pct as share_pct",
)

#: What a play is capped as, and how its name is found.
_NAMED = {
    "artists": (
        "artist_id",
        "capped.entity_id as entity_id, artists.artist_name as entity_name,"
        " capped.entity_id as artist_id, artists.artist_name as artist_name",
        "inner join marts.dim_artists as artists"
        " on artists.artist_id = capped.entity_id",
    ),
    "primary_artists": (
        "artist_id",
        "md5(artists.primary_key) as entity_id,"
        " artists.primary_name as entity_name,"
        " md5(artists.primary_key) as artist_id,"
        " artists.primary_name as artist_name",
        "inner join (select artists.artist_id,"
        f" {_PRIMARY.format(column='artist_name')} as primary_name,"
        f" {_PRIMARY.format(column='name_key')} as primary_key"
        " from marts.dim_artists as artists) as artists"
        " on artists.artist_id = capped.entity_id",
    ),
    "tracks": (
        "track_id",
        "capped.entity_id as entity_id, tracks.track_name as entity_name,"
        " tracks.artist_id as artist_id, tracks.artist_name as artist_name",
        "inner join marts.dim_tracks as tracks on tracks.track_id = capped.entity_id",
    ),
    "albums": (
        "album_id",
        "capped.entity_id as entity_id, albums.album_name as entity_name,"
        " albums.artist_id as artist_id, albums.artist_name as artist_name",
        "inner join marts.dim_albums as albums on albums.album_id = capped.entity_id",
    ),
    "listeners": (
        "artist_id",
        "capped.listener_id as entity_id, listeners.listener_name as entity_name,"
        " cast(null as text) as artist_id, cast(null as text) as artist_name",
        "inner join marts.dim_listeners as listeners"
        " on listeners.listener_id = capped.listener_id",
    ),
    "tags": (
        "artist_id",
        "tags.tag_id as entity_id, tags.tag_name as entity_name,"
        " cast(null as text) as artist_id, cast(null as text) as artist_name",
        "inner join marts.artist_tags as tags"
        f" on tags.artist_id = capped.entity_id and {is_main_tag()}",
    ),
}


def _from_plays(entity: str, plays: Plays) -> str:
    """SQL: one row per entity, counted from the plays; the marts' definition again."""
    key, names, join = _NAMED[entity]
    of_all = ("scrobbles", "scrobbles", "seconds")
    of_clean = (
        "least(scrobbles - scrobbles_flagged, :cap)",
        "(scrobbles - scrobbles_flagged)",
        "seconds_clean",
    )
    counted, whole, seconds = of_clean if plays.is_clean else of_all
    part = f"date_trunc('{plays.cap_period}', plays.scrobbled_date)"
    return f"""
        with

        parts as (

            select
                plays.listener_id, plays.{key} as entity_id, {part} as part_start,
                count(*) as scrobbles,
                count(*) filter (where plays.is_flagged) as scrobbles_flagged,
                sum(plays.listening_seconds) as seconds,
                coalesce(
                    sum(plays.listening_seconds) filter (where not plays.is_flagged), 0
                ) as seconds_clean
            from marts.fct_scrobbles as plays
            where {plays.where()} and plays.{key} is not null
            group by plays.listener_id, plays.{key}, {part}

        ),

        capped as (

            select
                listener_id, entity_id, scrobbles, scrobbles_flagged,
                {counted} as scrobbles_counted,
                floor(
                    cast({seconds} as numeric) * {counted} / nullif({whole}, 0)
                ) as seconds_counted
            from parts

        ),

        named as (

            select
                {names}, capped.listener_id, capped.scrobbles,
                capped.scrobbles_flagged, capped.scrobbles_counted,
                capped.seconds_counted
            from capped
            {join}

        )

        select
            entity_id, max(entity_name) as entity_name, max(artist_id) as artist_id,
            max(artist_name) as artist_name,
            cast(sum(scrobbles) as bigint) as scrobbles,
            cast(sum(scrobbles_flagged) as bigint) as scrobbles_flagged,
            cast(sum(scrobbles_counted) as bigint) as scrobbles_counted,
            cast(
                count(distinct listener_id) filter (where scrobbles_counted > 0)
                as bigint
            ) as listeners,
            cast(coalesce(sum(seconds_counted), 0) as bigint) as listening_seconds,
            100.0 * cast(sum(scrobbles_counted) as double precision)
                / sum(sum(scrobbles_counted)) over () as share_pct
        from named
        group by entity_id
        having sum(scrobbles_counted) > 0
    """


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
