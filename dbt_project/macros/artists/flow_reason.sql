{# Returns in words why a step is not taken for the day's attention, or is that of more
   days than one; null for any other. The step is a row as judged_steps() gives it.
   Exists because a reader of a null wants to know. #}
{% macro flow_reason() -%}
    case
        when flow_state = 0 then 'the counters stand still'
        when flow_state = 1 then 'a counter went back'
        when flow_state = 2
            then 'as many plays more as an artist had that answers no more'
        when flow_state = 3 then 'an equal and opposite step of another artist'
        when flow_state = 4 then 'plays without new listeners'
        when flow_state = 5 then 'more plays than a day can bring'
        when flow_state = 6 then 'a sudden step, to be confirmed by the next day'
        when plays_per_day is null then null
        when pending_state = 6 and is_fallen
            then 'the sudden step before went back: both days from the snapshot before'
        when pending_state = 6 then 'confirmed: the mean with the sudden step before'
        when pending_state = 1 and is_back
            then 'the step back before was another answer: the flow since before it'
    end
{%- endmacro %}
