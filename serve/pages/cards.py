"""Pictures to send: 1,200 by 630 pixels, all of it inside, in the site's looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import resvg_py

from serve.pages.drawing import THEMES

WIDE, HIGH = 1200, 630
_SERIF = "'DejaVu Serif', Georgia, serif"
_SANS = "'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif"
_LONGEST = 34  # characters of a name that find room


def png(svg: str, size: int | None = None) -> bytes:
    """A picture as PNG, in its own size or so many pixels wide and high."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size))


def report(
    name: str,
    period: str,
    facts: Sequence[tuple[str, str]],
    top: Sequence[tuple[str, int]],
) -> str:
    """The card of a listener's report, as SVG.

    Args:
        facts: up to four figures, each with what it is.
        top: names with their plays, most first.
    """
    colours = THEMES["light"]
    marks = [
        f'<rect width="{WIDE}" height="{HIGH}" fill="{colours["panel"]}"/>',
        f'<rect width="14" height="{HIGH}" fill="{colours["s0"]}"/>',
        _text(70, 110, 54, period, colours["ink"], family=_SERIF, weight=700),
        _text(70, 160, 26, f"{_cut(name)} · last.fm", colours["soft"]),
    ]
    marks += _facts(facts)
    most = max((plays for _, plays in top), default=1)
    for number, (title, plays) in enumerate(top[:5]):
        y = 345 + 52 * number
        wide = 420 * plays / most
        bar = f'x="640" y="{y - 20}" width="{wide:.0f}" height="24" rx="6"'
        marks += [
            _text(70, y, 26, f"{number + 1}", colours["soft"]),
            _text(110, y, 26, _cut(title), colours["ink"]),
            f'<rect {bar} fill="{colours["s0"]}"/>',
            _text(655 + wide, y, 22, f"{plays:,}", colours["soft"]),
        ]
    marks.append(_text(70, 606, 20, "Scrobble Warehouse", colours["soft"]))
    return _svg(f"{name}: {period}", marks)


def artist(
    name: str,
    words: str,
    facts: Sequence[tuple[str, str]],
    values: Sequence[float | None],
) -> str:
    """The card of an artist, as SVG.

    Args:
        words: what is said under the name.
        facts: up to four figures, each with what it is.
        values: one a day, the newest last, None where there is none.
    """
    colours = THEMES["light"]
    marks = [
        f'<rect width="{WIDE}" height="{HIGH}" fill="{colours["panel"]}"/>',
        f'<rect width="14" height="{HIGH}" fill="{colours["s0"]}"/>',
        _text(70, 110, 54, _cut(name), colours["ink"], family=_SERIF, weight=700),
        _text(70, 160, 26, words, colours["soft"]),
        _line(values, colours["s0"]),
        *_facts(facts),
        _text(70, 606, 20, "Scrobble Warehouse", colours["soft"]),
    ]
    return _svg(name, marks)


def _line(values: Sequence[float | None], colour: str) -> str:
    """The values from left to right between 330 and 550; a gap breaks the line."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    least, range_ = min(known), (max(known) - min(known)) or 1.0
    step = 1060 / (len(values) - 1)
    path, is_broken = [], True
    for place, value in enumerate(values):
        if value is not None:
            y = 550 - 220 * (value - least) / range_
            path.append(f"{'M' if is_broken else 'L'}{70 + step * place:.1f} {y:.1f}")
        is_broken = value is None
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="5"'
        ' stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    colours = THEMES["light"]
    for number, (figure, what) in enumerate(facts[:4]):
        x = 70 + 265 * number
        yield _text(x, 250, 46, figure, colours["s0"], weight=700)
        yield _text(x, 284, 22, what, colours["soft"])


def _svg(title: str, marks: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{HIGH}"'
        f' viewBox="0 0 {WIDE} {HIGH}" role="img"'
        f' aria-label="{escape(title)}">{"".join(marks)}</svg>'
    )


def _text(
    x: float,
    y: float,
    size: int,
    words: str,
    colour: str,
    *,
    family: str = _SANS,
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}"'
        f' font-family="{family}" fill="{colour}">{escape(words, quote=False)}</text>'
    )


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
