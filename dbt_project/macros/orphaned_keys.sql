{# Returns a query: one row per column of a mart with keys that its dimension lacks:
   mart, column_name, dimension, orphans (distinct keys) and example. Of a mart with a
   load_id only the rows of new loads are read, as the others were tested when they were
   new. marts: the names of the marts; their columns come from the manifest. #}
{% macro orphaned_keys(marts) %}
    {%- set parts = [] -%}
    {%- for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type == 'model' and node.name in marts -%}
        {%- for column in node.columns -%}
            {%- for dimension, condition in mart_keys(node.name, column).items()
                if dimension != node.name -%}
                {%- do parts.append((node, column, dimension, condition)) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for node, column, dimension, condition in parts %}
select
    '{{ node.name }}' as mart,
    '{{ column }}' as column_name,
    '{{ dimension }}' as dimension,
    count(*) as orphans,
    min(key_of_mart) as example
from (
    select distinct {{ column }} as key_of_mart
    from {{ ref(node.name) }}
    where {{ condition }}
    {%- if 'load_id' in node.columns %} and load_id > {{ built_through() }}{% endif %}
) as keys_of_mart
left join {{ ref(dimension) }} as dimension
    on key_of_mart = dimension.{{ dimension[4:-1] }}_id
where key_of_mart is not null and dimension.{{ dimension[4:-1] }}_id is null
having count(*) > 0
    {{- '\nunion all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
