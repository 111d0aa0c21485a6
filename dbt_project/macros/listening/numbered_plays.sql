{# Returns the CTE `numbered_plays`: the CTE `scrobbles` with numbers in place of keys;
   to follow entity_numbers(). #}
{% macro numbered_plays() -%}
numbered_plays as (

    select
        scrobbles.scrobbled_date,
        listener_numbers.entity_number as listener_number,
        artist_numbers.entity_number as artist_number,
        track_numbers.entity_number as track_number,
        album_numbers.entity_number as album_number,
        scrobbles.album_id is not null as has_album,
        {{ listening_seconds('scrobbles.duration_seconds') }} as listening_seconds

    from scrobbles

    left join listener_numbers on scrobbles.listener_id = listener_numbers.entity_id

    left join artist_numbers on scrobbles.artist_id = artist_numbers.entity_id

    left join track_numbers on scrobbles.track_id = track_numbers.entity_id

    left join album_numbers on scrobbles.album_id = album_numbers.entity_id

),
{%- endmacro %}
