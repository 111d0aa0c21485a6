-- One row per build, with the constants of the value that a fit can choose.
--
-- Those of the newest fit, the defaults until there is one.
{%- set defaults = var('value') %}
with

constants as (

    select * from {{ ref('stg_published__constants') }}

),

newest as (

    select
        max(load_id) as load_id,
        max(fitted_at) as fitted_at

    from constants

),

-- A single row even where nothing was ever fitted.
final as (

    select
        {%- for name in fitted_constants() %}
        coalesce(
            max(constants.value) filter (where constants.constant = '{{ name }}'),
            {{ defaults[name] }}
        ) as {{ name }},
        {%- endfor %}
        coalesce(newest.load_id, 0) as load_id,
        newest.fitted_at

    from newest

    left join constants on newest.fitted_at = constants.fitted_at

    group by newest.load_id, newest.fitted_at

)

select * from final
