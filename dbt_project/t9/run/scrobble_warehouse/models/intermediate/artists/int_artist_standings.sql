drop table if exists "new"."intermediate"."int_artist_standings" cascade;

    

    create  table
      "new"."intermediate"."int_artist_standings"
  
    
    as (
      -- One row per artist and UTC day with the artist's standing among the day's artists.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

states as (

    select * from "new"."intermediate"."int_artist_states"

),

blank_names as (

    select artist_id

    from "new"."intermediate"."int_artists"

    where name_key like '(blank name U+%'

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

-- What the windows look back on.
history as (

    select
        states.artist_id,
        states.value_date,
        states.value

    from states

    inner join due
        on states.value_date > cast((due.first_date + cast(-360 as integer)) as date)

),

medians as (
    
    select slid.artist_id, slid.value_date, slid.trailing_median
    from (
        select
            artist_id,
            value_date,
            quantile_cont(value, 0.5) over (
                partition by artist_id order by value_date
                rows between 359 preceding and current row
            ) as trailing_median
        from history
    ) as slid
    where slid.value_date >= (select due.first_date from due)

),

listings as (

    select
        states.artist_id,
        states.value_date,
        states.value,
        medians.trailing_median,
        (
        cast(states.history_days as double precision)
        / nullif(cast(states.history_days + 28 as double precision), 0)
    ) as confidence,
        states.history_days >= 28
        and states.unobserved_days < 28
        and blank_names.artist_id is null as is_listed

    from states

    left join blank_names on states.artist_id = blank_names.artist_id

    inner join medians
        on
            states.artist_id = medians.artist_id
            and states.value_date = medians.value_date

),

-- The mean value is that of the listed artists; before anybody is listed, of all. It
-- is a sum of exact numbers, which does not depend on the order of adding.
indexes as (

    select
        value_date,
        coalesce(
            (
        cast(sum(cast(value as numeric(38, 18))) filter (where is_listed) as double precision)
        / nullif(cast(count(*) filter (where is_listed) as double precision), 0)
    ),
            (
        cast(sum(cast(value as numeric(38, 18))) as double precision)
        / nullif(cast(count(*) as double precision), 0)
    )
        ) as mean_value

    from listings

    group by value_date

),

-- Among the listed artists only.
places as (

    select
        artist_id,
        value_date,
        row_number() over (
            partition by value_date order by trailing_median desc, artist_id
        ) as place,
        rank() over (partition by value_date order by value) - 1 as outdone,
        count(*) over (partition by value_date) as artists

    from listings

    where is_listed

),

stage_sizes as (

    select
        artist_id,
        value_date,
        place,
        100 * (
        cast(outdone as double precision)
        / nullif(cast(artists as double precision), 0)
    ) as score,
        greatest(ceil(artists * 0.0003), 1) as superstars,
        greatest(ceil(artists * 0.002), 2) as mainstreams,
        greatest(ceil(artists * 0.01), 4) as mid_levels

    from places

),

final as (

    select
        listings.artist_id,
        listings.value_date,
        listings.confidence,
        listings.is_listed,
        100 * listings.value / indexes.mean_value as fundamental_price,
        stage_sizes.score,
        case
            when stage_sizes.place <= stage_sizes.superstars then 'superstar'
            when
                stage_sizes.place
                <= stage_sizes.superstars + stage_sizes.mainstreams
                then 'mainstream'
            when
                stage_sizes.place
                <= stage_sizes.superstars + stage_sizes.mainstreams
                + stage_sizes.mid_levels
                then 'mid-level'
            when listings.is_listed then 'developing'
        end as stage

    from listings

    inner join indexes on listings.value_date = indexes.value_date

    left join stage_sizes
        on
            listings.artist_id = stage_sizes.artist_id
            and listings.value_date = stage_sizes.value_date

)

select * from final
    );
    
  