"""What cannot be taken back needs a person who has just logged in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from serve.accounts.current import FRESH
from serve.accounts.database import requests, sessions, utcnow
from tests.serve.conftest import bearer, csrf, log_in, shared

#: Method, path, body or form, and the page that logging in leads back to.
IRREVERSIBLE = [
    ("DELETE", "/api/v1/account", None, "/me"),
    ("PATCH", "/api/v1/account", {"is_public": True}, "/me"),
    ("DELETE", "/api/v1/exchange/player", None, "/exchange/profile"),
    ("POST", "/api/v1/exchange/player/reset", None, "/exchange/profile"),
    ("POST", "/me/delete", {"sure": "yes"}, "/me"),
    ("POST", "/me/visibility", {"is_public": "true"}, "/me"),
    ("POST", "/exchange/profile/leave", {"sure": "yes"}, "/exchange/profile"),
    ("POST", "/exchange/profile/reset", {"sure": "yes"}, "/exchange/profile"),
]


@pytest.fixture
def app(open_market: Flask) -> Flask:
    return open_market


def grow_old(app: Flask, age: timedelta) -> None:
    """Let all sessions have been opened so long ago."""
    with shared(app).accounts.begin() as connection:
        connection.execute(update(sessions).values(created_at=utcnow() - age))


def ask(
    browser: FlaskClient, method: str, path: str, body: dict[str, object] | None
) -> tuple[int, str]:
    """The status and the text of an answer."""
    headers = {**csrf(browser), "Idempotency-Key": "once"}
    if path.startswith("/api/"):
        answer = browser.open(path, method=method, json=body, headers=headers)
    else:
        headers["Accept"] = "text/html"
        answer = browser.open(path, method=method, data=body, headers=headers)
    return answer.status_code, answer.text


@pytest.mark.parametrize(("method", "path", "body", "page"), IRREVERSIBLE)
def test_an_old_login_is_asked_again_and_a_fresh_one_is_not(
    app: Flask, method: str, path: str, body: dict[str, object] | None, page: str
) -> None:
    browser = log_in(app, "bert")
    grow_old(app, FRESH + timedelta(seconds=1))
    status, said = ask(browser, method, path, body)
    assert status == 403
    assert f"/login?back={page}" in said
    # The control: the same of a login that is just young enough.
    grow_old(app, FRESH - timedelta(minutes=1))
    status, said = ask(browser, method, path, body)
    assert status in (200, 303), said


def test_taking_back_what_is_public_needs_no_fresh_login(app: Flask) -> None:
    browser = log_in(app, "bert")
    grow_old(app, timedelta(days=1))
    assert ask(browser, "PATCH", "/api/v1/account", {"is_public": False})[0] == 200


def test_no_token_does_what_cannot_be_taken_back(app: Flask) -> None:
    headers = bearer(app, "bert", "read", "write", "trade")
    for method, path, body, _ in IRREVERSIBLE[:4]:
        answer = app.test_client().open(
            path,
            method=method,
            json=body,
            headers={**headers, "Idempotency-Key": "once"},
        )
        assert answer.status_code == 403, path


def test_a_deleted_account_asks_for_the_rest_in_one_transaction(app: Flask) -> None:
    browser = log_in(app, "bert")
    assert ask(browser, "DELETE", "/api/v1/account", None)[0] == 200
    with shared(app).accounts.begin() as connection:
        asked = connection.execute(select(requests.c.listener_id)).scalars().all()
    assert asked == ["bert"]
    # Who logs in again meanwhile is not fetched before that is done.
    again = log_in(app, "bert")
    status, said = ask(again, "POST", "/api/v1/panel", None)
    assert status == 409 and "still being deleted" in said
