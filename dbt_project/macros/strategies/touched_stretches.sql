{# Incremental strategy `touched_stretches`: takes the stretches back to the day before
   stretches_since() and puts in those that the model gives: begun since, or ended
   otherwise than before. Everything is replaced where all days are read. #}
{% macro get_incremental_touched_stretches_sql(arg_dict) -%}
    {%- set since = stretches_since() -%}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns']
        | map(attribute='quoted') | join(', ') -%}
    delete from {{ target_relation }}
    {%- if since %}
    where
        valid_from_date >= cast('{{ since }}' as date)
        or {{ is_touched(
            target_relation,
            arg_dict['temp_relation'],
            ['history', 'subject_id', 'item_id', 'valid_from_date'],
        ) }}
    {%- endif %};
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }} as built
{%- endmacro %}
