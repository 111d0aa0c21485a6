{# Returns the newest version that was published before this build, rolled back since
   or not: a dictionary of load_id, answered_through_at, version_date, and last_edition,
   the highest there was; none before anything was published. By time: two warehouses
   that share landing files count editions each for itself. #}
{% macro newest_published() -%}
    {%- set versions = ref('stg_published__versions') -%}
    {%- if not execute -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query -%}
        select
            load_id,
            answered_through_at,
            version_date,
            (select max(edition) from {{ versions }}) as last_edition
        from {{ versions }}
        order by published_at desc, edition desc
        limit 1
    {%- endset -%}
    {%- for load_id, answered_through_at, version_date, last_edition
        in run_query(query).rows -%}
        {{ return({
            'load_id': load_id | int,
            'answered_through_at': answered_through_at,
            'version_date': version_date,
            'last_edition': last_edition | int,
        }) }}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}
