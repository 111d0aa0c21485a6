"""A figure behind a filter is never a few people's, alone or as a difference of two."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from serve import visibility
from serve.app import create_app
from tests.serve.conftest import close, make_settings
from tests.serve.marts import World, key, publish, version_path, write_duckdb

VERSION = "20260314-000001"
LEAST = 2
ROCK = {"tag": key("rock")}
COUNTRIES = {"anna": "Norway", "bert": "Norway", "fred": None}
DAYS = 40


def country(listener_id: str) -> str | None:
    """Where a listener of this world lives: one of them nobody knows where."""
    return COUNTRIES.get(listener_id, "Japan")


@pytest.fixture(scope="module")
def lands(world: World) -> World:
    """The world with three countries: of two, of three, and of one unknown."""
    changed = copy.deepcopy(world)
    for row in changed["dim_listeners"]:
        row["country"] = country(row["listener_id"])
        row["country_key"] = row["country"] and row["country"].lower()
    return changed


@pytest.fixture(scope="module")
def service(lands: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A service on that world."""
    folder = tmp_path_factory.mktemp("lands")
    path: Path = version_path(folder, VERSION)
    path.parent.mkdir(parents=True)
    write_duckdb(lands, path)
    publish(folder, VERSION, lands.as_of)
    app = create_app(make_settings(folder), parts=())
    yield app
    close(app)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are enough: this world is small."""
    monkeypatch.setattr(visibility, "LEAST_LISTENERS", LEAST)


def scrobbles(app: Flask, first: date, last: date, **query: str) -> int:
    """The plays that are told of some days."""
    given = {"from": first.isoformat(), "to": last.isoformat(), **query}
    # Each question anew: what is ready was made by another rule.
    app.extensions["serve"].store.invalidate()
    answer = app.test_client().get("/api/v1/insights/totals", query_string=given)
    assert answer.status_code == 200, answer.text
    return int(answer.get_json()["data"]["scrobbles"])


def people(world: World, day: date, **query: str) -> dict[str | None, int]:
    """Listeners of each country with a play of a day that passes the other filters."""
    tagged = {
        row["artist_id"]
        for row in world["artist_tags"]
        if row["tag_id"] == query.get("tag")
    }
    found: dict[str | None, set[str]] = {}
    for play in world["fct_scrobbles"]:
        passes = not query.get("tag") or play["artist_id"] in tagged
        if play["scrobbled_date"] == day and not play["is_flagged"] and passes:
            place = country(play["listener_id"])
            found.setdefault(place, set()).add(play["listener_id"])
    return {place: len(names) for place, names in found.items()}


def leaks_of_days(app: Flask, world: World, query: dict[str, str]) -> list[date]:
    """Days of few people whose plays are the difference of two ranges."""
    start = world.as_of - timedelta(days=DAYS)
    found = []
    before = 0
    for number in range(DAYS):
        day = start + timedelta(days=number)
        until = scrobbles(app, start, day, **query)
        group = people(world, day, **query)
        there = sum(
            count
            for place, count in group.items()
            if query.get("country") in (None, place)
        )
        if until != before and there < LEAST:
            found.append(day)
        before = until
    return found


def leaks_of_the_rest(app: Flask, world: World, query: dict[str, str]) -> list[date]:
    """Days on which the panel less its told countries is a few people."""
    start = world.as_of - timedelta(days=DAYS)
    found = []
    for number in range(DAYS):
        day = start + timedelta(days=number)
        group = people(world, day, **query)
        if not scrobbles(app, day, day, **query):
            continue
        rest = sum(
            count
            for place, count in group.items()
            if place is None or not scrobbles(app, day, day, country=place, **query)
        )
        if 0 < rest < LEAST:
            found.append(day)
    return found


FILTERS: list[dict[str, str]] = [
    {"country": "Norway"},
    {"country": "Japan"},
    ROCK,
    {"country": "Japan", **ROCK},
]


@pytest.mark.parametrize("query", FILTERS, ids=lambda query: "+".join(query))
def test_two_ranges_never_differ_by_the_plays_of_a_few(
    service: Flask, lands: World, few: None, query: dict[str, str]
) -> None:
    assert leaks_of_days(service, lands, query) == []


@pytest.mark.parametrize("query", [{}, ROCK], ids=["panel", "tag"])
def test_the_panel_less_its_countries_is_never_a_few(
    service: Flask, lands: World, few: None, query: dict[str, str]
) -> None:
    assert leaks_of_the_rest(service, lands, query) == []


def test_without_the_rule_both_leak(
    service: Flask, lands: World, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(
        "serve.queries.windows.days_of_enough",
        lambda conditions, by_country: (
            "select distinct scrobbled_date from marts.fct_scrobbles"
        ),
    )
    assert leaks_of_days(service, lands, {"country": "Norway"})
    assert leaks_of_the_rest(service, lands, {})


def test_a_country_is_told_while_the_rest_is_enough(
    service: Flask, lands: World, few: None
) -> None:
    """Japan's three are told; Norway's two would give the one of no country away."""
    first, last = lands.as_of - timedelta(days=DAYS), lands.as_of
    assert scrobbles(service, first, last, country="Japan") > 0
    whole = [
        day
        for number in range(DAYS)
        if (day := first + timedelta(days=number))
        and people(lands, day) == {"Norway": 2, "Japan": 3, None: 1}
    ]
    assert whole, "the world has such days"
    assert {scrobbles(service, day, day, country="Norway") for day in whole} == {0}


def test_what_does_not_count_is_told_of_the_whole_panel_only(service: Flask) -> None:
    client = service.test_client()
    for name, value in (("country", "Japan"), ("tag", key("rock"))):
        for path in ("insights/totals", "insights/top/tracks", "trends/week"):
            address = f"/api/v1/{path}?counted=all&{name}={value}"
            refused = client.get(address)
            assert refused.status_code == 400, address
            assert "whole panel" in refused.get_json()["detail"]
    assert client.get("/api/v1/insights/totals?counted=all").status_code == 200
    told: Any = client.get("/api/v1/insights/top/tracks?country=Japan").get_json()
    assert all(row["scrobbles_flagged"] == 0 for row in told["data"])


def test_a_country_s_listeners_are_counted_where_they_are_enough(
    service: Flask, few: None
) -> None:
    def panel(place: str) -> int | None:
        service.extensions["serve"].store.invalidate()
        answer = service.test_client().get(
            "/api/v1/trends/active-listeners", query_string={"country": place}
        )
        count: int | None = answer.get_json()["data"]["panel_listeners"]
        return count

    assert (panel("Japan"), panel("Norway"), panel("Peru")) == (3, None, None)
