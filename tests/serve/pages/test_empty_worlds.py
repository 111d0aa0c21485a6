"""Every page and route on a warehouse that has little to show: none of them breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from serve.app import create_app
from tests.serve.conftest import close, make_settings
from tests.serve.marts import World, key, publish, version_path, write_duckdb
from tests.serve.pages.wording import faults

AS_OF = date(2026, 3, 14)
ARTIST, OTHER = key("Low"), key("Björk")
VALUES: dict[str, Any] = {
    "artist_id": ARTIST,
    "entity_id": ARTIST,
    "tag_id": key("rock"),
    "track_id": key("track"),
    "album_id": key("album"),
    "listener_name": "anna",
    "chart": "panel_artists",
    "entity": "artists",
    "grain": "month",
    "part": "activity",
}
# What a route needs before it says anything.
QUERIES = {
    "/compare": f"artists={ARTIST},{OTHER}",
    "/api/v1/artists/compare": f"artists={ARTIST},{OTHER}",
}


def nothing() -> World:
    """No listener, no artist, no chart: a first run that nobody was asked for."""
    return World(AS_OF)


def one_snapshot() -> World:
    """The first day of a warehouse with a key: counters of two artists, once."""
    world = World(AS_OF)
    for artist_id, name in ((ARTIST, "Low"), (OTHER, "Björk")):
        world["dim_artists"].append(
            {
                "artist_id": artist_id,
                "artist_name": name,
                "listeners": 10,
                "playcount": 90,
                "scrobbles": 0,
                "panel_listeners": 0,
                "scrobbles_counted": 0,
                "panel_listeners_counted": 0,
            }
        )
        world["fct_artist_snapshots"].append(
            {
                "artist_id": artist_id,
                "snapshot_date": AS_OF,
                "observed_at": datetime(2026, 3, 14, 5),
                "listeners": 10,
                "playcount": 90,
                "is_stalled": False,
            }
        )
    return world


@pytest.fixture(params=[nothing, one_snapshot])
def app(
    request: pytest.FixtureRequest, tmp_path: Path, make_service: Callable[..., Flask]
) -> Flask:
    """A service on such a world."""
    world: World = request.param()
    folder = tmp_path / "bare"
    path = version_path(folder, "20260314-000001")
    path.parent.mkdir(parents=True)
    write_duckdb(world, path)
    publish(folder, "20260314-000001", AS_OF)
    return make_service(data_dir=folder, public_panel=True)


def test_no_address_of_the_service_breaks(app: Flask) -> None:
    browser = app.test_client()
    asked: dict[str, int] = {}
    badly_said: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        path = re.sub(
            r"<(?:[^:>]+:)?([a-z_]+)>",
            lambda found: str(VALUES.get(found.group(1), "unknown")),
            rule.rule,
        )
        query = QUERIES.get(rule.rule, "")
        with browser.get(f"{path}?{query}") as response:
            asked[path] = response.status_code
            if response.mimetype == "text/html":
                badly_said[path] = faults(response.text)
    broken = {path: code for path, code in asked.items() if code >= 500}
    # No last.fm is there to log in at.
    assert broken == {"/login": 503}
    assert len(asked) > 70
    assert {path: found for path, found in badly_said.items() if found} == {}
    assert len(badly_said) > 20
    # The control: the pages answer, they do not all refuse.
    for path in ("/", "/charts", "/trends", "/artists", "/listeners", "/restatements"):
        assert asked[path] == 200, path


def test_the_control_words_that_read_badly_are_found() -> None:
    fine = "1 play, 21 plays, 1.1 plays, 1 Oct 2026, <code>2026-10-01</code>"
    assert faults(f"<main><p>{fine}</p><ul><li>x</li></ul></main>") == []
    for broken in (
        "<p>1 plays</p>",
        "<p>since <b>1</b> days</p>",
        "<p>2026-10-01</p>",
        "<table><tbody> </tbody></table>",
        "<ul class='pick'></ul>",
        "<figure><h2>Plays</h2></figure>",
        '<figure><h2>Plays</h2><p class="empty"></p></figure>',
    ):
        assert len(faults(f"<main>{broken}</main>")) == 1, broken


def test_an_artist_of_one_day_has_a_page(
    request: pytest.FixtureRequest, app: Flask
) -> None:
    if "one_snapshot" not in request.node.name:
        pytest.skip("this world has no artist")
    browser = app.test_client()
    assert browser.get(f"/artists/{ARTIST}").status_code == 200
    assert browser.get(f"/compare?artists={ARTIST},{OTHER}").status_code == 200


def test_the_privacy_page_says_how_long_and_who_and_needs_no_data(
    tmp_path: Path,
) -> None:
    def page(folder: str, **given: Any) -> str:
        app = create_app(make_settings(tmp_path / folder, **given))
        answer = app.test_client().get("/privacy", headers={"Accept": "text/html"})
        assert answer.status_code == 200
        close(app)
        return answer.text

    named = {"imprint": "Ada <ada@example.org>"}
    said = page("named", session_idle_days=3, session_days=21, **named)
    assert "21 days, 3 without a visit" in said
    assert "Ada &lt;ada@example.org&gt;" in said
    # The control: without an imprint nobody is named.
    assert "Who runs this" not in page("nobody")
