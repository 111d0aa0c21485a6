"""The listens API of ListenBrainz, answered from a world's plays.

``GET /1/user/<name>/listens``: the newest first, `max_ts` and `min_ts` exclusive, and
at most 1000 of them, as its documentation says. No HTTP and no faults here.
"""

from __future__ import annotations

import re
import uuid
from bisect import bisect_left, bisect_right
from urllib.parse import unquote

from local_lastfm.catalogue import Variant
from local_lastfm.render import Tree
from local_lastfm.world import World

METHOD = "listenbrainz.listens"
DEFAULT_LISTENS = 25
MOST_LISTENS = 1000

_PATH = re.compile(r"/1/user/([^/]+)/listens/?")


def account_of(path: str) -> str:
    """The account whose listens a path means; nothing where it is another path."""
    found = _PATH.fullmatch(path)
    return unquote(found[1]) if found else ""


def limits(remaining: int, reset_seconds: int) -> tuple[tuple[str, str], ...]:
    """The headers that say how much may be asked still, and from when on more."""
    return (
        ("X-RateLimit-Limit", "30"),
        ("X-RateLimit-Remaining", str(remaining)),
        ("X-RateLimit-Reset-In", str(reset_seconds)),
    )


def listens(
    world: World, account: str, params: dict[str, str], now: int
) -> tuple[int, Tree]:
    """Status and answer."""
    try:
        count = int(params.get("count", DEFAULT_LISTENS))
        newest = int(params["max_ts"]) if "max_ts" in params else None
        oldest = int(params["min_ts"]) if "min_ts" in params else None
    except ValueError:
        return _refused(400, "count, max_ts and min_ts must be whole numbers")
    if count < 0:
        return _refused(400, "count must be a positive number")
    if newest is not None and oldest is not None and newest < oldest:
        return _refused(400, "max_ts should be greater than min_ts")
    found = world.listener(account, now)
    if found is None or found.is_private:
        return _refused(404, f"Cannot find user: {account}")
    shown = world.plays(found).at(now)
    first, last = shown.window(1, now)
    low, high = first, last
    if newest is not None:
        high = max(low, bisect_left(shown.uts, newest, first, last))
    if oldest is not None:
        low = min(high, bisect_right(shown.uts, oldest, first, last))
    count = min(count, MOST_LISTENS)
    if oldest is not None and newest is None:
        high = min(high, low + count)
    low = max(low, high - count)
    rows = [
        _listen(found.name, shown.uts[place], world.variants[shown.variants[place]])
        for place in range(high - 1, low - 1, -1)
    ]
    payload: Tree = {"count": len(rows), "user_id": found.name, "listens": rows}
    payload["latest_listen_ts"] = shown.uts[last - 1] if last > first else 0
    payload["oldest_listen_ts"] = shown.uts[first] if last > first else 0
    return 200, {"payload": payload}


def _refused(status: int, message: str) -> tuple[int, Tree]:
    return status, {"code": status, "error": message}


def _listen(account: str, uts: int, variant: Variant) -> Tree:
    names = (variant.artist_name, variant.album_name, variant.track_name)
    msid = str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(names)))
    about: Tree = {
        "artist_name": variant.artist_name,
        "track_name": variant.track_name,
        "additional_info": {"recording_msid": msid, "submission_client": "demo"},
    }
    if variant.album_name:
        about["release_name"] = variant.album_name
    return {
        "inserted_at": uts,
        "listened_at": uts,
        "recording_msid": msid,
        "track_metadata": about,
        "user_name": account,
    }
