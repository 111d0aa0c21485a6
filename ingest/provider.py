"""What a provider of listening is: whom it fetches, lands and how its answers are read.

Owns the one shape that the daily run knows of last.fm, ListenBrainz and whatever comes
beside them. Must not know any provider (:mod:`ingest.providers` finds them).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData

from ingest.lastfm.recipes import Recipe
from warehouse.run import Run, StepResult


@dataclass(frozen=True)
class Provider:
    """One provider: the object ``PROVIDER`` of ``ingest/<name>/provider.py``.

    name: its folder; title: for people.
    fetch: asks for what the run's day needs and lands each answer as it came; a result
    without text says that nobody is listed.
    recipes: how its landed answers become rows, by method.
    tables: what it keeps in the journal.
    forget: deletes listeners (by key) from these tables; returns how many rows.
    is_own: its plays are what listeners bring of their own, like an imported file: what
    cannot be read there keeps no day from being published.
    """

    name: str
    title: str
    fetch: Callable[[Run], StepResult]
    recipes: tuple[Recipe, ...]
    tables: MetaData
    forget: Callable[[Connection, Collection[str]], int]
    is_own: bool = True
