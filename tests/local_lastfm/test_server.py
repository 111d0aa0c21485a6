"""The server as a process and on the wire: keep-alive, POST, ends and speed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from local_lastfm import LocalLastfm, start_process
from local_lastfm.cli import command

ROOT = Path(__file__).parents[2]
HEAD_END = b"\r\n\r\n"


@pytest.fixture
def wire(demo: LocalLastfm) -> Iterator[socket.socket]:
    url = httpx2.URL(demo.url)
    with socket.create_connection((url.host, url.port or 0), timeout=10) as opened:
        yield opened


def read_answer(wire: socket.socket, pending: bytes = b"") -> tuple[bytes, bytes]:
    """(one whole answer, bytes after it)"""
    while HEAD_END not in pending:
        pending += wire.recv(65_536)
    head, _, rest = pending.partition(HEAD_END)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += wire.recv(65_536)
    return head + HEAD_END + rest[:length], rest[length:]


def get(method: str) -> bytes:
    query = f"/2.0/?method={method}&api_key=k&format=json"
    return f"GET {query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_one_connection_carries_many_requests_even_at_once(
    wire: socket.socket,
) -> None:
    wire.sendall(get("chart.getTopTags") + get("chart.getTopArtists"))
    first, rest = read_answer(wire)
    second, _ = read_answer(wire, rest)
    assert first.startswith(b"HTTP/1.1 200 OK") and b'"tags"' in first
    assert b'"artists"' in second


def test_a_form_in_a_post_is_read_whole_however_it_arrives(
    wire: socket.socket,
) -> None:
    body = b"method=artist.getInfo&artist=100%25+Rain&api_key=k&format=json"
    head = (
        b"POST /2.0/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/"
        b"x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    for piece in (head[:20], head[20:], body[:9], body[9:]):
        wire.sendall(piece)
        time.sleep(0.01)
    answer, _ = read_answer(wire)
    assert b'"name":"100% Rain"' in answer


def test_nonsense_is_answered_with_400_and_the_end(wire: socket.socket) -> None:
    wire.sendall(b"HELLO\r\n\r\n")
    assert wire.recv(100).startswith(b"HTTP/1.1 400")


def test_a_mistake_of_the_server_is_an_answer_and_not_the_end(
    wire: socket.socket, demo: LocalLastfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(demo.service, "reply", fail)
        wire.sendall(get("chart.getTopTags"))
        assert read_answer(wire)[0].startswith(b"HTTP/1.1 500")
    wire.sendall(get("chart.getTopTags"))
    assert read_answer(wire)[0].startswith(b"HTTP/1.1 200")


def test_closing_the_server_ends_its_connections(today: date) -> None:
    with LocalLastfm("trouble", today=today) as lastfm, httpx2.Client() as client:
        world = f"{lastfm.base_url}world.json"
        assert client.get(world).status_code == 200
        lastfm.close()
        with pytest.raises(httpx2.TransportError):
            client.get(world, timeout=2)


def test_small_answers_are_quick(
    demo: LocalLastfm, wire: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = [
        f"GET /at/2026-10-{1 + i % 28:02d}/2.0/?method=artist.getTopTags"
        f"&artist={httpx2.QueryParams({'a': demo.world.artists[i % 300].name})}"
        "&api_key=k&format=json HTTP/1.1\r\nHost: x\r\n\r\n".replace("=a=", "=")
        for i in range(2000)
    ]
    start = time.perf_counter()
    for request in requests:
        wire.sendall(request.encode())
        read_answer(wire)
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(
            f"\n{len(requests) / seconds:.0f} small answers a second, client included"
        )
    assert seconds < 20


def test_a_process_of_its_own_ends_when_closed() -> None:
    with start_process(today=date(2026, 11, 22)) as process:
        told = httpx2.get(process.url.replace("/2.0/", "/world.json")).json()
        assert told["world"] == "demo" and "{as_of}" in process.as_of_url
        day = process.as_of_url.format(as_of="2026-10-01")
        asked = {"method": "chart.getTopTags", "api_key": "k", "format": "json"}
        assert httpx2.get(day, params=asked).status_code == 200
    assert process.process.returncode == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(process.url)


def test_a_process_ends_when_its_parent_is_killed() -> None:
    program = (
        "import time\n"
        "from local_lastfm import start_process\n"
        "child = start_process('trouble')\n"
        "print(child.url, child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    with parent.stdout:
        url, pid = parent.stdout.readline().decode().split()
        assert httpx2.get(url.replace("/2.0/", "/world.json")).status_code == 200
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx2.get(url, timeout=1)
        except httpx2.TransportError:
            break
        time.sleep(0.05)
    else:
        os.kill(int(pid), signal.SIGKILL)
        pytest.fail("the server outlived its parent")


def test_a_process_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match='no world "moon"'):
        start_process("moon")


def test_the_command_names_the_worlds_and_refuses_others() -> None:
    runner = CliRunner()
    told = runner.invoke(command, ["--help"])
    assert told.exit_code == 0 and "hetrec:DIR" in told.output
    wrong = runner.invoke(command, ["--faults", "meteor"])
    assert wrong.exit_code == 1 and "meteor" in wrong.output


def test_the_running_clock_moves_and_the_world_with_it(today: date) -> None:
    lastfm = LocalLastfm(today=today)
    seconds = [float(lastfm.world.now())]
    lastfm.world.clock = lambda: seconds[0]
    lastfm.world.today = None
    client = httpx2.Client(transport=lastfm.transport())

    def plays() -> int:
        asked = {"method": "user.getInfo", "user": "loop_machine", "api_key": "k"}
        answer = client.get("http://x/2.0/", params={**asked, "format": "json"})
        return int(answer.json()["user"]["playcount"])

    counts = []
    for _ in range(6):
        counts.append(plays())
        seconds[0] += 12 * 3600
    assert counts == sorted(counts) and counts[-1] > counts[0]
