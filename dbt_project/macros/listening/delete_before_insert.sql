{# A pre-hook's statement: deletes from this model the rows that meet the condition, in
   the transaction that inserts them anew; all rows where a full build has to fill the
   old table; nothing where it fills a new one. #}
{% macro delete_before_insert(condition) -%}
    {%- if execute and is_partial_build() -%}
        delete from {{ this }} where {{ condition }}
    {%- elif execute and is_incremental() -%}
        delete from {{ this }}
    {%- else -%}
        select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
