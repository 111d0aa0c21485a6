"""Which world a word such as `demo` or `hetrec:DIR` stands for."""

from __future__ import annotations

from datetime import date

from ingest.local_lastfm.demo import DemoWorld
from ingest.local_lastfm.world import World

NAMES = ("demo",)


def open_world(spec: str, today: date | None = None, seed: int = 1) -> World:
    """The world of a spec; ValueError names the specs there are."""
    kind, _, _place = spec.partition(":")
    if kind == "demo":
        return DemoWorld(today, seed)
    raise ValueError(f'no world "{spec}"; there are {", ".join(NAMES)}')
