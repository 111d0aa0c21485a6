"""Dead letters can be listed, replayed with a mended recipe, and waived."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from ingest.lastfm import recipes
from ingest.load import bodies, cli, dead_letters, item_sql
from ingest.load.dead_letters import Replay
from ingest.load.promote import Decision
from ingest.load.recipes import recipes_of
from tests.ingest.load.landing_files import (
    DAY,
    MOMENT,
    Landing,
    answer,
    scrobble,
    scrobbles,
)
from warehouse.errors import SettingsError

RECENT = "user.getRecentTracks"
TITLED = {"title": "Dinosaur Act", "name": None}


def mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach the recipe of scrobbles that a track's name may be its title."""

    def mended(method: str) -> tuple[recipes.Recipe, ...]:
        return tuple(
            replace(
                recipe,
                values=recipe.values | {"track_name": recipes.item("name", "title")},
            )
            if recipe.table == "lastfm__user_recent_tracks"
            else recipe
            for recipe in recipes_of(method)
        )

    monkeypatch.setattr(item_sql, "recipes_of", mended)
    monkeypatch.setattr("ingest.load.parse.recipes_of", mended)


def decisions(landing: Landing, decision: str = "replayed") -> list[Decision]:
    return [
        Decision(letter.dead_letter_id, decision, "because", MOMENT)
        for letter in dead_letters.open_dead_letters(landing.target)
    ]


def replay(landing: Landing, wanted: list[Decision]) -> Replay:
    return dead_letters.carry_out(
        landing.target,
        landing.landing_dir,
        wanted,
        "run-2",
        DAY,
        landing.root / "work",
        lambda _connection: None,
    )


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """Two bad tracks among good ones, a torn answer, and a good answer."""
    landing = Landing(tmp_path)
    walk = {"walk_id": "w", "walk_from": 0, "walk_to": 9, "pages": 1, "page": 1}
    landing.write(
        [
            answer("a", RECENT, scrobbles([scrobble(1), scrobble(2, **TITLED)])),
            answer("b", RECENT, scrobbles([scrobble(3, **TITLED), scrobble(4)])),
            answer("c", RECENT, '{"recenttracks": {"track": [{', context=walk),
            answer("d", RECENT, scrobbles([scrobble(5)])),
        ]
    )
    assert landing.load().dead == 3
    return landing


def scrobbled(landing: Landing) -> list[tuple[Any, ...]]:
    return landing.rows(
        "select call_id, item_index, scrobbled_uts, track_name, load_id"
        " from raw.lastfm__user_recent_tracks order by scrobbled_uts"
    )


def sums(landing: Landing) -> list[tuple[Any, ...]]:
    return landing.rows("select items, rows, dead from raw.loads where load_id = 2")


def test_a_replay_with_the_same_recipes_changes_nothing(landing: Landing) -> None:
    before = scrobbled(landing)
    done = replay(landing, decisions(landing))
    assert (done.load_id, len(done.still_dead), done.rows) == (None, 3, 0)
    assert scrobbled(landing) == before
    assert landing.rows("select count(*) from raw.dead_letter_decisions") == [(0,)]


def test_a_replay_appends_what_fits_now_and_only_that(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch)
    done = replay(landing, decisions(landing))
    assert (done.load_id, len(done.replayed), len(done.still_dead)) == (2, 2, 1)
    assert scrobbled(landing) == [
        ("a", 0, 1, "Sunflower", 1),
        ("a", 1, 2, "Dinosaur Act", 2),
        ("b", 0, 3, "Dinosaur Act", 2),
        ("b", 1, 4, "Sunflower", 1),
        ("d", 0, 5, "Sunflower", 1),
    ]
    assert landing.rows(
        "select decision, load_id, count(*) from raw.dead_letter_decisions group by all"
    ) == [("replayed", 2, 2)]
    assert landing.rows(
        "select items, rows, dead from raw.loads where load_id = 2"
    ) == [(2, 2, 0)]
    assert landing.rows(
        "select load_id from raw.lastfm__name_keys where name = 'Dinosaur Act'"
    ) == [(2,)]
    again = replay(landing, decisions(landing))
    assert (again.load_id, len(again.still_dead)) == (None, 1)


def test_a_replay_works_without_the_landing_file(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch)
    (landing.landing_dir / landing.parts[0].part).unlink()
    # The page around the item is gone: only the request can say whose it is.
    assert len(replay(landing, decisions(landing)).replayed) == 0
    landing.rows('update raw.lastfm__answers set params = \'{"user": "ana"}\'')
    assert len(replay(landing, decisions(landing)).replayed) == 2
    assert ("a", 1, 2, "Dinosaur Act", 2) in scrobbled(landing)


def test_an_answer_that_can_be_read_now_brings_all_its_rows_and_its_walk(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(body: bytes) -> object:
        if body.endswith(b"[{"):
            body = body[:-1] + b'{"name": "One", "artist": {"#text": "Low"},'
            body += b'"date": {"uts": "6"}}, {"name": "Two"}]}}'
        return parse_body(body)

    parse_body = bodies.read_body
    monkeypatch.setattr(bodies, "read_body", lenient)
    landing.rows('update raw.lastfm__answers set params = \'{"user": "ana"}\'')
    wanted = decisions(landing)
    path = landing.landing_dir / landing.parts[0].part
    path.unlink()
    done = replay(landing, wanted)
    assert (len(done.replayed), done.rows) == (1, 1)
    assert ("c", 0, 6, "One", 2) in scrobbled(landing)
    # The second track of the answer does not fit: a dead letter of its own.
    assert landing.rows(
        "select load_id, path, error from raw.dead_letters where load_id = 2"
    ) == [(2, "recenttracks/track/1/date/uts", "is missing")]
    assert landing.rows(
        "select load_id, walk_id, page from raw.lastfm__scrobble_walks"
    ) == [(2, "w", 1)]
    assert landing.rows(
        "select items, rows, dead from raw.loads where load_id = 2"
    ) == [(2, 1, 1)]


def test_waiving_keeps_the_reason_and_closes_the_letter(landing: Landing) -> None:
    wanted = decisions(landing, "waived")[:2]
    replay(landing, wanted)
    assert (
        landing.rows(
            "select decision, reason, load_id, decided_at"
            " from raw.dead_letter_decisions"
        )
        == [("waived", "because", None, MOMENT)] * 2
    )
    assert len(dead_letters.open_dead_letters(landing.target)) == 1
    replay(landing, wanted)
    assert landing.rows("select count(*) from raw.dead_letter_decisions") == [(2,)]


def test_a_wish_stays_until_it_came_to_nothing() -> None:
    engine = create_engine("sqlite://")
    dead_letters.metadata.create_all(engine)
    asked = datetime(2026, 11, 22)
    with engine.begin() as connection:
        dead_letters.wish(connection, ["x", "y"], "replayed", None, asked)
        dead_letters.wish(connection, ["y"], "waived", "a test", asked)
        assert sorted(
            each.decision for each in dead_letters.open_wishes(connection)
        ) == [
            "replayed",
            "waived",
        ]
        dead_letters.give_up_wishes(connection, ["x"], "no")
        assert [
            each.dead_letter_id for each in dead_letters.open_wishes(connection)
        ] == ["y"]
        dead_letters.wish(connection, ["x"], "replayed", None, asked)
        assert len(dead_letters.open_wishes(connection)) == 2
    engine.dispose()


def test_the_command_lists_what_is_open_and_notes_what_is_wished(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cli, "published_path", lambda _data: landing.root / "warehouse.duckdb"
    )
    data = ["--data-dir", str(tmp_path / "data")]
    run = CliRunner().invoke
    listed = run(cli.dead_letters_group, ["list", *data])
    assert "3 open dead letters" in listed.output
    assert "is missing" in listed.output
    letter = dead_letters.open_dead_letters(landing.target)[0]
    waived = run(
        cli.dead_letters_group,
        ["waive", letter.dead_letter_id[:8], "--reason", "a joke", "--later", *data],
    )
    assert "noted: 1 dead letters shall be waived" in waived.output
    assert "the next daily run carries it out" in waived.output
    for wrong in (["waive", "--reason", "x"], ["replay", "nothing-like-it"]):
        with pytest.raises(SettingsError, match="dead-letters list"):
            run(cli.dead_letters_group, [*wrong, *data], catch_exceptions=False)
