-- One row per tag that was ever answered.
with

spellings as (

    select * from {{ ref('stg_lastfm__tag_spellings') }}

),

names as (

    select * from {{ ref('int_names') }}

),

chart as (

    select * from {{ ref('stg_lastfm__chart_top_tags') }}

),

artist_tags as (

    select * from {{ ref('artist_tags') }}

),

ranked_names as (

    select
        {{ hashed_key(['names.name_key']) }} as tag_id,
        spellings.tag_name,
        row_number() over (
            partition by names.name_key
            order by
                spellings.is_official desc,
                spellings.last_seen_date desc,
                md5(spellings.tag_name)
        ) as choice

    from spellings

    inner join names on spellings.tag_name = names.name

),

ranked_counters as (

    select
        tag_id,
        reach,
        taggings,
        row_number() over (
            partition by tag_id order by as_of_date desc, position
        ) as recency

    from chart

),

tagged as (

    select
        tag_id,
        cast(count(*) as bigint) as artists

    from artist_tags

    group by tag_id

),

final as (

    select
        ranked_names.tag_id,
        ranked_names.tag_name,
        ranked_counters.reach,
        ranked_counters.taggings,
        coalesce(tagged.artists, 0) as artists

    from ranked_names

    left join ranked_counters
        on
            ranked_names.tag_id = ranked_counters.tag_id
            and ranked_counters.recency = 1

    left join tagged on ranked_names.tag_id = tagged.tag_id

    where ranked_names.choice = 1

)

select * from final
