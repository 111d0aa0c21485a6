"""Counts in words."""

from __future__ import annotations


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,234 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
