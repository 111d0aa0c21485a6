{# Materializes the model of the context as a `kind` ('table' or 'view') by dropping
   what bears its name and making it anew, in one statement of one transaction; where
   that would take the views along that read a table, by emptying and filling it. Of an
   incremental model that is there, the rows that its strategy names are replaced.

   dbt's own materializations make the new one aside, rename twice and drop the old one,
   for readers who are never without it, and ask four times for the columns of tables
   that the first build of the same project has made alike. Nobody reads the database
   that a run builds in, and on a day of small data these steps took a third of a node's
   time. #}
{% macro replaced(kind) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set made = this.incorporate(type=kind) -%}
    {%- set stays = kind == 'table' and existing is not none and existing.is_table
        and not should_full_refresh() -%}
    {%- set is_partial = stays and config.get('materialized') == 'incremental' -%}
    {%- set is_filled_again = stays and not is_partial and drops_readers() -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {%- do begin_model() -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set statements = [] -%}
    {%- if is_partial -%}
        {%- do statements.append(replaced_rows(existing)) -%}
    {%- elif is_filled_again -%}
        {%- do statements.append('truncate table ' ~ existing) -%}
        {%- set rows = get_select_subquery(sql)
            if config.get('contract').enforced else sql -%}
        {%- do statements.append('insert into ' ~ existing ~ ' ' ~ rows) -%}
    {%- else -%}
        {%- if existing is not none -%}
            {%- do statements.append(drop_statement(existing)) -%}
        {%- endif -%}
        {%- do statements.append(
            create_view_as(made, sql) if kind == 'view'
            else create_table_as(False, made, sql)
        ) -%}
    {%- endif -%}
    {%- do run_in_turn(statements) -%}
    {%- if kind == 'table' and not is_partial and not is_filled_again -%}
        {%- do create_indexes(made) -%}
    {%- endif -%}
    {%- do apply_grants(made, config.get('grants'), should_revoke(existing)) -%}
    {%- do persist_docs(made, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do end_model() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [made]}) }}
{%- endmacro %}

{# Returns the statements that put an incremental model's rows into a temporary table
   and replace with them what the model's strategy names. #}
{% macro replaced_rows(existing) -%}
    {%- set built = make_temp_relation(existing)
        .include(database=false, schema=false) -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(
        context, config.require('incremental_strategy')
    ) -%}
    {%- if is_partial_build() -%}
        {{ create_table_as(True, built, sql) }}
    {%- else -%}
        {#- By hand: the model may be another one than the table was made by. -#}
        {%- do run_query(create_table_as(True, built, sql)) -%}
        {%- do process_schema_changes(
            config.get('on_schema_change', 'ignore'), built, existing
        ) -%}
    {%- endif -%}
    {{ strategy({
        'target_relation': existing,
        'temp_relation': built,
        'unique_key': config.get('unique_key'),
        'dest_columns': adapter.get_columns_in_relation(existing),
        'incremental_predicates': none,
    }) }};
    drop table {{ built }}
{%- endmacro %}

{# dbt would plan a model's statement a second time to compare its columns with the
   contract; a partial build runs the statements of which a full one has done so. #}
{% macro default__get_assert_columns_equivalent(sql) -%}
    {%- if not is_partial_build() -%}
        {{ return(assert_columns_equivalent(sql)) }}
    {%- endif -%}
{%- endmacro %}

{% materialization view, default %}
    {{ return(replaced('view')) }}
{% endmaterialization %}

{% materialization table, default %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{% materialization incremental, default %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{# dbt-duckdb and dbt-spark have their own of these, which would go before the
   default. #}
{% materialization table, adapter='duckdb' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{% materialization view, adapter='spark' %}
    {{ return(replaced('view')) }}
{% endmaterialization %}

{% materialization table, adapter='spark' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{% materialization incremental, adapter='spark' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}
