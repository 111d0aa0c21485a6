{# A pre-hook's statement: deletes from this model the rows that meet the condition, in
   the transaction that inserts them anew; nothing in a full build (it swaps tables). #}
{% macro delete_before_insert(condition) -%}
    {%- if execute and is_partial_build() -%}
        delete from {{ this }} where {{ condition }}
    {%- else -%}
        select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
