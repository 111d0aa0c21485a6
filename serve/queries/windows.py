"""Filters of plays that several questions share: a range of days, and who and what.

Owns the closed set of filters and their SQL over ``marts.fct_scrobbles``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from serve.ranges import Range, start_of
from serve.visibility import LEAST_LISTENERS, days_of_enough
from warehouse.names import name_key
from warehouse.project import variables

#: clean: without flagged days, and of one listener and entity no more than the cap.
Counted = Literal["clean", "all"]


def is_main_tag(tags: str = "tags") -> str:
    """The condition that plays of an artist count for a tag of marts.artist_tags."""
    most, least = variables()["main_tags"], variables()["main_tag_weight"]
    return f"{tags}.rank <= {int(most)} and {tags}.weight >= {int(least)}"


def has_tag(artist: str, compares: str = "= :tag_id") -> str:
    """The condition that an artist has a tag, whose tag_id is what `compares` says."""
    return (
        f"{artist} in (select tags.artist_id from marts.artist_tags as tags"
        f" where tags.tag_id {compares} and {is_main_tag()})"
    )


@dataclass(frozen=True)
class Plays:
    """Which plays count: a range of days, and optionally one of each of these."""

    days: Range
    artist_id: str | None = None
    tag_id: str | None = None
    country: str | None = None
    listener_id: str | None = None
    counted: Counted = "clean"

    @property
    def is_clean(self) -> bool:
        """Whether plays of flagged days are left out: of the panel, not of oneself."""
        return self.counted == "clean" and self.listener_id is None

    @property
    def counts(self) -> str:
        """The condition on the alias `plays` that a play counts."""
        return "not plays.is_flagged" if self.is_clean else "true"

    @property
    def cap_period(self) -> Literal["week", "month"]:
        """By what plays are capped: a week for days within one, else each month."""
        is_one = start_of("week", self.days.first) == start_of("week", self.days.last)
        named = self.days.period in ("month", "quarter", "half_year", "year")
        return "week" if is_one and not named else "month"

    @property
    def cap(self) -> int:
        """How many plays of one entity a listener counts in such a week or month."""
        most: int = variables()["counted_scrobbles"][self.cap_period]
        return most

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the days is asked for."""
        return any((self.artist_id, self.tag_id, self.country, self.listener_id))

    @property
    def is_of_groups(self) -> bool:
        """Whether a part of the panel is asked for: told of enough listeners only."""
        return self.is_filtered and self.listener_id is None

    @property
    def least_listeners(self) -> int | None:
        """How many listeners a day is told of at least; None for the whole panel."""
        return LEAST_LISTENERS if self.is_of_groups else None

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
        """The condition on the table or alias `plays`.

        Of the panel behind a filter, only what is told of enough listeners: days with
        fewer are left out, and so is what does not count.
        """
        whole = self._passing(plays)
        if not self.is_of_groups:
            return whole
        days = days_of_enough(
            replace(self, country=None)._passing("crowd"),
            by_country=self.country is not None,
        )
        return (
            f"{whole} and not {plays}.is_flagged and {plays}.scrobbled_date in ({days})"
        )

    def _passing(self, plays: str) -> str:
        parts = [f"{plays}.scrobbled_date between :first and :last"]
        if self.artist_id:
            parts.append(f"{plays}.artist_id = :artist_id")
        if self.tag_id:
            parts.append(has_tag(f"{plays}.artist_id"))
        if self.country:
            parts.append(
                f"{plays}.listener_id in (select listener_id from marts.dim_listeners"
                " where country_key = :country)"
            )
        if self.listener_id:
            parts.append(f"{plays}.listener_id = :listener_id")
        return " and ".join(parts)
