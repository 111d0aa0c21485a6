"""A listener beside a friend: both have agreed, and nobody else sees anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from math import log1p, sqrt
from typing import Any

import pytest
from flask import Flask

from serve.accounts.current import signer
from serve.pages import friends
from tests.serve.conftest import csrf, log_in
from tests.serve.marts import World


def invited(app: Flask, name: str) -> str:
    """The path of that listener's invitation, as the own page shows it."""
    page = log_in(app, name).get("/me").text
    found = re.search(r'href="(/compare-with/[^"]+)"', page)
    assert found
    return found[1]


def library(world: World, listener_id: str) -> Counter[str]:
    return Counter(
        {
            row["artist_id"]: row["scrobbles"]
            for row in world["listener_artists"]
            if row["listener_id"] == listener_id
        }
    )


def test_who_is_invited_sees_both_counted_right(
    make_service: Callable[..., Flask], world: World
) -> None:
    app = make_service()
    page = log_in(app, "bert").get(invited(app, "anna"))
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "private, no-store"
    mine, theirs = library(world, "bert"), library(world, "anna")
    common = set(mine) & set(theirs)
    assert f"{len(common)} artist" in page.text
    dot = sum(log1p(mine[one]) * log1p(theirs[one]) for one in common)
    lengths = [
        sqrt(sum(log1p(plays) ** 2 for plays in one.values())) for one in (mine, theirs)
    ]
    likeness = 100 * dot / (lengths[0] * lengths[1])
    assert f"your libraries are {likeness:,.0f} % alike" in page.text
    first = min(
        sorted(common),
        key=lambda one: -min(mine[one] / mine.total(), theirs[one] / theirs.total()),
    )
    both = page.text.partition('id="figure-both"')[2].partition("</figure>")[0]
    assert re.findall(r'<a href="/artists/(\w+)"', both)[0] == first


def test_nobody_else_sees_anything(make_service: Callable[..., Flask]) -> None:
    app = make_service()
    path = invited(app, "anna")
    visitor = app.test_client().get(path, headers={"Accept": "text/html"})
    assert visitor.status_code == 401 and "Anna" not in visitor.text
    # What anna has given tells her nothing of bert's.
    own = log_in(app, "anna").get(path).text
    assert "your own invitation" in own and "figure-both" not in own


@pytest.mark.parametrize(
    "given", [["anna", "2020-01-01"], ["nobody", "2999-01-01"], ["dora", "2999-01-01"]]
)
def test_an_invitation_that_is_over_or_of_nobody_opens_nothing(
    make_service: Callable[..., Flask], given: list[str]
) -> None:
    app = make_service()
    browser = log_in(app, "bert")
    log_in(app, "anna")
    with app.test_request_context():
        sealed: Any = signer("comparison").dumps(given)
        other: Any = signer("report").dumps(["anna", "2999-01-01"])
    for link in (sealed, other, "nothing"):
        assert browser.get(f"/compare-with/{link}").status_code == 404


def test_it_ends_after_thirty_days_and_with_the_account(
    make_service: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_service()
    path = invited(app, "anna")
    with app.test_request_context():
        *_, until = signer("comparison").loads(path.rpartition("/")[2])
    ends = date.fromisoformat(until) - date.today()
    assert abs(ends - timedelta(days=friends.INVITED_DAYS)) <= timedelta(days=1)
    anna = log_in(app, "anna")
    assert anna.delete("/api/v1/account", headers=csrf(anna)).status_code == 200
    assert log_in(app, "bert").get(path).status_code == 404
