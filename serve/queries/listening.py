"""One listener's own plays in any window: lists, one thing, the plays themselves.

Owns :class:`Listening` and its SQL. Days, hours and weeks are those of a time zone; all
plays count, flagged or not: it is about oneself, not about a chart. Who may ask is
decided before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from serve import ranges
from serve.queries.own_rules import NO_RULES, Rules
from serve.queries.search import Search
from serve.queries.windows import has_tag, is_main_tag
from serve.ranges import BEGINNING, Range
from serve.store.contract import Reader, Result, has_column
from serve.zones import Zone

Entity = Literal["artists", "albums", "tracks", "tags"]
By = Literal["scrobbles", "minutes", "share"]
Grain = Literal["day", "week", "month", "year"]

_BY = {
    "scrobbles": "scrobbles",
    "minutes": "listening_seconds",
    "share": "scrobbles",
}
_KEYS = {"artists": "artist_id", "albums": "album_id", "tracks": "track_id"}
#: Entity -> where its names are joined, and how they are called in the answer.
_NAMES = {
    "artists": (
        "left join marts.dim_artists as things on things.artist_id = paged.entity_id",
        "things.artist_name as entity_name, paged.entity_id as artist_id,"
        " things.artist_name as artist_name",
    ),
    "albums": (
        "left join marts.dim_albums as things on things.album_id = paged.entity_id",
        "things.album_name as entity_name, things.artist_id, things.artist_name",
    ),
    "tracks": (
        "left join marts.dim_tracks as things on things.track_id = paged.entity_id",
        "things.track_name as entity_name, things.artist_id, things.artist_name",
    ),
    "tags": (
        "left join (select tag_id, max(tag_name) as tag_name from marts.artist_tags"
        " group by tag_id) as things on things.tag_id = paged.entity_id",
        "things.tag_name as entity_name, cast(null as text) as artist_id,"
        " cast(null as text) as artist_name",
    ),
}
_TIMES = "min(scrobbled_at) as first_at, max(scrobbled_at) as last_at"


@dataclass(frozen=True)
class Listening:
    """Plays of one listener: local days of a zone, optionally of one thing.

    `as_of` is the published day; `entity` and `entity_id` name the thing. `rules` are
    the owner's, and only where the owner asks.
    """

    listener_id: str
    days: Range
    as_of: date
    zone: Zone
    entity: Entity | None = None
    entity_id: str | None = None
    rules: Rules = NO_RULES

    @property
    def first(self) -> date:
        """The first local day."""
        return max(self.days.first, BEGINNING)

    @property
    def last(self) -> date:
        """The last local day with a play that can be known.

        All of time ends with the last known play, whose local day may be the next.
        """
        if self.days.period == "all_time":
            return self.as_of + timedelta(days=1)
        return min(self.days.last, self.as_of + timedelta(days=1))

    def over(self, days: Range) -> Listening:
        """The same of other days."""
        return replace(self, days=days)

    @property
    def whole(self) -> Listening:
        """The same of all of time."""
        return self.over(Range(BEGINNING, self.as_of, "all_time"))

    @property
    def until(self) -> Listening:
        """The same from the beginning to the window's last day."""
        if self.days.period == "all_time":
            return self
        return self.over(Range(BEGINNING, self.days.last))

    @property
    def earlier(self) -> Listening | None:
        """The same of the period before; None before all of time."""
        days = ranges.before(self.days)
        return None if days is None else self.over(days)

    @property
    def binds(self) -> dict[str, Any]:
        """The values for :attr:`sql`."""
        return {
            "listener_id": self.listener_id,
            "first": self.first,
            "last": self.last,
            # No zone is more than a day away from UTC.
            "first_utc": self.first - timedelta(days=1),
            "last_utc": self.last + timedelta(days=1),
            "begin_at": self.zone.begin(self.first),
            "end_at": self.zone.begin(self.last + timedelta(days=1)),
            "thing_id": self.entity_id,
        }

    @property
    def sql(self) -> str:
        """SQL: the plays, with local_at and local_date.

        The window is cut by UTC times, so that local time is worked out only where a
        question asks for it.
        """
        local = self.local_sql("own.scrobbled_at")
        edges = ""
        if self.days.period != "all_time":
            edges = (
                "and own.scrobbled_date between :first_utc and :last_utc"
                " and own.scrobbled_at >= :begin_at and own.scrobbled_at < :end_at"
            )
        told = ", own.told_artist_id" if self.rules.split else ""
        return f"""
            select
                own.scrobble_id, own.artist_id, own.track_id, own.album_id,
                own.scrobbled_at, own.scrobbled_date, {local} as local_at,
                cast({local} as date) as local_date, own.listening_seconds{told}
            from {self._source} as own
            where own.listener_id = :listener_id {edges} {self._of_thing()}
        """

    def local_sql(self, column: str, zone: Zone | None = None) -> str:
        """SQL: local time of UTC times of the window."""
        first = self.first - timedelta(days=1)
        last = max(min(self.last, self.as_of), self.first) + timedelta(days=1)
        return (zone or self.zone).local_sql(column, first, last)

    @property
    def _source(self) -> str:
        """The plays that the window is cut from."""
        if not self.rules:
            return "marts.fct_scrobbles"
        return f"({self.rules.plays_sql(self.ruled_local)})"

    def ruled_local(self, column: str) -> str:
        """SQL: local time by the clock that the rules go by."""
        return self.local_sql(column, self.rules.zone)

    @property
    def artists_mart(self) -> str:
        """SQL: each artist of all of time with plays, first and last time."""
        if not self.rules:
            return "marts.listener_artists"
        return f"""(
            select
                listener_id, artist_id, cast(count(*) as bigint) as scrobbles,
                min(scrobbled_at) as first_scrobbled_at,
                max(scrobbled_at) as last_scrobbled_at
            from {self.whole._source} as ruled
            group by listener_id, artist_id
        ) as ruled_artists"""

    @property
    def days_mart(self) -> str:
        """SQL: each UTC day of all of time with its plays."""
        if not self.rules:
            return "marts.fct_listener_days"
        return f"""(
            select
                listener_id, scrobbled_date, cast(count(*) as bigint) as scrobbles
            from {self.whole._source} as ruled
            group by listener_id, scrobbled_date
        ) as ruled_days"""

    def _of_thing(self) -> str:
        if self.entity is None:
            return ""
        if self.entity == "tags":
            return f"and {has_tag('own.artist_id', '= :thing_id')}"
        if self.entity == "artists" and self.rules:
            return f"and {self.rules.is_of_artist(self.entity_id or '')}"
        return f"and own.{_KEYS[self.entity]} = :thing_id"


def period_sql(grain: str, column: str = "local_at") -> str:
    """SQL: the first day of the period of a local time; weeks begin on Monday."""
    cut = column if grain == "day" else f"date_trunc('{grain}', {column})"
    return f"cast({cut} as date)"


def top(
    reader: Reader,
    listening: Listening,
    *,
    entity: str,
    by: str,
    limit: int,
    offset: int,
) -> Result:
    """What was played most; ties share a rank, and the share is that of plays."""
    join, names = _NAMES[entity]
    measure = _BY[by]
    found = reader.query(
        f"""
        with

        plays as ({listening.sql}),

        entities as ({_things(reader, listening, entity)}),

        whole as (

            select
                sum(scrobbles) as all_scrobbles,
                cast(count(*) as bigint) as entities
            from entities

        ),

        -- Ranks of the first are those of all: the rest needs no sorting.
        first_ones as (

            select * from entities
            order by {measure} desc, scrobbles desc, entity_id
            limit :depth

        ),

        paged as (

            select
                cast(rank() over (order by {measure} desc) as integer) as rank,
                first_ones.*,
                100.0 * cast(first_ones.scrobbles as double precision)
                    / whole.all_scrobbles as share_pct,
                whole.entities
            from first_ones
            cross join whole
            order by {measure} desc, scrobbles desc, entity_id
            limit :limit offset :offset

        )

        select
            paged.rank, paged.entity_id, {names}, paged.scrobbles,
            paged.listening_seconds, paged.share_pct,
            {listening.local_sql("paged.first_at")} as first_played_at,
            {listening.local_sql("paged.last_at")} as last_played_at, paged.entities
        from paged
        {join}
        order by paged.{measure} desc, paged.scrobbles desc, paged.entity_id
        """,
        {
            **listening.binds,
            "limit": limit,
            "offset": offset,
            "depth": limit + offset,
        },
    )
    return listening.rules.answered(found)


def is_in_mart(listening: Listening) -> bool:
    """Whether marts.listener_top has the window: its periods are of UTC days."""
    if listening.rules:
        return False
    days = listening.days
    is_utc = listening.zone.name == "UTC"
    return days.period == "all_time" or (is_utc and days.period is not None)


def first_of(
    reader: Reader, listening: Listening, *, entity: str, limit: int
) -> Result:
    """The first of a list, from the mart where it has the window, else counted.

    Only the columns that both have.
    """
    if not is_in_mart(listening):
        found = top(
            reader, listening, entity=entity, by="scrobbles", limit=limit, offset=0
        )
        kept = [found.columns.index(name) for name in _FIRST]
        rows = [tuple(row[index] for index in kept) for row in found.rows]
        return Result(_FIRST, tuple(found.types[index] for index in kept), rows)
    return reader.query(
        f"""
        select {", ".join(_FIRST[:-1])}, cast(share_pct as double precision)
            as share_pct
        from marts.listener_top
        where listener_id = :listener_id and entity_type = :entity_type
            and period = :period
            and (:period = 'all_time' or period_start = :first)
        order by rank, entity_id
        limit :limit
        """,
        {
            **listening.binds,
            "entity_type": entity.removesuffix("s"),
            "period": listening.days.period,
            "limit": limit,
        },
    )


_FIRST = (
    "rank",
    "entity_id",
    "entity_name",
    "artist_id",
    "artist_name",
    "scrobbles",
    "share_pct",
)


def _things(reader: Reader, listening: Listening, entity: str) -> str:
    """SQL: the artists, albums, tracks or tags of the window with their plays."""
    if entity == "artists":
        return _artists(reader, listening, listening.rules.shared_sql("plays"))
    if entity != "tags":
        return _entities(_KEYS[entity])
    return f"""
        select
            tags.tag_id as entity_id,
            cast(sum(artists.scrobbles) as bigint) as scrobbles,
            cast(sum(artists.listening_seconds) as bigint) as listening_seconds,
            min(artists.first_at) as first_at, max(artists.last_at) as last_at
        from ({_artists(reader, listening)}) as artists
        inner join marts.artist_tags as tags
            on tags.artist_id = artists.entity_id and {is_main_tag()}
        group by tags.tag_id
    """


def _artists(reader: Reader, listening: Listening, source: str = "plays") -> str:
    """SQL: the artists of the window; of all of time without rules from the mart."""
    is_told = (
        listening.days.period == "all_time"
        and not listening.rules
        and listening.entity is None
        and has_column(reader, "listener_artists", "listening_seconds")
    )
    if not is_told:
        return _entities("artist_id", source)
    return f"""
        select
            artist_id as entity_id, scrobbles, listening_seconds,
            first_scrobbled_at as first_at, last_scrobbled_at as last_at
        from {listening.artists_mart}
        where listener_id = :listener_id
    """


def _entities(key: str, source: str = "plays") -> str:
    alias = "" if source == "plays" else " as plays"
    return f"""
        select
            plays.{key} as entity_id,
            cast(count(*) as bigint) as scrobbles,
            cast(sum(plays.listening_seconds) as bigint) as listening_seconds,
            {_TIMES}
        from {source}{alias}
        where plays.{key} is not null
        group by plays.{key}
    """


def plays(
    reader: Reader, listening: Listening, *, text: str | None, limit: int, offset: int
) -> Result:
    """The plays, newest first; with `text` those whose artist, album or track has it.

    Of `text` each name is compared as everywhere in the service, in any case and width.
    """
    search = Search(text)
    source, having = "plays", ""
    if text:
        keys = ("artist_id", "track_id", "album_id")
        written = ", ".join(f"'{key}'" for key in listening.rules.names_with(text))
        # Looked for by itself (offset 0): PostgreSQL keeps plays in a table for each
        # month, and would gather the keys of the names again for each.
        source = "(select * from plays offset 0) as plays"
        having = "where " + " or ".join(
            f"plays.{key} in (select {key} from marts.dim_{key[:-3]}s"
            f" where {search.within('name_key')})"
            + (f" or plays.{key} in ({written})" if written else "")
            for key in keys
        )
    found = reader.query(
        f"""
        with

        plays as ({listening.sql}),

        paged as (

            select * from {source}
            {having}
            order by scrobbled_at desc, scrobble_id
            limit :limit offset :offset

        )

        select
            paged.scrobble_id, paged.scrobbled_at, paged.local_at,
            paged.artist_id, artists.artist_name, paged.track_id, tracks.track_name,
            paged.album_id, albums.album_name, paged.listening_seconds
        from paged
        left join marts.dim_artists as artists
            on artists.artist_id = paged.artist_id
        left join marts.dim_tracks as tracks on tracks.track_id = paged.track_id
        left join marts.dim_albums as albums on albums.album_id = paged.album_id
        order by paged.scrobbled_at desc, paged.scrobble_id
        """,
        {**listening.binds, **search.binds, "limit": limit, "offset": offset},
    )
    return listening.rules.answered(found)


def totals(
    reader: Reader, listening: Listening, *, active_days: int | None = None
) -> dict[str, Any]:
    """How much was played in the window, of how many different things.

    Args:
        active_days: local days with a play, where the caller knows how many.
    """
    known = _different(reader, listening)
    if active_days is not None:
        known["local_date"] = active_days
    different = ", ".join(
        f"cast({_count(key, known)} as bigint) as {entity}"
        for entity, key in _KEYS.items()
    )
    if listening.rules.split:
        shared = listening.rules.shared_sql("plays")
        every = f"(select count(distinct artist_id) from {shared} as shared)"
        different = different.replace("count(distinct artist_id)", every)
    found = reader.query(
        f"""
        with plays as ({listening.sql})

        select
            cast(count(*) as bigint) as scrobbles,
            cast(coalesce(sum(listening_seconds), 0) as bigint) as listening_seconds,
            {different},
            cast({_count("local_date", known)} as bigint) as active_days,
            {listening.local_sql("min(scrobbled_at)")} as first_played_at,
            {listening.local_sql("max(scrobbled_at)")} as last_played_at
        from plays
        """,
        {**listening.binds, **known},
    ).first()
    assert found is not None
    return found


def _different(reader: Reader, listening: Listening) -> dict[str, int]:
    """How many different things all of time has, by their keys, where a mart says so.

    Counting them costs more than the rest of the totals.
    """
    if listening.days.period != "all_time" or listening.entity is not None:
        return {}
    if listening.rules:
        return {}
    found = reader.query(
        """
        select entity_type, entities
        from marts.listener_top
        where listener_id = :listener_id and period = 'all_time' and place = 1
        """,
        listening.binds,
    )
    return {f"{row[0]}_id": row[1] for row in found.rows if row[0] != "tag"}


def _count(key: str, known: dict[str, int]) -> str:
    return f":{key}" if key in known else f"count(distinct {key})"


def by_period(reader: Reader, listening: Listening, *, grain: str) -> Result:
    """Plays by local day to year, zero-filled from the first to the last play."""
    start = period_sql(grain)
    found = reader.query(
        f"""
        with plays as ({listening.sql})

        select
            {start} as period_start,
            cast(count(*) as bigint) as scrobbles,
            cast(sum(listening_seconds) as bigint) as listening_seconds
        from plays
        group by {start}
        order by period_start
        """,
        listening.binds,
    )
    rows: list[tuple[Any, ...]] = []
    for row in found.rows:
        while rows and (empty := next_start(grain, rows[-1][0])) < row[0]:
            rows.append((empty, 0, 0))
        rows.append(row)
    return Result(found.columns, found.types, rows)


def next_start(grain: str, day: date) -> date:
    """The first day of the period after the one of `day`."""
    longest = {"day": 1, "week": 7, "month": 31, "year": 366}[grain]
    return ranges.start_of(grain, ranges.start_of(grain, day) + timedelta(days=longest))


def name_of(
    reader: Reader, entity: str, entity_id: str, rules: Rules = NO_RULES
) -> dict[str, Any] | None:
    """The name of a thing that is known, with its artist's; None if it is not."""
    join, names = _NAMES[entity]
    answer = reader.query(
        f"""
        select paged.entity_id, {names}
        from (select cast(:entity_id as text) as entity_id) as paged
        {join}
        """,
        {"entity_id": entity_id},
    )
    found = rules.answered(answer).first()
    assert found is not None
    return None if found["entity_name"] is None else found
