"""`/sql`: what it answers, refuses and offers, and where it is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from markupsafe import escape

from serve.app import create_app
from serve.pages.sql import EXAMPLE
from tests.serve.conftest import close, make_settings
from tests.serve.marts import World, key, publish, version_path, write_duckdb

Make = Callable[..., Flask]


def test_a_question_is_answered_and_can_be_shared(
    make_service: Make, world: World
) -> None:
    client = make_service().test_client()
    plain = client.get("/sql")
    assert plain.status_code == 200 and EXAMPLE.split()[1] in plain.text
    query = (
        "select artist_name, 1 as one from dim_artists"
        " where artist_name like 'Artist %' order by artist_name limit 3"
    )
    answer = client.get("/sql", query_string={"query": query})
    names = sorted(row["artist_name"] for row in world["dim_artists"])
    names = [name for name in names if name.startswith("Artist ")][:3]
    assert all(f"<td>{escape(name)}</td>" in answer.text for name in names)
    assert "3 rows" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    csv = client.get("/sql.csv", query_string={"query": query})
    assert csv.text.splitlines() == ["artist_name,one", *(f"{n},1" for n in names)]


def test_two_warehouses_with_one_name_of_a_version_are_two(tmp_path: Path) -> None:
    query = "select count(*) as n from dim_tags"
    answers = []
    for name, tags in (("one", 1), ("two", 2)):
        world = World(date(2026, 3, 14))
        for number in range(tags):
            tag = f"tag {number}"
            world["dim_tags"].append(
                {"tag_id": key(tag), "tag_name": tag, "name_key": tag}
            )
        write_duckdb(world, version_path(tmp_path / name, "20260314-000001"))
        publish(tmp_path / name, "20260314-000001", world.as_of)
        app = create_app(make_settings(tmp_path / name))
        csv = app.test_client().get("/sql.csv", query_string={"query": query})
        answers.append(csv.text.split())
        close(app)
    assert answers == [["n", "1"], ["n", "2"]]


def test_the_example_of_the_form_is_answered(make_service: Make) -> None:
    page = make_service().test_client().get("/sql", query_string={"query": EXAMPLE})
    assert 'role="alert"' not in page.text and 'id="figure-answer"' in page.text


def test_a_wrong_question_says_where_and_nothing_is_run_as_markup(
    make_service: Make,
) -> None:
    client = make_service().test_client()
    page = client.get("/sql", query_string={"query": "selec <b>1</b>"})
    assert page.status_code == 200
    assert "syntax error" in page.text and "<b>1" not in page.text
    page = client.get("/sql", query_string={"query": "select '<i>x</i>' as a"})
    assert "<i>x" not in page.text and "&lt;i&gt;x" in page.text
    refused = client.get("/sql.csv", query_string={"query": "from fct_scrobbles"})
    assert refused.status_code == 422 and "does not exist" in refused.text
    assert client.get("/sql.csv").status_code == 422


def test_a_formula_in_a_cell_is_quoted_for_spreadsheets(make_service: Make) -> None:
    csv = make_service().test_client().get("/sql.csv?query=select+'=1%2B1'+as+a")
    assert csv.text.splitlines()[1] == "'=1+1"


def test_the_file_can_be_taken_home_named_by_its_version(make_service: Make) -> None:
    answer = make_service().test_client().get("/sql/file")
    assert (
        "scrobble-warehouse-20260314-000001.duckdb"
        in (answer.headers["Content-Disposition"])
    )
    assert answer.data[8:12] == b"DUCK"
    answer.close()


@pytest.mark.parametrize(
    ("given", "is_there"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "sql": True}, True),
        ({"sql": False}, False),
        # A proxy in front hears strangers, whatever it is that the service hears.
        ({"trusted_proxies": ("127.0.0.1",)}, False),
        ({"public_url": "https://example.org"}, False),
        ({"public_url": "https://example.org", "sql": True}, True),
    ],
)
def test_it_is_off_where_others_reach_the_service_unless_it_is_set(
    make_service: Make, given: dict[str, Any], is_there: bool
) -> None:
    client = make_service(**given).test_client()
    status = 200 if is_there else 404
    for path in ("/sql", "/sql/file", "/sql.csv?query=select+1"):
        with client.get(path) as answer:
            assert answer.status_code == status, path
    assert ('href="/sql"' in client.get("/about").text) == is_there
