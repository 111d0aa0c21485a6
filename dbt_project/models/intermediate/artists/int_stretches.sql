-- One row per history, thing, item and stretch of days for which last.fm answered it.
{#- A further day reads the new answers and the stretches that they may end. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='touched_stretches',
        on_schema_change='fail',
        indexes=postgres_indexes([['history', 'subject_id']]),
    )
}}
{%- set since = stretches_since() %}
with

answered as (

    select * from {{ ref('int_items_answered') }}

),

answered_days as (

    select distinct
        history,
        subject_id,
        as_of_date

    from answered

),

days as (

    select
        history,
        subject_id,
        as_of_date,
        row_number() over (
            partition by history, subject_id order by as_of_date
        ) as nth

    from answered_days

),

-- What held before the first of these days is answered on day 0.
items as (

    select
        answered.history,
        answered.subject_id,
        answered.item_id,
        answered.rank,
        answered.score,
        answered.as_of_date as from_date,
        cast(null as date) as kept_to_date,
        days.nth

    from answered

    inner join days
        on
            answered.history = days.history
            and answered.subject_id = days.subject_id
            and answered.as_of_date = days.as_of_date
    {%- if since %}

    union all

    select
        kept.history,
        kept.subject_id,
        kept.item_id,
        kept.rank,
        kept.score,
        kept.valid_from_date as from_date,
        kept.valid_to_date as kept_to_date,
        0 as nth

    from {{ this }} as kept

    inner join days
        on
            kept.history = days.history
            and kept.subject_id = days.subject_id
            and days.nth = 1

    where
        kept.valid_from_date < cast('{{ since }}' as date)
        and (
            kept.valid_to_date is null
            or kept.valid_to_date >= cast('{{ since }}' as date)
        )
    {%- endif %}

),

-- Plays change every day: they alone begin no stretch.
compared as (

    select
        history,
        subject_id,
        item_id,
        rank,
        score,
        from_date,
        kept_to_date,
        nth,
        case
            when
                lag(nth) over item_days = nth - 1
                and lag(rank) over item_days = rank
                and (
                    history in ('tracks', 'albums')
                    or lag(score) over item_days is not distinct from score
                )
                then 0
            else 1
        end as begins

    from items

    window item_days as (partition by history, subject_id, item_id order by nth)

),

counted as (

    select
        history,
        subject_id,
        item_id,
        rank,
        score,
        from_date,
        kept_to_date,
        nth,
        begins,
        sum(begins) over (
            partition by history, subject_id, item_id order by nth
        ) as stretch

    from compared

),

stretches as (

    select
        history,
        subject_id,
        item_id,
        max(rank) as rank,
        max(score) filter (where begins = 1) as score,
        min(from_date) as valid_from_date,
        max(kept_to_date) as kept_to_date,
        min(nth) = 0 as is_kept,
        max(nth) as last_nth

    from counted

    group by history, subject_id, item_id, stretch

),

final as (

    select
        stretches.history,
        stretches.subject_id,
        stretches.item_id,
        stretches.rank,
        stretches.score,
        stretches.valid_from_date,
        days.as_of_date as valid_to_date

    from stretches

    left join days
        on
            stretches.history = days.history
            and stretches.subject_id = days.subject_id
            and stretches.last_nth + 1 = days.nth

    where
        not stretches.is_kept
        or stretches.kept_to_date is distinct from days.as_of_date

)

select * from final
