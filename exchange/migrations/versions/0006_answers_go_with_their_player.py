"""First answers hold names that a player chose: they go when the player leaves.

Those of more than 30 days may go as well: no client repeats a request so late.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MAY_GO = (
    "(old.answered_at < {long_ago} or exists (select 1 from {schema}players"
    " where {schema}players.player_id = old.player_id"
    " and {schema}players.left_at is not null))"
)
_POSTGRES = _MAY_GO.format(
    schema="exchange.", long_ago="(now() at time zone 'utc') - interval '30 days'"
)
_SQLITE = _MAY_GO.format(schema="", long_ago="datetime('now', '-30 days')")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop trigger answers_append_only on exchange.answers")
        op.execute(
            """
            create trigger answers_append_only
            before update or truncate on exchange.answers
            for each statement execute function exchange.refuse_change()
            """
        )
        op.execute(
            f"""
            create function exchange.refuse_unless_it_may_go() returns trigger
            language plpgsql as $$
            begin
                if {_POSTGRES} then
                    return old;
                end if;
                raise exception '% is append-only', tg_table_name
                    using errcode = '23514';
            end $$
            """
        )
        op.execute(
            """
            create trigger answers_that_may_go before delete on exchange.answers
            for each row execute function exchange.refuse_unless_it_may_go()
            """
        )
        return
    op.execute("drop trigger answers_no_delete")
    op.execute(
        f"""
        create trigger answers_no_delete before delete on answers
        when not {_SQLITE}
        begin
            select raise(abort, 'answers is append-only');
        end
        """
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop trigger answers_that_may_go on exchange.answers")
        op.execute("drop function exchange.refuse_unless_it_may_go()")
        op.execute("drop trigger answers_append_only on exchange.answers")
        op.execute(
            """
            create trigger answers_append_only
            before update or delete or truncate on exchange.answers
            for each statement execute function exchange.refuse_change()
            """
        )
        return
    op.execute("drop trigger answers_no_delete")
    op.execute(
        """
        create trigger answers_no_delete before delete on answers
        begin
            select raise(abort, 'answers is append-only');
        end
        """
    )
