"""Tracks and albums for everybody: counted again, and nobody told of who is private."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.queries import works
from tests.serve.conftest import csrf, log_in
from tests.serve.marts import World, key

TRACK = key("Artist 00\x1fSong 0")
ALBUM = key("Artist 00\x1fAlbum")


def counted(world: World, column: str, value: str) -> list[dict[str, Any]]:
    """The plays of something that count."""
    return [
        play
        for play in world["fct_scrobbles"]
        if play[column] == value and not play["is_flagged"]
    ]


@pytest.mark.parametrize(
    ("kind", "column", "work_id"),
    [("tracks", "track_id", TRACK), ("albums", "album_id", ALBUM)],
)
def test_a_work_has_the_plays_listeners_and_minutes_of_the_panel(
    client: FlaskClient, world: World, kind: str, column: str, work_id: str
) -> None:
    plays = counted(world, column, work_id)
    found = client.get(f"/api/v1/{kind}/{work_id}").get_json()["data"]
    assert found["panel_listeners"] == len({play["listener_id"] for play in plays})
    assert found["listening_seconds"] == sum(p["listening_seconds"] for p in plays)
    assert found["artist_name"] == world["dim_artists"][8]["artist_name"]
    if kind == "tracks":
        assert found["scrobbles_counted"] == len(plays)
    else:
        rows = client.get(f"/api/v1/albums/{work_id}/tracks").get_json()["data"]
        counts = Counter(play["track_id"] for play in plays)
        assert {r["track_id"]: r["scrobbles_counted"] for r in rows} == counts


def test_months_are_told_of_five_listeners_or_not_at_all(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    months: dict[date, list[dict[str, Any]]] = {}
    for play in counted(world, "track_id", TRACK):
        months.setdefault(play["scrobbled_date"].replace(day=1), []).append(play)

    def told(least: int) -> dict[str, int]:
        return {
            month.isoformat(): len(plays)
            for month, plays in months.items()
            if len({play["listener_id"] for play in plays}) >= least
        }

    def asked() -> dict[str, int]:
        rows = client.get(f"/api/v1/tracks/{TRACK}/months").get_json()["data"]
        return {row["month_start"]: row["scrobbles"] for row in rows}

    assert asked() == told(5)
    # The control: there are months of fewer, and without the rule they are told.
    monkeypatch.setattr(works, "LEAST_LISTENERS", 1)
    client.application.extensions["serve"].store.invalidate()
    assert asked() == told(1) != told(5)


def test_listeners_of_a_work_are_named_once_they_are_public(service: Flask) -> None:
    visitor = service.test_client()
    path = f"/api/v1/tracks/{TRACK}/listeners"
    assert visitor.get(path).get_json()["data"] == []
    browser = log_in(service, "anna")
    body = {"is_public": True}
    browser.patch("/api/v1/account", json=body, headers=csrf(browser))
    found = visitor.get(path).get_json()["data"]
    assert [row["listener_name"] for row in found] == ["Anna"]


def test_a_work_of_few_listeners_does_not_say_how_many(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "LEAST_LISTENERS", 7)
    found = client.get(f"/api/v1/tracks/{TRACK}").get_json()["data"]
    assert found["panel_listeners"] is None and found["least_listeners"] == 7


def test_a_key_of_nothing_is_not_found(client: FlaskClient) -> None:
    for path in ("tracks", "albums"):
        for end in ("", "/months", "/listeners", "/ranks"):
            answer = client.get(f"/api/v1/{path}/{'0' * 32}{end}")
            assert answer.status_code == 404, (path, end)
