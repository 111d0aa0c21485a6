"""Simulated players: once a day, by the rules, and marked."""

from __future__ import annotations

from sqlalchemy import func, select

from exchange import cast, leagues, ledger, schema
from exchange.views import boards
from tests.exchange.game import Game


def play(game: Game, size: int = cast.PLAYERS) -> int:
    """Let the cast play the day; gives how many orders it has placed in all."""
    game.database.run(
        lambda connection: cast.play(
            connection, game.clock, game.settings, game.now.date(), size
        )
    )
    with game.database.read() as connection:
        return connection.execute(
            select(func.count()).select_from(schema.orders)
        ).scalar_one()


def test_a_day_that_is_played_again_after_a_kill_queues_nothing_twice(
    game: Game,
) -> None:
    first = play(game)
    assert first > 0 and play(game) == first
    # The control: another day is another one.
    game.next_day()
    assert play(game) > first


def test_the_cast_trades_by_the_rules_and_is_marked(game: Game) -> None:
    person = game.join("ann")
    for _ in range(4):
        play(game)
        game.next_day()
    with game.database.read() as connection:
        rows = boards.board(connection, person, "worth").rows
        assert ledger.violations(connection) == []
        assert leagues.count_simulated(connection) == cast.PLAYERS
    marked = {row.player_name: row.is_simulated for row in rows}
    assert [name for name, is_one in marked.items() if not is_one] == [
        row.player_name for row in rows if row.is_self
    ]
    assert len(marked) == cast.PLAYERS + 1


def test_the_league_of_the_cast_can_be_joined_by_its_code(game: Game) -> None:
    play(game)
    with game.database.read() as connection:
        code = leagues.simulated_code(connection)
    assert code is not None
    ann = game.join("ann")
    joined = game.once(
        ann,
        {"operation": "join", "n": 1},
        lambda request: leagues.join_friends_league(request, game.clock, code),
    )
    assert joined.status == 200
    with game.database.read() as connection:
        among = boards.board(
            connection, ann, "worth", friends_league_id=joined.body["league_id"]
        )
    assert among.players == 0  # boards are drawn at the close
    game.next_day()
    with game.database.read() as connection:
        among = boards.board(
            connection, ann, "worth", friends_league_id=joined.body["league_id"]
        )
    assert among.players == 1 + cast.PLAYERS // 2


def test_a_cast_of_none_is_nobody(game: Game) -> None:
    assert play(game, 0) == 0
