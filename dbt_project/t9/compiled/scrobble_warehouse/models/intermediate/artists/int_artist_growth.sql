-- One row per artist and UTC day with the growth of the artist's value.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

states as (

    select * from "new"."intermediate"."int_artist_states"

),

standings as (

    select * from "new"."intermediate"."int_artist_standings"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

-- Over observed days only, because the others repeat what was known before. Sums of
-- exact numbers: they do not depend on the order of adding.
windows as (

    select
        states.artist_id,
        states.value_date,
        states.unobserved_days,
        sum(case when states.is_observed then cast(states.log_value as numeric(38, 20)) end) over late
            as late_sum,
        count(case when states.is_observed then 1 end) over late as late_days,
        sum(case when states.is_observed then cast(states.log_value as numeric(38, 20)) end) over base
            as base_sum,
        count(case when states.is_observed then 1 end) over base as base_days

    from states

    inner join due on states.value_date > cast((due.first_date + cast(-91 as integer)) as date)

    window
        late as (
            partition by states.artist_id
            order by states.value_date
            rows between 27 preceding and current row
        ),
        base as (
            partition by states.artist_id
            order by states.value_date
            rows between
            90 preceding and 28 preceding
        )

),

-- Of listed artists, who alone have a stage.
growths as (

    select
        standings.artist_id,
        standings.value_date,
        standings.stage,
        case
            when
                standings.is_listed
                and windows.late_days >= 20
                and windows.base_days >= 42
                and windows.unobserved_days < 7
                then
                    (
        cast(windows.late_sum as double precision)
        / nullif(cast(windows.late_days as double precision), 0)
    )
                    - (
        cast(windows.base_sum as double precision)
        / nullif(cast(windows.base_days as double precision), 0)
    )
        end as log_growth

    from standings

    inner join due on standings.value_date >= due.first_date

    inner join windows
        on
            standings.artist_id = windows.artist_id
            and standings.value_date = windows.value_date

),

-- The middle of growth in a stage and, with a null for the stage, in all.
centres as (

    select
        value_date,
        stage,
        cast(
        percentile_cont(0.5) within group (
            order by cast(log_growth as double precision)
        ) as double precision
    ) as centre,
        count(*) as artists

    from growths

    where log_growth is not null

    group by grouping sets ((value_date, stage), (value_date))

),

spreads as (

    select
        growths.value_date,
        centres.stage,
        centres.centre,
        greatest(
            1.4826 * cast(
        percentile_cont(0.5) within group (
            order by cast(abs(growths.log_growth - centres.centre) as double precision)
        ) as double precision
    ),
            0.05
        ) as spread

    from growths

    inner join centres
        on
            growths.value_date = centres.value_date
            and (
                centres.stage is null
                or (
                    growths.stage = centres.stage
                    and centres.artists >= 20
                )
            )

    group by growths.value_date, centres.stage, centres.centre

),

-- A stage of a few artists is compared with all.
measured as (

    select
        growths.artist_id,
        growths.value_date,
        (growths.log_growth - coalesce(of_stage.centre, of_all.centre))
        / coalesce(of_stage.spread, of_all.spread) as growth

    from growths

    left join spreads as of_stage
        on
            growths.value_date = of_stage.value_date
            and growths.stage = of_stage.stage

    left join spreads as of_all
        on growths.value_date = of_all.value_date and of_all.stage is null

),

final as (

    select
        artist_id,
        value_date,
        growth,
        case
            when growth is null then 'insufficient history'
            when growth >= 8 then 'explosive'
            when growth >= 2 then 'high'
            when growth >= 1 then 'moderate'
            when growth >= -1 then 'even'
            else 'decline'
        end as growth_label

    from measured

)

select * from final