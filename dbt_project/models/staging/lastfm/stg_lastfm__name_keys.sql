-- One row per spelling of an artist, track, album or tag, with the key it is known by.
with

source as (

    select * from {{ source('lastfm', 'name_keys') }}

),

final as (

    select
        name,
        name_key,
        load_id

    from source

)

select * from final
