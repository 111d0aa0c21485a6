"""An ops database of each engine, empty, and the marts of the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from warehouse.build import parsed_project
from warehouse.duckdb_store import FILE
from warehouse.marts import Mart, read_marts
from warehouse.ops import open_ops
from warehouse.run import Target
from warehouse.settings import Settings


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """dbt's manifest of the project, without a database."""
    folder = tmp_path_factory.mktemp("project")
    return parsed_project(Target(duckdb_path=folder / FILE), folder / "parsed", folder)


@pytest.fixture(scope="session")
def marts(project: Any) -> dict[str, Mart]:
    """The marts of the project."""
    return read_marts(project)


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
