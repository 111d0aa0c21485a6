"""A player's notices as a private Atom feed, at an address that is the secret.

A feed reader cannot log in, so the address holds a token that opens the feed and
nothing else. It is made on request, told once, and ends with the next one, after a
year, or when the account's tokens are revoked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, render_template, request, url_for

from exchange.views import notices
from serve.accounts import require, store
from serve.api.parameters import Parameters
from serve.context import services
from serve.exchange_access import read_if_player
from serve.pages.exchange_figures import notice_words
from serve.pages.exchange_site import known_path
from serve.problems import Problem

_NAME = "exchange feed"
_DAYS = 366
_ENTRIES = 50


class FeedPath(Parameters):
    token: str


def feed(token: str) -> Response:
    """The notices of whom the token belongs to; any other token is of nothing."""
    path = known_path(FeedPath, "There is no such feed.", token=token)
    account = store.by_token(services().accounts, path.token, ())
    if account is None or store.FEED_SCOPE not in account.scopes:
        raise Problem("not_found", "There is no such feed.")
    found = read_if_player(account, notices.notices, limit=_ENTRIES)
    if found is None:
        raise Problem("not_found", "There is no such feed.")
    body = render_template(
        "exchange_feed.xml",
        notices=found,
        words=notice_words,
        stamp=_stamp,
        market=_address(url_for("pages.exchange_portfolio")),
        updated=_stamp(found[0].noticed_at if found else datetime(2000, 1, 1)),
    )
    response = Response(body, mimetype="application/atom+xml")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def new_address() -> str:
    """A new address of the account's feed; the one before ends.

    Raises:
        Problem: nobody is logged in, or there are too many tokens.
    """
    account = require("write")
    engine = services().accounts
    for row in store.list_tokens(engine, account.account_id):
        if row["name"] == _NAME and row["scopes"] == [store.FEED_SCOPE]:
            store.revoke_token(engine, account.account_id, row["token_id"])
    made: dict[str, Any] | None = store.make_token(
        engine, account.account_id, name=_NAME, scopes=[store.FEED_SCOPE], days=_DAYS
    )
    if made is None:
        raise Problem("conflict", "There are too many tokens; revoke one first.")
    return _address(url_for("pages.exchange_feed", token=made["token"]))


def _address(path: str) -> str:
    root = services().settings.public_url or request.host_url
    return root.rstrip("/") + path


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
