"""How many plays of a file the published version has already, for a look beforehand.

Owns an estimate by the rules of the models: the same second, the same minute one to
one, the nearest start that an end can belong to. What counts is decided by the build.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable

from ingest.exports.plays import Taken
from warehouse.names import name_key

# As `import_slack_seconds` of the dbt project: pauses.
SLACK_SECONDS = 90
MINUTE = 60

_DROPPED = str.maketrans("", "", ', "')


class Published:
    """The plays of one listener in the published version; each is found once."""

    def __init__(self) -> None:
        self._starts: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._folded: dict[str, str] = {}

    def add(self, artist: str, track: str, started: int) -> None:
        """A play of the published version, in the order of their times."""
        self._starts[self._fold(artist), self._fold(track)].append(started)

    def has(self, play: Taken) -> bool:
        """Whether the play is there; it is taken out, so that the next is another."""
        starts = self._starts.get((self._fold(play.artist), self._fold(play.track)))
        if not starts:
            return False
        first, last = _window(play)
        at = bisect_left(starts, first)
        near = [i for i in range(at, len(starts)) if starts[i] <= last][:20]
        if not near:
            return False
        starts.pop(min(near, key=_distance(starts, play.started)))
        return True

    def _fold(self, name: str) -> str:
        folded = self._folded.get(name)
        if folded is None:
            folded = name_key(name).translate(_DROPPED)
            self._folded[name] = folded
        return folded


def _distance(starts: list[int], started: int) -> Callable[[int], int]:
    return lambda index: abs(starts[index] - started)


def _window(play: Taken) -> tuple[int, int]:
    """The seconds between which the play can have begun."""
    last = play.stamped
    if play.stamp in ("minute", "end minute"):
        last += MINUTE - 1
    if play.stamp in ("second", "minute"):
        return play.stamped, last
    heard = (play.played_ms or 0) // 1000
    return min(play.stamped - heard, play.started) - SLACK_SECONDS, last
