{# Fails for each row on which the expression is not true; null is a failure too. #}
{% test is_true(model, expression) %}

select 1 as failure
from {{ model }}
where ({{ expression }}) is distinct from true

{% endtest %}
