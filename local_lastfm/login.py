"""A login for who tries the service with the demo world and has no key of last.fm's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from local_lastfm.auth import API_KEY, SHARED_SECRET
from local_lastfm.local import start_process
from warehouse.journal import first_day


@contextmanager
def demo_login(engine: Engine) -> Iterator[dict[str, str]]:
    """Run a local last.fm; gives the environment in which the service uses it.

    RuntimeError with what it wrote if it does not come up.
    """
    with start_process(since=first_day(engine)) as lastfm:
        yield {
            "LASTFM_API_KEY": API_KEY,
            "LASTFM_SHARED_SECRET": SHARED_SECRET,
            "LASTFM_URL": lastfm.as_of_url,
            "LISTENBRAINZ_URL": lastfm.url.removesuffix("/2.0/"),
            "SERVE_LOGIN_URL": lastfm.url.replace("/2.0/", "/api/auth/?choose=1"),
            "SERVE_LOGIN_API_URL": lastfm.url,
            "SERVE_COVERS_URL": lastfm.url.replace("/2.0/", "/i/u/174s/{id}.png"),
        }
