{# Returns a model as the build before left it, for models that come before it in the
   graph and compare: a ref() would be a circle. Only for partial builds. #}
{% macro built_relation(model_name) -%}
    {%- set node = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('name', 'equalto', model_name) | first -%}
    {{ return(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias
    )) }}
{%- endmacro %}
