{# Returns the 32-hex-digit md5 of the parts joined by chr(31), the key of an artist
   (name key), track or album (artist's key, own key); null if any part is null.
   Exists so that keys are made in one place; a part never holds chr(31). #}
{% macro hashed_key(parts) -%}
    md5({{ parts | join(" || chr(31) || ") }})
{%- endmacro %}
