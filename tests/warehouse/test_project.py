"""What makes every mart be built anew, and what does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from warehouse.project import PROJECT, files_hash, project_hash

# A change of one file: what is replaced, and by what.
Change = tuple[str, str, str]
MODEL = "models/marts/charts/totals.sql"
YML = "models/marts/charts/_charts__models.yml"
LISTENERS = "models/marts/listeners/_listeners__models.yml"
MACRO = "macros/portable/ratio.sql"
SOURCES = "models/staging/lastfm/_lastfm__sources.yml"
NO_ROWS: dict[str, Change] = {
    "a description of a mart": (YML, "period with at least", "period that has"),
    "a description of a column": (YML, "description: ", "description: Well, "),
    "an index of publishing": (YML, "[entity_id]", "[artist_id]"),
    "a question": (YML, "question: How much", "question: So how much"),
    "a segment": (YML, "segment: issue_date", "segment: chart"),
    "a test": (YML, "- unique_combination", "- another_test"),
    "a comment of SQL": (MODEL, "-- One row per", "-- Now one row per"),
    "a comment of a macro": (MACRO, "{#", "{# Indeed: "),
    "white space": (MODEL, "select\n", "select  \n\n"),
    "the overview": ("models/overview.md", "e", "ee"),
    "a data test": ("data_tests/every_name_answered_has_a_key.sql", "select", "SELECT"),
    "a limit of freshness": (SOURCES, "count: 7", "count: 8"),
    "a group's owner": ("models/marts/_groups.yml", "name: ", "name: the "),
    "an exposure": ("models/marts/_exposures.yml", "maturity: high", "maturity: low"),
    "a metric": ("models/marts/_metrics.yml", "label: ", "label: All "),
    "a measure": ("models/marts/_metrics.yml", "agg: sum", "agg: max"),
    "why a key is not declared": (
        LISTENERS,
        "undeclared_keys: >",
        "undeclared_keys: |",
    ),
    "an analysis": ("analyses/other_flags.sql", "select", "SELECT"),
}
ROWS: dict[str, Change] = {
    "an expression": (MODEL, "select\n", "select distinct\n"),
    "a literal": (MODEL, "final", "'final'"),
    "white space of a literal": (MACRO, "macro", "macro {{ 'a  b' }}"),
    "a macro": (MACRO, "macro", "macro {{ 'a b' }}"),
    "a variable": ("dbt_project.yml", "chart_size: 100", "chart_size: 101"),
    "a data type": (YML, "data_type: bigint", "data_type: integer"),
    "a column": (YML, "- name: share_pct", "- name: share"),
    "a constraint": (YML, "constraints: [{type: not_null}]", "constraints: []"),
    "a source's table": (SOURCES, "- name: ", "- name: other_"),
    "a materialization": (
        "dbt_project.yml",
        "+materialized: table",
        "+materialized: view",
    ),
    "a meta of somebody else": (YML, "segment: issue_date", "other: issue_date"),
    "a comment with Jinja in it": (MODEL, "-- One row per", "-- {{ var('x') }}"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    return copy


def change(project: Path, of: Change) -> None:
    name, old, new = of
    before = (project / name).read_text(encoding="utf-8")
    assert old in before, of
    (project / name).write_text(before.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("what", NO_ROWS)
def test_a_change_that_changes_no_row_builds_nothing_anew(
    project: Path, what: str
) -> None:
    before = project_hash(project), files_hash(project)
    change(project, NO_ROWS[what])
    assert project_hash(project) == before[0]
    assert files_hash(project) != before[1], "the control: the file did change"


@pytest.mark.parametrize("what", ROWS)
def test_a_change_of_what_makes_rows_builds_everything_anew(
    project: Path, what: str
) -> None:
    before = project_hash(project)
    change(project, ROWS[what])
    assert project_hash(project) != before


def test_a_file_that_comes_or_goes_or_moves_builds_everything_anew(
    project: Path,
) -> None:
    hashes = {project_hash(project)}
    (project / "models/marts/new.sql").write_text("select 1 as n")
    hashes.add(project_hash(project))
    (project / "models/marts/new.sql").rename(project / "models/staging/new.sql")
    hashes.add(project_hash(project))
    (project / MODEL).unlink()
    hashes.add(project_hash(project))
    assert len(hashes) == 4


def test_a_file_of_exposures_or_metrics_alone_builds_nothing_anew(
    project: Path,
) -> None:
    before = project_hash(project)
    (project / "models/marts/_metrics.yml").unlink()
    (project / "models/marts/_more.yml").write_text(
        "version: 2\nexposures: [{name: a}]"
    )
    assert project_hash(project) == before
    # The control: beside a model's name they are no file of exposures alone.
    (project / "models/marts/_more.yml").write_text("version: 2\nmodels: [{name: a}]")
    assert project_hash(project) != before


def test_what_looks_like_a_comment_in_a_string_is_none(project: Path) -> None:
    model = project / MODEL
    seen = set()
    for code in ("'-- a'", "'-- b'", "'it''s -- a'", "'it''s -- b'", "'/* a */'"):
        model.write_text(f"select {code} as n")
        seen.add(project_hash(project))
    assert len(seen) == 5
    model.write_text("select 1 as n -- it's one\nfrom one -- it's two")
    one = project_hash(project)
    model.write_text("select 1 as n -- it is\n  from one")
    assert project_hash(project) == one
