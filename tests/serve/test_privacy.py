"""Nobody reads or changes what is another's: every route, every kind of caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from exchange.database import Database
from serve.api.exchange import Exchange
from serve.app import create_app
from tests.exchange.game import Game
from tests.exchange.game import artist as exchange_artist
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings, shared
from tests.serve.marts import key

OPEN = ("/api/v1/charts", "/api/v1/artists", "/api/v1/insights", "/api/v1/trends")
OPEN += ("/api/v1/rankings", "/api/v1/tags", "/api/v1/freshness", "/api/v1/versions")
OPEN += ("/api/v1/statistics", "/api/docs", "/problems", "/health", "/ready", "/login")
OPEN += ("/openapi.json", "/static", "/favicon.ico", "/theme", "/about", "/docs/")
OPEN += ("/artists", "/charts", "/compare", "/tags", "/trends")
OPEN += ("/tracks/", "/albums/", "/api/v1/tracks/", "/api/v1/albums/")
OPEN += ("/restatements", "/api/v1/restatements", "/api/v1/search", "/methods")
OPEN += ("/api/v1/value-constants", "/privacy", "/sql", "/search")
OPEN += ("/manifest.webmanifest", "/icon-", "/covers/")
# Beside these; an invitation to log in counts as open, and a page that says no more
# than that a listener keeps this private.
OPEN_EXACTLY = {"/", "/api/", "/api/v1/", "/listeners", "/me"}
OPEN_EXACTLY |= {"/listeners/<listener_name>"}
OPEN_EXACTLY |= {
    f"/listeners/<listener_name>/{rest}"
    for rest in (
        "top/<entity>",
        "plays",
        "next",
        "statistics/<part>",
        "<entity>/<entity_id>",
        "reports/<period>",
        "reports/<period>/card.<picture>",
    )
}
OPEN_EXACTLY |= {"/exchange", "/exchange/artists/<artist_id>", "/exchange/boards"}
OPEN_EXACTLY |= {"/exchange/economy", "/exchange/tour", "/api/v1/exchange"}
# Who is logged in learns the own cash, a visitor that there is none.
OPEN_EXACTLY |= {"/exchange/standing"}
OPEN_EXACTLY |= {
    f"/api/v1/exchange/{rest}"
    for rest in (
        "lists/<list_name>",
        "artists/<artist_id>",
        "artists/<artist_id>/prices",
        "economy",
        "boards/<board>",
    )
}
LOW = exchange_artist("Low")
PLACES = {
    "artist_id": key("Artist 00"),
    "entity_id": key("Artist 00"),
    "tag_id": key("rock"),
    "chart": "panel_artists",
    "entity": "artists",
    "grain": "month",
    "part": "activity",
    "period": "2026",
    "picture": "svg",
    "track_id": key("Artist 00\x1fSong 0"),
    "album_id": key("Artist 00\x1fAlbum"),
    "cover_id": key("Artist 00\x1fcover"),
    "listener_name": "anna",
    "size": "180",
    "code": "not_found",
    "filename": "site.css",
    "choice": "dark",
    "board": "worth",
    "list_name": "dearest",
    "token": "swt_nobody",
    "link": "nobody",
    "weekly_token": "swt_nobody",
    "invitation": "nobody",
}
#: What a path names as one person's: nobody else may reach it.
OWNED = ("<listener_name>", "<job_id>", "token_id>", "<order_id>", "<league_id>")
OWNED += ("<player_id>", "<token>", "<link>", "<rule_id>")
TERMS = {"artist_id": LOW, "side": "buy", "shares": 2}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/account/tokens"): {"name": "x", "scopes": ["read"]},
    ("PATCH", "/api/v1/account"): {"is_public": True},
    ("POST", "/api/v1/account/artists"): {"artist": "Somebody Unheard Of"},
    ("POST", "/api/v1/account/corrections"): {"artist": "Low", "becomes": "Fly"},
    ("POST", "/api/v1/account/rules"): {"kind": "exclude_tag", "tag": "rock"},
    ("POST", "/api/v1/account/rules/preview"): {"kind": "exclude_tag", "tag": "rock"},
    ("PATCH", "/api/v1/exchange/player"): {"is_public": True},
    ("POST", "/api/v1/exchange/quotes"): TERMS,
    ("POST", "/api/v1/exchange/trades"): {**TERMS, "quote": "x"},
    ("POST", "/api/v1/exchange/orders"): TERMS,
    ("POST", "/api/v1/exchange/friends-leagues"): {"league_name": "theirs"},
    ("POST", "/api/v1/exchange/friends-leagues/join"): {"code": "XXXXXXXX"},
}
#: They end the caller's own account or session, so they come last.
FAREWELLS = ("DELETE /api/v1/exchange/player", "POST /exchange/profile/leave")
FAREWELLS += ("POST /logout", "POST /api/v1/account/logout-everywhere")
FAREWELLS += ("DELETE /api/v1/account",)


def routes(app: Flask) -> list[tuple[str, str]]:
    """Every method and rule of the whole service, farewells last."""
    found = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    names = {f"{method} {rule}" for method, rule in found}
    assert names >= set(FAREWELLS)

    def last(route: tuple[str, str]) -> tuple[int, str, str]:
        name = " ".join(route)
        return (FAREWELLS.index(name) + 1 if name in FAREWELLS else 0, *route)

    return sorted(found, key=last)


def is_open(method: str, rule: str) -> bool:
    """Whether everybody may ask this."""
    return method == "GET" and (rule in OPEN_EXACTLY or rule.startswith(OPEN))


def fill(rule: str, places: dict[str, str]) -> str:
    """The path of a rule."""
    if "exchange" in rule:
        places = {**places, "artist_id": LOW}
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: places[match[1]], rule)


@pytest.fixture
def service(data_dir: Path, tmp_path: Path) -> Iterator[Flask]:
    """The whole service: the API, the pages and an open market."""
    app = create_app(make_settings(data_dir))
    database = Database(f"sqlite:///{tmp_path / 'market.sqlite'}", sync="OFF")
    database.upgrade()
    game = Game(database).opened()
    app.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    yield app
    close(app)
    database.dispose()


@pytest.fixture
def own(service: Flask) -> dict[str, Any]:
    """Anna with one of everything that is private."""
    browser = log_in(service, "anna")
    header = bearer(service, "anna", "read", "write", "trade", "admin")

    def send(method: str, path: str, body: Any = None) -> Any:
        headers = {**csrf(browser), "Idempotency-Key": path.replace("/", "-")}
        answer = browser.open(path, method=method, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.get_json()["data"]

    job = send("POST", "/api/v1/panel")
    tokens = browser.get("/api/v1/account/tokens").get_json()["data"]
    rule = send(
        "POST",
        "/api/v1/account/rules",
        {"kind": "exclude_artist", "artist": "Annas secret band"},
    )
    elsewhere = {"listenbrainz_account": "Annas other name"}
    send("PATCH", "/api/v1/account", elsewhere)
    player = browser.get("/api/v1/exchange/portfolio").get_json()["data"]
    send("PATCH", "/api/v1/exchange/player", {"is_public": False})
    quote = send("POST", "/api/v1/exchange/quotes", TERMS)["quote"]
    trade = send("POST", "/api/v1/exchange/trades", {**TERMS, "quote": quote})
    order = send("POST", "/api/v1/exchange/orders", TERMS)
    league = send("POST", "/api/v1/exchange/friends-leagues", {"league_name": "ours"})
    places = {
        **PLACES,
        "job_id": job["job_id"],
        "token_id": str(tokens[0]["token_id"]),
        "order_id": order["order_id"],
        "league_id": league["league_id"],
        "player_id": player["player_id"],
        "rule_id": rule["rule_id"],
    }
    secrets = [
        rule["rule_id"],
        "Annas secret band",
        "Annas other name",
        job["job_id"],
        tokens[0]["prefix"],
        order["order_id"],
    ]
    secrets += [league["code"], league["league_id"], trade["trade_id"]]
    secrets += [csrf(browser)["X-CSRF-Token"], player["player_id"]]
    return {
        "browser": browser,
        "header": header,
        "places": places,
        "secrets": [*secrets, '"listener_name":"anna"'],
    }


def ask(
    client: FlaskClient,
    method: str,
    rule: str,
    places: dict[str, str],
    headers: dict[str, str],
) -> Any:
    """Send what the route takes to the path that names what is Anna's."""
    given = {"Idempotency-Key": f"{method}-{rule}"[:60], **headers}
    body = BODIES.get((method, rule))
    path = fill(rule, places)
    return client.open(path, method=method, json=body, headers=given, buffered=True)


def kept(own: dict[str, Any]) -> dict[str, Any]:
    """All that is Anna's, as she sees it."""
    found = {
        path: own["browser"].get(path).get_json()["data"]
        for path in (
            "/api/v1/account",
            "/api/v1/account/tokens",
            "/api/v1/account/rules",
            "/api/v1/jobs",
            "/api/v1/exchange/portfolio",
            "/api/v1/exchange/history",
            "/api/v1/exchange/orders",
            "/api/v1/exchange/friends-leagues",
        )
    }
    for token in found["/api/v1/account/tokens"]:
        del token["last_used_at"]
    return found


def test_the_matrix_knows_every_route(service: Flask) -> None:
    found = routes(service)
    assert len(found) > 120
    private = {
        f"{method} {rule}" for method, rule in found if not is_open(method, rule)
    }
    assert {"GET /api/v1/account", "GET /api/v1/jobs/<job_id>"} <= private
    assert {
        "GET /exchange/portfolio",
        "GET /api/v1/listeners/<listener_name>",
    } <= private
    assert {" ".join(route) for route in BODIES} <= private


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
    before = kept(own)
    for method, rule in routes(service):
        if who.startswith("bert") and f"{method} {rule}" == FAREWELLS[0]:
            # The control: all until here was refused to Bert, not to nobody.
            mine = client.get("/api/v1/account", headers=headers).get_json()["data"]
            assert mine["listener_id"] == "bert"
        answer = ask(client, method, rule, own["places"], headers)
        named = (method, rule, answer.status_code)
        assert answer.status_code < 500 or rule.startswith("/login"), named
        if not is_open(method, rule) and who in ("visitor", "forger"):
            # A form that is not filled in may be refused before its sender is.
            is_form = method == "POST" and rule.startswith(("/exchange", "/me"))
            assert answer.status_code in (401, 403, 404, 422 if is_form else 401)
        if any(name in rule for name in OWNED):
            if rule in OPEN_EXACTLY and who != "forger":
                assert "This listener keeps this private" in answer.text, named
            else:
                assert answer.status_code in (401, 403, 404), named
        if method == "GET" or not any(name in rule for name in OWNED):
            for secret in own["secrets"]:
                assert secret.encode() not in answer.data, (*named, secret)
    assert kept(own) == before


def test_the_matrix_lets_the_owner_in(service: Flask, own: dict[str, Any]) -> None:
    """The control: the same requests by the owner are answered."""
    found = ""
    browser = own["browser"]
    # The feed's address is told once, and opens to whoever has it.
    form = {"csrf_token": csrf(browser)["X-CSRF-Token"]}
    told = re.search(
        r"/exchange/feed/(swt_[\w-]+)", browser.post("/exchange/feed", data=form).text
    )
    assert told is not None
    weekly = re.search(
        r"/weekly/(swt_[\w-]+)", browser.post("/me/weekly", data=form).text
    )
    assert weekly is not None
    # So does a shared report's.
    link = re.search(
        r'"/shared/([^"]+)"', browser.get("/listeners/anna/reports/2026").text
    )
    assert link is not None
    places = {**own["places"], "token": told[1], "link": link[1]}
    places["weekly_token"] = weekly[1]
    # Such a token is nobody elsewhere: no refusal tells whose it is.
    visitor = service.test_client()
    for token in (told[1], weekly[1]):
        for listener in ("anna", "bert"):
            answer = visitor.get(
                f"/api/v1/listeners/{listener}",
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 401, listener
    for method, rule in routes(service):
        if method == "GET" and not is_open(method, rule):
            answer = browser.get(fill(rule, places))
            assert answer.status_code == 200, (rule, answer.text)
            found += answer.text
    shown = [secret for secret in own["secrets"] if secret in found]
    assert shown == own["secrets"]


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
