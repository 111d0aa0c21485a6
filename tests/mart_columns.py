"""The columns that the marts promise, read off their contracts.

Small marts of tests are made with these columns, so that a new column needs no second
place.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

MODELS = Path(__file__).parents[1] / "dbt_project" / "models" / "marts"


@cache
def mart_columns() -> dict[str, dict[str, str]]:
    """Mart -> column -> type, as the contracts write it."""
    return {
        model["name"]: {
            column["name"]: column["data_type"] for column in model["columns"]
        }
        for path in sorted(MODELS.rglob("*__models.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    }
