"""The simulated year on the command line, and its picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from exchange.adversaries import ADVERSARIES
from exchange.settings import ExchangeSettings
from exchange.simulator import KINDS, Scenario, simulate
from serve import simulation


def test_simulate_draws_a_picture_and_says_who_got_rich(tmp_path: Path) -> None:
    picture = tmp_path / "wealth.svg"
    numbers = {"days": 5, "players": 16, "artists": 30, "seed": 7}
    options = [part for name, n in numbers.items() for part in (f"--{name}", str(n))]
    result = CliRunner().invoke(
        simulation.command, [*options, "--picture", str(picture), "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["days"] == 5
    assert picture.read_text().startswith("<svg")


def test_simulate_tells_the_spread_over_seeds_of_every_kind(tmp_path: Path) -> None:
    numbers = {"days": 5, "players": 16, "artists": 60, "seed": 7, "seeds": 2}
    options = [part for name, n in numbers.items() for part in (f"--{name}", str(n))]
    picture = ["--picture", str(tmp_path / "wealth.svg"), "--world", "careers"]
    result = CliRunner().invoke(simulation.command, [*options, *picture])
    assert result.exit_code == 0, result.output
    assert "world careers, 5 days, seeds 7 to 8" in result.output
    lines = {line[:14].strip() for line in result.output.splitlines()}
    assert set(ADVERSARIES) < lines


@pytest.mark.parametrize("days", [2, 40])
def test_the_picture_is_valid_and_names_every_kind(days: int) -> None:
    played = simulate(
        Scenario(seed=1, days=days, players=60, artists=40), ExchangeSettings()
    )
    tree = ElementTree.fromstring(simulation.draw(played))
    text = " ".join(element.text or "" for element in tree.iter())
    for name in KINDS:
        assert name in text
    lines = [one for one in tree.iter() if one.tag.endswith("path")]
    assert len({line.get("stroke") for line in lines}) == len(KINDS)
