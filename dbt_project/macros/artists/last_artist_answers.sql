{# Returns a query: what the last answer about each artist lists, with `columns`,
   position and as_of_date. What an answer lists twice, by its key `item_id`, counts
   once, at its better place; an answer that lists nothing replaces nothing.
   Exists so that an artist's tags, tracks, albums and similar artists follow one rule;
   longer than other macros because the rule is all of it. #}
{% macro last_artist_answers(answered, item_id, columns) -%}
    select distinct on (answered.artist_id, answered.{{ item_id }})
        answered.artist_id,
        answered.{{ ([item_id] + columns) | join(',\n        answered.') }},
        answered.position,
        answered.as_of_date

    from {{ answered }} as answered

    inner join (
        select distinct on (artist_id)
            artist_id,
            call_id

        from {{ answered }}

        order by artist_id, as_of_date desc, fetched_at desc, call_id desc
    ) as last_calls
        on
            answered.artist_id = last_calls.artist_id
            and answered.call_id = last_calls.call_id

    order by
        answered.artist_id,
        answered.{{ item_id }},
        answered.position,
        answered.item_index
{%- endmacro %}
