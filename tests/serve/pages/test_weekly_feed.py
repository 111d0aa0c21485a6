"""The feed of one's weeks: what it says, and that its address opens nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree

from flask import Flask
from flask.testing import FlaskClient

from tests.serve.conftest import csrf, log_in
from tests.serve.marts import World

ATOM = {"a": "http://www.w3.org/2005/Atom"}


def made(browser: FlaskClient) -> str:
    """The path of a new feed's address."""
    form = {"csrf_token": csrf(browser)["X-CSRF-Token"]}
    page = browser.post("/me/weekly", data=form)
    found = re.search(r"<code>http://localhost(/weekly/swt_[\w-]+)</code>", page.text)
    assert page.status_code == 200 and found
    return found[1]


def test_each_whole_week_is_an_entry_that_counts_right(
    make_service: Callable[..., Flask], world: World
) -> None:
    app = make_service()
    feed = app.test_client().get(made(log_in(app, "anna")))
    assert feed.mimetype == "application/atom+xml"
    entries = ElementTree.fromstring(feed.text).findall("a:entry", ATOM)
    assert len(entries) == 8
    # The published day is a Saturday: its week is not whole.
    monday = world.as_of - timedelta(days=world.as_of.weekday() + 7)
    year, week, _ = monday.isocalendar()
    assert entries[0].findtext("a:title", "", ATOM) == f"Week {week} of {year}"
    plays = Counter(
        row["artist_id"]
        for row in world["fct_scrobbles"]
        if row["listener_id"] == "anna"
        and monday <= row["scrobbled_date"] <= monday + timedelta(days=6)
    )
    said = entries[0].findtext("a:summary", "", ATOM)
    assert (
        said.startswith(f"{plays.total()} play") and f"of {len(plays)} artist" in said
    )
    name = {row["artist_id"]: row["artist_name"] for row in world["dim_artists"]}
    most = max(plays.values())
    assert any(
        f"Most: {name[one]} ({most})" in said for one in plays if plays[one] == most
    )


def test_its_address_opens_the_feed_alone_and_ends_with_the_next(
    make_service: Callable[..., Flask],
) -> None:
    app = make_service()
    browser, client = log_in(app, "bert"), app.test_client()
    path = made(browser)
    token = path.rpartition("/")[2]
    bearer = {"Authorization": f"Bearer {token}"}
    for other in ("/api/v1/account", "/api/v1/listeners/bert"):
        assert client.get(other, headers=bearer).status_code in (401, 403), other
    assert client.get(f"/exchange/feed/{token}").status_code == 404
    newer = made(browser)
    assert client.get(path).status_code == 404
    assert client.get(newer).status_code == 200
    browser.post("/api/v1/account/logout-everywhere", headers=csrf(browser))
    assert client.get(newer).status_code == 404


def test_a_visitor_makes_no_feed_and_a_wrong_address_is_nothing(
    make_service: Callable[..., Flask],
) -> None:
    client = make_service().test_client()
    assert client.post("/me/weekly").status_code == 401
    assert client.get("/weekly/swt_nobody").status_code == 404
