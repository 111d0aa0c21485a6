{# Returns the first day of the period, of the kind that `period` names in each row, in
   which a date lies: day, week (from Monday), month, quarter, half_year, year, or
   all_time, whose first day is the first on which there can be a scrobble. #}
{% macro start_of_period(period, day) -%}
    case {{ period }}
        when 'day' then {{ day }}
        {%- for kind in ['week', 'month', 'quarter', 'year'] %}
        when '{{ kind }}' then {{ period_start(kind, day) }}
        {%- endfor %}
        when 'half_year' then {{ listening_period_start('half_year', day) }}
        else cast('{{ var("first_scrobble_date") }}' as date)
    end
{%- endmacro %}
