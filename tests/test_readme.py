"""The README is true: its commands run, its questions are answered beside it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from local_lastfm import LocalLastfm
from serve.app import create_app
from serve.settings import load_serve_settings
from tests.daily_runs import ROOT, SECOND_DAY, Daily, copy_of
from warehouse import docs_page
from warehouse.build import parsed_project
from warehouse.duckdb_store import FILE
from warehouse.marts import Mart, read_marts
from warehouse.run import Target
from warehouse.settings import Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^\| (.+\?) \| `(\w+)` \| `(\S+)` \|$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def daily(
    demo: LocalLastfm, second_day: Path, tmp_path_factory: pytest.TempPathFactory
) -> Daily:
    """A published day with a few listeners."""
    return copy_of(demo, second_day, tmp_path_factory.mktemp("readme") / "data")


@pytest.fixture(scope="module")
def published(daily: Daily) -> dict[str, object]:
    """Rows by mart, and one id of each kind. Read before the service opens the file:
    one process cannot open it in two ways."""
    with daily.open_published() as connection:

        def one(sql: str) -> object:
            return connection.execute(sql).fetchall()[0][0]

        return {
            **{m: one(f"select count(*) from marts.{m}") for _, m, _ in QUESTIONS},
            "artist_id": one("select min(artist_id) from marts.artist_similar"),
            "tag_id": one("select min(tag_id) from marts.artist_tags"),
            "day": SECOND_DAY,
            "listener_name": one("select min(listener_id) from marts.listener_top"),
        }


@pytest.fixture(scope="module")
def client(daily: Daily, published: dict[str, object]) -> Iterator[FlaskClient]:
    settings = load_serve_settings(
        Settings(data_dir=daily.data_dir), {"public_panel": True}
    )
    yield create_app(settings).test_client()


def test_the_table_of_questions_is_there() -> None:
    assert len(QUESTIONS) >= 15


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mart]:
    """The marts of the project."""
    folder = tmp_path_factory.mktemp("project")
    target = Target(duckdb_path=folder / FILE)
    return read_marts(parsed_project(target, folder / "parsed", folder))


def test_the_table_of_questions_is_that_of_the_marts(marts: dict[str, Mart]) -> None:
    asked = [
        (question.question, mart.name, question.route)
        for mart in marts.values()
        for question in mart.meta.questions
    ]
    assert sorted(QUESTIONS) == sorted(asked)


def test_the_routes_and_pages_of_a_mart_are_those_of_the_service(
    marts: dict[str, Mart], client: FlaskClient
) -> None:
    rules = client.application.url_map.bind("localhost")

    def is_there(path: str) -> bool:
        try:
            rules.match(re.sub(r"\{\w+\}", "x", path).partition("?")[0])
        except HTTPException:
            return False
        return True

    wrong = []
    for mart in marts.values():
        asked = [question.route for question in mart.meta.questions]
        paths = [f"/api/v1{route}" for route in (*mart.meta.routes, *asked)]
        wrong += [(mart.name, p) for p in (*paths, *mart.meta.pages) if not is_there(p)]
    assert wrong == []
    assert not is_there("/api/v1/no-such-route") and not is_there("/artists/x/nothing")


@pytest.mark.parametrize(("question", "mart", "route"), QUESTIONS)
def test_a_question_is_answered_by_the_mart_and_the_route_beside_it(
    question: str,
    mart: str,
    route: str,
    published: dict[str, object],
    client: FlaskClient,
) -> None:
    # The counters of a short first run hold no jump that could be told apart.
    is_rare = mart == "artist_anomalies"
    assert published[mart] or is_rare, f"{mart} is empty: {question}"
    path = route.format(**published)
    answer = client.get(f"/api/v1{path}")
    body = answer.get_json()
    assert answer.status_code == 200, body
    assert body["data"] or is_rare, f"no answer: {question}"
    assert body["version"] and body["as_of"] == str(SECOND_DAY)


def test_the_control_a_route_that_is_not_there_is_noticed(client: FlaskClient) -> None:
    assert client.get("/api/v1/charts/no_such_chart").status_code in (404, 422)


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_every_command_of_the_readme_is_known() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in commands():
        words = shlex.split(command, comments=True)
        while "=" in words[0]:
            words.pop(0)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), command
        else:
            assert words[0] == ".venv/bin/scrobble", command


@pytest.mark.parametrize(
    "command", [command for command in commands() if "scrobble" in command]
)
def test_a_scrobble_command_of_the_readme_runs(command: str, daily: Daily) -> None:
    said = daily.run(*shlex.split(command)[1:])
    assert "error" not in said
    assert len(said.splitlines()) > 3


def test_every_variable_of_the_readme_is_a_setting() -> None:
    names = set(re.findall(r"`((?:LASTFM|WAREHOUSE|DATA)_[A-Z_]+)`", README))
    assert len(names) >= 9
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_make_alone_prints_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in ("daily", "serve", "docs", "test", "chaos", "bench"):
        assert re.search(rf"^{target}\s", said, re.MULTILINE), said


def test_the_docs_site_is_one_page_that_describes_every_column(
    daily: Daily, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    daily.run("docs", "--site", str(site))
    page = (site / "index.html").read_text(encoding="utf-8")
    assert [path.name for path in site.iterdir()] == ["index.html"]
    # What dbt's page lacks is put in: a newer dbt may write the place otherwise.
    assert [text for text in docs_page.CHANGES.values() if text not in page] == []
    # The page holds its data: nothing is fetched when it is opened.
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", page)
    manifest, catalog = embedded(page, "manifest"), embedded(page, "catalog")
    models = [
        key
        for key, node in manifest["nodes"].items()
        # An ephemeral model is no relation of the database.
        if key.startswith("model.") and node["config"]["materialized"] != "ephemeral"
    ]
    assert len(models) > 90 and set(models) <= set(catalog["nodes"])
    for key in models:
        described = manifest["nodes"][key]["columns"]
        for column in catalog["nodes"][key]["columns"]:
            assert described[column]["description"], (key, column)
        assert manifest["parent_map"][key], key


def embedded(page: str, name: str) -> dict[str, Any]:
    """A JSON object that the docs page holds."""
    start = re.search(rf"\b{name}:(?=\{{\"metadata\")", page)
    assert start, name
    found: dict[str, Any] = json.JSONDecoder().raw_decode(page, start.end())[0]
    return found


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
    assert shutil.which("make") and sys.version_info >= (3, 11)


@pytest.mark.parametrize(("document", "least"), [("promises", 40), ("security", 20)])
def test_every_test_that_a_document_names_is_there(document: str, least: int) -> None:
    text = (ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > least
    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []
