"""Login through last.fm, browser sessions, tokens: what they allow, how they end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from local_lastfm.auth import API_KEY, SHARED_SECRET
from local_lastfm.local import LocalLastfm
from serve.accounts import store
from serve.accounts.current import COOKIE
from serve.accounts.database import accounts, sessions, tokens, utcnow
from serve.accounts.store import Account
from serve.app import create_app
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings, shared

CALLBACK = "/login/callback"


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    """A last.fm on loopback with a login page."""
    with LocalLastfm(world="demo") as running:
        yield running


def with_login(lastfm: LocalLastfm) -> dict[str, Any]:
    """The settings of a service whose login goes there."""
    return {
        "login_url": f"{lastfm.auth_url}?user=Margor",
        "login_api_url": lastfm.url,
        "warehouse": {"lastfm_api_key": API_KEY, "lastfm_shared_secret": SHARED_SECRET},
    }


@pytest.fixture
def app(make_service: Callable[..., Flask], lastfm: LocalLastfm) -> Flask:
    """A service whose login goes there."""
    return make_service(**with_login(lastfm))


@pytest.fixture
def with_pages(data_dir: Path, lastfm: LocalLastfm) -> Iterator[Flask]:
    """The same with pages and exchange."""
    app = create_app(make_settings(data_dir, **with_login(lastfm)))
    yield app
    close(app)


def allow(address: str) -> str:
    """What a person's click on "yes" does: gives the address last.fm sends back to."""
    answer = httpx2.get(address, follow_redirects=False)
    assert answer.status_code in (302, 303), answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def begin(browser: FlaskClient) -> str:
    """Begin a login; gives the path and query of the callback."""
    answer = browser.get("/login")
    assert answer.status_code == 303, answer.text
    return allow(answer.headers["Location"])


def test_a_login_at_last_fm_opens_a_session_under_that_name(app: Flask) -> None:
    browser = app.test_client()
    done = browser.get(begin(browser))
    assert done.status_code == 303 and done.headers["Location"] == "/"
    account = browser.get("/api/v1/account").get_json()["data"]
    assert account["listener_name"] == "Margor"
    assert account["listener_id"] == "margor"
    assert account["via"] == "cookie" and account["csrf_token"]
    cookie = next(c for c in done.headers.getlist("Set-Cookie") if COOKIE in c)
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("/exchange/portfolio", "/exchange/portfolio"),
        ("/charts/panel_artists?period=week", "/charts/panel_artists?period=week"),
        ("/me", "/me"),
        ("/logout", "/"),
        ("/api/v1/account", "/"),
        ("/\\other.invalid", "/"),
        ("/nowhere", "/"),
        (f"/exchange/artists/{'0a' * 16}", f"/exchange/artists/{'0a' * 16}"),
        ("//other.invalid/exchange", "/"),
        ("https://other.invalid/exchange", "/"),
        ("/exchange/../logout", "/"),
        (f"/exchange/artists/{'0a' * 16}\n", "/"),
        ("/exchange/profile/reset", "/"),
        ("/theme/dark", "/"),
    ],
)
def test_a_login_leads_back_to_a_page_of_ours_and_nowhere_else(
    with_pages: Flask, asked: str, leads: str
) -> None:
    browser = with_pages.test_client()
    begun = browser.get("/login", query_string={"back": asked})
    done = browser.get(allow(begun.headers["Location"]))
    assert (done.status_code, done.headers["Location"]) == (303, leads)


def test_last_fms_session_key_is_kept_nowhere(app: Flask, data_dir: Path) -> None:
    browser = app.test_client()
    browser.get(begin(browser))
    kept = b"".join(path.read_bytes() for path in data_dir.glob("accounts.sqlite*"))
    with shared(app).accounts.begin() as connection:
        names = connection.execute(text("select sql from sqlite_master")).scalars()
        assert not any("session_key" in (name or "") for name in names)
    assert not re.search(rb"[^0-9a-f][0-9a-f]{32}[^0-9a-f]", kept)


def test_a_state_works_once(app: Flask) -> None:
    browser = app.test_client()
    callback = begin(browser)
    assert browser.get(callback).status_code == 303
    again = app.test_client()
    again.set_cookie("scrobble_login", _state_cookie(callback), path="/login")
    refused = again.get(callback)
    assert refused.status_code == 403
    assert "used before" in refused.get_json()["detail"]


def test_a_state_of_another_browser_is_refused(app: Flask) -> None:
    callback = begin(app.test_client())
    refused = app.test_client().get(callback)
    assert refused.status_code == 403
    assert COOKIE not in str(refused.headers)


@pytest.mark.parametrize("state", ["", "made-up", "a.b.c"])
def test_a_state_that_was_not_signed_here_is_refused(app: Flask, state: str) -> None:
    refused = app.test_client().get(
        CALLBACK, query_string={"state": state, "token": "x"}
    )
    assert refused.status_code == 403


def test_a_changed_state_is_refused(app: Flask) -> None:
    browser = app.test_client()
    callback = begin(browser)
    state = parse_qs(urlsplit(callback).query)["state"][0]
    changed = callback.replace(state[:8], state[:7] + ("A" if state[7] != "A" else "B"))
    assert browser.get(changed).status_code == 403


def test_a_token_last_fm_does_not_know_logs_nobody_in(app: Flask) -> None:
    browser = app.test_client()
    callback = begin(browser)
    token = parse_qs(urlsplit(callback).query)["token"][0]
    refused = browser.get(callback.replace(token, "0" * 32))
    assert refused.status_code == 502
    assert refused.get_json()["code"] == "login_failed"
    assert SHARED_SECRET not in refused.text and API_KEY not in refused.text
    assert browser.get("/api/v1/account").status_code == 401


def test_last_fm_being_away_is_said(make_service: Callable[..., Flask]) -> None:
    app = make_service(
        login_api_url="http://127.0.0.1:9/2.0/",
        warehouse={"lastfm_api_key": API_KEY, "lastfm_shared_secret": SHARED_SECRET},
    )
    browser = app.test_client()
    address = browser.get("/login").headers["Location"]
    assert address.startswith("https://www.last.fm/api/auth/?api_key=")
    callback = parse_qs(urlsplit(address).query)["cb"][0]
    parts = urlsplit(callback)
    refused = browser.get(f"{parts.path}?{parts.query}&token=abc")
    assert refused.status_code == 502


def test_login_without_a_key_names_the_settings(client: FlaskClient) -> None:
    refused = client.get("/login")
    assert refused.status_code == 503
    assert "LASTFM_API_KEY" in refused.get_json()["detail"]


def test_a_cookies_write_needs_the_csrf_token(service: Flask) -> None:
    browser = log_in(service, "Anna")
    body = {"is_public": True}
    assert browser.patch("/api/v1/account", json=body).get_json()["code"] == (
        "csrf_failed"
    )
    other = csrf(log_in(service, "Bert"))
    assert browser.patch("/api/v1/account", json=body, headers=other).status_code == 403
    done = browser.patch("/api/v1/account", json=body, headers=csrf(browser))
    assert done.get_json()["data"]["is_public"] is True


def test_a_tampered_cookie_is_a_visitors(service: Flask) -> None:
    browser = log_in(service, "Anna")
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    browser.set_cookie(COOKIE, cookie.value[:-2] + "xx")
    assert browser.get("/api/v1/account").status_code == 401


def test_a_session_ends_by_time(service: Flask) -> None:
    browser = log_in(service, "Anna")
    with shared(service).accounts.begin() as connection:
        connection.execute(
            update(sessions).values(expires_at=utcnow() - timedelta(seconds=1))
        )
    assert browser.get("/api/v1/account").status_code == 401


def test_a_session_that_is_not_used_ends_and_one_that_is_does_not(
    service: Flask,
) -> None:
    browser = log_in(service, "Anna")
    idle = shared(service).settings.session_idle_days

    def unused_for(**span: float) -> None:
        with shared(service).accounts.begin() as connection:
            connection.execute(
                update(sessions).values(last_used_at=utcnow() - timedelta(**span))
            )

    unused_for(days=idle, minutes=-1)
    assert browser.get("/api/v1/account").status_code == 200
    with shared(service).accounts.begin() as connection:
        used_at = connection.execute(select(sessions.c.last_used_at)).scalar_one()
    assert utcnow() - used_at < timedelta(minutes=1), "it was used just now"
    unused_for(days=idle, minutes=1)
    assert browser.get("/api/v1/account").status_code == 401


def test_a_login_ends_the_session_that_the_browser_had(app: Flask) -> None:
    browser, other = app.test_client(), app.test_client()
    for client in (browser, other):
        client.get(begin(client))
    stolen = browser.get_cookie(COOKIE)
    assert stolen is not None
    browser.get(begin(browser))
    assert browser.get("/api/v1/account").status_code == 200
    thief = app.test_client()
    thief.set_cookie(COOKIE, stolen.value)
    assert thief.get("/api/v1/account").status_code == 401
    # The control: another browser of the same person is left alone.
    assert other.get("/api/v1/account").status_code == 200


def test_a_name_that_was_registered_anew_inherits_no_account(app: Flask) -> None:
    browser = app.test_client()
    browser.get(begin(browser))
    with shared(app).accounts.begin() as connection:
        kept = connection.execute(select(accounts.c.registered_uts)).scalar_one()
    assert kept > 0
    # The same person comes again.
    assert browser.get(begin(browser)).status_code == 303
    with shared(app).accounts.begin() as connection:
        connection.execute(update(accounts).values(registered_uts=kept - 86400))
    stranger = app.test_client()
    refused = stranger.get(begin(stranger))
    assert refused.status_code == 403
    assert "registered anew" in refused.get_json()["detail"]
    assert stranger.get("/api/v1/account").status_code == 401
    # An account of before learns the time at its next login.
    with shared(app).accounts.begin() as connection:
        connection.execute(update(accounts).values(registered_uts=None))
    assert browser.get(begin(browser)).status_code == 303
    with shared(app).accounts.begin() as connection:
        again = connection.execute(select(accounts.c.registered_uts)).scalar_one()
    assert again == kept


def test_expired_tokens_leave_room_for_new_ones(
    service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_TOKENS", 2)
    browser = log_in(service, "Anna")
    headers = csrf(browser)

    def ask() -> int:
        body = {"name": "t", "scopes": ["read"]}
        path = "/api/v1/account/tokens"
        return int(browser.post(path, json=body, headers=headers).status_code)

    assert [ask(), ask(), ask()] == [201, 201, 409]
    with shared(service).accounts.begin() as connection:
        connection.execute(update(tokens).values(expires_at=utcnow()))
    assert ask() == 201


def test_logging_out_ends_this_session_only(service: Flask) -> None:
    one, two = log_in(service, "Anna"), log_in(service, "anna")
    assert one.post("/logout").status_code == 403
    form = {"csrf_token": csrf(one)["X-CSRF-Token"]}
    assert one.post("/logout", data=form).status_code == 303
    assert two.get("/api/v1/account").status_code == 200
    assert one.get("/api/v1/account").status_code == 401


def test_logging_out_everywhere_ends_sessions_and_tokens(service: Flask) -> None:
    one, two = log_in(service, "Anna"), log_in(service, "Anna")
    token = bearer(service, "Anna", "read")
    other = bearer(service, "Bert", "read")
    ended = one.post("/api/v1/account/logout-everywhere", headers=csrf(one)).get_json()
    assert ended["data"] == {"sessions_ended": 3, "tokens_revoked": 1}
    assert two.get("/api/v1/account").status_code == 401
    client = service.test_client()
    assert client.get("/api/v1/account", headers=token).status_code == 401
    assert client.get("/api/v1/account", headers=other).status_code == 200


def test_a_token_is_stored_as_its_hash_only(service: Flask, data_dir: Path) -> None:
    header = bearer(service, "Anna", "read")
    secret = header["Authorization"].removeprefix("Bearer ")
    assert secret.startswith("swt_") and len(secret) >= 4 + 43
    kept = b"".join(path.read_bytes() for path in data_dir.glob("accounts.sqlite*"))
    assert secret.encode() not in kept
    with shared(service).accounts.begin() as connection:
        assert connection.execute(select(tokens.c.token_hash)).scalar() == store.digest(
            secret
        )


def test_a_token_allows_what_its_scopes_say(service: Flask) -> None:
    client = service.test_client()
    reading = bearer(service, "Anna", "read")
    assert client.get("/api/v1/account", headers=reading).status_code == 200
    refused = client.patch("/api/v1/account", json={"is_public": True}, headers=reading)
    assert refused.get_json()["code"] == "missing_scope"
    writing = bearer(service, "Anna", "write")
    assert client.get("/api/v1/account", headers=writing).status_code == 403
    done = client.patch("/api/v1/account", json={"is_public": False}, headers=writing)
    assert done.status_code == 200


def test_a_token_ends_by_time_and_by_revocation(service: Flask) -> None:
    client, browser = service.test_client(), log_in(service, "Anna")
    header = bearer(service, "Anna", "read")
    listed = browser.get("/api/v1/account/tokens").get_json()["data"]
    assert "token" not in listed[0]
    token_id = listed[0]["token_id"]
    path = f"/api/v1/account/tokens/{token_id}"
    stranger = log_in(service, "Bert")
    assert stranger.delete(path, headers=csrf(stranger)).status_code == 404
    assert client.get("/api/v1/account", headers=header).status_code == 200
    assert browser.delete(path, headers=csrf(browser)).status_code == 200
    assert client.get("/api/v1/account", headers=header).status_code == 401
    second = bearer(service, "Anna", "read")
    with shared(service).accounts.begin() as connection:
        connection.execute(
            update(tokens).values(expires_at=utcnow() - timedelta(seconds=1))
        )
    assert client.get("/api/v1/account", headers=second).status_code == 401


def test_a_token_can_make_no_token_and_delete_no_account(service: Flask) -> None:
    header = bearer(service, "Anna", "read", "write", "trade", "admin")
    client = service.test_client()
    made = client.post(
        "/api/v1/account/tokens", json={"name": "x", "scopes": ["read"]}, headers=header
    )
    assert made.status_code == 403
    assert client.delete("/api/v1/account", headers=header).status_code == 403


def test_only_listeners_the_operator_named_may_hold_admin(service: Flask) -> None:
    browser = log_in(service, "Bert")
    refused = browser.post(
        "/api/v1/account/tokens",
        json={"name": "x", "scopes": ["admin"]},
        headers=csrf(browser),
    )
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "header",
    ["Bearer ", "Bearer swt_x", "Basic YTpi", "swt_x", "Bearer swt_" + "x" * 500],
)
def test_a_header_that_is_no_good_token_is_refused_even_with_a_cookie(
    service: Flask, header: str
) -> None:
    browser = log_in(service, "Anna")
    refused = browser.get("/api/v1/account", headers={"Authorization": header})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_deleting_an_account_deletes_its_data_after_the_others_agreed(
    service: Flask,
) -> None:
    told: list[Account] = []
    shared(service).leaving.append(told.append)
    browser, header = log_in(service, "Anna"), bearer(service, "Anna", "read")
    browser.post("/api/v1/panel", headers=csrf(browser))
    done = browser.delete("/api/v1/account", headers=csrf(browser))
    assert done.status_code == 200
    assert [account.listener_id for account in told] == ["anna"]
    client = service.test_client()
    assert client.get("/api/v1/account", headers=header).status_code == 401
    with shared(service).accounts.begin() as connection:
        for table in ("accounts", "account_sessions", "account_tokens", "jobs"):
            found = connection.execute(text(f"select count(*) from {table}"))
            assert found.scalar() == 0, table


def test_an_account_is_kept_when_another_part_cannot_let_go(
    service: Flask,
) -> None:
    def refuse(account: Account) -> None:
        raise RuntimeError("the ledger is busy")

    shared(service).leaving.append(refuse)
    browser = log_in(service, "Anna")
    answer = browser.delete("/api/v1/account", headers=csrf(browser))
    assert answer.status_code == 500
    assert browser.get("/api/v1/account").status_code == 200


def test_an_account_id_is_never_given_twice(service: Flask) -> None:
    browser = log_in(service, "Anna")
    first = browser.get("/api/v1/account").get_json()["data"]["account_id"]
    browser.delete("/api/v1/account", headers=csrf(browser))
    again = log_in(service, "Anna").get("/api/v1/account").get_json()["data"]
    assert again["account_id"] > first


def test_names_in_another_case_are_one_account(service: Flask) -> None:
    log_in(service, "Anna")
    log_in(service, "ANNA")
    with shared(service).accounts.begin() as connection:
        found = connection.execute(select(accounts.c.listener_name)).scalars().all()
    assert found == ["ANNA"]


def test_logins_are_limited_by_rate(make_service: Callable[..., Flask]) -> None:
    client = make_service(login_rate_limit="3 per day").test_client()
    statuses = [client.get("/login").status_code for _ in range(5)]
    assert statuses == [503, 503, 503, 429, 429]


def test_computed_answers_are_limited_by_rate_but_hits_are_not(
    make_service: Callable[..., Flask],
) -> None:
    client = make_service(rate_limit="3 per day").test_client()
    computed = [client.get(f"/api/v1/tags?limit={n}").status_code for n in range(1, 6)]
    assert computed == [200, 200, 200, 429, 429]
    assert client.get("/api/v1/tags?limit=1").status_code == 200
    refused = client.get("/api/v1/tags?limit=9")
    assert refused.get_json()["code"] == "rate_limited"
    assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 422),
        (b'{"name": "x", "scopes": []}', "application/json", 422),
        (b'{"name": "x", "scopes": ["root"]}', "application/json", 422),
        (b'{"name": "x", "scopes": ["read"], "more": 1}', "application/json", 422),
        (b'{"name": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    ],
)
def test_bodies_that_make_no_sense_are_refused(
    service: Flask, body: bytes, kind: str, status: int
) -> None:
    browser = log_in(service, "Anna")
    answer = browser.post(
        "/api/v1/account/tokens", data=body, content_type=kind, headers=csrf(browser)
    )
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"


def test_accounts_work_on_postgres_too(
    make_service: Callable[..., Flask], postgres_url: str, world: Any, tmp_path: Path
) -> None:
    from tests.serve.marts import write_postgres

    write_postgres(world, postgres_url)
    app = make_service(
        data_dir=tmp_path / "pg",
        pointer_seconds=0,
        warehouse={"warehouse_url": postgres_url},
    )
    browser = log_in(app, "Anna")
    header = bearer(app, "Anna", "read", "write", "admin")
    job = browser.post("/api/v1/panel", headers=csrf(browser))
    assert job.status_code == 202
    client = app.test_client()
    assert client.get("/api/v1/account", headers=header).status_code == 200
    client.get("/api/v1/tags")
    dropped = client.post("/api/v1/cache/invalidate", headers=header)
    assert dropped.status_code == 200, dropped.text
    client.get("/api/v1/charts")
    assert shared(app).cache.statistics()["cache_entries"] == 1
    done = browser.delete("/api/v1/account", headers=csrf(browser))
    assert done.status_code == 200


def _state_cookie(callback: str) -> str:
    return store.digest(parse_qs(urlsplit(callback).query)["state"][0])
