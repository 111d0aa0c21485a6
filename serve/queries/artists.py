"""Artists: search, one artist, what belongs to it, and series by day."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, Literal, get_args

from serve.queries import charts
from serve.queries.search import Search, in_key_order
from serve.store.contract import Reader, Result
from serve.visibility import NOBODY, Named
from warehouse.names import name_key

Sort = Literal[
    "listeners",
    "playcount",
    "scrobbles",
    "panel_listeners",
    "score",
    "value",
    "growth",
    "name",
]
Measure = Literal[
    "listeners",
    "playcount",
    "new_listeners_per_day",
    "plays_per_day",
    "value",
    "score",
    "fundamental_price",
    "log_value",
    "level",
    "transient",
    "log_attention",
    "attention_share",
    "value_low",
    "value_high",
    "surprise_z",
    "classic_base_price",
    "classic_score",
    "classic_dividend",
    "panel_scrobbles",
    "panel_listeners",
]
MEASURES: tuple[str, ...] = get_args(Measure)

#: What is said about an artist's value on its newest day.
VALUE_COLUMNS = (
    "value_date",
    "value",
    "value_low",
    "value_high",
    "score",
    "fundamental_price",
    "confidence",
    "is_listed",
    "stage",
    "growth",
    "growth_label",
    "trend_slope",
    "trend_slope_low",
    "trend_slope_high",
    "trend_words",
    "is_rising",
    "surprise_z",
    "classic_base_price",
    "classic_score",
    "classic_dividend",
)
_SNAPSHOTS = ("listeners", "playcount")
_PANEL = {
    "panel_scrobbles": "count(*)",
    "panel_listeners": "count(distinct listener_id)",
}
_ORDER = {
    "listeners": "artists.listeners desc nulls last",
    "playcount": "artists.playcount desc nulls last",
    "scrobbles": "artists.scrobbles_counted desc nulls last",
    "panel_listeners": "artists.panel_listeners_counted desc nulls last",
    "score": "latest.score desc nulls last",
    "value": "latest.value desc nulls last",
    "growth": "latest.growth desc nulls last",
    "name": in_key_order("artists.name_key"),
}
_CHARTS = ("global_artists", "country_artists", "tag_artists", "panel_artists")
_LATEST = """
    latest as (

        select artist_id, score, value, fundamental_price, stage, growth,
            growth_label, trend_words, is_rising, is_listed
        from marts.fct_artist_values
        where value_date = (select max(value_date) from marts.fct_artist_values)

    )
"""


def artist_id_of(name: str) -> str:
    """The key of an artist's name, before aliases."""
    return hashlib.md5(name_key(name).encode(), usedforsecurity=False).hexdigest()


def artists(
    reader: Reader,
    *,
    text: str | None,
    tag_id: str | None,
    sort: str,
    limit: int,
    offset: int,
    is_listed: bool | None = None,
    is_rising: bool | None = None,
) -> Result:
    """Artists whose name holds `text`, best match first, then by `sort`."""
    search = Search(text)
    relevance = ""
    if text:
        relevance = f"{search.relevance('artists.name_key')},"
    return reader.query(
        f"""
        with {_LATEST}
        select
            artists.artist_id, artists.artist_name, artists.artist_mbid,
            artists.top_tag, artists.listeners, artists.playcount, artists.scrobbles,
            artists.scrobbles_counted, artists.panel_listeners,
            artists.panel_listeners_counted, latest.score, latest.value,
            latest.fundamental_price, latest.stage, latest.growth,
            latest.growth_label, latest.trend_words,
            coalesce(latest.is_rising, false) as is_rising,
            coalesce(latest.is_listed, false) as is_listed
        from marts.dim_artists as artists
        left join latest on latest.artist_id = artists.artist_id
        where {search.within("artists.name_key")}
            and (cast(:is_listed as boolean) is null
                or coalesce(latest.is_listed, false) = :is_listed)
            and (cast(:is_rising as boolean) is null
                or coalesce(latest.is_rising, false) = :is_rising)
            and (cast(:tag_id as text) is null or artists.artist_id in (
                select artist_id from marts.artist_tags where tag_id = :tag_id
            ))
        order by {relevance} {_ORDER[sort]}, artists.artist_id
        limit :limit offset :offset
        """,
        {
            **search.binds,
            "tag_id": tag_id,
            "is_listed": is_listed,
            "is_rising": is_rising,
            "limit": limit,
            "offset": offset,
        },
    )


def completion(reader: Reader, *, text: str, limit: int) -> Result:
    """Names that begin with `text`, the best known first."""
    search = Search(text)
    return reader.query(
        f"""
        select artist_id, artist_name, listeners
        from marts.dim_artists
        where {search.begins("name_key")}
        order by listeners desc nulls last, scrobbles desc nulls last, artist_id
        limit :limit
        """,
        {**search.binds, "limit": limit},
    )


def followed(reader: Reader, *, name: str) -> str | None:
    """The key of the artist a spelling means, if it is asked about every day."""
    meant = correction(reader, name=name)
    if meant is None:
        return None
    found = reader.query(
        """
        select artist_id from marts.fct_artist_snapshots
        where artist_id = :artist_id
        limit 1
        """,
        {"artist_id": meant["artist_id"]},
    ).first()
    return None if found is None else str(found["artist_id"])


def correction(reader: Reader, *, name: str) -> dict[str, Any] | None:
    """The artist a spelling means, through the aliases; None if nobody is meant."""
    return reader.query(
        """
        select
            artists.artist_id, artists.artist_name,
            aliases.alias_artist_id is not null as is_alias
        from marts.dim_artists as artists
        left join marts.dim_artist_aliases as aliases
            on aliases.artist_id = artists.artist_id
            and aliases.alias_artist_id = :artist_id
            and aliases.alias_artist_id <> artists.artist_id
        where artists.artist_id = :artist_id or aliases.alias_artist_id is not null
        order by aliases.alias_artist_id nulls last, artists.artist_id
        limit 1
        """,
        {"artist_id": artist_id_of(name)},
    ).first()


def artist(
    reader: Reader, artist_id: str, named: Named = NOBODY
) -> dict[str, Any] | None:
    """One artist: counters, flow, value with interval, stage, growth, trend.

    The top listeners are those who are `named`.
    """
    found = reader.query(
        """
        select
            artists.artist_id, artists.artist_name, artists.artist_mbid,
            artists.is_tracked, artists.top_tag, artists.listeners, artists.playcount,
            artists.spellings, artists.first_seen_date, artists.scrobbles,
            artists.scrobbles_counted, artists.panel_listeners,
            artists.panel_listeners_counted
        from marts.dim_artists as artists
        where artists.artist_id = coalesce((
            select min(aliases.artist_id)
            from marts.dim_artist_aliases as aliases
            where aliases.alias_artist_id = :artist_id
        ), :artist_id)
        """,
        {"artist_id": artist_id},
    ).first()
    if found is None:
        return None
    key = {"artist_id": found["artist_id"]}
    found["flow"] = reader.query(
        """
        select
            snapshot_date, new_listeners_per_day, plays_per_day, days_since_previous,
            is_stalled
        from marts.fct_artist_snapshots
        where artist_id = :artist_id
        order by snapshot_date desc
        limit 1
        """,
        key,
    ).first()
    found["value"] = reader.query(
        f"""
        select {", ".join(VALUE_COLUMNS)}
        from marts.fct_artist_values
        where artist_id = :artist_id
        order by value_date desc
        limit 1
        """,
        key,
    ).first()
    found["aliases"] = [
        row["alias_name"]
        for row in reader.query(
            """
            select alias_name from marts.dim_artist_aliases
            where artist_id = :artist_id and alias_artist_id <> :artist_id
            order by alias_name, alias_artist_id
            """,
            key,
        ).records()
    ]
    page = {"limit": 10, "offset": 0}
    found["tags"] = tags(reader, found["artist_id"], **page).records()
    found["similar"] = similar(reader, found["artist_id"], **page).records()
    found["top_tracks"] = tracks(reader, found["artist_id"], **page).records()
    found["top_listeners"] = listeners(
        reader, found["artist_id"], named=named, **page
    ).records()
    found["ranks"] = ranks(reader, found["artist_id"], limit=50, offset=0).records()
    return found


def artist_exists(reader: Reader, artist_id: str) -> bool:
    """Whether there is such an artist."""
    rows = reader.query(
        "select 1 as found from marts.dim_artists where artist_id = :artist_id",
        {"artist_id": artist_id},
    ).rows
    return bool(rows)


def tags(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """The artist's tags by weight (100 is the strongest)."""
    return reader.query(
        """
        select rank, tag_id, tag_name, weight
        from marts.artist_tags
        where artist_id = :artist_id
        order by rank, tag_id
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )


def similar(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """Similar artists as last.fm gives them (match 0 to 1)."""
    return reader.query(
        """
        select
            similar_artists.rank,
            similar_artists.similar_artist_id as artist_id,
            similar_artists.similar_artist_name as artist_name,
            similar_artists.match,
            artists.listeners
        from marts.artist_similar as similar_artists
        left join marts.dim_artists as artists
            on artists.artist_id = similar_artists.similar_artist_id
        where similar_artists.artist_id = :artist_id
        order by similar_artists.rank, similar_artists.similar_artist_id
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )


def anomalies(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """Jumps of the artist's counters that are told apart, the newest first."""
    return reader.query(
        """
        select
            anomaly_date, kind, evidence, listeners_change, playcount_change,
            usual_plays_per_day, other_artist_name, other_playcount
        from marts.artist_anomalies
        where artist_id = :artist_id
        order by anomaly_date desc, kind
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )


def tracks(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """The artist's tracks: last.fm's rank first, then the panel's plays."""
    return reader.query(
        """
        select
            top_tracks.rank, tracks.track_id, tracks.track_name,
            coalesce(top_tracks.playcount, tracks.playcount) as playcount,
            coalesce(top_tracks.listeners, tracks.listeners) as listeners,
            tracks.duration_seconds, tracks.scrobbles, tracks.scrobbles_counted
        from marts.dim_tracks as tracks
        left join marts.artist_top_tracks as top_tracks
            on top_tracks.track_id = tracks.track_id
            and top_tracks.artist_id = tracks.artist_id
        where tracks.artist_id = :artist_id
        order by top_tracks.rank nulls last, tracks.scrobbles_counted desc nulls last,
            tracks.track_id
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )


def albums(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """The artist's albums: last.fm's rank first, then the panel's plays."""
    return reader.query(
        """
        select
            top_albums.rank, albums.album_id, albums.album_name,
            top_albums.playcount, albums.tracks, albums.scrobbles,
            albums.scrobbles_counted
        from marts.dim_albums as albums
        left join marts.artist_top_albums as top_albums
            on top_albums.album_id = albums.album_id
            and top_albums.artist_id = albums.artist_id
        where albums.artist_id = :artist_id
        order by top_albums.rank nulls last, albums.scrobbles_counted desc nulls last,
            albums.album_id
        limit :limit offset :offset
        """,
        {"artist_id": artist_id, "limit": limit, "offset": offset},
    )


def listeners(
    reader: Reader, artist_id: str, *, named: Named, limit: int, offset: int
) -> Result:
    """The listeners of the artist who may be named, by plays."""
    return reader.query(
        f"""
        select
            cast(rank() over (order by pairs.scrobbles desc) as integer) as rank,
            listeners.listener_id, listeners.listener_name, pairs.scrobbles,
            pairs.first_scrobbled_at, pairs.last_scrobbled_at
        from marts.listener_artists as pairs
        inner join marts.dim_listeners as listeners
            on listeners.listener_id = pairs.listener_id
        where pairs.artist_id = :artist_id and {named.where("pairs.listener_id")}
        order by pairs.scrobbles desc, listeners.listener_id
        limit :limit offset :offset
        """,
        {**named.binds, "artist_id": artist_id, "limit": limit, "offset": offset},
    )


def ranks(reader: Reader, artist_id: str, *, limit: int, offset: int) -> Result:
    """Where the artist stood in the last issue that had it, chart by chart."""
    return charts.ranks(reader, artist_id, _CHARTS, limit=limit, offset=offset)


def series(
    reader: Reader,
    *,
    artist_ids: list[str],
    measure: str,
    first: date,
    last: date,
    days: int = 3660,
) -> Result:
    """One row per artist and day from its first to its last known day in the range.

    At least the newest `days` days are in, and one before them when there is one.

    A day without an observation is a row with `is_gap`; its value is null where nothing
    is known. Panel counts have no gaps: no play is 0; flagged days do not count.
    """
    binds: dict[str, Any] = {f"a{index}": key for index, key in enumerate(artist_ids)}
    keys = ", ".join(f":a{index}" for index in range(len(artist_ids)))
    # An artist has at most one row a day, so this many rows reach that far back.
    binds.update(first=first, last=last, points=(days + 1) * len(artist_ids))
    if measure in _PANEL:
        source = f"""
            select artist_id, scrobbled_date as day,
                cast({_PANEL[measure]} as double precision) as value, false as is_gap
            from marts.fct_scrobbles
            where artist_id in ({keys}) and scrobbled_date between :first and :last
                and not is_flagged
            group by artist_id, scrobbled_date
        """
    elif measure in _SNAPSHOTS:
        source = f"""
            select artist_id, snapshot_date as day,
                cast({measure} as double precision) as value, false as is_gap
            from marts.fct_artist_snapshots
            where artist_id in ({keys}) and snapshot_date between :first and :last
        """
    else:
        assert measure in MEASURES
        source = f"""
            select artist_id, value_date as day,
                cast({measure} as double precision) as value,
                not coalesce(is_observed, true) or {measure} is null as is_gap
            from marts.fct_artist_values
            where artist_id in ({keys}) and value_date between :first and :last
        """
    found = reader.query(
        f"""
        select points.artist_id, artists.artist_name, points.day, points.value,
            points.is_gap
        from ({source}) as points
        inner join marts.dim_artists as artists
            on artists.artist_id = points.artist_id
        order by points.day desc, points.artist_id
        limit :points
        """,
        binds,
    )
    ordered = found.rows[::-1]
    if len(artist_ids) > 1:
        ordered = sorted(ordered, key=itemgetter(0))
    found = Result(found.columns, found.types, ordered)
    return _filled(found, last if measure in _PANEL else None)


def _filled(found: Result, zero_to: date | None) -> Result:
    """Add a row for each day that is missing between two that are there."""
    rows: list[tuple[Any, ...]] = []
    previous: tuple[Any, ...] | None = None
    one_day = timedelta(days=1)
    if found.rows and zero_to is None:
        oldest, newest = found.rows[0], found.rows[-1]
        # Of one artist, and as many rows as days: most series lack none.
        if oldest[0] == newest[0] and (newest[2] - oldest[2]).days < len(found.rows):
            return found

    def fill(after: tuple[Any, ...], until: date) -> None:
        day = after[2] + one_day
        while day < until:
            blank = (0.0, False) if zero_to is not None else (None, True)
            rows.append((after[0], after[1], day, *blank))
            day += one_day

    for row in found.rows:
        if previous is not None:
            if previous[0] == row[0]:
                if row[2] - previous[2] > one_day:
                    fill(previous, row[2])
            elif zero_to is not None:
                fill(previous, zero_to + one_day)
        rows.append(row)
        previous = row
    if previous is not None and zero_to is not None:
        fill(previous, zero_to + one_day)
    return Result(found.columns, found.types, rows)
