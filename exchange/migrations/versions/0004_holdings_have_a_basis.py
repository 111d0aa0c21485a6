"""A holding has a basis, orders reserve, and who left is known for some days.

The basis of what is held is its shares at the last close; of shares bought since, what
was paid for them at the fundamental price. Orders that wait have set nothing aside and
are cancelled.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from exchange.migrations.basis_0004 import give_basis

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = "bigint default 0 not null"
_COLUMNS = (
    (
        "players",
        "reserved_units",
        "constraint ck_players_reserved_is_there"
        " check (reserved_units >= 0 and reserved_units <= cash_units)",
    ),
    (
        "listings",
        "basis_nanos",
        "constraint ck_listings_basis_not_negative check (basis_nanos >= 0)",
    ),
    (
        "holdings",
        "basis_nanos",
        "constraint ck_holdings_basis_not_negative check (basis_nanos >= 0)",
    ),
    (
        "holdings",
        "session_basis_nanos",
        "constraint ck_holdings_session_basis_is_part check"
        " (session_basis_nanos >= 0 and session_basis_nanos <= basis_nanos)",
    ),
    (
        "holdings",
        "reserved_shares",
        "constraint ck_holdings_reserved_is_there"
        " check (reserved_shares >= 0 and reserved_shares <= shares)",
    ),
    ("orders", "reserved_units", ""),
)


def _prefix() -> str:
    return "" if op.get_bind().dialect.name == "sqlite" else "exchange."


def upgrade() -> None:
    # Column by column with its check: SQLite would copy the table for a constraint.
    for table, column, check in _COLUMNS:
        op.execute(f"alter table {_prefix()}{table} add column {column} {_BIG} {check}")
    op.execute(f"alter table {_prefix()}listings drop column curve_version")
    op.create_table(
        "departures",
        sa.Column("account_hash", sa.Text(), nullable=False),
        sa.Column("left_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_hash", name=op.f("pk_departures")),
        schema="exchange",
    )
    give_basis(op.get_bind(), _prefix())


def downgrade() -> None:
    op.drop_table("departures", schema="exchange")
    op.execute(f"alter table {_prefix()}listings add column curve_version {_BIG}")
    # The other way round: a check reads columns that stood before it.
    for table, column, _ in reversed(_COLUMNS):
        op.execute(f"alter table {_prefix()}{table} drop column {column}")
