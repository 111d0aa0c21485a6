"""Flows of the benchmark's worlds: which steps of invented counters are attention.

The states of a day's flow that the worlds need (stall, down, merge, plays only,
history, unconfirmed with its next day); "opposite" needs two artists whose steps
cancel, which no world here makes. The marts decide the same in SQL.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

WINDOW, LEAST_ACCEPTED = 28, 14
Counts = tuple[int, int]
"""Listeners and plays, all-time."""
Flow = tuple[float, float]
"""New listeners and plays a day."""


@dataclass
class Trailing:
    """The last values of a series, with their median."""

    size: int
    recent: list[float] = field(default_factory=list)
    ordered: list[float] = field(default_factory=list)

    def take(self, value: float) -> None:
        self.recent.append(value)
        insort(self.ordered, value)
        if len(self.recent) > self.size:
            del self.ordered[bisect_left(self.ordered, self.recent.pop(0))]

    @property
    def median(self) -> float:
        n = len(self.ordered)
        if n == 0:
            return 0.0
        return (self.ordered[(n - 1) // 2] + self.ordered[n // 2]) / 2


@dataclass
class _Artist:
    base: Counts
    base_day: int
    listeners: Trailing = field(default_factory=lambda: Trailing(WINDOW))
    plays: Trailing = field(default_factory=lambda: Trailing(WINDOW))
    old_base: tuple[Counts, int] | None = None
    """Where yesterday's step began, when that was down or unconfirmed."""
    pending: Flow | None = None
    """Yesterday's flow, when that was unconfirmed."""
    last_ratio: float = 0.0

    def flow(self, counts: Counts, day: int, base: tuple[Counts, int]) -> Flow:
        (listeners, plays), since = base
        days = day - since
        return (counts[0] - listeners) / days, (counts[1] - plays) / days


class FlowBook:
    """The flows of all artists, day after day; `take_day` in the order of days."""

    def __init__(self) -> None:
        self._artists: dict[str, _Artist] = {}
        self.states: dict[str, int] = {}
        """How many artist-days had which state."""

    def take_day(
        self, day: int, snapshot: Mapping[str, Counts], gone: Collection[str] = ()
    ) -> dict[str, Flow | None]:
        """The flow of each artist of the snapshot, None where none is accepted.

        Args:
            day: number of the UTC day; a day left out is a gap, never a zero.
            snapshot: counters of the artists that answered.
            gone: artists that answer no more from today on.
        """
        lost = [self._artists.pop(one).base[1] for one in gone if one in self._artists]
        found: dict[str, Flow | None] = {}
        for name, counts in snapshot.items():
            artist = self._artists.get(name)
            if artist is None:
                self._artists[name] = _Artist(counts, day)
                found[name] = None
                continue
            state, ratio, flow = _judge(artist, counts, day, lost)
            self.states[state] = self.states.get(state, 0) + 1
            found[name] = _book(artist, state, ratio, flow, counts, day)
        return found


def _judge(
    artist: _Artist, counts: Counts, day: int, lost: list[int]
) -> tuple[str, float, Flow]:
    """The state of the step from the base, its x of plays, and its flow."""
    listeners, plays = flow = artist.flow(counts, day, (artist.base, artist.base_day))
    usual, usual_listeners = artist.plays.median, artist.listeners.median
    ratio = plays / (usual + 5)
    listener_ratio = listeners / (usual_listeners + 5)
    extra = (plays - usual) * (day - artist.base_day)
    state = "accepted"
    if counts == artist.base and usual >= 5:
        state = "stall"
    elif plays < 0 or listeners < 0:
        state = "down"
    elif len(artist.plays.recent) < LEAST_ACCEPTED:
        pass
    elif (
        ratio > 3
        and extra > 5 * usual
        and any(abs(extra - one) < 0.02 * one + usual for one in lost)
    ):
        state = "merge"
    elif ratio > 4 and listener_ratio < min(4, 0.4 * ratio):
        state = "plays only"
    elif ratio > 200 or (
        ratio > 30 and plays * usual_listeners > 1.8 * usual * listeners
    ):
        state = "history"
    elif ratio > 8 and artist.pending is None and artist.last_ratio <= ratio / 4:
        state = "unconfirmed"
    return state, ratio, flow


def _book(
    artist: _Artist, state: str, ratio: float, flow: Flow, counts: Counts, day: int
) -> Flow | None:
    """Keep the day; the base moves on except in a stall, which the next flow spans."""
    if state == "stall":
        return None
    old_base, pending = artist.old_base, artist.pending
    artist.old_base = artist.pending = None
    # The step before was another cache's answer: today counts from before it.
    is_answer_of_a_cache = old_base is not None and (
        counts[1] >= old_base[0][1] and (state == "down" or pending is None)
    )
    if is_answer_of_a_cache and old_base is not None:
        state, flow = "accepted", artist.flow(counts, day, old_base)
    elif state == "accepted" and pending is not None:
        flow = ((flow[0] + pending[0]) / 2, (flow[1] + pending[1]) / 2)
    elif state in ("down", "unconfirmed"):
        artist.old_base = (artist.base, artist.base_day)
        artist.pending = flow if state == "unconfirmed" else None
    artist.last_ratio = ratio
    artist.base, artist.base_day = counts, day
    if state != "accepted":
        return None
    artist.listeners.take(max(flow[0], 0.0))
    artist.plays.take(max(flow[1], 0.0))
    return max(flow[0], 0.0), max(flow[1], 0.0)
