{# Returns the CTEs `entity_names`, `…_numbers` and `numbered_main_tags`: the numbers of
   int_entity_names, and the CTE `main_tags` with them in place of keys. Where a
   dimension lacks a key the missing number becomes a missing key, which the mart's
   contract refuses. #}
{% macro entity_numbers() -%}
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
numbered_main_tags as (

    select
        artist_numbers.entity_number as artist_number,
        tag_numbers.entity_number as tag_number

    from main_tags

    inner join artist_numbers on main_tags.artist_id = artist_numbers.entity_id

    left join tag_numbers on main_tags.tag_id = tag_numbers.entity_id

),
{%- endmacro %}
