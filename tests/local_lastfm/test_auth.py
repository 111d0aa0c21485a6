"""Logging in: keys, signatures, tokens and sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from local_lastfm import LocalLastfm, auth


class SignedCaller:
    """Signs every call with the shared secret, as the API asks for."""

    def __init__(self, lastfm: LocalLastfm) -> None:
        self.lastfm = lastfm
        self.client = httpx2.Client(timeout=10)

    def call(self, secret: str = LocalLastfm.secret, **params: str) -> httpx2.Response:
        signed = {"api_key": LocalLastfm.api_key, **params}
        signed["api_sig"] = auth.signature(signed, secret)
        signed["format"] = "json"
        return self.client.post(self.lastfm.url, data=signed)

    def token(self, user: str) -> str:
        """What the callback address gets after the user said yes."""
        answer = self.client.get(
            self.lastfm.auth_url,
            params={
                "api_key": LocalLastfm.api_key,
                "cb": "http://127.0.0.1:9/back?state=7",
                "user": user,
            },
        )
        assert answer.status_code == 302
        location = urlsplit(answer.headers["location"])
        query = parse_qs(location.query)
        assert location.netloc == "127.0.0.1:9" and query["state"] == ["7"]
        return query["token"][0]


@pytest.fixture
def caller(trouble: LocalLastfm) -> Iterator[SignedCaller]:
    signed = SignedCaller(trouble)
    with signed.client:
        yield signed


def test_the_web_login_ends_in_a_session_of_the_user(caller: SignedCaller) -> None:
    token = caller.token("Trouble")
    session = caller.call(method="auth.getSession", token=token).json()["session"]
    assert session["name"] == "Trouble" and len(session["key"]) == 32
    own = caller.call(method="user.getInfo", sk=session["key"]).json()
    assert own["user"]["name"] == "Trouble"


def test_the_page_asks_who_it_shall_be_where_that_is_wanted(
    caller: SignedCaller,
) -> None:
    asked = {"api_key": LocalLastfm.api_key, "cb": "http://127.0.0.1:9/back?state=7"}
    address = caller.lastfm.auth_url
    page = caller.client.get(address, params={**asked, "choose": "1"})
    assert page.status_code == 200
    links = dict(re.findall(r'<li><a href="([^"]+)">([^<]+)</a>', page.text))
    assert sorted(links.values()) == sorted(caller.lastfm.world.listeners)
    (chosen,) = (unescape(link) for link, name in links.items() if name == "trouble")
    location = caller.client.get(f"{address}{chosen}").headers["location"]
    token = parse_qs(urlsplit(location).query)["token"][0]
    session = caller.call(method="auth.getSession", token=token).json()["session"]
    assert session["name"] == "trouble"
    # The controls: nobody is asked unless it is wanted, and a wrong key logs nobody in.
    assert caller.client.get(address, params=asked).status_code == 302
    wrong = {**asked, "choose": "1", "api_key": auth.INVALID_KEY}
    refused = caller.client.get(address, params=wrong)
    assert refused.status_code == 403 and "Invalid API key" in refused.text


def test_a_token_is_good_once(caller: SignedCaller) -> None:
    token = caller.token("calm")
    assert caller.call(method="auth.getSession", token=token).status_code == 200
    again = caller.call(method="auth.getSession", token=token)
    assert (again.status_code, again.json()["error"]) == (403, 4)


def test_a_token_never_issued_is_error_4(caller: SignedCaller) -> None:
    answer = caller.call(method="auth.getSession", token="invalid")
    assert (answer.status_code, answer.json()["error"]) == (403, 4)


def test_a_token_nobody_allowed_is_error_14_until_somebody_does(
    caller: SignedCaller,
) -> None:
    token = caller.call(method="auth.getToken").json()["token"]
    early = caller.call(method="auth.getSession", token=token)
    assert (early.status_code, early.json()["error"]) == (403, 14)
    page = caller.client.get(
        caller.lastfm.auth_url,
        params={"api_key": LocalLastfm.api_key, "token": token, "user": "calm"},
    )
    assert page.status_code == 200 and "calm" in page.text
    late = caller.call(method="auth.getSession", token=token)
    assert late.json()["session"]["name"] == "calm"


def test_a_token_expires_after_an_hour(caller: SignedCaller) -> None:
    world = caller.lastfm.world
    started = world.now()
    later = started + 3601
    token = caller.token("calm")
    caller.lastfm.service.accounts._clock = lambda: later
    answer = caller.call(method="auth.getSession", token=token)
    assert (answer.status_code, answer.json()["error"]) == (403, 15)


def test_a_wrong_signature_is_error_13(caller: SignedCaller) -> None:
    answer = caller.call("another secret", method="auth.getToken")
    assert (answer.status_code, answer.json()["error"]) == (403, 13)
    assert caller.call(method="auth.getToken").status_code == 200


def test_a_session_key_nobody_has_is_error_9(caller: SignedCaller) -> None:
    answer = caller.call(method="user.getInfo", sk="0" * 32)
    assert (answer.status_code, answer.json()["error"]) == (403, 9)


@pytest.mark.parametrize("password", [LocalLastfm.password, "wrong"])
def test_the_mobile_login_wants_the_password(
    password: str, caller: SignedCaller
) -> None:
    answer = caller.call(
        method="auth.getMobileSession", username="trouble", password=password
    )
    if password == LocalLastfm.password:
        assert answer.json()["session"]["name"] == "Trouble"
    else:
        assert (answer.status_code, answer.json()["error"]) == (403, 4)


def test_private_listening_is_open_to_its_owner(demo: LocalLastfm, ask: Any) -> None:
    private = next(p.name for p in demo.world.people.values() if p.is_private)
    signed = SignedCaller(demo)
    with signed.client:
        session = signed.call(
            method="auth.getMobileSession", username=private, password="scrobble"
        ).json()["session"]
        own = signed.call(
            method="user.getRecentTracks", user=private, sk=session["key"]
        )
    assert own.status_code == 200
    assert ask.error("user.getRecentTracks", user=private) == (403, 17)


def test_a_callback_that_is_no_web_address_is_refused(caller: SignedCaller) -> None:
    asked = {"api_key": LocalLastfm.api_key, "cb": "javascript:alert(1)"}
    assert caller.client.get(caller.lastfm.auth_url, params=asked).status_code == 400


def test_the_request_log_holds_no_key_and_no_token(caller: SignedCaller) -> None:
    token = caller.token("calm")
    key = caller.call(method="auth.getSession", token=token).json()["session"]["key"]
    caller.call(method="user.getInfo", sk=key)
    log = caller.lastfm.requests
    assert len(log) == 2
    written = repr(log.recent) + repr(log.as_dict())
    for secret in (LocalLastfm.api_key, LocalLastfm.secret, token, key):
        assert secret not in written
