"""The local server's listens API, as a client of ListenBrainz sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx2
import pytest

from local_lastfm import LocalLastfm
from local_lastfm.listenbrainz import METHOD


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm("trouble", today=date(2026, 3, 1)) as running:
        yield running


def ask(lastfm: LocalLastfm, account: str, **params: Any) -> httpx2.Response:
    url = f"{lastfm.listenbrainz_url}/1/user/{account}/listens"
    return httpx2.get(url, params=params)


def times(answer: httpx2.Response) -> list[int]:
    return [each["listened_at"] for each in answer.json()["payload"]["listens"]]


def test_pages_are_the_newest_first_and_bounds_are_exclusive(
    lastfm: LocalLastfm,
) -> None:
    truth = [play.uts for play in lastfm.truth("calm")]
    assert times(ask(lastfm, "CALM")) == truth[:-26:-1]
    assert times(ask(lastfm, "calm", count=5000)) == truth[::-1]
    middle = truth[100]
    assert times(ask(lastfm, "calm", count=3, max_ts=middle)) == truth[99:96:-1]
    assert times(ask(lastfm, "calm", count=3, min_ts=middle)) == truth[103:100:-1]
    both = ask(lastfm, "calm", max_ts=truth[103], min_ts=middle)
    assert times(both) == [truth[102], truth[101]]
    payload = both.json()["payload"]
    assert payload["oldest_listen_ts"] == truth[0]
    assert payload["latest_listen_ts"] == truth[-1]
    assert both.headers["X-RateLimit-Limit"] == "30"


def test_refusals_are_those_of_listenbrainz(lastfm: LocalLastfm) -> None:
    answer = ask(lastfm, "nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    assert ask(lastfm, "calm", max_ts="soon").status_code == 400
    assert ask(lastfm, "calm", max_ts=5, min_ts=6).status_code == 400
    assert ask(lastfm, "calm", count=-1).status_code == 400
    lastfm.set_faults([{"kind": "error", "code": 29, "method": METHOD, "count": 1}])
    answer = ask(lastfm, "calm")
    assert answer.status_code == 429
    assert answer.headers["X-RateLimit-Reset-In"] == "1"
    assert ask(lastfm, "calm").status_code == 200
