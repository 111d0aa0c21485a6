"""Which last.fm is asked: the settings' server, or the local one where none is named.

Owns which server and which panel the settings mean, and starts the local last.fm where
they name no key. Must not know how a call is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import httpx2
from sqlalchemy import Engine

from ingest.lastfm.client import ROOT_URL, user_agent
from ingest.lastfm.plan import FetchPlan
from ingest.lastfm.queue import Queue
from ingest.lastfm.step import DEFAULT_RATE, Server
from warehouse.errors import FetchFailed, SettingsError
from warehouse.forgetting import left_out
from warehouse.journal import first_day
from warehouse.names import name_key
from warehouse.plurals import plural
from warehouse.settings import Settings, missing

# A server on this machine is nobody's to spare.
LOCAL_RATE = 5000.0
LOCAL_KEY = "local"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
            who = plural(gone, "listener")
            say(f"left out: {who} of the panel who asked to be deleted")
        plan = replace(server.plan, listeners=kept, is_left_out=is_left_out)
        return replace(server, plan=plan)

    if settings.lastfm_url is not None:
        is_local = host_of(settings.lastfm_url) in LOOPBACK
        if settings.lastfm_api_key is None and not is_local:
            raise missing(
                "lastfm_api_key", f"{host_of(settings.lastfm_url)} wants a key"
            )
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


@contextmanager
def one_server(
    settings: Settings, say: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    """Root and key of the server the settings name, of today; no database is needed.

    Raises:
        SettingsError: it wants a key and there is none.
        FetchFailed: the local server did not start.
    """
    url = settings.lastfm_url
    if url is None and settings.lastfm_api_key is not None:
        url = ROOT_URL
    if url is not None:
        host = host_of(url)
        if settings.lastfm_api_key is None and host not in LOOPBACK:
            raise missing("lastfm_api_key", f"{host} wants a key")
        today = datetime.now(UTC).date().isoformat()
        yield url.replace("{as_of}", today), settings.lastfm_api_key or LOCAL_KEY
        return
    from local_lastfm import start_process

    say("no key: LASTFM_API_KEY is not set, so the local last.fm's invented world")
    try:
        process = start_process()
    except RuntimeError as error:
        raise FetchFailed(str(error)) from error
    with process:
        yield process.url, LOCAL_KEY


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


def host_of(url: str) -> str:
    """The host of a server's root.

    Raises:
        SettingsError: it is no URL of the web.
    """
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
