"""A local last.fm for tests and for runs without a key: in a thread, in a process,
or without any socket.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from local_lastfm import auth, faults
from local_lastfm.catalogue import Scrobble
from local_lastfm.faults import Fault, Faults
from local_lastfm.server import Server
from local_lastfm.service import RequestLog, Service
from local_lastfm.world import World
from local_lastfm.worlds import open_world

START_SECONDS = 30.0


class LocalLastfm:
    """A last.fm on 127.0.0.1 while the `with` block lasts.

    >>> with LocalLastfm(today=date(2026, 11, 22)) as lastfm:  # doctest: +SKIP
    ...     httpx2.get(lastfm.url, params={"method": "chart.getTopArtists", ...})

    `world` is a spec such as "demo" or a `World`. `faults`: a preset's name, a list of
    rules (`Fault` or mappings) or None. Without `with`, `transport()` works alone.
    """

    api_key = auth.API_KEY
    secret = auth.SHARED_SECRET
    password = auth.PASSWORD

    def __init__(
        self,
        world: str | World = "demo",
        today: date | None = None,
        faults: str | Sequence[Fault | dict[str, Any]] | None = None,
        latency_ms: float = 0.0,
        seed: int = 1,
        since: date | None = None,
        port: int = 0,
    ) -> None:
        if isinstance(world, str):
            world = open_world(world, today, seed, since)
        self.world = world
        self.service = Service(world, Faults(seed=seed), latency_ms)
        self._port = port
        self._server: Server | None = None
        if faults:
            self.set_faults(faults)

    def __enter__(self) -> LocalLastfm:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        self._server = Server(self.service, self._port)
        self._server.start()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        """Root of the API at the world's own clock: `http://127.0.0.1:PORT/2.0/`."""
        if self._server is None:
            raise RuntimeError("the local last.fm is not running; use `with`")
        return self._server.url

    @property
    def base_url(self) -> str:
        return self.url[: -len("2.0/")]

    @property
    def as_of_url(self) -> str:
        """The template for LASTFM_URL, `…/at/{as_of}/2.0/`."""
        return f"{self.base_url}at/{{as_of}}/2.0/"

    @property
    def listenbrainz_url(self) -> str:
        """For LISTENBRAINZ_URL: the same listeners under the same names there."""
        return self.base_url.rstrip("/")

    @property
    def auth_url(self) -> str:
        return f"{self.base_url}api/auth/"

    @property
    def requests(self) -> RequestLog:
        return self.service.requests

    def set_faults(self, rules: str | Sequence[Fault | dict[str, Any]]) -> None:
        parsed = (
            faults.load(rules) if isinstance(rules, str) else faults.parse(list(rules))
        )
        self.service.faults.set(parsed, self.world.seed)

    def clear_faults(self) -> None:
        self.service.faults.clear()

    def truth(self, listener: str, as_of: date | None = None) -> list[Scrobble]:
        """What a client must have of a listener at the end of a day, oldest first.

        Plays at `uts` 0 are left out, they have no time. KeyError: nobody of that name.
        """
        now = self.world.as_of(as_of)
        found = self.world.listener(listener, now)
        if found is None:
            raise KeyError(listener)
        return self.world.truth(found, now)

    def transport(self) -> httpx2.BaseTransport:
        """An httpx2 transport that answers without sockets, whatever the host."""
        return _Transport(self.service)

    def redirecting_transport(self) -> httpx2.BaseTransport:
        """An httpx2 transport that sends calls for any host to this server's socket.

        pylast: `network.enable_proxy({"https://": lastfm.redirecting_transport()})`.
        """
        return _Redirecting(self.base_url)


class _Transport(httpx2.BaseTransport):
    def __init__(self, service: Service) -> None:
        self._service = service

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode("ascii")
        reply = self._service.reply(request.method, target, request.read())
        pause = reply.delay_seconds + reply.drip_seconds
        timeouts = request.extensions.get("timeout", {})
        patience = timeouts.get("read")
        if patience is not None and reply.delay_seconds > patience:
            time.sleep(patience)
            raise httpx2.ReadTimeout("timed out", request=request)
        if pause:
            time.sleep(pause)
        if reply.is_reset:
            raise httpx2.ReadError("connection reset by peer", request=request)
        if reply.cut_at is not None:
            raise httpx2.RemoteProtocolError(
                "peer closed connection without sending complete message body",
                request=request,
            )
        headers = {"Content-Type": reply.content_type, **dict(reply.headers)}
        if reply.location:
            headers["Location"] = reply.location
        return httpx2.Response(
            reply.status, headers=headers, content=reply.body, request=request
        )


class _Redirecting(httpx2.BaseTransport):
    def __init__(self, base_url: str) -> None:
        self._base = httpx2.URL(base_url)
        self._transport = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(
            scheme=self._base.scheme, host=self._base.host, port=self._base.port
        )
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


@dataclass(slots=True)
class LocalProcess:
    """A local last.fm in a child process; it ends with this process or `close`."""

    url: str
    as_of_url: str
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> LocalProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start_process(
    world: str = "demo",
    today: date | None = None,
    faults: str | None = None,
    latency_ms: float = 0.0,
    seed: int = 1,
    port: int = 0,
    since: date | None = None,
) -> LocalProcess:
    """Start `python -m local_lastfm` and wait until it listens.

    The child ends when the pipe on its stdin closes, however this process dies.
    RuntimeError with what it wrote if it does not come up within 30 seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "url"
        command = [sys.executable, "-m", "local_lastfm", "--world", world]
        command += ["--port", str(port), "--seed", str(seed), "--until-stdin-closes"]
        command += ["--ready-file", str(ready), "--latency-ms", str(latency_ms)]
        if today is not None:
            command += ["--today", today.isoformat()]
        if since is not None:
            command += ["--since", since.isoformat()]
        if faults is not None:
            command += ["--faults", faults]
        errors = Path(folder) / "errors"
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                cwd=Path(__file__).parents[1],
            )
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.communicate()
                said = errors.read_text(errors="replace").strip()
                raise RuntimeError(f"the local last.fm did not start: {said}")
            time.sleep(0.01)
        url = ready.read_text().strip()
    return LocalProcess(url, url.replace("/2.0/", "/at/{as_of}/2.0/"), process)
