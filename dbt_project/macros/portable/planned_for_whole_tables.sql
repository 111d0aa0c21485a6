{# Settings that end with the transaction; nothing on DuckDB. PostgreSQL's planner takes
   a CTE for one row and then joins in nested loops, quadratically (886 artist days took
   38 s instead of 0.4), or merges by the first columns of a key and compares the rest
   row by row (66,351 periods of listeners: 36 s instead of 0.4), and compiles for
   seconds what runs once. #}
{% macro planned_for_whole_tables() -%}
    {%- if execute and target.type == 'postgres' -%}
        set local enable_nestloop = off;
        set local enable_mergejoin = off;
        set local jit = off;
        set local work_mem = '128MB'
    {%- endif -%}
{%- endmacro %}
