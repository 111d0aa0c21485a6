-- One row per artist and album in last.fm's list of the artist's most played.
with

answered as (

    select * from {{ ref('stg_lastfm__artist_top_albums') }}

),

listed as (

    {{ last_artist_answers('answered', 'album_id', ['album_name', 'playcount']) }}

),

final as (

    select
        artist_id,
        cast(
            row_number() over (
                partition by artist_id order by position, album_id
            ) as integer
        ) as rank,
        album_id,
        album_name as name,
        playcount,
        as_of_date

    from listed

)

select * from final
