"""The steps of the daily run that bring data in: ``fetch`` and ``load``.

Owns which server and which panel the settings mean, and starts the local last.fm where
they name no key. Must not know how a call is made or how a row is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

import httpx2
from sqlalchemy import Engine

from ingest import clocks, landing
from ingest.exchange.export import export_step
from ingest.forgetting import forget_loaded
from ingest.lastfm.client import ROOT_URL, Client, user_agent
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.queue import Queue
from ingest.lastfm.step import DEFAULT_RATE, Server, fetch_step
from ingest.load.load import load_step, unloaded_parts
from ingest.recovery import salvage
from ingest.retention import expire_landing, require_history
from warehouse import ops
from warehouse.errors import FetchFailed, LoadFailed, SettingsError
from warehouse.forgetting import left_out
from warehouse.journal import first_day
from warehouse.names import name_key
from warehouse.run import Run, StepResult
from warehouse.settings import Settings, missing

# A server on this machine is nobody's to spare.
LOCAL_RATE = 5000.0
LOCAL_KEY = "local"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ready(run: Run) -> StepResult:
    """Refuse a day that cannot be fetched, before anything is touched.

    Raises:
        SettingsError: a day is asked for that the server cannot be asked about, or the
            database's clock is ahead of the server's.
        FetchFailed: the server cannot be reached.
    """
    settings = run.settings
    if settings.lastfm_url is None and settings.lastfm_api_key is None:
        return StepResult("", {})  # our own server, started with the fetch
    url = settings.lastfm_url or ROOT_URL
    host = _host(url)
    if settings.lastfm_api_key is None and host not in LOOPBACK:
        raise missing("lastfm_api_key", f"{host} wants a key")
    with run.engine.begin() as connection:
        before = ops.database_time(connection)
        # A run that waited past midnight for its turn still means the day it began on.
        oldest = before.date() - timedelta(days=1)
        if "{as_of}" not in url and run.as_of_date < oldest:
            raise SettingsError(
                f"{url} answers as of now, not as of {run.as_of_date}: counters of a"
                " past day are gone. Run without --as-of (the scrobbles of missed days"
                " come along), or `scrobble publish --as-of` for what has landed"
            )
    clocks.check(Client(url, "").url_of(run.as_of_date), run.engine)
    return StepResult("", {})


def fetch(run: Run) -> StepResult:
    """Fetch and land the run's day, and the missed days where the server has a clock.

    Raises:
        FetchFailed: the server refused, or it cannot be reached.
    """
    _salvage(run, since=run.last_published)
    with lastfm_server(run.settings, run.engine, run.reporter.line) as server:
        return fetch_step(run, server)


def _salvage(run: Run, since: date | None = None) -> bool:
    """Look at landing files that are not loaded yet; whether one was damaged.

    Args:
        since: only those of days after this one.
    """
    ops.ensure_tables(run.engine, landing.metadata)
    with run.engine.begin() as connection:
        parts = landing.list_parts(connection)
    if since is None:
        parts = unloaded_parts(run.target, parts) if run.target.is_open else parts
    else:
        parts = [part for part in parts if part.as_of_date > since]
    said = salvage(run.engine, run.settings.data_dir, parts, run.lease.check)
    for line in said:
        run.reporter.line(f"mended:   {line}")
    return bool(said)


def load(run: Run) -> StepResult:
    """Load everything landed that raw does not have, and what the exchange recorded.

    Raises:
        LoadFailed: landing files are damaged, the items do not come out, or the
            version lacks days whose landing files are gone.
    """
    require_history(run)
    expire_landing(run)
    try:
        loaded = load_step(run)
    except LoadFailed:
        if not _salvage(run):
            raise
        loaded = load_step(run)
    results = [loaded, export_step(run)]
    if run.forgets:
        results.append(forget_loaded(run))
    return StepResult(
        "; ".join(result.text for result in results if result.text),
        {name: of for result in results for name, of in result.detail.items()},
    )


@contextmanager
def lastfm_server(
    settings: Settings, engine: Engine, say: Callable[[str], None]
) -> Iterator[Server]:
    """The server the settings name; without a key one of our own on loopback."""
    joined = Queue(engine, settings.data_dir / "landing").panel()
    is_left_out = left_out(settings, engine)

    def configured(url: str, is_local: bool) -> Server:
        server = _configured(settings, joined, url, is_local)
        kept = tuple(n for n in server.plan.listeners if not is_left_out(n))
        if gone := len(server.plan.listeners) - len(kept):
            say(f"left out: {gone} listeners of the panel who asked to be deleted")
        plan = replace(server.plan, listeners=kept, is_left_out=is_left_out)
        return replace(server, plan=plan)

    if settings.lastfm_url is not None:
        is_local = _host(settings.lastfm_url) in LOOPBACK
        if settings.lastfm_api_key is None and not is_local:
            raise missing("lastfm_api_key", f"{_host(settings.lastfm_url)} wants a key")
        yield configured(settings.lastfm_url, is_local)
    elif settings.lastfm_api_key is not None:
        yield configured(ROOT_URL, is_local=False)
    else:
        from local_lastfm import start_process

        say(
            "no key:   LASTFM_API_KEY is not set, so this run speaks to the local"
            " last.fm and its invented demo world"
        )
        try:
            process = start_process(since=first_day(engine))
        except RuntimeError as error:
            raise FetchFailed(str(error)) from error
        with process:
            yield configured(process.as_of_url, is_local=True)


def _configured(
    settings: Settings, joined: tuple[str, ...], url: str, is_local: bool
) -> Server:
    listeners, countries, tags = (
        settings.lastfm_listeners,
        settings.lastfm_countries,
        settings.lastfm_tags,
    )
    if is_local and not (listeners or countries or tags):
        listeners, countries, tags = _world_panel(url)
    listeners = tuple({name_key(name): name for name in (*joined, *listeners)}.values())
    rate = settings.lastfm_requests_per_second
    return Server(
        api_key=settings.lastfm_api_key or LOCAL_KEY,
        url=url,
        rate=rate or (LOCAL_RATE if is_local else DEFAULT_RATE),
        plan=FetchPlan(
            listeners=listeners,
            countries=countries,
            tags=tags,
            top_artists=settings.lastfm_top_artists,
            full_walk_days=settings.lastfm_full_walk_days,
        ),
    )


def _world_panel(
    url: str,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The panel a local server suggests; empty where it is some other server."""
    page = _parsed(url).copy_with(path="/world.json")
    try:
        answer = httpx2.get(page, headers={"User-Agent": user_agent()}, timeout=30)
        world = answer.json()
        return (
            tuple(world["listeners"]),
            tuple(world["countries"]),
            tuple(world["tags"]),
        )
    except httpx2.HTTPError as error:
        raise FetchFailed(f"{_parsed(url).host} cannot be reached: {error}") from error
    except (ValueError, KeyError):
        return (), (), ()


def _host(url: str) -> str:
    parsed = _parsed(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SettingsError(
            f"lastfm_url {url!r} must be like http://127.0.0.1:8080/2.0/"
        )
    return parsed.host


def _parsed(url: str) -> httpx2.URL:
    try:
        return httpx2.URL(url.replace("{as_of}", date(2000, 1, 1).isoformat()))
    except httpx2.InvalidURL as error:
        raise SettingsError(f"lastfm_url {url!r} is no URL: {error}") from error
