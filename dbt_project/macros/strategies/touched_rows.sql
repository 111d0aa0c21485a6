{# Returns a relation to select from: of `relation`, the rows that lie in the touched
   spans of `periods`, of touched listeners where `by_listener`; in a full build all.
   The spans are literals: neither engine skips rows of a scan because of a join.
   `date_column` is a date, or a Unix second where `is_uts`; without one, and `periods`,
   listeners alone decide. `touched` is int_touched_periods, int_touched_charts, or
   int_touched_days, which asks for no `periods`. #}
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
        {%- if touched == 'int_touched_days' %}
        select distinct scrobbled_date, {{ add_days('scrobbled_date', 1) }}
        from {{ touched_relation }}
        order by scrobbled_date
        {%- else %}
        select distinct period_start, next_period_start
        from {{ touched_relation }}
        where listener_id = '' and period in ('{{ periods | join("', '") }}')
        order by period_start
        {%- endif %}
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
