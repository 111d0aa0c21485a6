-- How did an artist's listeners grow, gaps and all?
select
    artists.artist_name,
    dates.calendar_date,
    snapshots.listeners,
    snapshots.new_listeners_per_day,
    snapshots.flow_state

from {{ ref('dim_artists') }} as artists

inner join {{ ref('dim_dates') }} as dates
    on
        dates.calendar_date >= (
            select min(first.snapshot_date)
            from {{ ref('fct_artist_snapshots') }} as first
            where first.artist_id = artists.artist_id
        )
        and dates.calendar_date <= (
            select max(last.snapshot_date)
            from {{ ref('fct_artist_snapshots') }} as last
            where last.artist_id = artists.artist_id
        )

left join {{ ref('fct_artist_snapshots') }} as snapshots
    on
        artists.artist_id = snapshots.artist_id
        and dates.calendar_date = snapshots.snapshot_date

where
    artists.artist_id = (
        select most.artist_id
        from {{ ref('dim_artists') }} as most
        where most.is_tracked
        order by most.listeners desc nulls last, most.artist_id asc
        limit 1
    )

order by dates.calendar_date
