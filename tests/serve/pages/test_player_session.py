"""A new player's whole session in a real Chromium, 390 pixels wide: filmed.

By touch from the market to the log-out, and by keyboard from the top of an artist's
page to shares that are bought. Every step is a picture (`session-*.png`), and is held
against what a phone needs: nothing sticks out, what happened is in sight, what is
tapped is large enough, the console says nothing. Each of these checks has a control.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from selenium.common.exceptions import (
    JavascriptException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions import interaction
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from exchange import cast
from exchange.database import Database
from local_lastfm.auth import API_KEY, SHARED_SECRET
from local_lastfm.local import LocalLastfm
from serve.accounts.current import COOKIE
from serve.api.exchange import Exchange
from serve.app import create_app
from tests.exchange.game import SETTINGS, Game, artist
from tests.serve.conftest import close, make_settings, publish_copy
from tests.serve.marts import World
from tests.serve.pages.conftest import Browser
from tests.tours import Done, tours

WIDTH, HEIGHT = 390, 844
LEAST_TARGET = 44
"""Pixels a button is high at least (WCAG 2.5.5)."""
TABS = 2
"""From the top of an artist's page to the amount: one link is skipped, one taken."""
LOW = artist("Low")
PLAYER = "Margor"

_BOX = "return arguments[0].getBoundingClientRect().toJSON()"
_WIDTHS = """
    const page = document.documentElement;
    return [page.scrollWidth, page.clientWidth];
"""
# Whether the first line of the innermost element with a text can be seen there.
_IN_SIGHT = """
    const plain = (text) => text.replace(/\\s+/g, ' ').trim();
    const [wanted, tall] = arguments;
    const found = [...document.querySelectorAll('main *')].filter((node) =>
        plain(node.innerText ?? '').includes(wanted));
    const inner = found.filter((node) => !found.some((other) =>
        other !== node && node.contains(other)));
    return inner.some((node) => {
        const box = node.getBoundingClientRect();
        const line = box.top + Math.min(box.height, 24);
        return box.width > 1 && box.top >= 0 && line <= tall;
    });
"""
# What the button or link at a point says; between them lies the page itself.
_BUTTON_AT = """
    const node = document.elementFromPoint(...arguments);
    return node?.closest('button, a, input')?.innerText ?? '';
"""
# What every live region says from now on, as [its id or class, its text].
_LISTEN = """
    window.heard = [];
    const regions = document.querySelectorAll(
        '[aria-live]:not([aria-live=off]), [role=status], [role=alert]');
    for (const region of regions) {
        let before = region.textContent;
        new MutationObserver(() => {
            const text = region.textContent.trim();
            if (text && text !== before) {
                window.heard.push([region.id || region.className, text]);
            }
            before = text;
        }).observe(region, { childList: true, characterData: true, subtree: true });
    }
"""


@dataclass
class Phone:
    """A browser in the hand of a player: what is tapped, typed, seen and filmed."""

    browser: Browser
    film: Path
    steps: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Take the shape of a phone that is touched."""
        command = self.browser.driver.execute_cdp_cmd
        shape = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1}
        command("Emulation.setDeviceMetricsOverride", {**shape, "mobile": True})
        light = {"name": "prefers-color-scheme", "value": "light"}
        command("Emulation.setEmulatedMedia", {"features": [light]})
        command(
            "Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5}
        )

    def put_down(self) -> None:
        """Be an ordinary browser again, and nobody."""
        driver = self.browser.driver
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.delete_all_cookies()

    def find(self, selector: str, text: str = "") -> WebElement:
        """The first visible element of a selector that holds a text."""

        def there() -> WebElement | None:
            for node in self.browser.driver.find_elements(By.CSS_SELECTOR, selector):
                if text in node.text and node.is_displayed():
                    return node
            return None

        found: WebElement = self.until(there, f"no {selector} with {text!r}")
        return found

    def until(self, happens: Callable[[], Any], what: str = "it did not happen") -> Any:
        # Found anew each time: the page before may still be on its way out.
        ignored = [StaleElementReferenceException, JavascriptException]
        waiting = WebDriverWait(self.browser.driver, 10, 0.1, ignored)
        return waiting.until(lambda _: happens(), what)

    def sees(self, text: str) -> None:
        """Wait until a text is in sight, without scrolling."""
        self.until(lambda: self.is_in_sight(text), f"{text!r} is not in sight")

    def is_in_sight(self, text: str) -> bool:
        return bool(self.browser.ask(_IN_SIGHT, text, HEIGHT))

    def scroll_to(self, node: WebElement) -> None:
        """Bring something to the middle, as a thumb would."""
        self.browser.ask("arguments[0].scrollIntoView({block: 'center'})", node)

    def tap(self, selector: str, text: str = "") -> tuple[float, float]:
        """Touch an element in its middle; gives where on the screen that was."""
        node = self.find(selector, text)
        self.scroll_to(node)
        if node.tag_name in ("button", "input", "select") or "button" in (
            node.get_attribute("class") or ""
        ):
            self.check_target(node)
        box = self.browser.ask(_BOX, node)
        at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        finger = PointerInput(interaction.POINTER_TOUCH, "finger")
        touch = ActionBuilder(self.browser.driver, mouse=finger)
        touch.pointer_action.move_to_location(*(round(part) for part in at))
        touch.pointer_action.pointer_down()
        touch.pointer_action.pointer_up()
        touch.perform()
        return at

    def pause(self) -> None:
        """Take longer than the half second in which a second tap is an echo."""
        time.sleep(0.6)

    def type(self, text: str) -> None:
        """Keys go to what has the focus."""
        self.keys.extend(text)
        ActionChains(self.browser.driver).send_keys(text).perform()

    def replace(self, selector: str, text: str) -> None:
        """Tap a field and type over what is in it."""
        self.tap(selector)
        self.until(
            lambda: self.browser.ask(
                "return document.activeElement.matches(arguments[0])", selector
            )
        )
        self.browser.ask("document.activeElement.select()")
        self.type(text)

    def focused(self, script: str) -> Any:
        """What a script says of `node`, the element that has the focus."""
        return self.browser.ask(f"const node = document.activeElement; return {script}")

    def shoot(self, name: str) -> None:
        """One step: what the player sees and the whole page, checked and kept."""
        self.steps.append(name)
        self.check_page()
        number = f"session-{len(self.steps):02}-{name}"
        path = self.film / f"{number}.png"
        assert self.browser.driver.save_screenshot(str(path))
        shutil.copy(path, self.browser.shots / path.name)

    # What is asked of each step ---------------------------------------------------

    def check_page(self) -> None:
        """Nothing sticks out of the page, and the console is silent."""
        found, wide = self.browser.ask(_WIDTHS)
        assert wide == WIDTH, f"the page is {wide} pixels wide"
        assert found <= wide, f"{found - wide} pixels stick out to the right"
        assert self.browser.console() == []

    def check_target(self, node: WebElement) -> None:
        """A finger can hit it, and it lies in sight."""
        box = self.browser.ask(_BOX, node)
        name = node.text or node.get_attribute("name")
        assert box["height"] >= LEAST_TARGET, f"{name}: {box['height']} pixels high"
        assert box["width"] >= LEAST_TARGET, f"{name}: {box['width']} pixels wide"
        assert box["y"] >= 0 and box["bottom"] <= HEIGHT, f"{name} is out of sight"
        assert box["x"] >= 0 and box["right"] <= WIDTH, f"{name} is cut off"

    def check_no_second_tap(self, at: tuple[float, float], text: str) -> None:
        """Where a finger has just tapped there is not the button with this text."""
        under = self.browser.ask(_BUTTON_AT, *at)
        assert text not in under, f"a second tap at {at} would be {text!r}"


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Game]:
    """A market that twelve simulated players have played for some days."""
    database = Database(
        f"sqlite:///{tmp_path_factory.mktemp('session')}/exchange.sqlite", sync="OFF"
    )
    database.upgrade()
    game = Game(database, SETTINGS.model_copy(update={"novice_days": 14})).opened()
    for _ in range(4):
        database.run(
            lambda c: cast.play(c, game.clock, game.settings, game.day, cast.PLAYERS)
        )
        game.next_day()
    yield game
    database.dispose()


@pytest.fixture(scope="module")
def session_address(
    game: Game,
    marts_file: Path,
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Where a service with that market and a last.fm to log in at answers."""
    folder = tmp_path_factory.mktemp("session-pages") / "data"
    publish_copy(folder, marts_file, world)
    with LocalLastfm(world="demo") as lastfm:
        app: Flask = create_app(
            make_settings(
                folder,
                login_url=f"{lastfm.auth_url}?user={PLAYER}",
                login_api_url=lastfm.url,
                warehouse={
                    "lastfm_api_key": API_KEY,
                    "lastfm_shared_secret": SHARED_SECRET,
                },
            )
        )
        app.extensions["exchange"] = Exchange(
            game.settings, lambda: game.database, game.clock
        )
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
        close(app)


@pytest.fixture
def phone(browser: Browser, session_address: str, tmp_path: Path) -> Iterator[Phone]:
    """A phone at the exchange, of somebody who has never been there."""
    there = Phone(Browser(browser.driver, session_address, browser.shots), tmp_path)
    there.look()
    there.browser.driver.delete_all_cookies()
    yield there
    there.put_down()


# By touch ------------------------------------------------------------------------


def _arrive(phone: Phone) -> None:
    """Look at the market, log in, choose a name, take the tour."""
    phone.browser.open("/exchange")
    phone.sees("The exchange")
    phone.shoot("market-of-a-visitor")
    phone.tap("a.button", "Log in to play")
    phone.sees("Cash")
    phone.sees("Choose the name others see")
    phone.shoot("logged-in-at-the-portfolio")
    phone.replace("input[name=player_name]", "Slow Hands")
    phone.tap("button", "Take it")
    phone.sees("Slow Hands")
    phone.shoot("name-chosen")
    phone.tap(".parts a", "Portfolio")
    phone.tap("a", "Take the first steps")
    phone.sees("Five things, and you know the game.")
    phone.shoot("tour")
    phone.tap("button", "I know the game")
    phone.sees("Portfolio")
    phone.shoot("tour-done")


def _buy(phone: Phone) -> None:
    """From the market's list to shares of one's own."""
    phone.tap(".parts a", "Market")
    phone.sees("The exchange")
    row = phone.find("td a", "Low")
    phone.scroll_to(row)
    phone.sees("Low")
    phone.shoot("market")
    phone.tap("td a", "Low")
    phone.sees("credits a share")
    phone.shoot("artist")
    phone.replace("#shares", "12")
    for words in ("Buy 12", "Fee", "Price after", "Share of your wealth"):
        phone.sees(words)
    phone.shoot("amount-typed")
    at = phone.tap(".ticket button", "Buy")
    phone.sees("Buy 12 shares for")
    phone.check_no_second_tap(at, "Buy now")
    phone.check_target(phone.find(".quote button", "Buy now"))
    phone.shoot("quote")
    phone.pause()
    phone.tap(".quote button", "Buy now")
    phone.sees("You bought 12 shares of Low for")
    phone.shoot("bought")


def _queue_and_cancel(phone: Phone) -> None:
    """An order for the open, and back again."""
    form = f"form[action='/exchange/artists/{LOW}/order']"
    phone.replace(f"{form} input[name=shares]", "5")
    phone.replace(f"{form} input[name=limit]", "150.5")
    phone.shoot("order-typed")
    phone.tap(f"{form} button", "Queue to buy")
    phone.sees("waits for the next close")
    phone.shoot("order-queued")
    phone.tap(".done a", "Orders")
    phone.sees("Orders for the open")
    phone.shoot("orders")
    # It lies there without a swipe to the side.
    box = phone.browser.ask(_BOX, phone.find("td button", "Cancel"))
    assert box["right"] <= WIDTH
    phone.tap("td button", "Cancel")
    phone.sees("Ended")
    phone.scroll_to(phone.find("td", "cancelled"))
    phone.sees("cancelled")
    phone.shoot("order-cancelled")


def _sell(phone: Phone) -> None:
    """Look at what one owns, and sell a part of it."""
    phone.tap(".parts a", "Portfolio")
    phone.sees("Portfolio")
    phone.shoot("portfolio")
    phone.tap("td a", "Low")
    phone.replace("#shares", "5")
    phone.sees("Sell 5")
    phone.shoot("part-typed")
    phone.tap(".ticket button", "Sell")
    phone.sees("Sell 5 shares for")
    phone.shoot("quote-of-a-sale")
    phone.pause()
    phone.tap(".quote button", "Sell now")
    phone.sees("You sold 5 shares of Low for")
    phone.sees("You now hold 7 shares")
    phone.shoot("sold")


def _compare(phone: Phone) -> None:
    """Join the league of the simulated players and see where one stands."""
    phone.tap(".parts a", "Profile")
    phone.sees("Slow Hands")
    phone.shoot("profile")
    phone.scroll_to(phone.find("#leagues"))
    code = phone.find("#leagues code").text
    phone.replace("#leagues input[name=code]", code)
    phone.shoot("league-code")
    phone.tap("#leagues button", "Join")
    phone.sees("Simulated friends")
    phone.shoot("league-joined")
    phone.tap("#leagues a", "Simulated friends")
    phone.sees("the players of one league among friends")
    phone.shoot("board-of-the-league")
    phone.tap(".parts a", "Boards")
    phone.sees("By time-weighted return")
    phone.shoot("boards")


def _nearly_reset(phone: Phone) -> None:
    """What cannot be taken back asks again, and one can go back."""
    phone.tap(".parts a", "Profile")
    at = phone.tap("button", "Reset my account")
    phone.sees("Start again?")
    phone.check_no_second_tap(at, "Yes, reset my account")
    phone.find("button", "Yes, reset my account")
    phone.shoot("reset-asks-again")
    phone.tap("a.button", "No, keep it")
    phone.sees("Slow Hands")
    phone.shoot("kept")


def _go(phone: Phone) -> None:
    phone.tap("#settings button", "Log out")
    phone.until(lambda: phone.browser.driver.get_cookie(COOKIE) is None)
    phone.sees("What people played")
    phone.shoot("logged-out")
    phone.tap(".menu a", "Exchange")
    phone.sees("Log in to play")
    assert not phone.is_in_sight("Cash")
    # Who goes on reading gets to the login, and from there back to the same page.
    phone.tap(".parts a", "Orders")
    phone.sees("This page is your own")
    phone.browser.console()  # says that the page is refused
    phone.shoot("asked-to-log-in")
    phone.tap("a.button", "Log in with last.fm")
    phone.sees("Orders for the open")
    phone.shoot("back-at-the-orders")


def test_a_new_player_s_session_by_touch_is_filmed(phone: Phone, game: Game) -> None:
    for part in (_arrive, _buy, _queue_and_cancel, _sell, _compare, _nearly_reset, _go):
        part(phone)
    assert len(list(phone.film.glob("session-*.png"))) == len(phone.steps) >= 25
    assert game.violations() == []


# The tour of docs/tours.md --------------------------------------------------------


def _walk(phone: Phone, done: Done) -> None:
    """One row of the player's tour: do it, and see what it tells."""
    if done.address is not None:
        phone.browser.open(done.address)
    elif found := re.fullmatch(r'press "(.+)"', done.what):
        phone.pause()
        phone.tap("main a.button, main button", found[1])
    elif found := re.fullmatch(r'write `(.+)` into "(.+)"', done.what):
        label = phone.find("main label", found[2])
        field = label.get_attribute("for")
        phone.replace(f"#{field}" if field else "main label input", found[1])
    else:
        assert done.what == "choose an artist", done.what
        phone.tap("td a")
    for text in done.seen:
        assert phone.browser.sees(text), f"{done.what}: {text!r} is not there"


def test_the_tour_of_a_player_leads_to_the_first_shares(
    phone: Phone, game: Game
) -> None:
    for done in tours()["Player"].done:
        _walk(phone, done)
    assert game.violations() == []


def test_the_control_a_step_of_a_tour_that_does_not_hold_is_seen(phone: Phone) -> None:
    _walk(phone, Done("open `/exchange`", ("The exchange",)))
    with pytest.raises(TimeoutException):
        _walk(phone, Done("open `/exchange/boards`", ("By weight",)))
    with pytest.raises(AssertionError, match="stand on your head"):
        _walk(phone, Done("stand on your head", ()))


# By keyboard ---------------------------------------------------------------------


def _tab_to_amount(phone: Phone) -> int:
    """Tab from the top of the page to the field; gives how often Tab was pressed.

    A link that skips to the field is taken when it comes.
    """
    for pressed in range(1, 100):
        phone.type(Keys.TAB)
        assert phone.focused("getComputedStyle(node).outlineStyle !== 'none'")
        if phone.focused("node.matches('a.skip[href=\"#shares\"]')"):
            assert phone.focused("node.getBoundingClientRect().top >= 0")
            phone.type(Keys.ENTER)
        if phone.focused("node.id === 'shares'"):
            return pressed
    raise AssertionError("Tab does not reach the amount")


def _heard(phone: Phone, words: str) -> list[str]:
    """The live regions that said something with these words, once each time."""
    heard = phone.browser.ask("return window.heard")
    return [region for region, text in heard if words in text]


def _quote_by_keyboard(phone: Phone, shares: str) -> None:
    """Type an amount over the one there is, and ask for a quote."""
    keys = ActionChains(phone.browser.driver).key_down(Keys.CONTROL).send_keys("a")
    keys.key_up(Keys.CONTROL).send_keys(shares).perform()
    said = "return document.getElementById('said').textContent"
    words = f"Buying {shares} shares costs"
    phone.until(lambda: words in phone.browser.ask(said), words)
    phone.browser.ask(_LISTEN)
    phone.type(Keys.ENTER)
    phone.until(lambda: phone.focused("node.closest('.quote') !== null"), "no quote")


@pytest.fixture
def player(phone: Phone) -> Phone:
    """The same phone, with its player logged in, at the top of an artist's page."""
    phone.browser.open("/login")
    phone.browser.open(f"/exchange/artists/{LOW}")
    return phone


def test_shares_are_bought_by_keyboard_in_two_steps(player: Phone) -> None:
    assert _tab_to_amount(player) == TABS
    player.shoot("keyboard-amount")
    player.keys.clear()
    _quote_by_keyboard(player, "4")
    assert player.focused("node.innerText") == "Buy now"
    assert player.is_in_sight("Buy now") and player.is_in_sight("Buy 4 shares for")
    assert _heard(player, "Buy 4 shares for") == ["said"]
    # Nothing beside the live region says it again when the button gets the focus.
    assert not player.focused("node.hasAttribute('aria-describedby')")
    assert not player.focused("!!node.closest('[aria-labelledby=quote-h]')")
    player.shoot("keyboard-quote")
    player.pause()
    player.type(Keys.ENTER)
    player.sees("You bought 4 shares of Low for")
    assert player.focused("node.id") == "done"
    assert player.keys == [Keys.ENTER, Keys.ENTER]
    player.shoot("keyboard-bought")


def test_after_the_purchase_tab_goes_on_to_what_comes_next(player: Phone) -> None:
    _tab_to_amount(player)
    _quote_by_keyboard(player, "2")
    player.pause()
    player.type(Keys.ENTER)
    player.sees("You bought 2 shares of Low for")
    player.type(Keys.TAB)
    assert player.focused("node.innerText") == "Portfolio"
    # And back on a quote, Tab leads to the other offer, Escape and typing buy nothing.
    player.browser.open(f"/exchange/artists/{LOW}")
    _tab_to_amount(player)
    _quote_by_keyboard(player, "2")
    player.type(Keys.TAB)
    assert player.focused("node.innerText") == "Buy at the open"
    player.type(Keys.ESCAPE + "5")
    assert "done=" not in player.browser.driver.current_url


# Controls: each check fails where what it guards is broken --------------------------


def test_the_check_of_the_width_sees_what_sticks_out(player: Phone) -> None:
    player.check_page()
    player.browser.ask(
        "const wide = document.createElement('p'); wide.style.width = '500px';"
        "wide.textContent = 'wide'; document.querySelector('main').append(wide)"
    )
    with pytest.raises(AssertionError, match="stick out"):
        player.check_page()


def test_the_check_of_the_console_sees_an_error(player: Phone) -> None:
    player.check_page()
    player.browser.ask("setTimeout(() => { throw new Error('broken') })")
    with pytest.raises(AssertionError, match="broken"):
        player.until(player.check_page)


def test_the_check_of_targets_sees_small_ones_and_hidden_ones(player: Phone) -> None:
    button = player.find(".ticket button", "Buy")
    player.scroll_to(button)
    player.check_target(button)
    player.browser.ask("arguments[0].style.height = '30px'", button)
    with pytest.raises(AssertionError, match="Buy: 30 pixels high"):
        player.tap(".ticket button", "Buy")
    player.browser.ask("arguments[0].style.height = ''; scrollTo(0, 0)", button)
    player.browser.ask("document.querySelector('main').style.marginTop = '900px'")
    with pytest.raises(AssertionError, match="out of sight"):
        player.check_target(button)
    assert not player.is_in_sight("credits a share")


def test_the_check_of_a_second_tap_sees_the_button_under_the_finger(
    player: Phone,
) -> None:
    at = player.tap(".parts a", "Profile")
    at = player.tap("button", "Reset my account")
    player.sees("Start again?")
    player.check_no_second_tap(at, "Yes, reset my account")
    player.browser.ask(
        "const yes = [...document.querySelectorAll('button')].at(-1);"
        "yes.style.position = 'fixed'; yes.style.left = '0'; yes.style.zIndex = 9;"
        "yes.style.top = `${arguments[0] - 20}px`; yes.style.width = '100%'",
        at[1],
    )
    with pytest.raises(AssertionError, match="second tap"):
        player.check_no_second_tap(at, "Yes, reset my account")


def test_without_the_skip_link_the_amount_is_far_away(player: Phone) -> None:
    player.browser.ask("document.querySelector('a.skip[href=\"#shares\"]').remove()")
    assert _tab_to_amount(player) > 10


def test_the_check_of_announcements_sees_a_second_one(player: Phone) -> None:
    player.browser.ask(
        "document.getElementById('offer').setAttribute('aria-live', 'polite')"
    )
    _tab_to_amount(player)
    _quote_by_keyboard(player, "2")
    assert sorted(_heard(player, "Buy 2 shares for")) == ["offer", "said"]
