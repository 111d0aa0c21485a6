"""Names of players are chosen: a key for each, and when it was chosen.

Until now a player was called like the last.fm account. Every player gets a neutral name
and may choose another at once.

Revision ID: 0003
Revises: 0002
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = _schema()
    op.add_column("players", sa.Column("name_key", sa.Text()), schema=schema)
    op.add_column("players", sa.Column("named_at", sa.DateTime()), schema=schema)
    players = sa.table(
        "players",
        sa.column("player_id", sa.Text()),
        sa.column("player_name", sa.Text()),
        sa.column("name_key", sa.Text()),
        schema=schema,
    )
    connection = op.get_bind()
    named = connection.execute(
        sa.select(players.c.player_id).where(players.c.player_name.is_not(None))
    )
    ids = [row.player_id for row in named]
    # Drawn, so that the order of the names says nothing of the order of joining.
    numbers = secrets.SystemRandom().sample(
        range(1000, 10_000 + 10 * len(ids)), len(ids)
    )
    # First none has a name: a last.fm account may itself be called like a neutral one.
    connection.execute(sa.update(players).values(player_name=None))
    for player_id, number in zip(ids, numbers, strict=True):
        name = f"player-{number}"
        connection.execute(
            sa.update(players)
            .where(players.c.player_id == player_id)
            .values(player_name=name, name_key=name)
        )
    op.create_index(
        "ix_players_name_key", "players", ["name_key"], unique=True, schema=schema
    )


def downgrade() -> None:
    schema = _schema()
    op.drop_index("ix_players_name_key", "players", schema=schema)
    op.drop_column("players", "named_at", schema=schema)
    op.drop_column("players", "name_key", schema=schema)


def _schema() -> str | None:
    """SQLite has no schemas, and what alters a table is not translated for it."""
    return None if op.get_bind().dialect.name == "sqlite" else "exchange"
