{# Returns the first UTC day of which the new loads answer what int_stretches keeps, as
   text; none where all days are read: in a full build, and where the loads correct an
   artist's name. What was kept before that day cannot change. #}
{% macro stretches_since() -%}
    {%- set answers = [
        ref('stg_lastfm__artist_infos'),
        ref('stg_lastfm__artist_similar'),
        ref('stg_lastfm__artist_top_albums'),
        ref('stg_lastfm__artist_top_tags'),
        ref('stg_lastfm__artist_top_tracks'),
        ref('stg_lastfm__track_infos'),
    ] -%}
    {%- set is_read_whole = is_corrected() or not is_partial_build() -%}
    {%- if not execute or is_read_whole -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query -%}
        select coalesce(min(as_of_date), cast('9999-12-31' as date))
        from (
            {%- for relation in answers %}
            select min(as_of_date) as as_of_date from {{ relation }}
            where load_id > {{ built_through() }}
            {{- ' union all' if not loop.last }}
            {%- endfor %}
        ) as newly_answered
    {%- endset -%}
    {{ return(run_query(query).rows[0][0] | string) }}
{%- endmacro %}
