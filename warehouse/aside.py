"""Where files go that nobody knows or nobody can read; nothing here is ever deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def move_aside(data_dir: Path, path: Path) -> Path:
    """Move a file of the data folder to ``aside/``; returns its new path."""
    folder = data_dir / "aside"
    folder.mkdir(exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    number = 0
    while True:
        target = folder / f"{stamp}-{number}-{path.name}"
        if not target.exists():
            return path.rename(target)
        number += 1
