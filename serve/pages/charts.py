"""Charts: which there are, and one issue with movement, peak and share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup

from serve.api.charts import ChartPath, IssueQuery, status
from serve.api.charts import entries as chart_entries
from serve.context import reading
from serve.pages import covers, drawing, formatting
from serve.pages.bump import Entry, bump
from serve.pages.site import (
    Cell,
    Figure,
    Table,
    asked,
    counted_picker,
    page,
    pick,
    table,
    takes,
)
from serve.problems import Problem
from serve.queries import charts as queries
from serve.store.contract import Reader
from warehouse.project import variables

_BUMP_DEPTH = 10
_BUMP_ISSUES = 13
_ISSUES_LISTED = 400
_BY = {
    "rank": "the chart's own rank",
    "scrobbles": "scrobbles",
    "listeners": "listeners",
    "minutes": "minutes",
    "share": "share",
}


def add_routes(pages: Blueprint) -> None:
    """`/charts` and `/charts/<chart>`."""
    pages.get("/charts")(all_charts)
    pages.get("/charts/<chart>")(one_chart)


def all_charts() -> Response:
    """Every chart with its first and last issue."""
    with reading() as reader:
        rows = queries.charts(
            reader, chart=None, scope=None, period=None, limit=1000, offset=0
        ).records()
        first = {
            (row["chart"], row["scope"], row["period"]): _first_place(row)
            for row in queries.number_ones(reader).records()
        }
        groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for row in rows:
            row["first"] = first.get((row["chart"], row["scope"], row["period"]))
            row["href"] = formatting.address(
                f"/charts/{row['chart']}", scope=row["scope"], period=row["period"]
            )
            groups.setdefault(row["chart"], {}).setdefault(row["scope"], []).append(row)
        for scopes in groups.values():
            for found in scopes.values():
                found.sort(
                    key=lambda row: list(formatting.PERIODS).index(row["period"])
                )
        return page("charts.html", reader.published, groups=groups, count=len(rows))


def _first_place(row: dict[str, Any]) -> Markup:
    kind = row["chart"].rpartition("_")[2]
    name = formatting.entity_link(
        kind, row["entity_id"], row["entity_name"], row["artist_id"]
    )
    if kind in ("tracks", "albums"):
        name += formatting.by_artist(row["artist_id"], row["artist_name"])
    return name


@takes(IssueQuery)
def one_chart(chart: str) -> Response:
    """One issue of a chart."""
    if chart not in queries.CHARTS:
        raise Problem("not_found", f"there is no chart {chart!r}")
    ChartPath.model_validate({"chart": chart})
    query = asked(IssueQuery)
    with reading() as reader:
        found = queries.find_issue(
            reader,
            chart=chart,
            scope=query.scope,
            period=query.period,
            day=query.issue,
            revision=query.revision,
            as_of=query.as_of,
        )
        if found is None:
            return _without_issue(reader, chart, query)
        limit = min(query.limit, 200)
        rows = chart_entries(reader, found, query, limit=limit + 1).records()
        covers.add_to(reader, chart.rpartition("_")[2], rows)
        issues = queries.issues(
            reader,
            chart=chart,
            scope=found["scope"],
            period=found["period"],
            limit=_ISSUES_LISTED,
            offset=0,
        ).records()
        return page(
            "chart.html",
            reader.published,
            chart=chart,
            found=found,
            query=query,
            title=formatting.chart(chart, found["scope"]),
            when=formatting.issue(found["period"], found["issue_date"]),
            around=_around(issues, found["issue_date"]),
            issues=issues,
            status=status(reader, found),
            revisions=_revisions(reader, found),
            periods=_periods(reader, chart, found),
            scopes=_scopes(reader, chart, found["period"]),
            bump=_bump(reader, found, issues),
            entries=_entries(rows[:limit], found, query, limit),
            has_more=len(rows) > limit,
            caps=variables()["counted_scrobbles"],
            **_links(chart, query, found, limit),
        )


def _revisions(reader: Reader, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The revisions of an issue that has more than one, for `picker`."""
    rows = queries.revisions(
        reader,
        chart=found["chart"],
        scope=found["scope"],
        period=found["period"],
        issue_date=found["issue_date"],
        is_restated=False,
        limit=50,
        offset=0,
    ).records()
    if len(rows) < 2:
        return []
    return pick(
        f"/charts/{found['chart']}",
        "revision",
        [
            (str(row["revision"]), f"{row['revision']} ({row['published_in']})")
            for row in reversed(rows)
        ],
        str(found["revision"]),
        scope=found["scope"],
        period=found["period"],
        issue=found["issue_date"],
    )


def _links(
    chart: str, query: IssueQuery, found: dict[str, Any], limit: int
) -> dict[str, Any]:
    """Where the page leads: another order, the next places, the feed."""
    here, kept = f"/charts/{chart}", _kept(query, found)
    return {
        "by": pick(here, "by", _BY.items(), query.by, **kept),
        "counted": counted_picker(
            here, query.counted, **{**kept, "counted": None}, by=query.by
        )
        if chart.startswith("panel_") and found["period"] != "all_time"
        else [],
        "more": formatting.address(
            here, **kept, by=query.by, limit=limit, offset=query.offset + limit
        ),
        "feed": formatting.address(
            f"/api/v1/charts/{chart}/feed.atom",
            scope=found["scope"],
            period=found["period"],
        ),
    }


def _without_issue(reader: Reader, chart: str, query: IssueQuery) -> Response:
    """A chart that has issues, but not of this scope, period or day: what there is."""
    rows = queries.charts(
        reader, chart=chart, scope=None, period=None, limit=1000, offset=0
    ).records()
    is_asked = query.scope or query.period or query.issue or query.revision
    if (
        is_asked
        and not any(row["scope"] == query.scope for row in rows)
        and query.scope
    ):
        raise Problem(
            "not_found", f"{formatting.chart(chart)} has nothing for {query.scope!r}"
        )
    if query.issue or query.revision or query.period:
        raise Problem("not_found", f"{formatting.chart(chart)} has no such issue")
    for row in rows:
        row["href"] = formatting.address(
            f"/charts/{chart}", scope=row["scope"], period=row["period"]
        )
    response = page(
        "chart_choose.html",
        reader.published,
        title=formatting.chart(chart),
        rows=rows,
        chart=chart,
    )
    return response


def _kept(query: IssueQuery, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "scope": found["scope"],
        "period": found["period"],
        "issue": query.issue,
        "bubbling_under": "true" if query.bubbling_under == "true" else None,
        "counted": query.counted if query.counted != "clean" else None,
    }


def _around(issues: list[dict[str, Any]], here: date) -> dict[str, date | None]:
    """The issue before and the issue after."""
    days = [row["issue_date"] for row in issues]
    before = [day for day in days if day < here]
    after = [day for day in days if day > here]
    return {
        "before": max(before, default=None),
        "after": min(after, default=None),
    }


def _periods(reader: Reader, chart: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = queries.charts(
        reader, chart=chart, scope=found["scope"], period=None, limit=50, offset=0
    ).records()
    known = [row["period"] for row in rows]
    return pick(
        f"/charts/{chart}",
        "period",
        [(name, text) for name, text in formatting.PERIODS.items() if name in known],
        found["period"],
        scope=found["scope"],
    )


def _scopes(reader: Reader, chart: str, period: str) -> list[str]:
    """The countries or tags this chart is there for."""
    if not chart.startswith(("country_", "tag_")):
        return []
    rows = queries.charts(
        reader, chart=chart, scope=None, period=period, limit=1000, offset=0
    ).records()
    return [row["scope"] for row in rows]


def _bump(
    reader: Reader, found: dict[str, Any], issues: list[dict[str, Any]]
) -> Figure | None:
    """How the first ten came where they are, over the last issues."""
    days = [row for row in issues if row["issue_date"] <= found["issue_date"]]
    days = days[:_BUMP_ISSUES][::-1]
    if len(days) < 2 or queries.is_replaced(reader, found):
        return None
    ranks: dict[str, dict[date, int]] = {}
    names: dict[str, str] = {}
    kind = found["chart"].split("_")[1]
    addresses: dict[str, str | None] = {}
    top: list[str] = []
    for row in days:
        is_last = row is days[-1]
        entries = queries.issue(
            reader,
            {
                **found,
                "issue_date": row["issue_date"],
                "revision": row["revision"],
            },
            by="rank",
            is_bubbling_under=False,
            limit=_BUMP_DEPTH,
            offset=0,
        )
        for entry in entries.records():
            key = entry["entity_id"]
            ranks.setdefault(key, {})[row["issue_date"]] = entry["rank"]
            names[key] = entry["entity_name"]
            addresses[key] = _address(kind, entry)
            if is_last:
                top.append(key)
    order = top + [key for key in ranks if key not in top]
    dates = [row["issue_date"] for row in days]
    title = f"The first {_BUMP_DEPTH} over {len(dates)} issues"
    summary = (
        f"A line an entry, rank 1 at the top, from {formatting.short_day(dates[0])} to"
        f" {formatting.short_day(dates[-1])}."
        f" Dashed: not among the first {_BUMP_DEPTH} meanwhile. Faint, where there is"
        " room: gone since."
    )
    drawn = [Entry(names[key], ranks[key], addresses[key]) for key in order]
    return Figure(
        key="bump",
        title=title,
        summary=summary,
        picture=bump("bump", title, summary, dates, drawn, _BUMP_DEPTH),
        table=_bump_table(order, names, addresses, ranks, dates),
        csv=formatting.address(
            f"/api/v1/charts/{found['chart']}.csv",
            scope=found["scope"],
            period=found["period"],
            issue=found["issue_date"],
            limit=_BUMP_DEPTH,
        ),
    )


def _bump_table(
    order: list[str],
    names: dict[str, str],
    addresses: dict[str, str | None],
    ranks: dict[str, dict[date, int]],
    dates: list[date],
) -> Table:
    """Each entry's rank at each issue, by key."""
    return Table(
        ["Name", *(formatting.short_day(day) for day in dates)],
        [
            [
                _linked(addresses[key], names[key]),
                *(str(ranks[key].get(day, "")) for day in dates),
            ]
            for key in order
        ],
        frozenset(range(1, len(dates) + 1)),
    )


def _linked(address: str | None, name: str) -> Markup:
    return formatting.named(name) if address is None else formatting.link(address, name)


def _address(kind: str, row: dict[str, Any]) -> str | None:
    """Where an entry of a chart leads."""
    return formatting.entity_address(
        kind, row["entity_id"], row["entity_name"], row["artist_id"]
    )


def _before(row: dict[str, Any]) -> str:
    """The rank before; who was not there counts as one place below the last."""
    if row["movement"] in ("NEW", "RE"):
        return formatting.NOTHING
    return formatting.number(row["previous_rank"])


_MEASURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "scrobbles_counted": ("Counted", formatting.number),
    "scrobbles": ("All scrobbles", formatting.number),
    "scrobbles_flagged": ("Of robots", formatting.number),
    "scrobbles_over_cap": ("Above the cap", formatting.number),
    "listeners_counted": ("Listeners", formatting.number),
    "listeners": ("All listeners", formatting.number),
    "minutes_counted": ("Minutes", formatting.number),
    "share_pct": ("Share", lambda value: formatting.pct(value, 2)),
}
_BARS = {"scrobbles_counted": "the scrobbles that count, which rank the chart"}
_MEASURE_OF = {
    "rank": "scrobbles_counted",
    "scrobbles": "scrobbles_counted",
    "listeners": "listeners_counted",
    "minutes": "minutes_counted",
    "share": "share_pct",
}
#: Shown only where it differs from what stands before it, or is not nothing.
_SAME_AS = {"scrobbles": "scrobbles_counted", "listeners": "listeners_counted"}
_LEFT_OUT = ("scrobbles_flagged", "scrobbles_over_cap")


def _is_shown(name: str, rows: list[dict[str, Any]]) -> bool:
    if name in _LEFT_OUT:
        return any(row[name] for row in rows)
    other = _SAME_AS.get(name)
    return any(
        row[name] is not None and (other is None or row[name] != row[other])
        for row in rows
    )


def _entries(
    rows: list[dict[str, Any]], found: dict[str, Any], query: IssueQuery, limit: int
) -> Figure:
    """The issue itself: bars by its measure over a table of everything known."""
    chart = found["chart"]
    kind = chart.split("_")[1]
    for row in rows:
        row["scrobbles_over_cap"] = (
            None
            if row["scrobbles"] is None or query.counted == "all"
            else row["scrobbles"] - row["scrobbles_flagged"] - row["scrobbles_counted"]
        )
    order = [_MEASURE_OF[query.by], "scrobbles_counted", "listeners"]
    shown = [name for name in _MEASURES if _is_shown(name, rows)]
    measure = next((name for name in order if name in shown), None)
    title = formatting.chart(chart, found["scope"])
    summary = f"{title}, {formatting.issue(found['period'], found['issue_date'])}."
    drawn = []
    links = [_address(kind, row) for row in rows[:10]]
    if measure is not None:
        heading, say = _MEASURES[measure]
        summary += f" The bars show {_BARS.get(measure, heading.lower())}."
        drawn = [
            (row["entity_name"], row[measure] or 0, say(row[measure]))
            for row in rows[:10]
        ]
    columns: list[tuple[str, Callable[[dict[str, Any]], Cell], bool]] = [
        ("#", lambda row: formatting.number(row["rank"]), True),
        ("", formatting.movement, False),
        (
            {"artists": "Artist", "tracks": "Track", "albums": "Album"}.get(
                kind, "Tag"
            ),
            lambda row: covers.beside(row, formatting.entry(kind, row)),
            False,
        ),
        ("Before", _before, True),
        ("Peak", lambda row: formatting.number(row["peak_rank"]), True),
        ("Issues", lambda row: formatting.number(row["issues_on_chart"]), True),
    ]
    for name in shown:
        heading, say = _MEASURES[name]
        columns.append((heading, lambda row, n=name, s=say: s(row[n]), True))  # type: ignore[misc]
    return Figure(
        key="entries",
        title="All entries" if query.bubbling_under != "true" else "Bubbling under",
        summary=summary,
        picture=drawing.bars(
            "entries", title, summary, drawn, is_ranked=True, links=links
        ),
        table=table(rows, *columns),
        csv=formatting.address(
            f"/api/v1/charts/{chart}.csv",
            scope=found["scope"],
            period=found["period"],
            issue=found["issue_date"],
            revision=found["revision"],
            by=query.by if query.by != "rank" else None,
            bubbling_under="true" if query.bubbling_under == "true" else None,
            counted=query.counted if query.counted != "clean" else None,
            limit=limit,
            offset=query.offset or None,
        ),
        empty="This issue has no entries.",
        has_open_table=True,
    )
