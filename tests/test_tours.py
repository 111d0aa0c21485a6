"""The tours of docs/tours.md hold: commands, addresses and what they answer.

Those of operator, analyst, developer and listener, on a small day of the demo world in
a folder like a checkout, with the service as `make serve` starts it. The player's is
tapped in a browser: `tests/serve/pages/test_player_session.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx2
import pytest

from tests.daily_runs import ROOT, SECOND_DAY
from tests.system import free_port
from tests.tours import SERVICE, Done, Typed, is_printed, tours
from warehouse import marts_file
from warehouse.settings import Settings

TOURS = tours()
#: The player's is tapped in a browser.
WALKED = [name for name in TOURS if name not in ("All", "Player")]
MINUTES = 3


@dataclass(frozen=True)
class Checkout:
    """A folder as a person has it after `make daily`, and its service's address."""

    folder: Path
    environment: dict[str, str]
    service: str

    def type(self, typed: Typed) -> subprocess.CompletedProcess[str]:
        """Type a block of commands; `make daily` is of the day that was made."""
        commands = re.sub(
            r"^make daily$",
            f".venv/bin/scrobble daily --as-of {SECOND_DAY}",
            typed.commands,
            flags=re.M,
        )
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands.replace(SERVICE, self.service)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
        )

    def check(self, typed: Typed) -> None:
        """It runs, and prints what stands below it."""
        made = self.type(typed)
        assert made.returncode == 0, made.stdout + made.stderr
        if typed.printed:
            assert is_printed(typed.printed, made.stdout), made.stdout + made.stderr

    def browser(self) -> httpx2.Client:
        """A browser that nobody is logged in with."""
        return httpx2.Client(
            base_url=self.service,
            follow_redirects=True,
            headers={"Accept": "text/html"},
            timeout=60,
        )


@pytest.fixture(scope="module")
def checkout(
    second_day: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """The small warehouse in a folder like a checkout, and `make serve` there."""
    folder = tmp_path_factory.mktemp("tours")
    shutil.copytree(second_day, folder / "data")
    for name in (".venv", "notebooks", "Makefile", "dbt_project"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "build").mkdir()
    # The runs of the suite leave out the file for tools.
    assert marts_file.bring(Settings(data_dir=folder / "data")) is None
    ours = ("LASTFM_", "WAREHOUSE_", "SCROBBLE_", "SERVE_", "DATA_DIR", "PORT")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ours)
    }
    port = free_port()
    (recipe,) = re.findall(
        r"^serve:.*\n\t@(.+)$", (ROOT / "Makefile").read_text(), re.M
    )
    command = recipe.replace("$(BIN)", ".venv/bin").replace("$(ARGS)", "")
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [*command.split(), "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        service = f"http://127.0.0.1:{port}"
        transport = httpx2.HTTPTransport(retries=8)
        with httpx2.Client(transport=transport, timeout=60) as client:
            answer = client.get(f"{service}/ready")
        assert answer.status_code == 200, (folder / "serve.log").read_text()
        yield Checkout(folder, environment, service)
    finally:
        process.terminate()
        process.wait(timeout=30)


def open_page(client: httpx2.Client, address: str) -> str:
    """A page's text; where the local last.fm asks who one is, it is Margor."""
    answer = client.get(address)
    chosen = re.search(r'<a href="(\?[^"]+)">Margor</a>', answer.text)
    if chosen and "Who are you?" in answer.text:
        answer = client.get(answer.url.join(unescape(chosen[1])))
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return unescape(re.sub(r"<[^>]+>", "", answer.text)) + answer.text


def check_seen(client: httpx2.Client, done: Done) -> None:
    """The page is there, and says what the tour says."""
    assert done.address is not None, f"not an address: {done.what}"
    page = open_page(client, done.address)
    missing = [text for text in done.seen if text not in page]
    assert missing == [], f"{done.address} does not say {missing}"


def test_there_is_a_tour_for_each_kind_of_user() -> None:
    assert list(TOURS) == [
        *("All", "Operator", "Analyst", "Front-end developer", "Player", "Listener")
    ]
    assert all(tour.typed or tour.done for tour in TOURS.values())
    assert sum(len(tour.done) for tour in TOURS.values()) > 20
    assert TOURS["All"].typed == [Typed("make daily\nmake serve\n", "")]


@pytest.mark.parametrize("name", WALKED)
def test_a_tour_runs_prints_and_shows_what_it_says(
    name: str, checkout: Checkout
) -> None:
    for typed in TOURS[name].typed:
        checkout.check(typed)
    with checkout.browser() as browser:
        for done in TOURS[name].done:
            check_seen(browser, done)


@pytest.mark.parametrize(
    "typed",
    [
        Typed(".venv/bin/scrobble statsu", ""),
        Typed(".venv/bin/scrobble market verify", "the books are burnt"),
        Typed(f"curl -sf {SERVICE}/api/v1/artist", ""),
    ],
)
def test_the_control_a_command_that_no_longer_holds_is_caught(
    typed: Typed, checkout: Checkout
) -> None:
    with pytest.raises(AssertionError):
        checkout.check(typed)


def test_the_control_an_address_that_no_longer_holds_is_caught(
    checkout: Checkout,
) -> None:
    with checkout.browser() as visitor:
        check_seen(visitor, Done("`/methods`", ("How the figures are made",)))
        with pytest.raises(AssertionError, match="404"):
            check_seen(visitor, Done("`/method`", ()))
        with pytest.raises(AssertionError, match="does not say"):
            check_seen(visitor, Done("`/methods`", ("The weather",)))
        # What is one's own is not told to a visitor: the listener's tour logs in.
        own = next(d for d in TOURS["Listener"].done if "/plays" in d.what)
        with pytest.raises(AssertionError, match="does not say"):
            check_seen(visitor, own)


def test_three_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert is_printed("a …\n…\nz", "a b\nc\nd\nz\n")
    assert not is_printed("a …\nz", "a b\ny\n")
    assert not is_printed("a", "a b")
