{# Returns an "or …" for a where clause on listening by tag: everything, where the
   main tags of any artist are others than in the build before; else nothing. #}
{% macro or_retagged() -%}
    {%- if is_partial_build() -%}
        or exists (
            select 1 from {{ ref('int_restated_entities') }}
            where change = 'main_tags'
        )
    {%- endif -%}
{%- endmacro %}
