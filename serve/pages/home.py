"""Home: what is rising, what the charts say, how much has been heard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response

from serve.context import reading
from serve.pages import drawing, formatting
from serve.pages.site import Figure, page, table
from serve.queries import artists, charts, insights, trends
from serve.queries.windows import Plays
from serve.ranges import of_word
from serve.store.contract import Reader

_RISING = 6
_SPARK_DAYS = 90


def add_routes(pages: Blueprint) -> None:
    """`/`."""
    pages.get("/")(home)


def home() -> Response:
    """The first page."""
    with reading() as reader:
        published = reader.published
        everything = Plays(of_word("all_time", published.as_of_date))
        totals = insights.mart_totals(reader, everything)
        if totals is None:
            totals = insights.totals(reader, everything)
        return page(
            "home.html",
            published,
            totals=totals,
            listening_time=insights.in_words(totals["listening_seconds"]),
            rising=_rising(reader),
            climbers=_climbers(reader),
            leaders=_leaders(reader),
            months=_months(reader),
        )


def _rising(reader: Reader) -> dict[str, Any]:
    """The artists that are rising, by growth; where none is, those of highest score."""
    rising = _sorted_artists(reader, "growth", is_rising=True)
    rows = rising or [
        row for row in _sorted_artists(reader, "score") if row["score"] is not None
    ]
    if rows:
        last = reader.published.as_of_date
        series = artists.series(
            reader,
            artist_ids=[row["artist_id"] for row in rows],
            measure="value",
            first=last - timedelta(days=_SPARK_DAYS),
            last=last,
        )
        points: dict[str, list[drawing.Point]] = {}
        for artist_id, _, day, value, _ in series.rows:
            points.setdefault(artist_id, []).append((day, value))
        for row in rows:
            row["spark"] = drawing.spark(points.get(row["artist_id"], []))
    return {
        "rows": rows,
        "is_growth": bool(rising),
        "csv": formatting.address(
            "/api/v1/artists.csv",
            sort="growth" if rising else "score",
            rising="true" if rising else None,
            limit=_RISING,
        ),
    }


def _sorted_artists(
    reader: Reader, sort: str, *, is_rising: bool | None = None
) -> list[dict[str, Any]]:
    return artists.artists(
        reader,
        text=None,
        tag_id=None,
        is_rising=is_rising,
        sort=sort,
        limit=_RISING,
        offset=0,
    ).records()


_FRONT = (
    ("panel_artists", "week"),
    ("global_artists", "day"),
    ("global_artists", "week"),
    ("panel_tracks", "week"),
)


def _climbers(reader: Reader) -> dict[str, Any] | None:
    """What moved most in the newest issue of the first chart that has two."""
    for chart, period in _FRONT:
        found = charts.find_issue(
            reader, chart=chart, scope="", period=period, day=None, revision=None
        )
        if found is None:
            continue
        rows = charts.issue(
            reader, found, by="rank", is_bubbling_under=False, limit=50, offset=0
        ).records()
        moved = [row for row in rows if row["movement"] == "UP"]
        moved.sort(key=lambda row: (-row["rank_change"], row["rank"]))
        new = [row for row in rows if row["movement"] in ("NEW", "RE")]
        if moved or new:
            return {
                "chart": chart,
                "found": found,
                "moved": moved[:5],
                "new": new[:5] if moved else [],
                "href": formatting.address(f"/charts/{chart}", period=period),
            }
    return None


def _leaders(reader: Reader) -> list[dict[str, Any]]:
    """The first ten of the charts people know best; top lists where none is."""
    shown: list[dict[str, Any]] = []
    for chart, period in _FRONT:
        if len(shown) == 2 or chart in {item["chart"] for item in shown}:
            continue
        found = charts.find_issue(
            reader, chart=chart, scope="", period=period, day=None, revision=None
        )
        if found is None:
            continue
        rows = charts.issue(
            reader, found, by="rank", is_bubbling_under=False, limit=10, offset=0
        ).records()
        shown.append(
            {
                "chart": chart,
                "title": formatting.chart(chart),
                "when": formatting.issue(found["period"], found["issue_date"]),
                "rows": rows,
                "href": formatting.address(f"/charts/{chart}", period=period),
                "csv": formatting.address(
                    f"/api/v1/charts/{chart}.csv", period=period, limit=10
                ),
            }
        )
    return shown or _top_lists(reader)


def _top_lists(reader: Reader) -> list[dict[str, Any]]:
    shown = []
    days = of_word("month", reader.published.as_of_date)
    for entity, title in (("artists", "Artists"), ("tracks", "Tracks")):
        rows = insights.top(
            reader, entity=entity, plays=Plays(days), by="scrobbles", limit=10, offset=0
        ).records()
        if rows:
            shown.append(
                {
                    "chart": entity,
                    "title": f"{title} of the panel",
                    "when": formatting.issue("month", days.first),
                    "rows": rows,
                    "href": "/charts",
                    "csv": formatting.address(
                        f"/api/v1/insights/top/{entity}.csv", range="month", limit=10
                    ),
                }
            )
    return shown


def _months(reader: Reader) -> Figure:
    """The panel's scrobbles by month or, when young, by week."""
    days = of_word("all_time", reader.published.as_of_date)
    grain = "month"
    rows = _trend(reader, grain)
    if len(rows) < 8:
        grain = "week"
        rows = _trend(reader, grain)
    rows = rows[-60:]
    labels = [
        f"{row['period_start']:%b %Y}"
        if grain == "month"
        else f"{row['period_start'].day} {row['period_start']:%b}"
        for row in rows
    ]
    bars = []
    for label, row in zip(drawing.spread(labels, 8), rows, strict=True):
        start = row["period_start"]
        count = formatting.plural(int(row["value"]), "scrobble")
        says = f"{formatting.issue(grain, start)}: {count}"
        bars.append((label, row["value"], says))
    summary = (
        f"Scrobbles of the whole panel by {grain}; the newest {grain} is still running."
    )
    return Figure(
        key="months",
        title=f"Scrobbles by {grain}",
        summary=summary,
        picture=drawing.columns("months", f"Scrobbles by {grain}", summary, bars),
        table=table(
            rows[::-1],
            (
                grain.capitalize(),
                lambda row: formatting.issue(grain, row["period_start"]),
                False,
            ),
            ("Scrobbles", lambda row: formatting.number(row["value"]), True),
            ("A year before", lambda row: _year_before(row), True),
            ("Change", lambda row: formatting.signed(row["change_pct"]) + " %", True),
        ),
        csv=formatting.address(
            f"/api/v1/trends/{grain}.csv",
            from_=rows[0]["period_start"] if rows else days.first,
            limit=len(rows) or 1,
        ),
        empty="The panel has no scrobbles yet. Run `make daily`.",
    )


def _year_before(row: dict[str, Any]) -> str:
    return formatting.number(row["previous_year_scrobbles"])


def _trend(reader: Reader, grain: str) -> list[dict[str, Any]]:
    days = of_word("all_time", reader.published.as_of_date)
    return trends.by_period(
        reader,
        grain=grain,
        statistic="scrobbles",
        plays=Plays(days),
        limit=10_000,
        offset=0,
    ).records()
