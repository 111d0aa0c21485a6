"""The reports of a listener's last whole weeks as a private Atom feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from serve.accounts import Account, store
from serve.context import reading
from serve.pages import feeds, formatting
from serve.pages.reports import period_of
from serve.problems import Problem
from serve.queries import listeners
from serve.queries import listening as queries
from serve.queries.listening import Listening
from serve.queries.statistics import Question, amounts
from serve.store.contract import Reader
from serve.zones import Zone

WEEKS = 8
_LISTED = 5


@dataclass(frozen=True)
class Week:
    """One entry: the report's name and title, its figures and names in a sentence."""

    name: str
    title: str
    words: str
    address: str
    updated: datetime


def add_routes(pages: Blueprint) -> None:
    """The feed itself; its address is made on `/me`."""
    pages.get("/weekly/<weekly_token>")(weekly_feed)


def new_address() -> str:
    """A new address of the account's feed; the one before ends."""
    return feeds.new_address("weekly report", store.WEEKLY_SCOPE, "/weekly")


def weekly_feed(weekly_token: str) -> Response:
    """The weeks of whom the token belongs to; any other token is of nothing."""
    account = feeds.account_of(weekly_token, store.WEEKLY_SCOPE)
    with reading() as reader:
        found = listeners.listener(reader, account.listener_id)
        if found is None:
            raise Problem("not_found", "There is no such feed.")
        weeks = [
            _week(reader, account, found, monday)
            for monday in _mondays(reader.published.as_of_date)
        ]
        return feeds.atom(
            "weekly_feed.xml",
            weeks=weeks,
            listener_id=account.listener_id,
            listener_name=found["listener_name"],
            page=feeds.absolute(formatting.listener_address(found["listener_name"])),
            updated=feeds.stamp(reader.published.published_at),
        )


def _mondays(as_of: date) -> list[date]:
    """The Mondays of the last whole weeks, newest first."""
    this = as_of + timedelta(days=1)
    monday = this - timedelta(days=this.weekday() + 7)
    return [monday - timedelta(weeks=back) for back in range(WEEKS)]


def _week(
    reader: Reader, account: Account, found: dict[str, Any], monday: date
) -> Week:
    year, week, _ = monday.isocalendar()
    period = period_of(f"{year}-W{week:02}")
    zone = Zone(account.time_zone or "UTC")
    listening = Listening(
        account.listener_id, period.days, reader.published.as_of_date, zone
    )
    value = amounts(Question(reader, listening), listening)
    top = queries.top(
        reader, listening, entity="artists", by="scrobbles", limit=_LISTED, offset=0
    ).records()
    words = (
        f"{formatting.plural(value['scrobbles'], 'play')} of"
        f" {formatting.plural(value['artists'], 'artist')},"
        f" {formatting.plural(value['new_artists'], 'new artist')}."
    )
    if top:
        names = ", ".join(f"{r['entity_name']} ({r['scrobbles']})" for r in top)
        words += f" Most: {names}."
    root = formatting.listener_address(found["listener_name"])
    return Week(
        name=period.name,
        title=period.title,
        words=words,
        address=feeds.absolute(f"{root}/reports/{period.name}"),
        # The Monday after, when the week was whole.
        updated=datetime.combine(monday + timedelta(days=7), datetime.min.time()),
    )
