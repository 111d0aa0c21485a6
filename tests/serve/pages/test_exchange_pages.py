"""The exchange's pages: read by everybody, used by their owner, by form and by key."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from selenium.common.exceptions import (
    JavascriptException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from exchange import schema
from exchange.database import Database
from serve.api.exchange import Exchange
from serve.app import create_app
from tests.axe import violations
from tests.exchange.game import Game, artist, values
from tests.serve.conftest import close, log_in, make_settings, publish_copy
from tests.serve.marts import World
from tests.serve.pages.conftest import Browser
from tests.serve.pages.test_browser import _CONTRAST, _WIDTHS, _quiet
from tests.serve.pages.wording import faults

HTML = {"Accept": "text/html"}
LOW = artist("Low")
PAGES = {
    "exchange": "/exchange",
    "exchange-risers": "/exchange?list=risers",
    "exchange-artist": f"/exchange/artists/{LOW}",
    "exchange-portfolio": "/exchange/portfolio",
    "exchange-orders": "/exchange/orders",
    "exchange-boards": "/exchange/boards?board=worth",
    "exchange-profile": "/exchange/profile",
    "exchange-economy": "/exchange/economy",
    "exchange-tour": "/exchange/tour",
}
#: What axe-core looks at, beside quotes and questions that come by a button.
WALKED = (*PAGES.values(), "/exchange/players/x")
PUBLIC = ("exchange", "exchange-artist", "exchange-boards", "exchange-economy")


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Game]:
    """A market of five artists that has been open for some days."""
    database = Database(
        f"sqlite:///{tmp_path_factory.mktemp('market')}/exchange.sqlite", sync="OFF"
    )
    database.upgrade()
    game = Game(database).opened()
    rival = game.join("rival")
    game.trade(rival, "buy", 15)
    for _ in range(4):
        game.next_day()
    yield game
    database.dispose()


@pytest.fixture(scope="module")
def service(
    game: Game,
    marts_file: Path,
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """The service with pages and that market."""
    folder = tmp_path_factory.mktemp("exchange-pages") / "data"
    publish_copy(folder, marts_file, world)
    app = create_app(make_settings(folder))
    app.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    yield app
    close(app)


@pytest.fixture
def visitor(service: Flask) -> FlaskClient:
    return service.test_client()


@pytest.fixture
def anna(service: Flask) -> FlaskClient:
    return log_in(service, "anna")


def _hidden(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to `action`."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.S)
    assert form is not None, action
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
    return dict(fields)


def _shares(client: FlaskClient) -> int:
    body = client.get("/api/v1/exchange/portfolio").get_json()["data"]
    return sum(row["shares"] for row in body["holdings"] if row["artist_id"] == LOW)


def _quote(client: FlaskClient, shares: object = 3) -> str:
    page = client.get(f"/exchange/artists/{LOW}", headers=HTML).text
    action = f"/exchange/artists/{LOW}/quote"
    form = {**_hidden(page, action), "side": "buy", "shares": shares}
    return client.post(action, data=form, headers=HTML).text


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_exchange_is_for_its_owner_and_never_kept(
    visitor: FlaskClient, anna: FlaskClient, name: str
) -> None:
    own = anna.get(PAGES[name], headers=HTML)
    assert own.status_code == 200, own.text[:300]
    assert own.headers["Cache-Control"] == "private, no-store"
    assert own.text.count("<h1") == 1 and " style=" not in own.text
    assert faults(own.text) == []
    status = visitor.get(PAGES[name], headers=HTML).status_code
    is_open = name in PUBLIC or name in ("exchange-risers", "exchange-tour")
    assert status == (200 if is_open else 401)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_in_one_transaction(
    anna: FlaskClient, game: Game, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    anna.get("/exchange/portfolio", headers=HTML)  # the first visit makes a player
    opened = []
    read = game.database.read

    def count() -> Any:
        opened.append(name)
        return read()

    monkeypatch.setattr(game.database, "read", count)
    assert anna.get(PAGES[name], headers=HTML).status_code == 200
    assert opened == [name]


def test_a_quote_is_shown_and_taken_once(anna: FlaskClient, service: Flask) -> None:
    page = _quote(anna)
    assert "Buy 3 shares for" in page and 'data-seconds="60"' in page
    action = f"/exchange/artists/{LOW}/trade"
    form = _hidden(page, action)
    before = _shares(anna)
    for _ in range(2):  # sent twice by an impatient hand: the same trade
        answer = anna.post(action, data=form, headers=HTML)
        assert answer.status_code == 303 and answer.location.endswith("#done")
    assert _shares(anna) == before + 3
    told = anna.get(answer.location, headers=HTML).text
    assert "You bought 3 shares of <bdi>Low</bdi> for" in told
    # The address says nothing to anybody else, and a made-up one nothing at all.
    other = log_in(service, "curious").get(answer.location, headers=HTML)
    assert other.status_code == 200 and "You bought" not in other.text
    again = anna.post(action, data={**form, "key": "another"}, headers=HTML)
    assert again.status_code == 409 and "used" in again.text
    assert _shares(anna) == before + 3


@pytest.mark.parametrize("shares", ["0", "-3", "1.5", "many", "", "9" * 30])
def test_what_cannot_be_traded_is_refused_on_the_same_page(
    anna: FlaskClient, shares: str
) -> None:
    page = _quote(anna, shares)
    assert 'role="alert"' in page and 'name="side" value="buy"' in page


def test_more_than_one_has_is_refused_with_the_reason(anna: FlaskClient) -> None:
    page = _quote(anna, 1_000_000)
    assert 'role="alert"' in page


def test_every_write_needs_the_token_of_its_form(
    anna: FlaskClient, visitor: FlaskClient
) -> None:
    paths = (
        f"/exchange/artists/{LOW}/quote",
        f"/exchange/artists/{LOW}/trade",
        f"/exchange/artists/{LOW}/order",
        f"/exchange/orders/{'0' * 32}/cancel",
        "/exchange/profile/settings",
        "/exchange/profile/reset",
        "/exchange/leagues",
        f"/exchange/leagues/{'0' * 32}/leave",
        "/exchange/tour/done",
        "/exchange/feed",
    )
    given = {
        "side": "buy",
        "shares": "1",
        "quote": "x",
        "league_name": "a",
    }
    for path in paths:
        assert anna.post(path, data=given, headers=HTML).status_code == 403, path
        assert visitor.post(path, data=given, headers=HTML).status_code == 401, path


@pytest.mark.parametrize(
    ("action", "says"),
    [("reset", "Yes, reset my account"), ("leave", "Yes, leave the exchange")],
)
def test_nothing_irreversible_happens_in_one_tap(
    service: Flask, game: Game, action: str, says: str
) -> None:
    dora = log_in(service, f"to-{action}")
    page = dora.get("/exchange/profile", headers=HTML).text
    path = f"/exchange/profile/{action}"
    before = dora.get("/api/v1/exchange/portfolio").get_json()["data"]
    asked = dora.post(path, data=_hidden(page, path), headers=HTML)
    assert asked.status_code == 200
    assert says in asked.text and "20,000.00 credits of cash" in asked.text
    assert dora.get("/api/v1/exchange/portfolio").get_json()["data"] == before
    done = dora.post(path, data=_hidden(asked.text, path), headers=HTML)
    assert done.status_code == 303
    player = game.player(before["player_id"])
    assert (player.life, player.left_at is None) == (
        (2, True) if action == "reset" else (1, False)
    )


def test_who_has_left_still_sees_the_market_and_is_told_when_to_come_back(
    service: Flask, visitor: FlaskClient
) -> None:
    gone = log_in(service, "gone")
    page = gone.get("/exchange/profile", headers=HTML).text
    path = "/exchange/profile/leave"
    gone.post(path, data={**_hidden(page, path), "sure": "yes"}, headers=HTML)
    shown = gone.get(f"/exchange/artists/{LOW}", headers=HTML)
    assert shown.status_code == 200
    assert "it can join again from" in shown.text and 'value="buy"' not in shown.text
    refused = gone.get("/exchange/portfolio", headers=HTML)
    assert refused.status_code == 409 and "it can join again from" in refused.text


def test_a_holding_shows_its_own_price_and_says_why(service: Flask, game: Game) -> None:
    emil = log_in(service, "emil")
    emil.get("/exchange/portfolio", headers=HTML)
    me = emil.get("/api/v1/exchange/portfolio").get_json()["data"]["player_id"]
    game.trade(me, "buy", 10, "Can")
    path = f"/exchange/artists/{artist('Can')}"
    says = "you gain from last.fm, not from other players"
    other = game.join("pusher")
    game.trade(other, "buy", 30, "Can")
    page = emil.get(path, headers=HTML).text
    assert says in page and "Your price" in page
    held = emil.get("/api/v1/exchange/portfolio").get_json()["data"]["holdings"][0]
    assert held["own_price_units"] < held["price_units"]
    assert held["sale_units"] == game.quote(me, "sell", 10, "Can")["value_units"]
    # The pushed price gone, so is the reason to say it.
    game.trade(other, "sell", 30, "Can")
    game.trade(me, "sell", 10, "Can")
    assert says not in emil.get(path, headers=HTML).text
    assert "a fee of 1.00 %" in page


def test_an_order_is_queued_shown_and_taken_back(anna: FlaskClient) -> None:
    page = anna.get(f"/exchange/artists/{LOW}", headers=HTML).text
    action = f"/exchange/artists/{LOW}/order"
    form = {**_hidden(page, action), "side": "buy", "shares": "2", "limit": "150.5"}
    queued = anna.post(action, data=form, headers=HTML)
    told = anna.get(queued.location, headers=HTML).text
    assert "Your order to buy 2 shares of <bdi>Low</bdi> at 150.50 or better" in told
    assert "waits for the next close; 304.01 credits are set aside" in told
    shown = anna.get("/exchange/orders", headers=HTML).text
    assert "150.50" in shown and "Waiting" in shown and "304.01" in shown
    cancel = re.search(r'action="(/exchange/orders/[0-9a-f]{32}/cancel)"', shown)
    assert cancel is not None
    anna.post(cancel[1], data=_hidden(shown, cancel[1]))
    assert "cancelled" in anna.get("/exchange/orders", headers=HTML).text


def test_a_league_is_founded_and_joined_by_its_code(
    service: Flask, anna: FlaskClient
) -> None:
    page = anna.get("/exchange/profile", headers=HTML).text
    form = {**_hidden(page, "/exchange/leagues"), "league_name": "<b>Slow</b>"}
    assert anna.post("/exchange/leagues", data=form).status_code == 303
    page = anna.get("/exchange/profile", headers=HTML).text
    assert "<bdi>&lt;b&gt;Slow&lt;/b&gt;</bdi>" in page
    code = re.search(r"code <code>(\w+)</code>", page)
    assert code is not None
    bert = log_in(service, "bert")
    page = bert.get("/exchange/profile", headers=HTML).text
    form = {**_hidden(page, "/exchange/leagues/join"), "code": code[1]}
    assert bert.post("/exchange/leagues/join", data=form).status_code == 303
    assert "Slow" in bert.get("/exchange/profile", headers=HTML).text


def test_a_closed_market_says_so_and_offers_an_order(
    service: Flask, game: Game
) -> None:
    carl = log_in(service, "carl")
    page = carl.get(f"/exchange/artists/{LOW}", headers=HTML).text
    game.close()
    try:
        action = f"/exchange/artists/{LOW}/quote"
        form = {**_hidden(page, action), "side": "buy", "shares": "1"}
        refused = carl.post(action, data=form, headers=HTML)
        assert refused.status_code == 409 and "queue it for the open" in refused.text
        assert "The market is closed." in carl.get("/exchange", headers=HTML).text
    finally:
        game.settle()
        game.open()


def test_a_private_player_is_not_shown(anna: FlaskClient, visitor: FlaskClient) -> None:
    page = anna.get("/exchange/profile", headers=HTML).text
    form = _hidden(page, "/exchange/profile/settings")
    anna.post("/exchange/profile/settings", data={**form, "is_public": "false"})
    player = anna.get("/api/v1/exchange/portfolio").get_json()["data"]["player_id"]
    assert visitor.get(f"/exchange/players/{player}", headers=HTML).status_code == 404
    assert anna.get(f"/exchange/players/{player}", headers=HTML).status_code == 200


def test_who_is_logged_in_and_no_player_yet_is_offered_the_credits(
    service: Flask, anna: FlaskClient, visitor: FlaskClient
) -> None:
    says = "Take your 20,000 credits</a>"
    fresh = log_in(service, "fresh")
    assert says in fresh.get("/exchange", headers=HTML).text
    assert fresh.get("/exchange/portfolio", headers=HTML).status_code == 200
    for player in (fresh, anna, visitor):
        player.get("/exchange/portfolio", headers=HTML)
        assert says not in player.get("/exchange", headers=HTML).text


def test_a_board_without_its_reader_says_so(service: Flask, game: Game) -> None:
    late = log_in(service, "late")
    late.get("/exchange/portfolio", headers=HTML)
    says = "You are not on this board"
    assert says in late.get("/exchange/boards", headers=HTML).text
    game.next_day()
    assert says not in late.get("/exchange/boards?board=worth", headers=HTML).text


def test_the_header_says_how_one_stands(
    anna: FlaskClient, visitor: FlaskClient
) -> None:
    own = anna.get("/api/v1/exchange/portfolio").get_json()["data"]
    for path in ("/exchange", "/exchange/economy", f"/exchange/artists/{LOW}"):
        page = anna.get(path, headers=HTML).text
        standing = re.search(r'<dl class="standing".*?</dl>', page, re.S)
        assert standing is not None, path
        for units in (own["cash_units"], own["worth_units"]):
            assert f"{units / 10_000:,.2f}" in standing[0]
        assert 'class="standing"' not in visitor.get(path, headers=HTML).text


def test_fills_and_dividends_are_told_on_the_page_and_in_a_private_feed(
    service: Flask, game: Game
) -> None:
    ida = log_in(service, "ida")
    page = ida.get(f"/exchange/artists/{LOW}", headers=HTML).text
    action = f"/exchange/artists/{LOW}/order"
    form = {**_hidden(page, action), "side": "buy", "shares": "2"}
    ida.post(action, data=form, headers=HTML)
    assert "Your orders that wait" in ida.get(f"/exchange/artists/{LOW}").text
    game.next_day()
    game.next_day(values(surprise_milli=2_000))
    halted = {"is_halted": True, "halt_reason": "surprise of 7.0 deviations"}
    game.next_day(values(**halted))
    says = (
        "Your order to buy 2 shares of Low was filled, at ",
        "Trading in Low, which you hold, was halted.",
    )
    page = ida.get("/exchange/portfolio", headers=HTML).text
    for words in says:
        assert words in page
    page = ida.get("/exchange/profile", headers=HTML).text
    csrf = {"csrf_token": _hidden(page, "/exchange/feed#feed")["csrf_token"]}
    made = ida.post("/exchange/feed", data=csrf, headers=HTML).text
    address = re.search(
        r"<code>http://localhost(/exchange/feed/swt_[^<]+)</code>", made
    )
    assert address is not None
    reader = service.test_client()
    feed = reader.get(address[1])
    assert feed.mimetype == "application/atom+xml"
    assert feed.headers["Cache-Control"] == "private, no-store"
    entries = ElementTree.fromstring(feed.text).iter(
        "{http://www.w3.org/2005/Atom}title"
    )
    told = [entry.text or "" for entry in entries]
    assert all(any(words in title for title in told) for words in says)
    assert "ida" not in feed.text.casefold().replace("friday", "")
    # The token opens nothing else, and another address ends this one.
    token = {"Authorization": f"Bearer {address[1].rpartition('/')[2]}"}
    refused = reader.get("/api/v1/exchange/portfolio", headers=token)
    assert refused.status_code == 401
    assert reader.get(f"{address[1][:-1]}x").status_code == 404
    ida.post("/exchange/feed", data=csrf, headers=HTML)
    assert reader.get(address[1]).status_code == 404
    game.next_day()


def test_a_feed_makes_nobody_a_player(service: Flask, game: Game) -> None:
    gone = log_in(service, "gone-reader")
    page = gone.get("/exchange/profile", headers=HTML).text
    csrf = {"csrf_token": _hidden(page, "/exchange/feed#feed")["csrf_token"]}
    made = gone.post("/exchange/feed", data=csrf, headers=HTML).text
    address = re.search(r"(/exchange/feed/swt_[^<]+)</code>", made)
    assert address is not None
    reader = service.test_client()
    assert reader.get(address[1]).status_code == 200
    path = "/exchange/profile/leave"
    gone.post(path, data={**_hidden(page, path), "sure": "yes"}, headers=HTML)
    game.wait(days=30)
    assert reader.get(address[1]).status_code == 404
    game.wait(days=-30)


def test_a_board_says_what_it_ranks_by(visitor: FlaskClient) -> None:
    for board, says, not_said in (
        ("worth", "By what everybody owns", "time-weighted"),
        ("week", "By time-weighted return", "everybody owns"),
    ):
        page = visitor.get(f"/exchange/boards?board={board}", headers=HTML).text
        assert says in page and not_said not in page


def test_the_first_page_leads_to_the_exchange_only_where_there_is_one(
    visitor: FlaskClient, make_service: Callable[..., Flask]
) -> None:
    assert 'href="/exchange"' in visitor.get("/").text
    without = make_service().test_client()
    assert 'href="/exchange"' not in without.get("/").text
    assert without.get("/exchange", headers=HTML).status_code == 404


@pytest.fixture(scope="module")
def market_address(service: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, service, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.fixture
def trader(browser: Browser, service: Flask, market_address: str) -> Iterator[Browser]:
    """The browser, at the exchange, as dora."""
    there = Browser(browser.driver, market_address, browser.shots)
    there.log_in(service, "dora")
    # A click returns before the page it leads to is there.
    there.driver.implicitly_wait(10)
    yield there
    there.driver.implicitly_wait(0)
    there.driver.delete_all_cookies()


def _text(trader: Browser, name: str) -> str:
    return str(
        trader.ask("return document.getElementById(arguments[0]).textContent", name)
    )


def _until(trader: Browser, happens: Callable[[], Any]) -> Any:
    # Found anew each time: the page before may still be on its way out.
    ignored = [StaleElementReferenceException, JavascriptException]
    waiting = WebDriverWait(trader.driver, 10, ignored_exceptions=ignored)
    return waiting.until(lambda _: happens())


def _requests(trader: Browser) -> list[str]:
    """What the page asked for since the last look, as method and path."""
    asked = []
    for entry in trader.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            sent = message["params"]["request"]
            asked.append(f"{sent['method']} {urlsplit(sent['url']).path}")
    return asked


def test_a_player_buys_on_a_phone_by_keyboard_in_two_steps(trader: Browser) -> None:
    trader.look(390, height=844)
    trader.open(f"/exchange/artists/{LOW}")
    _requests(trader)
    field = trader.driver.find_element(By.ID, "shares")
    # Typed quickly: one question for all of it, and no page is loaded.
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("12")
    _until(trader, lambda: "Buying 12 shares costs" in _text(trader, "said"))
    assert "Buy 12" in _text(trader, "figures")
    assert _requests(trader) == [f"GET /exchange/artists/{LOW}/ticket"]
    said = _text(trader, "said")
    # Step one: Enter asks for a quote, which is said once and has the focus.
    field.send_keys(Keys.ENTER)
    _until(trader, lambda: "Buy 12 shares for" in _text(trader, "said"))
    button = trader.driver.switch_to.active_element
    assert button.text == "Buy now" and button.get_attribute("aria-describedby") is None
    assert _requests(trader) == [f"POST /exchange/artists/{LOW}/quote"]
    box = trader.ask("return arguments[0].getBoundingClientRect().toJSON()", button)
    assert 0 <= box["top"] < box["bottom"] <= 844, "the button is not in sight"
    _until(trader, lambda: "60" not in _text(trader, "offer").rpartition("now")[2])
    trader.shoot("exchange-quote-phone", 390)
    # Step two: Enter buys; a sentence says what was done, and has the focus.
    trader.driver.switch_to.active_element.send_keys(Keys.ENTER)
    _until(trader, lambda: "You bought 12 shares of Low" in _text(trader, "done"))
    assert trader.driver.switch_to.active_element.get_attribute("id") == "done"
    cost = said.partition("costs ")[2].partition(" credits")[0]
    assert f"for {cost} credits" in _text(trader, "done")
    found, window = trader.ask(_WIDTHS)
    assert (found, window) == (390, 390)
    trader.shoot("exchange-bought-phone", 390)
    _quiet(trader)


def test_a_key_that_is_held_down_does_not_buy(trader: Browser) -> None:
    """The control of the two steps: the second cannot be the first one's echo."""
    trader.look(390)
    trader.open(f"/exchange/artists/{LOW}")
    trader.driver.find_element(By.ID, "shares").send_keys(Keys.ENTER)
    trader.ask(
        """
        new MutationObserver(() => {
            const form = document.querySelector("form[data-seconds]");
            if (form) form.requestSubmit();
        }).observe(document.getElementById("offer"), { childList: true });
        """
    )
    _until(trader, lambda: "now" in _text(trader, "offer"))
    assert "done=" not in trader.driver.current_url
    trader.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert trader.driver.find_element(By.CSS_SELECTOR, "[data-seconds] button")
    _quiet(trader)


def test_another_amount_drops_the_quote(trader: Browser) -> None:
    trader.look(390)
    trader.open(f"/exchange/artists/{LOW}")
    trader.driver.find_element(By.CSS_SELECTOR, "button[value=buy]").click()
    _until(trader, lambda: "now" in _text(trader, "offer"))
    trader.driver.find_element(By.CSS_SELECTOR, ".quick button").click()
    assert _text(trader, "offer") == ""
    _until(trader, lambda: "Buying 1 share costs" in _text(trader, "said"))
    _quiet(trader)


def test_a_quote_renews_itself_some_times_and_then_expires(trader: Browser) -> None:
    trader.look(1000)
    trader.open(f"/exchange/artists/{LOW}")
    trader.driver.find_element(By.CSS_SELECTOR, "button[value=buy]").click()
    _until(trader, lambda: "now" in _text(trader, "offer"))
    quote = "return document.querySelector('[data-seconds]').elements.quote.value"
    first = trader.ask(quote)
    later = (
        "const now = performance.now; performance.now = () =>"
        " now.call(performance) + 58000"
    )
    trader.ask(later)
    _until(trader, lambda: trader.ask(quote) != first)
    button = trader.driver.find_element(By.CSS_SELECTOR, "[data-seconds] button")
    assert button.is_enabled()
    for _ in range(8):
        trader.ask(later)
        time.sleep(0.3)
    trader.ask(later)
    _until(trader, lambda: not button.is_enabled())
    assert "expired" in _text(trader, "offer")
    _quiet(trader)


def test_without_scripts_the_same_form_shows_and_buys(anna: FlaskClient) -> None:
    page = anna.get(f"/exchange/artists/{LOW}?shares=4", headers=HTML).text
    assert 'value="4"' in page and ">Buy 4</th>" in page
    page = _quote(anna, 4)
    assert "Buy 4 shares for" in page and "autofocus>Buy now" in page
    shown = anna.get(f"/exchange/artists/{LOW}/ticket?shares=4", headers=HTML)
    assert ">Buy 4</th>" in shown.text and "<html" not in shown.text
    assert shown.headers["Cache-Control"] == "private, no-store"


def test_the_open_is_offered_first_where_now_is_dear(
    anna: FlaskClient, game: Game
) -> None:
    cheap = _quote(anna, 3)
    assert cheap.index("Buy now</button>") < cheap.index("Buy at the open</button>")
    assert "Now is dear" not in cheap
    # The same amount where the limit of what is dear is lower.
    lower = game.settings.model_copy(update={"dear_ppm": 10_000})
    shared = anna.application.extensions["exchange"]
    shared.settings, usual = lower, shared.settings
    try:
        dear = _quote(anna, 3)
    finally:
        shared.settings = usual
    assert dear.index("Buy at the open</button>") < dear.index("Buy now</button>")
    assert "autofocus>Buy at the open" in dear


def test_nothing_is_wrong_with_the_pages_of_the_exchange_for_who_cannot_see(
    trader: Browser, game: Game
) -> None:
    trader.open("/exchange/portfolio")
    rival = next(row.player_id for row in game.rows(schema.players))
    # Dark and narrow what differs most there; contrast is looked at on all pages below.
    for width, paths in ((1280, WALKED), (390, (PAGES["exchange-artist"],))):
        trader.look(width, dark=width == 390)
        for path in paths:
            trader.open(path.replace("players/x", f"players/{rival}"))
            assert violations(trader.driver) == [], (path, width)
    # What comes by a button: a quote under its form, and a question before the end.
    trader.open(f"/exchange/artists/{LOW}")
    field = trader.driver.find_element(By.ID, "shares")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("3")
    _until(trader, lambda: "Buying 3 shares costs" in _text(trader, "said"))
    field.send_keys(Keys.ENTER)
    trader.driver.find_element(By.CSS_SELECTOR, ".quote button")
    assert violations(trader.driver) == []
    trader.open("/exchange/profile")
    trader.driver.find_element(By.CSS_SELECTOR, "form[action$='/reset'] button").click()
    trader.driver.find_element(By.LINK_TEXT, "No, keep it")
    assert violations(trader.driver) == []
    # The control: a field without a name is found.
    trader.open("/exchange/orders")
    trader.ask("document.querySelector('main').append(document.createElement('input'))")
    assert [rule for rule, _ in violations(trader.driver)] == ["label"]


def test_the_pages_of_the_exchange_are_drawn_light_and_dark_wide_and_narrow(
    trader: Browser,
) -> None:
    for name, path in PAGES.items():
        for width, dark in ((1200, False), (500, True)):
            trader.look(width, dark=dark)
            trader.open(path)
            found, window = trader.ask(_WIDTHS)
            assert found <= window, (name, width)
            assert trader.ask(_CONTRAST) == [], name
            kind = "narrow-dark" if dark else "wide-light"
            trader.shoot(f"{name}-{kind}", width)
            _quiet(trader)
