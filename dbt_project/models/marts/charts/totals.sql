-- One row per period with at least one scrobble of the panel.
with

periods as (

    select * from {{ ref('int_listening_periods') }}

),

final as (

    select
        period,
        period_start,
        case
        {% for period in ['day', 'week', 'month', 'quarter', 'half_year', 'year'] %}
            when period = '{{ period }}'
                then
                    {{ add_days(
                        listening_period_next(period, 'period_start'), -1
                    ) }}
        {% endfor %}
            else last_scrobbled_date
        end as period_end,
        scrobbles,
        tracks,
        artists,
        albums,
        listeners,
        listening_seconds,
        scrobbles_without_duration

    from periods

    where listener_id = ''

)

select * from final
