"""``scrobble serve`` as an operator starts it: real processes, a real port."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from tests.system import free_port

PROGRAM = "from serve.cli import command; command(prog_name='scrobble serve')"


def environment(data_dir: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SERVE_", "LASTFM_", "WAREHOUSE_", "SCROBBLE_"))
    }
    return {**kept, "DATA_DIR": str(data_dir), "SCROBBLE_CONFIG": "none.toml"}


@pytest.fixture
def running(data_dir: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a started service and the file with what it printed."""
    port = free_port()
    printed = tmp_path / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**environment(data_dir), "PORT": str(port)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                if httpx2.get(f"{address}/health").status_code == 200:
                    break
            except httpx2.TransportError:
                pass
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < until, printed.read_text()
            time.sleep(0.1)
        yield address, printed
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) is not None
    finally:
        # The group is the process started above and what it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def test_who_has_no_key_logs_in_at_the_local_lastfm(
    running: tuple[str, Path],
) -> None:
    address, printed = running
    assert "local last.fm" in printed.read_text()
    with httpx2.Client(base_url=address, follow_redirects=True) as browser:
        assert browser.get("/api/v1/account").status_code == 401
        asked = browser.get("/login")
        assert asked.status_code == 200
        # The page of the local last.fm asks who one is: a link for each.
        links = re.findall(r'href="([^"]+)">([^<]+)<', asked.text)
        link, name = links[1]
        assert browser.get(asked.url.join(unescape(link))).status_code == 200
        account = browser.get("/api/v1/account").json()["data"]
    assert account["listener_name"] == unescape(name) and len(links) > 5


def test_the_service_starts_prints_its_address_and_drops_caches_on_command(
    running: tuple[str, Path], data_dir: Path
) -> None:
    address, printed = running
    assert address in printed.read_text()
    assert "version 20260314-000001" in printed.read_text()
    with httpx2.Client(base_url=address) as client:
        ready = client.get("/ready").json()["data"]
        assert ready["version"] == "20260314-000001"
        first = client.get("/api/v1/tags")
        assert first.status_code == 200
        processes = set()
        for _ in range(40):
            with httpx2.Client(base_url=address) as other:
                body = other.get("/api/v1/statistics").json()["data"]
                processes.add(body["process"])
        assert len(processes) == 2
        # Each worker has a cache of its own; after some requests one answers from it.
        assert any("age" in client.get("/api/v1/tags").headers for _ in range(10))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "invalidate"],
        env=environment(data_dir),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "dropped" in done.stdout
    with httpx2.Client(base_url=address) as client:
        counts = [client.get("/api/v1/tags").headers.get("age") for _ in range(1)]
        assert counts == [None] or int(counts[0] or 0) == 0


def test_the_description_is_served_over_http(running: tuple[str, Path]) -> None:
    address, _ = running
    body = httpx2.get(f"{address}/openapi.json").json()
    assert body["openapi"].startswith("3.1")
    encoded = httpx2.get(f"{address}/api/v1/artists?q=Bj%C3%B6rk").json()
    assert encoded["data"][0]["artist_name"].startswith("Björk")
    assert httpx2.get(f"{address}/api/v1/artists/%00").status_code in (404, 422)
