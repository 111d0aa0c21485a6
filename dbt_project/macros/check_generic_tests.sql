{# Runs every generic test of the project as one statement; fails naming those that do
   not pass, each with its number of failing rows. `dbt run-operation
   check_generic_tests`: the daily run does so after the models. As a node of its own
   each test costs some 45 milliseconds of dbt, which for 150 of them was more than the
   models of a further day. Longer than other macros because it is one loop. #}
{% macro check_generic_tests() -%}
    {%- set statements = [] -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test' and test.test_metadata -%}
        {%- set arguments = {} -%}
        {%- for name, value in test.test_metadata.kwargs.items() -%}
            {%- set is_text = value is string and name != 'model' -%}
            {%- do arguments.update({name: render(value) if is_text else value}) -%}
        {%- endfor -%}
        {%- do arguments.update(model=graph.nodes[test.attached_node].relation_name) -%}
        {%- set sql = context['test_' ~ test.test_metadata.name](**arguments) -%}
        {%- do statements.append(
            "select '" ~ test.name ~ "' as test, count(*) as failures from ("
            ~ sql ~ ") as failing"
        ) -%}
    {%- endfor -%}
    {#- As the models' own: PostgreSQL would sort, and compile this for seconds. -#}
    {%- set settings = planned_for_whole_tables() | trim -%}
    {%- set query -%}
        {{ settings ~ ';' if settings }}
        select test, failures
        from ({{ statements | join(' union all ') }}) as tests
        where failures > 0
        order by test
    {%- endset -%}
    {%- set failed = [] -%}
    {%- for row in run_query(query).rows -%}
        {%- do failed.append(row[0] ~ ' (' ~ row[1] ~ ' rows)') -%}
    {%- endfor -%}
    {%- if failed -%}
        {{ exceptions.raise_compiler_error('failed tests: ' ~ failed | join(', ')) }}
    {%- endif -%}
{%- endmacro %}
