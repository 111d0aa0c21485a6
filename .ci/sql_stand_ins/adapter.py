"""``adapter`` in templates: a dispatched macro becomes a function call of its name."""

from collections.abc import Callable


def dispatch(name: str, namespace: str | None = None) -> Callable[..., str]:
    """A stand-in for the macro that dbt would choose for the database."""

    def call(*arguments: object) -> str:
        return f"{name}({', '.join(map(str, arguments))})"

    return call
