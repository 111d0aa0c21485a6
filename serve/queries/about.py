"""What the version is made of: freshness of the sources, restatements."""

from __future__ import annotations

from serve.store.contract import Reader, Result


def freshness(reader: Reader) -> Result:
    """One row per source: the last day and time it was fetched."""
    return reader.query(
        """
        select source, last_as_of_date, last_fetched_at, rows
        from marts.freshness
        order by source
        """
    )


def ping(reader: Reader) -> bool:
    """Whether the marts answer."""
    return bool(
        reader.query("select 1 as answer from marts.dim_artists limit 1").columns
    )
