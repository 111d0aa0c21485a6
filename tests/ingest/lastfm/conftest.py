"""Fixtures for the tests of the fetch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from warehouse import ops
from warehouse.settings import load_settings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An ops database of its own (SQLite)."""
    opened = ops.open_ops(load_settings({"data_dir": tmp_path}))
    yield opened
    opened.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str, tmp_path: Path) -> Iterator[Engine]:
    """An ops database of its own (PostgreSQL)."""
    opened = ops.open_ops(
        load_settings({"data_dir": tmp_path, "warehouse_url": postgres_url})
    )
    yield opened
    opened.dispose()
