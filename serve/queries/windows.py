"""Filters of plays that several questions share: a range of days, and who and what.

Owns the closed set of filters and their SQL over ``marts.fct_scrobbles``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serve.ranges import Range
from warehouse.names import name_key


@dataclass(frozen=True)
class Plays:
    """Which plays count: a range of days, and optionally one of each of these."""

    days: Range
    artist_id: str | None = None
    tag_id: str | None = None
    country: str | None = None
    listener_id: str | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the days is asked for."""
        return any((self.artist_id, self.tag_id, self.country, self.listener_id))

    @property
    def binds(self) -> dict[str, Any]:
        """The values for :meth:`where`."""
        return {
            "first": self.days.first,
            "last": self.days.last,
            "artist_id": self.artist_id,
            "tag_id": self.tag_id,
            "country": name_key(self.country) if self.country else None,
            "listener_id": self.listener_id,
        }

    def where(self, plays: str = "plays") -> str:
        """The condition on the table or alias `plays`."""
        parts = [f"{plays}.scrobbled_date between :first and :last"]
        if self.artist_id:
            parts.append(f"{plays}.artist_id = :artist_id")
        if self.tag_id:
            parts.append(
                f"{plays}.artist_id in (select artist_id from marts.artist_tags"
                " where tag_id = :tag_id)"
            )
        if self.country:
            parts.append(
                f"{plays}.listener_id in (select listener_id from marts.dim_listeners"
                " where country_key = :country)"
            )
        if self.listener_id:
            parts.append(f"{plays}.listener_id = :listener_id")
        return " and ".join(parts)
