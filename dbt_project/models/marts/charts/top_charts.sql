-- One row per kind of entity, period and place on the panel's chart.
--
-- Artists, tracks, albums, tags and listeners, ranked among all of their kind, then cut
-- to the first var top_charts_size places: the tail of a week is as long as its
-- scrobbles. What stands further down, and any other span of days, is asked from
-- fct_scrobbles.
{% set retagged = is_restated('main_tags') %}
{% set periods = ['week', 'month', 'quarter', 'half_year', 'year', 'all_time'] %}
{% set kinds = ['artist', 'tag', 'listener', 'track', 'album'] %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['entity_type', 'period', 'period_start', 'rank'],
            ['entity_id'],
        ]),
        pre_hook="{{ delete_before_insert(
            touched_periods() ~ or_tag_rows_retagged()
        ) }}",
        post_hook="{{ rename_restated() }}"
    )
}}

with

listener_days as (

    select * from {{ ref('fct_listener_days') }}

),

-- Periods up to a year are summed from these.
months as (

    select * from {{ ref('int_listener_months') }}

    where 1 = 1 {{ and_touched_bounds('month_start', 'year') if not retagged }}

),

totals as (

    select * from {{ ref('int_listener_totals') }}

),

main_tags as (

    select * from {{ ref('int_artist_main_tags') }}

),

-- Weeks are counted from the plays; they are no parts of months.
scrobbles as (

    select * from {{ ref('fct_scrobbles') }}

    {% if not retagged %}
    where
        1 = 1
        {{ and_touched_bounds('scrobbled_date', 'week') }}
        {{ and_touched_by_anybody('week', 'scrobbled_date') }}
    {% endif %}

),

{{ entity_numbers() }}

{{ numbered_plays() }}

{{ numbered_counts('months', ['month_start']) }}

{{ numbered_counts('totals') }}

spans as (

    select
        {{ days_between('min(scrobbled_date)', 'max(scrobbled_date)') }} + 1 as days

    from listener_days

),

{% for period in periods %}
{% set is_week = period == 'week' %}
{% set day = 'scrobbled_date' if is_week else 'month_start' %}
{% set start = listening_period_start(period, day) %}
{% set counted_from = {
    'week': 'numbered_plays', 'all_time': 'numbered_totals'
}.get(period, 'numbered_months') %}
{% set plays = 'count(*)' if is_week else 'sum(scrobbles)' %}
{% set days = '(select days from spans)' if period == 'all_time' else days_between(
    'period_start', listening_period_next(period, 'period_start')
) %}
-- What each listener played of each artist; tags and listeners follow from it.
{{ period }}_listener_artists as (

    select
        {{ start }} as period_start,
        listener_number,
        {{ 'artist_number' if is_week else 'entity_number' }} as entity_number,
        cast({{ plays }} as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from {{ counted_from }}

    where
        {{ '1 = 1' if is_week else "entity_type = 'artist'" }}
        {{ and_touched_by_anybody(period, day) if not retagged }}

    group by
        {{ start }},
        listener_number,
        {{ 'artist_number' if is_week else 'entity_number' }}

),

{{ period }}_listener_tags as (

    select
        listening.period_start,
        listening.listener_number,
        main_tags.tag_number as entity_number,
        cast(sum(listening.scrobbles) as bigint) as scrobbles,
        cast(sum(listening.listening_seconds) as bigint) as listening_seconds

    from {{ period }}_listener_artists as listening

    inner join numbered_main_tags as main_tags
        on listening.entity_number = main_tags.artist_number

    group by
        listening.period_start,
        listening.listener_number,
        main_tags.tag_number

),

{% for kind in ['track', 'album'] %}
{{ period }}_listener_{{ kind }}s as (

    select
        {{ start }} as period_start,
        listener_number,
        {{ kind ~ '_number' if is_week else 'entity_number' }} as entity_number,
        cast({{ plays }} as bigint) as scrobbles,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from {{ counted_from }}

    where
        {% if not is_week %}
        entity_type = '{{ kind }}'
        {% else %}
        {{ 'has_album' if kind == 'album' else '1 = 1' }}
        {% endif %}
        {{ and_touched_by_anybody(period, day) }}

    group by
        {{ start }},
        listener_number,
        {{ kind ~ '_number' if is_week else 'entity_number' }}

),

{% endfor %}
{% for kind in kinds %}
{% set key = 'listener_number' if kind == 'listener' else 'entity_number' %}
{% set counted = 'artist' if kind == 'listener' else kind %}
{{ period }}_{{ kind }}s as (

    select
        period_start,
        {{ key }} as entity_number,
        cast(sum(scrobbles) as bigint) as scrobbles,
        cast(sum({{ capped_scrobbles('scrobbles', days) }}) as bigint)
            as scrobbles_capped,
        cast({{ '1' if kind == 'listener' else 'count(*)' }} as bigint) as listeners,
        cast(sum(listening_seconds) as bigint) as listening_seconds

    from {{ period }}_listener_{{ counted }}s

    where
        1 = 1
        {% if kind in ['artist', 'listener'] %}
        {{ and_touched_by_anybody(period, 'period_start') }}
        {% endif %}

    group by period_start, {{ key }}

),

{{ period }}_{{ kind }}_places as (

    select
        period_start,
        entity_number,
        scrobbles,
        scrobbles_capped,
        listeners,
        listening_seconds,
        rank() over (
            partition by period_start
            order by scrobbles_capped desc
        ) as rank,
        row_number() over (
            partition by period_start
            order by
                scrobbles_capped desc,
                listeners desc,
                scrobbles desc,
                entity_number
        ) as place

    from {{ period }}_{{ kind }}s

),

{{ period }}_{{ kind }}_sums as (

    select
        period_start,
        sum(scrobbles_capped) as all_scrobbles_capped

    from {{ period }}_{{ kind }}s

    group by period_start

),

{% endfor %}
{% endfor %}
cut as (

{% for period in periods %}
{% set outer_last = loop.last %}
{% for kind in kinds %}
    select
        cast('{{ kind }}' as text) as entity_type,
        cast('{{ period }}' as text) as period,
        places.period_start,
        places.entity_number,
        places.rank,
        places.place,
        places.scrobbles,
        places.scrobbles_capped,
        places.listeners,
        places.listening_seconds,
        100 * {{ ratio('places.scrobbles_capped', 'sums.all_scrobbles_capped') }}
            as share_pct

    from {{ period }}_{{ kind }}_places as places

    inner join {{ period }}_{{ kind }}_sums as sums
        on places.period_start = sums.period_start

    where places.place <= {{ var('top_charts_size', 1000) }}

    {{ 'union all' if not (loop.last and outer_last) }}

{% endfor %}
{% endfor %}
),

final as (

    select
        cut.entity_type,
        cut.period,
        cut.period_start,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        cast(cut.rank as integer) as rank,
        cast(cut.place as integer) as place,
        cut.scrobbles,
        cut.scrobbles_capped,
        cut.listeners,
        cut.listening_seconds,
        cut.share_pct

    from cut

    left join entity_names as names
        on
            cut.entity_type = names.entity_type
            and cut.entity_number = names.entity_number

)

select * from final
