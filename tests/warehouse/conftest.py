"""An ops database of each engine, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from warehouse.ops import open_ops
from warehouse.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ops_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty warehouse on each engine."""
    url = None
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    return Settings(data_dir=tmp_path / "data", warehouse_url=url, lease_seconds=2)


@pytest.fixture
def ops_engine(ops_settings: Settings) -> Iterator[Engine]:
    """The opened ops database."""
    engine = open_ops(ops_settings)
    yield engine
    engine.dispose()
