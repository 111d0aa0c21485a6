-- One row per artist that was ever answered, after last.fm's corrections.
with

spellings as (

    select * from {{ ref('stg_lastfm__artist_spellings') }}

),

names as (

    select * from {{ ref('int_names') }}

),

infos as (

    select * from {{ ref('stg_lastfm__artist_infos') }}

),

snapshots as (

    select * from {{ ref('fct_artist_snapshots') }}

),

tags as (

    select * from {{ ref('artist_tags') }}

),

plays as (

    select * from {{ ref('listener_artists') }}

),

-- The artist's own spelling, as last.fm answered it about the artist, and the newest.
ranked_names as (

    select
        names.artist_id,
        spellings.artist_name,
        row_number() over (
            partition by names.artist_id
            order by
                names.is_artist_alias,
                spellings.is_official desc,
                spellings.last_seen_date desc,
                md5(spellings.artist_name),
                spellings.artist_mbid
        ) as choice

    from spellings

    inner join names on spellings.artist_name = names.name

),

ranked_mbids as (

    select
        names.artist_id,
        spellings.artist_mbid,
        row_number() over (
            partition by names.artist_id
            order by
                names.is_artist_alias,
                spellings.is_official desc,
                spellings.last_seen_date desc,
                md5(spellings.artist_mbid),
                md5(spellings.artist_name)
        ) as choice

    from spellings

    inner join names on spellings.artist_name = names.name

    where spellings.artist_mbid <> ''

),

spelled as (

    select
        names.artist_id,
        cast(count(distinct spellings.artist_name) as bigint) as spellings,
        min(spellings.first_seen_date) as first_seen_date

    from spellings

    inner join names on spellings.artist_name = names.name

    group by names.artist_id

),

tracked as (

    select distinct names.artist_id

    from infos

    inner join names on infos.artist_name = names.name

    where infos.as_of_date = (select max(newest.as_of_date) from infos as newest)

),

last_days as (

    select
        artist_id,
        max(snapshot_date) as snapshot_date

    from snapshots

    group by artist_id

),

counters as (

    select
        snapshots.artist_id,
        snapshots.listeners,
        snapshots.playcount

    from snapshots

    inner join last_days
        on
            snapshots.artist_id = last_days.artist_id
            and snapshots.snapshot_date = last_days.snapshot_date

),

heard as (

    select
        artist_id,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(count(*) as bigint) as panel_listeners

    from plays

    group by artist_id

),

final as (

    select
        spelled.artist_id,
        ranked_names.artist_name,
        ranked_mbids.artist_mbid,
        tracked.artist_id is not null as is_tracked,
        tags.tag_name as top_tag,
        counters.listeners,
        counters.playcount,
        spelled.spellings,
        spelled.first_seen_date,
        coalesce(heard.scrobbles, 0) as scrobbles,
        coalesce(heard.panel_listeners, 0) as panel_listeners

    from spelled

    inner join ranked_names
        on spelled.artist_id = ranked_names.artist_id and ranked_names.choice = 1

    left join ranked_mbids
        on spelled.artist_id = ranked_mbids.artist_id and ranked_mbids.choice = 1

    left join tracked on spelled.artist_id = tracked.artist_id

    left join tags on spelled.artist_id = tags.artist_id and tags.rank = 1

    left join counters on spelled.artist_id = counters.artist_id

    left join heard on spelled.artist_id = heard.artist_id

)

select * from final
