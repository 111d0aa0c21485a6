{# Returns the columns rank (shared by ties), place (never shared), share_pct (of what
   counts) and entities (how many stand on the whole chart) of a chart, one for each
   combination of the columns `partition`. Order: what counts, then listeners, plays, and
   the key; a listener's key is text, which engines sort differently, hence its md5. #}
{% macro places(partition) -%}
    cast(
        rank() over (
            partition by {{ partition }} order by scrobbles_capped desc
        ) as integer
    ) as rank,
    cast(
        row_number() over (
            partition by {{ partition }}
            order by
                scrobbles_capped desc,
                listeners desc,
                scrobbles desc,
                case entity_type when 'listener' then md5(entity_id) else entity_id end
        ) as integer
    ) as place,
    100 * {{ ratio(
        'scrobbles_capped',
        'sum(scrobbles_capped) over (partition by ' ~ partition ~ ')'
    ) }} as share_pct,
    cast(count(*) over (partition by {{ partition }}) as bigint) as entities
{%- endmacro %}
