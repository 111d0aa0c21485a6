"""Pages on the small marts: a service for quick looks, and one for a real browser."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from serve.accounts.current import COOKIE
from serve.app import create_app
from tests.serve.conftest import close, log_in, make_settings, publish_copy
from tests.serve.marts import World
from tests.system import SystemLacks, chromedriver, chromium

PARTS = ("serve.pages",)


@pytest.fixture
def make_service(data_dir: Path) -> Iterator[Callable[..., Flask]]:
    """Makes services with pages on the published warehouse; closes them afterwards."""
    made: list[Flask] = []

    def make(**given: Any) -> Flask:
        folder = given.pop("data_dir", data_dir)
        app = create_app(make_settings(folder, **given), parts=PARTS)
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@pytest.fixture(scope="session")
def pages_app(
    marts_file: Path, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One service for all tests here that only read."""
    folder = tmp_path_factory.mktemp("pages") / "data"
    publish_copy(folder, marts_file, world)
    app = create_app(make_settings(folder, docs_site=folder / "site"), parts=PARTS)
    yield app
    close(app)


@pytest.fixture(scope="session")
def address(pages_app: Flask) -> Iterator[str]:
    """Where that service answers, on a port the system chose."""
    server = make_server("127.0.0.1", 0, pages_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@dataclass
class Browser:
    """A headless Chromium that can reach this machine only."""

    driver: webdriver.Chrome
    root: str
    shots: Path

    def look(self, width: int, *, dark: bool = False, height: int = 900) -> None:
        """Take the shape and the colours of a device."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": False,
            },
        )
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [scheme]}
        )

    def open(self, path: str) -> None:
        """Go to a page of the service; what was logged before is forgotten."""
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(self.root + path)
        # For a moment after a page was swapped the driver still sees an empty one.
        WebDriverWait(self.driver, 10).until(
            lambda driver: driver.execute_script(
                "return document.readyState === 'complete' && document.body.innerHTML"
            )
        )

    def sees(self, text: str) -> bool:
        """Whether a text stands on the page, or comes there within seconds."""
        return WebDriverWait(self.driver, 5).until(
            lambda driver: text in driver.page_source
        )

    def ask(self, script: str, *given: Any) -> Any:
        """What a script in the page answers."""
        return self.driver.execute_script(script, *given)

    def console(self) -> list[str]:
        """What the console says since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def hosts(self) -> set[str]:
        """The hosts asked since the page was opened."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                if url.scheme not in ("data", "about", "blob"):
                    found.add(url.hostname or "")
        return found

    def shoot(self, name: str, width: int) -> Path:
        """Keep a picture of the whole page."""
        tall = self.ask("return document.documentElement.scrollHeight")
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": min(int(tall), 5000),
                "deviceScaleFactor": 1,
                "mobile": False,
            },
        )
        path = self.shots / f"{name}.png"
        assert self.driver.save_screenshot(str(path))
        return path

    def log_in(self, app: Flask, name: str) -> None:
        """Be this listener from now on."""
        cookie = log_in(app, name).get_cookie(COOKIE)
        assert cookie is not None
        self.driver.get(self.root + "/theme.css")
        self.driver.add_cookie({"name": COOKIE, "value": cookie.value})


@pytest.fixture(scope="session")
def browser(address: str) -> Iterator[Browser]:
    """One browser for all tests; its pictures stay in build/screenshots."""
    try:
        binary, driver_path = chromium(), chromedriver()
    except SystemLacks as lacks:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(lacks))
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    shots = Path("build/screenshots").resolve()
    shots.mkdir(parents=True, exist_ok=True)
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    driver.set_page_load_timeout(60)
    try:
        yield Browser(driver, address, shots)
    finally:
        driver.quit()
