-- One row per spelling of a tag.
{#- Incremental, not a view: every mart of names would read all of raw again. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['tag_name'],
        on_schema_change='fail',
    )
}}
{{ spellings('tag', ['tag_name']) }}
