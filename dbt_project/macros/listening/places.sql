{# Returns the columns of a chart's order, one chart for each combination of the columns
   `partition`: rank (shared by ties), place (never shared), share_pct and entities (how
   many stand on the whole chart) by what counts, null where nothing of it counts; and
   the same with _all by all plays. Order: plays, then listeners, all plays, and the
   key; a listener's key is text, which engines sort differently, hence its md5. #}
{% macro places(partition) -%}
    {%- set key -%}
        case entity_type when 'listener' then md5(entity_id) else entity_id end
    {%- endset -%}
    {%- for end, plays, listeners in [
        ('', 'scrobbles_counted', 'listeners_counted'),
        ('_all', 'scrobbles', 'listeners'),
    ] -%}
    case
        when {{ plays }} > 0
            then
                cast(
                    rank() over (
                        partition by {{ partition }} order by {{ plays }} desc
                    ) as integer
                )
    end as rank{{ end }},
    case
        when {{ plays }} > 0
            then
                cast(
                    row_number() over (
                        partition by {{ partition }}
                        order by
                            {{ plays }} desc,
                            {{ listeners }} desc,
                            scrobbles desc,
                            {{ key }}
                    ) as integer
                )
    end as place{{ end }},
    case
        when {{ plays }} > 0
            then
                100 * {{ ratio(
                    plays, 'sum(' ~ plays ~ ') over (partition by ' ~ partition ~ ')'
                ) }}
    end as share{{ end }}_pct,
    cast(
        count(*) filter (where {{ plays }} > 0) over (
            partition by {{ partition }}
        ) as bigint
    ) as entities{{ end }}{{ ',\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
