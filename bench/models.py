"""What the benches know of the project's models as plain statements."""

from __future__ import annotations

from collections.abc import Mapping


def by_hand(materialized: str, compiled: str, columns: Mapping[str, str | None]) -> str:
    """The query of a model for somebody who runs the statements without dbt.

    A `noted` model compares with the build before; a full build makes it empty.

    Args:
        columns: name -> type, as the model's yml has them.
    """
    if materialized != "noted":
        return compiled.strip().rstrip(";")
    empty = ", ".join(
        f"cast(null as {kind}) as {name}" for name, kind in columns.items()
    )
    return f"select {empty} where 1 = 0"
