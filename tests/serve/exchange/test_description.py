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
from tests.exchange.game import Game
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
