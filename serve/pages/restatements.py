"""Restatements: what was published of a final day and is told otherwise since."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup, escape

from serve.api.service import RestatementsQuery
from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.site import Cell, Figure, asked, page, pick, table, takes
from serve.queries import about, charts
from serve.store.contract import Reader

SUBJECTS = {
    "came_late": "came late",
    "went": "went",
    "edited": "edited",
    "counters": "counters",
    "renamed": "renamed",
    "retagged": "retagged",
    "merged": "merged",
}
_ISSUES_LISTED = 100


def add_routes(pages: Blueprint) -> None:
    """`/restatements`."""
    pages.get("/restatements")(restatements)


@takes(RestatementsQuery)
def restatements() -> Response:
    """What changed, from what to what, why, and the charts that changed with it."""
    query = asked(RestatementsQuery)
    with reading() as reader:
        rows = about.restatements(
            reader,
            subject=query.subject,
            from_date=query.from_,
            to_date=query.to,
            limit=query.limit + 1,
            offset=query.offset,
        ).records()
        return page(
            "restatements.html",
            reader.published,
            log=_log(rows[: query.limit], query),
            issues=_issues(reader),
            subjects=pick(
                "/restatements",
                "subject",
                [("", "all"), *SUBJECTS.items()],
                query.subject or "",
            ),
            query=query,
            has_more=len(rows) > query.limit,
            more=formatting.address(
                "/restatements",
                subject=query.subject,
                limit=query.limit,
                offset=query.offset + query.limit,
            ),
        )


def _log(rows: list[dict[str, Any]], query: RestatementsQuery) -> Figure:
    kinds = Counter(SUBJECTS[row["subject"]] for row in rows)
    summary = f"{formatting.plural(len(rows), 'row')}, newest first."
    return Figure(
        key="log",
        title="What was told otherwise",
        summary=f"{summary} The bars count them by kind." if rows else summary,
        picture=drawing.bars(
            "log",
            "Restatements by kind",
            summary,
            [
                (kind, number, formatting.number(number))
                for kind, number in kinds.most_common()
            ],
        ),
        table=table(
            rows,
            ("Day", lambda row: formatting.short_day(row["restated_date"]), False),
            ("What", _what, False),
            ("From", lambda row: _text(row["old_value"]), False),
            ("To", lambda row: _text(row["new_value"]), False),
            ("Why", lambda row: row["reason"], False),
            ("Charts changed", _charts, False),
            ("Since version", lambda row: row["published_in"], False),
        ),
        csv=formatting.address("/api/v1/restatements.csv", subject=query.subject),
        empty="Nothing that was final has changed since it was published.",
        has_open_table=True,
    )


def _what(row: dict[str, Any]) -> Cell:
    """The thing and what became of it."""
    kind = SUBJECTS[row["subject"]]
    if row["plays"] is not None:
        return (
            f"{formatting.plural(row['plays'], 'play')} {kind}"
            f" ({formatting.plural(row['listeners'], 'listener')})"
        )
    if row["entity_type"] == "listener":
        return f"plays of fewer than 5 listeners {kind}"
    return Markup(f"{escape(row['entity_type'])} {_text(row['entity_name'])} {kind}")


def _text(text: str | None) -> Markup:
    return formatting.named(text) if text else Markup(formatting.NOTHING)


def _charts(row: dict[str, Any]) -> Cell:
    """Which charts and periods changed with it; where each stands on its page."""
    if not row["charts_changed"]:
        return "none that was final"
    links = []
    for each in row["charts_changed"].split(", "):
        chart, _, period = each.partition(" ")
        href = formatting.address(
            f"/charts/{chart}",
            period=period,
            issue=row["restated_date"] if period != "all_time" else None,
        )
        words = f"{formatting.chart(chart)}, {formatting.PERIODS[period]}"
        links.append(f'<a href="{escape(href)}">{escape(words)}</a>')
    return Markup("; ".join(links))


def _issues(reader: Reader) -> Figure:
    """The final issues that have a later revision, newest first."""
    rows = charts.revisions(
        reader,
        chart=None,
        scope=None,
        period=None,
        issue_date=None,
        is_restated=True,
        limit=_ISSUES_LISTED,
        offset=0,
    ).records()
    return Figure(
        key="issues",
        title="Chart issues with a later revision",
        summary=(
            "Every revision stays: its page shows what was published then."
            if rows
            else "None yet."
        ),
        picture=Markup(""),
        table=table(
            rows,
            ("Issue", _issue_link, False),
            ("Revision", lambda row: str(row["revision"]), True),
            (
                "Places changed",
                lambda row: formatting.number(row["changed_places"]),
                True,
            ),
            ("Number 1 before", lambda row: _text(row["first_before"]), False),
            ("Number 1 since", lambda row: _text(row["first_now"]), False),
            ("Before", lambda row: _revision_link(row, row["revision"] - 1), False),
            ("Since version", lambda row: row["published_in"], False),
        ),
        csv="/api/v1/charts/panel_artists/revisions.csv",
        empty="No final issue has been changed.",
        has_open_table=True,
    )


def _issue_link(row: dict[str, Any]) -> Markup:
    title = formatting.chart(row["chart"], row["scope"])
    when = formatting.issue(row["period"], row["issue_date"])
    return _link(row, row["revision"], f"{title}, {when}")


def _revision_link(row: dict[str, Any], revision: int) -> Markup:
    return _link(row, revision, f"revision {revision}")


def _link(row: dict[str, Any], revision: int, words: str) -> Markup:
    href = formatting.address(
        f"/charts/{row['chart']}",
        scope=row["scope"],
        period=row["period"],
        issue=row["issue_date"],
        revision=revision,
    )
    return Markup(f'<a href="{escape(href)}">{escape(words)}</a>')
