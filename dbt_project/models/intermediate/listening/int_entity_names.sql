-- One row per entity that can stand on a chart of the panel, with the name to print.
-- depends_on: {{ ref('int_restated_entities') }}
with

final as (

    {{ entity_names() }}

)

select * from final
