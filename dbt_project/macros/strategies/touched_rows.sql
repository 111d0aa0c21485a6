{# Returns a relation to select from: of `relation`, the rows that lie in the touched
   spans of `periods`, of touched listeners where `by_listener`; all rows in a full build.
   The spans are literals, because neither engine skips rows of a scan because of a join.
   `date_column` is a date, or a Unix second where `is_uts`; without one, and `periods`,
   listeners alone decide. `touched` is int_touched_periods or int_touched_charts. #}
{% macro touched_rows(
    relation,
    date_column=none,
    periods=[],
    touched='int_touched_periods',
    by_listener=true,
    is_uts=false
) -%}
    {%- set touched_relation = ref(touched) -%}
    {%- if not (execute and is_partial_build()) -%}
        {{ return(relation) }}
    {%- endif -%}
    {%- set query -%}
        select distinct period_start, period_next
        from {{ touched_relation }}
        where listener_id = '' and period in ('{{ periods | join("', '") }}')
        order by period_start
    {%- endset -%}
    (
        select * from {{ relation }}
        where
            1 = 1
            {%- if date_column %}
            and {{ in_spans(date_column, run_query(query).rows, is_uts) }}
            {%- endif %}
            {%- if by_listener %}
            and listener_id in (select listener_id from {{ touched_relation }})
            {%- endif %}
    ) as touched_rows
{%- endmacro %}
