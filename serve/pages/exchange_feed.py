"""A player's notices as a private Atom feed."""

from __future__ import annotations

from datetime import datetime

from flask import Response, url_for

from exchange.views import notices
from serve.accounts import store
from serve.api.parameters import Parameters
from serve.exchange_access import read_if_player
from serve.pages import feeds
from serve.pages.exchange_figures import notice_words
from serve.pages.exchange_site import known_path
from serve.problems import Problem

_ENTRIES = 50


class FeedPath(Parameters):
    token: str


def feed(token: str) -> Response:
    """The notices of whom the token belongs to; any other token is of nothing."""
    path = known_path(FeedPath, "There is no such feed.", token=token)
    account = feeds.account_of(path.token, store.FEED_SCOPE)
    found = read_if_player(account, notices.notices, limit=_ENTRIES)
    if found is None:
        raise Problem("not_found", "There is no such feed.")
    return feeds.atom(
        "exchange_feed.xml",
        notices=found,
        words=notice_words,
        market=feeds.absolute(url_for("pages.exchange_portfolio")),
        updated=feeds.stamp(found[0].noticed_at if found else datetime(2000, 1, 1)),
    )


def new_address() -> str:
    """A new address of the account's feed; the one before ends."""
    return feeds.new_address("exchange feed", store.FEED_SCOPE, "/exchange/feed")
