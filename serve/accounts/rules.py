"""An account's own rules: read, added and removed, one transaction each.

They stand in the account's row: they go with it, and are in its export.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import Engine, select, update

from serve import own_rules
from serve.accounts.database import accounts, writing
from serve.own_rules import MOST_RULES, Rule, Stored

__all__ = ["TooMany", "add", "of_account", "remove"]


class TooMany(Exception):
    """The account has as many rules as it may."""


def of_account(engine: Engine, account_id: int) -> Stored:
    """The rules of an account by their ids, oldest first."""
    with engine.begin() as connection:
        stored = connection.execute(
            select(accounts.c.rules).where(accounts.c.account_id == account_id)
        ).scalar()
    return own_rules.read(stored)


def add(engine: Engine, account_id: int, rule: Rule) -> str:
    """Keep a rule; gives its id, that of an equal one where there is one.

    Raises:
        TooMany: there are as many as there may be.
    """

    def added(rules: Stored) -> str:
        for rule_id, kept in rules.items():
            if kept == rule:
                return rule_id
        if len(rules) >= MOST_RULES:
            raise TooMany
        rule_id = secrets.token_hex(8)
        rules[rule_id] = rule
        return rule_id

    return str(_changed(engine, account_id, added))


def remove(engine: Engine, account_id: int, rule_id: str) -> bool:
    """Take a rule back; whether there was one."""
    return bool(
        _changed(engine, account_id, lambda rules: rules.pop(rule_id, None) is not None)
    )


def _changed(
    engine: Engine, account_id: int, change: Callable[[Stored], object]
) -> object:
    own = accounts.c.account_id == account_id
    with writing(engine).begin() as connection:
        stored = connection.execute(
            select(accounts.c.rules).where(own).with_for_update()
        ).scalar()
        rules = own_rules.read(stored)
        result = change(rules)
        connection.execute(
            update(accounts).where(own).values(rules=own_rules.written(rules))
        )
    return result
