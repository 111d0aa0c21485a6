"""Fundamental prices of before an artist was traded: what stands behind its price.

The marts know them from the first snapshots on; the exchange only since it lists an
artist. Where the marts cannot be read the market is shown without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from serve.context import reading
from serve.queries import artists
from serve.store.contract import StoreUnavailable, VersionMoved

DAYS = 90
History = Sequence[tuple[date, float | None]]


def fundamental_prices(artist_ids: Sequence[str]) -> Mapping[str, History]:
    """The last 90 days of each artist, in credits, oldest first; a gap is None."""
    found: dict[str, list[tuple[date, float | None]]] = defaultdict(list)
    if not artist_ids:
        return found
    try:
        with reading() as reader:
            last = reader.published.as_of_date
            rows = artists.series(
                reader,
                artist_ids=list(artist_ids),
                measure="fundamental_price",
                first=last - timedelta(days=DAYS - 1),
                last=last,
                days=DAYS,
            )
            for row in rows.records():
                found[row["artist_id"]].append((row["day"], row["value"]))
    except VersionMoved:
        raise
    except StoreUnavailable:
        return {}
    return found
