"""Ready answers that several machines share, in Redis or what speaks its protocol.

Owns what is stored and under which key. While the server does not answer everything
works as without it: nothing here raises for that.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import orjson
import redis

log = logging.getLogger(__name__)

#: Seconds until a server that failed is asked again.
PAUSE = 10.0
_KEPT_SECONDS = 86_400
#: Seconds to wait for it.
PATIENCE = 0.25


@dataclass(frozen=True)
class Answer:
    """An answer as it is stored."""

    etag: str
    headers: list[tuple[str, str]]
    body: bytes


class SharedCache:
    """Answers by release, version, generation and address.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        release: of the code that makes answers; another one shares nothing with it.
    """

    def __init__(self, url: str, release: str | None = None) -> None:
        self._server = redis.Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
        self._release = release or release_of_code()
        self._silent_until = 0.0

    def get(self, state: tuple[str, str], address: str) -> Answer | None:
        """The answer of this version, generation and address, if one is stored."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            stored = self._server.get(self._key(state, address))
        except redis.RedisError as error:
            self._pause(error)
            return None
        if not isinstance(stored, bytes):
            return None
        head, _, body = stored.partition(b"\n")
        told = orjson.loads(head)
        headers = [(name, value) for name, value in told["headers"]]
        return Answer(told["etag"], headers, body)

    def put(self, state: tuple[str, str], address: str, answer: Answer) -> None:
        """Store an answer for a day."""
        if time.monotonic() < self._silent_until:
            return
        head = orjson.dumps({"etag": answer.etag, "headers": answer.headers})
        stored = head + b"\n" + answer.body
        try:
            self._server.set(self._key(state, address), stored, ex=_KEPT_SECONDS)
        except redis.RedisError as error:
            self._pause(error)

    def close(self) -> None:
        """Give back the connections."""
        self._server.close()

    def _key(self, state: tuple[str, str], address: str) -> str:
        text = "\n".join((self._release, *state, address))
        return "scrobble:answer:" + hashlib.sha256(text.encode()).hexdigest()

    def _pause(self, error: redis.RedisError) -> None:
        self._silent_until = time.monotonic() + PAUSE
        log.warning("the shared cache is not asked for %.0f s: %s", PAUSE, error)


def release_of_code() -> str:
    """A word that changes with the package's version and with every line of it."""
    digest = hashlib.sha256(version("scrobble-warehouse").encode())
    root = Path(__file__).parents[1]
    for package in ("exchange", "serve", "warehouse"):
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()
