"""Private Atom feeds, each at an address that is the secret.

A feed reader cannot log in, so the address holds a token that opens one feed and
nothing else. It is made on request, told once, and ends with the next one, after a
year, or when the account's tokens are revoked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, render_template, request

from serve.accounts import Account, require, store
from serve.context import services
from serve.problems import Problem

_DAYS = 366


def account_of(token: str, scope: str) -> Account:
    """Whom a feed's token belongs to.

    Raises:
        Problem: 404, it opens no such feed.
    """
    account = store.by_token(services().accounts, token, ())
    if account is None or scope not in account.scopes:
        raise Problem("not_found", "There is no such feed.")
    return account


def new_address(name: str, scope: str, path: str) -> str:
    """A new address of one of the account's feeds; the one before ends.

    Args:
        path: below it stands the token.

    Raises:
        Problem: nobody is logged in, or there are too many tokens.
    """
    account = require("write")
    engine = services().accounts
    for row in store.list_tokens(engine, account.account_id):
        if row["name"] == name and row["scopes"] == [scope]:
            store.revoke_token(engine, account.account_id, row["token_id"])
    made: dict[str, Any] | None = store.make_token(
        engine, account.account_id, name=name, scopes=[scope], days=_DAYS
    )
    if made is None:
        raise Problem("conflict", "There are too many tokens; revoke one first.")
    return absolute(f"{path}/{made['token']}")


def absolute(path: str) -> str:
    """The address of a path for programs elsewhere."""
    root = services().settings.public_url or request.host_url
    return root.rstrip("/") + path


def stamp(moment: datetime) -> str:
    """A UTC moment as Atom writes it."""
    return moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def atom(template: str, **given: Any) -> Response:
    """A feed that no cache and no search engine keeps."""
    body = render_template(template, stamp=stamp, **given)
    response = Response(body, mimetype="application/atom+xml")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
