"""`/search`: names of all kinds, typing errors forgiven, nobody private named."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask

from serve.queries import search as queries
from tests.serve.conftest import csrf, log_in
from tests.serve.marts import ODD_NAMES, World

Make = Callable[..., Flask]


def test_what_holds_the_text_is_found_in_every_kind(
    make_service: Make, world: World
) -> None:
    client = make_service().test_client()
    page = client.get("/search", query_string={"q": "aRTIST 0"}).text
    artist = next(r for r in world["dim_artists"] if r["artist_name"] == "Artist 03")
    assert f'href="/artists/{artist["artist_id"]}"' in page
    assert "nearly" not in page
    page = client.get("/search", query_string={"q": "song"}).text
    track = next(r for r in world["dim_tracks"] if r["track_name"] == "Song 0")
    assert 'href="/tracks/' in page and str(track["track_name"]) in page


@pytest.mark.parametrize("typed", ["Atrist 03", "Artst 03", "Artist O3", "Artisst 03"])
def test_a_typing_error_is_forgiven(make_service: Make, typed: str) -> None:
    client = make_service().test_client()
    page = client.get("/search", query_string={"q": typed}).text
    assert "These names are nearly it" in page and "Artist 03" in page
    answer = client.get("/api/v1/search", query_string={"q": typed}).get_json()
    assert answer["is_resembling"] is True
    assert "Artist 03" in [row["name"] for row in answer["data"]]


def test_control_without_forgiving_nothing_is_found(
    make_service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ALIKE_PCT", 100)
    page = make_service().test_client().get("/search?q=Atrist+03").text
    assert "Nothing here is called that" in page


def test_a_name_that_is_spelt_rightly_brings_nothing_that_resembles_it(
    make_service: Make,
) -> None:
    answer = make_service().test_client().get("/api/v1/search?q=artist+03").get_json()
    assert answer["is_resembling"] is False
    assert [row["name"] for row in answer["data"]] == ["Artist 03"]


def test_the_rows_after_the_last_are_none_that_resemble(make_service: Make) -> None:
    client = make_service().test_client()
    answer = client.get("/api/v1/search?q=artist+03&offset=5").get_json()
    assert (answer["data"], answer["is_resembling"]) == ([], False)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_odd_name_is_found_and_written_as_text(
    make_service: Make, name: str
) -> None:
    page = make_service().test_client().get(f"/search?q={quote(name)}")
    assert page.status_code == 200 and "<script>alert" not in page.text


def test_a_private_listener_is_not_found_and_a_public_one_is(
    make_service: Make,
) -> None:
    app = make_service()
    client = app.test_client()
    browser = log_in(app, "Bert")
    assert "/listeners/" not in client.get("/search?q=ber").text.partition("<main")[2]
    done = browser.patch(
        "/api/v1/account", json={"is_public": True}, headers=csrf(browser)
    )
    assert done.status_code == 200
    assert 'href="/listeners/Bert"' in client.get("/search?q=ber").text


def test_without_a_text_it_says_what_can_be_looked_for(make_service: Make) -> None:
    page = make_service().test_client().get("/search").text
    assert "wrong letter is forgiven" in page
