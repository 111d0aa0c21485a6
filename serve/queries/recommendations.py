"""What a listener may want to hear: new artists and tracks, and old ones once more.

Owns the SQL and the words of the reasons. What the marts recommend is the ground; what
the owner has said about it (:class:`Feedback`), a tag, a friend or an hour choose from
it. Who may ask is decided before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from serve.own_rules import Rule
from serve.queries.listening import Listening
from serve.queries.own_rules import known_artists, listed, tag_key
from serve.queries.statistics import FAVOURITE_PLAYS
from serve.queries.windows import has_tag, is_main_tag
from serve.store.contract import Reader, Result

# The marts' voices add up to 1: half of that for what somebody has asked for, and for a
# tag the little that a tag counts there.
_SHARE_OF_MORE = 0.5
_SHARE_OF_TAG = 0.15
# Hours that still count as the one asked for, before it and after it.
_NEAR_HOURS = 1


@dataclass(frozen=True)
class Feedback:
    """What the owner has said: keys of artists and tags, whose names a version knows.

    `never` and `never_tags` are not recommended, `more` speak for those like them.
    """

    never: frozenset[str] = frozenset()
    never_tags: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()

    def allows(self, artist: str) -> str:
        """The condition that an artist may be recommended."""
        parts = []
        if self.never:
            parts.append(f"{artist} not in {listed(self.never)}")
        if self.never_tags:
            parts.append(f"not {has_tag(artist, f'in {listed(self.never_tags)}')}")
        return " and ".join(parts) or "true"


@dataclass(frozen=True)
class Friend:
    """Another listener, whose lists whoever asks may read."""

    listener_id: str
    listener_name: str


def feedback(reader: Reader, rules: Iterable[Rule]) -> Feedback:
    """The owner's rules as far as they are about recommendations.

    What is left out of the own lists is not recommended either.
    """
    rules = list(rules)

    def artists_of(*kinds: str) -> frozenset[str]:
        names = (rule.artist for rule in rules if rule.kind in kinds)
        return frozenset(artist_id for _, artist_id, _ in known_artists(reader, names))

    tags = (tag_key(rule.tag) for rule in rules if rule.kind == "exclude_tag")
    return Feedback(
        never=artists_of("recommend_never", "exclude_artist"),
        never_tags=frozenset(tags),
        more=artists_of("recommend_more"),
    )


def artists(
    reader: Reader,
    listener_id: str,
    said: Feedback,
    *,
    tag_id: str | None = None,
    friend: Friend | None = None,
    limit: int,
    offset: int,
) -> Result:
    """Artists the listener has not played, best first, each with its reason in words.

    Of a friend: what the friend plays, by plays. Else what the mart recommends; to it
    come artists like those of whom the owner wants more, and those of the tag. Scores
    of several voices add up, the loudest gives the reason.
    """
    voices = [_by_friend() if friend else _by_mart()]
    if said.more:
        voices.append(_like(said.more))
    if tag_id and not friend:
        voices.append(_by_tag())
    return reader.query(
        f"""
        with

        voices as ({" union all ".join(voices)}),

        wanted as (

            select
                *,
                row_number() over (
                    partition by artist_id order by score desc, reason_kind, reason
                ) as loudness
            from voices
            where {said.allows("artist_id")} and {_of_tag(tag_id)}

        ),

        scored as (

            select
                artist_id, sum(score) as score,
                max(case when loudness = 1 then reason end) as reason,
                max(case when loudness = 1 then reason_kind end) as reason_kind
            from wanted
            group by artist_id

        )

        select
            cast(row_number() over (order by scored.score desc, scored.artist_id)
                as integer) as rank,
            scored.artist_id, names.artist_name,
            cast(scored.score as double precision) as score,
            scored.reason, scored.reason_kind
        from scored
        inner join marts.dim_artists as names on names.artist_id = scored.artist_id
        order by scored.score desc, scored.artist_id
        limit :limit offset :offset
        """,
        {
            "listener_id": listener_id,
            "tag_id": tag_id,
            "friend_id": friend.listener_id if friend else None,
            "friend_name": friend.listener_name if friend else None,
            "limit": limit,
            "offset": offset,
        },
    )


def _of_tag(tag_id: str | None) -> str:
    """The condition that an artist has the tag; binds `tag_id`."""
    return "true" if tag_id is None else has_tag("artist_id")


# The mart's rows are so by build.
_UNHEARD = """not in (
    select heard.artist_id from marts.listener_artists as heard
    where heard.listener_id = :listener_id
)"""


def _by_mart() -> str:
    return """
        select artist_id, cast(score as double precision) as score, reason, reason_kind
        from marts.recommended_artists
        where listener_id = :listener_id
    """


def _by_friend() -> str:
    return f"""
        select
            artist_id,
            cast(scrobbles as double precision) / max(scrobbles) over () as score,
            'Played ' || case when scrobbles = 1 then 'once'
                else scrobbles || ' times' end
                || ' by ' || cast(:friend_name as text) as reason,
            'friend' as reason_kind
        from marts.listener_artists
        where listener_id = :friend_id and artist_id {_UNHEARD}
    """


def _like(more: Iterable[str]) -> str:
    return f"""
        select
            likes.similar_artist_id as artist_id,
            {_SHARE_OF_MORE} * cast(likes.match as double precision) as score,
            'Similar to ' || names.artist_name || ', of whom you want more' as reason,
            'more' as reason_kind
        from marts.artist_similar as likes
        inner join marts.dim_artists as names on names.artist_id = likes.artist_id
        where
            likes.artist_id in {listed(more)}
            and likes.similar_artist_id {_UNHEARD}
    """


def _by_tag() -> str:
    return f"""
        select
            tags.artist_id, {_SHARE_OF_TAG} * tags.weight / 100.0 as score,
            'Tagged "' || tags.tag_name || '"' as reason, 'tag' as reason_kind
        from marts.artist_tags as tags
        where tags.tag_id = :tag_id and {is_main_tag()} and tags.artist_id {_UNHEARD}
    """


def tracks(
    reader: Reader, listener_id: str, said: Feedback, *, limit: int, offset: int
) -> Result:
    """Tracks the listener may like, with the reason in words."""
    return reader.query(
        f"""
        select
            cast(row_number() over (order by rank, track_id) as integer) as rank,
            track_id, track_name, artist_id, artist_name,
            cast(score as double precision) as score, reason, reason_kind
        from marts.recommended_tracks
        where listener_id = :listener_id and {said.allows("artist_id")}
        order by rank, track_id
        limit :limit offset :offset
        """,
        {"listener_id": listener_id, "limit": limit, "offset": offset},
    )


def again(
    reader: Reader,
    listening: Listening,
    said: Feedback,
    *,
    quiet_days: int,
    tag_id: str | None = None,
    hour: int | None = None,
    limit: int,
    offset: int,
) -> Result:
    """Artists once played often and not for so many days, most played first.

    With an hour (0 to 23, of the listening's zone): by the plays within an hour of it,
    and only artists who have some. The score is such plays beside the first one's.
    """
    everything = listening.whole
    measure = "scrobbles" if hour is None else "hour_scrobbles"
    found = reader.query(
        f"""
        with

        artists as ({_artists_sql(everything, hour)}),

        quiet as (

            select * from artists
            where
                scrobbles >= :least and hour_scrobbles > 0 and last_day <= :since
                and {said.allows("artist_id")} and {_of_tag(tag_id)}

        )

        select
            cast(row_number() over (
                order by quiet.{measure} desc, quiet.last_day, quiet.artist_id
            ) as integer) as rank,
            quiet.artist_id, names.artist_name,
            cast(quiet.{measure} as double precision)
                / max(quiet.{measure}) over () as score,
            quiet.scrobbles, quiet.hour_scrobbles, quiet.first_day, quiet.last_day
        from quiet
        left join marts.dim_artists as names on names.artist_id = quiet.artist_id
        order by quiet.{measure} desc, quiet.last_day, quiet.artist_id
        limit :limit offset :offset
        """,
        {
            **everything.binds,
            "least": FAVOURITE_PLAYS,
            "since": listening.as_of - timedelta(days=quiet_days),
            "tag_id": tag_id,
            "limit": limit,
            "offset": offset,
        },
    )
    return _with_reasons(listening.rules.answered(found), hour)


def _artists_sql(everything: Listening, hour: int | None) -> str:
    """SQL: each artist with all plays, those near the hour, local first and last day.

    Without an hour from the mart: a thirtieth of the time.
    """
    if hour is None:
        first, last = map(
            everything.local_sql, ("first_scrobbled_at", "last_scrobbled_at")
        )
        return f"""
            select
                artist_id, scrobbles, scrobbles as hour_scrobbles,
                cast({first} as date) as first_day, cast({last} as date) as last_day
            from {everything.artists_mart}
            where listener_id = :listener_id
        """
    near = ", ".join(map(str, _near(hour)))
    return f"""
        select
            artist_id, cast(count(*) as bigint) as scrobbles,
            cast(count(*) filter (where extract(hour from local_at) in ({near}))
                as bigint) as hour_scrobbles,
            min(local_date) as first_day, max(local_date) as last_day
        from ({everything.sql}) as plays
        group by artist_id
    """


def _with_reasons(found: Result, hour: int | None) -> Result:
    kind = "not_for_long" if hour is None else "hour"
    rows = [
        (*row, _why(record, hour), kind)
        for row, record in zip(found.rows, found.records(), strict=True)
    ]
    return Result(
        (*found.columns, "reason", "reason_kind"), (*found.types, "text", "text"), rows
    )


def _near(hour: int) -> list[int]:
    return [(hour + by) % 24 for by in range(-_NEAR_HOURS, _NEAR_HOURS + 1)]


def _why(row: dict[str, Any], hour: int | None) -> str:
    said = f"Played {row['scrobbles']:,} times"
    if hour is not None:
        hours = _near(hour)
        said += f", {row['hour_scrobbles']:,} of them between {hours[0]:02}:00"
        said += f" and {(hours[-1] + 1) % 24:02}:00"
    last: date = row["last_day"]
    return f"{said}, last on {last.day} {last:%B %Y}"
