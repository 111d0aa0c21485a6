"""The small marts of these tests have the columns that the real ones promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.serve.marts import COLUMNS

MODELS = Path(__file__).parents[2] / "dbt_project" / "models" / "marts"
# A macro or another spelling of the same type.
SAME = {
    "double": "double precision",
    "{{ double() }}": "double precision",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "varchar": "text",
    "bool": "boolean",
}


def promised() -> dict[str, dict[str, str]]:
    """Mart -> column -> type, from the contracts."""
    found = {}
    for path in MODELS.rglob("*.yml"):
        for model in yaml.safe_load(path.read_text())["models"]:
            found[model["name"]] = {
                column["name"]: str(column.get("data_type", "")).lower()
                for column in model["columns"]
            }
    return found


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_a_small_mart_has_only_columns_the_real_one_promises(table: str) -> None:
    real = promised()[table]
    for part in COLUMNS[table].split(", "):
        name, _, kind = part.partition(" ")
        assert name in real, f"{table}.{name}"
        wanted = SAME.get(real[name], real[name])
        numbers = {"integer", "bigint", "double precision"}
        if wanted != kind and wanted[:7] != "numeric":
            assert {wanted, kind} <= numbers, f"{table}.{name}: {kind}, not {wanted}"
