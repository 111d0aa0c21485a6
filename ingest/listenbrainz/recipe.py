"""How the listens that ListenBrainz answers become rows beside imported ones.

Data only. A listen is a play that a listener brought: table, models and rules are those
of imported files (:mod:`ingest.exports.tables`); ``format`` says whence it came.
"""

from __future__ import annotations

from ingest.exports.tables import TABLE
from ingest.lastfm.recipes import Recipe, Source, item

METHOD = "listenbrainz.listens"
FORMAT = "listenbrainz_api"

_METADATA = "track_metadata"
RECIPE = Recipe(
    METHOD,
    TABLE,
    ("payload",),
    "listens",
    {
        "listener_name": Source(param="user"),
        "file": Source(param="account"),
        "format": Source(constant=FORMAT),
        "line": Source(rule="position"),
        "artist_name": item(f"{_METADATA}/artist_name"),
        "track_name": item(f"{_METADATA}/track_name"),
        "album_name": item(f"{_METADATA}/release_name"),
        "stamp": Source(constant="second"),
        "stamped_uts": item("listened_at"),
        "started_uts": item("listened_at"),
        "played_ms": Source(
            item=(f"{_METADATA}/additional_info/duration_played",), rule="heard"
        ),
        "copy": Source(constant="1"),
    },
)
