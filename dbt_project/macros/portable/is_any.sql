{# Returns whether `condition` holds for any place of the `arrays`, which are of one
   length, four at most; in it {0} stands for the element of the first array, {1} and
   so on for those of the others. False for null.
   Exists because PostgreSQL has no functions over the elements of an array, and DuckDB
   is slow at a subquery for each row of a recursion. #}
{% macro is_any(arrays, condition) -%}
    {{ return(adapter.dispatch('is_any')(arrays, condition)) }}
{%- endmacro %}

{% macro default__is_any(arrays, condition) -%}
    {%- set names = ['item_0', 'item_1', 'item_2', 'item_3'][:arrays | length] -%}
    exists (
        select 1
        from unnest({{ arrays | join(', ') }}) as listed ({{ names | join(', ') }})
        where {{ condition.format(
            'listed.item_0', 'listed.item_1', 'listed.item_2', 'listed.item_3'
        ) }}
    )
{%- endmacro %}

{% macro duckdb__is_any(arrays, condition) -%}
    coalesce(len(list_filter(
        list_zip({{ arrays | join(', ') }}),
        lambda item: {{ condition.format(
            'item[1]', 'item[2]', 'item[3]', 'item[4]'
        ) }}
    )) > 0, false)
{%- endmacro %}

{% macro spark__is_any(arrays, condition) -%}
    {%- set items = [] -%}
    {%- for array in arrays -%}
        {%- do items.append('get(' ~ array ~ ', place)') -%}
    {%- endfor -%}
    coalesce(
        size({{ arrays[0] }}) > 0
        and exists(
            sequence(0, size({{ arrays[0] }}) - 1),
            place -> {{ condition.format(*items) }}
        ),
        false
    )
{%- endmacro %}
