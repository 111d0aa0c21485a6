-- One row per constant of the artist value, with what is used and what a fit found.
with

fits as (

    select * from "new"."staging"."stg_published__constants"

),

used as (

    select * from "new"."intermediate"."int_value_constants"

),

constants as (
    
    select
        'listener_weight' as constant,
        'w' as symbol,
        'weight of new listeners in log attention; plays have the rest' as meaning,
        'share' as unit,
        cast(0.65 as double precision) as default_value,
        cast(
            0.65
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'pseudo_count' as constant,
        'k' as symbol,
        'listeners and plays a day added to each flow' as meaning,
        'a day' as unit,
        cast(5 as double precision) as default_value,
        cast(
            5
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'day_days' as constant,
        '' as symbol,
        'days before a day whose median log attention is an artist’s usual one' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'day_least_days' as constant,
        '' as symbol,
        'observed ones of them that an artist needs to be asked' as meaning,
        'days' as unit,
        cast(14 as double precision) as default_value,
        cast(
            14
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'day_least_artists' as constant,
        '' as symbol,
        'artists without which a day has no factor' as meaning,
        'artists' as unit,
        cast(10 as double precision) as default_value,
        cast(
            10
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'level_gain' as constant,
        'α' as symbol,
        'of a day’s error, that moves the level' as meaning,
        'share' as unit,
        cast(0.05 as double precision) as default_value,
        cast(
            used.level_gain
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'young_days' as constant,
        '' as symbol,
        'observed days before which the level is their mean' as meaning,
        'days' as unit,
        cast(20 as double precision) as default_value,
        cast(
            20
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'transient_gain' as constant,
        'β₀' as symbol,
        'of a small error, that moves the transient' as meaning,
        'share' as unit,
        cast(0.32 as double precision) as default_value,
        cast(
            used.transient_gain
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'transient_gain_large' as constant,
        'β₁' as symbol,
        'of a large error, that moves the transient' as meaning,
        'share' as unit,
        cast(0.6 as double precision) as default_value,
        cast(
            used.transient_gain_large
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'large_error' as constant,
        'k_z' as symbol,
        'usual errors from which an error is large' as meaning,
        'deviations' as unit,
        cast(3.5 as double precision) as default_value,
        cast(
            used.large_error
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'transient_days' as constant,
        '' as symbol,
        'observed days after which the transient moves in full' as meaning,
        'days' as unit,
        cast(14 as double precision) as default_value,
        cast(
            14
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'transient_damping' as constant,
        'ρ' as symbol,
        'of the transient, that is left after one day' as meaning,
        'share' as unit,
        cast(0.97 as double precision) as default_value,
        cast(
            used.transient_damping
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'transient_weight' as constant,
        'κ' as symbol,
        'of the transient, that is value' as meaning,
        'share' as unit,
        cast(0.12 as double precision) as default_value,
        cast(
            0.12
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'first_variance' as constant,
        '' as symbol,
        'of the errors at first' as meaning,
        'variance' as unit,
        cast(0.04 as double precision) as default_value,
        cast(
            0.04
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'least_variance' as constant,
        '' as symbol,
        'by which a large error is judged, at least' as meaning,
        'variance' as unit,
        cast(0.0001 as double precision) as default_value,
        cast(
            0.0001
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'variance_memory' as constant,
        'λ' as symbol,
        'of yesterday’s variance, that is kept' as meaning,
        'share' as unit,
        cast(0.97 as double precision) as default_value,
        cast(
            0.97
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'variance_cap' as constant,
        '' as symbol,
        'that one day’s squared error counts, at most' as meaning,
        'times the variance' as unit,
        cast(9 as double precision) as default_value,
        cast(
            9
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'sigma_days' as constant,
        '' as symbol,
        'observed days whose errors give σ' as meaning,
        'days' as unit,
        cast(60 as double precision) as default_value,
        cast(
            60
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_days' as constant,
        '' as symbol,
        'ahead, whose mean the outlook is' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_least_days' as constant,
        '' as symbol,
        'observed ones of them by which an outlook is judged' as meaning,
        'days' as unit,
        cast(17 as double precision) as default_value,
        cast(
            17
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_transient' as constant,
        '' as symbol,
        'of the transient, in the mean of the days ahead' as meaning,
        'share' as unit,
        cast(0.6626 as double precision) as default_value,
        cast(
            used.outlook_transient
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_spread' as constant,
        '' as symbol,
        'of a day’s error, in the deviation of that mean' as meaning,
        'deviations' as unit,
        cast(1.1937 as double precision) as default_value,
        cast(
            1.1937
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_transient_spread' as constant,
        '' as symbol,
        'deviation of that mean for each unit of transient' as meaning,
        'log attention' as unit,
        cast(0.3 as double precision) as default_value,
        cast(
            0.3
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_memory_days' as constant,
        '' as symbol,
        'whose outlooks say how wide the interval is' as meaning,
        'days' as unit,
        cast(91 as double precision) as default_value,
        cast(
            91
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_least_forecasts' as constant,
        '' as symbol,
        'that are over, without which it is as wide as at first' as meaning,
        'outlooks' as unit,
        cast(200 as double precision) as default_value,
        cast(
            200
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_first_width' as constant,
        '' as symbol,
        'to each side at first (Q)' as meaning,
        'deviations' as unit,
        cast(3.0 as double precision) as default_value,
        cast(
            3.0
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'outlook_least_width' as constant,
        '' as symbol,
        'to each side, at least (Q)' as meaning,
        'deviations' as unit,
        cast(2.0 as double precision) as default_value,
        cast(
            2.0
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'confidence_days' as constant,
        '' as symbol,
        'observed days at which confidence is one half' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'listed_history_days' as constant,
        '' as symbol,
        'observed days of a listed artist, at least' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'listed_days' as constant,
        '' as symbol,
        'of which a listed artist was observed on one, at least' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'trend_days' as constant,
        '' as symbol,
        'whose log attention gives the trend' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'trend_least_days' as constant,
        '' as symbol,
        'observed ones of them, at least' as meaning,
        'days' as unit,
        cast(20 as double precision) as default_value,
        cast(
            20
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'stage_days' as constant,
        '' as symbol,
        'whose values give the stage' as meaning,
        'days' as unit,
        cast(360 as double precision) as default_value,
        cast(
            360
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_days' as constant,
        '' as symbol,
        'of the later mean of growth' as meaning,
        'days' as unit,
        cast(28 as double precision) as default_value,
        cast(
            28
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_least_days' as constant,
        '' as symbol,
        'observed ones of them, at least' as meaning,
        'days' as unit,
        cast(20 as double precision) as default_value,
        cast(
            20
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_base_days' as constant,
        '' as symbol,
        'before, of the earlier mean of growth' as meaning,
        'days' as unit,
        cast(63 as double precision) as default_value,
        cast(
            63
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_base_least_days' as constant,
        '' as symbol,
        'observed ones of them, at least' as meaning,
        'days' as unit,
        cast(42 as double precision) as default_value,
        cast(
            42
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_seen_days' as constant,
        '' as symbol,
        'of which an artist with growth was observed on one, at least' as meaning,
        'days' as unit,
        cast(7 as double precision) as default_value,
        cast(
            7
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_least_artists' as constant,
        '' as symbol,
        'of a stage, without which all artists are compared' as meaning,
        'artists' as unit,
        cast(20 as double precision) as default_value,
        cast(
            20
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'growth_least_spread' as constant,
        '' as symbol,
        'of growth in a stage, at least' as meaning,
        'log value' as unit,
        cast(0.05 as double precision) as default_value,
        cast(
            0.05
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'superstar_share' as constant,
        '' as symbol,
        'of the listed artists, the first' as meaning,
        'share' as unit,
        cast(0.0003 as double precision) as default_value,
        cast(
            0.0003
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'mainstream_share' as constant,
        '' as symbol,
        'of the listed artists, the next' as meaning,
        'share' as unit,
        cast(0.002 as double precision) as default_value,
        cast(
            0.002
            as double precision
        ) as value

    from used
    
    union all
    
    select
        'mid_level_share' as constant,
        '' as symbol,
        'of the listed artists, the next but one' as meaning,
        'share' as unit,
        cast(0.01 as double precision) as default_value,
        cast(
            0.01
            as double precision
        ) as value

    from used
    
),

newest as (

    select
        fits.constant,
        fits.fitted_at,
        fits.first_date,
        fits.last_date,
        fits.split_date,
        fits.artists,
        fits.steps,
        fits.error,
        fits.error_before,
        fits.outlook_error,
        fits.outlook_error_before

    from fits

    inner join used on fits.fitted_at = used.fitted_at

    where fits.value is not null

),

final as (

    select
        constants.constant,
        nullif(constants.symbol, '') as symbol,
        constants.meaning,
        constants.unit,
        constants.value,
        constants.default_value,
        newest.constant is not null as is_fitted,
        newest.fitted_at,
        newest.first_date,
        newest.split_date,
        newest.last_date,
        newest.artists,
        newest.steps,
        newest.error,
        newest.error_before,
        newest.outlook_error,
        newest.outlook_error_before

    from constants

    left join newest on constants.constant = newest.constant

)

select * from final