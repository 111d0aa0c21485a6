-- One row per spelling of a tag, with the tag's key.
with

spellings as (

    select * from {{ ref('base_lastfm__tag_spellings') }}

),

names as (

    select * from {{ ref('base_lastfm__names') }}

),

final as (

    select
        {{ hashed_key(['names.name_key']) }} as tag_id,
        names.name_key,
        {{ shown_name('spellings.tag_name', 'names.name_key') }} as tag_name,
        spellings.first_seen_date,
        spellings.last_seen_date,
        spellings.is_official

    from spellings

    left join names on spellings.tag_name = names.name

)

select * from final
