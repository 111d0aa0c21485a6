"""Whether each list of a day is as complete as it has to be.

Owns the lists a day consists of and how much each may lack. A day's calls taken
together say little: the world chart is one of thousands. Must not ask or store.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

NOT_FOUND = 6
# The method is not there, or is there no more; for one listener or for all.
LEFT_OUT = frozenset({3, 27})
# Without these a day has no counters, so they are never left out.
COUNTERS = frozenset({"chart.getTopArtists", "artist.getInfo"})
# last.fm says "no friends" like "no such listener".
_SAYS_NOT_FOUND = frozenset({"user.getFriends"})


@dataclass(frozen=True, slots=True)
class CallState:
    """How many calls of a day ended alike. `params` is their canonical JSON."""

    method: str
    params: str
    state: str
    code: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a list may be lost, or unknown to last.fm, in percent.

    `floor` and `unknown_floor` calls may be in any case.
    """

    lost_pct: float
    unknown_pct: float
    floor: int = 1
    unknown_floor: int = 1


# By the beginning of the method's name.
LIMITS = {
    "chart.": Limit(0.0, 0.0, floor=0, unknown_floor=0),
    # One country or tag may be misspelt in the settings: a note says so every day.
    "geo.": Limit(0.0, 50.0, floor=0),
    "tag.": Limit(0.0, 50.0, floor=0),
    # A walk that lacks a page is walked again: the listener's watermark stays.
    "user.": Limit(5.0, 50.0),
    "artist.": Limit(1.0, 10.0),
    "track.": Limit(5.0, 50.0),
    "album.": Limit(5.0, 50.0),
}


@dataclass
class _Counted:
    """The calls of a day by list, and by method."""

    planned: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    limits: dict[str, Limit] = field(default_factory=dict)

    @classmethod
    def of(cls, states: Iterable[CallState]) -> Self:
        counted = cls()
        for one in states:
            if one.state == "superseded":
                continue
            name = list_of(one.method, one.params)
            limit = _limit(one.method)
            counted.limits[name] = counted.limits[one.method] = limit
            for group in {name, one.method}:
                counted.planned[group] += one.calls
            if one.state in ("failed", "pending") and not is_left_out(one):
                counted.lost[name] += one.calls
            elif one.state == "skipped" and _is_unknown(one):
                counted.unknown[one.method] += one.calls
        return counted

    def is_too_unknown(self, name: str) -> bool:
        limit = self.limits[name]
        allowed = _allowed(limit.unknown_floor, limit.unknown_pct, self.planned[name])
        return self.unknown[name] > allowed


def lacking(states: Iterable[CallState]) -> list[str]:
    """The lists that lack more than they may, a few words each; sorted."""
    counted = _Counted.of(states)
    said = []
    for name, calls in sorted(counted.planned.items()):
        limit, lost = counted.limits[name], counted.lost[name]
        if lost > _allowed(limit.floor, limit.lost_pct, calls):
            said.append(f"{name} lacks {lost:,} of {calls:,} answers")
        if counted.is_too_unknown(name):
            said.append(
                f"{name}: last.fm knows nothing of {counted.unknown[name]:,} of"
                f" {calls:,}"
            )
    return said


def doubted(states: Iterable[CallState]) -> list[str]:
    """The methods that said "not found" more often than one believes; sorted."""
    counted = _Counted.of(states)
    return sorted(name for name in counted.planned if counted.is_too_unknown(name))


def left_out(states: Iterable[CallState]) -> dict[str, int]:
    """The calls of each method that last.fm does not offer any more."""
    found = Counter[str]()
    for one in states:
        if one.state == "failed" and is_left_out(one):
            found[one.method] += one.calls
    return dict(found)


def is_left_out(one: CallState) -> bool:
    """Whether last.fm said that there is no such method, and a day can do without."""
    return one.code in LEFT_OUT and one.method not in COUNTERS


def list_of(method: str, params: str) -> str:
    """The list a call belongs to: one of a chart, a country or a tag, or a method's."""
    if method.startswith(("geo.", "tag.")):
        asked = json.loads(params)
        return f"{method} of {asked.get('country') or asked.get('tag')}"
    return method


def _is_unknown(one: CallState) -> bool:
    return one.code == NOT_FOUND and one.method not in _SAYS_NOT_FOUND


def _limit(method: str) -> Limit:
    for start, limit in LIMITS.items():
        if method.startswith(start):
            return limit
    return Limit(1.0, 50.0)


def _allowed(floor: int, share_pct: float, calls: int) -> int:
    return max(floor, math.floor(calls * share_pct / 100.0))
