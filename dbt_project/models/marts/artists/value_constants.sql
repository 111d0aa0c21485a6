-- One row per constant of the artist value, with what is used and what a fit found.
{%- set chosen = fitted_constants() %}
with

fits as (

    select * from {{ ref('stg_published__constants') }}

),

used as (

    select * from {{ ref('int_value_constants') }}

),

constants as (
    {% for name, default in var('value').items() -%}
    {%- set words = value_words()[name] %}
    {%- if not loop.first %}
    union all
    {% endif %}
    select
        '{{ name }}' as constant,
        '{{ words[0] }}' as symbol,
        '{{ words[2] }}' as meaning,
        '{{ words[1] }}' as unit,
        cast({{ default }} as {{ type_double() }}) as default_value,
        cast(
            {% if name in chosen %}used.{{ name }}{% else %}{{ default }}{% endif %}
            as {{ type_double() }}
        ) as value

    from used
    {% endfor %}
),

newest as (

    select
        fits.constant,
        fits.fitted_at,
        fits.first_date,
        fits.last_date,
        fits.split_date,
        fits.artists,
        fits.steps,
        fits.error,
        fits.error_before,
        fits.outlook_error,
        fits.outlook_error_before

    from fits

    inner join used on fits.fitted_at = used.fitted_at

    where fits.value is not null

),

final as (

    select
        constants.constant,
        nullif(constants.symbol, '') as symbol,
        constants.meaning,
        constants.unit,
        constants.value,
        constants.default_value,
        newest.constant is not null as is_fitted,
        newest.fitted_at,
        newest.first_date,
        newest.split_date,
        newest.last_date,
        newest.artists,
        newest.steps,
        newest.error,
        newest.error_before,
        newest.outlook_error,
        newest.outlook_error_before

    from constants

    left join newest on constants.constant = newest.constant

)

select * from final
