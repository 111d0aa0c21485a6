"""The exchange's part of the description and its routes must say the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.config import (
    ChecksConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.core.failures import Failure, FailureGroup

from exchange.database import Database
from serve.api.exchange import Exchange, install
from tests.exchange.game import Game, artist, values
from tests.serve.conftest import bearer
from tests.serve.test_description import ACCEPTED, _try


@pytest.fixture
def service(make_service: Callable[..., Flask], new_sqlite: Callable[[], str]) -> Flask:
    app = make_service()
    install(app)
    game = Game(Database(new_sqlite(), sync="OFF")).opened()
    app.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    app.extensions["game"] = game
    return app


@pytest.mark.parametrize("who", ["visitor", "player"])
def test_every_answer_of_the_exchange_is_documented(service: Flask, who: str) -> None:
    load_all_checks()
    accepted = PositiveDataAcceptanceConfig(expected_statuses=[*ACCEPTED, "422"])
    project = ProjectConfig(checks=ChecksConfig(positive_data_acceptance=accepted))
    project.generation.update(modes=list(GenerationMode))
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    schema: Any = schemathesis.openapi.from_wsgi(
        "/openapi.json", service, config=config
    )
    headers = bearer(service, "anna", "read", "trade") if who == "player" else None
    failures = {}
    operations = [
        found.ok()
        for found in schema.get_all_operations()
        if "/exchange" in found.ok().path
    ]
    assert len(operations) >= 26
    for operation in operations:
        for mode in GenerationMode:
            try:
                _try(operation, mode, 6, headers)
            except (FailureGroup, Failure) as failure:
                text = "; ".join(map(str, getattr(failure, "exceptions", [failure])))
                failures[f"{operation.label} {mode.value}"] = text
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE
    assert failures == {}


def test_no_name_of_the_description_is_taken_twice(
    service: Flask, tmp_path: Path
) -> None:
    schemas = service.api_doc["components"]["schemas"]  # type: ignore[attr-defined]
    fields = schemas["ArtistRow"]["properties"]
    assert "price_units" not in fields
    assert "price_units" in schemas["ExchangeArtistRow"]["properties"]


def undescribed(value: Any, schema: dict[str, Any], spec: dict[str, Any]) -> set[str]:
    """Members of an answer that its description does not name."""
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return undescribed(value, choice, spec)
    if isinstance(value, list):
        return {
            name
            for one in value
            for name in undescribed(one, schema.get("items", {}), spec)
        }
    if not isinstance(value, dict):
        return set()
    named = schema.get("properties", {})
    others = schema.get("additionalProperties")
    found = set()
    for name, one in value.items():
        if name in named:
            found |= {f"{name}.{x}" for x in undescribed(one, named[name], spec)}
        elif isinstance(others, dict):
            found |= undescribed(one, others, spec)
        else:
            found.add(name)
    return found


PATHS = (
    "",
    "/lists/{list_name}",
    "/artists/{artist_id}",
    "/artists/{artist_id}/prices",
    "/artists/{artist_id}/ticket",
    "/economy",
    "/boards/{board}",
    "/boards/{board}/near",
    "/players/{player_id}",
    "/orders",
    "/portfolio",
    "/history",
    "/worth",
    "/dividends",
    "/news",
    "/trophies",
    "/recommended",
    "/friends-leagues",
)


def test_every_member_of_an_answer_is_described(service: Flask) -> None:
    game: Game = service.extensions["game"]
    client = service.test_client()
    headers = bearer(service, "anna", "read", "trade")

    def asked(path: str) -> Any:
        answer = client.get(f"/api/v1/exchange{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["data"]

    me = asked("/portfolio")["player_id"]
    game.trade(me, "buy", 10)
    for name in ("/orders", "/friends-leagues"):
        body: dict[str, Any] = {"league_name": "us"}
        if name == "/orders":
            body = {"artist_id": artist("Low"), "side": "buy", "shares": 2}
        made = client.post(
            f"/api/v1/exchange{name}",
            json=body,
            headers={**headers, "Idempotency-Key": name},
        )
        assert made.status_code == 201
    for _ in range(3):
        game.next_day(values(surprise_milli=2_000))
    spec = service.api_doc  # type: ignore[attr-defined]
    places = {
        "list_name": "popular",
        "artist_id": artist("Low"),
        "board": "worth",
        "player_id": me,
    }
    for path in PATHS:
        said = spec["paths"][f"/api/v1/exchange{path}"]["get"]["responses"]["200"]
        schema = said["content"]["application/json"]["schema"]
        query = "?shares=3" if path.endswith("/ticket") else ""
        data = asked(path.format(**places) + query)
        assert data or path == "/recommended", path
        assert undescribed({"data": data}, schema, spec) == set(), path
    # The control: a member nobody has described is found.
    row = {"properties": {"known": {"type": "integer"}}}
    assert undescribed([{"known": 1, "new": 2}], {"items": row}, spec) == {"new"}
