{# Returns a query of one row: first_date, the first day that this model, with a row per
   artist and value_date, has to make, and last_date. `snapshots` names the relation of
   the snapshots; a flow that changes restates all days that follow it, constants that
   were fitted since restate all.
   Exists because every part of the value has to start on the same day. #}
{% macro days_to_value(snapshots) -%}
    {%- set constants = ref('int_value_constants') -%}
    {%- set touched = ref('int_touched_flows') -%}
    select
        {% if is_incremental() -%}
        least(
            (select first_date from {{ touched }}),
            min(snapshot_date) filter (
                where (select load_id from {{ constants }}) > {{ built_through() }}
            ),
            (select {{ add_days('max(value_date)', 1) }} from {{ this }})
        ) as first_date,
        {%- else -%}
        min(snapshot_date) as first_date,
        {%- endif %}
        max(snapshot_date) as last_date

    from {{ snapshots }}
{%- endmacro %}
