"""Charts: issues, runs of one entity, changes, year over year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, get_args

from serve.store.contract import Reader, Result
from warehouse.project import variables

Chart = Literal[
    "global_artists",
    "global_tracks",
    "global_tags",
    "country_artists",
    "country_tracks",
    "tag_artists",
    "tag_tracks",
    "panel_artists",
    "panel_tracks",
    "panel_albums",
    "panel_tags",
]
Period = Literal["day", "week", "month", "quarter", "half_year", "year", "all_time"]
Measure = Literal["rank", "listeners", "scrobbles", "minutes", "share"]
CHARTS: tuple[str, ...] = get_args(Chart)

#: By which column an issue is ranked anew; what last.fm answers counts as it is.
_COLUMN = {
    "listeners": "coalesce(listeners_counted, listeners)",
    "scrobbles": "scrobbles_counted",
    "minutes": "minutes_counted",
    "share": "share_pct",
}

_ENTRY = """
    entity_id, entity_name, artist_id, artist_name, previous_rank, movement,
    rank_change, peak_rank, peak_first_date, issues_at_peak, issues_on_chart,
    run_number, run_length, issues_at_1, scrobbles, scrobbles_flagged,
    scrobbles_counted, listeners, listeners_counted, minutes, minutes_counted,
    cast(share_pct as double precision) as share_pct,
    cast(lead_over_2_pct as double precision) as lead_over_2_pct, points,
    is_bubbling_under
"""


def charts(
    reader: Reader,
    *,
    chart: str | None,
    scope: str | None,
    period: str | None,
    limit: int,
    offset: int,
) -> Result:
    """Which charts there are, with their first and last issue."""
    return reader.query(
        """
        select
            chart, scope, period,
            cast(count(distinct issue_date) as bigint) as issues,
            min(issue_date) as first_issue_date,
            max(issue_date) as last_issue_date
        from marts.fct_chart_positions
        where (cast(:chart as text) is null or chart = :chart)
            and (cast(:scope as text) is null or scope = :scope)
            and (cast(:period as text) is null or period = :period)
        group by chart, scope, period
        order by chart, scope, period
        limit :limit offset :offset
        """,
        {
            "chart": chart,
            "scope": scope,
            "period": period,
            "limit": limit,
            "offset": offset,
        },
    )


def number_ones(reader: Reader) -> Result:
    """Who stands first in the newest issue of every chart."""
    return reader.query(
        """
        with

        newest as (

            select chart, scope, period, max(issue_date) as issue_date
            from marts.fct_chart_positions
            group by chart, scope, period

        )

        select
            places.chart, places.scope, places.period, places.issue_date,
            places.entity_id, places.entity_name, places.artist_id, places.artist_name
        from newest
        inner join marts.fct_chart_positions as places
            on places.chart = newest.chart
            and places.scope = newest.scope
            and places.period = newest.period
            and places.issue_date = newest.issue_date
            and places.position = 1
        """
    )


_LENGTH = {period: number for number, period in enumerate(get_args(Period))}
_REMEMBERED = 1024


def find_issue(
    reader: Reader,
    *,
    chart: str,
    scope: str,
    period: str | None,
    day: date | None,
    revision: int | None = None,
    as_of: str | None = None,
) -> dict[str, Any] | None:
    """The issue in force on `day` (or the last): its period, date and revision.

    Without `period` it is the shortest one the chart has. With `revision` it is that
    revision of the issue; with `as_of`, a version's name, the issue that this version
    had in force and its revision then. None where there was none.
    """
    known = _issues(reader, chart, scope)
    for asked in (period,) if period else sorted(known, key=_LENGTH.__getitem__):
        for issue_date, number in reversed(known.get(asked, ())):
            if day is not None and issue_date > day:
                continue
            found = {
                "chart": chart,
                "scope": scope,
                "period": asked,
                "issue_date": issue_date,
                "revision": number,
            }
            if as_of is None and revision in (None, number):
                return found
            return _find_revision(reader, found, revision, as_of)
    return None


def _find_revision(
    reader: Reader, found: dict[str, Any], revision: int | None, as_of: str | None
) -> dict[str, Any] | None:
    """That revision of the issue, or the newest issue that a version had, if any."""
    row = reader.query(
        """
        select issue_date, revision
        from marts.chart_issues
        where chart = :chart and scope = :scope and period = :period
            and issue_date <= :issue_date and places > 0
            and (
                cast(:as_of as text) is null
                -- A version that changed no issue shows those of the one before.
                or edition <= (
                    select max(edition) from marts.chart_issues where version <= :as_of
                )
            )
            and (
                cast(:asked as integer) is null
                or (revision = :asked and issue_date = :issue_date)
            )
        order by issue_date desc, revision desc
        limit 1
        """,
        {**found, "asked": revision, "as_of": as_of},
    ).first()
    return None if row is None else {**found, **row}


def _issues(
    reader: Reader, chart: str, scope: str
) -> Mapping[str, Sequence[tuple[date, int]]]:
    """By period: date and revision of all issues; a version never changes, so kept."""
    place = ("issues", chart, scope)
    known: dict[str, list[tuple[date, int]]] | None = reader.memo.get(place)
    if known is None:
        known = {}
        for period, issue_date, revision in reader.query(
            """
            select distinct period, issue_date, revision
            from marts.fct_chart_positions
            where chart = :chart and scope = :scope
            order by issue_date, revision
            """,
            {"chart": chart, "scope": scope},
        ).rows:
            known.setdefault(period, []).append((issue_date, revision))
        # A scope nobody has is not worth a place.
        if known and len(reader.memo) < _REMEMBERED:
            reader.memo[place] = known
    return known


def issue(
    reader: Reader,
    found: dict[str, Any],
    *,
    by: str,
    is_bubbling_under: bool,
    limit: int,
    offset: int,
) -> Result:
    """The rows of one issue, ranked by the chart or anew by one measure."""
    place = "rank"
    if by != "rank":
        place = f"rank() over (order by {_COLUMN[by]} desc nulls last)"
    bubbling = "true" if is_bubbling_under else "false"
    return reader.query(
        f"""
        select
            cast({place} as integer) as rank,
            rank as chart_rank,
            {_ENTRY}
        from marts.fct_chart_positions
        where chart = :chart and scope = :scope and period = :period
            and issue_date = :issue_date and revision = :revision
            and coalesce(is_bubbling_under, false) = {bubbling}
        order by 1, chart_rank, entity_id
        limit :limit offset :offset
        """,
        {**found, "limit": limit, "offset": offset},
    )


#: What an issue of all plays has of an entry: no history is kept of these.
_ENTRY_OF_ALL = """
    entity_id, entity_name, artist_id, artist_name,
    cast(null as integer) as previous_rank, cast(null as text) as movement,
    cast(null as integer) as rank_change, cast(null as integer) as peak_rank,
    cast(null as date) as peak_first_date, cast(null as bigint) as issues_at_peak,
    cast(null as bigint) as issues_on_chart, cast(null as bigint) as run_number,
    cast(null as bigint) as run_length, cast(null as bigint) as issues_at_1,
    scrobbles, scrobbles_flagged, scrobbles as scrobbles_counted, listeners,
    listeners as listeners_counted,
    cast(floor(listening_seconds / 60.0) as bigint) as minutes,
    cast(floor(listening_seconds / 60.0) as bigint) as minutes_counted,
    cast(share_all_pct as double precision) as share_pct,
    cast(null as double precision) as lead_over_2_pct,
    cast(null as integer) as points, place_all > :size as is_bubbling_under
"""


def issue_of_all(
    reader: Reader,
    found: dict[str, Any],
    *,
    by: str,
    is_bubbling_under: bool,
    limit: int,
    offset: int,
) -> Result:
    """One issue of a panel's chart ranked by all plays; without history."""
    columns = {
        "rank": "scrobbles",
        "scrobbles": "scrobbles",
        "share": "scrobbles",
        "listeners": "listeners",
        "minutes": "listening_seconds",
    }
    size = variables()["chart_size"]
    return reader.query(
        f"""
        select
            cast(rank() over (order by {columns[by]} desc) as integer) as rank,
            rank_all as chart_rank,
            {_ENTRY_OF_ALL}
        from marts.top_charts
        where entity_type = :entity_type and period = :period
            and period_start = :issue_date
            and place_all > :least and place_all <= :most
        order by 1, place_all
        limit :limit offset :offset
        """,
        {
            "entity_type": found["chart"].removeprefix("panel_").removesuffix("s"),
            "period": found["period"],
            "issue_date": found["issue_date"],
            "size": size,
            "least": size if is_bubbling_under else 0,
            "most": 2 * size if is_bubbling_under else size,
            "limit": limit,
            "offset": offset,
        },
    )


#: What is kept of an entry of a revision that another one replaced.
_ENTRY_OF_REVISION = """
    entity_id, entity_name, artist_id, artist_name, previous_rank, movement,
    cast(previous_rank - rank as integer) as rank_change, peak_rank,
    cast(null as date) as peak_first_date, cast(null as bigint) as issues_at_peak,
    issues_on_chart, cast(null as bigint) as run_number,
    cast(null as bigint) as run_length, cast(null as bigint) as issues_at_1,
    scrobbles, scrobbles_flagged, scrobbles_counted, listeners, listeners_counted,
    minutes, minutes_counted, cast(share_pct as double precision) as share_pct,
    cast(null as double precision) as lead_over_2_pct,
    cast(null as integer) as points, is_bubbling_under
"""


def is_replaced(reader: Reader, found: dict[str, Any]) -> bool:
    """Whether a later revision of the issue stands in its place now."""
    known = _issues(reader, found["chart"], found["scope"]).get(found["period"], ())
    return (found["issue_date"], found["revision"]) not in known


def issue_of_revision(
    reader: Reader,
    found: dict[str, Any],
    *,
    by: str,
    is_bubbling_under: bool,
    limit: int,
    offset: int,
) -> Result:
    """One issue as an earlier revision had it, with the names of then."""
    place = "rank"
    if by != "rank":
        place = f"rank() over (order by {_COLUMN[by]} desc nulls last)"
    bubbling = "true" if is_bubbling_under else "false"
    return reader.query(
        f"""
        select
            cast({place} as integer) as rank,
            rank as chart_rank,
            {_ENTRY_OF_REVISION}
        from marts.chart_revisions
        where chart = :chart and scope = :scope and period = :period
            and issue_date = :issue_date and revision = :revision
            and is_bubbling_under = {bubbling}
        order by 1, chart_rank, entity_id
        limit :limit offset :offset
        """,
        {**found, "limit": limit, "offset": offset},
    )


def revisions(
    reader: Reader,
    *,
    chart: str | None,
    scope: str | None,
    period: str | None,
    issue_date: date | None,
    is_restated: bool,
    limit: int,
    offset: int,
) -> Result:
    """Revisions of issues with the version that published each, newest first.

    `is_restated` leaves out first revisions and those of issues still provisional.
    """
    return reader.query(
        """
        select
            chart, scope, period, issue_date, revision, version as published_in,
            finality as status, places, changed_places, first_before, first_now
        from marts.chart_issues
        where (cast(:chart as text) is null or chart = :chart)
            and (cast(:scope as text) is null or scope = :scope)
            and (cast(:period as text) is null or period = :period)
            and (cast(:issue_date as date) is null or issue_date = :issue_date)
            and (not :is_restated or (revision > 1 and finality = 'final'))
        order by edition desc, issue_date desc, chart, scope, period, revision desc
        limit :limit offset :offset
        """,
        {
            "chart": chart,
            "scope": scope,
            "period": period,
            "issue_date": issue_date,
            "is_restated": is_restated,
            "limit": limit,
            "offset": offset,
        },
    )


_MONTHS = {"quarter": 3, "half_year": 6, "year": 12}


def last_day(period: str, issue_date: date) -> date:
    """The last UTC day of an issue; of one of all time the end of its month."""
    if period == "day":
        return issue_date
    if period == "week":
        return issue_date + timedelta(days=6)
    months = issue_date.month - 1 + _MONTHS.get(period, 1)
    year, month = issue_date.year + months // 12, months % 12 + 1
    return date(year, month, 1) - timedelta(days=1)


def issues(
    reader: Reader, *, chart: str, scope: str, period: str, limit: int, offset: int
) -> Result:
    """The issues of one chart, newest first."""
    return reader.query(
        """
        select
            issue_date,
            max(revision) as revision,
            cast(count(distinct entity_id) as bigint) as entries
        from marts.fct_chart_positions
        where chart = :chart and scope = :scope and period = :period
            and coalesce(is_bubbling_under, false) = false
        group by issue_date
        order by issue_date desc
        limit :limit offset :offset
        """,
        {
            "chart": chart,
            "scope": scope,
            "period": period,
            "limit": limit,
            "offset": offset,
        },
    )


def run(
    reader: Reader,
    *,
    chart: str,
    scope: str,
    period: str,
    entity_id: str,
    limit: int,
    offset: int,
) -> Result:
    """Every issue in which one entity stood, newest first."""
    return reader.query(
        f"""
        select positions.*
        from (
            select
                issue_date, revision, rank, {_ENTRY},
                row_number() over (
                    partition by issue_date order by revision desc
                ) as newest
            from marts.fct_chart_positions
            where chart = :chart and scope = :scope and period = :period
                and entity_id = :entity_id
        ) as positions
        where positions.newest = 1
        order by positions.issue_date desc
        limit :limit offset :offset
        """,
        {
            "chart": chart,
            "scope": scope,
            "period": period,
            "entity_id": entity_id,
            "limit": limit,
            "offset": offset,
        },
    )


def ranks(
    reader: Reader, entity_id: str, names: Sequence[str], *, limit: int, offset: int
) -> Result:
    """Where an entry stood in the last issue that had it, for the charts `names`."""
    listed = ", ".join(f"'{name}'" for name in names)
    return reader.query(
        f"""
        select positions.chart, positions.scope, positions.period,
            positions.issue_date, positions.rank, positions.movement,
            positions.peak_rank, positions.issues_on_chart
        from (
            select
                chart, scope, period, issue_date, rank, movement, peak_rank,
                issues_on_chart,
                row_number() over (
                    partition by chart, scope, period
                    order by issue_date desc, revision desc
                ) as newest
            from marts.fct_chart_positions
            where entity_id = :entity_id and chart in ({listed})
        ) as positions
        where positions.newest = 1
        order by positions.rank, positions.chart, positions.scope, positions.period
        limit :limit offset :offset
        """,
        {"entity_id": entity_id, "limit": limit, "offset": offset},
    )


def changes(
    reader: Reader, *, chart: str, scope: str, period: str, depth: int, issues: int
) -> Result:
    """What came, came back, took the top or climbed most in the last issues."""
    return reader.query(
        """
        with

        last_issues as (

            select issue_date, max(revision) as revision
            from marts.fct_chart_positions
            where chart = :chart and scope = :scope and period = :period
            group by issue_date
            order by issue_date desc
            limit :issues

        ),

        rows_of_issues as (

            select
                positions.issue_date, positions.revision, positions.rank,
                positions.entity_id, positions.entity_name, positions.artist_name,
                positions.previous_rank, positions.movement, positions.rank_change,
                row_number() over (
                    partition by positions.issue_date
                    order by positions.rank_change desc nulls last, positions.rank,
                        positions.entity_id
                ) as climb
            from marts.fct_chart_positions as positions
            inner join last_issues
                on last_issues.issue_date = positions.issue_date
                and last_issues.revision = positions.revision
            where positions.chart = :chart and positions.scope = :scope
                and positions.period = :period and positions.rank <= :depth
                and coalesce(positions.is_bubbling_under, false) = false

        )

        select
            issue_date, revision, rank, entity_id, entity_name, artist_name,
            previous_rank, movement, rank_change
        from rows_of_issues
        where movement in ('NEW', 'RE')
            or (rank = 1 and coalesce(previous_rank, 0) <> 1)
            or (climb = 1 and rank_change > 0)
        order by issue_date desc, rank, entity_id
        """,
        {
            "chart": chart,
            "scope": scope,
            "period": period,
            "depth": depth,
            "issues": issues,
        },
    )


def year_over_year(
    reader: Reader,
    found: dict[str, Any],
    earlier: dict[str, Any] | None,
    *,
    limit: int,
    offset: int,
) -> Result:
    """One issue beside the issue a year before, entity by entity."""
    return reader.query(
        """
        with

        now_rows as (

            select rank, entity_id, entity_name, artist_id, artist_name,
                coalesce(scrobbles_counted, scrobbles) as scrobbles,
                coalesce(listeners_counted, listeners) as listeners
            from marts.fct_chart_positions
            where chart = :chart and scope = :scope and period = :period
                and issue_date = :issue_date and revision = :revision
                and coalesce(is_bubbling_under, false) = false

        ),

        earlier_rows as (

            select rank, entity_id,
                coalesce(scrobbles_counted, scrobbles) as scrobbles,
                coalesce(listeners_counted, listeners) as listeners
            from marts.fct_chart_positions
            where chart = :chart and scope = :scope and period = :period
                and issue_date = cast(:earlier_date as date)
                and revision = cast(:earlier_revision as integer)

        )

        select
            now_rows.rank, now_rows.entity_id, now_rows.entity_name,
            now_rows.artist_id, now_rows.artist_name,
            now_rows.scrobbles, now_rows.listeners,
            earlier_rows.rank as year_ago_rank,
            earlier_rows.scrobbles as year_ago_scrobbles,
            earlier_rows.listeners as year_ago_listeners,
            earlier_rows.rank - now_rows.rank as rank_gain,
            case when earlier_rows.scrobbles > 0 then
                100.0 * cast(now_rows.scrobbles - earlier_rows.scrobbles
                    as double precision) / earlier_rows.scrobbles
            end as scrobbles_change_pct
        from now_rows
        left join earlier_rows on earlier_rows.entity_id = now_rows.entity_id
        order by now_rows.rank, now_rows.entity_id
        limit :limit offset :offset
        """,
        {
            **found,
            "earlier_date": earlier["issue_date"] if earlier else None,
            "earlier_revision": earlier["revision"] if earlier else None,
            "limit": limit,
            "offset": offset,
        },
    )
