"""A source is whole: what it still lacks stands in one message."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.lastfm import plan as planning
from ingest.lastfm import sources
from ingest.lastfm.plan import Call, Digest, FetchPlan, Notes, Situation, follow
from ingest.lastfm.queue import canonical
from ingest.lastfm.recipes import (
    RECIPES,
    ROW_TABLES,
    TABLES,
    Column,
    RawTable,
    Recipe,
    Source,
)
from ingest.lastfm.spellings import NAME_COLUMNS, spellings
from local_lastfm.api import canonical as answered
from tests.ingest.lastfm.test_plan import DAY, TO
from warehouse.build import PROJECT

STAGING = PROJECT / "models" / "staging" / "lastfm"
# Asked for, or listed in an answer that is asked for, because of the names alone: the
# dimensions have them, and no staging model reads the rest.
NAMES_ONLY = {
    "lastfm__album_tags",
    "lastfm__track_tags",
    "lastfm__user_top_albums",
    "lastfm__user_top_tags",
}


def asked() -> set[str]:
    """The methods that a full day asks for."""
    plan = FetchPlan(listeners=("RJ",), countries=("Spain",), tags=("Jazz",))
    notes = Notes(chart_tags={"rock": "rock"})
    notes.tracks["Low", "Fly"] = notes.albums["Low", "Things"] = 1
    calls = planning.first_phase(plan, DAY, "full", TO, {})
    calls += planning.second_phase(plan, "full", notes, ["Low"], set(), canonical)
    own_tags = Call("user.getTopTags", {"user": "RJ"})
    situation = Situation(plan, "full", {}, notes)
    calls += follow(own_tags, Digest(1, names=(("folk",),)), situation).calls
    return {call.method for call in calls}


def lacks(recipe: Recipe, table: RawTable) -> list[str]:
    """What a recipe's source still lacks, each with the way out."""
    found = []
    name = table.name.removeprefix("lastfm__")
    if f"identifier: {table.name}\n" not in sources.SOURCES.read_text(encoding="utf-8"):
        found.append("its entry for dbt: run `make sources`")
    if recipe.method not in asked():
        found.append("a call: ask for it in ingest/lastfm/plan.py")
    if answered(recipe.method) is None:
        found.append("an answer of the local last.fm: local_lastfm/api.py")
    read = any(
        f"source('lastfm', '{name}')" in path.read_text(encoding="utf-8")
        for path in STAGING.rglob("*.sql")
    )
    if read == (table.name in NAMES_ONLY):
        found.append(
            f"a staging model: {STAGING.name}/stg_lastfm__{name}.sql, or a place in"
            " NAMES_ONLY of this test; not both"
        )
    names = {column for column in table.column_names if column in NAME_COLUMNS}
    known = {column for spelling in spellings(table) for column in spelling.uses}
    for column in sorted(names - known):
        found.append(
            f"a dimension for the names in {column}: call the column artist_name,"
            " album_name, track_name or tag_name (albums and tracks beside an"
            " artist_name), or say in ingest/lastfm/spellings.py what it holds"
        )
    return found


def told(wanting: dict[str, list[str]]) -> str:
    """What each source lacks, as the message of the test."""
    lines = [
        f"{method} lacks {each}" for method, found in wanting.items() for each in found
    ]
    return "\n".join(lines)


def test_no_source_lacks_anything() -> None:
    wanting = {
        recipe.method: found
        for recipe in RECIPES
        if (found := lacks(recipe, TABLES[recipe.table]))
    }
    assert not wanting, told(wanting)


def test_the_control_a_bare_recipe_is_told_everything_it_lacks() -> None:
    columns = ("label_name", "album_name")
    table = RawTable(
        "lastfm__label_albums", "", tuple(Column(name, "text") for name in columns)
    )
    item = Source(item=("name",))
    recipe = Recipe("label.getAlbums", table.name, ("albums",), "", {"label": item})
    found = "\n".join(lacks(recipe, table))
    for word in ("make sources", "plan.py", "local_lastfm/api.py", "stg_lastfm__label"):
        assert word in found
    assert "names in album_name" in found, "an album needs an artist_name beside it"


def test_what_dbt_reads_of_the_sources_is_what_the_recipes_say() -> None:
    message = "run `make sources` and commit what it writes"
    assert sources.SOURCES.read_text(encoding="utf-8") == sources.sources_yml(), message
    assert sources.IMPORTS.read_text(encoding="utf-8") == sources.imports_yml(), message
    told = sources.CORRECTIONS.read_text(encoding="utf-8")
    assert told == sources.corrections_yml(), message
    written = sources.SPELLINGS.read_text(encoding="utf-8")
    assert written == sources.spellings_macro(), message


@pytest.mark.parametrize("table", ROW_TABLES, ids=lambda table: table.name)
def test_the_names_of_a_table_reach_the_spellings(table: RawTable) -> None:
    used = {column for spelling in spellings(table) for column in spelling.uses}
    assert used == {name for name in table.column_names if name in NAME_COLUMNS}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "album_tracks",
            {
                ("artist", ("artist_name", "''"), False),
                ("artist", ("track_artist_name", "''"), False),
                ("album", ("artist_name", "nullif(album_name, '')", "''"), False),
                (
                    "track",
                    (
                        "coalesce(track_artist_name, artist_name)",
                        "nullif(track_name, '')",
                        "''",
                    ),
                    False,
                ),
            },
        ),
        (
            "artist_infos",
            {
                ("artist", ("artist_name", "coalesce(artist_mbid, '')"), True),
                ("artist", ("requested_name", "''"), False),
            },
        ),
        ("user_friends", set()),
    ],
)
def test_the_spellings_of_a_table_follow_from_its_columns(
    table: str, expected: set[Any]
) -> None:
    found = spellings(TABLES[f"lastfm__{table}"])
    assert {(s.thing, s.expressions, s.is_official) for s in found} == expected
