"""How many models are built at once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from warehouse import build
from warehouse.run import Target


def test_models_of_many_rows_are_built_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(duckdb_path=tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(target.duckdb_path)) as connection:
        connection.execute("create schema raw; create table raw.plays (n integer)")
        connection.execute("insert into raw.plays from range(1000)")
    assert build.at_once(target, 4) == 4
    monkeypatch.setattr(build, "_BYTES_A_ROW", 10**12)
    assert build.at_once(target, 4) == 1
    assert build.at_once(Target(url="postgresql+psycopg2://localhost/x"), 4) == 4
