{# Returns the 32-hex-digit md5 under which a play is looked for in another file: of the
   name keys of artist and track without commas, double quotes and blanks, which some
   tools drop; null if either is null. Exists because a play that comes by two ways has
   to be found again, and both sides must fold alike. #}
{% macro match_key(artist_key, track_key) -%}
    {%- set folded = [] -%}
    {%- for key in (artist_key, track_key) -%}
        {%- do folded.append(
            "replace(replace(replace(" ~ key ~ ", ',', ''), '\"', ''), ' ', '')"
        ) -%}
    {%- endfor -%}
    {{ hashed_key(folded) }}
{%- endmacro %}
