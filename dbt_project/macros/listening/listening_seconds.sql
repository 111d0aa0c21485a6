{# Returns the seconds a scrobble counts for: the track's known length, else the default
   (var default_track_seconds); never null. The one definition of listening time. #}
{% macro listening_seconds(duration_column='duration_seconds') -%}
    coalesce({{ duration_column }}, {{ var('default_track_seconds', 210) }})
{%- endmacro %}
