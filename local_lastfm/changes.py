"""What people of the demo world change afterwards: plays sent late, deleted, edited.

A phone without a network sends two plays of its day three days late; now and then the
same person deletes a play of that day, and another loses its album. All at instants
that follow from the day, so that every moment has one truth.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from local_lastfm.catalogue import DAY_SECONDS, Plays

# One person of so many, and one day of so many of theirs.
PEOPLE = 12
EVERY_DAYS = 5
# Days between the plays and what becomes of them: after they were final.
DAYS_LATER = 3


class ChangingPlays(Plays):
    """Plays of which some are shown late, are deleted, or lose their album.

    late, gone, edited: when it happens, by second and variant of the play.
    """

    def __init__(self, plays: Plays, shift: int, albums: int) -> None:
        """Choose the days of a person by `shift`; variants below `albums` are pairs."""
        super().__init__(plays.uts, plays.variants)
        self._moments: list[int] = []
        self._shown: tuple[int, Plays] | None = None
        self.late: dict[tuple[int, int], int] = {}
        self.gone: dict[tuple[int, int], int] = {}
        self.edited: dict[tuple[int, int], int] = {}
        days = [uts // DAY_SECONDS for uts in (plays.uts or [0])]
        for day in range(days[0], days[-1] + 1):
            if (day + shift) % EVERY_DAYS == 0:
                self._change(day, albums)

    def _change(self, day: int, albums: int) -> None:
        start = day * DAY_SECONDS
        first, last = (
            bisect_left(self.uts, start),
            bisect_left(self.uts, start + DAY_SECONDS),
        )
        of_day = list(zip(self.uts[first:last], self.variants[first:last], strict=True))
        if len(of_day) < 4:
            return
        moment = start + DAYS_LATER * DAY_SECONDS + 3600
        self._moments.append(moment)
        self.late[of_day[0]] = self.late[of_day[1]] = moment
        if of_day[2][1] < albums:
            self.edited[of_day[2]] = moment
        if day % 2:
            self.gone[of_day[-1]] = moment

    def _forget(self) -> None:
        super()._forget()
        self._shown = None

    def at(self, now: int) -> Plays:
        """The plays as they are shown at `now`."""
        stage, shown = bisect_right(self._moments, now), self._shown
        if shown is None or shown[0] != stage:
            kept = [
                # The other variant of a track is the one without its album.
                (key[0], key[1] ^ 1 if self.edited.get(key, now + 1) <= now else key[1])
                for key in zip(self.uts, self.variants, strict=True)
                if self.late.get(key, 0) <= now < self.gone.get(key, now + 1)
            ]
            shown = stage, Plays([uts for uts, _ in kept], [v for _, v in kept])
            self._shown = shown
        return shown[1]
