"""No answer tells anybody of a private listener: every route, format and parameter.

The routes come from the application, their parameters from its own description, so a
new one is walked by itself. What a path asks for (an artist, a player) comes from the
world; a name nobody has thought of fails with the way out.
"""

from __future__ import annotations

import copy
import hashlib
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from exchange import schema
from exchange.database import Database
from serve import visibility
from serve.accounts import store as accounts
from serve.api.exchange import Exchange
from serve.app import create_app
from tests.exchange.game import Game
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings, shared
from tests.serve.marts import World, key, publish, version_path, write_duckdb
from tests.serve.test_privacy import PLACES, TERMS, fill, routes

VERSION = "20260314-000001"
#: Strings that stand nowhere else, whatever becomes of them on the way.
NAMES = {
    "anna": "Qxanna-7jw",
    "bert": "Qxbert_8kv",
    "carl": "Qxcarl-9zz",
    "dora": "Qxdora_1hq",
    "emil": "Qxemil-2wj",
    "fred": "Qxfred_3vk",
}
PUBLIC = ("carl", "emil")
PRIVATE = tuple(name for name in NAMES if name not in PUBLIC)
NOBODY = "Qxnone-5yy"
FORMATS = ("csv", "ndjson", "parquet")
SCOPES = ("read", "write", "trade", "admin")
COUNTRIES = {"anna": "Norway", "bert": "Norway", "carl": "Iceland"}


def signs(who: str) -> tuple[str, ...]:
    """All that says who somebody is: name, id, and keys made of these."""
    name = NAMES[who]
    found = {name.casefold()}
    for text in (name, name.casefold()):
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
            found.add(digest(text.encode()).hexdigest())
    return tuple(found)


def renamed(value: Any) -> Any:
    """A cell of the world with the listeners' names of this test."""
    if isinstance(value, str):
        for old, new in NAMES.items():
            if value == old:
                return new.casefold()
            if value == old.title():
                return new
            if value == f"heard by {old.title()}":
                return "Played by 3 listeners with a taste like yours"
    return value


@pytest.fixture(scope="module")
def walked_world(world: World) -> World:
    """The world with those names, and two who are alone in their country."""
    changed = World(
        world.as_of,
        {
            table: [{name: renamed(cell) for name, cell in row.items()} for row in rows]
            for table, rows in copy.deepcopy(world.rows).items()
        },
    )
    for row in changed["dim_listeners"]:
        old = next(o for o in NAMES if renamed(o) == row["listener_id"])
        row["country"] = COUNTRIES.get(old, "Japan")
        row["country_key"] = row["country"].lower()
    return changed


@dataclass
class Served:
    """The service with everybody's account and player."""

    app: Flask
    game: Game
    places: dict[str, str]
    browsers: dict[str, FlaskClient] = field(default_factory=dict)


@pytest.fixture(scope="module")
def served(
    walked_world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Six listeners with accounts, players, a league, trades and boards."""
    tmp_path = tmp_path_factory.mktemp("walk")
    path = version_path(tmp_path / "data", VERSION)
    path.parent.mkdir(parents=True)
    write_duckdb(walked_world, path)
    publish(tmp_path / "data", VERSION, walked_world.as_of)
    settings = make_settings(tmp_path / "data", admins=NAMES["dora"])
    app = create_app(settings)
    database = Database(f"sqlite:///{tmp_path / 'market.sqlite'}", sync="OFF")
    database.upgrade()
    game = Game(database).opened()
    app.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    made = Served(app, game, {})
    for who, name in NAMES.items():
        browser = made.browsers[who] = log_in(app, name)
        header = csrf(browser)
        if who in PUBLIC:
            body = {"is_public": True}
            browser.patch("/api/v1/account", json=body, headers=header)
        own = browser.get("/api/v1/exchange/portfolio").get_json()["data"]
        made.places[f"player {who}"] = own["player_id"]
        terms = dict(TERMS)
        quoted = browser.post("/api/v1/exchange/quotes", json=terms, headers=header)
        terms["quote"] = quoted.get_json()["data"]["quote"]
        headers = {**header, "Idempotency-Key": "walk"}
        done = browser.post("/api/v1/exchange/trades", json=terms, headers=headers)
        assert done.status_code == 201, done.text
    founder = made.browsers["anna"]
    headers = {**csrf(founder), "Idempotency-Key": "found"}
    league = founder.post(
        "/api/v1/exchange/friends-leagues", json={"league_name": "us"}, headers=headers
    ).get_json()["data"]
    for who in ("bert", "carl"):
        headers = {**csrf(made.browsers[who]), "Idempotency-Key": "join"}
        joined = made.browsers[who].post(
            "/api/v1/exchange/friends-leagues/join",
            json={"code": league["code"]},
            headers=headers,
        )
        assert joined.status_code == 200
    made.places["league_id"] = league["league_id"]
    game.next_day()
    yield made
    close(app)
    database.dispose()


# What is asked ----------------------------------------------------------------


def parameters(app: Flask, rule: str) -> list[dict[str, Any]]:
    """The parameters of a route by its own description; none for a page."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
    item = app.api_doc["paths"].get(path, {})  # type: ignore[attr-defined]
    found: list[dict[str, Any]] = item.get("get", {}).get("parameters", [])
    return found


def values(parameter: dict[str, Any], served: Served) -> list[str]:
    """Values worth asking a parameter with: those that isolate somebody before all."""
    schema_ = parameter["schema"]
    of_world = {
        "country": ["Norway", "Iceland", "Japan"],
        "artist": [key("Artist 00"), key("=1+1")],
        "artists": [key("Artist 00")],
        "tag": [key("rock"), key("jazz")],
        "q": ["art", "qx"],
        "name": ["Artist 00"],
        "from": ["2026-03-13"],
        "to": ["2025-12-01"],
        "since": ["2020-01-01"],
        "until": ["2030-01-01"],
        "scope": ["Japan"],
        "friends_league": [served.places["league_id"]],
        "limit": ["1000"],
        "min_shared_artists": ["0"],
        "league": ["mine", "bronze"],
        "year": ["2025"],
        "issues": ["100"],
        "depth": ["1000"],
    }
    given = schema_.get("enum") or ([schema_["const"]] if "const" in schema_ else None)
    if given is None:
        given = of_world.get(parameter["name"])
    if given is None and schema_.get("type") == "integer":
        given = [schema_.get("minimum", 1)]
    return [str(value) for value in given or ()]


def places_of(app: Flask, rule: str, served: Served) -> list[dict[str, str]]:
    """The things a path may name; every value of a closed list."""
    described = {p["name"]: p for p in parameters(app, rule) if p["in"] == "path"}
    choices: dict[str, list[str]] = {}
    for name in re.findall(r"<(?:\w+:)?(\w+)>", rule):
        found = described.get(name, {}).get("schema", {}).get("enum")
        if name == "listener_name":
            found = [NAMES["carl"]]
        elif name == "player_id":
            found = [served.places[f"player {who}"] for who in NAMES]
        elif name == "league_id":
            found = [served.places["league_id"]]
        elif found is None:
            wanted = {**PLACES, "order_id": "x", "job_id": "0" * 32, "token_id": "1"}
            assert name in wanted, f"{rule}: say in PLACES what {name} may be"
            # `fill` knows the artist of a path of the exchange.
            found = [wanted[name]]
        choices[name] = found
    return [
        dict(zip(choices, combination, strict=True))
        for combination in itertools.product(*choices.values())
    ]


def queries_of(app: Flask, rule: str, served: Served) -> Iterator[dict[str, str]]:
    """One parameter at a time, and each together with a country that isolates."""
    described = [p for p in parameters(app, rule) if p["in"] == "query"]
    if not described and not rule.startswith("/api/"):
        described = list(of_all_pages(app))
    base = {
        p["name"]: values(p, served)[0]
        for p in described
        if p.get("required") and values(p, served)
    }
    yield base
    with_country = any(p["name"] == "country" for p in described)
    for parameter in described:
        for value in values(parameter, served):
            yield {**base, parameter["name"]: value}
            if with_country and parameter["name"] in ("from", "artist", "tag"):
                yield {**base, parameter["name"]: value, "country": "Iceland"}


def of_all_pages(app: Flask) -> list[dict[str, Any]]:
    """What pages take has the names of the API: those that choose whom and what."""
    found: dict[str, dict[str, Any]] = {}
    for path in app.api_doc["paths"]:  # type: ignore[attr-defined]
        for parameter in parameters(app, path.replace("{", "<").replace("}", ">")):
            if parameter["in"] == "query":
                found.setdefault(parameter["name"], parameter)
    wanted = ("country", "counted", "sort", "year", "artist", "tag", "q")
    return [{**found[name], "required": False} for name in (*wanted, "friends_league")]


def text_of(answer: Any) -> str:
    """All an answer says, its head included, in one case."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    if answer.mimetype == "application/vnd.apache.parquet":
        import pyarrow.parquet

        read = pyarrow.parquet.read_table(io.BytesIO(answer.data))
        return f"{head}\n{read.to_pylist()}".casefold()
    return f"{head}\n{answer.data.decode('utf-8', 'replace')}".casefold()


Leaks = set[tuple[str, str]]


def walk(
    served: Served,
    client: FlaskClient,
    headers: dict[str, str],
    hidden: tuple[str, ...],
    *,
    every: int = 0,
) -> tuple[Leaks, int]:
    """Ask everything: where somebody hidden is told of, and how much was asked.

    Args:
        every: each route is asked as it is, and one question of so many; 0: as it is
            and of two days.
    """
    app = served.app
    # What is ready may be of another test's rule.
    shared(app).store.invalidate()
    wanted = {who: signs(who) for who in hidden}
    leaks: Leaks = set()
    asked = turn = 0
    for method, rule in routes(app):
        if method != "GET" or rule.startswith(("/login", "/api/docs")):
            continue
        # A token is its owner, who asks for every format.
        formats = FORMATS if rule.startswith("/api/") and not headers else ()
        found_places = places_of(app, rule, served)
        if not {"entity", "player_id"} & set(found_places[0]):
            # Two charts of eleven: the others differ by name.
            found_places = found_places[:2]
        for places in found_places:
            path = fill(rule, places)
            questions = list(queries_of(app, rule, served))
            if every:
                # The next place has others.
                turn += 1
                questions = [questions[0], *questions[1 + turn % every :: every]]
            else:
                # As it is, and of two days: the marts hold no such row.
                lone = [query for query in questions if "from" in query]
                questions = [*questions[:1], *lone[:1]]
            for number, query in enumerate(questions):
                endings = ["", *(f".{name}" for name in formats)]
                for ending in endings if number == 0 else [""]:
                    answer = client.get(
                        f"{path}{ending}",
                        query_string=query,
                        headers={**headers, "Accept": "text/html, */*"},
                        buffered=True,
                    )
                    asked += 1
                    assert answer.status_code < 500, (path, query, answer.text)
                    said = text_of(answer)
                    for who, found in wanted.items():
                        if any(sign in said for sign in found):
                            leaks.add((rule, ending))
                            assert who  # names the one in a debugger
    return leaks, asked


Viewer = tuple[FlaskClient, dict[str, str], str | None]


def viewer(served: Served, name: str) -> Viewer:
    """Who may ask, and which listener that is."""
    own = {"another": "bert", "owner": "anna", "public": "carl", "admin": "dora"}
    if name in own:
        return served.browsers[own[name]], {}, own[name]
    client = served.app.test_client()
    if name == "visitor":
        return client, {}, None
    return (
        client,
        bearer(served.app, NAMES["dora"], name.removeprefix("token ")),
        "dora",
    )


def hidden_from(own: str | None) -> tuple[str, ...]:
    """The private listeners somebody is not."""
    return tuple(who for who in PRIVATE if who != own)


WHO = ("another", "owner", "public", "admin")
WHO += tuple(f"token {scope}" for scope in SCOPES)


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("visitor", 2),
        pytest.param("visitor", 1, marks=pytest.mark.chaos),
        *((name, 0) for name in WHO),
    ],
)
def test_nobody_is_told_of_a_private_listener(
    served: Served, name: str, every: int
) -> None:
    client, headers, own = viewer(served, name)
    leaks, asked = walk(served, client, headers, hidden_from(own), every=every)
    assert leaks == set()
    print(f"asked {asked} times")
    assert asked > (500 if every else 200), asked


def test_the_walk_finds_what_each_is_told_of_oneself_and_of_public_ones(
    served: Served,
) -> None:
    """The control of the search: the same walk sees who may be seen."""
    visitor = served.app.test_client()
    public, _ = walk(served, visitor, {}, PUBLIC)
    for rule in ("/api/v1/rankings/listeners", "/api/v1/rankings/pairs"):
        assert {(rule, ""), (rule, ".csv"), (rule, ".parquet")} <= public
    assert {("/listeners", ""), ("/listeners/<listener_name>", "")} <= public
    own, _ = walk(served, served.browsers["anna"], {}, ("anna",))
    assert {("/me", ""), ("/api/v1/account", "")} <= own


KINDS = {
    ("/api/v1/artists/<artist_id>", ""),
    ("/api/v1/artists/<artist_id>/listeners", ".csv"),
    ("/api/v1/rankings/listeners", ".ndjson"),
    ("/api/v1/rankings/pairs", ".parquet"),
    ("/api/v1/insights/top/<entity>", ""),
    ("/api/v1/listeners/<listener_name>/neighbours", ""),
    ("/listeners", ""),
    ("/listeners/<listener_name>", ""),
    ("/artists/<artist_id>", ""),
}


def test_without_the_rule_the_walk_finds_every_kind_of_leak(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(visibility.WHO_SEES, "name", ("everybody", "everybody"))
    leaks, _ = walk(served, served.app.test_client(), {}, PRIVATE)
    assert leaks >= KINDS, KINDS - leaks


def test_a_player_under_its_last_fm_name_is_found(served: Served) -> None:
    """The control for the exchange: as players were called before they chose."""
    own = schema.players.c
    with served.game.database.write() as connection:
        drawn = connection.execute(select(own.player_id, own.player_name)).all()
        for who in PRIVATE:
            connection.execute(
                update(schema.players)
                .where(own.listener_id == NAMES[who].casefold())
                .values(player_name=NAMES[who])
            )
    leaks, _ = walk(served, served.app.test_client(), {}, PRIVATE)
    with served.game.database.write() as connection:
        for player_id, name in drawn:
            connection.execute(
                update(schema.players)
                .where(own.player_id == player_id)
                .values(player_name=name)
            )
    assert leaks >= {
        ("/api/v1/exchange/boards/<board>", ""),
        ("/api/v1/exchange/boards/<board>", ".csv"),
        ("/api/v1/exchange/players/<player_id>", ""),
        ("/exchange/boards", ""),
        ("/exchange/players/<player_id>", ""),
    }


def test_a_private_name_and_nobody_s_get_the_same_answer(served: Served) -> None:
    """Whoever asks by name learns nothing: not even whether the name is here."""
    asked = 0
    for client in (served.app.test_client(), served.browsers["bert"]):
        for method, rule in routes(served.app):
            if method != "GET" or rule.startswith(("/login", "/exchange")):
                continue
            takes_text = [
                p["name"]
                for p in parameters(served.app, rule)
                if p["in"] == "query" and p["name"] in ("q", "name", "country", "scope")
            ]
            is_page = not rule.startswith("/api/")
            for places in places_of(served.app, rule, served)[:1]:
                if "listener_name" in places:
                    asks = [
                        (fill(rule, {**places, "listener_name": quote(name)}), {})
                        for name in (NAMES["anna"], NOBODY)
                    ]
                elif takes_text or is_page:
                    parameter = takes_text[0] if takes_text else "q"
                    asks = [
                        (fill(rule, places), {parameter: name})
                        for name in (NAMES["anna"], NOBODY)
                    ]
                else:
                    continue
                both = [
                    client.get(path, query_string=query, buffered=True)
                    for path, query in asks
                ]
                asked += 1
                said = [
                    re.sub("qxanna-7jw|qxnone-5yy", "somebody", text_of(answer))
                    for answer in both
                ]
                said = [
                    re.sub(r"(etag|content-length|age|date): .*", "", one)
                    for one in said
                ]
                if rule not in ("/api/v1/statistics", "/theme/<choice>"):
                    assert said[0] == said[1], rule
    assert asked > 50


def test_who_takes_consent_back_is_named_no_more_at_once(served: Served) -> None:
    visitor = served.app.test_client()
    path = "/api/v1/rankings/listeners"
    assert NAMES["carl"] in visitor.get(path).text
    assert NAMES["carl"] in visitor.get(path).text
    assert shared(served.app).cache.statistics()["hits"] > 0
    carl = served.browsers["carl"]
    body = {"is_public": False}
    carl.patch("/api/v1/account", json=body, headers=csrf(carl))
    assert NAMES["carl"] not in visitor.get(path).text
    # The control: only because ready answers were dropped.
    body = {"is_public": True}
    carl.patch("/api/v1/account", json=body, headers=csrf(carl))
    assert NAMES["carl"] in visitor.get(path).text
    found = accounts.visibility(shared(served.app).accounts, NAMES["carl"].casefold())
    assert found is not None
    accounts.set_public(shared(served.app).accounts, found[0], False)
    assert NAMES["carl"] in visitor.get(path).text
    accounts.set_public(shared(served.app).accounts, found[0], True)
