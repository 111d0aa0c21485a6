{# Returns true in a partial build whose loads correct the name of any artist: what was
   answered before then belongs to another one. #}
{% macro is_corrected() -%}
    {%- set aliases = ref('stg_lastfm__artist_aliases') -%}
    {%- if not (execute and is_partial_build()) -%}
        {{ return(not execute) }}
    {%- endif -%}
    {%- set query -%}
        select count(*) from {{ aliases }}
        where identity_load_id > {{ built_through() }}
    {%- endset -%}
    {{ return(run_query(query).rows[0][0] > 0) }}
{%- endmacro %}
