"""The marts' descriptions as comments of the database, on either engine.

Owns the comparison with the comments that are there: a text that has not changed is not
written again, and one that has needs no model to be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

#: The comments of the marts in DuckDB: mart, column ('' for the mart), comment or ''.
DUCKDB_COMMENTS = """
    select table_name, '', coalesce(comment, '') from duckdb_tables()
    where schema_name = 'marts'
    union all
    select view_name, '', coalesce(comment, '') from duckdb_views()
    where schema_name = 'marts'
    union all
    select table_name, column_name, coalesce(comment, '') from duckdb_columns()
    where schema_name = 'marts'
"""
# Of a mart: its columns' descriptions by name, and its own under the name ''.
Texts = Mapping[str, str]


def comment_statements(
    schema: str,
    kinds: Mapping[str, str],
    wanted: Mapping[str, Texts],
    there: Mapping[tuple[str, str], str | None],
) -> Iterator[str]:
    """The statements that bring the comments of a schema to what is wanted.

    Args:
        kinds: ``table`` or ``view``, by mart; others are left alone.
        wanted: the texts of each mart; '' stands for no comment.
        there: the comments that are there, by mart and column ('' for the mart).
    """
    for mart, kind in kinds.items():
        for column, description in wanted.get(mart, {}).items():
            if (there.get((mart, column)) or "") == description:
                continue
            thing = f"{schema}.{_quoted(mart)}"
            what = f"column {thing}.{_quoted(column)}" if column else f"{kind} {thing}"
            literal = "'" + description.replace("'", "''") + "'"
            yield f"comment on {what} is {literal if description else 'null'}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
