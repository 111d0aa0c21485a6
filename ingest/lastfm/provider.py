"""last.fm as a provider: charts and artists, and the histories of the panel."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete

from ingest.lastfm import queue as queues
from ingest.lastfm.recipes import RECIPES
from ingest.lastfm.servers import lastfm_server
from ingest.lastfm.step import fetch_step
from ingest.provider import Provider
from warehouse.run import Run, StepResult


def fetch(run: Run) -> StepResult:
    """Fetch the run's day, and the missed days where the server has a clock.

    Raises:
        FetchFailed: the server refused, or it cannot be reached.
    """
    with lastfm_server(run.settings, run.engine, run.reporter.line) as server:
        return fetch_step(run, server)


def forget(connection: Connection, keys: Collection[str]) -> int:
    """Delete what the fetch remembers of the listeners; returns how many calls."""
    calls = queues.fetch_calls
    own = [f"user:{key}" for key in keys]
    gone = connection.execute(delete(calls).where(calls.c.entity.in_(own))).rowcount
    for table in (queues.fetch_listeners, queues.fetch_panel):
        connection.execute(delete(table).where(table.c.listener_id.in_(keys)))
    return gone


PROVIDER = Provider(
    name="lastfm",
    title="last.fm",
    fetch=fetch,
    recipes=RECIPES,
    tables=queues.metadata,
    forget=forget,
    is_own=False,
)
