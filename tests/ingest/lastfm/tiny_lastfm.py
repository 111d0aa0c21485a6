"""A small scripted last.fm on loopback, for tests of the fetch alone.

It answers a POSTed form with whatever its `answers` function returns; the full local
last.fm has its own tests. Counts every request by (method, parameters).
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson


@dataclass(frozen=True)
class Reply:
    """What the server does with a request: `cut` sends that many bytes and resets."""

    body: bytes
    status: int = 200
    cut: int | None = None
    drip_seconds: float = 0.0


def json_reply(payload: Any, status: int = 200) -> Reply:
    return Reply(orjson.dumps(payload), status)


def error_reply(code: int, status: int) -> Reply:
    return json_reply({"error": code, "message": f"error {code}", "links": []}, status)


Answers = Callable[[str, Mapping[str, str], str], Reply]


class TinyLastfm:
    """Serves until closed; `url` has the port that the system chose."""

    def __init__(self, answers: Answers, latency: float = 0.0) -> None:
        self.answers = answers
        self.latency = latency
        self.requests: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.times: list[float] = []
        self.forms: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/2.0/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> TinyLastfm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    try:
                        received = connection.recv(65536)
                    except OSError:
                        return
                    if not received:
                        return
                    pending += received
                head, _, rest = pending.partition(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n")[1:]:
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                while len(rest) < length:
                    rest += connection.recv(65536)
                form, pending = rest[:length], rest[length:]
                path = head.split(b" ", 2)[1].decode()
                try:
                    if not self._reply(connection, path, form):
                        return
                except OSError:
                    return

    def _reply(self, connection: socket.socket, path: str, form: bytes) -> bool:
        params = dict(parse_qsl(form.decode(), keep_blank_values=True))
        with self._lock:
            self.times.append(time.monotonic())
            self.forms.append(dict(params))
        method = params.pop("method")
        params.pop("api_key")
        params.pop("format")
        with self._lock:
            self.requests[(method, tuple(sorted(params.items())))] += 1
        if self.latency:
            time.sleep(self.latency)
        reply = self.answers(method, params, path)
        head = (
            f"HTTP/1.1 {reply.status} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(reply.body)}\r\n\r\n"
        ).encode()
        if reply.cut is not None:
            connection.sendall(head + reply.body[: reply.cut])
            return False
        if reply.drip_seconds:
            connection.sendall(head)
            pieces = 20
            step = max(1, len(reply.body) // pieces)
            for start in range(0, len(reply.body), step):
                time.sleep(reply.drip_seconds / pieces)
                connection.sendall(reply.body[start : start + step])
            return True
        connection.sendall(head + reply.body)
        return True
