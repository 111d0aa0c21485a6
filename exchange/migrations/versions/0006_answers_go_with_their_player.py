"""First answers hold names that a player chose: they go when the player leaves.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HAS_LEFT = (
    "exists (select 1 from {schema}players where {schema}players.player_id"
    " = old.player_id and {schema}players.left_at is not null)"
)


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
            create function exchange.refuse_unless_left() returns trigger
            language plpgsql as $$
            begin
                if {_HAS_LEFT.format(schema="exchange.")} then
                    return old;
                end if;
                raise exception '% is append-only', tg_table_name
                    using errcode = '23514';
            end $$
            """
        )
        op.execute(
            """
            create trigger answers_of_leavers before delete on exchange.answers
            for each row execute function exchange.refuse_unless_left()
            """
        )
        return
    op.execute("drop trigger answers_no_delete")
    op.execute(
        f"""
        create trigger answers_no_delete before delete on answers
        when not {_HAS_LEFT.format(schema="")}
        begin
            select raise(abort, 'answers is append-only');
        end
        """
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop trigger answers_of_leavers on exchange.answers")
        op.execute("drop function exchange.refuse_unless_left()")
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
