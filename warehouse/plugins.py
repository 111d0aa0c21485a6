"""Finds what other packages plug in, by entry point.

Owns the lookup and its errors. Must not know what a group's objects do: their types
are in :mod:`warehouse.hooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import Generic, TypeVar

from warehouse.errors import SettingsError

T = TypeVar("T")


@cache
def _installed(group: str) -> EntryPoints:
    """Once: each look goes through every package that is installed."""
    return entry_points(group=group)


@dataclass(frozen=True)
class Hook(Generic[T]):
    """One entry point group: what may be plugged in under which names.

    `fits` checks a loaded object as far as that is possible without calling it.
    """

    group: str
    fits: Callable[[object], bool] = callable

    def names(self) -> list[str]:
        """The plugged names, sorted."""
        return sorted({point.name for point in _installed(self.group)})

    def find(self, name: str) -> T | None:
        """The object plugged in under this name; None where there is none.

        Raises:
            SettingsError: it cannot be loaded, or it does not fit the group.
        """
        for point in _installed(self.group).select(name=name):
            try:
                loaded: T = point.load()
            except (ImportError, AttributeError) as error:
                raise SettingsError(
                    f"entry point {name} of {self.group} cannot be loaded: {error}"
                ) from error
            if not self.fits(loaded):
                raise SettingsError(
                    f"entry point {name} of {self.group} is {point.value}, which does"
                    " not fit; warehouse/hooks.py says what is expected"
                )
            return loaded
        return None

    def all(self) -> dict[str, T]:
        """Everything plugged in, by name.

        Raises:
            SettingsError: as for :meth:`find`.
        """
        found = {name: self.find(name) for name in self.names()}
        return {name: item for name, item in found.items() if item is not None}
