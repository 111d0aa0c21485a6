"""The picture of a simulation: wealth by kind of player, as an SVG file by hand."""

from html import escape
from statistics import mean, quantiles

from exchange.settings import UNITS_PER_CREDIT
from exchange.simulator import Simulation

_WIDTH, _HEIGHT = 900, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 50, 50
# Okabe and Ito's colours, told apart by the colour-blind as well.
_COLOURS = {
    "random": "#999999",
    "momentum": "#e69f00",
    "value": "#56b4e9",
    "index": "#000000",
    "patient": "#009e73",
    "robot": "#d55e00",
    "wash": "#cc79a7",
    "farm": "#0072b2",
}


def draw(result: Simulation) -> str:
    """Mean net worth by kind and day, with the middle half of each kind behind it."""
    days = len(result.players[0].worth)
    kinds = result.by_kind()
    means = {
        kind: [
            mean(player.worth[day] for player in members) / UNITS_PER_CREDIT
            for day in range(days)
        ]
        for kind, members in kinds.items()
    }
    bands = {
        kind: [
            _middle_half([player.worth[day] / UNITS_PER_CREDIT for player in members])
            for day in range(days)
        ]
        for kind, members in kinds.items()
    }
    low = min(min(edge[0] for edge in band) for band in bands.values())
    high = max(max(edge[1] for edge in band) for band in bands.values())
    low, high = (
        min(low, min(map(min, means.values()))),
        max(high, max(map(max, means.values()))),
    )
    step = _step(high - low)
    low, high = step * (low // step), step * (high // step + 1)

    def x(day: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * day / max(1, days - 1)

    def y(worth: float) -> float:
        return (
            _HEIGHT
            - _BOTTOM
            - (_HEIGHT - _TOP - _BOTTOM) * (worth - low) / (high - low)
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12" role="img"'
        ' aria-labelledby="title">',
        f'<title id="title">Net worth by kind of player over {days} days,'
        f" seed {result.scenario.seed}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="28" font-size="16">Mean net worth by kind of player'
        f" ({days} days, {len(result.players)} players,"
        f" {result.scenario.artists} artists, seed {result.scenario.seed})</text>",
    ]
    tick = low
    while tick <= high:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}"'
            f' y2="{y(tick):.1f}" stroke="#e5e5e5"/>'
            f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{tick:,.0f}</text>"
        )
        tick += step
    for day in range(0, days, max(1, days // 12)):
        parts.append(
            f'<text x="{x(day):.1f}" y="{_HEIGHT - _BOTTOM + 20}"'
            f' text-anchor="middle">{day}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 10}"'
        ' text-anchor="middle">day</text>'
    )
    for kind, band in bands.items():
        outline = [f"{x(day):.1f},{y(edge[1]):.1f}" for day, edge in enumerate(band)]
        outline += [
            f"{x(day):.1f},{y(edge[0]):.1f}"
            for day, edge in reversed([*enumerate(band)])
        ]
        parts.append(
            f'<polygon points="{" ".join(outline)}" fill="{_COLOURS[kind]}"'
            ' fill-opacity="0.10"/>'
        )
    for kind, series in means.items():
        points = " ".join(
            f"{x(n):.1f},{y(worth):.1f}" for n, worth in enumerate(series)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{_COLOURS[kind]}"'
            f' stroke-width="2"><title>{escape(kind)}</title></polyline>'
        )
    parts += _labels(
        {kind: (y(series[-1]), series[-1]) for kind, series in means.items()}
    )
    parts.append("</svg>\n")
    return "\n".join(parts)


def _labels(ends: dict[str, tuple[float, float]]) -> list[str]:
    """Names at the ends of the lines, kept apart."""
    labels = []
    last = -100.0
    for kind, (wanted, worth) in sorted(ends.items(), key=lambda item: item[1][0]):
        place = max(wanted, last + 15)
        last = place
        labels.append(
            f'<text x="{_WIDTH - _RIGHT + 8}" y="{place + 4:.1f}"'
            f' fill="{_COLOURS[kind]}">{escape(kind)} {worth:,.0f}</text>'
        )
    return labels


def _middle_half(worths: list[float]) -> tuple[float, float]:
    if len(worths) < 2:
        return worths[0], worths[0]
    quarters = quantiles(worths, n=4, method="inclusive")
    return quarters[0], quarters[2]


def _step(span: float) -> float:
    for step in (500, 1000, 2000, 2500, 5000, 10_000, 25_000, 50_000, 100_000):
        if span / step <= 10:
            return step
    return 250_000
