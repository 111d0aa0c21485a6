"""Reports of a week, a month or a year, and the links that show one to others."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask

from serve.accounts import store
from serve.accounts.current import signer
from serve.app import create_app
from serve.pages import cards, links, reports
from serve.problems import Problem
from tests.serve.conftest import close, csrf, log_in, make_settings, shared
from tests.serve.marts import World, publish, version_path, write_duckdb
from tests.serve.test_listening import AS_OF, make_library

ROOT = "/listeners/Zoe/reports"


@pytest.fixture(scope="module")
def library() -> World:
    return make_library()


@pytest.fixture(scope="module")
def served(library: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Zoe's plays published."""
    folder = tmp_path_factory.mktemp("reports")
    write_duckdb(library, version_path(folder, "20260314-000001"))
    publish(folder, "20260314-000001", AS_OF)
    return folder


@pytest.fixture
def app(served: Path, tmp_path: Path) -> Iterator[Flask]:
    """Zoe keeps her listening private."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "versions").symlink_to(served / "versions")
    publish(folder, "20260314-000001", AS_OF)
    made = create_app(make_settings(folder), parts=("serve.pages",))
    yield made
    close(made)


def link_of(app: Flask, period: str) -> str:
    """The link that Zoe finds on a report of hers."""
    text = log_in(app, "zoe").get(f"{ROOT}/{period}").text
    (found,) = re.findall(r'href="(/shared/[^"]+)"', text)
    return str(found)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
        ("2025-12", date(2025, 12, 1), date(2025, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        # ISO weeks: the first of 2026 begins in 2025, and 2020 has 53.
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 4)),
        ("2020-W53", date(2020, 12, 28), date(2021, 1, 3)),
    ],
)
def test_a_period_has_the_days_of_the_calendar(
    period: str, first: date, last: date
) -> None:
    found = reports.period_of(period)
    assert (found.days.first, found.days.last) == (first, last)


@pytest.mark.parametrize(
    "period",
    [
        "",
        "26",
        "2026-13",
        "2026-00",
        "2025-W53",
        "2026-W00",
        "1999",
        "2026-5",
        "9999-12",
        "9999-W52",
    ],
)
def test_what_is_no_period_is_refused_with_examples(period: str) -> None:
    with pytest.raises(Problem, match="2026-W20"):
        reports.period_of(period)


@pytest.mark.parametrize("period", ["2025", "2026-01", "2026-W03"])
def test_a_report_tells_what_was_played(
    app: Flask, library: World, period: str
) -> None:
    days = reports.period_of(period).days
    plays = [
        play
        for play in library["fct_scrobbles"]
        if days.first <= play["scrobbled_date"] <= days.last
    ]
    text = log_in(app, "zoe").get(f"{ROOT}/{period}").text
    tiles = dict(re.findall(r"<dt>([^<]+)</dt><dd>([\d,]+)", text))
    played = sorted({play["scrobbled_date"] for play in plays})
    longest = run = 0
    for before, day in zip([None, *played], played, strict=False):
        run = run + 1 if before == day - timedelta(days=1) else 1
        longest = max(longest, run)
    firsts = {row["artist_id"]: row for row in library["listener_artists"]}
    new = {
        artist
        for artist, row in firsts.items()
        if days.first <= row["first_scrobbled_at"].date() <= days.last
    }
    seconds = sum(play["listening_seconds"] for play in plays)
    assert tiles == {
        "Plays": f"{len(plays):,}",
        "Hours": f"{round(seconds / 3600):,}",
        "Artists": f"{len({play['artist_id'] for play in plays}):,}",
        "New artists": f"{len(new):,}",
        "Days with a play": f"{len(played):,}",
        "Days in a row": f"{longest:,}",
    }
    first, most = Counter(play["name"] for play in plays).most_common(1)[0]
    card = log_in(app, "zoe").get(f"{ROOT}/{period}/card.svg").text
    assert f">{first}</text>" in card or f">{most:,}</text>" in card
    assert f">{len(plays):,}</text>" in card


def test_a_private_listener_s_report_and_card_say_nothing_to_others(app: Flask) -> None:
    for path in (f"{ROOT}/2025", f"{ROOT}/2025/card.svg", f"{ROOT}/2025/card.png"):
        for browser in (app.test_client(), log_in(app, "yan")):
            answer = browser.get(path)
            assert "keeps this private" in answer.text
            assert "Artist 0" not in answer.text


def test_a_link_shows_one_report_to_whoever_has_it_and_leads_nowhere_private(
    app: Flask,
) -> None:
    link = link_of(app, "2025")
    visitor = app.test_client()
    answer = visitor.get(link)
    assert answer.status_code == 200
    assert "Artist 0" in answer.text
    assert answer.headers["X-Robots-Tag"] == "noindex"
    # One alone: of two, browsers take the last.
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "/listeners/Zoe" not in answer.text, "it leads to pages that are private"
    assert "/shared/" in answer.text, "the card's address"
    assert visitor.get(f"{link}/card.svg").status_code == 200
    own = log_in(app, "zoe").get(f"{ROOT}/2025").text
    assert "/listeners/Zoe/artists/" in own, "the control: one's own names lead on"


def test_a_link_ends_after_its_days_with_the_account_and_when_it_was_changed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_of(app, "2025")
    visitor = app.test_client()
    token = link.rsplit("/", 1)[1]
    with app.test_request_context():
        until = date.fromisoformat(signer("report").loads(token)[4])
        forged = signer("another").dumps(signer("report").loads(token))
    for other in (token[:-2], f"{token}x", forged, "x"):
        assert visitor.get(f"/shared/{other}").status_code == 404
    for days, status in ((0, 200), (1, 404)):
        day = until + timedelta(days=days)
        monkeypatch.setattr(links, "today", lambda day=day: day)
        assert visitor.get(link).status_code == status, day
    monkeypatch.undo()
    assert visitor.get(link).status_code == 200
    browser = log_in(app, "zoe")
    gone = browser.delete("/api/v1/account", headers=csrf(browser))
    assert gone.status_code < 300, gone.text
    assert store.of_listener(shared(app).accounts, "zoe") is None
    assert visitor.get(link).status_code == 404
    # Who comes back has another account: what was taken back stays so.
    assert link_of(app, "2025") != link
    assert visitor.get(link).status_code == 404


def test_a_card_is_a_picture_of_its_size_whatever_the_names_are(app: Flask) -> None:
    png = log_in(app, "zoe").get(f"{ROOT}/2025/card.png")
    assert png.mimetype == "image/png"
    assert png.data[:8] == b"\x89PNG\r\n\x1a\n"
    size = [int.from_bytes(png.data[n : n + 4]) for n in (16, 20)]
    assert size == [cards.WIDE, cards.HIGH]
    assert log_in(app, "zoe").get(f"{ROOT}/2025/card.gif").status_code == 404
    drawn = cards.report("<b>&", "2025", [("1", "play")], [("</text>" * 9, 3)])
    assert "<b>" not in drawn
    assert drawn.count("</text>") == 8
    assert "…" in drawn
