"""Every mart says its keys to the tools that read a database's catalogue."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.small_marts import small_mart
from warehouse import marts_file
from warehouse.duckdb_store import FILE
from warehouse.keys import in_order, read_keys, write_keys
from warehouse.marts import Mart
from warehouse.settings import Settings

# A key as a catalogue has it: its kind, its columns, and of a foreign key the table.
Key = tuple[str, tuple[str, ...], str | None]


def declared(path: Path) -> dict[str, set[Key]]:
    """The keys of a file, asked as a BI tool asks."""
    with duckdb.connect(str(path), read_only=True) as file:
        rows = file.execute(
            "select table_name, constraint_type, constraint_column_names,"
            " referenced_table from duckdb_constraints()"
            " where constraint_type in ('PRIMARY KEY', 'FOREIGN KEY')"
            " and schema_name = 'marts'"
        ).fetchall()
    found: dict[str, set[Key]] = {}
    for mart, kind, columns, other in rows:
        found.setdefault(mart, set()).add((kind, tuple(columns), other or None))
    return found


def wanted(mart: Mart) -> set[Key]:
    """The keys that a mart has by its grain and its dimensions."""
    keys: set[Key] = {("PRIMARY KEY", mart.key, None)}
    return keys | {
        ("FOREIGN KEY", (column,), dimension)
        for column, dimension in mart.references.items()
    }


@pytest.fixture(scope="module")
def tool_file(second_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file for tools of a published day."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "versions").symlink_to(second_day / "versions")
    shutil.copyfile(second_day / "published.json", folder / "published.json")
    assert marts_file.bring(Settings(data_dir=folder)) is None
    return folder / marts_file.FILE


def test_every_key_of_a_mart_is_a_constraint_or_has_a_reason(
    tool_file: Path, marts: dict[str, Mart]
) -> None:
    found = declared(tool_file)
    reasons = {m.name for m in marts.values() if m.meta.undeclared_keys}
    assert reasons == {"fct_scrobbles", "listener_top", "restatements"}
    assert found == {
        mart.name: wanted(mart) for mart in marts.values() if mart.name not in reasons
    }
    foreign = [key for keys in found.values() for key in keys if key[2]]
    assert len(found) >= 39 and len(foreign) >= 35


def test_a_reason_is_a_sentence(marts: dict[str, Mart]) -> None:
    reasons = [mart.meta.undeclared_keys for mart in marts.values()]
    assert all(r is None or len(r) > 40 for r in reasons)


def test_every_column_of_a_tool_file_is_described_and_every_key_in_words(
    tool_file: Path, marts: dict[str, Mart]
) -> None:
    with duckdb.connect(str(tool_file), read_only=True) as file:
        columns = file.execute(
            "select table_name, column_name, comment from duckdb_columns()"
            " where schema_name = 'marts'"
        ).fetchall()
        tables = file.execute(
            "select table_name, comment from duckdb_tables()"
            " where schema_name = 'marts'"
        ).fetchall()
    assert [(mart, column) for mart, column, text in columns if not text] == []
    texts = dict(tables)
    for mart in marts.values():
        assert texts[mart.name].endswith(f"Key: {', '.join(mart.key)}."), mart.name
    said = {(mart, column): text for mart, column, text in columns}
    assert "Stands in dim_artists." in said["fct_scrobbles", "artist_id"]
    item = said["listener_tag_assignments", "item_id"]
    assert "In dim_tracks if tagging_type = 'track'." in item


def test_a_mart_s_key_is_the_grain_that_is_tested(marts: dict[str, Mart]) -> None:
    assert [mart.name for mart in marts.values() if not mart.key] == []
    assert marts["listener_hours"].key == ("listener_id", "weekday", "hour")
    # '' is the whole panel there, which no dimension holds.
    assert marts["listener_hours"].references == {}
    assert marts["listener_hours"].dimensions["listener_id"] == {
        "dim_listeners": "listener_id <> ''"
    }
    assert marts["dim_albums"].references == {"artist_id": "dim_artists"}


def two_marts() -> dict[str, Mart]:
    """A dimension and a mart that reads it."""
    dimension = replace(small_mart("dim_artists", segment="id"), key=("id",))
    fact = replace(
        small_mart("a_fact", segment="day"),
        key=("artist_id", "day"),
        dimensions={"artist_id": {"dim_artists": "true"}, "day": {"x": "day > 1"}},
    )
    return {"a_fact": fact, "dim_artists": dimension}


def publish(folder: Path, days: list[tuple[int, int]]) -> None:
    """A version with two marts and what they say of their keys."""
    version = "20260101-000001"
    path = folder / "versions" / f"warehouse-{version}.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as file:
        file.execute("create schema marts")
        file.execute("create table marts.dim_artists as select 1 as id")
        file.execute("create table marts.a_fact (artist_id integer, day integer)")
        file.executemany("insert into marts.a_fact values (?, ?)", days)
        write_keys(file, two_marts())
    pointer = {"version": version, "file": f"versions/{path.name}"}
    (folder / "published.json").write_text(json.dumps(pointer))


def test_rows_that_keep_their_keys_are_declared_so_whatever_the_order(
    tmp_path: Path,
) -> None:
    publish(tmp_path, [(1, 1), (1, 2)])
    assert marts_file.bring(Settings(data_dir=tmp_path)) is None
    marts = two_marts()
    assert declared(tmp_path / FILE) == {m: wanted(marts[m]) for m in marts}


@pytest.mark.parametrize("days", [[(1, 1), (1, 1)], [(2, 1)]])
def test_the_control_rows_that_break_a_key_come_without_keys_and_it_is_told(
    tmp_path: Path, days: list[tuple[int, int]]
) -> None:
    publish(tmp_path, days)
    told = marts_file.bring(Settings(data_dir=tmp_path))
    assert told is not None and "declares no keys" in told
    assert declared(tmp_path / FILE) == {}
    with duckdb.connect(str(tmp_path / FILE), read_only=True) as file:
        assert file.execute("from marts.a_fact").fetchall() == days


def test_a_mart_that_says_why_has_no_keys_declared() -> None:
    meta = {"segment": "day", "undeclared_keys": "Because."}
    fact = replace(small_mart("a_fact", **meta), key=("day",))
    with duckdb.connect() as file:
        assert read_keys(file) == {}, "a version from before files said their keys"
        write_keys(file, {**two_marts(), "a_fact": fact})
        keys = read_keys(file)
    assert set(keys) == {"dim_artists"}
    assert in_order(["a_fact", "dim_artists"], keys) == ["a_fact", "dim_artists"]
