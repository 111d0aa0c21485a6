"""How alembic runs on the exchange: on the connection it is given, nothing else."""

from alembic import context
from sqlalchemy import Connection

from exchange.schema import SCHEMA, metadata


def run(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=not is_sqlite,
        version_table_schema=None if is_sqlite else SCHEMA,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
