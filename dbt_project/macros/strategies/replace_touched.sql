{# Returns the statements of an incremental strategy: what the touched relation names
   goes, and of what the model gives for it, the same is put in. What else the model
   gives is left out: it may be read only in part. See is_touched() for the rest. #}
{% macro replace_touched(arg_dict, touched, keys, since=none) -%}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ target_relation }}
    where {{ is_touched(target_relation, touched, keys, since) }};
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }} as built
    where {{ is_touched('built', touched, keys, since) }}
{%- endmacro %}
