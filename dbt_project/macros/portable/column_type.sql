{# Returns the engine's name of a column's type as the models' yml gives it.
   Exists because Spark has other names for some. #}
{% macro column_type(data_type) -%}
    {{ return(adapter.dispatch('column_type')(data_type)) }}
{%- endmacro %}

{% macro default__column_type(data_type) -%}
    {{ return(data_type) }}
{%- endmacro %}

{% macro spark__column_type(data_type) -%}
    {{ return({
        'text': 'string', 'double precision': 'double', 'integer': 'int'
    }.get(data_type, data_type)) }}
{%- endmacro %}

{# dbt's own, for contracts, by the names above. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    select
    {%- for column in columns.values() %}
        cast(null as {{ column_type(column.data_type) }}) as {{ column.name }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    limit 0
{%- endmacro %}
