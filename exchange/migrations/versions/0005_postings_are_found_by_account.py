"""What an account holds of an asset is read at each of its player's writes.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # An earlier revision may have posted in this transaction: what is checked at
        # its end is checked now, or the table could not have an index.
        op.execute("set constraints all immediate")
    op.create_index(
        "ix_postings_account",
        "postings",
        ["account", "asset", "amount"],
        schema="exchange",
    )


def downgrade() -> None:
    op.drop_index("ix_postings_account", "postings", schema="exchange")
