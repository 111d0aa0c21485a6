{# Returns a query: one row per combination of the columns ever answered in one of the
   raw tables that lastfm_spellings() lists for the kind, with first_seen_date and
   last_seen_date (UTC days of the answers), is_official: last.fm answered about the
   thing itself under that name, and largest_playcount, the most plays it then said
   (null: none). A row without a name is left out. Exists because only
   rows of new loads are read and merged into what is stored; longer than most macros as
   all four kinds of names share it. #}
{% macro spellings(kind, columns) %}
with

answered as (
    {%- for spelling in lastfm_spellings()[kind] %}
    select
        {%- for expression in spelling.columns %}
        {{ expression }} as {{ columns[loop.index0] }},
        {%- endfor %}
        as_of_date,
        {{ spelling.is_official }} as is_official,
        {{ spelling.playcount }} as playcount
    from {{ source(spelling.source, spelling.table) }}
    {%- if is_incremental() %}
    where load_id > {{ built_through() }}
    {%- endif %}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}

),

merged as (

    select
        {{ columns | join(', ') }},
        min(as_of_date) as first_seen_date,
        max(as_of_date) as last_seen_date,
        bool_or(is_official) as is_official,
        max(playcount) as largest_playcount

    from answered

    where {{ columns | join(' is not null and ') }} is not null

    group by {{ columns | join(', ') }}

),

final as (

    select
        {%- for column in columns %}
        merged.{{ column }},
        {%- endfor %}
        {%- if is_incremental() %}
        least(stored.first_seen_date, merged.first_seen_date) as first_seen_date,
        greatest(stored.last_seen_date, merged.last_seen_date) as last_seen_date,
        coalesce(stored.is_official, false) or merged.is_official as is_official,
        greatest(stored.largest_playcount, merged.largest_playcount)
            as largest_playcount
        {%- else %}
        merged.first_seen_date,
        merged.last_seen_date,
        merged.is_official,
        merged.largest_playcount
        {%- endif %}

    from merged
    {%- if is_incremental() %}

    left join {{ this }} as stored
        on
            {%- for column in columns %}
            {{ 'and ' if not loop.first }}merged.{{ column }} = stored.{{ column }}
            {%- endfor %}
    {%- endif %}

)

select * from final
{% endmacro %}
