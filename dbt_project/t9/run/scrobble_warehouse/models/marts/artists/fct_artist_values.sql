drop table if exists "new"."marts"."fct_artist_values" cascade;

    
      
    

    create  table
      "new"."marts"."fct_artist_values"
  
  (
    artist_id text not null,
    value_date date not null,
    new_listeners_per_day double precision,
    plays_per_day double precision,
    day_factor double precision,
    log_attention double precision,
    attention_share double precision,
    forecast_error double precision not null,
    level double precision not null,
    transient double precision not null,
    error_variance double precision not null,
    log_value double precision not null,
    value double precision not null,
    fundamental_price double precision not null,
    score double precision,
    value_low double precision not null,
    value_high double precision not null,
    sigma double precision not null,
    surprise_z double precision not null,
    history_days integer not null,
    confidence double precision not null,
    is_listed boolean not null,
    stage text,
    growth double precision,
    growth_label text not null,
    trend_slope double precision,
    trend_slope_low double precision,
    trend_slope_high double precision,
    trend_words text not null,
    is_rising boolean not null,
    classic_base_price double precision,
    classic_score double precision,
    classic_dividend double precision,
    is_observed boolean not null,
    unobserved_days integer not null,
    flow_state integer,
    flow_reason text
    
    )
 ;
    
    
    insert into "new"."marts"."fct_artist_values" 
  (
    
      
      
      artist_id ,
    
      
      
      value_date ,
    
      
      
      new_listeners_per_day ,
    
      
      
      plays_per_day ,
    
      
      
      day_factor ,
    
      
      
      log_attention ,
    
      
      
      attention_share ,
    
      
      
      forecast_error ,
    
      
      
      level ,
    
      
      
      transient ,
    
      
      
      error_variance ,
    
      
      
      log_value ,
    
      
      
      value ,
    
      
      
      fundamental_price ,
    
      
      
      score ,
    
      
      
      value_low ,
    
      
      
      value_high ,
    
      
      
      sigma ,
    
      
      
      surprise_z ,
    
      
      
      history_days ,
    
      
      
      confidence ,
    
      
      
      is_listed ,
    
      
      
      stage ,
    
      
      
      growth ,
    
      
      
      growth_label ,
    
      
      
      trend_slope ,
    
      
      
      trend_slope_low ,
    
      
      
      trend_slope_high ,
    
      
      
      trend_words ,
    
      
      
      is_rising ,
    
      
      
      classic_base_price ,
    
      
      
      classic_score ,
    
      
      
      classic_dividend ,
    
      
      
      is_observed ,
    
      
      
      unobserved_days ,
    
      
      
      flow_state ,
    
      
      
      flow_reason 
    
  )
 (
      
    select artist_id, value_date, new_listeners_per_day, plays_per_day, day_factor, log_attention, attention_share, forecast_error, level, transient, error_variance, log_value, value, fundamental_price, score, value_low, value_high, sigma, surprise_z, history_days, confidence, is_listed, stage, growth, growth_label, trend_slope, trend_slope_low, trend_slope_high, trend_words, is_rising, classic_base_price, classic_score, classic_dividend, is_observed, unobserved_days, flow_state, flow_reason
    from (
        -- One row per artist and UTC day from the artist's first day with a known flow on.

with

snapshots as (

    select * from "new"."intermediate"."int_artist_snapshots"

),

due as (

    select
        min(snapshot_date) as first_date,
        max(snapshot_date) as last_date

    from snapshots

),

set_aside as (

    select
        artist_id,
        snapshot_date

    from snapshots

    where
        flow_state >= 1
        and snapshot_date > (select cast((due.first_date + cast(-28 as integer)) as date) from due)

),

flows as (

    select * from "new"."intermediate"."int_artist_flows"
    where flow_date >= (select due.first_date from due)

),

states as (

    select * from "new"."intermediate"."int_artist_states"
    where value_date >= (select due.first_date from due)

),

spreads as (

    select * from "new"."intermediate"."int_artist_spreads"
    where value_date >= (select due.first_date from due)

),

outlooks as (

    select * from "new"."intermediate"."int_artist_outlooks"
    where value_date >= (select due.first_date from due)

),

standings as (

    select * from "new"."intermediate"."int_artist_standings"
    where value_date >= (select due.first_date from due)

),

growths as (

    select * from "new"."intermediate"."int_artist_growth"
    where value_date >= (select due.first_date from due)

),

trends as (

    select * from "new"."intermediate"."int_artist_trends"
    where value_date >= (select due.first_date from due)

),

-- Rising is said here alone, where all that it takes agrees.
final as (

    select
        states.artist_id,
        states.value_date,
        flows.new_listeners_per_day,
        flows.plays_per_day,
        flows.day_factor,
        states.log_attention,
        flows.attention_share,
        states.forecast_error,
        states.level,
        states.transient,
        states.error_variance,
        states.log_value,
        states.value,
        standings.fundamental_price,
        standings.score,
        exp(outlooks.outlook_mean - outlooks.outlook_width * outlooks.outlook_spread)
            as value_low,
        exp(outlooks.outlook_mean + outlooks.outlook_width * outlooks.outlook_spread)
            as value_high,
        spreads.sigma,
        coalesce((
        cast(states.forecast_error as double precision)
        / nullif(cast(spreads.sigma as double precision), 0)
    ), 0)
            as surprise_z,
        states.history_days,
        standings.confidence,
        standings.is_listed,
        standings.stage,
        growths.growth,
        growths.growth_label,
        trends.trend_slope,
        trends.trend_slope_low,
        trends.trend_slope_high,
        trends.trend_words,
        standings.is_listed
        and growths.growth_label in ('high', 'explosive')
        and trends.trend_words = 'rising'
        and not exists (
            select 1
            from set_aside
            where
                set_aside.artist_id = states.artist_id
                and set_aside.snapshot_date <= states.value_date
                and set_aside.snapshot_date > cast((states.value_date + cast(-28 as integer)) as date)
        ) as is_rising,
        case
            when states.is_observed
                then
                    (
        cast(0.07 * flows.playcount as double precision)
        / nullif(cast(sqrt(flows.listeners) as double precision), 0)
    )
        end as classic_base_price,
        case
            when states.is_observed
                then
                    0.0005 * flows.plays_per_day
                    + 0.05 * flows.new_listeners_per_day
        end as classic_score,
        case
            when states.is_observed
                then
                    0.01 * (
                        3 * sqrt(flows.plays_per_day)
                        + 0.05 * flows.new_listeners_per_day
                    )
        end as classic_dividend,
        states.is_observed,
        states.unobserved_days,
        snapshots.flow_state,
        snapshots.flow_reason

    from states

    inner join standings
        on
            states.artist_id = standings.artist_id
            and states.value_date = standings.value_date

    inner join spreads
        on
            states.artist_id = spreads.artist_id
            and states.value_date = spreads.value_date

    inner join outlooks
        on
            states.artist_id = outlooks.artist_id
            and states.value_date = outlooks.value_date

    inner join growths
        on
            states.artist_id = growths.artist_id
            and states.value_date = growths.value_date

    inner join trends
        on
            states.artist_id = trends.artist_id
            and states.value_date = trends.value_date

    left join flows
        on
            states.artist_id = flows.artist_id
            and states.value_date = flows.flow_date

    left join snapshots
        on
            states.artist_id = snapshots.artist_id
            and states.value_date = snapshots.snapshot_date

)

select * from final
    ) as model_subq
    );
  