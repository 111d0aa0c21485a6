"""Pictures and wording, without a service."""

from __future__ import annotations

import math
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.pages import drawing, formatting
from serve.pages.bump import Entry, bump

FINITE = st.floats(-1e15, 1e15, allow_nan=False, allow_infinity=False)
START = date(2026, 1, 1)


@given(FINITE, FINITE)
@settings(deadline=None, max_examples=300)
def test_the_numbers_of_an_axis_hold_the_values_and_stay_few(
    one: float, other: float
) -> None:
    low, high = min(one, other), max(one, other)
    ticks = drawing.nice_ticks(low, high)
    assert ticks == sorted(set(ticks))
    slack = 1e-9 * max(abs(low), abs(high), 1e-9)
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8


@given(st.integers(0, 9000), st.integers(0, 9000))
@settings(deadline=None)
def test_the_days_of_an_axis_stay_few_and_inside(offset: int, span: int) -> None:
    first = date(2003, 1, 1) + timedelta(days=offset)
    last = first + timedelta(days=span)
    ticks = drawing.day_ticks(first, last)
    assert len(ticks) <= 8
    assert all(first <= day <= last for day, _ in ticks)


VALUES = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=40)


@given(VALUES, st.booleans(), st.sampled_from([None, "light", "dark"]), st.text())
@settings(deadline=None, max_examples=150)
def test_any_series_and_any_name_give_well_formed_pictures(
    values: list[float | None], is_filled: bool, theme: str | None, name: str
) -> None:
    points = [(START + timedelta(days=n), value) for n, value in enumerate(values)]
    drawn = drawing.lines(
        "k",
        formatting.clipped(name, 40),
        "d",
        [drawing.Line(name, points)],
        is_filled=is_filled,
        theme=theme,
    )
    if all(value is None for value in values):
        assert drawn == ""
        return
    # A name may well be "inf"; no place of anything drawn may.
    places = [
        value
        for part in ElementTree.fromstring(drawn).iter()
        for value in part.attrib.values()
    ]
    assert "nan" not in " ".join(places) and "inf" not in " ".join(places)
    ElementTree.fromstring(drawing.bars("k", "t", "d", [(name, 1.0, name[:5] and "1")]))


def test_a_hole_opens_the_line_and_a_lone_point_is_a_dot() -> None:
    values = [1.0, 2.0, None, 3.0, None, 4.0, 5.0]
    points = [(START + timedelta(days=n), value) for n, value in enumerate(values)]
    drawn = drawing.lines("k", "t", "d", [drawing.Line("x", points)])
    path = drawn.split('<path d="')[1].split('"')[0]
    assert path.count("M") == 3
    assert drawn.count("no observation:") == 2
    assert drawn.count('r="2.5"') == 1
    whole = drawing.lines("k", "t", "d", [drawing.Line("x", points[:2])])
    assert "no observation" not in whole


def test_ranks_have_the_first_at_the_top() -> None:
    points = [(START, 1.0), (START + timedelta(days=1), 20.0)]
    drawn = drawing.lines("k", "t", "d", [drawing.Line("x", points)], is_rank=True)
    path = drawn.split('d="M')[1].split('"')[0]
    (_, top), (_, bottom) = (part.split(" ") for part in path.split(" L"))
    assert float(top) < float(bottom)


@pytest.mark.parametrize(
    ("value", "level"), [(0, 0), (10, 1), (30, 3), (50, 5), (49, 5), (18, 2)]
)
def test_a_cell_is_as_warm_as_its_count(value: float, level: int) -> None:
    assert drawing.level(value, (10, 50)) == level


@pytest.mark.parametrize(
    ("said", "words_"),
    [
        (formatting.number(1234567.4), "1,234,567"),
        (formatting.number(None), "–"),
        (formatting.short(1_234_567), "1.2 M"),
        (formatting.short(999), "999"),
        (formatting.short(52_000_000), "52 M"),
        (formatting.exact(0.05261), "0.0526"),
        (formatting.exact(129_807), "129,807"),
        (formatting.signed(-3.25, 1), "−3.2"),
        (formatting.rough(296_943), "297 thousand"),
        (formatting.issue("week", date(2026, 3, 9)), "week of 9 March 2026"),
        (formatting.issue("quarter", date(2026, 4, 1)), "quarter 2 of 2026"),
        (formatting.plural(1, "issue"), "1 issue"),
        (formatting.plural(1234, "issue"), "1,234 issues"),
        (formatting.clipped("\u202eevil", 10), "\u2068evil\u2069"),
        (formatting.lastfm("music", "AC/DC"), "https://www.last.fm/music/AC%2FDC"),
        (formatting.address("/x", a=None, from_=START, b=""), "/x?from=2026-01-01"),
    ],
)
def test_values_are_said_as_people_read_them(said: str, words_: str) -> None:
    assert said == words_


def test_a_picture_on_its_own_carries_its_colours_and_one_in_a_page_does_not() -> None:
    points = [(START + timedelta(days=n), math.sin(n)) for n in range(9)]
    given_ = [drawing.Line("x", points)]
    alone = drawing.lines("k", "t", "d", given_, theme="dark")
    inside = drawing.lines("k", "t", "d", given_)
    assert "#62c6c4" in alone and "xmlns" in alone and "class=" not in alone
    assert "#" not in inside and "class=" in inside


ISSUES = [START + timedelta(days=7 * n) for n in range(5)]


def _bump(*entries: tuple[str, list[int | None]]) -> dict[str, ElementTree.Element]:
    """A bump chart of two places, as its two drawings by name."""
    given = [
        Entry(name, {d: r for d, r in zip(ISSUES, ranks, strict=True) if r}, f"/{name}")
        for name, ranks in entries
    ]
    drawn = ElementTree.fromstring(bump("k", "t", "d", ISSUES, given, 3))
    return {g.attrib["class"]: g for g in drawn if g.tag == "g"}


def _labels(group: ElementTree.Element) -> list[tuple[str, str, str]]:
    """(address, height, words) of the names beside the plot."""
    return [
        (link.attrib["href"], text.attrib["y"], text.text or "")
        for link in group.iterfind(".//a")
        for text in link.iterfind("text")
    ]


def test_an_entry_that_was_away_is_joined_by_a_dashed_link() -> None:
    away = _bump(("a", [1, None, None, 2, 1]), ("b", [2, 1, 1, 1, 2]))["bump roomy"]
    lines = {p.attrib["class"] for p in away.iterfind(".//path")}
    assert lines == {"p-line", "p-away"}
    (dashed,) = away.findall(".//path[@class='p-away']")
    # From the place before to the place after, and the line itself stays open there.
    assert dashed.attrib["d"] == "M0 14L750 42"
    assert "M0 14M750 42L1000 14" in [p.attrib["d"] for p in away.iterfind(".//path")]
    # The control: who was never away has no link.
    stayed = _bump(("a", [1, 1, 1, 2, 1]), ("b", [2, 2, 2, 1, 2]))["bump roomy"]
    assert stayed.findall(".//path[@class='p-away']") == []


def test_equal_ranks_stand_one_below_the_other_with_their_rank() -> None:
    drawings = _bump(("a", [1] * 5), ("b", [2] * 5), ("c", [2] * 5))
    for name, ends in (("bump roomy", 2), ("bump tight", 1)):
        labels = _labels(drawings[name])
        assert len(labels) == 3 * ends
        # No two names at one end stand at one height.
        assert len({height for _, height, _ in labels}) == 3
        assert {address for address, _, _ in labels} == {"/a", "/b", "/c"}
        ranks = sorted(words.strip("\u2068\u2069abc\u2002") for *_, words in labels)
        assert ranks == sorted(["1", "2", "2"] * ends)


def test_a_telephone_gets_the_entries_that_are_left_alone() -> None:
    drawings = _bump(("a", [1] * 5), ("gone", [2, 2, None, None, None]))
    roomy, tight = (
        [address for address, _, _ in _labels(drawings[name])]
        for name in ("bump roomy", "bump tight")
    )
    assert sorted(roomy) == ["/a", "/a", "/gone"] and tight == ["/a"]
