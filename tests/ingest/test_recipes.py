"""Every recipe names columns its table has, and gives every column of it a source."""

import duckdb
import pytest

from ingest.lastfm.recipes import (
    PAGE_COLUMNS,
    ROW_TABLES,
    TABLES,
    Recipe,
    create_raw_tables,
)
from ingest.load.recipes import ALL_RECIPES, recipes_of


@pytest.mark.parametrize("recipe", ALL_RECIPES, ids=lambda r: f"{r.method}-{r.table}")
def test_a_recipe_fills_only_columns_of_its_table_and_every_required_one(
    recipe: Recipe,
) -> None:
    columns = {column.name: column for column in TABLES[recipe.table].columns}
    assert set(recipe.values) <= set(columns) - set(PAGE_COLUMNS)
    required = {name for name, column in columns.items() if column.required}
    assert required - set(PAGE_COLUMNS) <= set(recipe.values)


def test_every_row_table_but_the_walks_has_a_recipe() -> None:
    made = {recipe.table for recipe in ALL_RECIPES}
    assert {table.name for table in ROW_TABLES} - made == {"lastfm__scrobble_walks"}


def test_the_method_of_a_recipe_is_found_whatever_its_capitals() -> None:
    assert recipes_of("user.getrecenttracks") == recipes_of("user.getRecentTracks")
    assert len(recipes_of("album.getInfo")) == 4
    assert recipes_of("user.getNothing") == ()


def test_creating_the_raw_tables_twice_changes_nothing() -> None:
    connection = duckdb.connect()
    create_raw_tables(connection, "duckdb")
    connection.execute(
        "insert into raw.loads values (1, 'r', date '2026-01-01', now()::timestamp,"
        " 0, 0, 0, 0)"
    )
    create_raw_tables(connection, "duckdb")
    assert connection.execute("select count(*) from raw.loads").fetchone() == (1,)
    names = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'raw'"
    ).fetchall()
    assert {name for (name,) in names} == set(TABLES)
