{# Returns the condition that the next play came before last.fm could count this one: in
   less than half its known length, or 4 minutes if that is less. A time on the full
   minute says nothing, because old importers know no seconds, and neither does the same
   second, which one submission of several plays has. #}
{% macro is_cut_short(played_at, next_played_at) -%}
    {%- set seconds = seconds_between(played_at, next_played_at) -%}
    {{ is_timed(played_at, next_played_at) }}
    and {{ seconds }} > 0
    and {{ seconds }} * 2 < least(duration_seconds, 480)
{%- endmacro %}


{# Returns the condition that a play's length is known, and to the second when it began
   and when the next one did. #}
{% macro is_timed(played_at, next_played_at) -%}
    duration_seconds is not null
    and extract(second from {{ played_at }}) <> 0
    and extract(second from {{ next_played_at }}) <> 0
{%- endmacro %}
