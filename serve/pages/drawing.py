"""Pictures: SVG drawn by hand, the same in a page and on its own.

A picture takes the width it is given: places across are percentages, so text and lines
keep their size from a telephone to a wide screen. In a page a mark has a class and the
style sheet colours it, light or dark; on its own (`theme` set) it carries its colours.
No scripts, no inline styles: the pages forbid both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from markupsafe import Markup, escape

from serve.pages import formatting

Format = Callable[[float | int | None], str]
Point = tuple[date, float | None]

_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
THEMES: dict[str, dict[str, str]] = {
    "light": {
        "panel": "#fffdf8",
        "ink": "#221d2b",
        "soft": "#665f70",
        "line": "#e4ddd0",
        "gap": "#efe8da",
        "s0": "#0b6670",
        "s1": "#bd6a00",
        "s2": "#87397a",
        "s3": "#587a1b",
        "s4": "#3f5fb5",
        "s5": "#a3362b",
        "s6": "#5d5d66",
        "s7": "#1b1b1f",
    },
    "dark": {
        "panel": "#1b1e25",
        "ink": "#ece7dd",
        "soft": "#aaa398",
        "line": "#343943",
        "gap": "#272b34",
        "s0": "#62c6c4",
        "s1": "#f1b14d",
        "s2": "#d993cd",
        "s3": "#a9cc62",
        "s4": "#93abf0",
        "s5": "#f0958a",
        "s6": "#b9b9c2",
        "s7": "#f4f4f6",
    },
}
_WIDE = 1000  # the inner coordinates of a stretched plot
_LEVELS = 5
_LEFT = 7.0  # per cent of the width kept for the numbers of an axis


@dataclass(frozen=True)
class Line:
    """One line: a value a day, None where nothing is known; with a band or without."""

    label: str
    points: Sequence[Point]
    band: Sequence[tuple[date, float, float]] = ()


@dataclass
class Pen:
    """Gives marks their looks: a class in a page, attributes on its own."""

    theme: str | None = None
    colours: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.colours = THEMES[self.theme or "light"]

    def __call__(self, name: str, series: int = 0) -> str:
        if self.theme is None:
            return f'class="p-{name} s{series}"'
        one = self.colours[f"s{series}"]
        found = {
            "grid": f'stroke="{self.colours["line"]}" stroke-width="1"',
            "base": f'stroke="{self.colours["soft"]}" stroke-width="1"',
            "tick": f'fill="{self.colours["soft"]}" font-size="12"'
            f' font-family="{_SANS}"',
            "label": f'fill="{self.colours["ink"]}" font-size="12"'
            f' font-family="{_SANS}"',
            "line": f'fill="none" stroke="{one}" stroke-width="2"'
            ' stroke-linecap="round" stroke-linejoin="round"',
            "area": f'fill="{one}" fill-opacity="0.14"',
            "band": f'fill="{one}" fill-opacity="0.18"',
            "dot": f'fill="{one}"',
            "gap": f'fill="{self.colours["gap"]}"',
        }
        return found[name]


def framed(
    key: str,
    title: str,
    description: str,
    height: int,
    pen: Pen,
    marks: list[str],
    *,
    has_links: bool = False,
) -> Markup:
    """A picture with the names a screen reader says.

    One with links is a group: what is inside an image cannot be reached by keyboard.
    """
    if pen.theme is None:
        size = f'class="picture" width="100%" height="{height}" data-left="{_LEFT:g}"'
        head = body_top = ""
    else:
        whole = height + 52
        size = (
            'xmlns="http://www.w3.org/2000/svg" width="720"'
            f' height="{whole}" viewBox="0 0 720 {whole}"'
        )
        colours = pen.colours
        head = (
            f'<rect width="720" height="{whole}" rx="8" fill="{colours["panel"]}"/>'
            f'<text x="14" y="25" font-size="15" font-weight="600"'
            f' font-family="{_SANS}" fill="{colours["ink"]}">{escape(title)}</text>'
            f'<svg x="14" y="36" width="692" height="{height}">'
        )
        body_top = "</svg>"
    role = "group" if has_links else "img"
    return Markup(
        f'<svg {size} role="{role}" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(title)}</title>'
        f'<desc id="{key}-d">{escape(description)}</desc>'
        f"{head}{''.join(marks)}{body_top}</svg>"
    )


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return [0.0, 1.0]
    size = max(abs(low), abs(high))
    if high - low <= max(1e-9 * size, 1e-100):
        step = size / 2 if size > 1e-100 else 1.0
        low, high = low - step / 2, high + step / 2
    raw = (high - low) / count
    power = math.floor(math.log10(raw))
    step = next(
        10.0**power * unit
        for unit in (1, 2, 2.5, 5, 10)
        if 10.0**power * unit >= raw * 0.99
    )
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(n * step, 3 - power) + 0.0 for n in range(first, last + 1)]


def day_ticks(first: date, last: date) -> list[tuple[date, str]]:
    """At most seven days for the axis, at the start of months or years."""
    span = (last - first).days
    if span < 1:
        return [(first, formatting.short_day(first))]
    if span <= 45:
        step = max(1, math.ceil(span / 5))
        return [
            (first + timedelta(days=n), f"{first + timedelta(days=n):%-d %b}")
            for n in range(0, span + 1, step)
        ]
    months = next(
        (n for n in (1, 2, 3, 6, 12, 24, 60, 120) if span / 30.4 / n <= 6), 240
    )
    found: list[tuple[date, str]] = []
    year, month = first.year, first.month
    while (here := date(year, month, 1)) <= last:
        if here >= first and (year * 12 + month - 1) % months == 0:
            is_year = month == 1 or months >= 12
            found.append((here, f"{here:%Y}" if is_year else f"{here:%b}"))
        month += 1
        if month > 12:
            year, month = year + 1, 1
    return found


def lines(
    key: str,
    title: str,
    description: str,
    given: Sequence[Line],
    *,
    height: int = 260,
    unit: Format = formatting.short,
    from_zero: bool = False,
    is_rank: bool = False,
    is_filled: bool = False,
    theme: str | None = None,
) -> Markup:
    """Lines over days; holes stay open and are shaded. Ranks have 1 at the top."""
    pen = Pen(theme)
    known = [point for line in given for point in line.points if point[1] is not None]
    if not known:
        return Markup("")
    days = [point[0] for line in given for point in line.points]
    first, last = min(days), max(days)
    values = [value for _, value in known if value is not None]
    values += [edge for line in given for row in line.band for edge in row[1:]]
    low, high = min(values), max(values)
    ticks = _rank_ticks(high) if is_rank else nice_ticks(0 if from_zero else low, high)
    bottom, top = (ticks[-1], ticks[0]) if is_rank else (ticks[0], ticks[-1])
    plot = height - 40
    span = max((last - first).days, 1)

    def across(day: date) -> float:
        share = (day - first).days / span if last > first else 0.5
        return (_LEFT + (100 - _LEFT) * share) / 100

    def down(value: float) -> float:
        return 16 + plot * (1 - (value - bottom) / (top - bottom))

    marks: list[str] = []
    if len(given) == 1 and not is_rank:
        marks += _gaps(given[0].points, across, plot, pen)
    for number, tick in enumerate(ticks):
        style = "base" if tick == bottom and not is_rank else "grid"
        marks.append(
            f'<line x1="{_LEFT}%" x2="100%" y1="{down(tick):.1f}" y2="{down(tick):.1f}"'
            f" {pen(style)}/>"
        )
        if number or is_rank or bottom != 0 or not is_filled:
            text = str(int(tick)) if is_rank else unit(tick)
            marks.append(
                f'<text x="0" y="{down(tick) + 4:.1f}" {pen("tick")}>{text}</text>'
            )
    marks += _day_axis(first, last, across, height, pen)
    inner: list[str] = []
    for number, line in enumerate(given):
        inner += line_marks(line, number, across, down, pen, is_filled, 16 + plot)
    marks.append(
        f'<svg width="100%" height="{height}" viewBox="0 0 {_WIDE} {height}"'
        f' preserveAspectRatio="none">{"".join(inner)}</svg>'
    )
    for number, line in enumerate(given):
        for day, value, size in _dots(line.points):
            marks.append(
                f'<circle cx="{100 * across(day):.2f}%" cy="{down(value):.1f}"'
                f' r="{size}" {pen("dot", number)}/>'
            )
    return framed(key, title, description, height, pen, marks)


def blank(key: str, title: str, says: str, theme: str | None = None) -> Markup:
    """A picture that says why there is nothing to see."""
    pen = Pen(theme)
    mark = f'<text x="0" y="40" {pen("label")}>{escape(says)}</text>'
    return framed(key, title, says, 80, pen, [mark])


def _dots(points: Sequence[Point]) -> list[tuple[date, float, str]]:
    """The end of a line, and points that stand alone: a line would not show them."""
    found: list[tuple[date, float, str]] = []
    for place, (day, value) in enumerate(points):
        if value is None:
            continue
        before = points[place - 1][1] if place else None
        after = points[place + 1][1] if place + 1 < len(points) else None
        if all(later is None for _, later in points[place + 1 :]):
            found.append((day, value, "4"))
        elif before is None and after is None:
            found.append((day, value, "2.5"))
    return found


def _rank_ticks(worst: float) -> list[float]:
    """1 at the top, then round ranks down to the worst."""
    rest = [tick for tick in nice_ticks(0, max(worst, 4)) if tick > 1]
    return [1.0, *rest]


def _gaps(
    points: Sequence[Point], across: Callable[[date], float], plot: int, pen: Pen
) -> list[str]:
    marks: list[str] = []
    before: date | None = None
    for day, value in points:
        if value is None:
            continue
        if before is not None and (day - before).days > 1:
            x = 100 * across(before)
            width = 100 * across(day) - x
            since = formatting.short_day(before + timedelta(days=1))
            until = formatting.short_day(day - timedelta(days=1))
            text = since if since == until else f"{since} to {until}"
            marks.append(
                f'<rect x="{x:.2f}%" width="{width:.2f}%" y="16" height="{plot}"'
                f" {pen('gap')}><title>no observation: {text}</title></rect>"
            )
        before = day
    return marks


def _day_axis(
    first: date, last: date, across: Callable[[date], float], height: int, pen: Pen
) -> list[str]:
    marks = []
    for day, text in day_ticks(first, last):
        x = 100 * across(day)
        anchor = "start" if x < _LEFT + 4 else "end" if x > 95 else "middle"
        marks.append(
            f'<text x="{x:.2f}%" y="{height - 6}" text-anchor="{anchor}"'
            f" {pen('tick')}>{text}</text>"
        )
    return marks


def line_marks(
    line: Line,
    number: int,
    across: Callable[[date], float],
    down: Callable[[float], float],
    pen: Pen,
    is_filled: bool = False,
    floor: float = 0,
) -> list[str]:
    """One line with its band, for a stretched plot: `across` gives 0 to 1."""
    marks: list[str] = []
    if line.band:
        over = [f"{_WIDE * across(day):.1f},{down(up):.1f}" for day, _, up in line.band]
        under = [f"{_WIDE * across(d):.1f},{down(low):.1f}" for d, low, _ in line.band]
        outline = " ".join(over + under[::-1])
        marks.append(f'<polygon points="{outline}" {pen("band", number)}/>')
    path: list[str] = []
    fills: list[str] = []
    segment: list[tuple[float, float]] = []
    for day, value in [*line.points, (date.max, None)]:
        if value is not None:
            segment.append((_WIDE * across(day), down(value)))
            continue
        if segment:
            steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in segment)
            # A lone point is a line of no length: its round end is a dot.
            path.append(f"M{steps}" + (" h0.01" if len(segment) == 1 else ""))
            fills.append(
                f"M{segment[0][0]:.1f} {floor:.1f} L{steps}"
                f" L{segment[-1][0]:.1f} {floor:.1f} Z"
            )
        segment = []
    if is_filled:
        marks.append(f'<path d="{"".join(fills)}" {pen("area", number)}/>')
    marks.append(
        f'<path d="{"".join(path)}" vector-effect="non-scaling-stroke"'
        f" {pen('line', number)}/>"
    )
    return marks


def spread(labels: Sequence[str], most: int = 7) -> list[str]:
    """Every so many labels, the last one among them: no more than `most` find room."""
    every = max(1, -(-len(labels) // most))
    return [
        label if (len(labels) - 1 - number) % every == 0 else ""
        for number, label in enumerate(labels)
    ]


def columns(
    key: str,
    title: str,
    description: str,
    given: Sequence[tuple[str, float, str]],
    *,
    height: int = 240,
    unit: Format = formatting.short,
) -> Markup:
    """Upright bars: (label on the axis or empty, value, what a pointer reads).

    A narrow screen shows every second of many labels; the style sheet leaves out.
    """
    if not given:
        return Markup("")
    pen = Pen()
    named = [number for number, (label, _, _) in enumerate(given) if label]
    spare = frozenset(named[-2::-2] if len(named) > 5 else ())
    ticks = nice_ticks(0, max(max(value for _, value, _ in given), 1e-9))
    plot = height - 40
    marks: list[str] = []
    for number, tick in enumerate(ticks):
        y = 16 + plot * (1 - tick / ticks[-1])
        style = "grid" if number else "base"
        marks.append(f'<line x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}" {pen(style)}/>')
        if number:
            marks.append(
                f'<text x="0" y="{y + 4:.1f}" {pen("tick")}>{unit(tick)}</text>'
            )
    slot = (100 - _LEFT) / len(given)
    for number, (label, value, says) in enumerate(given):
        tall = plot * value / ticks[-1]
        marks.append(
            f'<rect x="{_LEFT + slot * (number + 0.1):.3f}%" width="{slot * 0.8:.3f}%"'
            f' y="{16 + plot - tall:.1f}" height="{tall:.1f}" {pen("bar")}>'
            f"<title>{escape(says)}</title></rect>"
        )
        if label:
            x = _LEFT + slot * (number + 0.5)
            anchor = "start" if x < _LEFT + 3 else "end" if x > 97 else "middle"
            style = 'class="p-tick spare"' if number in spare else pen("tick")
            marks.append(
                f'<text x="{x:.2f}%" y="{height - 6}" text-anchor="{anchor}"'
                f" {style}>{escape(label)}</text>"
            )
    return framed(key, title, description, height, pen, marks)


def bars(
    key: str,
    title: str,
    description: str,
    given: Sequence[tuple[str, float, str]],
    *,
    is_ranked: bool = False,
    links: Sequence[str | None] = (),
) -> Markup:
    """Lying bars with their names above: (name, value, the value in words).

    `links` are the addresses behind the names, one for each bar or none at all.
    """
    if not given:
        return Markup("")
    pen = Pen()
    most = max((value for _, value, _ in given), default=0) or 1
    marks: list[str] = []
    row = 34
    for number, (name, value, says) in enumerate(given):
        y = number * row
        place = f"{number + 1}  " if is_ranked else ""
        label = (
            f'<text x="0" y="{y + 13}" {pen("label")}>'
            f"{place}{escape(formatting.clipped(name, 42))}</text>"
        )
        marks.append(
            f"{linked(label, links[number] if links else None)}"
            f'<text x="100%" y="{y + 13}" text-anchor="end" {pen("tick")}>'
            f"{escape(says)}</text>"
            f'<rect x="0" y="{y + 19}" width="100%" height="7" rx="3.5"'
            f" {pen('track')}/>"
            f'<rect x="0" y="{y + 19}" width="{max(100 * value / most, 0.6):.2f}%"'
            f' height="7" rx="3.5" {pen("bar")}/>'
        )
    height = row * len(given)
    return framed(key, title, description, height, pen, marks, has_links=any(links))


def linked(mark: str, address: str | None) -> str:
    """A mark that leads somewhere, where there is an address."""
    return mark if address is None else f'<a href="{escape(address)}">{mark}</a>'


def level(value: float, ends: tuple[float, float]) -> int:
    """How warm a cell is: 0 for nothing, then 1 to 5 from the least to the most."""
    least, most = ends
    if value <= 0:
        return 0
    if most <= least:
        return 3
    return min(_LEVELS, 1 + int(_LEVELS * (value - least) / (most - least)))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    some = [value for value in values if value > 0]
    return min(some, default=0), max(some, default=0)


def week_hours(
    key: str,
    title: str,
    description: str,
    cells: Sequence[tuple[int, int, int]],
    zone: str = "UTC",
) -> Markup:
    """A weekday by hour heat map from (weekday 1-7, hour, scrobbles)."""
    ends = _ends([count for _, _, count in cells])
    marks: list[str] = []
    left, step = 9.0, (100 - 9.0) / 24
    for weekday, name in enumerate(formatting.WEEKDAYS, 1):
        marks.append(f'<text x="0" y="{weekday * 24 - 6}" class="p-tick">{name}</text>')
    for weekday, hour, count in cells:
        says = (
            f"{formatting.WEEKDAYS[weekday - 1]} {hour:02}:00–{hour:02}:59 {zone}:"
            f" {formatting.plural(count, 'scrobble')}"
        )
        marks.append(
            f'<rect x="{left + hour * step:.2f}%" y="{(weekday - 1) * 24 + 2}"'
            f' width="{step * 0.92:.2f}%" height="21" rx="2"'
            f' class="h{level(count, ends)}"><title>{says}</title></rect>'
        )
    for hour in (0, 6, 12, 18, 23):
        x = left + (hour + 0.46) * step
        marks.append(
            f'<text x="{x:.2f}%" y="186" text-anchor="middle" class="p-tick">'
            f"{hour:02}</text>"
        )
    return framed(key, title, description, 192, Pen(), marks)


def calendar(
    key: str, title: str, description: str, days: Sequence[tuple[date, int, int, int]]
) -> Markup:
    """A year as weeks by weekdays from (day, week, weekday, scrobbles)."""
    ends = _ends([row[3] for row in days])
    weeks = max((row[1] for row in days), default=52) + 1
    left = 9.0
    step = (100 - left) / weeks
    marks: list[str] = []
    for weekday in (1, 3, 5, 7):
        marks.append(
            f'<text x="0" y="{18 + weekday * 15}" class="p-tick">'
            f"{formatting.WEEKDAYS[weekday - 1]}</text>"
        )
    for day, week, weekday, count in days:
        x = left + week * step
        if day.day == 1:
            marks.append(f'<text x="{x:.2f}%" y="12" class="p-tick">{day:%b}</text>')
        says = f"{formatting.short_day(day)}: {formatting.plural(count, 'scrobble')}"
        marks.append(
            f'<rect x="{x:.3f}%" y="{7 + weekday * 15}" width="{step * 0.86:.3f}%"'
            f' height="13" rx="2" class="h{level(count, ends)}">'
            f"<title>{says}</title></rect>"
        )
    return framed(key, title, description, 128, Pen(), marks)


def spark(points: Sequence[Point]) -> Markup:
    """A small line without words, beside a number that says it."""
    known = [value for _, value in points if value is not None]
    if len(known) < 5:
        return Markup("")
    low, high = min(known), max(known)
    wide = high - low or 1.0
    first = points[0][0]
    span = max((points[-1][0] - first).days, 1)

    def across(day: date) -> float:
        return (day - first).days / span

    def down(value: float) -> float:
        return 36 - 32 * (value - low) / wide

    drawn = line_marks(Line("", points), 0, across, down, Pen(), True, 40)
    return Markup(
        '<svg class="spark" width="100%" height="40" viewBox="0 0 1000 40"'
        f' preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'
    )


def scale(value: float) -> Markup:
    """Where a score stands between 0 and 100."""
    part = min(max(value, 0.0), 100.0)
    return Markup(
        '<svg class="scale" width="100%" height="14" aria-hidden="true">'
        '<rect y="5" width="100%" height="4" rx="2" class="p-track"/>'
        f'<rect y="5" width="{part:.1f}%" height="4" rx="2" class="p-bar"/>'
        f'<circle cx="{part:.1f}%" cy="7" r="6" class="p-dot s0"/></svg>'
    )
