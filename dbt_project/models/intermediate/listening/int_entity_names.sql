-- One row per entity that can stand on a chart of the panel, with the name to print.
--
-- The number stands for the key where many plays are counted: comparing numbers halves
-- the work. Numbers follow the order of the keys (of their md5 where a key is no hash)
-- and mean nothing from one build to the next.
-- depends_on: {{ ref('int_restated_entities') }}
with

names as (

    {{ entity_names() }}

),

final as (

    select
        entity_type,
        entity_id,
        entity_name,
        artist_id,
        artist_name,
        cast(
            row_number() over (
                partition by entity_type
                order by
                    case
                        when entity_type = 'listener' then md5(entity_id)
                        else entity_id
                    end
            ) as integer
        ) as entity_number

    from names

)

select * from final
