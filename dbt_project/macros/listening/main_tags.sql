{# Returns a query: one row per artist and tag under which the artist's plays count. Two
   models need it: the one that keeps the tags, and before it the one that compares them
   with what was kept. #}
{% macro main_tags() -%}
    select
        artist_id,
        tag_id
    from {{ ref('int_artist_tags') }}
    where
        rank <= {{ var('main_tags') }}
        and weight >= {{ var('main_tag_weight') }}
{%- endmacro %}
