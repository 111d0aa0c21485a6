"""Takes people out of others' lists of friends, as last.fm sends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

#: In small letters; others' answers name no listener.
METHOD = "user.getfriends"


def without(body: bytes, is_left_out: Callable[[str], bool]) -> bytes:
    """The answer without whom `is_left_out` says of a name; as it is where nobody is.

    What is not JSON is no list of friends, and stays.
    """
    try:
        found = orjson.loads(body)
    except ValueError:
        return body
    left = _without(found, is_left_out)
    return body if left == found else orjson.dumps(left)


def _without(value: Any, is_left_out: Callable[[str], bool]) -> Any:
    if isinstance(value, dict):
        return {
            name: [] if _names(of, is_left_out) else _without(of, is_left_out)
            for name, of in value.items()
        }
    if isinstance(value, list):
        return [
            _without(one, is_left_out) for one in value if not _names(one, is_left_out)
        ]
    return value


def _names(item: Any, is_left_out: Callable[[str], bool]) -> bool:
    name = item.get("name") if isinstance(item, dict) else None
    return isinstance(name, str) and is_left_out(name)
