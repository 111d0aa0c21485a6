{# Returns the query of a CTE named `reached` in a `with recursive`: the pairs of
   alias_key and target_key of the relation `links`, and those that lead to each other
   by way of others, each once; a circle ends by itself.
   Exists because a recursion of Spark keeps what it has found already; a chain is
   followed for a hundred steps there. #}
{% macro transitive_pairs(links) -%}
    {{ return(adapter.dispatch('transitive_pairs')(links)) }}
{%- endmacro %}

{% macro default__transitive_pairs(links) -%}
    select alias_key, target_key
    from {{ links }}

    union

    select reached.alias_key, further.target_key
    from reached
    inner join {{ links }} as further on reached.target_key = further.alias_key
{%- endmacro %}

{% macro spark__transitive_pairs(links) -%}
    with recursive walked as (
        select alias_key, target_key, 1 as steps
        from {{ links }}

        union all

        select walked.alias_key, further.target_key, walked.steps + 1 as steps
        from walked
        inner join {{ links }} as further on walked.target_key = further.alias_key
        where walked.steps < least(100, (select count(*) from {{ links }}))
    )
    select distinct alias_key, target_key from walked
{%- endmacro %}
