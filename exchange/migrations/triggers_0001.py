"""What the database itself refuses: unbalanced books and rewritten history.

A transaction's header is inserted after its postings and seals them: the header is
refused unless every asset sums to zero, a posting is refused once its header is there,
and the deferred foreign key refuses to commit postings without a header. So an
unbalanced transaction cannot be committed by any program, on either database.

This is revision 0001's text: a change is a new revision, not an edit here.
"""

SCHEMA = "exchange"
APPEND_ONLY = (
    "transactions",
    "postings",
    "trades",
    "answers",
    "settlements",
    "prices",
    "dividends",
    "account_days",
    "economy_days",
    "season_results",
    "trophies",
    "checkpoints",
    "market_events",
)

_UNBALANCED = "the postings of a transaction must sum to zero for each asset"
_SEALED = "a sealed transaction takes no more postings"


def sqlite_statements() -> list[str]:
    statements = [
        f"""
        create trigger transactions_balance before insert on transactions
        begin
            select raise(abort, '{_UNBALANCED}')
            where (
                select count(*) from postings
                where postings.transaction_id = new.transaction_id
            ) < 2
            or exists (
                select 1 from postings
                where postings.transaction_id = new.transaction_id
                group by postings.asset having sum(postings.amount) <> 0
            );
        end
        """,
        f"""
        create trigger postings_sealed before insert on postings
        begin
            select raise(abort, '{_SEALED}')
            where exists (
                select 1 from transactions
                where transactions.transaction_id = new.transaction_id
            );
        end
        """,
    ]
    for table in APPEND_ONLY:
        for verb in ("update", "delete"):
            statements.append(
                f"""
                create trigger {table}_no_{verb} before {verb} on {table}
                begin
                    select raise(abort, '{table} is append-only');
                end
                """
            )
    return statements


def postgresql_statements() -> list[str]:
    statements = [
        f"""
        create function {SCHEMA}.check_balance() returns trigger
        language plpgsql as $$
        begin
            if (
                select count(*) from {SCHEMA}.postings p
                where p.transaction_id = new.transaction_id
            ) < 2 or exists (
                select 1 from {SCHEMA}.postings p
                where p.transaction_id = new.transaction_id
                group by p.asset having sum(p.amount) <> 0
            ) then
                raise exception '{_UNBALANCED}' using errcode = '23514';
            end if;
            return new;
        end $$
        """,
        f"""
        create trigger transactions_balance before insert on {SCHEMA}.transactions
        for each row execute function {SCHEMA}.check_balance()
        """,
        f"""
        create function {SCHEMA}.check_sealed() returns trigger
        language plpgsql as $$
        begin
            if exists (
                select 1 from new_postings n
                join {SCHEMA}.transactions t on t.transaction_id = n.transaction_id
            ) then
                raise exception '{_SEALED}' using errcode = '23514';
            end if;
            return null;
        end $$
        """,
        f"""
        create trigger postings_sealed after insert on {SCHEMA}.postings
        referencing new table as new_postings
        for each statement execute function {SCHEMA}.check_sealed()
        """,
        f"""
        create function {SCHEMA}.refuse_change() returns trigger
        language plpgsql as $$
        begin
            raise exception '% is append-only', tg_table_name
                using errcode = '23514';
        end $$
        """,
    ]
    for table in APPEND_ONLY:
        statements.append(
            f"""
            create trigger {table}_append_only
            before update or delete or truncate on {SCHEMA}.{table}
            for each statement execute function {SCHEMA}.refuse_change()
            """
        )
    return statements


def statements_for(dialect: str) -> list[str]:
    """The trigger statements of a dialect: 'sqlite' or 'postgresql'."""
    return sqlite_statements() if dialect == "sqlite" else postgresql_statements()


def functions() -> list[str]:
    """What a downgrade drops on PostgreSQL, after the tables."""
    return [
        f"{SCHEMA}.{name}"
        for name in ("check_balance", "check_sealed", "refuse_change")
    ]
