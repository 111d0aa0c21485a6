{# Returns the newest version that was published before this build, rolled back since or
   not: a dictionary of load_id, answered_through_at and version_date; none before
   anything was published. #}
{% macro newest_published() -%}
    {%- set versions = ref('stg_published__versions') -%}
    {%- if not execute -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query -%}
        select load_id, answered_through_at, version_date
        from {{ versions }}
        order by fence desc
        limit 1
    {%- endset -%}
    {%- for load_id, answered_through_at, version_date in run_query(query).rows -%}
        {{ return({
            'load_id': load_id | int,
            'answered_through_at': answered_through_at,
            'version_date': version_date,
        }) }}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}
