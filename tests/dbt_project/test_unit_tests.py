"""The unit tests beside the models run, on the tables of a published version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from warehouse.build import invoke_dbt, parsed_project
from warehouse.duckdb_store import FILE
from warehouse.run import Target


def unit_tests(published: Path, folder: Path, *options: str) -> dict[str, str]:
    """Unit test -> its status, run on a copy of a published version."""
    target = Target(duckdb_path=folder / FILE)
    # Its views know it by this name.
    shutil.copyfile(published, folder / FILE)
    project = parsed_project(target, folder / "parsed", folder)
    command = ["test", "--no-write-json", "--select", "test_type:unit", *options]
    outcome: Any = invoke_dbt(target, command, folder, {}, project=project)
    assert outcome.result is not None, outcome.exception
    return {node.node.name: str(node.status) for node in outcome.result}


def test_every_unit_test_of_the_models_passes(first_day: Path, tmp_path: Path) -> None:
    published = next((first_day / "versions").glob("*.duckdb"))
    found = unit_tests(published, tmp_path)
    assert len(found) >= 15
    assert not {name: status for name, status in found.items() if status != "pass"}
    # The control: another length of tracks that nobody knows fails one that counts it.
    changed = unit_tests(published, tmp_path, "--vars", "{default_track_seconds: 211}")
    assert changed["a_second_before_midnight_belongs_to_the_day_that_ends"] == "fail"
