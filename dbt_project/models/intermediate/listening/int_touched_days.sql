-- One row per listener and UTC day whose scrobbles this build has to look at again.
--
-- Rows stay until `built_through` moves on: a build that was killed after it had
-- changed fct_scrobbles finds here what it still owes to the models behind. Empty in a
-- full build, where everything is looked at.
-- depends_on: {{ ref('stg_lastfm__scrobbles') }}
-- depends_on: {{ ref('int_complete_walks') }}
-- depends_on: {{ ref('int_track_durations') }}
-- depends_on: {{ ref('stg_lastfm__artist_aliases') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ delete_before_insert(
            'built_through <> ' ~ built_through()
        ) }}"
    )
}}

{% if is_partial_build() %}

with

-- Cut here: PostgreSQL works out a CTE that is read twice row by row, and the names of
-- all rows where they may matter.
answered as (

    select * from {{ ref('stg_lastfm__scrobbles') }}

    where
        load_id > {{ built_through() }}
        {{ 'or identity_load_id > ' ~ built_through() if is_corrected() }}

),

walks as (

    select * from {{ ref('int_complete_walks') }}

),

durations as (

    select * from {{ ref('int_track_durations') }}

),

-- As the build before left it; twice, because what is read twice is copied first.
built as (

    select * from {{ built_relation('fct_scrobbles') }}

),

measured as (

    select * from {{ built_relation('fct_scrobbles') }}

),

brought as (

    select
        scrobble_id,
        listener_id,
        scrobbled_date

    from answered

    where load_id > {{ built_through() }}

),

-- The artist of an old row is another one since a correction came.
renamed as (

    select
        listener_id,
        scrobbled_date

    from answered

    where identity_load_id > {{ built_through() }}

),

new_walks as (

    select * from walks

    where load_id > {{ built_through() }}

),

-- A walk brings back what is still there; those days are touched by its rows.
gone as (

    select
        built.listener_id,
        built.scrobbled_date

    from built

    inner join new_walks
        on
            built.listener_id = new_walks.listener_id
            and built.scrobbled_at > {{ from_uts('new_walks.walk_from_uts') }}
            and built.scrobbled_at < {{ from_uts('new_walks.walk_to_uts') }}

    left join brought on built.scrobble_id = brought.scrobble_id

    where brought.scrobble_id is null

),

remeasured as (

    select
        measured.listener_id,
        measured.scrobbled_date

    from measured

    left join durations on measured.track_id = durations.track_id

    where measured.duration_seconds is distinct from durations.duration_seconds

),

touched as (

    select
        listener_id,
        scrobbled_date

    from brought

    union

    select
        listener_id,
        scrobbled_date

    from renamed

    union

    select
        listener_id,
        scrobbled_date

    from gone

    union

    select
        listener_id,
        scrobbled_date

    from remeasured

),

final as (

    select
        cast({{ built_through() }} as bigint) as built_through,
        touched.listener_id,
        touched.scrobbled_date

    from touched

    left join {{ this }} as known
        on
            touched.listener_id = known.listener_id
            and touched.scrobbled_date = known.scrobbled_date

    where known.listener_id is null

)

select * from final

{% else %}

select
    cast(null as bigint) as built_through,
    cast(null as text) as listener_id,
    cast(null as date) as scrobbled_date

where 1 = 0

{% endif %}
