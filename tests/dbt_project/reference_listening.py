"""The marts about listening, slowly and plainly: what dbt's SQL has to come out as.

Owns the rules once more in pure Python, written from their description and not from
the SQL: which scrobbles there are, what stands on the charts of the panel, and how a
chart's entries moved. Loops over everything; for small worlds only.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

FIRST_SECOND = int(datetime(2002, 10, 1, tzinfo=UTC).timestamp())
DEFAULT_SECONDS = 210
COUNTED_OF_A_WEEK = 35
COUNTED_OF_A_MONTH = 140
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


def flagged_days(plays: Iterable[Row]) -> set[tuple[str, date]]:
    """Listeners' days whose plays are hardly one person's: the rules of flags.

    Looks at every 24 (or 192) hours of the clock in a row of every listener.
    """
    found = set()
    each: dict[str, list[Row]] = defaultdict(list)
    for play in plays:
        each[play["listener_id"]].append(play)
    for listener, own in each.items():
        own.sort(key=lambda play: (play["scrobbled_at"], play["scrobble_id"]))
        is_repeat = _repeats(own)
        hours: dict[datetime, list[int]] = defaultdict(list)
        for number, play in enumerate(own):
            hours[_hour(play["scrobbled_at"])].append(number)
        for last in hours:
            for length in (24, 192):
                inside = [
                    number
                    for back in range(length)
                    for number in hours.get(last - timedelta(hours=back), ())
                ]
                if _breaks_a_rule(own, is_repeat, sorted(inside), length):
                    found |= {
                        (listener, own[number]["scrobbled_date"]) for number in inside
                    }
    return found


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _repeats(own: Sequence[Row]) -> list[bool]:
    """Whether each play's track was played in the 24 hours before."""
    found, last = [], {}
    for play in own:
        before = last.get(play["track_id"])
        found.append(
            before is not None and play["scrobbled_at"] - before < timedelta(days=1)
        )
        last[play["track_id"]] = play["scrobbled_at"]
    return found


def _breaks_a_rule(
    own: Sequence[Row], is_repeat: Sequence[bool], inside: Sequence[int], length: int
) -> bool:
    hours = {_hour(own[number]["scrobbled_at"]) for number in inside}
    if length == 192:
        return len(hours) >= 144
    plays = len(inside)
    times = [own[number]["scrobbled_at"] for number in inside]
    quiet = max(
        ((b - a).total_seconds() for a, b in pairwise(times)),
        default=0.0,
    )
    repeats = sum(is_repeat[number] for number in inside)
    timed = short = 0
    for number in inside:
        length_known = own[number]["duration_seconds"]
        if number + 1 == len(own) or length_known is None:
            continue
        now, after = (own[n]["scrobbled_at"] for n in (number, number + 1))
        if now.second and after.second:
            timed += 1
            short += 0 < (after - now).total_seconds() < min(length_known / 2, 240)
    return (
        plays >= 650
        or (len(hours) >= 22 and plays >= 400 and quiet < 7200)
        or (timed >= 100 and short >= 0.3 * timed)
        or (plays >= 300 and len(hours) >= 12 and repeats >= 0.95 * plays)
    )


def top_chart(
    plays: Sequence[Row],
    main_tags: Mapping[str, Sequence[str]],
    kind: str,
    *,
    is_week: bool,
    flagged: set[tuple[str, date]],
) -> list[dict[str, Any]]:
    """The chart of one kind over the plays given, of a week or of whole months."""
    rows: dict[str, dict[str, Any]] = {}
    entity_of = "artist" if kind in ("tag", "listener") else kind
    each: dict[tuple[str, date, str], list[Row]] = defaultdict(list)
    for play in plays:
        if play[f"{entity_of}_id"] is not None:
            start = period_start("week" if is_week else "month", play["scrobbled_date"])
            each[play["listener_id"], start, play[f"{entity_of}_id"]].append(play)
    for (listener, _, entity), own in each.items():
        clean = [p for p in own if (listener, p["scrobbled_date"]) not in flagged]
        counted = min(len(clean), COUNTED_OF_A_WEEK if is_week else COUNTED_OF_A_MONTH)
        seconds = [p["duration_seconds"] or DEFAULT_SECONDS for p in clean]
        for under in _stands_under(kind, listener, entity, main_tags):
            row = rows.setdefault(under, _nothing(under))
            row["scrobbles"] += len(own)
            row["scrobbles_flagged"] += len(own) - len(clean)
            row["scrobbles_counted"] += counted
            row["listening_seconds"] += sum(
                p["duration_seconds"] or DEFAULT_SECONDS for p in own
            )
            if clean:
                row["listening_seconds_counted"] += sum(seconds) * counted // len(clean)
                row["counted"].add(listener)
            row["all"].add(listener)
    for row in rows.values():
        row["listeners"], row["listeners_counted"] = (
            len(row.pop("all")),
            len(row.pop("counted")),
        )
    found = list(rows.values())
    _place(found, kind, "scrobbles", "listeners", "_all")
    _place(found, kind, "scrobbles_counted", "listeners_counted", "")
    return found


def _stands_under(
    kind: str, listener: str, entity: str, main_tags: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    if kind == "tag":
        return main_tags.get(entity, ())
    return (listener,) if kind == "listener" else (entity,)


def _nothing(entity: str) -> dict[str, Any]:
    counts = (
        "scrobbles",
        "scrobbles_flagged",
        "scrobbles_counted",
        "listening_seconds",
        "listening_seconds_counted",
    )
    return {
        "entity_id": entity,
        **dict.fromkeys(counts, 0),
        "all": set(),
        "counted": set(),
    }


def _place(
    rows: list[dict[str, Any]], kind: str, plays: str, listeners: str, end: str
) -> None:
    """Order the rows by a count of plays and write rank, place and share."""
    rows.sort(
        key=lambda row: (
            -row[plays],
            -row[listeners],
            -row["scrobbles"],
            _order(kind, row["entity_id"]),
        )
    )
    whole = sum(row[plays] for row in rows)
    for place, row in enumerate(rows, 1):
        tied = place > 1 and rows[place - 2][plays] == row[plays]
        stands = row[plays] > 0
        rank = rows[place - 2][f"rank{end}"] if tied else place
        row[f"place{end}"] = place if stands else None
        row[f"rank{end}"] = rank if stands else None
        row[f"share{end}_pct"] = 100 * row[plays] / whole if stands else None


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
