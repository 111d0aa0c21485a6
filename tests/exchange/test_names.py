"""A player is called as it chose, never like its last.fm account."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from exchange import players, schema
from tests.exchange.game import Game


def choose(game: Game, player_id: str, name: str) -> dict[str, Any]:
    """The answer to a wish for a name."""
    return game.once(
        player_id,
        {"operation": "settings", "name": name, "at": str(game.now)},
        lambda request: players.change_settings(request, game.clock, name=name),
    ).body


def answers_of(game: Game, player_id: str) -> list[Any]:
    answer = schema.answers
    with game.database.read() as connection:
        own = select(answer).where(answer.c.player_id == player_id)
        return list(connection.execute(own))


def test_a_newcomer_has_a_drawn_name_and_no_two_the_same(game: Game) -> None:
    for number in range(30):
        game.join(f"listener {number}")
    rows = game.rows(schema.players)
    names = {row.player_name for row in rows}
    assert len(names) == 30
    assert all(re.fullmatch(r"player-\d{4,}", name) for name in names)
    assert {row.named_at for row in rows} == {None}


def test_a_name_is_chosen_at_once_and_then_kept_for_seven_days(game: Game) -> None:
    ann = game.join("ann")
    assert choose(game, ann, "  The   Kinks ")["player_name"] == "The Kinks"
    game.wait(days=6, hours=23)
    refused = choose(game, ann, "Kinks")
    assert refused["code"] == "name_too_soon"
    assert "once in 7 days" in refused["detail"]
    game.wait(hours=1)
    assert choose(game, ann, "Kinks")["player_name"] == "Kinks"


@pytest.mark.parametrize("same", ["The Kinks", "THE KINKS", "\uff34he  Kinks"])
def test_names_that_look_alike_are_one(game: Game, same: str) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    choose(game, ann, "The Kinks")
    refused = choose(game, bob, same)
    assert refused["code"] == "name_taken", refused
    assert choose(game, bob, "The Knicks")["player_name"] == "The Knicks"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ab", "3 to 24"),
        ("a" * 25, "3 to 24"),
        ("a\u202eb c", "printable"),
        # Hangul fillers, which are letters that nobody sees.
        ("\u3164\u3164\u3164", "printable"),
        ("player-1234", "given, not chosen"),
        ("Player-7", "given, not chosen"),
        ("private player", "given, not chosen"),
        ("anna karenina", "last.fm name"),
        ("\uff21nna  Karenina", "last.fm name"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_the_reason(
    game: Game, name: str, reason: str
) -> None:
    anna = game.join("anna karenina")
    before = game.player(anna).player_name
    refused = choose(game, anna, name)
    assert refused["status"] == 422 and reason in refused["detail"]
    assert game.player(anna).player_name == before


def test_a_name_is_free_again_when_its_player_leaves(game: Game) -> None:
    ann, bob = game.join("ann"), game.join("bob")
    choose(game, ann, "The Kinks")
    assert answers_of(game, ann)
    game.once(ann, {"operation": "leave"}, lambda r: players.leave(r, game.clock))
    # What was answered held the names; only that the player left is kept.
    assert [row.body for row in answers_of(game, ann)] == [
        json.dumps({"player_id": ann, "state": "left"}, separators=(",", ":"))
    ]
    assert choose(game, bob, "The Kinks")["player_name"] == "The Kinks"
