-- One row per listener, kind of entity, period and place.
--
-- What the listener played most, counted from all plays, then cut to the first var
-- listener_top_size places.
{% set retagged = is_restated('main_tags') %}
{% set periods = ['week', 'month', 'quarter', 'half_year', 'year', 'all_time'] %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=postgres_indexes([
            ['listener_id', 'entity_type', 'period', 'period_start'],
        ]),
        pre_hook="{{ delete_before_insert(
            touched_listening_periods() ~ or_tag_rows_retagged()
        ) }}",
        post_hook="{{ rename_restated() }}"
    )
}}

with

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
        {{ and_touched('week', 'scrobbled_date', 'listener_id') }}
    {% endif %}

),

{{ entity_numbers() }}

{{ numbered_plays() }}

{{ numbered_counts('months', ['month_start']) }}

{{ numbered_counts('totals') }}

{% for period in periods %}
{% set is_week = period == 'week' %}
{% set day = 'scrobbled_date' if is_week else 'month_start' %}
{% set start = listening_period_start(period, day) %}
{% set counted_from = {
    'week': 'numbered_plays', 'all_time': 'numbered_totals'
}.get(period, 'numbered_months') %}
{% for kind in ['artist', 'track', 'album'] %}
{{ period }}_{{ kind }}s as (

    select
        listener_number,
        {{ start }} as period_start,
        {{ kind ~ '_number' if is_week else 'entity_number' }} as entity_number,
        cast({{ 'count(*)' if is_week else 'sum(scrobbles)' }} as bigint) as scrobbles

    from {{ counted_from }}

    where
        {% if not is_week %}
        entity_type = '{{ kind }}'
        {% else %}
        {{ 'has_album' if kind == 'album' else '1 = 1' }}
        {% endif %}
        {{ and_touched_by_number(period, day)
            if not (kind == 'artist' and retagged) }}

    group by
        listener_number,
        {{ start }},
        {{ kind ~ '_number' if is_week else 'entity_number' }}

),

{% endfor %}
{{ period }}_tags as (

    select
        listening.listener_number,
        listening.period_start,
        main_tags.tag_number as entity_number,
        cast(sum(listening.scrobbles) as bigint) as scrobbles

    from {{ period }}_artists as listening

    inner join numbered_main_tags as main_tags
        on listening.entity_number = main_tags.artist_number

    group by
        listening.listener_number,
        listening.period_start,
        main_tags.tag_number

),

{% endfor %}
{% for period in periods %}
{% for kind in ['artist', 'track', 'album', 'tag'] %}
{{ period }}_{{ kind }}_places as (

    select
        listener_number,
        period_start,
        entity_number,
        scrobbles,
        rank() over (
            partition by listener_number, period_start
            order by scrobbles desc
        ) as rank,
        row_number() over (
            partition by listener_number, period_start
            order by scrobbles desc, entity_number
        ) as place

    from {{ period }}_{{ kind }}s

    {% if kind == 'artist' %}
    where
        1 = 1
        {{ and_touched_by_number(period, 'period_start') }}
    {% endif %}

),

{{ period }}_{{ kind }}_sums as (

    select
        listener_number,
        period_start,
        sum(scrobbles) as all_scrobbles

    from {{ period }}_{{ kind }}s

    group by listener_number, period_start

),

{% endfor %}
{% endfor %}
cut as (

{% for period in periods %}
{% set outer_last = loop.last %}
{% for kind in ['artist', 'track', 'album', 'tag'] %}
    select
        places.listener_number,
        cast('{{ kind }}' as text) as entity_type,
        cast('{{ period }}' as text) as period,
        places.period_start,
        places.entity_number,
        places.rank,
        places.place,
        places.scrobbles,
        100 * {{ ratio('places.scrobbles', 'sums.all_scrobbles') }} as share_pct

    from {{ period }}_{{ kind }}_places as places

    inner join {{ period }}_{{ kind }}_sums as sums
        on
            places.listener_number = sums.listener_number
            and places.period_start = sums.period_start

    where places.place <= {{ var('listener_top_size') }}

    {{ 'union all' if not (loop.last and outer_last) }}

{% endfor %}
{% endfor %}
),

final as (

    select
        listener_numbers.entity_id as listener_id,
        cut.entity_type,
        cut.period,
        cut.period_start,
        cast(cut.rank as integer) as rank,
        cast(cut.place as integer) as place,
        names.entity_id,
        names.entity_name,
        names.artist_id,
        names.artist_name,
        cut.scrobbles,
        cut.share_pct

    from cut

    left join listener_numbers
        on cut.listener_number = listener_numbers.entity_number

    left join entity_names as names
        on
            cut.entity_type = names.entity_type
            and cut.entity_number = names.entity_number

)

select * from final
