{# Returns the CTEs `entity_names`, `…_numbers`, `numbered_plays` and
   `numbered_main_tags`: the CTEs `scrobbles` and `main_tags` with the numbers of
   int_entity_names in place of keys. Where a dimension lacks a key the missing number
   becomes a missing key, which the mart's contract refuses. #}
{% macro numbered_plays() -%}
entity_names as (

    select * from {{ ref('int_entity_names') }}

),

{% for kind in ['listener', 'artist', 'track', 'album', 'tag'] %}
{{ kind }}_numbers as (

    select
        entity_id,
        entity_number

    from entity_names

    where entity_type = '{{ kind }}'

),

{% endfor %}
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

numbered_main_tags as (

    select
        artist_numbers.entity_number as artist_number,
        tag_numbers.entity_number as tag_number

    from main_tags

    inner join artist_numbers on main_tags.artist_id = artist_numbers.entity_id

    left join tag_numbers on main_tags.tag_id = tag_numbers.entity_id

),
{%- endmacro %}
