"""How the figures are made: formulas, today's constants, an example, measured quality.

The words are those of the docs site (dbt's overview): one text. The example is computed
here, by the exchange's own formula, from the row of the day before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from statistics import median
from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup, escape

from exchange import value_formula
from exchange.value_formula import ValueFormula, ValueState
from serve.context import reading
from serve.pages import formatting
from serve.pages.site import Figure, page, table
from serve.queries import methods as queries
from serve.store.contract import Reader
from warehouse.project import PROJECT

_TEXT = PROJECT / "models" / "overview.md"
_HEADING = "# Methods"
_CLOSE = 1e-9
"""Two values that are as near as this are equal: engines add in different orders."""


@dataclass(frozen=True)
class Section:
    """A part of the text: its formulas line by line, and its paragraphs."""

    title: str
    formulas: Sequence[str]
    paragraphs: Sequence[Markup]

    @property
    def key(self) -> str:
        """The section's name in an address."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Step:
    """A line of the example: what it says, what comes out, what is stored."""

    name: str
    formula: str
    found: float
    stored: float | None

    @property
    def is_equal(self) -> bool:
        """Whether the stored value is what the formula gives."""
        return self.stored is not None and math.isclose(
            self.found, self.stored, rel_tol=_CLOSE, abs_tol=_CLOSE
        )


def add_routes(pages: Blueprint) -> None:
    """`/methods`."""
    pages.get("/methods")(methods)


def methods() -> Response:
    """Formulas in words and symbols, with what they give today and how well."""
    with reading() as reader:
        rows = queries.value_constants(reader).records()
        return page(
            "methods.html",
            reader.published,
            intro=text()[0],
            sections=text()[1],
            constants=_constants(rows),
            fit=next((row for row in rows if row["is_fitted"]), None),
            example=_example(reader, rows),
            measured=_measured(reader),
            anomalies=queries.anomalies(reader).records(),
        )


@lru_cache(maxsize=1)
def text() -> tuple[Sequence[Markup], Sequence[Section]]:
    """The paragraphs before the first section, and the sections."""
    whole = _TEXT.read_text(encoding="utf-8").split(_HEADING, 1)[1]
    whole = whole.split("{% enddocs %}", 1)[0]
    head, *parts = whole.split("\n## ")
    return _paragraphs(head), [_section(part) for part in parts]


def _section(part: str) -> Section:
    title, _, rest = part.partition("\n")
    before, _, after = rest.partition("```\n")
    formulas, _, words = after.partition("\n```")
    return Section(
        title.strip(),
        formulas.splitlines(),
        [*_paragraphs(before), *_paragraphs(words)],
    )


def _paragraphs(words: str) -> list[Markup]:
    parts = re.split(r"\n\s*\n", words)
    lines = [str(escape(" ".join(part.split()))) for part in parts if part.strip()]
    return [Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", line)) for line in lines]


def _constants(rows: Sequence[dict[str, Any]]) -> Figure:
    fitted = [row for row in rows if row["is_fitted"]]
    summary = "All are the defaults: no fit is in use here."
    if fitted:
        summary = (
            f"{len(fitted)} were fitted on {formatting.moment(fitted[0]['fitted_at'])},"
            " the others are the defaults."
        )
    return Figure(
        key="constants",
        title="Today’s constants of the value",
        summary=summary,
        picture=Markup(""),
        table=table(
            sorted(rows, key=lambda row: (row["symbol"] is None, row["constant"])),
            ("Symbol", lambda row: row["symbol"] or "", False),
            ("Value", lambda row: f"{row['value']:g}", True),
            ("Default", lambda row: f"{row['default_value']:g}", True),
            ("What it is", lambda row: f"{row['unit']}: {row['meaning']}", False),
        ),
        csv="/api/v1/value-constants.csv",
        empty="No constants are published. Run `make daily`.",
        has_open_table=True,
    )


def formula_of(rows: Sequence[Mapping[str, Any]]) -> ValueFormula:
    """The formula with the constants of the mart."""
    values = {row["constant"]: row["value"] for row in rows}
    return ValueFormula(**{one.name: values[one.name] for one in fields(ValueFormula)})


def _example(
    reader: Reader, constants: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    row = queries.example(reader) if constants else None
    if row is None:
        return None
    values = {one["constant"]: one["value"] for one in constants}
    steps = steps_of(row, formula_of(constants), values["outlook_transient"])
    return {**row, "steps": steps}


def steps_of(
    row: Mapping[str, Any], formula: ValueFormula, outlook_weight: float
) -> list[Step]:
    """The day of the row, computed from the state of the day before.

    Args:
        row: of :func:`serve.queries.methods.example`.
        outlook_weight: share of the transient in the outlook, as the models have it.
    """
    eve = row["before"]
    state = ValueState(
        eve["level"], eve["transient"], eve["error_variance"], eve["history_days"]
    )
    x = value_formula.log_attention(
        row["new_listeners_per_day"], row["plays_per_day"], formula
    )
    y = x - row["day_factor"]
    after, error = value_formula.advance(state, y, formula)
    log_value = value_formula.log_value(after, formula)
    w, k, rho = formula.listener_weight, formula.pseudo_count, formula.transient_damping
    new, plays, factor = (
        formatting.exact(row[name])
        for name in ("new_listeners_per_day", "plays_per_day", "day_factor")
    )
    decayed = rho * state.transient
    steps = [
        Step(
            "y",
            f"{w:g}·ln({new} + {k:g}) + {1 - w:g}·ln({plays} + {k:g}) − {factor}",
            y,
            row["log_attention"],
        ),
        Step(
            "e",
            f"y − ({state.level:.4f} + {rho:g}·{state.transient:.4f})",
            error,
            row["forecast_error"],
        ),
        Step(
            "l",
            f"{state.level:.4f} + {_share(after.level - state.level, error)}·e",
            after.level,
            row["level"],
        ),
        Step(
            "c",
            f"{decayed:.4f} + {_share(after.transient - decayed, error)}·e",
            after.transient,
            row["transient"],
        ),
        Step("v", "λ·v + (1 − λ)·e²", after.variance, row["error_variance"]),
        Step(
            "ln V", f"l + {formula.transient_weight:g}·c", log_value, row["log_value"]
        ),
        Step(
            "m",
            f"l + {outlook_weight:g}·c",
            after.level + outlook_weight * after.transient,
            (math.log(row["value_low"]) + math.log(row["value_high"])) / 2,
        ),
    ]
    if row["listed"]:
        price = 100 * math.exp(log_value) / row["mean_value"]
        mean = formatting.exact(row["mean_value"])
        steps.append(Step("F", f"100·V / {mean}", price, row["fundamental_price"]))
        if row["is_listed"]:
            lower = 100 * row["lower"] / row["listed"]
            of = f"100·{row['lower']} / {row['listed']}"
            steps.append(Step("score", of, lower, row["score"]))
    return steps


def _share(moved: float, error: float) -> str:
    """The gain that moved a state by so much; 0 where there was no error."""
    return f"{moved / error:.4f}" if error else "0"


def _measured(reader: Reader) -> list[tuple[str, str]]:
    """What the published rows say of the quality: a name and a sentence each."""
    return [
        ("One day ahead", _forecast_words(queries.forecasts(reader))),
        ("Outlook", _outlook_words(queries.outlooks(reader))),
        ("Flags", _flag_words(queries.flagged(reader))),
        (
            "Number ones",
            _number_one_words(queries.without_largest_listener(reader).records()),
        ),
    ]


def _forecast_words(found: Mapping[str, Any]) -> str:
    if not found["steps"]:
        return (
            "nothing to measure yet: forecasts count from an artist’s 29th observed"
            " day on"
        )
    words = (
        f"the forecast of log attention was off by {found['error']:.3f} (root of the"
        f" mean square of {formatting.number(found['steps'])} forecasts of the last"
        f" {queries.OUTLOOKS_DAYS} days)"
    )
    if found["naive"]:
        words += f"; “as the day before” by {found['naive']:.3f}"
    if found["lag_1"] is not None:
        lag = formatting.signed(found["lag_1"], 2)
        words += f". Correlation of an error with the one before: {lag}"
    return words + "."


def _outlook_words(found: Mapping[str, Any]) -> str:
    if not found["outlooks"]:
        return (
            "nothing to measure yet: no outlook on 28 days of a listed artist is over."
        )
    share = formatting.pct(100 * found["held"] / found["outlooks"])
    return (
        f"of {formatting.plural(found['outlooks'], 'outlook')} of the last"
        f" {queries.OUTLOOKS_DAYS} days that are over, {share} held what came (95 %"
        " is meant)."
    )


def _flag_words(found: Mapping[str, Any]) -> str:
    if not found["plays"]:
        return "nothing to measure yet: no listener has a play here."
    listeners = 100 * found["flagged_listeners"] / max(1, found["listeners"])
    plays = 100 * found["flagged_plays"] / found["plays"]
    return (
        f"{formatting.pct(listeners)} of the listeners have a flagged day;"
        f" {formatting.pct(plays)} of all plays are of such days and count on no chart."
    )


def _number_one_words(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return (
            "nothing to measure yet: no whole week has a number one of five listeners."
        )
    places = [row["place"] for row in rows]
    shares = [100 * row["share"] for row in rows]
    return (
        f"in {formatting.plural(len(rows), 'week')} the number one among artists,"
        f" without its largest listener, would stand at a median place of"
        f" {median(places):g}, at worst at {max(places)}; that listener makes"
        f" {formatting.pct(median(shares), 0)} of it at the median,"
        f" {formatting.pct(max(shares), 0)} at most."
    )
