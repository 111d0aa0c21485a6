"""The account of the request that is being answered."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import ParamSpec, TypeVar

from flask import g, has_request_context, request
from itsdangerous import BadSignature, URLSafeSerializer

from serve.accounts import store
from serve.accounts.database import utcnow
from serve.accounts.store import Account
from serve.context import services
from serve.problems import Problem
from serve.store.contract import StoreUnavailable
from serve.visibility import Named

COOKIE = "scrobble_session"
#: Says to the pages' script that somebody is logged in, and nothing else.
HERE_COOKIE = "scrobble_here"
#: How long after a login that is done which cannot be taken back.
FRESH = timedelta(minutes=15)
_SAFE = ("GET", "HEAD", "OPTIONS")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def signer(purpose: str) -> URLSafeSerializer:
    """Signs what a browser carries, each purpose with a key of its own."""
    return URLSafeSerializer(services().signing_key, salt=f"serve.{purpose}")


def current_account() -> Account | None:
    """The account that asks, or None for a visitor.

    Raises:
        Problem: 401 when a bearer token is sent that is not good.
    """
    if not has_request_context():
        return None
    if "account" not in g:
        g.account = _find()
    account: Account | None = g.account
    return account


def named_listeners() -> Named:
    """Whom the answer may name, whoever asks."""
    shared = services()
    return store.named_listeners(
        shared.accounts, public_panel=shared.settings.public_panel
    )


def change_visibility(account_id: int, is_public: bool) -> None:
    """Make an account's listener public or private; ready answers go at once."""
    store.set_public(services().accounts, account_id, is_public)
    forget_answers()


def forget_answers() -> None:
    """Drop what is ready: it may name somebody who is private by now."""
    # Where nothing is published nothing is ready.
    with suppress(StoreUnavailable):
        services().store.invalidate()


def require(scope: str) -> Account:
    """The account that asks, when it has `scope`; else a problem."""
    account = current_account()
    if account is None:
        raise Problem(
            "unauthenticated", "log in at /login, or send Authorization: Bearer <token>"
        )
    if scope not in account.scopes:
        raise Problem("missing_scope", f"this needs the scope {scope!r}", scope=scope)
    if account.via == "cookie" and request.method not in _SAFE:
        _check_csrf(account)
    return account


def require_in_person(scope: str) -> Account:
    """The account, where a person asks in a browser: a token may be stolen."""
    account = require(scope)
    if account.via != "cookie":
        raise Problem("forbidden", "only a browser session may do this; log in")
    return account


def require_fresh(scope: str, back: str) -> Account:
    """The account, where a person has just logged in: a browser may be left open.

    Args:
        back: the page to come back to after logging in.
    """
    account = require_in_person(scope)
    if utcnow() - account.logged_in_at > FRESH:
        minutes = int(FRESH.total_seconds()) // 60
        raise Problem(
            "fresh_login_needed",
            "This cannot be taken back. Log in again and do it within"
            f" {minutes} minutes.",
            log_in_at=f"/login?back={back}",
        )
    return account


def required(
    scope: str,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorator: the function runs only for an account with `scope`."""

    def decorate(
        function: Callable[Parameters, Result],
    ) -> Callable[Parameters, Result]:
        @wraps(function)
        def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            require(scope)
            return function(*args, **kwargs)

        return checked

    return decorate


def csrf_token(account: Account | None = None) -> str | None:
    """What a cookie's unsafe request must carry; None for a visitor or a token."""
    account = account or current_account()
    if account is None or account.via != "cookie":
        return None
    key = f"csrf:{services().signing_key}".encode()
    return hmac.new(key, account.secret_hash.encode(), sha256).hexdigest()


def _check_csrf(account: Account) -> None:
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    wanted = csrf_token(account) or ""
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise Problem(
            "csrf_failed", "send the csrf_token of /api/v1/account as X-CSRF-Token"
        )


def _find() -> Account | None:
    shared = services()
    admins = shared.settings.admins
    header = request.headers.get("Authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        account = None
        if kind.lower() == "bearer":
            account = store.by_token(shared.accounts, token.strip(), admins)
        # The token in a feed's address is nobody: which refusal it got would tell whose
        # it is.
        if account is None or account.scopes <= store.FEED_SCOPES:
            raise Problem("unauthenticated", "the token is unknown, expired or revoked")
        return account
    secret = session_secret()
    if secret is None:
        return None
    return store.by_session(
        shared.accounts, secret, admins, idle_days=shared.settings.session_idle_days
    )


def session_secret() -> str | None:
    """The secret of the session in the browser's cookie, if we have signed it."""
    try:
        return str(signer("session").loads(request.cookies.get(COOKIE, "")))
    except BadSignature:
        return None
