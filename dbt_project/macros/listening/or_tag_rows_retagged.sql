{# Returns an "or …" for a pre-hook of a mart with the column entity_type: all rows of
   tags, where the main tags of any artist are others than in the build before. #}
{% macro or_tag_rows_retagged() -%}
    {{ " or entity_type = 'tag'" if is_restated('main_tags') }}
{%- endmacro %}
