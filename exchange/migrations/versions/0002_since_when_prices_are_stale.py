"""The market says since when its prices wait for a day that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _schema() -> str | None:
    """SQLite has no schemas; that of a changed table is not translated for it."""
    return None if op.get_bind().dialect.name == "sqlite" else "exchange"


def upgrade() -> None:
    column = sa.Column("stale_since", sa.DateTime())
    op.add_column("market", column, schema=_schema())


def downgrade() -> None:
    op.drop_column("market", "stale_since", schema=_schema())
