"""Every key of a mart stands in its dimension, and a key that does not is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt_project.project import run_dbt
from tests.dbt_project.test_conventions import layer, manifest, models
from warehouse.build import PROJECT
from warehouse.duckdb_store import FILE
from warehouse.run import Target

TEST = "every_key_of_a_mart_is_in_its_dimension"
DIMENSIONS = ("dim_artists", "dim_albums", "dim_tracks", "dim_tags", "dim_listeners")
# Keys that no dimension holds: of rows, loads, pictures and players, of friends outside
# the panel, and of names before last.fm's correction.
OTHER_KEYS = {
    "alias_artist_id",
    "cover_id",
    "friend_id",
    "load_id",
    "order_id",
    "player_id",
    "scrobble_id",
    "touched_load_id",
    "trade_id",
}

__all__ = ["manifest"]  # the fixture


@pytest.fixture(scope="module")
def keyed(manifest: dict[str, Any]) -> dict[str, set[str]]:
    """By mart, the columns whose keys mart_keys() says a dimension of."""
    text = (PROJECT / "macros" / "mart_keys.sql").read_text(encoding="utf-8")
    by_name = set(re.findall(r"'(\w+_id)': 'dim_\w+'", text))
    of_mart = set(re.findall(r"'(\w+\.\w+_id)':", text))
    found: dict[str, set[str]] = {}
    for model in models(manifest):
        if layer(model) == "marts":
            found[model["name"]] = {
                column
                for column in model["columns"]
                if column in by_name or f"{model['name']}.{column}" in of_mart
            }
    return found


def test_every_id_of_a_mart_says_which_dimension_holds_it(
    manifest: dict[str, Any], keyed: dict[str, set[str]]
) -> None:
    ids = {
        (model["name"], column)
        for model in models(manifest)
        if layer(model) == "marts"
        for column in model["columns"]
        if column.endswith("_id") and column not in OTHER_KEYS
    }
    untold = ids - {(mart, column) for mart in keyed for column in keyed[mart]}
    assert not untold, f"say in macros/mart_keys.sql which dimension holds {untold}"
    assert len(ids) >= 50


def test_the_test_of_keys_reads_every_mart_that_has_one(
    manifest: dict[str, Any], keyed: dict[str, set[str]]
) -> None:
    (test,) = [n for n in manifest["nodes"].values() if n["name"] == TEST]
    read = {parent.split(".")[-1] for parent in test["depends_on"]["nodes"]}
    wanted = {mart for mart, columns in keyed.items() if columns}
    assert read == wanted, f"the list in data_tests/{TEST}.sql is another one"


@pytest.fixture(scope="module")
def published(second_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a published version, to be spoilt."""
    folder = tmp_path_factory.mktemp("keys")
    (version,) = sorted((second_day / "versions").glob("*.duckdb"))[-1:]
    shutil.copyfile(version, folder / FILE)
    return folder


def test_every_key_of_a_published_day_is_in_its_dimension(published: Path) -> None:
    target = Target(duckdb_path=published / FILE)
    run_dbt(target, published, TEST, command="test")


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_key_that_its_dimension_lacks_is_named_with_mart_and_column(
    published: Path, tmp_path: Path, dimension: str
) -> None:
    """The control: without a row of the dimension the test says who misses it."""
    key = dimension.removeprefix("dim_").removesuffix("s") + "_id"
    shutil.copyfile(published / FILE, tmp_path / FILE)
    with duckdb.connect(str(tmp_path / FILE)) as connection:
        (gone,) = connection.execute(
            f"select max({key}) from marts.fct_scrobbles"
            if key != "tag_id"
            else "select max(tag_id) from marts.artist_tags"
        ).fetchall()[0]
        connection.execute(f"delete from marts.{dimension} where {key} = '{gone}'")
    where = "artist_tags.tag_id" if key == "tag_id" else f"fct_scrobbles.{key}"
    with pytest.raises(AssertionError) as failed:
        run_dbt(Target(duckdb_path=tmp_path / FILE), tmp_path, TEST, command="test")
    assert f"{where}: 1 keys are not in {dimension}, one of them {gone}" in str(
        failed.value
    )


def test_a_listed_artist_that_is_merged_later_keeps_no_day_from_being_published(
    published: Path, tmp_path: Path
) -> None:
    shutil.copyfile(published / FILE, tmp_path / FILE)
    with duckdb.connect(str(tmp_path / FILE)) as connection:
        columns = connection.execute(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'marts' and table_name = 'fct_artist_prices'"
        ).fetchall()
        values = {
            "artist_id": "'merged since'",
            "BOOLEAN": "true",
            "DATE": "current_date",
        }
        row = ", ".join(
            values.get(name, values.get(kind, "'1'")) for name, kind in columns
        )
        connection.execute(f"insert into marts.fct_artist_prices select {row}")
        (rows,) = connection.execute(
            "select count(*) from marts.fct_artist_prices"
            " where artist_id not in (select artist_id from marts.dim_artists)"
        ).fetchall()
    assert rows == (1,)
    run_dbt(Target(duckdb_path=tmp_path / FILE), tmp_path, TEST, command="test")
