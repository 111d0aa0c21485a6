drop table if exists "new"."intermediate"."int_value_constants" cascade;

    

    create  table
      "new"."intermediate"."int_value_constants"
  
    
    as (
      -- One row per build, with the constants of the value that a fit can choose.
--
-- Those of the newest fit, the defaults until there is one.
with

constants as (

    select * from "new"."staging"."stg_published__constants"

),

newest as (

    select
        max(load_id) as load_id,
        max(fitted_at) as fitted_at

    from constants

),

-- A single row even where nothing was ever fitted.
final as (

    select
        coalesce(
            max(constants.value) filter (where constants.constant = 'level_gain'),
            0.05
        ) as level_gain,
        coalesce(
            max(constants.value) filter (where constants.constant = 'transient_gain'),
            0.32
        ) as transient_gain,
        coalesce(
            max(constants.value) filter (where constants.constant = 'transient_gain_large'),
            0.6
        ) as transient_gain_large,
        coalesce(
            max(constants.value) filter (where constants.constant = 'large_error'),
            3.5
        ) as large_error,
        coalesce(
            max(constants.value) filter (where constants.constant = 'transient_damping'),
            0.97
        ) as transient_damping,
        coalesce(
            max(constants.value) filter (where constants.constant = 'outlook_transient'),
            0.6626
        ) as outlook_transient,
        coalesce(newest.load_id, 0) as load_id,
        newest.fitted_at

    from newest

    left join constants on newest.fitted_at = constants.fitted_at

    group by newest.load_id, newest.fitted_at

)

select * from final
    );
    
  