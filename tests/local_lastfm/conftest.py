"""A demo world with a frozen clock, and a caller that speaks to it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest

from local_lastfm import LocalLastfm

TODAY = date(2026, 11, 22)


class Caller:
    """Calls methods of one local last.fm; a day in `as_of` asks for the past."""

    def __init__(self, lastfm: LocalLastfm, *, sockets: bool = True) -> None:
        self.lastfm = lastfm
        transport = None if sockets else lastfm.transport()
        self.client = httpx2.Client(transport=transport, timeout=10)
        self.base = lastfm.base_url if sockets else "http://local.invalid/"

    def get(
        self, method: str, as_of: date | None = None, **params: object
    ) -> httpx2.Response:
        path = f"at/{as_of}/2.0/" if as_of else "2.0/"
        asked = {"api_key": "k", "format": "json", "method": method}
        asked |= {key.rstrip("_"): str(value) for key, value in params.items()}
        asked = {key: value for key, value in asked.items() if value != "absent"}
        return self.client.get(self.base + path, params=asked)

    def json(self, method: str, as_of: date | None = None, **params: object) -> Any:
        answer = self.get(method, as_of, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def xml(
        self, method: str, as_of: date | None = None, **params: object
    ) -> ElementTree.Element:
        answer = self.get(method, as_of, format="absent", **params)
        assert answer.headers["content-type"].startswith("text/xml")
        return ElementTree.fromstring(answer.text.replace("opensearch:", ""))

    def error(self, method: str, **params: object) -> tuple[int, int]:
        """(HTTP status, error code) of an answer that says no."""
        answer = self.get(method, **params)
        return answer.status_code, answer.json()["error"]

    def scrobbles(
        self, user: str, limit: int = 200, **params: object
    ) -> list[dict[str, Any]]:
        """All rows that have a date, page by page, newest first."""
        rows: list[dict[str, Any]] = []
        page, pages = 1, 1
        while page <= pages:
            root = self.json(
                "user.getRecentTracks", user=user, limit=limit, page=page, **params
            )["recenttracks"]
            pages = int(root.get("@attr", root)["totalPages"])
            found = root.get("track", [])
            found = found if isinstance(found, list) else [found]
            rows += [row for row in found if "date" in row]
            page += 1
        return rows


@pytest.fixture(scope="session")
def demo() -> Iterator[LocalLastfm]:
    """The demo world of one day; tests must not change it."""
    with LocalLastfm(today=TODAY) as lastfm:
        yield lastfm


@pytest.fixture(scope="session")
def ask(demo: LocalLastfm) -> Iterator[Caller]:
    caller = Caller(demo)
    with caller.client:
        yield caller


@pytest.fixture
def trouble() -> Iterator[LocalLastfm]:
    """A small world of one's own, to be spoilt."""
    with LocalLastfm("trouble", today=TODAY) as lastfm:
        yield lastfm


@pytest.fixture
def ask_trouble(trouble: LocalLastfm) -> Iterator[Caller]:
    caller = Caller(trouble)
    with caller.client:
        yield caller


@pytest.fixture(scope="session")
def new_caller() -> type[Caller]:
    return Caller


@pytest.fixture(scope="session")
def today() -> date:
    return TODAY
