"""The marts about listening, slowly and plainly: what dbt's SQL has to come out as.

Owns the rules once more in pure Python, written from their description and not from
the SQL: which scrobbles there are, what stands on the charts of the panel, and how a
chart's entries moved. Loops over everything; for small worlds only.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

FIRST_SECOND = int(datetime(2002, 10, 1, tzinfo=UTC).timestamp())
DEFAULT_SECONDS = 210
CAP_OF_A_WEEK = 500
ALL_TIME = date(2002, 10, 1)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Walk:
    """One walk through recent tracks; `totals` holds a total for each answered page."""

    listener_id: str
    from_uts: int
    to_uts: int
    pages: int
    totals: Mapping[int, int]
    first_fetched_at: datetime
    has_dead_letter: bool = False

    @property
    def is_complete(self) -> bool:
        whole = set(self.totals) == set(range(1, self.pages + 1))
        return (
            whole and len(set(self.totals.values())) == 1 and not self.has_dead_letter
        )


def scrobbles(
    answers: Iterable[Row], walks: Sequence[Walk]
) -> dict[tuple[str, int, str, str], Row]:
    """What is left of the answered rows, by listener, second, artist and track."""
    latest: dict[tuple[str, int, str, str], Row] = {}
    for row in answers:
        second = row["scrobbled_uts"]
        if row["is_now_playing"] or not second or second < FIRST_SECOND:
            continue
        key = (
            row["listener_name"].lower(),
            second,
            row["artist_name"],
            row["track_name"],
        )
        known = latest.get(key)
        order = (row["fetched_at"], row["load_id"], row["call_id"], row["item_index"])
        if known is None or order > (
            known["fetched_at"],
            known["load_id"],
            known["call_id"],
            known["item_index"],
        ):
            latest[key] = row
    return {
        key: row
        for key, row in latest.items()
        if not any(
            walk.is_complete
            and walk.listener_id == key[0]
            and walk.from_uts < key[1] < walk.to_uts
            and walk.first_fetched_at > row["fetched_at"]
            for walk in walks
        )
    }


def period_start(period: str, day: date) -> date:
    """The first day of the period a day lies in."""
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.isoweekday() - 1)
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    if period == "half_year":
        return date(day.year, 1 if day.month < 7 else 7, 1)
    if period == "year":
        return date(day.year, 1, 1)
    return ALL_TIME


def period_next(period: str, start: date) -> date:
    """The first day after a period."""
    if period in ("day", "week"):
        return start + timedelta(days=1 if period == "day" else 7)
    months = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[period]
    month = start.month - 1 + months
    return date(start.year + month // 12, month % 12 + 1, 1)


def top_chart(
    plays: Sequence[Row], main_tags: Mapping[str, Sequence[str]], kind: str, days: int
) -> list[dict[str, Any]]:
    """The chart of one kind over the plays given, whose span is so many days."""
    cap = CAP_OF_A_WEEK * days // 7
    each: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    for play in plays:
        length = play["duration_seconds"] or DEFAULT_SECONDS
        for entity in _entities(play, main_tags, kind):
            counted = play["artist_id"] if kind == "listener" else entity
            each[entity][(play["listener_id"], counted)] += 1
            seconds[entity] += length
    rows: list[dict[str, Any]] = [
        {
            "entity_id": entity,
            "scrobbles": sum(counts.values()),
            "scrobbles_capped": sum(min(count, cap) for count in counts.values()),
            "listeners": len({listener for listener, _ in counts}),
            "listening_seconds": seconds[entity],
        }
        for entity, counts in each.items()
    ]
    rows.sort(
        key=lambda row: (
            -row["scrobbles_capped"],
            -row["listeners"],
            -row["scrobbles"],
            _order(kind, row["entity_id"]),
        )
    )
    whole = sum(row["scrobbles_capped"] for row in rows)
    for place, row in enumerate(rows, 1):
        tied = (
            place > 1
            and rows[place - 2]["scrobbles_capped"] == (row["scrobbles_capped"])
        )
        row["place"] = place
        row["rank"] = rows[place - 2]["rank"] if tied else place
        row["share_pct"] = 100 * row["scrobbles_capped"] / whole
    return rows


def _entities(
    play: Row, main_tags: Mapping[str, Sequence[str]], kind: str
) -> Iterable[str]:
    if kind == "tag":
        return main_tags.get(play["artist_id"], ())
    entity = play[f"{kind}_id"]
    return () if entity is None else (entity,)


def _order(kind: str, entity: str) -> str:
    return hashlib.md5(entity.encode()).hexdigest() if kind == "listener" else entity


def movements(
    issues: Mapping[date, Sequence[Row]], size: int
) -> dict[tuple[date, bool, str], dict[str, Any]]:
    """How the entries of a chart and of what bubbles under it moved, issue by issue.

    Args:
        issues: of each issue date the rows with `entity_id`, `rank` and `position`.
    """
    found: dict[tuple[date, bool, str], dict[str, Any]] = {}
    for is_below in (False, True):
        history: dict[str, list[tuple[date, int]]] = defaultdict(list)
        previous: date | None = None
        absent = (2 * size if is_below else size) + 1
        for issue in sorted(issues):
            for row in issues[issue]:
                if (row["position"] > size) != is_below:
                    continue
                entity, rank = row["entity_id"], row["rank"]
                before = list(history[entity])
                was_there = bool(before) and before[-1][0] == previous
                last = before[-1][1] if was_there else absent
                after = [*before, (issue, rank)]
                peak = min(r for _, r in after)
                runs = _runs([d for d, _ in after], sorted(issues))
                found[issue, is_below, entity] = {
                    "previous_rank": None if previous is None else last,
                    "movement": _movement(before, was_there, last, rank),
                    "peak_rank": peak,
                    "peak_first_date": min(d for d, r in after if r == peak),
                    "issues_at_peak": sum(r == peak for _, r in after),
                    "issues_on_chart": len(after),
                    "issues_at_1": sum(r == 1 for _, r in after),
                    "run_number": len(runs),
                    "run_length": runs[-1],
                }
                history[entity].append((issue, rank))
            previous = issue
    return found


def _movement(
    before: Sequence[tuple[date, int]], was_there: bool, last: int, rank: int
) -> str:
    if not before:
        return "NEW"
    if not was_there:
        return "RE"
    return "SAME" if last == rank else "UP" if last > rank else "DOWN"


def _runs(present: Sequence[date], issues: Sequence[date]) -> list[int]:
    """Lengths of the unbroken runs of issues."""
    place = {issue: number for number, issue in enumerate(issues)}
    lengths: list[int] = []
    for number, issue in enumerate(present):
        if number and place[issue] == place[present[number - 1]] + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths
