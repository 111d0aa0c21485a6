"""The command `scrobble simulate`: a year with invented players, and its picture.

The exchange plays it; the picture is drawn here, with the pages' own pens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from exchange.settings import ExchangeSettings, load_exchange_settings
from exchange.simulator import (
    Scenario,
    Simulation,
    WealthDay,
    simulate,
    spread_lines,
)
from exchange.worlds import WORLDS
from serve.pages import formatting
from serve.pages.drawing import Line, Pen, framed, line_marks, nice_ticks
from warehouse import command_help
from warehouse.settings import group_options, take_flags

_HEIGHT = 420
_TOP, _BOTTOM = 16, 24
_LEFT, _RIGHT = 9.0, 23.0
"""Per cent of the width kept for the numbers of the axis and for the names."""
_LABEL_GAP = 16
_MOST_TICKS = 12


@click.command(cls=command_help.Command)
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--days", default=365, show_default=True, type=click.IntRange(2, 3650))
@click.option("--players", default=120, show_default=True, type=click.IntRange(8, 5000))
@click.option(
    "--artists", default=200, show_default=True, type=click.IntRange(20, 5000)
)
@click.option(
    "--world",
    type=click.Choice(tuple(WORLDS)),
    default="innovations",
    show_default=True,
    help="how attention moves; only the first is the process of the value's filter",
)
@click.option(
    "--seeds",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="play so many seeds, from --seed on; with more than one, their spread",
)
@click.option(
    "--adversaries/--no-adversaries",
    default=True,
    show_default=True,
    help="let those play as well who try every way of cheating",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("simulation.svg"),
    show_default=True,
    help="where the picture of the wealth by kind goes",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@group_options(ExchangeSettings)
def command(
    seed: int,
    days: int,
    players: int,
    artists: int,
    world: str,
    seeds: int,
    adversaries: bool,
    picture: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Play a year of the exchange with invented players, and draw who got rich."""
    rules = load_exchange_settings(take_flags(options, ExchangeSettings))
    scenario = Scenario(
        seed=seed,
        days=days,
        players=players,
        artists=artists,
        world=world,
        has_adversaries=adversaries,
    )
    played = [
        simulate(replace(scenario, seed=each), rules)
        for each in range(seed, seed + seeds)
    ]
    picture.write_text(draw(played[0]), encoding="utf-8")
    if as_json:
        found = [one.summary() for one in played]
        click.echo(json.dumps(found if seeds > 1 else found[0]))
        return
    for line in spread_lines(played) if seeds > 1 else played[0].lines():
        click.echo(line)
    click.echo(f"picture: {picture}")


def draw(result: Simulation) -> str:
    """Mean net worth by kind and day, with the middle half of each kind behind it."""
    rows = result.wealth_days()
    # The drawer has days across: day n of the game is the day n of the calendar.
    lines = [_line(kind, list(days)) for kind, days in groupby(rows, lambda r: r.kind)]
    days = result.scenario.days
    edges = [edge for row in rows for edge in (row.lower_quartile, row.upper_quartile)]
    edges += [row.mean for row in rows]
    ticks = nice_ticks(min(edges), max(edges), 8)
    plot = _HEIGHT - _TOP - _BOTTOM

    def across(day: date) -> float:
        share = (day.toordinal() - 1) / max(1, days - 1)
        return (_LEFT + (100 - _LEFT - _RIGHT) * share) / 100

    def down(worth: float) -> float:
        return _TOP + plot * (1 - (worth - ticks[0]) / (ticks[-1] - ticks[0]))

    pen = Pen("light")
    marks = []
    for tick in ticks:
        marks.append(
            f'<line x1="{_LEFT}%" x2="{100 - _RIGHT}%" y1="{down(tick):.1f}"'
            f' y2="{down(tick):.1f}" {pen("grid")}/>'
            f'<text x="0" y="{down(tick) + 4:.1f}" {pen("tick")}>{tick:,.0f}</text>'
        )
    for day in range(0, days, max(1, days // _MOST_TICKS)):
        x = 100 * across(date.fromordinal(1 + day))
        marks.append(
            f'<text x="{x:.2f}%" y="{_HEIGHT - 4}" text-anchor="middle"'
            f" {pen('tick')}>{day or 'day 0'}</text>"
        )
    inner = [
        mark
        for number, line in enumerate(lines)
        for mark in line_marks(line, number, across, down, pen)
    ]
    marks.append(
        f'<svg width="100%" height="{_HEIGHT}" viewBox="0 0 1000 {_HEIGHT}"'
        f' preserveAspectRatio="none">{"".join(inner)}</svg>'
    )
    ends = [(down(line.points[-1][1] or 0), line) for line in lines]
    marks += _names(ends, lines, pen)
    scenario = result.scenario
    title = (
        f"Mean net worth by kind of player: {days} days, {len(result.players)} players,"
        f" {scenario.artists} artists, seed {scenario.seed}"
    )
    summary = "In credits, by day; the band is the middle half of the players."
    return f"{framed('wealth', title, summary, _HEIGHT, pen, marks)}\n"


def _line(kind: str, rows: Sequence[WealthDay]) -> Line:
    days = [date.fromordinal(1 + row.day) for row in rows]
    return Line(
        kind,
        [(day, row.mean) for day, row in zip(days, rows, strict=True)],
        [
            (day, row.lower_quartile, row.upper_quartile)
            for day, row in zip(days, rows, strict=True)
        ],
    )


def _names(
    ends: Sequence[tuple[float, Line]], lines: Sequence[Line], pen: Pen
) -> list[str]:
    """Names and last values at the ends of the lines, kept apart."""
    marks = []
    last = -100.0
    for wanted, line in sorted(ends, key=lambda end: end[0]):
        last = max(wanted, last + _LABEL_GAP)
        x = 100 - _RIGHT
        marks.append(
            f'<circle cx="{x + 1.5}%" cy="{last:.1f}" r="4"'
            f" {pen('dot', lines.index(line))}/>"
            f'<text x="{x + 3}%" y="{last + 4:.1f}" {pen("label")}>'
            f"{line.label} {formatting.number(line.points[-1][1])}</text>"
        )
    return marks
