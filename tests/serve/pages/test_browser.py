"""Every page in a real Chromium: drawn, quiet, at home, narrow, dark, by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from local_lastfm.covers import picture
from serve.covers import FOLDER
from serve.pages.statistics import PARTS
from tests.serve.conftest import shared
from tests.serve.marts import key
from tests.serve.pages.conftest import Browser
from tests.serve.pages.wording import faults

ARTIST = key("Artist 03")
HOSTILE = key("<script>alert(1)</script>")
REVERSED = key("\u202eevil")
PAGES = {
    "home": "/",
    "charts": "/charts",
    "chart": "/charts/panel_artists",
    "artists": "/artists",
    "artist": f"/artists/{ARTIST}",
    "track": "/tracks/" + key("Artist 03\x1fSong 0"),
    "album": "/albums/" + key("Artist 03\x1fAlbum"),
    "compare": f"/compare?artists={ARTIST},{HOSTILE},{REVERSED}&days=90",
    "trends": "/trends",
    "tags": "/tags",
    "tag": f"/tags/{key('jazz')}",
    "listeners": "/listeners",
    "log-in": "/me",
    "about": "/about",
    "methods": "/methods",
    "privacy": "/privacy",
    "restatements": "/restatements",
    "api": "/api/docs",
    "search": "/search?q=artist",
    "sql": "/sql?query=from+dim_artists",
    "no-docs": "/docs/",
}
_WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"
_DRAWN = """
    return [...document.querySelectorAll('figure svg.picture')].map((picture) => {
        const box = picture.getBoundingClientRect();
        return [box.width, box.height, picture.querySelectorAll('*').length];
    });
"""
_COLOURS = """
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color];
"""
_CONTRAST = """
    const light = (colour) => {
        const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((text) => {
            const part = Number(text) / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (colour !== 'rgba(0, 0, 0, 0)') return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const poor = [];
    for (const node of document.querySelectorAll('a,p,td,th,h1,h2,dt,dd,span')) {
        if (!node.textContent.trim() || node.closest('.unseen')) continue;
        const style = getComputedStyle(node);
        const [one, other] = [light(style.color), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) poor.push([node.outerHTML.slice(0, 90), ratio]);
    }
    return poor;
"""


def _quiet(browser: Browser) -> None:
    assert browser.console() == []
    assert browser.hosts() <= {"127.0.0.1"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_drawn_quietly_without_asking_another_host(
    browser: Browser, name: str
) -> None:
    browser.look(1200)
    browser.open(PAGES[name])
    for width, tall, marks in browser.ask(_DRAWN):
        assert width > 100 and tall > 20 and marks > 2
    width, window = browser.ask(_WIDTHS)
    assert width <= window
    assert browser.ask(_CONTRAST) == []
    if name != "sql":  # which shows what the database writes
        assert faults(browser.driver.page_source) == []
    browser.shoot(f"{name}-wide-light", 1200)
    _quiet(browser)


def _crowded(browser: Browser) -> list[str]:
    """Names of the bump chart that meet another one or stick out of the picture."""
    found: list[str] = browser.ask(
        """
        const picture = document.querySelector('#figure-bump svg.picture');
        const edge = picture.getBoundingClientRect();
        const names = [...picture.querySelectorAll('.p-label')].map((node) =>
            [node.textContent, node.getBoundingClientRect()]
        ).filter(([, box]) => box.width);
        if (!names.length) return ['no name is shown'];
        return names.filter(([, box], at) =>
            box.left < edge.left || box.right > edge.right ||
            names.some(([, other], place) => place !== at &&
                box.left < other.right && other.left < box.right &&
                box.top < other.bottom - 1 && other.top < box.bottom - 1)
        ).map(([text]) => text);
        """
    )
    return found


@pytest.mark.parametrize(
    ("width", "is_dark"), [(390, True), (700, False), (1280, True)]
)
def test_names_of_the_bump_chart_lie_apart_and_inside(
    browser: Browser, width: int, is_dark: bool
) -> None:
    browser.look(width, dark=is_dark)
    browser.open("/charts/panel_artists")
    assert _crowded(browser) == []
    # The control: a name that is put beside another one is seen.
    browser.ask(
        "const some = [...document.querySelectorAll('#figure-bump .p-label')].filter("
        "(node) => node.getBoundingClientRect().width);"
        "some[1].setAttribute('y', some[0].getAttribute('y'));"
        "some[1].setAttribute('x', some[0].getAttribute('x'));"
        "some[1].setAttribute('text-anchor', some[0].getAttribute('text-anchor'))"
    )
    assert len(_crowded(browser)) == 2


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_500_pixels_in_the_dark(browser: Browser, name: str) -> None:
    browser.look(500, dark=True)
    browser.open(PAGES[name])
    width, window = browser.ask(_WIDTHS)
    assert (width <= window, window) == (True, 500)
    background, ink = browser.ask(_COLOURS)
    assert _sum(background) < 150 < _sum(ink)
    assert browser.ask(_CONTRAST) == []
    browser.shoot(f"{name}-narrow-dark", 500)
    _quiet(browser)


def _sum(colour: str) -> int:
    return sum(int(part) for part in colour.strip("rgb()").split(",")[:3])


_TILE = """
    const box = document.querySelector('.cover.large').getBoundingClientRect();
    const picture = document.querySelector('.cover.large img');
    return [box.width, box.height, picture.complete && picture.naturalWidth];
"""


@pytest.mark.parametrize(("width", "side"), [(1200, 160), (390, 96)])
def test_a_cover_stands_on_a_tile_that_keeps_its_place(
    browser: Browser, pages_app: Flask, width: int, side: int
) -> None:
    folder = shared(pages_app).settings.data_dir / FOLDER
    kept = folder / key("Artist 00\x1fcover")
    folder.mkdir(exist_ok=True)
    kept.write_bytes(picture(kept.name, 174))
    browser.look(width)
    browser.open("/albums/" + key("Artist 00\x1fAlbum"))
    WebDriverWait(browser.driver, 5).until(lambda _: browser.ask(_TILE)[2])
    assert browser.ask(_TILE) == [side, side, 174]
    page_width, window = browser.ask(_WIDTHS)
    assert page_width <= window
    browser.shoot(f"cover-{width}", width)
    _quiet(browser)
    # The control: without the picture the same place holds a letter, as quietly.
    browser.open("/albums/" + key("Artist 02\x1fAlbum"))
    assert browser.ask(_TILE) == [side, side, 0]
    _quiet(browser)


def test_the_check_of_foreign_requests_and_of_the_console_sees_them(
    browser: Browser,
) -> None:
    browser.look(500)
    browser.open("/about")
    browser.ask("document.body.append(new Image()); new Image().src='//other.invalid/'")
    browser.ask(
        "const s = document.createElement('script'); s.textContent = 'var x';"
        "document.body.append(s)"
    )
    browser.ask("document.body.style.width = '900px'")
    WebDriverWait(browser.driver, 5).until(lambda _: browser.console())
    width, window = browser.ask(_WIDTHS)
    assert width > window
    assert browser.ask("return typeof x") == "undefined"


def test_the_choice_of_dark_stays_and_system_takes_it_back(browser: Browser) -> None:
    browser.look(1000)
    browser.open("/tags?sort=artists")
    browser.driver.find_element(By.LINK_TEXT, "dark").click()
    assert browser.driver.current_url.endswith("/tags?sort=artists")
    assert _sum(browser.ask(_COLOURS)[0]) < 150
    browser.open("/")
    assert _sum(browser.ask(_COLOURS)[0]) < 150
    browser.driver.find_element(By.LINK_TEXT, "system").click()
    assert _sum(browser.ask(_COLOURS)[0]) > 600
    _quiet(browser)


def test_the_keyboard_skips_to_the_content_and_shows_where_it_is(
    browser: Browser,
) -> None:
    browser.look(1000)
    browser.open("/charts/panel_artists")
    body = browser.driver.switch_to.active_element
    body.send_keys(Keys.TAB)
    skip = browser.driver.switch_to.active_element
    assert skip.text == "Skip to the content" and skip.location["y"] >= 0
    skip.send_keys(Keys.ENTER)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "main"
    seen = set()
    for _ in range(12):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        here = browser.driver.switch_to.active_element
        outline = browser.ask(
            "return getComputedStyle(arguments[0]).outlineStyle", here
        )
        assert outline != "none", here.get_attribute("outerHTML")
        seen.add(here.get_attribute("outerHTML"))
    assert len(seen) == 12


def test_everything_that_can_be_used_has_a_name(browser: Browser) -> None:
    browser.look(1000)
    for path in (f"/artists/{ARTIST}", "/charts/panel_artists", "/trends"):
        browser.open(path)
        tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        named: list[tuple[str, str]] = []
        for node in tree["nodes"]:
            role = node.get("role", {}).get("value")
            if node.get("ignored") or role not in (
                "link",
                "button",
                "img",
                "image",
                "combobox",
                "searchbox",
                "table",
                "textbox",
                "checkbox",
                "region",
                "navigation",
            ):
                continue
            named.append((role, node.get("name", {}).get("value", "").strip()))
        assert named and all(name for _, name in named), named
        # A picture with links is a group, or nobody could reach them.
        pictures = [
            node["name"]["value"]
            for node in tree["nodes"]
            if node.get("role", {}).get("value") in ("img", "image", "group")
            and node.get("name", {}).get("value")
        ]
        assert pictures


def test_a_picture_is_read_by_arrow_keys(browser: Browser) -> None:
    browser.look(1000)
    browser.open(f"/artists/{ARTIST}?measure=score&days=30")
    picture = browser.driver.find_element(By.CSS_SELECTOR, "#figure-main svg.picture")
    readout = browser.driver.find_element(By.CSS_SELECTOR, "#figure-main .readout")
    assert "arrow keys" in readout.text
    picture.send_keys(Keys.HOME)
    first = readout.text
    picture.send_keys(Keys.ARROW_RIGHT)
    assert first.startswith("13 Feb 2026: Score") and readout.text != first
    picture.send_keys(Keys.END)
    assert readout.text.startswith("14 Mar 2026: Score")
    _quiet(browser)


def test_names_of_artists_complete_while_typing(browser: Browser) -> None:
    browser.look(1000)
    browser.open("/compare")
    field = browser.driver.find_element(By.NAME, "add")
    field.send_keys("artist 0")
    WebDriverWait(browser.driver, 5).until(
        lambda _: browser.ask(
            "return document.querySelectorAll('#found option').length"
        )
    )
    field.send_keys("3", Keys.ENTER)
    WebDriverWait(browser.driver, 5).until(lambda driver: ARTIST in driver.current_url)
    _quiet(browser)


def test_markup_and_direction_in_names_stay_names(browser: Browser) -> None:
    browser.look(1000)
    browser.open("/artists?sort=name")
    assert browser.ask("return typeof window.alerted") == "undefined"
    texts = browser.ask(
        "return [...document.querySelectorAll('td bdi')].map((n) => n.textContent)"
    )
    assert "<script>alert(1)</script>" in texts and "\u202eevil" in texts
    # What stands after a reversed name in the same row still reads from the left.
    order: Any = browser.ask(
        """
        const cell = [...document.querySelectorAll('td')].find(
            (node) => node.textContent.includes('evil'));
        const next = cell.nextElementSibling;
        return [cell, next].map((node) => node.getBoundingClientRect().left);
        """
    )
    assert order[0] < order[1]
    _quiet(browser)


def test_one_s_own_page_is_drawn_and_its_fetch_is_shown(
    browser: Browser, pages_app: Flask
) -> None:
    browser.log_in(pages_app, "anna")
    browser.look(1200)
    browser.open("/me")
    assert browser.sees("that is you")
    browser.driver.find_element(
        By.CSS_SELECTOR, "form[action='/me/panel'] button"
    ).click()
    WebDriverWait(browser.driver, 5).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "li[data-job] progress")
    )
    browser.shoot("me-wide-light", 1200)
    browser.driver.find_element(
        By.CSS_SELECTOR, "form[action$='/cancel'] button"
    ).click()
    assert browser.sees("cancelled")
    browser.look(500, dark=True)
    browser.open("/me")
    width, window = browser.ask(_WIDTHS)
    assert width <= window
    browser.shoot("me-narrow-dark", 500)
    _quiet(browser)
    browser.driver.delete_all_cookies()


def test_own_lists_and_statistics_fit_in_light_and_in_the_dark(
    browser: Browser, pages_app: Flask
) -> None:
    browser.log_in(pages_app, "anna")
    paths = ["top/artists", "plays", f"artists/{ARTIST}"]
    paths += [f"statistics/{part}" for part in PARTS] + ["reports/2026", "next"]
    try:
        for number, path in enumerate(paths):
            for width, is_dark in ((1280, False), (500, True)):
                browser.look(width, dark=is_dark)
                browser.open(f"/listeners/anna/{path}?range=year&tz=Europe/Oslo")
                assert browser.ask("return document.querySelectorAll('figure').length")
                tall, window = browser.ask(_WIDTHS)
                assert tall <= window, (path, width)
                assert browser.ask(_CONTRAST) == [], path
                for wide, high, marks in browser.ask(_DRAWN):
                    assert wide > 100 and high > 20 and marks > 2, path
                browser.shoot(f"own-{number}-{width}", width)
                _quiet(browser)
    finally:
        browser.driver.delete_all_cookies()
