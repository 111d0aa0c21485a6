"""What to hear next: by tag, friend and hour, and as the owner said, on both engines.

The library is that of `test_listening`; what is expected is counted from its plays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.app import create_app
from serve.queries.statistics import FAVOURITE_PLAYS
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings
from tests.serve.marts import World, key, publish, version_path, write_duckdb
from tests.serve.marts import write_postgres as write_into_postgres
from tests.serve.test_listening import AS_OF, make_library

OSLO = "Europe/Oslo"
NEW = ("New One", "New Two", "New Three", "Liked by a Friend", "Like Artist 1")


def make_world() -> World:
    """Zoe's library, five artists she has not heard, and Bert, who plays two."""
    world = make_library()
    for name in NEW:
        world["dim_artists"].append(
            {"artist_id": key(name), "artist_name": name, "name_key": name.lower()}
        )
    for rank, name in enumerate(NEW[:3], 1):
        row = {
            "listener_id": "zoe",
            "rank": rank,
            "artist_id": key(name),
            "artist_name": name,
            "score": 0.6 / rank,
            "reason": "Played by 2 listeners with a taste like yours",
            "reason_kind": "neighbours",
        }
        world["recommended_artists"].append(row)
        world["recommended_tracks"].append(
            {**row, "track_id": key(f"{name} song"), "track_name": "A Song"}
        )
    world["artist_similar"].extend(
        {
            "artist_id": key("Artist 1"),
            "similar_artist_id": key(similar),
            "similar_artist_name": similar,
            "match": match,
            "rank": rank,
            "as_of_date": AS_OF,
        }
        for rank, (similar, match) in enumerate(
            (("Artist 2", 1.0), ("Like Artist 1", 0.9), ("New Three", 0.2)), 1
        )
    )
    world["dim_tags"].append(
        {"tag_id": key("new tag"), "tag_name": "New Tag", "name_key": "new tag"}
    )
    tagged = {"tag_id": key("new tag"), "tag_name": "New Tag", "rank": 1}
    for name, weight in (("New Two", 100), ("Like Artist 1", 80), ("Artist 2", 90)):
        world["artist_tags"].append(
            {**tagged, "artist_id": key(name), "weight": weight}
        )
    bert = {**world["dim_listeners"][0], "listener_id": "bert", "listener_name": "Bert"}
    world["dim_listeners"].append(bert)
    for name, scrobbles in (("Liked by a Friend", 40), ("New One", 1), ("Artist 1", 9)):
        world["listener_artists"].append(
            {
                **world["listener_artists"][0],
                "listener_id": "bert",
                "artist_id": key(name),
                "scrobbles": scrobbles,
            }
        )
    return world


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("recommendations")
    if request.param == "duckdb":
        write_duckdb(make_world(), version_path(folder, "20260314-000001"))
        publish(folder, "20260314-000001", AS_OF)
        made = create_app(make_settings(folder))
        yield made
        close(made)
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    write_into_postgres(make_world(), url)
    made = create_app(make_settings(folder, warehouse={"warehouse_url": url}))
    yield made
    close(made)
    server.drop_database(url)


@pytest.fixture
def zoe(app: Flask) -> FlaskClient:
    """Zoe's browser, without a rule."""
    browser = log_in(app, "Zoe")
    for rule in browser.get("/api/v1/account/rules").get_json()["data"]:
        browser.delete(
            f"/api/v1/account/rules/{rule['rule_id']}", headers=csrf(browser)
        )
    return browser


def rows(
    client: FlaskClient, what: str = "artists", expect: int = 200, **query: Any
) -> list[dict[str, Any]]:
    answer = client.get(
        f"/api/v1/listeners/zoe/recommendations/{what}", query_string=query
    )
    assert answer.status_code == expect, answer.text
    return answer.get_json().get("data") or []


def names(found: list[dict[str, Any]]) -> list[str]:
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    return [row["artist_name"] for row in found]


def say(browser: FlaskClient, kind: str, artist: str) -> None:
    answer = browser.post(
        "/api/v1/account/rules",
        json={"kind": kind, "artist": artist},
        headers=csrf(browser),
    )
    assert answer.status_code == 201, answer.text


def make_public(browser: FlaskClient, *, is_public: bool) -> None:
    answer = browser.patch(
        "/api/v1/account", json={"is_public": is_public}, headers=csrf(browser)
    )
    assert answer.status_code == 200


def test_without_a_wish_they_are_the_marts(zoe: FlaskClient) -> None:
    found = rows(zoe)
    assert names(found) == list(NEW[:3])
    assert [row["score"] for row in found] == pytest.approx([0.6, 0.3, 0.2])
    assert {row["reason_kind"] for row in found} == {"neighbours"}
    assert names(rows(zoe, limit=1, offset=1)[:0]) == []
    assert rows(zoe, limit=1, offset=1)[0]["artist_name"] == "New Two"


def test_never_leaves_an_artist_out_and_more_brings_the_like(zoe: FlaskClient) -> None:
    say(zoe, "recommend_never", "NEW ONE")
    assert names(rows(zoe)) == ["New Two", "New Three"]
    assert names(rows(zoe, "tracks")) == ["New Two", "New Three"]
    say(zoe, "recommend_more", "artist 1")
    found = rows(zoe)
    # Artist 2 is like Artist 1 too, but has been heard.
    assert names(found) == ["Like Artist 1", "New Two", "New Three"]
    assert [row["score"] for row in found] == pytest.approx([0.45, 0.3, 0.3])
    assert found[0]["reason"] == "Similar to Artist 1, of whom you want more"
    assert found[2]["reason_kind"] == "neighbours"  # 0.2 is louder than 0.1
    # What is left out of the own lists is not recommended; lists know no other rule.
    say(zoe, "exclude_artist", "New Two")
    assert names(rows(zoe)) == ["Like Artist 1", "New Three"]


def test_what_is_said_of_recommendations_changes_no_list(zoe: FlaskClient) -> None:
    path = "/api/v1/listeners/zoe/top/artists"
    before = zoe.get(path).get_json()["data"]
    say(zoe, "recommend_never", "Artist 1")
    say(zoe, "recommend_more", "Artist 2")
    assert zoe.get(path).get_json()["data"] == before
    # The control: a rule of plays does.
    say(zoe, "exclude_artist", "Artist 1")
    assert zoe.get(path).get_json()["data"] != before


def test_a_tag_brings_its_artists_and_no_other(zoe: FlaskClient) -> None:
    found = rows(zoe, tag=key("new tag"))
    assert names(found) == ["New Two", "Like Artist 1"]
    assert [row["score"] for row in found] == pytest.approx([0.45, 0.12])
    assert found[1]["reason"] == 'Tagged "New Tag"'
    assert rows(zoe, tag=key("no tag")) == []


def test_a_friends_artists_come_by_plays_where_the_friend_agrees(
    app: Flask, zoe: FlaskClient
) -> None:
    bert = log_in(app, "Bert")
    make_public(bert, is_public=False)
    rows(zoe, expect=403, friend="bert")
    rows(zoe, expect=403, friend="nobody")  # the same answer: nobody learns who is here
    make_public(bert, is_public=True)
    found = rows(zoe, friend="BERT")
    assert names(found) == ["Liked by a Friend", "New One"]
    assert found[0]["reason"] == "Played 40 times by Bert"
    assert found[1]["reason"] == "Played once by Bert"
    assert found[0]["score"] == 1.0
    make_public(bert, is_public=False)


@pytest.mark.parametrize("hour", [None, 0, 12, 23])
@pytest.mark.parametrize("quiet_days", [1, 180, 300])
def test_again_is_what_the_plays_say(
    zoe: FlaskClient, hour: int | None, quiet_days: int
) -> None:
    since = AS_OF - timedelta(days=quiet_days)
    counts, near, last = Counter[str](), Counter[str](), dict[str, date]()
    for play in make_library()["fct_scrobbles"]:
        local = play["scrobbled_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(OSLO))
        name = play["name"]
        counts[name] += 1
        distance = abs(local.hour - (hour or 0)) % 24
        near[name] += hour is None or min(distance, 24 - distance) <= 1
        last[name] = max(last.get(name, date.min), local.date())
    measure = counts if hour is None else near
    wanted = sorted(
        (
            name
            for name in counts
            if counts[name] >= FAVOURITE_PLAYS and near[name] and last[name] <= since
        ),
        key=lambda name: (-measure[name], last[name], key(name)),
    )
    query: dict[str, Any] = {"tz": OSLO, "quiet_days": quiet_days, "hour": hour}
    found = rows(zoe, "again", limit=1000, **query)
    assert names(found) == wanted
    for row in found:
        name = row["artist_name"]
        assert row["scrobbles"] == counts[name]
        assert row["last_day"] == last[name].isoformat()
        assert row["score"] == pytest.approx(measure[name] / measure[wanted[0]])
        assert f"Played {counts[name]:,} times" in row["reason"]
        assert row["hour_scrobbles"] == near[name]
    if hour is None and quiet_days == 1:
        assert len(found) > 3
        # The control: a rule of the owner's takes its first away.
        say(zoe, "recommend_never", wanted[0])
        assert names(rows(zoe, "again", limit=1000, **query)) == wanted[1:]


def test_again_says_why_in_words(zoe: FlaskClient) -> None:
    found = rows(zoe, "again", tz="UTC", hour=12, quiet_days=300)
    row = next(row for row in found if row["artist_name"] == "Forgotten")
    assert row["reason"] == (
        "Played 10 times, 10 of them between 11:00 and 14:00, last on 12 April 2025"
    )
    assert row["reason_kind"] == "hour"


def test_nobody_else_reads_what_was_said(app: Flask, zoe: FlaskClient) -> None:
    make_public(zoe, is_public=True)
    visitor = app.test_client()
    before = {what: rows(visitor, what) for what in ("artists", "tracks", "again")}
    page = visitor.get("/listeners/zoe/next").text
    say(zoe, "recommend_never", "New One")
    say(zoe, "recommend_more", "Artist 1")
    say(zoe, "recommend_never", "Forgotten")
    bert = log_in(app, "Bert")
    for what, was in before.items():
        assert rows(visitor, what) == was == rows(bert, what)
        # The control: Zoe's own answer is another.
        assert rows(zoe, what) != was
    again = visitor.get("/listeners/zoe/next").text
    assert again == page and "of whom you want more" not in again
    token = bearer(app, "Zoe", "read")
    answer = visitor.get("/api/v1/listeners/zoe/recommendations/artists", headers=token)
    assert answer.get_json()["data"] == rows(zoe)
    make_public(zoe, is_public=False)
    rows(visitor, expect=401)
    assert "keeps this private" in visitor.get("/listeners/zoe/next").text


def test_the_owner_answers_on_the_page(zoe: FlaskClient) -> None:
    page = zoe.get("/listeners/zoe/next?tag=&friend=&hour=").text
    for words in ("New One", "Artists to hear again", "Tracks to try", "Never"):
        assert words in page
    form = {"csrf_token": csrf(zoe)["X-CSRF-Token"], "artist": "New One"}
    for answer in ("", "perhaps"):
        refused = zoe.post("/me/recommendations", data={**form, "answer": answer})
        assert refused.status_code == 400
    kept = zoe.post("/me/recommendations", data={**form, "answer": "never"})
    assert kept.status_code == 303
    assert "New One" not in zoe.get(kept.headers["Location"]).text
    assert "Never recommend New One" in zoe.get("/me/rules").text
    # Without the form's token nothing is kept.
    bare = zoe.post(
        "/me/recommendations", data={"artist": "New Two", "answer": "never"}
    )
    assert bare.status_code in (400, 403)
    assert "New Two" in zoe.get("/listeners/zoe/next").text
    tagged = zoe.get("/listeners/zoe/next?tag=NEW+tag").text
    assert "Like Artist 1" in tagged and "New Three" not in tagged
    assert zoe.get("/listeners/zoe/next?tag=nothing").status_code == 404
    assert zoe.get("/listeners/zoe/next?hour=24").status_code == 422
