"""axe-core finds nothing wrong on any page, in light and in the dark.

The pages of the exchange need a market and are walked in `test_exchange_pages.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from selenium.webdriver.common.by import By

from serve.app import create_app
from tests.axe import violations
from tests.serve.conftest import close, make_settings
from tests.serve.pages.conftest import Browser
from tests.serve.pages.test_browser import ARTIST, PAGES
from tests.serve.pages.test_exchange_pages import WALKED as EXCHANGE
from tests.serve.pages.wording import faults

OWN = {
    "own": "/me",
    "own-page": "/listeners/anna",
    "wanted-artist": "/me/artists?artist_name=Nobody+has+listed",
    "rules": "/me/rules",
    "own-top": "/listeners/anna/top/artists",
    "own-plays": "/listeners/anna/plays",
    "own-artist": f"/listeners/anna/artists/{ARTIST}",
    "own-statistics": "/listeners/anna/statistics/activity",
    "own-next": "/listeners/anna/next",
    "report": "/listeners/anna/reports/2026",
}
#: Pages whose address stands in a page: where, and how it begins.
LINKED = {
    "/listeners/anna/reports/2026": "/shared/",
    "/me": "/compare-with/",
}
#: What is no page of its own: files, pictures, feeds, and parts of a page.
NO_PAGES = {
    *("/manifest.webmanifest", "/favicon.ico", "/icon-<size>.png", "/theme.css"),
    *("/static/<path:filename>", "/theme/<choice>", "/sql.csv", "/sql/file"),
    "/covers/<cover_id>",
    *("/artists/<artist_id>/card.png", "/artists/<artist_id>/series.svg"),
    "/listeners/<listener_name>/reports/<period>/card.<picture>",
    *("/shared/<link>/card.<picture>", "/weekly/<weekly_token>"),
    *("/exchange/feed/<token>", "/exchange/standing"),
    "/exchange/artists/<artist_id>/ticket",
}


def missing(app: Flask, walked: set[str]) -> set[str]:
    """Page routes that none of these addresses belongs to."""
    routes = app.url_map.bind("localhost")
    found = {
        str(routes.match(address.partition("?")[0], return_rule=True)[0])
        for address in walked
    }
    pages = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.") and "GET" in (rule.methods or ())
    }
    return pages - found - NO_PAGES


def test_no_page_is_left_out_of_the_walk(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path))
    walked = {*PAGES.values(), *OWN.values(), *EXCHANGE}
    walked |= {f"{begins}x" for begins in LINKED.values()}
    assert missing(app, walked) == set()
    # The controls: a page that is not walked is missing, and what is left out is there.
    assert missing(app, walked - {"/trends"}) == {"/trends"}
    assert {rule.rule for rule in app.url_map.iter_rules()} >= NO_PAGES
    close(app)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_on_a_page(browser: Browser, name: str) -> None:
    browser.look(1280)
    browser.open(PAGES[name])
    assert violations(browser.driver) == []


@pytest.mark.parametrize("name", ["home", "artist", "chart", "sql", "api"])
def test_nothing_is_wrong_in_the_dark_on_a_phone(browser: Browser, name: str) -> None:
    browser.look(390, dark=True)
    browser.open(PAGES[name])
    assert violations(browser.driver) == []


def test_nothing_is_wrong_on_one_s_own_pages(
    browser: Browser, pages_app: Flask
) -> None:
    browser.log_in(pages_app, "anna")
    browser.look(1280)
    try:
        for name, path in OWN.items():
            browser.open(path)
            assert violations(browser.driver) == [], name
            assert faults(browser.driver.page_source) == [], name
        for page, begins in LINKED.items():
            browser.open(page)
            link = browser.driver.find_element(
                By.CSS_SELECTOR, f"a[href*='{begins}'], input[value*='{begins}']"
            )
            found = link.get_attribute("href") or link.get_attribute("value") or ""
            browser.log_in(pages_app, "bert")
            browser.open(found[found.index(begins) :])
            assert violations(browser.driver) == [], begins
            browser.log_in(pages_app, "anna")
    finally:
        browser.driver.delete_all_cookies()


def test_control_a_picture_without_words_is_found(browser: Browser) -> None:
    browser.look(1280)
    browser.open("/about")
    browser.ask(
        "const one = document.createElement('img'); one.src = '/static/mark.svg';"
        "document.querySelector('main').append(one)"
    )
    assert [rule for rule, _ in violations(browser.driver)] == ["image-alt"]
