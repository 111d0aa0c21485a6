"""The application factory.

``create_app(settings)`` gives a Flask application whose ``wsgi_app`` is the cache in
front of it. Other parts of the service are installed when they are there: a package
``serve.pages`` or ``serve.api.exchange`` with a function ``install(app)`` adds its
blueprints; it reaches the store, the accounts and the settings by
``serve.context.services()``.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flask
import orjson
from flask import Flask, Response, request
from flask_cors import CORS
from sqlalchemy.exc import SQLAlchemyError

from serve import problems, rates, security
from serve.accounts import current_account
from serve.accounts.database import ensure_tables, open_accounts
from serve.answers import MEDIA_TYPES
from serve.api import (
    accounts,
    artists,
    charts,
    description,
    insights,
    listeners,
    listening,
    rankings,
    recommendations,
    rules,
    search,
    service,
    tags,
    trends,
    works,
)
from serve.cache import FORMAT, Cache
from serve.context import Services
from serve.jobs.queue import Jobs
from serve.problems import Problem
from serve.settings import ServeSettings, signing_key
from serve.shared_cache import SharedCache
from serve.store import open_store
from warehouse.redact import hide_folders

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
OPTIONAL_PARTS = ("serve.api.exchange", "serve.pages")


def create_app(settings: ServeSettings, parts: Sequence[str] = OPTIONAL_PARTS) -> Flask:
    """Build the service; a warehouse that is down is no reason not to start.

    `parts` are the packages installed beside the read API, where they are there.
    """
    _name_no_folder(settings)
    app = description.Api("serve", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    store = open_store(settings)
    engine = open_accounts(settings)
    try:
        ensure_tables(engine)
    except SQLAlchemyError:
        log.warning("the accounts' database is not there yet; logins will fail")
    shared = Services(
        settings, store, signing_key(settings), engine, Jobs(engine, settings)
    )
    app.extensions["serve"] = shared
    app.secret_key = shared.signing_key
    problems.install(app)
    _refuse_oddities(app)
    rates.install(
        app,
        settings.rate_limit,
        {accounts.browser.name: settings.login_rate_limit},
        settings.trusted_proxies,
        _asking,
        rates.storage(settings.cache_url, settings.run_dir),
    )
    if settings.metrics_token is not None:
        # The library decides at its import where workers share their counts.
        from serve import metrics

        metrics.install(app, shared, settings.metrics_token)
    for api in (
        charts.api,
        artists.api,
        insights.api,
        trends.api,
        rankings.api,
        search.api,
        tags.api,
        works.api,
        listeners.api,
        listening.api,
        recommendations.api,
        rules.api,
        accounts.api,
        service.api,
    ):
        app.register_api(api)
    app.register_blueprint(accounts.browser)
    app.register_blueprint(description.pages())
    _describe(app)
    for name in parts:
        if _is_there(name):
            importlib.import_module(name).install(app)
    _allow_other_origins(app)
    security.install(app)
    shared.cache = Cache(
        app.wsgi_app,
        store,
        settings.cache_bytes,
        shared.counting,
        SharedCache(settings.cache_url) if settings.cache_url else None,
        lambda environ: _is_admin(app, environ),
    )
    app.wsgi_app = shared.cache  # type: ignore[method-assign]
    return app


def _is_admin(app: Flask, environ: dict[str, Any]) -> bool:
    with app.request_context(environ):
        try:
            account = current_account()
        except (Problem, SQLAlchemyError):
            return False
    return account is not None and "admin" in account.scopes


def _asking() -> int | None:
    try:
        account = current_account()
    except (Problem, SQLAlchemyError):
        # A token that is not good, or cannot be looked up now, is refused where one is
        # needed, and only there.
        return None
    return account.account_id if account is not None else None


def _name_no_folder(settings: ServeSettings) -> None:
    """Neither problems nor the log say where things lie on this machine."""
    ours = (Path(__file__), Path(flask.__file__), Path(logging.__file__))
    hide_folders(
        settings.data_dir,
        *(file.parents[1] for file in ours),
        Path(sys.prefix),
        Path.home(),
    )


def _allow_other_origins(app: Flask) -> None:
    """Let front ends elsewhere read the API, and trade with a token."""
    CORS(
        app,
        resources={
            # To trade from a front end's own page: a bearer token, never the cookie.
            r"/api/v1/exchange(/.*)?": {
                "origins": "*",
                "methods": ["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"],
                "allow_headers": [
                    "Authorization",
                    "Content-Type",
                    "Idempotency-Key",
                    "If-None-Match",
                ],
            },
            r"/(api/|openapi\.json).*": {"origins": "*"},
        },
        # A named origin would be cached and given to another site.
        send_wildcard=True,
        methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["Authorization", "If-None-Match"],
        expose_headers=["ETag", "Link", "Retry-After", "X-Version", "X-As-Of", "Age"],
        max_age=86400,
    )


def _refuse_oddities(app: Flask) -> None:
    """Refuse what no route can mean: NUL, a parameter twice, a format of a write."""

    @app.before_request
    def _check() -> None:
        if "\x00" in request.path:
            raise Problem("not_found", "there is no such thing")
        if FORMAT in request.environ and request.method not in ("GET", "HEAD"):
            raise Problem("format_not_available", "only what is read has formats")
        if request.environ.get(FORMAT, "json") not in MEDIA_TYPES:
            raise Problem("invalid_parameter", f"format is {' or '.join(MEDIA_TYPES)}")
        for name, values in request.args.lists():
            if "\x00" in name or any("\x00" in value for value in values):
                raise Problem("invalid_parameter", "a parameter holds a NUL")
            if len(values) > 1:
                raise Problem("invalid_parameter", f"{name} is given more than once")
        is_write = request.method in ("POST", "PUT", "PATCH")
        if is_write and request.path.startswith("/api/") and request.content_length:
            if not request.is_json:
                raise Problem("unsupported_media_type", "send application/json")
            try:
                request.get_json()
            except (ValueError, RecursionError):
                raise Problem("bad_request", "the body is not JSON") from None

    @app.errorhandler(SQLAlchemyError)
    def _accounts_down(error: SQLAlchemyError) -> Response:
        log.warning("the accounts' database failed: %s", error)
        return problems.problem_response(
            Problem(
                "warehouse_unavailable", "the accounts' database cannot be reached now"
            )
        )


def _describe(app: description.Api) -> None:
    ready: dict[str, bytes] = {}

    @app.get("/openapi.json", doc_ui=False)
    def openapi() -> Any:
        """The description of all routes."""
        if "body" not in ready:
            ready["body"] = orjson.dumps(app.described)
        response = Response(ready["body"], mimetype="application/json")
        response.headers["Cache-Control"] = "public, max-age=300"
        return response


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
