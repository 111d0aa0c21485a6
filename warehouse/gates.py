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

from warehouse.marts import Marts
from warehouse.plurals import plural
from warehouse.store import Audit, Version

COMPLETENESS_PCT = 99.0
DEAD_LETTERS_PCT = 0.5
LISTENERS_FALL_PCT = -1.0
LISTENERS_RISE_PCT = 5.0
UNCHANGED_PCT = 95.0
SHRINK_PCT = 20.0
COMPARED_DAYS = 14
FREE_TIMES_VERSION = 2.0


@dataclass(frozen=True)
class Age:
    """How many days older than the run's day a mart's newest rows are, and may be."""

    mart: str
    days: int
    limit: int


@dataclass(frozen=True)
class Evidence:
    """What the gates look at.

    `steps` are the details of the run's steps; `days` compares the newest day of the
    marts' counters with the day before (see :func:`counters_sql`), empty without one;
    `ages` are those of the marts that say how fresh they have to be.
    """

    steps: dict[str, dict[str, Any]]
    audit: Audit
    earlier: list[Version]
    days: dict[str, float]
    ages: list[Age]
    free_bytes: int


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate."""

    name: str
    passed: bool
    message: str


def counters_sql(schema: str, marts: Marts, as_of_date: date) -> str | None:
    """One row about the newest day of the mart that has counters in its `meta`.

    Its columns: keys that also have the day before, the sum of their total on both
    days, and how many did not change at all; how many keys the run's day has, and that
    of the days before it which has fewest (a missed day may have more, of deep charts).
    None where no mart has counters.
    """
    counted = [mart for mart in marts.values() if mart.meta.counters is not None]
    if not counted:
        return None
    (mart,) = counted
    counters = mart.meta.counters
    assert counters is not None
    table = f'{schema}."{mart.name}"'
    is_unchanged = " and ".join(
        f'today."{column}" = before."{column}"' for column in counters.columns
    )
    return f"""
        select
            count(*) as keys,
            coalesce(sum(today."{counters.total}"), 0) as total,
            coalesce(sum(before."{counters.total}"), 0) as total_before,
            coalesce(sum(case when {is_unchanged} then 1 else 0 end), 0) as unchanged,
            (
                select count(*) from {table}
                where "{counters.day}" = date '{as_of_date}'
            ) as counted,
            (
                select coalesce(min(counted), 0) from (
                    select count(*) as counted from {table}
                    where "{counters.day}" >= date '{as_of_date}' - {COMPARED_DAYS}
                        and "{counters.day}" < date '{as_of_date}'
                    group by "{counters.day}"
                ) as days
            ) as counted_before
        from {table} as today
        inner join {table} as before
            on before."{counters.key}" = today."{counters.key}"
            and before."{counters.day}" = today."{counters.day}" - 1
        where today."{counters.day}" = (select max("{counters.day}") from {table})
    """


def ages_sql(schema: str, marts: Marts, as_of_date: date) -> str | None:
    """One row (mart, days, limit) for each mart whose `meta` has a freshness."""
    return (
        " union all ".join(
            f"select '{mart.name}' as mart, coalesce(date '{as_of_date}'"
            f' - max("{freshness.column}"), 0) as days,'
            f" {freshness.error_after_days:d} as max_days"
            f' from {schema}."{mart.name}"'
            for mart in marts.values()
            if (freshness := mart.meta.freshness) is not None
        )
        or None
    )


def _completeness(evidence: Evidence) -> tuple[bool, str]:
    fetched = evidence.steps.get("fetch", {})
    planned = int(fetched.get("planned", 0))
    if not planned:
        return True, "nothing was planned"
    share = 100.0 * int(fetched.get("answered", 0)) / planned
    said = f"{share:.2f} % of {planned:,} calls answered"
    if lacking := fetched.get("lacking"):
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        return False, f"{said}, but {'; '.join(lacking[:5])}{more}"
    return share >= COMPLETENESS_PCT, said


def _dead_letters(evidence: Evidence) -> tuple[bool, str]:
    loaded = evidence.steps.get("load", {})
    items, dead = int(loaded.get("items", 0)), int(loaded.get("dead_letters", 0))
    # What cannot be read in a file that somebody brought must not stop the day.
    items -= int(loaded.get("brought_items", 0))
    dead -= int(loaded.get("brought_dead_letters", 0))
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
    before = evidence.days.get("total_before", 0)
    if not before:
        return True, "no day before to compare with"
    change = 100.0 * (evidence.days["total"] - before) / before
    passed = LISTENERS_FALL_PCT <= change <= LISTENERS_RISE_PCT
    return passed, f"sum of listeners {change:+.3f} % since the day before"


def _counters(evidence: Evidence) -> tuple[bool, str]:
    before = int(evidence.days.get("counted_before", 0))
    if not before:
        return True, "no days before to compare with"
    now = int(evidence.days["counted"])
    passed = now >= before * (1 - SHRINK_PCT / 100)
    return passed, f"{now:,} artists have counters, at least {before:,} before"


def _identical_day(evidence: Evidence) -> tuple[bool, str]:
    keys = evidence.days.get("keys", 0)
    if not keys:
        return True, "no day before to compare with"
    share = 100.0 * evidence.days["unchanged"] / keys
    return share <= UNCHANGED_PCT, f"{share:.1f} % of the artists unchanged"


def _freshness(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.ages:
        return True, "no mart says how fresh it has to be"
    oldest = max(evidence.ages, key=lambda age: age.days - age.limit)
    passed = oldest.days < oldest.limit
    return (
        passed,
        f"the newest rows of {oldest.mart} are {plural(oldest.days, 'day')} old",
    )


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
    "counters": _counters,
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
