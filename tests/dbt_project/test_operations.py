"""What a build does after its models: all generic tests at once, and leftovers go."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from warehouse.build import operate, parsed_project
from warehouse.duckdb_store import FILE
from warehouse.errors import BuildFailed
from warehouse.run import Target


@pytest.fixture
def copy(first_day: Path, tmp_path: Path) -> Target:
    """A published version to change."""
    published = next((first_day / "versions").glob("*.duckdb"))
    shutil.copyfile(published, tmp_path / FILE)
    return Target(duckdb_path=tmp_path / FILE)


def run(macro: str, target: Target, folder: Path) -> None:
    project = parsed_project(target, folder / "parsed", folder)
    operate(macro, target, folder, {"SCROBBLE_BUILT_THROUGH": "1"}, project)


def change(target: Target, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(target.duckdb_path)) as connection:
        return connection.execute(sql).fetchall()


def test_generic_tests_pass_and_a_row_that_stands_twice_fails_by_name(
    copy: Target, tmp_path: Path
) -> None:
    run("check_generic_tests", copy, tmp_path)
    change(copy, "insert into marts.totals select * from marts.totals limit 2")
    with pytest.raises(BuildFailed, match=r"unique_combination_totals_\w+ \(2 rows\)"):
        run("check_generic_tests", copy, tmp_path)


def test_a_table_the_project_no_longer_has_goes_and_the_others_stay(
    copy: Target, tmp_path: Path
) -> None:
    count = (
        "select count(*) from information_schema.tables"
        " where table_schema in ('staging', 'intermediate')"
    )
    before = change(copy, count)
    change(copy, "create table intermediate.int_forgotten as select 1 as one")
    change(copy, "create view staging.stg_forgotten as select 1 as one")
    run("drop_leftovers", copy, tmp_path)
    assert change(copy, count) == before
