"""The file of all that is kept about one person: whole, and of that person alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from serve.app import create_app
from serve.queries import export
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings, shared
from tests.serve.marts import World
from tests.serve.test_privacy import TERMS

ROUTE = "/api/v1/account/export"
OTHERS = ("bert", "carl", "dora", "emil", "fred")


@pytest.fixture
def app(open_market: Flask) -> Flask:
    return open_market


def played(app: Flask, name: str) -> str:
    """A player of this name who has bought; gives the player's key."""
    browser = log_in(app, name)
    headers = csrf(browser)
    own = browser.get("/api/v1/exchange/portfolio").get_json()["data"]
    quoted = browser.post("/api/v1/exchange/quotes", json=TERMS, headers=headers)
    terms = {**TERMS, "quote": quoted.get_json()["data"]["quote"]}
    headers["Idempotency-Key"] = "buy"
    done = browser.post("/api/v1/exchange/trades", json=terms, headers=headers)
    assert done.status_code == 201, done.text
    return str(own["player_id"])


def exported(app: Flask, name: str) -> tuple[dict[str, Any], str]:
    answer = app.test_client().get(ROUTE, headers=bearer(app, name, "read"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "attachment" in answer.headers["Content-Disposition"]
    return answer.get_json()["data"], answer.text


def test_an_export_holds_every_row_of_its_owner_and_of_nobody_else(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = played(app, "anna"), played(app, "bert")
    # Many pages: none is lost and none comes twice.
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    data, text = exported(app, "anna")
    tables = data["listening"]["tables"]
    compared = 0
    for name, rows in tables.items():
        own = [row for row in world[name] if row["listener_id"] == "anna"]
        assert len(rows) == len(own), name
        # The control: the mart holds others, whom the export leaves out.
        if len(own) < len(world[name]):
            compared += 1
    assert compared >= 5 and len(tables["fct_scrobbles"]) > 100
    books = data["exchange"]
    assert [row["player_id"] for row in books["trades"]] == [mine]
    assert books["players"][0]["listener_id"] == "anna" and books["postings"]
    assert theirs not in text
    for other in OTHERS:
        assert f'"{other}"' not in text.casefold(), other
    account = data["account"]
    assert account["accounts"][0]["listener_name"] == "anna"
    assert account["account_tokens"][0]["name"] == "test"
    assert "token_hash" not in text and "session_hash" not in text


def test_an_export_is_its_owners_alone(app: Flask) -> None:
    assert app.test_client().get(ROUTE).status_code == 401
    headers = bearer(app, "anna", "write")
    assert app.test_client().get(ROUTE, headers=headers).status_code == 403


def test_who_is_in_no_table_gets_an_export_of_the_account(app: Flask) -> None:
    data, _ = exported(app, "nobody-9")
    assert len(data["account"]["accounts"]) == 1
    assert data["exchange"] == {}
    assert not any(data["listening"]["tables"].values())


def test_an_export_without_a_version_is_of_the_account(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path), parts=())
    data, _ = exported(app, "anna")
    assert data["listening"] is None and "exchange" not in data
    assert len(data["account"]["accounts"]) == 1
    close(app)


def test_a_service_that_asks_for_another_format_is_told(app: Flask) -> None:
    headers = bearer(app, "anna", "read")
    answer = app.test_client().get(f"{ROUTE}.csv", headers=headers)
    assert answer.status_code == 404
    assert shared(app).kept
