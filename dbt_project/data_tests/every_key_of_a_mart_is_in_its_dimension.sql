-- Keys of artists, albums, tracks, tags and listeners that their dimension lacks. One
-- test for all marts, as each node of dbt costs every day 45 ms; the message names what
-- is wrong. A test of the project holds this list against the marts.
{% set marts = [] -%}
{%- for mart in [
    ref('artist_anomalies'),
    ref('artist_list_history'),
    ref('artist_listener_weeks'),
    ref('artist_similar'),
    ref('artist_tags'),
    ref('artist_top_albums'),
    ref('artist_top_tracks'),
    ref('chart_revisions'),
    ref('dim_albums'),
    ref('dim_artist_aliases'),
    ref('dim_artists'),
    ref('dim_listeners'),
    ref('dim_tags'),
    ref('dim_tracks'),
    ref('fct_artist_prices'),
    ref('fct_artist_snapshots'),
    ref('fct_artist_values'),
    ref('fct_chart_positions'),
    ref('fct_listener_days'),
    ref('fct_scrobbles'),
    ref('fct_trades'),
    ref('listener_artists'),
    ref('listener_flags'),
    ref('listener_friends'),
    ref('listener_hours'),
    ref('listener_loved_tracks'),
    ref('listener_neighbours'),
    ref('listener_tag_assignments'),
    ref('listener_top'),
    ref('listener_trends'),
    ref('mbid_history'),
    ref('recommended_artists'),
    ref('recommended_tracks'),
    ref('restatements'),
    ref('top_charts'),
] -%}
    {%- do marts.append(mart.identifier) -%}
{%- endfor -%}
{%- if execute and flags.WHICH in ('build', 'test') -%}
    {%- set wrong = [] -%}
    {%- for row in run_query(orphaned_keys(marts)).rows -%}
        {%- do wrong.append(
            row[0] ~ '.' ~ row[1] ~ ': ' ~ row[3] ~ ' keys are not in ' ~ row[2]
            ~ ', one of them ' ~ row[4]
        ) -%}
    {%- endfor -%}
    {%- if wrong -%}
        {{ exceptions.raise_compiler_error(wrong | join('; ')) }}
    {%- endif -%}
{%- endif %}
select 'orphan' as problem where 1 = 0
