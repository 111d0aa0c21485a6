{# Fails for each combination of the columns that stands on more than one row. With
   new_loads_only, rows of loads that were tested on an earlier day are left out: raw is
   append-only, and a row of theirs cannot have changed. #}
{% test unique_combination(model, columns, new_loads_only=false) %}

select {{ columns | join(', ') }}
from {{ model }}
{% if new_loads_only %}where load_id > {{ built_through() }}{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
