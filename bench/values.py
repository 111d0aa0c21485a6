"""What a published value gives away, over worlds and seeds, beside the value before.

    python -m bench values
    python -m bench.values [--days N] [--artists N] [--seeds 1,2,3] [--json PATH]

For each published column the 7-day return of its top and bottom tenth less that of all
(the edge), then lag-1 correlation of the daily changes of ln F, the variance ratio of
weeks to days, the mean weekly return, and how often the outlook's interval holds the
mean of the next 28 days, by thirds of size. "before" is the damped Holt filter on
shares of the sum. --json writes the figures that the methods page shows.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean, variance

from bench.value_panel import (
    Panel,
    ValuePanel,
    former_panel,
    mean_after,
    value_panel,
)
from bench.value_worlds import WORLDS
from exchange.value_formula import LISTING_FLOOR_PLAYS, value_formula

FEE = 0.02
"""What buying and selling costs together, as a share."""
BURN_IN = 120
"""Days before anything is measured: listing, growth and the outlook's Q need them."""
COLUMNS = (
    *("level", "transient", "surprise", "change 1", "change 7", "change 28"),
    *("sigma", "price", "growth", "outlook", "outlook gap", "outlook width"),
)


@dataclass(frozen=True)
class Measured:
    """The figures of one world, seed and formula; shares, not per cent."""

    edges: dict[str, tuple[float, float]]
    """Of each column: 7-day return of the top tenth and of the bottom, less all's."""
    lag_1: float
    variance_ratio_7: float
    weekly_return: float
    daily_deviation: float
    coverage: tuple[float, float, float]
    """Small, middle and large third of the artists."""

    @property
    def largest_edge(self) -> float:
        return max(abs(edge) for pair in self.edges.values() for edge in pair)

    def misses(self) -> list[str]:
        """What must hold and does not, in words."""
        low, high = min(self.coverage), max(self.coverage)
        limits = {
            "edge": (self.largest_edge, -FEE, FEE),
            "lag-1": (self.lag_1, -0.15, 0.15),
            "VR(7)": (self.variance_ratio_7, 0.8, 1.25),
            "weekly return": (self.weekly_return, -0.01, 0.01),
            "least coverage": (low, 0.93, 0.97),
            "most coverage": (high, 0.93, 0.97),
        }
        return [
            f"{name} {value:.4f}"
            for name, (value, least, most) in limits.items()
            if not least <= value <= most
        ]


def measure(panel: ValuePanel, burn_in: int = BURN_IN) -> Measured:
    """Measure the days after the burn-in."""
    prices = panel.log_price
    days = len(prices[0])
    returns: Panel = [
        [
            math.exp(later - now) - 1
            if day + 7 < days
            and now is not None
            and (later := series[day + 7]) is not None
            else None
            for day, now in enumerate(series)
        ]
        for series in prices
    ]
    weekly = [one for series in returns for one in series[burn_in:] if one is not None]
    lags, ratios, deviations = _of_changes(prices, burn_in)
    return Measured(
        {
            name: edge(column, returns, burn_in)
            for name, column in panel.columns.items()
        },
        fmean(lags),
        fmean(ratios),
        fmean(weekly),
        fmean(deviations),
        _coverage(panel, burn_in),
    )


def edge(column: Panel, returns: Panel, burn_in: int) -> tuple[float, float]:
    """7-day return of the top and the bottom tenth less that of all, mean of days."""
    tops, bottoms = [], []
    for day in range(burn_in, len(returns[0])):
        pairs = [
            (value, gain)
            for series, gains in zip(column, returns, strict=True)
            if (value := series[day]) is not None and (gain := gains[day]) is not None
        ]
        tenth = len(pairs) // 10
        if not tenth:
            continue
        pairs.sort()
        every = fmean(gain for _, gain in pairs)
        bottoms.append(fmean(gain for _, gain in pairs[:tenth]) - every)
        tops.append(fmean(gain for _, gain in pairs[-tenth:]) - every)
    return (fmean(tops), fmean(bottoms)) if tops else (0.0, 0.0)


def _of_changes(
    prices: Panel, burn_in: int
) -> tuple[list[float], list[float], list[float]]:
    """Lag-1 correlation, VR(7) and deviation of each artist's daily changes of ln F."""
    lags, ratios, deviations = [], [], []
    for series in prices:
        known = [one for one in series[burn_in:] if one is not None]
        if len(known) < 60:
            continue
        changes = [b - a for a, b in pairwise(known)]
        spread = variance(changes)
        if spread == 0:
            continue
        centre = fmean(changes)
        weeks = [b - a for a, b in zip(known, known[7:], strict=False)]
        products = [(a - centre) * (b - centre) for a, b in pairwise(changes)]
        lags.append(math.fsum(products) / (spread * (len(changes) - 1)))
        ratios.append(variance(weeks) / (7 * spread))
        deviations.append(math.sqrt(spread))
    return lags, ratios, deviations


def _coverage(panel: ValuePanel, burn_in: int) -> tuple[float, float, float]:
    """Share of artist-days of listed artists whose interval held, by thirds of size."""
    order = sorted(range(len(panel.size)), key=lambda a: panel.size[a])
    third = -(-len(order) // 3)
    found = []
    for start in range(0, len(order), third):
        held = [
            low <= mean <= high
            for a in order[start : start + third]
            for day in range(burn_in, len(panel.attention[a]) - 28)
            if panel.log_price[a][day] is not None
            and (low := panel.low[a][day]) is not None
            and (high := panel.high[a][day]) is not None
            and (mean := mean_after(panel.attention[a], day)) is not None
        ]
        found.append(fmean(held) if held else 0.0)
    return found[0], found[1], found[2]


def compare(
    world: str, seed: int, days: int, artists: int
) -> tuple[Measured, Measured]:
    """One world by today's formula and by the one before."""
    flows = WORLDS[world](seed, days + BURN_IN + 7, artists)
    floor = LISTING_FLOOR_PLAYS
    return (
        measure(value_panel(flows, value_formula(), floor)),
        measure(former_panel(flows, floor)),
    )


def _print(world: str, seed: int, now: Measured, before: Measured) -> None:
    print(f"\n{world}, seed {seed}: now (before)")
    for name in COLUMNS:
        top, bottom = now.edges[name]
        line = f"  {name:<14} top {top:+7.2%}  bottom {bottom:+7.2%}"
        if name in before.edges:
            top, bottom = before.edges[name]
            line += f"   ({top:+8.2%} {bottom:+8.2%})"
        print(line)
    rows = {
        "largest edge": (now.largest_edge, before.largest_edge),
        "lag-1 of ln F": (now.lag_1, before.lag_1),
        "VR(7)": (now.variance_ratio_7, before.variance_ratio_7),
        "mean week": (now.weekly_return, before.weekly_return),
        "sd of a day": (now.daily_deviation, before.daily_deviation),
        **{
            f"coverage {size}": (now.coverage[n], before.coverage[n])
            for n, size in enumerate(("small", "middle", "large"))
        },
    }
    for name, (value, former) in rows.items():
        print(f"  {name:<16} {value:8.4f}  ({former:8.4f})")
    print(f"  misses: {', '.join(now.misses()) or 'none'}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every world and seed; 1 when something that must hold does not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=395, help="measured, after 120")
    parser.add_argument("--artists", type=int, default=356)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    seeds = [int(one) for one in given.seeds.split(",")]
    found = []
    for world in given.worlds.split(","):
        for seed in seeds:
            now, before = compare(world, seed, given.days, given.artists)
            _print(world, seed, now, before)
            found.append({"world": world, "seed": seed, "now": now, "before": before})
    if given.json:
        facts = {
            "measured_at": datetime.now(UTC).date().isoformat(),
            "days": given.days,
            "artists": given.artists,
            "worlds": [
                {**one, "now": asdict(one["now"]), "before": asdict(one["before"])}
                for one in found
            ],
        }
        given.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one["now"].misses() for one in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
