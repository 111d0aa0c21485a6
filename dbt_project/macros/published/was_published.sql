{# Returns the condition that what a row says was there when the newest version was
   built; true before anything was published. `rows` is an alias of rows with a load_id
   and a `fetched_at`. By time within the load that brought the version itself, because
   a warehouse made anew from landing, or after a rollback, has all in one load. #}
{% macro was_published(rows, fetched_at='fetched_at') -%}
    {%- set newest = newest_published() -%}
    {%- if newest is none -%}
        true
    {%- elif newest.answered_through_at is none -%}
        {{ rows }}.load_id < {{ newest.load_id }}
    {%- else -%}
        (
            {{ rows }}.load_id < {{ newest.load_id }}
            or (
                {{ rows }}.load_id = {{ newest.load_id }}
                and {{ rows }}.{{ fetched_at }}
                <= cast('{{ newest.answered_through_at }}' as timestamp)
            )
        )
    {%- endif -%}
{%- endmacro %}
