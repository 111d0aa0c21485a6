-- One row per listener, thing and tag that the listener gave it.
with

answered as (

    select * from {{ ref('stg_lastfm__user_personal_tags') }}

),

-- The last day that answered wins; its pages are several calls.
last_days as (

    select
        listener_id,
        tag_id,
        tagging_type,
        max(as_of_date) as as_of_date

    from answered

    group by listener_id, tag_id, tagging_type

),

ranked as (

    select
        answered.listener_id,
        answered.tagging_type,
        answered.item_id,
        answered.tag_id,
        answered.tagged_uts,
        answered.tagged_at,
        answered.fetched_at,
        row_number() over (
            partition by
                answered.listener_id,
                answered.tagging_type,
                answered.item_id,
                answered.tag_id
            order by
                answered.tagged_uts desc nulls last,
                answered.fetched_at desc,
                answered.call_id,
                answered.item_index
        ) as choice

    from answered

    inner join last_days
        on
            answered.listener_id = last_days.listener_id
            and answered.tag_id = last_days.tag_id
            and answered.tagging_type = last_days.tagging_type
            and answered.as_of_date = last_days.as_of_date

),

judged as (

    select
        listener_id,
        tagging_type,
        item_id,
        tag_id,
        tagged_at,
        -- 0 is "not known"; a real tag can be no older than last.fm.
        coalesce(
            tagged_uts <> 0
            and (
                tagged_at is null
                or tagged_at < cast('{{ var("first_scrobble_date") }}' as timestamp)
                or tagged_uts > {{ to_uts('fetched_at') }}
                + {{ var('clock_skew_seconds') }}
            ),
            false
        ) as is_impossible

    from ranked

    where choice = 1

),

final as (

    select
        judged.listener_id,
        judged.tagging_type,
        judged.item_id,
        judged.tag_id,
        case
            when not judged.is_impossible then cast(judged.tagged_at as date)
        end as tagged_date,
        judged.is_impossible as has_impossible_date

    from judged

)

select * from final
