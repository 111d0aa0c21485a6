"""The README's questions have an answer in SQL, and the notebooks draw some."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.daily_runs import ROOT
from warehouse import marts_file
from warehouse.project import PROJECT
from warehouse.settings import Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUESTIONS = dict(
    re.findall(r"^\| (.+\?) \| `(\w+)` \| `\S+` \|$", README, re.MULTILINE)
)
ANALYSES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((PROJECT / "analyses").glob("*.sql"))
}
ASKED = {
    name: text
    for name, text in ANALYSES.items()
    if text.partition("\n")[0].removeprefix("-- ") in QUESTIONS
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
# What a small first run has nothing of.
MAY_BE_EMPTY = {"which_jumps_are_no_attention"}


def as_sql(analysis: str) -> str:
    """An analysis as SQL of DuckDB: references are tables, `add_days` adds days."""
    text = re.sub(r"{{ ref\('(\w+)'\) }}", r"marts.\1", analysis)
    return re.sub(r"{{ add_days\('(.+?)', (-?\d+)\) }}", r"cast(\1 + \2 as date)", text)


@pytest.fixture(scope="module")
def tool_folder(second_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the one a person has: with the file for tools in `data`."""
    folder = tmp_path_factory.mktemp("analyst")
    data = folder / "data"
    data.mkdir()
    (data / "versions").symlink_to(second_day / "versions")
    shutil.copyfile(second_day / "published.json", data / "published.json")
    assert marts_file.bring(Settings(data_dir=data)) is None
    return folder


def test_every_question_of_the_readme_is_an_analysis_of_its_mart() -> None:
    asked = [text.partition("\n")[0].removeprefix("-- ") for text in ASKED.values()]
    assert sorted(asked) == sorted(QUESTIONS) and len(asked) >= 20
    for text in ASKED.values():
        question = text.partition("\n")[0].removeprefix("-- ")
        assert f"ref('{QUESTIONS[question]}')" in text, question


@pytest.mark.parametrize("name", ASKED)
def test_an_analysis_answers_on_a_published_day(name: str, tool_folder: Path) -> None:
    path = tool_folder / "data" / marts_file.FILE
    with duckdb.connect(str(path), read_only=True) as file:
        rows = file.execute(as_sql(ASKED[name])).fetchall()
    assert rows or name in MAY_BE_EMPTY


def test_the_control_a_column_that_a_mart_lacks_is_noticed(tool_folder: Path) -> None:
    sql = as_sql(ASKED["when_people_listen"].replace("hour", "minute"))
    path = tool_folder / "data" / marts_file.FILE
    with (
        duckdb.connect(str(path), read_only=True) as file,
        pytest.raises(duckdb.Error, match="minute"),
    ):
        file.execute(sql)


def test_the_readme_s_sql_is_the_analysis_on_one_line() -> None:
    (readme,) = re.findall(r'scrobble sql "(select .+)"', README)
    analysis = ASKED["what_an_artist_is_worth"]
    for word in set(re.findall(r"\w+_\w+", readme)):
        assert word in analysis, word


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_draws_a_published_day(notebook: Path, tool_folder: Path) -> None:
    page = tool_folder / f"{notebook.stem}.html"
    made = subprocess.run(
        [
            *(sys.executable, "-m", "marimo", "--yes", "export", "html"),
            *(str(notebook), "-o", str(page), "--no-include-code"),
        ],
        cwd=tool_folder,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    text = page.read_text(encoding="utf-8")
    # Each chart is drawn by Vega from the specification that stands in the page.
    assert text.count("vega-lite") >= 2


def test_the_control_a_notebook_without_data_fails(tmp_path: Path) -> None:
    made = subprocess.run(
        [
            *(sys.executable, "-m", "marimo", "--yes", "export", "html"),
            *(str(NOTEBOOKS[0]), "-o", str(tmp_path / "page.html")),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert "make daily" in made.stdout + made.stderr


def test_there_are_two_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
