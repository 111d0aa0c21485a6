"""Covers of invented albums: their ids, and the pictures drawn from them.

An id follows from the names, a picture from its id, so nothing is stored. One album in
six has no cover, as some of last.fm's have none.
"""

from __future__ import annotations

import colorsys
import hashlib
import re
import struct
import zlib
from functools import lru_cache
from math import hypot

from local_lastfm.render import IMAGE_SIZES, PICTURES, Tree

_PATH = re.compile(r"/i/u/(\d{2,3})(?:s|x\d{2,3})/([0-9a-f]{32})\.(?:png|jpg)")
_LARGEST = 300  # pixels


def cover_id(artist: str, album: str) -> str:
    """The id of an album's cover, empty where it has none."""
    digest = hashlib.md5(f"{artist}\x1f{album}".encode(), usedforsecurity=False)
    return "" if digest.digest()[0] % 6 == 0 else digest.hexdigest()


def cover_images(artist: str, album: str) -> list[Tree]:
    """The list `image` of an album; without a cover its addresses are empty."""
    found = cover_id(artist, album)
    return [
        {"size": size, "#text": found and f"{PICTURES}/{folder}/{found}.png"}
        for size, folder in IMAGE_SIZES
    ]


def answered_picture(path: str) -> bytes | None:
    """The PNG at a path like `/i/u/174s/<id>.png`; None where none can be."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    return picture(found[2], min(int(found[1]), _LARGEST))


@lru_cache(maxsize=512)
def picture(picture_id: str, size: int) -> bytes:
    """A square PNG of so many pixels: rings, in colours that the id gives."""
    seed = bytes.fromhex(picture_id)
    shades = [
        colorsys.hls_to_rgb(seed[place] / 256, light, 0.5)
        for place, light in ((1, 0.28), (1, 0.45), (2, 0.6), (3, 0.75))
    ]
    palette = bytes(round(255 * part) for shade in shades for part in shade)
    left, top = seed[4] / 256 * size, seed[5] / 256 * size
    wide = size * (0.08 + seed[6] / 256 * 0.17)
    rows = bytearray()
    for y in range(size):
        rows.append(0)  # no filter
        rows += bytes(int(hypot(x - left, y - top) / wide) % 4 for x in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body) for kind, body in (*chunks, (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check
