"""Which world a word such as `demo` or `hetrec:DIR` stands for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from local_lastfm.demo import DemoWorld
from local_lastfm.hetrec import HetrecWorld
from local_lastfm.lastfm_1k import Lastfm1kWorld
from local_lastfm.recordings import RecordingsWorld
from local_lastfm.trouble import TroubleWorld
from local_lastfm.world import World

NAMES = ("demo", "trouble[:deep]", "hetrec:DIR", "lastfm-1k:FILE", "recordings:DIR")


def open_world(
    spec: str,
    today: date | None = None,
    seed: int = 1,
    since: date | None = None,
) -> World:
    """The world of a spec; ValueError names the specs there are."""
    kind, _, place = spec.partition(":")
    if kind == "demo" and not place:
        return DemoWorld(today, seed, since)
    if kind == "trouble" and place in ("", "deep"):
        return TroubleWorld(today, seed, deep=place == "deep")
    if kind == "hetrec" and place:
        return HetrecWorld(Path(place), today)
    if kind == "lastfm-1k" and place:
        return Lastfm1kWorld(Path(place), today)
    if kind == "recordings" and place:
        return RecordingsWorld(Path(place), today)
    raise ValueError(f'no world "{spec}"; there are {", ".join(NAMES)}')
