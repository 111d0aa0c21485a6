"""Gates: reasons to keep yesterday's version although every model and test passed.

Owns their limits. Each gate is a function of what the run found; an operator who has
looked and disagrees passes ``--accept NAME``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from warehouse.store import Audit, Version

COMPLETENESS_PCT = 99.0
DEAD_LETTERS_PCT = 0.5
LISTENERS_FALL_PCT = -1.0
LISTENERS_RISE_PCT = 5.0
UNCHANGED_PCT = 95.0
SHRINK_PCT = 20.0
FREE_TIMES_VERSION = 2.0
# Days; the sources' own limit (error_after) in the dbt project.
STALE_DAYS = 7


@dataclass(frozen=True)
class Evidence:
    """What the gates look at.

    `steps` are the details of the run's steps; `days` is the marts' own summary of the
    newest day beside the day before (see :func:`day_summary_sql`), empty without one.
    """

    steps: dict[str, dict[str, Any]]
    audit: Audit
    earlier: list[Version]
    days: dict[str, float]
    free_bytes: int


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate."""

    name: str
    passed: bool
    message: str


def day_summary_sql(marts: str, as_of_date: date) -> str:
    """One row about the newest snapshot day: artists that also have the day before,
    the sum of their listeners on both days, how many did not change at all, and by how
    many days the newest snapshots and answers are older than the run's day."""
    return f"""
        with newest as (
            select max(snapshot_date) as snapshot_date from {marts}.fct_artist_snapshots
        )
        select
            count(*) as artists,
            coalesce(sum(today.listeners), 0) as listeners,
            coalesce(sum(before.listeners), 0) as listeners_before,
            coalesce(sum(case when today.listeners = before.listeners
                and today.playcount = before.playcount then 1 else 0 end), 0)
                as unchanged,
            coalesce((
                select date '{as_of_date}' - max(snapshot_date) from newest
            ), 0) as snapshots_age_days,
            coalesce((
                select date '{as_of_date}' - max(last_as_of_date)
                from {marts}.freshness
            ), 0) as answers_age_days
        from newest
        inner join {marts}.fct_artist_snapshots as today
            on today.snapshot_date = newest.snapshot_date
        inner join {marts}.fct_artist_snapshots as before
            on before.artist_id = today.artist_id
            and before.snapshot_date = today.snapshot_date - 1
    """


def _completeness(evidence: Evidence) -> tuple[bool, str]:
    fetched = evidence.steps.get("fetch", {})
    planned = int(fetched.get("planned", 0))
    if not planned:
        return True, "nothing was planned"
    share = 100.0 * int(fetched.get("answered", 0)) / planned
    return share >= COMPLETENESS_PCT, f"{share:.2f} % of {planned:,} calls answered"


def _dead_letters(evidence: Evidence) -> tuple[bool, str]:
    loaded = evidence.steps.get("load", {})
    items, dead = int(loaded.get("items", 0)), int(loaded.get("dead_letters", 0))
    share = 100.0 * dead / items if items else 0.0
    return share <= DEAD_LETTERS_PCT, f"{dead:,} of {items:,} items ({share:.3f} %)"


def _reconciliation(evidence: Evidence) -> tuple[bool, str]:
    loaded = evidence.steps.get("load", {})
    items = int(loaded.get("items", 0))
    found = int(loaded.get("rows", 0)) + int(loaded.get("dead_letters", 0))
    return items == found, f"{items:,} items = {found:,} rows and dead letters"


def _row_counts(evidence: Evidence) -> tuple[bool, str]:
    worst, worst_pct = "", 0.0
    for table, rows in evidence.audit.row_counts.items():
        before = [
            v.row_counts[table] for v in evidence.earlier if table in v.row_counts
        ]
        usual = median(before) if before else 0
        if usual >= 100:
            change = 100.0 * (rows - usual) / usual
            if change < worst_pct:
                worst, worst_pct = table, change
    if not worst:
        return True, "no mart shrank"
    return worst_pct >= -SHRINK_PCT, f"{worst} has {worst_pct:.1f} % rows"


def _listeners(evidence: Evidence) -> tuple[bool, str]:
    before = evidence.days.get("listeners_before", 0)
    if not before:
        return True, "no day before to compare with"
    change = 100.0 * (evidence.days["listeners"] - before) / before
    passed = LISTENERS_FALL_PCT <= change <= LISTENERS_RISE_PCT
    return passed, f"sum of listeners {change:+.3f} % since the day before"


def _identical_day(evidence: Evidence) -> tuple[bool, str]:
    artists = evidence.days.get("artists", 0)
    if not artists:
        return True, "no day before to compare with"
    share = 100.0 * evidence.days["unchanged"] / artists
    return share <= UNCHANGED_PCT, f"{share:.1f} % of the artists unchanged"


def _freshness(evidence: Evidence) -> tuple[bool, str]:
    ages = {
        name: int(evidence.days.get(f"{name}_age_days", 0))
        for name in ("snapshots", "answers")
    }
    oldest = max(ages, key=lambda name: ages[name])
    passed = ages[oldest] < STALE_DAYS
    return passed, f"the newest {oldest} are {ages[oldest]} days old"


def _free_disk(evidence: Evidence) -> tuple[bool, str]:
    needed = FREE_TIMES_VERSION * evidence.audit.bytes
    free = evidence.free_bytes
    return free >= needed, f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB wanted"


GATES: dict[str, Callable[[Evidence], tuple[bool, str]]] = {
    "completeness": _completeness,
    "dead-letters": _dead_letters,
    "reconciliation": _reconciliation,
    "row-counts": _row_counts,
    "listeners": _listeners,
    "identical-day": _identical_day,
    "freshness": _freshness,
    "free-disk": _free_disk,
}


def judge(evidence: Evidence) -> list[Gate]:
    """Every gate's verdict, in a fixed order."""
    return [Gate(name, *check(evidence)) for name, check in GATES.items()]


def free_bytes(path: Any) -> int:
    """Bytes free on the disk that holds `path`."""
    return shutil.disk_usage(path).free
