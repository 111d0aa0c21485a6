{# Returns the condition that a row of `rows` (an alias) agrees with a row of the touched
   relation in all `keys` (a column of both, or a pair: touched column, column), and is
   not before its `since` column. #}
{% macro is_touched(rows, touched, keys, since=none) -%}
    exists (
        select 1 from {{ touched }} as touched
        where
            {%- for key in keys %}
            {%- set theirs, ours = (key, key) if key is string else key %}
            touched.{{ theirs }} = {{ rows }}.{{ ours }}
            {{ 'and' if not loop.last or since }}
            {%- endfor %}
            {%- if since %}
            touched.{{ since }} <= {{ rows }}.{{ since }}
            {%- endif %}
    )
{%- endmacro %}
