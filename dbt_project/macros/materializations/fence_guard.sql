{# Returns the statement that begins every model's transaction in a daily run on
   PostgreSQL: it refuses when another run has taken over. Nothing on other engines and
   when dbt is run by hand. The same text as warehouse/fence.py. #}
{% macro fence_guard() -%}
    {%- set fence = env_var('SCROBBLE_FENCE', '0') | int -%}
    {%- if execute and target.type == 'postgres' and fence > 0 -%}
do $guard$
begin
    set local idle_in_transaction_session_timeout = '300s';
    perform pg_advisory_xact_lock_shared(96516894, {{ fence }});
    if {{ fence }} is distinct from (
        select fence from ops.lease where name = 'warehouse'
    ) then
        raise exception 'the run with fence {{ fence }} has lost the lock and changes nothing more';
    end if;
end
$guard$
    {%- endif -%}
{%- endmacro %}
