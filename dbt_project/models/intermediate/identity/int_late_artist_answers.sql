-- One row per artist.getInfo answer about a day that was in the marts before.
with

loads as (

    select * from {{ ref('stg_ledger__loads') }}

),

infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }}

),

-- The last day in the marts when a load came.
load_days as (

    select
        load_id,
        max(as_of_date) over (
            order by load_id rows between unbounded preceding and 1 preceding
        ) as built_date

    from loads

),

-- Answers about one artist and day, in the order they came in.
answered as (

    select
        artist_id,
        as_of_date,
        load_id,
        listeners,
        playcount,
        lag(load_id) over answers_of_day as previous_load_id,
        lag(listeners) over answers_of_day as previous_listeners,
        lag(playcount) over answers_of_day as previous_playcount

    from infos

    where not is_artist_alias

    window answers_of_day as (
        partition by artist_id, as_of_date
        order by load_id, fetched_at, call_id, item_index
    )

),

final as (

    select
        'artist_snapshot' as subject,
        answered.artist_id as entity_id,
        answered.load_id,
        answered.as_of_date as from_date,
        answered.as_of_date as to_date,
        cast(answered.previous_listeners as text) || ' listeners, '
        || cast(answered.previous_playcount as text) || ' plays' as old_value,
        cast(answered.listeners as text) || ' listeners, '
        || cast(answered.playcount as text) || ' plays' as new_value,
        case
            when answered.previous_listeners is null
                then 'the day was answered after a later one'
            else 'the day was answered again with other counters'
        end as reason

    from answered

    inner join load_days on answered.load_id = load_days.load_id

    where
        (
            answered.previous_load_id is null
            and answered.as_of_date < load_days.built_date
        )
        or (
            answered.previous_load_id < answered.load_id
            and (
                answered.previous_listeners <> answered.listeners
                or answered.previous_playcount <> answered.playcount
            )
        )

)

select * from final
