{# Returns a query: one row per combination of the name columns ever answered in one of
   the raw tables, with first_seen_date and last_seen_date (UTC days of the answers) and
   is_official: last.fm answered about the thing itself under that name. Incremental:
   only rows of new loads are read, and merged into what is stored.
   tables: list of (raw table, is official, the expressions in the order of columns);
   a row without a name is left out. #}
{% macro spellings(tables, columns) %}
with

answered as (
    {%- for table, is_official, expressions in tables %}

    select
        {%- for expression in expressions %}
        {{ expression }} as {{ columns[loop.index0] }},
        {%- endfor %}
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        {{ is_official }} as is_official

    from {{ source('lastfm', table) }}

    where
        {{ expressions | join(' is not null and ') }} is not null
        {%- if is_incremental() %}
        and load_id > {{ built_through() }}
        {%- endif %}

    group by {{ range(1, columns | length + 1) | join(', ') }}
        {%- if not loop.last %}

    union all
        {%- endif %}
    {%- endfor %}

),

merged as (

    select
        {{ columns | join(',\n        ') }},
        first_seen_date,
        last_seen_date,
        is_official

    from answered
    {%- if is_incremental() %}

    union all

    select
        {% for column in columns %}stored.{{ column }},
        {% endfor -%}
        stored.first_seen_date,
        stored.last_seen_date,
        stored.is_official

    from {{ this }} as stored

    inner join (select distinct {{ columns | join(', ') }} from answered) as again
        on
            {%- for column in columns %}
            {{ 'and ' if not loop.first }}stored.{{ column }} = again.{{ column }}
            {%- endfor %}
    {%- endif %}

),

final as (

    select
        {{ columns | join(',\n        ') }},
        min(first_seen_date) as first_seen_date,
        max(last_seen_date) as last_seen_date,
        bool_or(is_official) as is_official

    from merged

    group by {{ columns | join(', ') }}

)

select * from final
{% endmacro %}
