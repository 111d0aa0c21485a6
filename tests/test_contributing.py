"""What CONTRIBUTING tells a person to type works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daily_runs import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MART = """\
-- One row per country that listeners of the panel come from.
with

listeners as (

    select * from {{ ref('dim_listeners') }}

),

final as (

    select
        country,
        cast(count(*) as bigint) as listeners

    from listeners

    where country is not null

    group by country

)

select * from final
"""
ENTRY = """\
version: 2

models:
  - name: my_mart
    description: One row per country that listeners of the panel come from.
    data_tests:
      - unique_combination:
          arguments: {columns: [country]}
    columns:
      - name: country
        description: The country as last.fm names it.
        data_type: text
        constraints: [{type: not_null}]
      - name: listeners
        description: Listeners of the panel from there.
        data_type: bigint
"""


@pytest.fixture
def checkout(second_day: Path, tmp_path: Path) -> Path:
    """A checkout with a published day and a new mart in it."""
    # What dbt parsed is no part of a checkout.
    unwanted = shutil.ignore_patterns("target", "logs")
    shutil.copytree(ROOT / "dbt_project", tmp_path / "dbt_project", ignore=unwanted)
    shutil.copyfile(ROOT / "profiles.yml.example", tmp_path / "profiles.yml.example")
    shutil.copytree(second_day / "versions", tmp_path / "data" / "versions")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    folder = tmp_path / "dbt_project" / "models" / "marts" / "mine"
    folder.mkdir()
    (folder / "my_mart.sql").write_text(MART)
    (folder / "_mine__models.yml").write_text(ENTRY)
    return tmp_path


def test_the_analysts_loop_builds_one_mart_on_a_copy_and_shows_it(
    checkout: Path,
) -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", CONTRIBUTING, re.S)
    versions = {
        path.name: path.read_bytes() for path in checkout.glob("data/versions/*.duckdb")
    }
    process = subprocess.run(
        ["bash", "-euc", commands],
        cwd=checkout,
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = process.stdout + process.stderr
    assert process.returncode == 0, said
    assert re.search(r"OK created sql \w+ model marts\.my_mart", said), said
    assert "PASS unique_combination_my_mart_country" in said
    assert re.search(r"\| +country +\| +listeners +\|", said), said
    assert versions, "nothing was published"
    for name, body in versions.items():
        assert (checkout / "data" / "versions" / name).read_bytes() == body
