{# A post-hook's statement: gives the rows that stay from earlier builds the names of
   today, so that a partial build prints what a full one would. The kind of entity is an
   expression over the model's own columns. #}
{% macro rename_restated(entity_type='entity_type') -%}
    {%- if is_restated('name') -%}
        update {{ this }}
        set entity_name = renamed.new_entity_name, artist_name = renamed.new_artist_name
        from (
            select
                entity_names.entity_type as new_entity_type,
                entity_names.entity_id as new_entity_id,
                entity_names.entity_name as new_entity_name,
                entity_names.artist_name as new_artist_name
            from {{ ref('int_entity_names') }} as entity_names
            inner join {{ ref('int_restated_entities') }} as restated
                on
                    entity_names.entity_type = restated.entity_type
                    and entity_names.entity_id = restated.entity_id
            where restated.change = 'name'
        ) as renamed
        where
            {{ entity_type }} = renamed.new_entity_type
            and entity_id = renamed.new_entity_id
    {%- else -%}
        select 1 as nothing_to_rename
    {%- endif -%}
{%- endmacro %}
