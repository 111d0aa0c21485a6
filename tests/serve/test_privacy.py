"""Nobody reads or changes what is another's: every route, every kind of caller."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.serve.conftest import bearer, csrf, log_in, shared
from tests.serve.marts import key

OPEN = ("/api/v1/charts", "/api/v1/artists", "/api/v1/insights", "/api/v1/trends")
OPEN += ("/api/v1/rankings", "/api/v1/tags", "/api/v1/freshness", "/api/v1/versions")
OPEN += ("/api/v1/statistics", "/problems", "/health", "/ready", "/login")
OPEN += ("/openapi.json", "/api/docs", "/static")
PLACES = {
    "artist_id": key("Artist 00"),
    "entity_id": key("Artist 00"),
    "tag_id": key("rock"),
    "chart": "panel_artists",
    "entity": "artists",
    "grain": "month",
    "listener_name": "anna",
    "code": "not_found",
}
# What other parts of the service have is theirs to test.
MINE = ("/api/", "/login", "/logout", "/health", "/ready", "/problems", "/openapi.json")
NOT_MINE = ("/api/v1/exchange",)


def routes(app: Flask) -> list[tuple[str, str]]:
    """Every method and path of this part, with its rule's places filled by `PLACES`."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(MINE) or rule.rule.startswith(NOT_MINE):
            continue
        view = app.view_functions[rule.endpoint]
        if view.__module__.startswith(("serve.exchange", "serve.pages")):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((method, rule.rule))
    return sorted(set(found))


def fill(rule: str, places: dict[str, str]) -> str:
    """The path of a rule."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: places[match[1]], rule)


@pytest.fixture
def own(service: Flask) -> dict[str, Any]:
    """Anna with a job and a token of hers."""
    browser = log_in(service, "anna")
    header = bearer(service, "anna", "read", "write", "trade", "admin")
    job = browser.post("/api/v1/panel", headers=csrf(browser)).get_json()["data"]
    tokens = browser.get("/api/v1/account/tokens").get_json()["data"]
    places = {
        **PLACES,
        "job_id": job["job_id"],
        "token_id": str(tokens[0]["token_id"]),
        "filename": "x.js",
    }
    return {"browser": browser, "header": header, "places": places}


def ask(client: FlaskClient, method: str, path: str, headers: Any = None) -> Any:
    body = None
    if path.endswith("/tokens") and method == "POST":
        body = {"name": "x", "scopes": ["read"]}
    if path.endswith("/account") and method == "PATCH":
        body = {"is_public": True}
    return client.open(path, method=method, json=body, headers=headers or {})


def secrets_of_anna(service: Flask) -> list[str]:
    """What must not stand in an answer to another."""
    return ['"listener_name":"anna"', "csrf_token", '"prefix":"swt_']


def test_the_matrix_knows_every_route(service: Flask) -> None:
    found = routes(service)
    assert len(found) > 50
    private = [rule for _, rule in found if not rule.startswith(OPEN)]
    assert {"/api/v1/account", "/api/v1/jobs/<job_id>", "/logout"} <= set(private)


@pytest.mark.parametrize("who", ["visitor", "forger", "bert_cookie", "bert_token"])
def test_nobody_else_reads_or_changes_what_is_annas(
    service: Flask, own: dict[str, Any], who: str
) -> None:
    headers: dict[str, str] = {}
    client = service.test_client()
    if who == "forger":
        headers = {"Authorization": "Bearer swt_" + "A" * 43}
    if who == "bert_cookie":
        client = log_in(service, "bert")
        headers = csrf(client)
    if who == "bert_token":
        headers = bearer(service, "bert", "read", "write", "trade")
    kept = own["browser"].get("/api/v1/jobs").data
    tokens = own["browser"].get("/api/v1/account/tokens").get_json()["data"]
    for method, rule in routes(service):
        if rule.startswith(OPEN) or rule in ("/api/", "/api/v1/"):
            continue
        answer = ask(client, method, fill(rule, own["places"]), headers)
        if who in ("visitor", "forger"):
            assert answer.status_code in (401, 403), (method, rule, answer.status_code)
        if "<listener_name>" in rule:
            assert answer.status_code in (401, 403), (method, rule)
        if "<job_id>" in rule or "<token_id>" in rule:
            assert answer.status_code in (401, 403, 404), (method, rule)
        assert '"listener_name":"anna"' not in answer.text, (method, rule)
    assert own["browser"].get("/api/v1/jobs").data == kept
    after = own["browser"].get("/api/v1/account/tokens").get_json()["data"]
    assert [(t["token_id"], t["revoked_at"]) for t in after] == [
        (t["token_id"], t["revoked_at"]) for t in tokens
    ]
    account = own["browser"].get("/api/v1/account").get_json()["data"]
    assert account["is_public"] is False


def test_the_matrix_lets_the_owner_in(service: Flask, own: dict[str, Any]) -> None:
    """The control: the same requests by the owner are answered."""
    client = service.test_client()
    for method, rule in routes(service):
        if method == "GET" and not rule.startswith((*OPEN, "/login")):
            path = fill(rule, own["places"])
            answer = ask(client, method, path, own["header"])
            assert answer.status_code == 200, (rule, answer.text)


def test_lists_are_public_exactly_while_their_owner_says_so(
    service: Flask, own: dict[str, Any]
) -> None:
    visitor = service.test_client()
    path = "/api/v1/listeners/anna/top/artists"

    def set_public(is_public: bool) -> None:
        browser = own["browser"]
        body = {"is_public": is_public}
        done = browser.patch("/api/v1/account", json=body, headers=csrf(browser))
        assert done.status_code == 200

    assert visitor.get(path).status_code == 401
    set_public(True)
    opened = visitor.get(path)
    assert opened.status_code == 200
    assert opened.headers["Cache-Control"] == "private, no-store"
    assert visitor.get("/api/v1/jobs").status_code == 401
    set_public(False)
    assert visitor.get(path).status_code == 401
    assert shared(service).cache.statistics()["cache_entries"] == 0


def test_panel_listeners_without_an_account_are_private_unless_the_operator_says(
    make_service: Callable[..., Flask],
) -> None:
    path = "/api/v1/listeners/carl/development"
    closed = make_service()
    assert closed.test_client().get(path).status_code == 401
    header = bearer(closed, "anna", "read")
    assert closed.test_client().get(path, headers=header).status_code == 403
    opened = make_service(public_panel=True)
    assert opened.test_client().get(path).status_code == 200
    # A listener with an account decides alone, whatever the operator says.
    log_in(opened, "carl")
    assert opened.test_client().get(path).status_code == 401


def test_a_missing_listener_and_a_private_one_look_alike(service: Flask) -> None:
    visitor = service.test_client()
    missing = visitor.get("/api/v1/listeners/nobody")
    private = visitor.get("/api/v1/listeners/anna")
    assert (missing.status_code, missing.data) == (private.status_code, private.data)


def test_every_way_to_write_the_name_meets_the_same_door(service: Flask) -> None:
    visitor = service.test_client()
    for name in ("anna", "Anna", "ANNA", "%61nna", "anna.json", "anna.csv", "anna/"):
        for end in ("", "/top/artists", "/neighbours.csv"):
            path = f"/api/v1/listeners/{name}{end}"
            assert visitor.get(path).status_code in (308, 401, 404, 422), path
