{# Returns the array `flows` with `flow` as its newest, and without its oldest if there
   are as many as count; `flows` itself where `flow` is null or there is a flow_state.
   Exists because the usual flow is a median over a window of accepted flows. #}
{% macro appended_flow(flows, flow) -%}
    {%- set kept = var('snapshot').usual_flows - 2 -%}
    {%- set size = 'cast(cardinality(' ~ flows ~ ') as integer)' -%}
    case
        when flow_state is not null or {{ flow }} is null then {{ flows }}
        else {{ array_from(
            'array_append(' ~ flows ~ ', ' ~ flow ~ ')',
            'greatest(' ~ size ~ ' - ' ~ kept ~ ', 1)',
        ) }}
    end
{%- endmacro %}
