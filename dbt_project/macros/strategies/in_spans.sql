{# Returns the condition that a date (or Unix second, where `is_uts`) lies in one of the
   spans, rows of (first day, day after the last) in the order of the first; never true
   for no span. Spans that meet become one, and so do all where they are many. #}
{% macro in_spans(column, spans, is_uts=false) -%}
    {%- set merged = [] -%}
    {%- for start, end in spans -%}
        {%- if merged and start <= merged[-1][1] -%}
            {%- do merged.append((merged[-1][0], [merged.pop()[1], end] | max)) -%}
        {%- else -%}
            {%- do merged.append((start, end)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if merged | length > 20 -%}
        {%- set merged = [(merged[0][0], merged[-1][1])] -%}
    {%- endif -%}
    {%- set epoch = modules.datetime.date(1970, 1, 1) -%}
    (
        {%- for start, end in merged %}
        {{ 'or ' if not loop.first -}}
        {%- if is_uts -%}
        ({{ column }} >= {{ (start - epoch).days * 86400 }}
            and {{ column }} < {{ (end - epoch).days * 86400 }})
        {%- else -%}
        ({{ column }} >= cast('{{ start }}' as date)
            and {{ column }} < cast('{{ end }}' as date))
        {%- endif -%}
        {%- else %}
        1 = 0
        {%- endfor %}
    )
{%- endmacro %}
