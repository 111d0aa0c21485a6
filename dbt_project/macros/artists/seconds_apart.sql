{# Returns the seconds between two snapshots as a double, null if one is missing: by the
   times of the answers, by whole days where an answer came on a later day. `earlier`
   and `later` are what the names of their columns begin with.
   Exists because a flow and the distance of two snapshots follow one rule. #}
{% macro seconds_apart(earlier, later) -%}
    case
        when {{ later }}is_live and {{ earlier }}is_live
            then {{ seconds_between(earlier ~ 'observed_at', later ~ 'observed_at') }}
        else 86400.0 * {{
            days_between(earlier ~ 'snapshot_date', later ~ 'snapshot_date')
        }}
    end
{%- endmacro %}
