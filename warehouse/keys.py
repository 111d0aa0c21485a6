"""The marts' keys in DuckDB: kept with a version, declared in the file for tools.

Owns the table ``about.keys`` of a version's file, and the DDL of a mart with its keys.
A version itself has none: each would be an index that every build maintains. What is a
key says the mart (:class:`warehouse.marts.Mart`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from warehouse.marts import Marts

_DDL = """
    create schema if not exists about;
    create or replace table about.keys (
        mart text, columns text[], dimension text, undeclared text
    );
    comment on table about.keys is
        'One row per key of a mart: its primary key where dimension is null, else a key of that dimension; undeclared says why no constraint is declared.';
"""  # noqa: E501
_TABLES = """
    select count(*) from duckdb_tables()
    where schema_name = 'about' and table_name = 'keys'
"""


@dataclass(frozen=True)
class Keys:
    """What a mart's table declares: its key, and the dimension of each other key."""

    primary: tuple[str, ...]
    foreign: Mapping[str, str]


def write_keys(connection: duckdb.DuckDBPyConnection, marts: Marts) -> None:
    """Enter the keys of all marts in a version's file."""
    connection.execute(_DDL)
    rows = [
        (mart.name, columns, dimension, mart.meta.undeclared_keys)
        for mart in marts.values()
        for columns, dimension in [
            (list(mart.key), None),
            *(([column], dimension) for column, dimension in mart.references.items()),
        ]
        if columns
    ]
    if rows:
        connection.executemany("insert into about.keys values (?, ?, ?, ?)", rows)


def read_keys(connection: duckdb.DuckDBPyConnection) -> dict[str, Keys]:
    """The keys that a version's file says to declare, by mart.

    None of a version from before files had them.
    """
    if connection.execute(_TABLES).fetchall() == [(0,)]:
        return {}
    rows = connection.execute(
        "select mart, columns, dimension from about.keys where undeclared is null"
    ).fetchall()
    return {
        name: Keys(
            primary=tuple(
                column
                for mart, columns, dimension in rows
                if mart == name and dimension is None
                for column in columns
            ),
            foreign={
                columns[0]: dimension
                for mart, columns, dimension in rows
                if mart == name and dimension is not None
            },
        )
        for name in {mart for mart, _, _ in rows}
    }


def in_order(marts: list[str], keys: Mapping[str, Keys]) -> list[str]:
    """The marts, each after the dimensions that its keys stand in."""
    ordered: list[str] = []

    def add(mart: str) -> None:
        if mart not in ordered:
            for dimension in keys[mart].foreign.values() if mart in keys else ():
                add(dimension)
            ordered.append(mart)

    for mart in marts:
        add(mart)
    return ordered


def create_table(
    connection: duckdb.DuckDBPyConnection,
    mart: str,
    source: str,
    keys: Mapping[str, Keys],
) -> None:
    """Make ``marts.<mart>`` from a relation, with its keys.

    Args:
        source: the relation, quoted; its columns and types are the table's.

    Raises:
        duckdb.ConstraintException: the rows do not keep the keys.
    """
    table = f'marts."{mart}"'
    declared = keys.get(mart)
    if declared is None:
        connection.execute(f"create table {table} as from {source}")
        return
    described = connection.execute(f"describe {source}").fetchall()
    parts = [f'"{column}" {type_}' for column, type_, *_ in described]
    parts.append(f"primary key ({_listed(declared.primary)})")
    for column, dimension in declared.foreign.items():
        parts.append(
            f'foreign key ("{column}") references marts."{dimension}"'
            f" ({_listed(keys[dimension].primary)})"
        )
    connection.execute(f"create table {table} ({', '.join(parts)})")
    connection.execute(f"insert into {table} from {source}")


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
