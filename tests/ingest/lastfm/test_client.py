"""What an answer is taken for, and that no secret leaves the client."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import parse_qsl, unquote_plus, urlencode

import httpx2
import orjson
import pytest

from ingest.lastfm.client import (
    ERRORS,
    Action,
    Answer,
    Client,
    RetryPolicy,
    Timeouts,
    TransportFailed,
    Verdict,
    judge,
)
from ingest.lastfm.servers import LOCAL_KEY
from tests.ingest.lastfm.tiny_lastfm import Reply, TinyLastfm, json_reply

DAY = date(2026, 11, 22)
KEY = "s3cret+key/with=odd&letters"

# The table of LASTFM.md, written out a second time: code -> (statuses, what to do).
TABLE = {
    2: ((400,), Action.STOP),
    3: ((400,), Action.LEAVE_OUT),
    5: ((400,), Action.STOP),
    7: ((400,), Action.STOP),
    4: ((403,), Action.LOGIN),
    9: ((403,), Action.LOGIN),
    14: ((403,), Action.LOGIN),
    15: ((403,), Action.LOGIN),
    6: ((200, 400, 404), Action.SKIP),
    8: ((500, 503), Action.RETRY),
    10: ((403,), Action.STOP),
    13: ((403,), Action.STOP),
    26: ((403,), Action.STOP),
    11: ((503,), Action.RETRY),
    16: ((503,), Action.RETRY),
    17: ((403, 400), Action.PRIVATE),
    27: ((410, 400), Action.LEAVE_OUT),
    29: ((429,), Action.SLOW_DOWN),
}


def answered(
    body: bytes, status: int = 200, params: Mapping[str, str] | None = None
) -> Verdict:
    return judge(Answer(status, body, datetime(2026, 11, 22), 0.1), params or {})


def test_the_error_table_has_every_code_and_no_other() -> None:
    assert ERRORS.keys() == TABLE.keys()


@pytest.mark.parametrize("code", TABLE)
@pytest.mark.parametrize("as_text", [False, True], ids=["number", "text"])
def test_an_error_body_is_never_data_whatever_its_status(
    code: int, as_text: bool
) -> None:
    statuses, action = TABLE[code]
    error = {"error": str(code) if as_text else code, "message": "m", "links": []}
    for status in {*statuses, 200}:
        verdict = answered(orjson.dumps(error), status)
        assert (verdict.action, verdict.code) == (action, code)
        assert verdict.reason == f"error {code}"


@pytest.mark.parametrize(
    ("body", "status", "action", "reason"),
    [
        (b"<html>Hang tight!</html>", 200, Action.RETRY, "html"),
        (b"<html>Hang tight!</html>", 503, Action.RETRY, "status 503"),
        (b'{"artists":{"artist":[{"na', 200, Action.RETRY, "truncated"),
        (b"", 200, Action.RETRY, "truncated"),
        (b"[]", 200, Action.RETRY, "truncated"),
        (b'{"artist":{}}', 500, Action.RETRY, "status 500"),
        (b"slow down", 429, Action.SLOW_DOWN, "status 429"),
        (b'{"error":99,"message":""}', 503, Action.RETRY, "error 99"),
        (b'{"error":99,"message":""}', 200, Action.FAIL, "error 99"),
        (b'{"error":99,"message":""}', 429, Action.SLOW_DOWN, "error 99"),
        (b'{"error":"no","message":""}', 200, Action.RETRY, "error ?"),
        (b'{"artist":{}}', 200, Action.DATA, "data"),
        (b'\xef\xbb\xbf{"artist":{}}', 200, Action.DATA, "data"),
        (b'{"artist":{"name":"\xff"}}', 200, Action.DATA, "data"),
        (b'{"artist":{"name":"\\ud800 \x01"}}', 200, Action.DATA, "data"),
    ],
)
def test_the_body_is_looked_at_before_the_status(
    body: bytes, status: int, action: Action, reason: str
) -> None:
    verdict = answered(body, status)
    assert (verdict.action, verdict.reason) == (action, reason)


def test_rows_of_another_listener_are_asked_for_again() -> None:
    body = orjson.dumps({"recenttracks": {"track": [], "@attr": {"user": "Eve"}}})
    assert answered(body, params={"user": "rj"}).reason == "wrong user"
    assert answered(body, params={"user": "eVE"}).action is Action.DATA
    assert answered(body, params={}).action is Action.DATA
    info = orjson.dumps({"user": {"name": "Eve"}})
    assert answered(info, params={"user": "rj"}).reason == "wrong user"
    assert answered(info, params={"user": "eve"}).action is Action.DATA


def test_retries_wait_longer_each_time_and_never_less_than_half_a_second() -> None:
    policy = RetryPolicy()
    shortest = [policy.delay(tries, lambda: 0.0) for tries in range(1, 6)]
    longest = [policy.delay(tries, lambda: 0.999) for tries in range(1, 6)]
    assert shortest == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert longest[0] < 1.0
    assert all(a < b for a, b in itertools.pairwise(longest))
    assert policy.delay(50, lambda: 0.5) == policy.max_seconds


def test_a_request_is_a_post_that_names_the_program_and_hides_the_key() -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        return httpx2.Response(200, json={"artist": {}})

    client = Client(
        "http://lastfm.test/at/{as_of}/2.0/",
        KEY,
        transport=lambda: httpx2.MockTransport(handle),
    )
    connection = client.connect()
    connection.ask(DAY, "artist.getTopTags", {"artist": "Björk & +%/"})
    connection.close()
    (request,) = seen
    assert request.method == "POST"
    assert str(request.url) == "http://lastfm.test/at/2026-11-22/2.0/"
    assert request.headers["user-agent"].startswith("scrobble-warehouse/")
    assert not any(KEY in value for value in request.headers.values())
    assert dict(httpx2.QueryParams(request.content.decode())) == {
        "artist": "Björk & +%/",
        "method": "artist.getTopTags",
        "format": "json",
        "api_key": KEY,
    }


def test_a_key_that_the_server_echoes_is_blotted_out_of_the_body() -> None:
    with TinyLastfm(lambda *_: json_reply({"artist": {"name": f"<{KEY}>"}})) as server:
        connection = Client(server.url, KEY).connect()
        answer = connection.ask(DAY, "artist.getInfo", {})
        connection.close()
    assert answer.body == b'{"artist":{"name":"<***>"}}'
    assert server.forms[0]["api_key"] == KEY


def test_the_short_key_of_a_local_server_is_not_cut_out_of_names() -> None:
    with TinyLastfm(lambda *_: json_reply({"artist": {"name": "local"}})) as server:
        connection = Client(server.url, LOCAL_KEY).connect()
        answer = connection.ask(DAY, "artist.getInfo", {})
        connection.close()
    assert answer.body == b'{"artist":{"name":"local"}}'


def test_a_transport_error_names_its_kind_and_holds_no_key() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError(
            f"no way to /?api_key={KEY}&sk=abcdef", request=request
        )

    client = Client(
        "http://lastfm.test/2.0/", KEY, transport=lambda: httpx2.MockTransport(handle)
    )
    with pytest.raises(TransportFailed, match="ConnectError") as caught:
        client.connect().ask(DAY, "artist.getInfo", {})
    assert KEY not in str(caught.value) and "abcdef" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(b'{"artist":{}}', cut=5), "RemoteProtocolError"),
        (Reply(b'{"artist":{"name":"aaaaaaaaaaaaaa"}}', drip_seconds=5), "ReadTimeout"),
    ],
    ids=["cut", "drip"],
)
def test_a_cut_or_dripping_answer_is_no_answer(reply: Reply, kind: str) -> None:
    timeouts = Timeouts(connect=1, read=1, total=0.4)
    with TinyLastfm(lambda *_: reply) as server:
        connection = Client(server.url, KEY, timeouts).connect()
        with pytest.raises(TransportFailed, match=kind):
            connection.ask(DAY, "artist.getInfo", {})
        connection.close()


@pytest.mark.parametrize(
    "name", ["+44", "Anna + The Engine", "100%", "50%20Off", "AC/DC"]
)
@pytest.mark.parametrize(
    ("method", "decoded"),
    [
        ("artist.getInfo", 2),
        ("artist.getSimilar", 2),
        ("artist.getTopTracks", 2),
        ("artist.getTopTags", 1),
        ("artist.getTopAlbums", 1),
        ("artist.getCorrection", 1),
        ("track.getInfo", 1),
    ],
)
def test_a_name_arrives_whole_however_often_it_is_decoded(
    method: str, decoded: int, name: str
) -> None:
    form = Client("http://127.0.0.1/", KEY).form(method, {"artist": name}).decode()
    arrived = dict(parse_qsl(form))["artist"]
    for _ in range(decoded - 1):
        arrived = unquote_plus(arrived)
    assert arrived == name


def test_the_control_a_plus_sent_like_others_becomes_a_blank() -> None:
    once = urlencode({"artist": "Anna + The Engine"})
    arrived = unquote_plus(dict(parse_qsl(once))["artist"])
    assert " ".join(arrived.split()) == "Anna The Engine"
