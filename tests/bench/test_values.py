"""The value's promises over small worlds, and that the value before breaks them."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest

from bench import value_panel, value_worlds, values
from bench.value_flows import FlowBook
from exchange.value_formula import value_formula

SEED, ARTISTS, DAYS = 2, 120, 330
#: Small samples scatter: these are the promises with that much room.
ROOM = {"lag-1": 0.15, "VR(7)": (0.75, 1.3), "coverage": (0.91, 0.99)}


@pytest.fixture(scope="module", params=sorted(value_worlds.WORLDS))
def flows(request: pytest.FixtureRequest) -> value_panel.Flows:
    print(f"{request.param}, seed {SEED}")
    return value_worlds.WORLDS[request.param](SEED, DAYS, ARTISTS)


def test_a_published_value_gives_nothing_away(flows: value_panel.Flows) -> None:
    found = values.measure(value_panel.value_panel(flows, value_formula()))
    print(asdict(found))
    assert found.largest_edge < values.FEE
    assert abs(found.lag_1) < ROOM["lag-1"]
    low, high = ROOM["VR(7)"]
    assert low <= found.variance_ratio_7 <= high
    assert abs(found.weekly_return) < 0.01
    low, high = ROOM["coverage"]
    assert all(low <= one <= high for one in found.coverage)


def test_the_control_the_value_before_gave_everything_away(
    flows: value_panel.Flows,
) -> None:
    found = values.measure(value_panel.former_panel(flows))
    assert found.largest_edge > 3 * values.FEE
    assert abs(found.weekly_return) > 0.02
    assert max(found.coverage) < 0.75
    assert {one.split()[0] for one in found.misses()} >= {"edge", "weekly", "least"}


def test_one_merge_left_in_moves_no_other_value() -> None:
    flows = value_worlds.random_walk_flows(SEED, 150, 60)
    merged = [list(row) for row in flows]
    listeners, plays = flows[7][140] or (0.0, 0.0)
    merged[7][140] = (listeners + 2_000_000, plays + 30_000_000)
    formula = value_formula()
    panels = [value_panel.value_panel(one, formula) for one in (flows, merged)]
    assert _largest_move(*panels, but=7) < 0.01
    # The control: with the sum as divisor the merge is everybody's shock.
    panels = [value_panel.former_panel(one) for one in (flows, merged)]
    assert _largest_move(*panels, but=7) > 0.1


def _largest_move(
    plain: value_panel.ValuePanel, moved: value_panel.ValuePanel, but: int
) -> float:
    """The largest difference between two panels' levels, one artist left out."""
    pairs = zip(plain.columns["level"], moved.columns["level"], strict=True)
    return max(
        abs(a - b)
        for artist, (one, other) in enumerate(pairs)
        if artist != but
        for a, b in zip(one, other, strict=True)
        if a is not None and b is not None
    )


def test_an_edge_is_found_where_there_is_one() -> None:
    """The control of the measure: tomorrow's returns as a column."""
    returns: value_panel.Panel = [
        [math.sin(artist * 7.0 + day) for day in range(30)] for artist in range(40)
    ]
    top, bottom = values.edge(returns, returns, 0)
    assert top > 0.5 > -0.5 > bottom


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        ([100] * 20 + [0, 200], {"stall": 1}),
        ([100] * 20 + [-500, 700], {"down": 1}),
        ([100] * 20 + [1500, -1300], {"unconfirmed": 1, "down": 1}),
        ([100] * 20 + [1500, 1500], {"unconfirmed": 1}),
        ([100] * 20 + [50_000], {"history": 1}),
    ],
)
def test_steps_that_are_no_attention_are_told_apart(
    steps: list[int], states: dict[str, int]
) -> None:
    book = FlowBook()
    plays = 1_000_000
    book.take_day(0, {"a": (plays // 10, plays)})
    flows = []
    for day, step in enumerate(steps, 1):
        plays += step
        flows.append(book.take_day(day, {"a": (plays // 10, plays)})["a"])
    assert {k: n for k, n in book.states.items() if k != "accepted"} == states
    if steps[-1] in (200, 700, -1300):
        assert flows[-1] == pytest.approx((10, 100))
    if steps[-1] == 1500:
        assert flows[-1] == pytest.approx((150, 1500))


def test_a_merge_is_seen_by_whose_counters_end() -> None:
    book = FlowBook()
    for day in range(21):
        counts = {"a": (100 * day, 1000 * day), "b": (500_000 + day, 9_000_000 + day)}
        book.take_day(day, counts)
    found = book.take_day(21, {"a": (402_100, 9_021_000)}, gone=["b"])
    assert found == {"a": None} and book.states["merge"] == 1
    # The control: the same jump while b still answers is somebody's history.
    assert book.states.get("history") is None
