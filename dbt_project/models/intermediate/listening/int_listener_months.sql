-- One row per listener, month and artist, track or album played in it.
--
-- Counts of plays add up: every longer period is summed from here, so that a further
-- day costs the months it touches and not the history.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_before_insert(
            '(listener_id, month_start) in (select listener_id, '
            ~ period_start('month', 'scrobbled_date') ~ ' from '
            ~ ref('int_touched_days') ~ ')'
        ) }}"
    )
}}
{% set kinds = ['artist', 'track', 'album'] %}

with

scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

    where 1 = 1 {{ and_touched_bounds('scrobbled_date', 'month') }}

),

final as (

{% for kind in kinds %}
    select
        cast('{{ kind }}' as text) as entity_type,
        listener_id,
        {{ period_start('month', 'scrobbled_date') }} as month_start,
        {{ kind }}_id as entity_id,
        cast(count(*) as bigint) as scrobbles,
        cast(sum({{ listening_seconds() }}) as bigint) as listening_seconds

    from scrobbles

    where
        {{ 'album_id is not null' if kind == 'album' else '1 = 1' }}
        {{ and_touched('month', 'scrobbled_date', 'listener_id') }}

    group by
        listener_id,
        {{ period_start('month', 'scrobbled_date') }},
        {{ kind }}_id

    {{ 'union all' if not loop.last }}

{% endfor %}
)

select * from final
