"""Questions to the marts: one module a subject, one function a question, plain SQL.

The SQL is the same for DuckDB and PostgreSQL (named binds, ``cast()``, explicit order
of nulls). Fragments chosen by a caller come from closed tables in the module, values
only ever as binds. Every list has an order that cannot tie.
"""
