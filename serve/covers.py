"""Covers of albums: fetched by the service, kept in a folder that stays within bounds.

Owns the folder `covers` of the data folder, what may lie in it, and when the host of
the pictures is asked. A browser never asks that host, and nobody makes the service ask
it for anything but the id of a published album; who calls sees to that.

A worker answers one request at a time, so no request waits for a picture: what is not
here yet is fetched by threads beside it, and a later request finds it. Workers share
the folder and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2

from warehouse.storage import MEGABYTE

log = logging.getLogger(__name__)

#: The folder in `data_dir`.
FOLDER = "covers"
#: Seconds after which to ask again for what is being fetched.
SOON = 2

_MAX_BYTES = 1_000_000
_FETCHERS = 3  # threads of a worker
_WAITING = 300  # pictures that may wait for them
_SECONDS = 10.0  # for one picture, all of it
_SILENCE = 5.0  # between two parts of it, and to connect
_REST = 60.0  # after the host failed, or the folder
_REFUSED_FOR = 86_400.0  # before an id without a picture is asked for again
_REFUSED = 20_000  # of these ids are remembered
_TOUCHED = 3600.0  # how exactly a picture's last use is known
# A folder that is full goes down to this share, and is measured again when a worker
# has added the other: five workers together stay below the bound.
_LEFT, _ADDED = 0.9, 0.02
_OUR_USER_AGENT = "scrobble-warehouse (covers)"

_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
State = Literal["here", "soon", "later", "none"]


@dataclass(frozen=True)
class Cover:
    """What is known of a picture: here, being fetched, after a rest, or there is none.

    retry_seconds: when to ask again for what comes soon or later.
    """

    state: State
    body: bytes = b""
    media_type: str = ""
    retry_seconds: int = 0


class _HostFailed(Exception):
    """The host did not answer as it should; others may fail the same way."""


def media_type_of(body: bytes) -> str | None:
    """What kind of picture these bytes begin like; None for anything else."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS if body.startswith(start)), None)


class Covers:
    """The folder of pictures, and who fetches what it lacks."""

    def __init__(
        self,
        folder: Path,
        url: str,
        limit_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`url` has `{id}` where the id goes; nothing is kept where the limit is 0."""
        self.is_on = limit_bytes > 0
        self._folder = folder
        self._url = url
        self._limit = limit_bytes
        self._now = now
        self._queue: queue.Queue[str] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._refused: OrderedDict[str, float] = OrderedDict()
        self._resting_until = 0.0
        self._threads: list[threading.Thread] = []
        # The first picture that is added measures what earlier processes left.
        self._added = limit_bytes

    def get(self, cover_id: str) -> Cover:
        """The picture if it is here; else it is fetched, and comes later."""
        body = self._kept(cover_id)
        if body is not None:
            media_type = media_type_of(body)
            if media_type is not None:
                return Cover("here", body, media_type)
        now = self._now()
        with self._lock:
            if self._refused.get(cover_id, 0.0) > now:
                return Cover("none")
            if cover_id in self._wanted:
                return Cover("soon", retry_seconds=SOON)
            rest = self._resting_until - now
            if rest > 0:
                return Cover("later", retry_seconds=int(rest) + 1)
            try:
                self._queue.put_nowait(cover_id)
            except queue.Full:
                return Cover("later", retry_seconds=SOON)
            self._wanted.add(cover_id)
            self._start()
        return Cover("soon", retry_seconds=SOON)

    def _kept(self, cover_id: str) -> bytes | None:
        path = self._folder / cover_id
        try:
            body = path.read_bytes()
            if self._now() - path.stat().st_mtime > _TOUCHED:
                os.utime(path, (self._now(), self._now()))
        except OSError:
            return None
        return body

    def _start(self) -> None:
        """Threads begin with the first picture: a worker that shows none has none."""
        if len(self._threads) < _FETCHERS:
            thread = threading.Thread(target=self._work, name="covers", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        # Compressed answers could grow without bounds when they are read.
        headers = {"User-Agent": _OUR_USER_AGENT, "Accept-Encoding": "identity"}
        with httpx2.Client(
            timeout=_SILENCE, follow_redirects=False, headers=headers
        ) as client:
            while True:
                cover_id = self._queue.get()
                try:
                    self._fetch(client, cover_id)
                except Exception:
                    # A thread that ends would leave its pictures wanted for ever.
                    log.exception("the cover %s was not fetched", cover_id)
                finally:
                    with self._lock:
                        self._wanted.discard(cover_id)

    def _fetch(self, client: httpx2.Client, cover_id: str) -> None:
        if self._resting_until > self._now() or self._kept(cover_id) is not None:
            return
        try:
            body = self._ask(client, cover_id)
            if body is not None and media_type_of(body) is not None:
                self._keep(cover_id, body)
                return
        except (_HostFailed, httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            with self._lock:
                self._resting_until = self._now() + _REST
            log.warning("covers rest for %.0f s: %s", _REST, error)
            return
        with self._lock:
            self._refused[cover_id] = self._now() + _REFUSED_FOR
            while len(self._refused) > _REFUSED:
                self._refused.popitem(last=False)

    def _ask(self, client: httpx2.Client, cover_id: str) -> bytes | None:
        """The bytes at the picture's address; None where there is nothing of use.

        Raises:
            _HostFailed: it answers with a failure of its own, or too slowly.
        """
        until = time.monotonic() + _SECONDS
        with client.stream("GET", self._url.replace("{id}", cover_id)) as answer:
            if answer.status_code >= 500 or answer.status_code == 429:
                raise _HostFailed(f"the host answers {answer.status_code}")
            if answer.status_code != 200:
                return None
            body = bytearray()
            for part in answer.iter_raw():
                body += part
                if len(body) > _MAX_BYTES:
                    return None
                if time.monotonic() > until:
                    raise _HostFailed(f"one picture took longer than {_SECONDS:.0f} s")
        return bytes(body)

    def _keep(self, cover_id: str, body: bytes) -> None:
        """Write it whole under its name, then see that all stays within the bound."""
        if len(body) > _LEFT * self._limit:
            raise OSError(f"a cover of {len(body)} bytes is more than all may take")
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{cover_id}.{secrets.token_hex(4)}.partial"
        try:
            partial.write_bytes(body)
            partial.replace(self._folder / cover_id)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        with self._lock:
            self._added += len(body)
            is_due = self._added >= _ADDED * self._limit
            if is_due:
                self._added = 0
        if is_due:
            self._make_room()

    def _make_room(self) -> None:
        """Delete what was not used for longest while more is kept than may be."""
        files = sorted(self._files())
        held = sum(size for _, size, _ in files)
        if held <= (1 - _ADDED) * self._limit:
            return
        for _, size, name in files:
            if held <= _LEFT * self._limit:
                break
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
            held -= size

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """When each file was last used, its bytes and its name."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    yield facts.st_mtime, facts.st_size, entry.name


def open_covers(data_dir: Path, url: str, limit_mb: int) -> Covers:
    """The covers of one data folder."""
    return Covers(data_dir / FOLDER, url, limit_mb * MEGABYTE)
