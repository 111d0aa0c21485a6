"""How large everything is, how fast it grows, and what may be kept of old versions.

Owns the parts of the data folder by name, the budget, and the choice of versions that
thinning leaves. Must not delete: :mod:`warehouse.store` drops versions, the load
expires landing files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from warehouse import ops
from warehouse.settings import Settings
from warehouse.store import Version

WARNED_SHARE = 0.8
GROWTH_DAYS = 14
MEGABYTE = 1_000_000
_FOLDERS = ("landing", "versions", "work", "aside", "covers")
# Files of the data folder whose name begins so belong to a part of their own.
_FILES = {"ops.sqlite": "journal", "exchange.sqlite": "exchange"}


@dataclass(frozen=True)
class Storage:
    """Bytes by part, largest first, and bytes a day by part where that is known."""

    bytes: Mapping[str, int]
    budget_bytes: int
    growth_bytes: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """All parts together."""
        return sum(self.bytes.values())

    @property
    def spare_bytes(self) -> int:
        """How much is left before a warning; less than nothing after it."""
        return int(WARNED_SHARE * self.budget_bytes) - self.total_bytes

    def summary(self) -> str:
        """One line for people."""
        total, budget = self.total_bytes, self.budget_bytes
        parts = [
            f"{name} {size / MEGABYTE:,.1f} MB{self._daily(name)}"
            for name, size in self.bytes.items()
            if size
        ]
        return (
            f"{total / MEGABYTE:,.1f} of {budget / MEGABYTE:,.0f} MB"
            f" ({100 * total / budget:.0f} %): {', '.join(parts) or 'nothing'}"
        )

    def _daily(self, name: str) -> str:
        growth = self.growth_bytes.get(name)
        return "" if growth is None else f" ({growth / MEGABYTE:+,.1f} a day)"

    def warning(self, settings: Settings) -> str | None:
        """What to do, where more than the share of the budget is used."""
        if self.spare_bytes >= 0:
            return None
        used = 100 * self.total_bytes / self.budget_bytes
        growth = sum(self.growth_bytes.values())
        left = self.budget_bytes - self.total_bytes
        when = f", full in {left / growth:,.0f} days" if growth > 0 < left else ""
        ways = [
            f"raise STORAGE_BUDGET_MB ({settings.storage_budget_mb:,})",
            f"lower KEEP_VERSIONS ({settings.keep_versions})",
            f"or KEEP_LANDING_DAYS ({settings.keep_landing_days or 'all are kept'})",
        ]
        if self.bytes.get("aside"):
            ways.insert(0, "empty aside/ after a look at it")
        return (
            f"{used:.0f} % of the storage budget is used{when};"
            f" nothing more is deleted by itself: {', '.join(ways)}"
        )


def measure(settings: Settings, engine: Engine) -> Storage:
    """The sizes now, and their growth by what earlier runs noted."""
    sizes = dict.fromkeys((*_FOLDERS, *_FILES.values(), "other"), 0)
    if settings.data_dir.is_dir():
        for path in settings.data_dir.iterdir():
            sizes[_part_of(path)] += _bytes_of(path)
    with engine.connect() as connection:
        if settings.is_postgres:
            size = select(func.pg_database_size(func.current_database()))
            sizes["database"] = int(connection.execute(size).scalar_one())
        rows: Sequence[Any] = connection.execute(
            select(ops.runs.c.started_at, ops.run_steps.c.detail)
            .join(ops.run_steps, ops.run_steps.c.run_id == ops.runs.c.run_id)
            .where(ops.run_steps.c.step == "publish", ops.run_steps.c.state == "done")
            .order_by(ops.runs.c.started_at.desc())
            .limit(3 * GROWTH_DAYS)
        ).all()
    noted = [
        (started_at, found)
        for started_at, detail in rows
        if (found := json.loads(detail or "{}").get("storage"))
    ]
    return Storage(
        dict(sorted(sizes.items(), key=lambda part: -part[1])),
        settings.storage_budget_mb * MEGABYTE,
        growth(noted),
    )


def growth(noted: list[tuple[datetime, Mapping[str, int]]]) -> dict[str, float]:
    """Bytes a day by part, over the last fortnight; empty below a day of notes.

    Args:
        noted: when which sizes were noted, newest first.
    """
    if not noted:
        return {}
    newest_at, newest = noted[0]
    within = [
        one
        for one in noted
        if (newest_at - one[0]).total_seconds() <= GROWTH_DAYS * 86400
    ]
    oldest_at, oldest = within[-1]
    days = (newest_at - oldest_at).total_seconds() / 86400
    if days < 0.9:
        return {}
    return {
        name: (newest[name] - oldest[name]) / days for name in newest if name in oldest
    }


def chosen(settings: Settings, kept: list[Version], spare_bytes: int) -> list[Version]:
    """Those of the versions, newest first, that stay.

    Args:
        spare_bytes: of the storage as it is, with all of them.
    """
    stay = thinned(
        kept,
        settings.keep_versions,
        settings.keep_weekly_versions,
        settings.keep_monthly_versions,
    )
    if settings.is_postgres:
        return stay  # deleted rows do not give their room back at once
    gone = sum(version.bytes for version in kept)
    gone -= sum(version.bytes for version in stay)
    return within(stay, settings.keep_versions, spare_bytes + gone)


def thinned(
    kept: list[Version], newest: int, weekly: int, monthly: int
) -> list[Version]:
    """Those of the versions, newest first, that stay.

    The newest ones, and of those before them the last of each of so many weeks (from
    Monday) and of so many months.
    """
    stay = kept[:newest]
    recent = {version.version for version in stay}
    rest = [version for version in kept if version.version not in recent]
    weeks = _last_of(kept, lambda v: v.as_of_date.isocalendar()[:2])
    months = _last_of(kept, lambda v: (v.as_of_date.year, v.as_of_date.month))
    chosen = {
        version.version
        for lasts, count in ((weeks, weekly), (months, monthly))
        for version in [v for v in rest if v.version in lasts][:count]
    }
    return stay + [version for version in rest if version.version in chosen]


def within(stay: list[Version], newest: int, spare_bytes: int) -> list[Version]:
    """Those that stay where room is short: the oldest go first, the newest never."""
    stay = list(stay)
    while spare_bytes < 0 and len(stay) > newest:
        spare_bytes += stay.pop().bytes
    return stay


def _last_of(kept: Iterable[Version], period: Callable[[Version], object]) -> set[str]:
    """The newest version of each period."""
    lasts: dict[object, str] = {}
    for version in kept:
        lasts.setdefault(period(version), version.version)
    return set(lasts.values())


def _part_of(path: Path) -> str:
    if path.name in _FOLDERS:
        return path.name
    for start, part in _FILES.items():
        if path.name.startswith(start):
            return part
    return "other"


def _bytes_of(path: Path) -> int:
    """Of a file, or of all below a folder; what goes meanwhile counts for nothing."""
    total = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        try:
            if file.is_file() and not file.is_symlink():
                total += file.stat().st_size
        except OSError:
            continue
    return total
