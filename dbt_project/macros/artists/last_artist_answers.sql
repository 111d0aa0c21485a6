{# Returns a query: what the last answer about each artist lists, with `columns`,
   position and as_of_date. What an answer lists twice, by its key `item_id`, counts
   once, at its better place; an answer that lists nothing replaces nothing.
   Exists so that an artist's tags, tracks, albums and similar artists follow one rule;
   longer than other macros because the rule is all of it. #}
{% macro last_artist_answers(answered, item_id, columns) -%}
    select
        artist_id,
        {{ ([item_id] + columns) | join(',\n        ') }},
        position,
        as_of_date

    from (
        select
            last_answers.*,
            row_number() over (
                partition by artist_id, {{ item_id }} order by position, item_index
            ) as mention

        from (
            select
                answered.*,
                -- One place for all rows of an answer.
                rank() over (
                    partition by artist_id
                    order by as_of_date desc, fetched_at desc, call_id desc
                ) as recency

            from {{ answered }} as answered
        ) as last_answers

        where recency = 1
    ) as mentions

    where mention = 1
{%- endmacro %}
