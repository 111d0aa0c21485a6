{# Returns an "or …" for pre-hooks: the rows that meet the condition, all of them, where
   the main tags of any artist are others than in the build before. #}
{% macro or_retagged(condition) -%}
    {{ '' }} or (
        {{ condition }}
        and exists (
            select 1 from {{ ref('int_restated_entities') }}
            where change = 'main_tags'
        )
    )
{%- endmacro %}
