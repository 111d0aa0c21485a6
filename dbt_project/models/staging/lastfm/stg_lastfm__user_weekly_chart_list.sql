-- One row per week for which last.fm has a listener's chart.
with

source as (

    select * from {{ source('lastfm', 'user_weekly_chart_list') }}

),

final as (

    select
        source.load_id,
        source.call_id,
        source.item_index,
        lower(source.listener_name) as listener_id,
        source.listener_name,
        {{ from_uts('source.from_uts') }} as week_from_at,
        {{ from_uts('source.to_uts') }} as week_to_at,
        source.as_of_date,
        source.fetched_at

    from source

)

select * from final
