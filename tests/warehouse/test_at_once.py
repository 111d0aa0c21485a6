"""How many models are built at once."""

from __future__ import annotations

import os
from pathlib import Path

from warehouse.build import at_once
from warehouse.run import Target


def test_models_of_a_large_file_are_built_in_turn(tmp_path: Path) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    path = tmp_path / "warehouse.duckdb"
    target = Target(duckdb_path=path)
    assert at_once(target, 4) == 4, "not there yet"
    for share, models in ((0.01, 4), (0.2, 1)):
        with path.open("wb") as file:
            file.truncate(int(memory * share))  # takes no room on the disk
        assert at_once(target, 4) == models
    assert at_once(Target(url="postgresql+psycopg2://localhost/x"), 4) == 4
