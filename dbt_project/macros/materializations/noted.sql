{# Materialization `noted`: what a partial build finds changed, compared with the build
   before. Rows are known by the columns of the config `grain`. A full build compares
   nothing: the SQL does not run, and the table is made empty, with the columns of the
   model's yml. A partial build adds its rows to what an interrupted build of the same
   loads has found; rows of earlier builds go. The first column, built_through, is
   filled in here. #}
{% materialization noted, default %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set is_full = built_through() | int == 0 or should_full_refresh() -%}
    {%- set columns = model.columns.values() | list -%}
    {%- set names = columns[1:] | map(attribute='name') | join(', ') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {%- do begin_model() -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set statements = [] -%}
    {%- if existing is none or is_full -%}
        {%- do statements.append('drop table if exists ' ~ this) -%}
        {%- set creation %}
            create table {{ this }} (
                {%- for column in columns %}
                {{ column.name }} {{ column_type(column.data_type) }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            )
        {%- endset -%}
        {%- do statements.append(creation) -%}
    {%- else -%}
        {%- do statements.append(
            'delete from ' ~ this ~ ' where built_through <> ' ~ built_through()
        ) -%}
    {%- endif -%}
    {%- if not is_full -%}
        {%- set insertion %}
            insert into {{ this }} (built_through, {{ names }})
            select {{ built_through() }}, {{ names }} from (
                {{ sql }}
            ) as found
            where not exists (
                select 1 from {{ this }} as known
                where
                    known.built_through = {{ built_through() }}
                    {%- for column in config.require('grain') %}
                    and known.{{ column }} = found.{{ column }}
                    {%- endfor %}
            )
        {%- endset -%}
        {%- do statements.append(insertion) -%}
    {%- endif -%}
    {%- do run_in_turn(statements) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do end_model() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}
