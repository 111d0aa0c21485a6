"""axe-core finds nothing wrong on any page, in light and in the dark."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.axe import violations
from tests.serve.pages.conftest import Browser
from tests.serve.pages.test_browser import ARTIST, PAGES

OWN = {
    "own": "/me",
    "rules": "/me/rules",
    "own-top": "/listeners/anna/top/artists",
    "own-plays": "/listeners/anna/plays",
    "own-artist": f"/listeners/anna/artists/{ARTIST}",
    "own-statistics": "/listeners/anna/statistics/activity",
    "own-next": "/listeners/anna/next",
    "report": "/listeners/anna/reports/2026",
}


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
