"""What dbt parses once is kept, and parsed beside the first fetch."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse import build
from warehouse.duckdb_store import FILE
from warehouse.run import Target


def test_the_project_is_parsed_beside_a_fetch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with build.parsing_beside(FILE, tmp_path):
        assert not list(tmp_path.glob("*.msgpack"))
    parsed = build._parsed_file(tmp_path, Target(duckdb_path=tmp_path / "run" / FILE))
    project = build._read_parsed(parsed)
    assert "model.scrobble_warehouse.fct_artist_values" in project.nodes
    monkeypatch.setattr(build.sys, "executable", "/nowhere/python")
    with build.parsing_beside(FILE, tmp_path):
        pass


def test_a_failed_fetch_does_not_wait_for_the_parsing(tmp_path: Path) -> None:
    with pytest.raises(OSError), build.parsing_beside(FILE, tmp_path):
        raise OSError("no answer")
    assert not list(tmp_path.glob("*.msgpack"))
