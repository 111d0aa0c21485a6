"""A week, a month or a year of one listener: a page and a picture worth sharing.

Owns the periods' names, what a report shows, and the signed links by which an owner
shows one report to whoever has the link, until a day. A link gives that report and
nothing else: its names lead to the artists' own pages, never to the listener's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, request

from serve import answers
from serve.accounts import Account
from serve.api.listening import chosen_window
from serve.api.parameters import LocalWindow, Parameters, ZoneName
from serve.context import reading
from serve.pages import cards, covers, formatting, links
from serve.pages.listening import Link, given, own_links, top_figure
from serve.pages.private import opened, private_page
from serve.pages.site import Figure, asked, takes
from serve.pages.statistics import statistic_figure
from serve.problems import Problem
from serve.queries import listeners
from serve.queries import listening as queries
from serve.queries.listening import Listening
from serve.queries.statistics import Question, amounts, streaks
from serve.ranges import BEGINNING, END, Range
from serve.store.contract import Reader
from serve.zones import Zone

#: How long a shared link shows its report.
SHARED_DAYS = 30
_NAME = re.compile(r"(?P<year>\d{4})(-(?P<month>\d{2})|-W(?P<week>\d{2}))?")
_LISTED = 5
_STATISTICS = {
    "week": ("week-hours", "movers"),
    "month": ("calendar", "week-hours", "streaks", "movers"),
    "year": ("calendar", "weekly", "evolution", "discoveries", "week-hours", "streaks"),
}


class ReportQuery(Parameters):
    """Whose days a report counts."""

    tz: ZoneName | None = None


@dataclass(frozen=True)
class Period:
    """A calendar period by its name: ``2026``, ``2026-05`` or ``2026-W20`` (ISO)."""

    name: str
    kind: str
    days: Range

    @property
    def title(self) -> str:
        """As people say it."""
        if self.kind == "year":
            return self.name
        if self.kind == "month":
            return f"{self.days.first:%B %Y}"
        return f"Week {int(self.name[-2:])} of {self.name[:4]}"


def period_of(name: str) -> Period:
    """The period of a name.

    Raises:
        Problem: 404, there is no such period.
    """
    found = _NAME.fullmatch(name)
    try:
        if found is None:
            raise ValueError(name)
        year = int(found["year"])
        if found["month"]:
            kind, first = "month", date(year, int(found["month"]), 1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        elif found["week"]:
            kind, first = "week", date.fromisocalendar(year, int(found["week"]), 1)
            last = first + timedelta(days=6)
        else:
            kind, first, last = "year", date(year, 1, 1), date(year, 12, 31)
        if last < BEGINNING or first > END:
            raise ValueError(name)
    except (ValueError, OverflowError):
        raise Problem(
            "not_found",
            "A report is of a year (2026), a month (2026-05) or a week (2026-W20).",
        ) from None
    return Period(name, kind, Range(first, last))


def newest(as_of: date) -> list[tuple[str, str]]:
    """Names and titles of the periods that hold the published day."""
    year, week, _ = as_of.isocalendar()
    names = (f"{year}-W{week:02}", f"{as_of:%Y-%m}", f"{as_of:%Y}")
    return [(name, period_of(name).title) for name in names]


def add_routes(pages: Blueprint) -> None:
    """Reports for who may see the listener, and those that are shared by a link."""
    root = "/listeners/<listener_name>/reports/<period>"
    pages.get(root)(listener_report)
    pages.get(f"{root}/card.<picture>")(listener_card)
    pages.get("/shared/<link>")(shared_report)
    pages.get("/shared/<link>/card.<picture>")(shared_card)


@takes(ReportQuery)
def listener_report(listener_name: str, period: str) -> Response:
    """A report for its owner, or of a public listener."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        chosen = period_of(period)
        query, listening = _window(reader, listener_id, chosen)
        name = given(reader, listener_id)["listener_name"]
        return _page(reader, listening, chosen, name, own_links(name, query), owner)

    return opened(listener_name, view)


@takes(ReportQuery)
def listener_card(listener_name: str, period: str, picture: str) -> Response:
    """The picture of a report, as SVG or PNG."""

    def view(reader: Reader, listener_id: str, owner: Account | None) -> Response:
        del owner
        chosen = period_of(period)
        _, listening = _window(reader, listener_id, chosen)
        name = given(reader, listener_id)["listener_name"]
        return _card(reader, listening, chosen, name, picture)

    return opened(listener_name, view)


def shared_report(link: str) -> Response:
    """The one report of a link, for whoever has it."""
    with reading() as reader:
        listening, period, name = _opened(reader, link)
        # Its names lead to what everybody sees.
        return _unlisted(_page(reader, listening, period, name, "/{}/{}".format))


def shared_card(link: str, picture: str) -> Response:
    """The picture of a shared report."""
    with reading() as reader:
        return _unlisted(_card(reader, *_opened(reader, link), picture))


def _window(
    reader: Reader, listener_id: str, period: Period
) -> tuple[LocalWindow, Listening]:
    """The period in the zone that is asked for, the owner's own or UTC."""
    zone = asked(ReportQuery).tz
    query = LocalWindow.model_validate(
        {"from": period.days.first, "to": period.days.last, "tz": zone}
    )
    return query, chosen_window(reader, listener_id, query)


def _seal(owner: Account, listening: Listening, period: Period) -> str:
    return links.seal("report", SHARED_DAYS, owner, period.name, listening.zone.name)


def _opened(reader: Reader, link: str) -> tuple[Listening, Period, str]:
    """What a link shows: the window, the period and the listener's name.

    Raises:
        Problem: 404, the link is none of ours, is over, or its listener has gone.
    """
    gone = Problem("not_found", "This link shows nothing, or no longer.")
    listener_id, name, zone = links.opened("report", link, gone)
    found = listeners.listener(reader, listener_id)
    if found is None:
        raise gone
    period = period_of(name)
    as_of = reader.published.as_of_date
    listening = Listening(listener_id, period.days, as_of, Zone(zone))
    return listening, period, found["listener_name"]


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _page(
    reader: Reader,
    listening: Listening,
    period: Period,
    name: str,
    link: Link,
    owner: Account | None = None,
) -> Response:
    """A report; with a link to share it where its owner asks."""
    question = Question(reader, listening)
    # A card is of the days that the page is of.
    zone = request.args.get("tz")
    cards_of = {
        kind: formatting.address(f"{request.path}/card.{kind}", tz=zone)
        for kind in ("png", "svg")
    }
    return private_page(
        "report.html",
        reader,
        period=period,
        title=f"{name}: {period.title}",
        facts=_facts(question),
        lists=[
            _list(reader, listening, entity, link)
            for entity in ("artists", "albums", "tracks", "tags")
        ],
        figures=[
            statistic_figure(question, one, link, csv="")
            for one in _STATISTICS[period.kind]
        ],
        listener_name=name,
        owner=owner,
        cards=cards_of,
        shared=f"/shared/{_seal(owner, listening, period)}" if owner else None,
        shared_until=links.until(SHARED_DAYS),
    )


def _list(reader: Reader, listening: Listening, entity: str, link: Link) -> Figure:
    rows = queries.top(
        reader, listening, entity=entity, by="scrobbles", limit=_LISTED, offset=0
    ).records()
    covers.add_to(reader, entity, rows)
    return top_figure(rows, entity, link, has_open_table=False)


def _facts(question: Question) -> list[tuple[str, str]]:
    """The figures of a report, with what they are."""
    value = amounts(question, question.listening)
    rows = streaks(question).records()
    longest = max((row["days"] for row in rows if row["kind"] == "streak"), default=0)
    hours = round(value["listening_seconds"] / 3600)
    return [
        (formatting.number(value["scrobbles"]), "plays"),
        (formatting.number(hours), "hours"),
        (formatting.number(value["artists"]), "artists"),
        (formatting.number(value["new_artists"]), "new artists"),
        (formatting.number(value["active_days"]), "days with a play"),
        (formatting.number(longest), "days in a row"),
    ]


def _card(
    reader: Reader, listening: Listening, period: Period, name: str, picture: str
) -> Response:
    if picture not in ("svg", "png"):
        raise Problem("not_found", "A card is a .svg or a .png.")
    rows = queries.top(
        reader, listening, entity="artists", by="scrobbles", limit=_LISTED, offset=0
    ).records()
    drawn = cards.report(
        name,
        period.title,
        _facts(Question(reader, listening))[:4],
        [(row["entity_name"] or "", row["scrobbles"]) for row in rows],
    )
    if picture == "svg":
        body, kind = drawn.encode(), "image/svg+xml"
    else:
        body, kind = cards.png(drawn), "image/png"
    response = answers.plain(body, kind, reader.published)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Cookie"
    return response
