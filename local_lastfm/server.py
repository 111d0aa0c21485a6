"""HTTP/1.1 on loopback: one thread a connection, keep-alive, one send an answer.

Written by hand because the standard library's server parses headers with the e-mail
package and manages a few hundred answers a second; this one does several thousand.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from contextlib import suppress

from local_lastfm.service import Reply, Service

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 4 * 1024 * 1024
DRIP_PIECES = 20
REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class _BadRequest(Exception):
    """The bytes are no HTTP request this server reads."""


class Server:
    """Serves a `Service` until `close`; the port is chosen by the system if 0."""

    def __init__(self, service: Service, port: int = 0) -> None:
        self.service = service
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._accept, name="local-lastfm", daemon=True
        )

    @property
    def url(self) -> str:
        """The root of the API, to be used as LASTFM_URL."""
        return f"http://127.0.0.1:{self.port}/2.0/"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop listening and break off every connection."""
        self._closing.set()
        # Closing a listening socket does not wake accept() on Linux; shutdown does.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        pending = b""
        try:
            while not self._closing.is_set():
                head_end = pending.find(b"\r\n\r\n")
                while head_end < 0:
                    if len(pending) > MAX_REQUEST_BYTES:
                        raise _BadRequest
                    received = connection.recv(65_536)
                    if not received:
                        return
                    pending += received
                    head_end = pending.find(b"\r\n\r\n")
                head = pending[:head_end].decode("latin-1")
                pending = pending[head_end + 4 :]
                line, _, headers = head.partition("\r\n")
                verb, target, version = _request_line(line)
                lowered = headers.lower()
                length = _content_length(lowered)
                if "expect: 100-continue" in lowered:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                while len(pending) < length:
                    received = connection.recv(65_536)
                    if not received:
                        return
                    pending += received
                body, pending = pending[:length], pending[length:]
                keep = version == "HTTP/1.1" and "connection: close" not in lowered
                reply = self._reply(verb, target, body)
                if not self._send(connection, reply, keep, verb == "HEAD"):
                    return
                if not keep:
                    return
        except _BadRequest:
            _try_send(connection, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n")
        except OSError:
            return
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _reply(self, verb: str, target: str, body: bytes) -> Reply:
        try:
            return self.service.reply(verb, target, body)
        except Exception:
            # A mistake of ours; the caller sees what last.fm shows for its own.
            log.exception("no answer to %s %s", verb, target.partition("?")[0])
            message = b'{"message":"Operation failed","error":8,"links":[]}'
            return Reply(500, "application/json", message)

    def _send(
        self, connection: socket.socket, reply: Reply, keep: bool, head_only: bool
    ) -> bool:
        """Whether the connection can go on."""
        if reply.delay_seconds and self._closing.wait(reply.delay_seconds):
            return False
        if reply.is_reset:
            # Linger 0 turns close() into a reset instead of an orderly end.
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            return False
        head = (
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}\r\n"
            f"Content-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\n"
        )
        if reply.location:
            head += f"Location: {reply.location}\r\n"
        if reply.retry_after is not None:
            head += f"Retry-After: {reply.retry_after}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        head += "\r\n" if keep else "Connection: close\r\n\r\n"
        start = head.encode()
        body = b"" if head_only else reply.body
        if reply.cut_at is not None:
            connection.sendall(start + body[: reply.cut_at])
            return False
        if reply.drip_seconds:
            connection.sendall(start)
            size = max(1, -(-len(body) // DRIP_PIECES))
            for first in range(0, len(body), size):
                if self._closing.wait(reply.drip_seconds / DRIP_PIECES):
                    return False
                connection.sendall(body[first : first + size])
            return True
        connection.sendall(start + body)
        return True


def _request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _BadRequest
    verb, target, version = parts
    if target.startswith("http://") or target.startswith("https://"):
        # A proxy's request line: pylast's enable_proxy may speak to us this way.
        _, _, rest = target.partition("://")
        target = "/" + rest.partition("/")[2]
    return verb, target, version


def _content_length(headers: str) -> int:
    if "transfer-encoding:" in headers:
        raise _BadRequest
    place = headers.find("content-length:")
    if place < 0:
        return 0
    text = headers[place + 15 :].partition("\r\n")[0].strip()
    if not text.isdigit() or int(text) > MAX_REQUEST_BYTES:
        raise _BadRequest
    return int(text)


def _try_send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data + b"Connection: close\r\n\r\n")
    except OSError:
        return
