{# Drops the tables and views of staging and intermediate that the project no longer
   has. `dbt run-operation drop_leftovers`; a run does so after it has built everything
   anew, because the database it builds in is the one of the version before. #}
{% macro drop_leftovers() -%}
    {%- set known = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | map(attribute='relation_name') | list -%}
    {%- for schema in ['staging', 'intermediate'] -%}
        {%- set place = api.Relation.create(database=target.database, schema=schema) -%}
        {%- for row in list_relations_without_caching(place) -%}
            {%- set relation = api.Relation.create(
                database=target.database, schema=schema, identifier=row[1], type=row[3]
            ) -%}
            {%- if relation | string not in known -%}
                {%- do adapter.drop_relation(relation) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do adapter.commit() -%}
{%- endmacro %}
