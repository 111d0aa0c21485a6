"""What the words of a range mean, and what from and to are cut to."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.queries.artists import artist_id_of
from serve.queries.insights import in_words
from serve.ranges import BEGINNING, WORDS, of_days, of_word, start_of
from serve.store.contract import translate
from warehouse.names import name_key

AS_OF = date(2026, 3, 14)  # a Saturday


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("this_week", date(2026, 3, 9), AS_OF),
        ("week", date(2026, 3, 2), date(2026, 3, 8)),
        ("this_month", date(2026, 3, 1), AS_OF),
        ("month", date(2026, 2, 1), date(2026, 2, 28)),
        ("quarter", date(2025, 10, 1), date(2025, 12, 31)),
        ("half_yearly", date(2025, 7, 1), date(2025, 12, 31)),
        ("this_year", date(2026, 1, 1), AS_OF),
        ("year", date(2025, 1, 1), date(2025, 12, 31)),
        ("all_time", BEGINNING, AS_OF),
    ],
)
def test_a_word_means_these_days(word: str, first: date, last: date) -> None:
    found = of_word(word, AS_OF)
    assert (found.first, found.last) == (first, last)


@given(st.dates(date(2003, 1, 1), date(2199, 1, 1)), st.sampled_from(WORDS))
def test_a_words_days_never_pass_the_published_day(as_of: date, word: str) -> None:
    found = of_word(word, as_of)
    assert found.first <= found.last <= as_of
    if not word.startswith("this_") and word != "all_time":
        assert found.period is not None
        assert start_of(found.period, found.last) == found.first


@given(st.one_of(st.none(), st.dates()), st.one_of(st.none(), st.dates()))
def test_any_days_are_cut_to_those_that_can_be_or_refused(
    first: date | None, last: date | None
) -> None:
    try:
        found = of_days(first, last, AS_OF)
    except ValueError:
        assert first is not None and first > (last or AS_OF)
        return
    assert BEGINNING <= found.first <= found.last


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (3661, "1 hour and 1 minute"),
        (90_000, "1 day and 1 hour"),
        (366 * 86400 + 7260, "1 year, 1 day and 2 hours"),
    ],
)
def test_a_length_of_time_in_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


def test_spellings_of_a_name_have_one_key() -> None:
    assert name_key("  ＡＢＣ \t Straße ") == "abc strasse"
    assert artist_id_of("BJÖRK") == artist_id_of("Bjo\u0308rk")


def test_binds_are_translated_for_both_engines() -> None:
    sql = "select '%' where a = :a and b like :b and c = :a"
    assert translate(sql, "duckdb") == (
        "select '%' where a = $a and b like $b and c = $a",
        ("a", "b"),
    )
    assert translate(sql, "postgres") == (
        "select '%' where a = $1 and b like $2 and c = $1",
        ("a", "b"),
    )
