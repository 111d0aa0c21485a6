"""A published warehouse and a service on it, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from exchange.database import Database
from serve.accounts import store as accounts
from serve.accounts.current import COOKIE
from serve.api.exchange import Exchange
from serve.app import create_app
from serve.context import Services
from serve.settings import ServeSettings
from tests.exchange.game import Game
from tests.serve.marts import World, make_world, publish, version_path, write_duckdb
from warehouse.settings import Settings

VERSION = "20260314-000001"
KEY = "k" * 40


@pytest.fixture(scope="session")
def world() -> World:
    """The rows every question here is about."""
    return make_world()


@pytest.fixture(scope="session")
def marts_file(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world as one DuckDB file."""
    path = tmp_path_factory.mktemp("marts") / "warehouse.duckdb"
    write_duckdb(world, path)
    return path


@pytest.fixture
def data_dir(marts_file: Path, world: World, tmp_path: Path) -> Path:
    """A data folder with that file published."""
    folder = tmp_path / "data"
    publish_copy(folder, marts_file, world)
    return folder


def publish_copy(folder: Path, marts_file: Path, world: World) -> None:
    """Make a data folder with a copy of the world's file as its version."""
    path = version_path(folder, VERSION)
    path.parent.mkdir(parents=True)
    shutil.copy(marts_file, path)
    publish(folder, VERSION, world.as_of)


def make_settings(data_dir: Path, **given: Any) -> ServeSettings:
    """Settings without a file or an environment."""
    warehouse = given.pop("warehouse", {})
    defaults: dict[str, Any] = {
        "secret_key": KEY,
        "rate_limit": "1000000 per minute",
        "login_rate_limit": "1000000 per minute",
        "admins": "anna",
        # Nobody listens there: no test asks another host for a picture.
        "covers_url": "http://127.0.0.1:9/{id}.png",
    }
    if not warehouse.get("warehouse_url"):
        # A test that publishes may ask within the moment for which a look holds.
        defaults["pointer_seconds"] = 0
    return ServeSettings(
        warehouse=Settings(data_dir=data_dir, **warehouse), **{**defaults, **given}
    )


@pytest.fixture
def make_service(data_dir: Path) -> Iterator[Callable[..., Flask]]:
    """Makes services on the published warehouse; closes them afterwards."""
    made: list[Flask] = []

    def make(**given: Any) -> Flask:
        folder = given.pop("data_dir", data_dir)
        app = create_app(make_settings(folder, **given), parts=())
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@pytest.fixture
def service(make_service: Callable[..., Flask]) -> Flask:
    """A service with the default settings."""
    return make_service()


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """A visitor without cookies."""
    return service.test_client()


@pytest.fixture
def open_market(data_dir: Path, tmp_path: Path) -> Iterator[Flask]:
    """The whole service and an open market."""
    made = create_app(make_settings(data_dir))
    database = Database(f"sqlite:///{tmp_path / 'market.sqlite'}", sync="OFF")
    database.upgrade()
    game = Game(database).opened()
    made.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    yield made
    close(made)
    database.dispose()


def shared(app: Flask) -> Services:
    """The services behind an application."""
    found: Services = app.extensions["serve"]
    return found


def close(app: Flask) -> None:
    """Give back what a service holds."""
    services = shared(app)
    services.store.close()
    services.accounts.dispose()


def log_in(app: Flask, name: str) -> FlaskClient:
    """A browser in which this listener is logged in."""
    from serve.accounts.current import signer

    secret = accounts.log_in(shared(app).accounts, name, days=30)
    with app.test_request_context():
        value = signer("session").dumps(secret)
    browser = app.test_client()
    browser.set_cookie(COOKIE, str(value))
    return browser


def csrf(browser: FlaskClient) -> dict[str, str]:
    """The header an unsafe request of that browser needs."""
    body = browser.get("/api/v1/account").get_json()
    return {"X-CSRF-Token": body["data"]["csrf_token"]}


def bearer(app: Flask, name: str, *scopes: str) -> dict[str, str]:
    """The header of a fresh token of that listener."""
    browser = log_in(app, name)
    made = browser.post(
        "/api/v1/account/tokens",
        json={"name": "test", "scopes": list(scopes)},
        headers=csrf(browser),
    )
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.get_json()['data']['token']}"}
