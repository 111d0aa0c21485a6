"""What the version is made of: freshness of the sources, restatements."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

from serve.store.contract import Reader, Result

Subject = Literal[
    "came_late", "went", "edited", "counters", "renamed", "retagged", "merged"
]
SUBJECTS: tuple[str, ...] = get_args(Subject)


def freshness(reader: Reader) -> Result:
    """One row per source: the last day and time it was fetched."""
    return reader.query(
        """
        select source, last_as_of_date, last_fetched_at, rows
        from marts.freshness
        order by source
        """
    )


def restatements(
    reader: Reader,
    *,
    subject: str | None,
    from_date: date | None,
    to_date: date | None,
    limit: int,
    offset: int,
) -> Result:
    """What versions told otherwise than the one before, newest first.

    Plays are summed over listeners, who stay unnamed; of fewer than 5 no number is
    said.
    """
    return reader.query(
        """
        with

        shown as (

            select
                edition, version, subject, entity_type, restated_date, plays, reason,
                charts_changed, issues_changed,
                case when entity_type <> 'listener' then entity_id end as entity_id,
                case when entity_type <> 'listener' then entity_name end as entity_name,
                case when entity_type <> 'listener' then old_value end as old_value,
                case when entity_type <> 'listener' then new_value end as new_value,
                case when subject in ('came_late', 'went')
                    then cast(split_part(old_value, ' ', 1) as bigint) end as old_plays,
                case when subject in ('came_late', 'went')
                    then cast(split_part(new_value, ' ', 1) as bigint) end as new_plays
            from marts.restatements
            where (entity_type <> 'listener' or plays is not null)
                and (cast(:subject as text) is null or subject = :subject)
                and (cast(:from_date as date) is null or restated_date >= :from_date)
                and (cast(:to_date as date) is null or restated_date <= :to_date)

        )

        select
            version as published_in, subject, entity_type, entity_id, entity_name,
            restated_date,
            case when sum(plays) > 0 and count(*) >= 5 then count(*) end as listeners,
            case when count(*) >= 5 then cast(sum(plays) as bigint) end as plays,
            case
                when min(entity_type) <> 'listener' then min(old_value)
                when count(*) >= 5 then cast(sum(old_plays) as text) || ' plays'
            end as old_value,
            case
                when min(entity_type) <> 'listener' then min(new_value)
                when count(*) >= 5 then cast(sum(new_plays) as text) || ' plays'
            end as new_value,
            reason, charts_changed, issues_changed
        from shown
        group by
            edition, version, subject, entity_type, entity_id, entity_name,
            restated_date, reason, charts_changed, issues_changed
        order by
            edition desc, restated_date desc nulls last, subject, entity_type,
            entity_id nulls first
        limit :limit offset :offset
        """,
        {
            "subject": subject,
            "from_date": from_date,
            "to_date": to_date,
            "limit": limit,
            "offset": offset,
        },
    )


def ping(reader: Reader) -> bool:
    """Whether the marts answer."""
    return bool(
        reader.query("select 1 as answer from marts.dim_artists limit 1").columns
    )
