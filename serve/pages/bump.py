"""The bump chart: how the entries of a chart came where they are.

Drawn twice in one picture, and the style sheet shows one: roomy, with names at both
ends, and tight for a telephone, with the entries of the last issue alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup, escape

from serve.pages import formatting
from serve.pages.drawing import Pen, framed, linked

_WIDE = 1000  # the inner coordinates of the stretched plot
_ROW = 28
_TOP = 14
_COLOURS = 10
_GONE = "gone"


@dataclass(frozen=True)
class Entry:
    """A line: its name, rank by issue, and the address behind the name, if any."""

    name: str
    ranks: dict[date, int]
    address: str | None = None


@dataclass(frozen=True)
class _Space:
    """Where the plot begins and ends, in per cent, and the letters beside it."""

    name: str
    left: float
    right: float
    letters: int
    dates: int

    def across(self, part: float) -> float:
        """Per cent of the width for a part of the plot from 0 to 1."""
        return self.left + (self.right - self.left) * part


_SPACES = (_Space("roomy", 25, 75, 26, 5), _Space("tight", 2, 50, 18, 2))


def bump(
    key: str,
    title: str,
    description: str,
    issues: Sequence[date],
    entries: Sequence[Entry],
    depth: int,
) -> Markup:
    """Places over the last issues, a line an entry, dashed where it was away.

    Entries of equal rank stand one below the other, so that no two lines or names
    meet. The entries that are left in the last issue have colours, the first ones
    first.
    """
    if len(issues) < 2 or not entries:
        return Markup("")
    places = _places(issues, entries, depth)
    height = _ROW * depth + 24
    marks = []
    for space in _SPACES:
        drawn = "".join(_lines(issues, entries, places, space, height))
        axis = "".join(_dates(issues, space, height))
        marks.append(f'<g class="bump {space.name}">{drawn}{axis}</g>')
    has_links = any(entry.address for entry in entries)
    return framed(key, title, description, height, Pen(), marks, has_links=has_links)


def _places(
    issues: Sequence[date], entries: Sequence[Entry], depth: int
) -> list[dict[int, int]]:
    """For each entry its place among the first by number of the issue; none twice."""
    found: list[dict[int, int]] = [{} for _ in entries]
    for issue, day in enumerate(issues):
        ranked = sorted(
            (entry.ranks[day], number)
            for number, entry in enumerate(entries)
            if entry.ranks.get(day, depth + 1) <= depth
        )
        for place, (_, number) in enumerate(ranked[:depth], 1):
            found[number][issue] = place
    return found


def _lines(
    issues: Sequence[date],
    entries: Sequence[Entry],
    places: Sequence[dict[int, int]],
    space: _Space,
    height: int,
) -> Iterator[str]:
    """The entries, those that have gone first and so below the others."""
    last = len(issues) - 1
    left = [number for number, shown in enumerate(places) if last in shown]
    gone = [n for n, shown in enumerate(places) if shown and last not in shown]
    shades = {number: f"c{place % _COLOURS}" for place, number in enumerate(left)}
    if space.name == "tight":
        gone = []
    for number in (*gone, *reversed(left)):
        shade = shades.get(number, _GONE)
        shown = places[number]
        yield (
            f'<g class="entry {shade}"><svg x="{space.left}%" height="{height}"'
            f' width="{space.right - space.left}%" viewBox="0 0 {_WIDE} {height}"'
            f' preserveAspectRatio="none" overflow="visible">{_path(shown, last)}</svg>'
        )
        yield from _ends(entries[number], issues, shown, space)
        yield "</g>"


def _path(shown: dict[int, int], last: int) -> str:
    """The line through the places, and dashed links over issues without one."""
    line: list[str] = []
    links: list[str] = []
    before: int | None = None
    for issue, place in sorted(shown.items()):
        here = f"{_WIDE * issue / last:.0f} {_down(place)}"
        if before is not None and issue - before > 1:
            there = f"{_WIDE * before / last:.0f} {_down(shown[before])}"
            links.append(f"M{there}L{here}")
        line.append(f"{'L' if before == issue - 1 else 'M'}{here}")
        before = issue
    fixed = 'vector-effect="non-scaling-stroke"'
    away = f'<path d="{"".join(links)}" {fixed} class="p-away"/>' if links else ""
    return f'{away}<path d="{"".join(line)}" {fixed} class="p-line"/>'


def _ends(
    entry: Entry, issues: Sequence[date], shown: dict[int, int], space: _Space
) -> Iterator[str]:
    """Dots where a line begins, ends or stands alone, and names at its ends."""
    last = len(issues) - 1
    for issue, place in shown.items():
        if issue in (0, last) or not {issue - 1, issue + 1} & set(shown):
            yield (
                f'<circle cx="{space.across(issue / last):.2f}%" cy="{_down(place)}"'
                f' r="{4 if issue in (0, last) else 3}" class="p-dot"/>'
            )
    ends = [(last, space.right + 1.5, "start")]
    if space.name == "roomy":
        ends.append((0, space.left - 1.5, "end"))
    for issue, x, anchor in ends:
        if issue in shown:
            rank = entry.ranks[issues[issue]]
            name = escape(formatting.clipped(entry.name, space.letters))
            words = (
                f"{rank}\u2002{name}" if anchor == "start" else f"{name}\u2002{rank}"
            )
            label = (
                f'<text x="{x}%" y="{_down(shown[issue]) + 4}" text-anchor="{anchor}"'
                f' class="p-label">{words}</text>'
            )
            yield linked(label, entry.address)


def _dates(issues: Sequence[date], space: _Space, height: int) -> Iterator[str]:
    """Days of some issues below the plot, the first and the last among them."""
    last = len(issues) - 1
    many = min(space.dates, len(issues))
    for number in sorted({round(last * n / (many - 1)) for n in range(many)}):
        anchor = {0: "start", last: "end"}.get(number, "middle")
        yield (
            f'<text x="{space.across(number / last):.1f}%" y="{height - 2}"'
            f' text-anchor="{anchor}" class="p-tick">'
            f"{_day(issues[number], space)}</text>"
        )


def _day(day: date, space: _Space) -> str:
    """A day below the plot; a telephone has no room for its year."""
    return formatting.short_day(day) if space.name == "roomy" else f"{day:%-d %b}"


def _down(place: int) -> int:
    """How far down a place lies."""
    return _TOP + (place - 1) * _ROW
