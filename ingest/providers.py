"""The providers there are: each folder of ``ingest`` with a module ``provider``.

Owns how they are found. Nothing else lists them: a folder more is a provider more.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from ingest.provider import Provider

FOLDER = Path(__file__).parent


def names(folder: Path = FOLDER) -> list[str]:
    """The folders that hold a provider, last.fm first."""
    found = [path.parent.name for path in folder.glob("*/provider.py")]
    return sorted(found, key=lambda name: (name != "lastfm", name))


@cache
def providers() -> tuple[Provider, ...]:
    """All providers, last.fm first."""
    found = []
    for name in names():
        provider: Provider = importlib.import_module(f"ingest.{name}.provider").PROVIDER
        found.append(provider)
    return tuple(found)
