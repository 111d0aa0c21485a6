{# Materialization `incremental`: as a table where there is none or everything is built
   anew, else the model's rows go into a temporary table, and the statements of its
   strategy replace with them what the config says.

   dbt's own asks four times for the columns of tables that the first build of the same
   project has made alike, and each of its statements is one more to hand over. #}
{% macro incremental_or_replaced() -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or not existing.is_table or should_full_refresh() -%}
        {{ return(replaced('table')) }}
    {%- endif -%}
    {%- set built = make_temp_relation(existing)
        .include(database=false, schema=false) -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(
        context, config.require('incremental_strategy')
    ) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {%- do begin_model() -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set columns = adapter.get_columns_in_relation(existing) -%}
    {%- call statement('main') -%}
        {{ create_table_as(True, built, sql) }}
        {{ strategy({
            'target_relation': existing,
            'temp_relation': built,
            'unique_key': config.get('unique_key'),
            'dest_columns': columns,
            'incremental_predicates': none,
        }) }};
        drop table {{ built }}
    {%- endcall -%}
    {%- do apply_grants(existing, config.get('grants'), should_revoke=True) -%}
    {%- do persist_docs(existing, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do end_model() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [existing]}) }}
{%- endmacro %}

{% materialization incremental, default %}
    {{ return(incremental_or_replaced()) }}
{% endmaterialization %}

{# dbt-duckdb has one of its own, which would go before the default. #}
{% materialization incremental, adapter='duckdb' %}
    {{ return(incremental_or_replaced()) }}
{% endmaterialization %}

{# dbt would plan a model's statement a second time to compare its columns with the
   contract; a partial build runs the statements of which a full one has done so. #}
{% macro default__get_assert_columns_equivalent(sql) -%}
    {%- if not is_partial_build() -%}
        {{ return(assert_columns_equivalent(sql)) }}
    {%- endif -%}
{%- endmacro %}
