"""One folding of text: keys are made by one function and stored, on any database.

`lower()` of a database depends on its locale, so no model and no question may use it on
a name; a Turkish database is the proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from serve.queries.search import Search
from tests.dbt_project.project import RawWarehouse, postgres_rows, run_dbt
from tests.system import PostgresServer
from warehouse.build import PROJECT
from warehouse.names import name_key
from warehouse.run import Target

DAY = date(2026, 11, 1)
ARTISTS = ("KIRINJI", "İnci", "ＦＵＬＬ Ｗｉｄｔｈ", "Straße", "ISIS")
QUESTIONS = PROJECT.parent / "serve" / "queries"
# What is folded that is no name: `lower(method)` of the answers asked for.
NO_NAMES = {"method"}
LOWERED = re.compile(r"(?<![.\w])(?:lower|upper|initcap)\(([^)]*)\)")


def folded_in_sql(source: str) -> list[str]:
    """What a source folds by the database's own rules."""
    return [each for each in LOWERED.findall(source) if each not in NO_NAMES]


def test_no_model_and_no_question_folds_a_name_by_the_database() -> None:
    paths = [*PROJECT.rglob("models/**/*.sql"), *PROJECT.rglob("macros/**/*.sql")]
    paths += QUESTIONS.glob("*.py")
    assert len(paths) > 100
    found = {
        path.name: folded
        for path in paths
        if (folded := folded_in_sql(path.read_text(encoding="utf-8")))
    }
    assert not found
    assert folded_in_sql("lower(source.listener_name)"), "the control"


@pytest.fixture
def turkish_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database whose lower('I') is ı."""
    url = postgres_server.new_database(
        "locale_provider icu icu_locale 'tr-TR' locale 'C.utf8'"
    )
    try:
        yield url
    finally:
        postgres_server.drop_database(url)


@pytest.fixture
def built(turkish_url: str, tmp_path: Path) -> Iterator[Engine]:
    warehouse = RawWarehouse(tmp_path)
    warehouse.insert(
        "lastfm__user_infos",
        [
            {
                "listener_name": "IAN",
                "country": "Italy",
                "playcount": 1,
                "as_of_date": DAY,
            }
        ],
    )
    warehouse.insert(
        "lastfm__user_friends",
        [{"listener_name": "ian", "friend_name": "IRIS", "as_of_date": DAY}],
    )
    warehouse.insert(
        "lastfm__chart_top_artists",
        [
            {
                "position": place + 1,
                "artist_name": name,
                "listeners": 100 - place,
                "playcount": 1000 - place,
                "as_of_date": DAY,
            }
            for place, name in enumerate(ARTISTS)
        ],
    )
    warehouse.copy_raw_to(turkish_url)
    target = Target(url=turkish_url)
    run_dbt(
        target,
        tmp_path,
        "+int_artists",
        "+stg_lastfm__user_infos",
        "+stg_lastfm__user_friends",
    )
    engine = create_engine(turkish_url)
    yield engine
    engine.dispose()


def found_by(engine: Engine, words: str, how: str) -> list[str]:
    """The names that a search finds, best match first."""
    search = Search(words)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "select artist_name from intermediate.int_artists"
                f" where {getattr(search, how)('name_key')}"
                f' order by {search.relevance("name_key")}, artist_name collate "C"'
            ),
            search.binds,
        )
        return [name for (name,) in rows]


def test_ids_and_search_are_the_same_on_a_turkish_database(
    built: Engine, turkish_url: str
) -> None:
    with built.connect() as connection:
        lowered = connection.execute(text("select lower('IAN')")).scalar_one()
    assert lowered == "ıan", "the control: the database folds in its own way"
    (info,) = postgres_rows(
        turkish_url, "staging.stg_lastfm__user_infos", "listener_id"
    )
    assert (info["listener_id"], info["country_key"]) == ("ian", "italy")
    (friend,) = postgres_rows(
        turkish_url, "staging.stg_lastfm__user_friends", "friend_id"
    )
    assert (friend["listener_id"], friend["friend_id"]) == ("ian", "iris")
    for name in ARTISTS:
        assert found_by(built, name, "within")[0] == name, "found as it is shown"
        assert name in found_by(built, name[:3], "begins"), "and by its beginning"
        assert name in found_by(built, name_key(name), "within")
    assert found_by(built, "ki", "begins") == ["KIRINJI"]
    assert found_by(built, "full width", "within") == ["ＦＵＬＬ Ｗｉｄｔｈ"]
    assert found_by(built, "nobody", "within") == []


@pytest.mark.parametrize(
    "name",
    [
        " ",
        "\u3164",
        "\u200b\u200b",
        "\u2800",
        "\u2060\u00ad",
        "\u3000",
        "\ufe0f",
        "\x07",
    ],
)
def test_a_name_that_prints_as_nothing_has_its_characters_for_a_key(name: str) -> None:
    key = name_key(name)
    assert key == f"(blank name {' '.join(f'U+{ord(one):04X}' for one in name)})"
    assert name_key(key) != key, "no name that is written so is taken for it"


@pytest.mark.parametrize(
    "name", ["", "!!!", "\u00b7", "\U0001f600\ufe0f", "\u200bIsis"]
)
def test_a_name_with_one_sign_that_is_seen_is_not_blank(name: str) -> None:
    assert not name_key(name).startswith("(blank name")


def test_a_listener_is_found_in_any_case_and_width() -> None:
    from serve.api.parameters import ListenerPath

    names: list[Any] = ["ian", "IAN", "ＩＡＮ"]
    assert {ListenerPath(listener_name=n).listener_id for n in names} == {"ian"}
