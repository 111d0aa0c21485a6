"""The methods page: its words are the docs site's, its example is what is stored."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask

from exchange import value_formula as reference
from exchange.settings import ExchangeSettings
from exchange.value_formula import ValueState, value_formula
from serve.pages import methods
from tests.serve.marts import World
from warehouse.project import variables

HTML = {"Accept": "text/html"}


def row(**changed: Any) -> dict[str, Any]:
    """An artist's row as the warehouse would store it, with that of the day before."""
    formula = value_formula()
    state = ValueState(5.0, 0.3, 0.01, 60)
    y = reference.log_attention(120.0, 900.0, formula) - 0.05
    after, error = reference.advance(state, y, formula)
    middle = reference.outlook(after, formula)
    log_value = reference.log_value(after, formula)
    return {
        "new_listeners_per_day": 120.0,
        "plays_per_day": 900.0,
        "day_factor": 0.05,
        "log_attention": y,
        "forecast_error": error,
        "level": after.level,
        "transient": after.transient,
        "error_variance": after.variance,
        "log_value": log_value,
        "value_low": math.exp(middle - 0.4),
        "value_high": math.exp(middle + 0.4),
        "fundamental_price": 100 * math.exp(log_value) / 80.0,
        "score": 75.0,
        "is_listed": True,
        "mean_value": 80.0,
        "listed": 40,
        "lower": 30,
        "before": {
            "level": 5.0,
            "transient": 0.3,
            "error_variance": 0.01,
            "history_days": 60,
        },
        **changed,
    }


def test_the_example_is_equal_to_what_is_stored_and_else_says_so() -> None:
    weight = value_formula().outlook_weight
    steps = methods.steps_of(row(), value_formula(), weight)
    names = ["y", "e", "l", "c", "v", "ln V", "m", "F", "score"]
    assert [step.name for step in steps] == names
    assert all(step.is_equal for step in steps)
    # The controls: another stored value, and other constants than the row's.
    wrong = methods.steps_of(row(level=5.1), value_formula(), weight)
    assert [step.name for step in wrong if not step.is_equal] == ["l"]
    other = replace(value_formula(), transient_damping=0.9)
    assert not methods.steps_of(row(), other, weight)[1].is_equal
    assert not methods.steps_of(row(), value_formula(), 0.9)[6].is_equal


def test_an_artist_that_is_not_listed_has_no_score_in_the_example() -> None:
    steps = methods.steps_of(row(is_listed=False, score=None), value_formula(), 0.66)
    assert steps[-1].name == "F"
    alone = methods.steps_of(row(listed=0, mean_value=None), value_formula(), 0.66)
    assert alone[-1].name == "m"


def test_the_text_is_that_of_the_docs_site_and_names_every_symbol() -> None:
    intro, sections = methods.text()
    assert intro and len(sections) >= 12
    assert len({section.key for section in sections}) == len(sections)
    for section in sections:
        assert section.formulas and section.paragraphs, section.title
    whole = " ".join(line for section in sections for line in section.formulas)
    for symbol in ("α", "β₀", "β₁", "k_z", "ρ", "κ", "λ", "w·", "+ k)"):
        assert symbol in whole, symbol


SAID = (
    ("observed on {} of the {} days", "value.day_least_days", "value.day_days"),
    ("fewer than {} such artists", "value.day_least_artists"),
    ("1/n while n < {}", "value.young_days"),
    ("(n − 1)/{}", "value.transient_days"),
    ("min(e², {}·v)", "value.variance_cap"),
    ("listed with {} observed days", "value.listed_history_days"),
    ("among the last {}. ", "value.listed_days"),
    ("deviation of the last {} errors", "value.sigma_days"),
    ("n / (n + {})", "value.confidence_days"),
    ("s² = {}²·", "value.outlook_spread"),
    ("({}·c)²", "value.outlook_transient_spread"),
    ("attention of the next {} days", "value.outlook_days"),
    ("outlooks of the last {} days", "value.outlook_memory_days"),
    ("from at least {} observed days", "value.outlook_least_days"),
    ("while fewer than {} are known", "value.outlook_least_forecasts"),
    ("V of {} days − mean ln V of", "value.growth_days"),
    ("of the {} days before", "value.growth_base_days"),
    ("MAD of the stage, {})", "value.growth_least_spread"),
    ("median value of {} days", "value.stage_days"),
    ("A stage of fewer than {} artists", "value.growth_least_artists"),
    ("slope of the last {} days", "value.trend_days"),
    (
        "flag, {} a week or {} a month)",
        "counted_scrobbles.week",
        "counted_scrobbles.month",
    ),
    ("{} plays in 24 hours", "listener_flags.many_plays"),
    (
        "{} hours with a play of {}",
        "listener_flags.long_hours",
        "listener_flags.long_hours_of",
    ),
    (
        "{} plays through {} of 24 hours, never quiet for {} minutes",
        "listener_flags.round_the_clock_plays",
        "listener_flags.round_the_clock_hours",
        "listener_flags.quiet_minutes",
    ),
    (
        "{} % of {} plays in 24 hours",
        "listener_flags.burst_pct",
        "listener_flags.burst_plays",
    ),
    (
        "{} % of {} plays through {} of 24 hours",
        "listener_flags.repetition_pct",
        "listener_flags.repetition_plays",
        "listener_flags.repetition_hours",
    ),
)
"""What the text says in figures, and the variables it says it of."""


def unsaid(known: dict[str, Any]) -> list[str]:
    """The phrases, with the values of the variables, that the text does not hold."""
    intro, sections = methods.text()
    lines = [line for one in sections for line in (*one.formulas, *one.paragraphs)]
    text = re.sub(r"\s+", " ", " ".join([*intro, *lines]))
    missing = []
    for phrase, *paths in SAID:
        values = []
        for path in paths:
            group, name = path.split(".")
            values.append(known[group][name])
        said = phrase.format(*values)
        if said not in text:
            missing.append(said)
    return missing


def test_the_text_says_the_numbers_that_are_used() -> None:
    known = variables()
    assert unsaid(known) == []
    # The control: had a number changed, its phrase would be missing.
    for phrase, *paths in SAID:
        for path in paths:
            group, name = path.split(".")
            changed = known | {group: known[group] | {name: known[group][name] + 1}}
            assert unsaid(changed), (phrase, path)


def test_the_text_says_how_the_exchange_pays_dividends() -> None:
    rules = ExchangeSettings()
    whole = " ".join(line for section in methods.text()[1] for line in section.formulas)
    assert f"min(surprise, {rules.dividend_surprise_cap_milli // 1000})" in whole
    assert f"fees of the day / W, {rules.dividend_rate_ppm / 10_000:g} %)" in whole


def test_the_page_shows_constants_and_quality_and_names_no_listener(
    pages_app: Flask, world: World
) -> None:
    client = pages_app.test_client()
    answer = client.get("/methods", headers=HTML)
    assert answer.status_code == 200
    for words in ("An example", "Measured quality", "of all plays are of such days"):
        assert words in answer.text
    assert "would stand at a median place of" in answer.text
    for listener in world["dim_listeners"]:
        assert listener["listener_name"] not in answer.text
    rows = client.get("/api/v1/value-constants").get_json()["data"]
    assert {one["constant"] for one in rows} == set(variables()["value"])
    assert client.get("/").text.count('href="/methods"') == 1
    assert 'href="/methods"' in client.get("/about", headers=HTML).text


def test_a_number_one_without_its_largest_listener(
    pages_app: Flask, world: World
) -> None:
    """Held against plain Python, week by week."""
    from serve.context import reading
    from serve.queries import methods as queries

    with pages_app.test_request_context("/"), reading() as reader:
        found = queries.without_largest_listener(reader).records()
    as_of = world.as_of
    last = as_of - timedelta(days=as_of.weekday() + 1)
    first = last - timedelta(days=7 * queries.WEEKS - 1)
    counts: dict[Any, dict[str, dict[str, int]]] = {}
    for play in world["fct_scrobbles"]:
        when = play["scrobbled_date"]
        if first <= when <= last and not play["is_flagged"]:
            week = counts.setdefault(when - timedelta(days=when.weekday()), {})
            of_artist = week.setdefault(play["artist_id"], {})
            name = play["listener_id"]
            of_artist[name] = min(50, of_artist.get(name, 0) + 1)
    wanted = []
    for week, artists in sorted(counts.items()):
        order = sorted(artists, key=lambda a: (-sum(artists[a].values()), a))
        best = max(
            order,
            key=lambda a: (sum(artists[a].values()), len(artists[a]), -int(a, 16)),
        )
        plays = artists[best]
        rest = sum(plays.values()) - max(plays.values())
        if len(plays) >= 5:
            above = [a for a in order if a != best and sum(artists[a].values()) > rest]
            share = max(plays.values()) / sum(plays.values())
            wanted.append((week, len(plays), share, 1 + len(above)))
    got = [(r["week"], r["listeners"], r["share"], r["place"]) for r in found]
    assert len(wanted) >= 3 and got == wanted
