"""The constants of an artist's value, from the one place where they are set.

The marts compute values by dbt's vars; the simulator plays by the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import yaml  # type: ignore[import-untyped]

_PROJECT = Path(__file__).parents[1] / "dbt_project" / "dbt_project.yml"
LISTING_FLOOR_PLAYS = 3_098
"""Median plays a day an artist of last.fm needs to be listed: fewer are noise."""
# Makes the median absolute deviation of normal values their standard deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class ValueFormula:
    """A damped Holt filter on the log share of attention; names as in dbt's vars."""

    listener_weight: float
    pseudo_count: float
    level_gain: float
    trend_gain: float
    trend_damping: float
    discount: float
    sigma_days: int

    @property
    def trend_weight(self) -> float:
        """What a unit of trend adds to the log value: all its discounted days."""
        return self.trend_damping / (1 - self.discount * self.trend_damping)


@cache
def value_formula(path: Path = _PROJECT) -> ValueFormula:
    """The formula's constants as the dbt project sets them.

    Raises:
        KeyError: the project does not set one.
    """
    project: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    values = project["vars"]["value"]
    return ValueFormula(**{one.name: values[one.name] for one in fields(ValueFormula)})


def robust_spread(values: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation: a sigma that outliers leave alone."""
    middle = median(values)
    return _NORMAL * median(abs(value - middle) for value in values)
