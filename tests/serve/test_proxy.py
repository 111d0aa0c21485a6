"""The proxy of nginx.conf.example keeps slow clients away from the service."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from tests.serve.test_command import running as running
from tests.system import free_port, nginx

ROOT = Path(__file__).parents[2]
UNFINISHED = (
    b"POST /api/v1/exchange/quotes HTTP/1.1\r\nHost: music.example.org\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)
SLOW = 200
PATIENCE = 5.0


def documented(service: str, port: int, folder: Path) -> str:
    """The first block of the example, for this port, certificate and service."""
    text = (ROOT / "nginx.conf.example").read_text()
    (block,) = re.findall(r"\n(server \{.*?\n\})\n\nserver", text, re.S)
    for old, new in (
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("/etc/ssl/music.example.org.pem", str(folder / "certificate.pem")),
        ("/etc/ssl/music.example.org.key", str(folder / "key.pem")),
        ("http://127.0.0.1:8000", service),
    ):
        assert old in block, old
        block = block.replace(old, new)
    return block


def make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=music.example.org"),
            *("-keyout", str(folder / "key.pem")),
            *("-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def proxied(running: tuple[str, Path], tmp_path: Path) -> Iterator[int]:
    """The port of nginx with a certificate of its own, before a service."""
    make_certificate(tmp_path)
    port = free_port()
    with nginx(documented(running[0], port, tmp_path), port):
        yield port


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def slow_senders(
    port: int, count: int, context: ssl.SSLContext | None
) -> Iterator[None]:
    """Clients that have sent one byte of their body and send no more."""
    with ExitStack() as stack:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            if context is not None:
                client = context.wrap_socket(
                    client, server_hostname="music.example.org"
                )
            stack.enter_context(client)
            client.sendall(UNFINISHED)
        yield


def test_slow_senders_do_not_keep_the_service_from_answering(
    running: tuple[str, Path], proxied: int
) -> None:
    with slow_senders(proxied, SLOW, insecure()):
        address = f"https://127.0.0.1:{proxied}"
        with httpx2.Client(
            verify=insecure(), timeout=PATIENCE, base_url=address
        ) as client:
            for _ in range(20):
                answer = client.get("/health")
                assert answer.status_code == 200
            assert client.get("/api/v1/tags").status_code == 200


def test_without_the_proxy_they_do(running: tuple[str, Path]) -> None:
    """The control: two workers, and each waits for a body that does not come."""
    address = running[0]
    port = int(address.rsplit(":", 1)[1])
    with (
        slow_senders(port, 8, None),
        httpx2.Client(timeout=2.0, base_url=address) as client,
        pytest.raises(httpx2.TimeoutException),
    ):
        # The senders need a moment to reach both workers.
        until = time.monotonic() + 30
        while time.monotonic() < until:
            client.get("/health")


class Echo(BaseHTTPRequestHandler):
    """Answers with whom the proxy says it is."""

    def do_GET(self) -> None:
        said = ", ".join(self.headers.get_all("X-Forwarded-For") or []).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


def test_the_proxy_says_who_asks_whatever_the_client_says(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    behind = f"http://127.0.0.1:{server.server_port}"
    liar = {"X-Forwarded-For": "203.0.113.1"}
    try:
        assert httpx2.get(behind, headers=liar).text == "203.0.113.1", "the control"
        with (
            nginx(documented(behind, port, tmp_path), port),
            httpx2.Client(verify=insecure()) as client,
        ):
            answer = client.get(f"https://127.0.0.1:{port}/", headers=liar)
            assert answer.text == "127.0.0.1"
    finally:
        server.shutdown()
        server.server_close()


def test_a_body_over_the_limit_ends_at_the_proxy(proxied: int) -> None:
    with httpx2.Client(verify=insecure()) as client:
        address = f"https://127.0.0.1:{proxied}/api/v1/exchange/quotes"
        assert client.post(address, content=b"x" * (2 << 20)).status_code == 413
