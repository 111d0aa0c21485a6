-- What do I play most in any days?
with

plays as (

    select
        scrobbles.listener_id,
        scrobbles.artist_id,
        cast(count(*) as bigint) as scrobbles,
        row_number() over (
            partition by scrobbles.listener_id
            order by count(*) desc, scrobbles.artist_id asc
        ) as place

    from {{ ref('fct_scrobbles') }} as scrobbles

    where
        scrobbles.scrobbled_date > (
            select {{ add_days('max(newest.scrobbled_date)', -28) }}
            from {{ ref('fct_scrobbles') }} as newest
        )

    group by scrobbles.listener_id, scrobbles.artist_id

)

select
    plays.listener_id,
    plays.place,
    artists.artist_name,
    plays.scrobbles

from plays

inner join {{ ref('dim_artists') }} as artists
    on plays.artist_id = artists.artist_id

where plays.place <= 3

order by plays.listener_id, plays.place
