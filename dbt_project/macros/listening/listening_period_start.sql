{# Returns the first day of the period a date lies in: 'day', 'week' (from Monday),
   'month', 'quarter', 'half_year', 'year', or 'all_time', whose first day is the first
   on which there can be a scrobble; null for null (but for all_time). #}
{% macro listening_period_start(period, date_column) -%}
    {%- if period == 'day' -%}
        {{ date_column }}
    {%- elif period == 'half_year' -%}
        make_date(
            cast(extract(year from {{ date_column }}) as integer),
            case when extract(month from {{ date_column }}) < 7 then 1 else 7 end,
            1
        )
    {%- elif period == 'all_time' -%}
        cast('{{ var("first_scrobble_date") }}' as date)
    {%- else -%}
        {{ period_start(period, date_column) }}
    {%- endif -%}
{%- endmacro %}
