"""A load in a process of its own that stops where it is told; for killing.

Usage: python -m tests.ingest.load.loading_child LANDING_ROOT PLACE DATABASE
PLACE is parse, stage, promote, commit, or a number of milliseconds to live after start.
It prints ``there`` at the place and waits to be killed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.landing import Part
from ingest.load import load as loading
from ingest.load import promote
from tests.ingest.load.landing_files import DAY
from warehouse.run import Target


def stop(*_arguments: object) -> None:
    """Say where we are and wait for the end."""
    print("there", flush=True)
    time.sleep(60)


def stop_after(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, and then the end."""

    def stopping(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        stop()
        return result

    return stopping


def main(root: Path, place: str, database: str) -> None:
    """Load everything in the landing folder."""
    if place == "parse":
        vars(loading)["fill_stage"] = stop
    elif place == "stage":
        vars(loading)["promote"] = stop
    elif place == "promote":
        promote._move = stop_after(promote._move)
    elif place == "commit":
        promote._enter = stop_after(promote._enter)
    elif place.isdigit():
        timer = threading.Timer(int(place) / 1000, stop)
        timer.daemon = True
        timer.start()
    parts = []
    for path in sorted((root / "landing").rglob("*.gz")):
        name = path.relative_to(root / "landing").as_posix()
        answers = int(path.with_suffix(".answers").read_text())
        parts.append(Part(name, "run-1", DAY, path.stat().st_size, answers, True))
    target = Target(url=database)
    if "://" not in database:
        target = Target(duckdb_path=Path(database))
    loading.load(
        target,
        root / "landing",
        parts,
        "run-1",
        DAY,
        root / "work",
        lambda _connection: None,
    )
    print("done", flush=True)
    stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
