"""Reads from a hot standby while it has what the primary announced.

Owns the choice between the two. The pointer is always the primary's, so nobody reads a
version older than the one announced; what is written goes to the primary alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from serve.store.contract import Published, Reader, Store, StoreUnavailable


class StandbyStore:
    """A primary and a standby of the same warehouse as one store."""

    def __init__(self, primary: Store, standby: Store) -> None:
        self._primary = primary
        self._standby = standby
        self._announced: Published | None = None

    def published(self) -> Published:
        try:
            self._announced = self._primary.published()
        except StoreUnavailable:
            # The primary is away: the standby answers if it has what was announced.
            if self._announced is None or not self._is_level(self._announced):
                raise
        return self._announced

    def state(self) -> tuple[str, str]:
        return self._primary.state()

    @contextmanager
    def read(self, *, can_repeat: bool = False) -> Iterator[Reader]:
        is_level = self._is_level(self.published())
        store = self._standby if is_level else self._primary
        with store.read(can_repeat=can_repeat) as reader:
            yield reader

    def versions(self) -> list[dict[str, Any]]:
        return self._primary.versions()

    def invalidate(self) -> None:
        self._primary.invalidate()

    def close(self) -> None:
        self._primary.close()
        self._standby.close()

    def _is_level(self, announced: Published) -> bool:
        try:
            return self._standby.published() == announced
        except StoreUnavailable:
            return False
