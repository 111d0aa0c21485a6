"""``adapter`` in templates: a dispatched macro becomes a function call of its name."""

from collections.abc import Callable

# What is no expression, and nothing on PostgreSQL.
NOTHING = {"stored_by"}


def dispatch(name: str, namespace: str | None = None) -> Callable[..., str]:
    """A stand-in for the macro that dbt would choose for the database."""

    def call(*arguments: object) -> str:
        if name in NOTHING:
            return ""
        return f"{name}({', '.join(map(str, arguments))})"

    return call
