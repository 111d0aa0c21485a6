-- One row per API method that ever answered.
with

answers as (

    select * from "new"."staging"."stg_lastfm__answers"

    -- What a publish landed of itself was asked of nobody.
    where method <> 'published'

),

final as (

    select
        method as source,
        max(as_of_date) filter (where outcome in ('rows', 'empty')) as last_as_of_date,
        max(fetched_at) filter (where outcome in ('rows', 'empty')) as last_fetched_at,
        cast(sum(loaded) as bigint) as rows,
        cast(sum(dead) as bigint) as dead_letters,
        cast(count(*) as bigint) as answers,
        cast(count(*) filter (where outcome = 'error') as bigint) as errors

    from answers

    group by method

)

select * from final