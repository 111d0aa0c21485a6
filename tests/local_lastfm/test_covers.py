"""The invented covers: addresses like last.fm's, and pictures at them."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import httpx2

from local_lastfm import LocalLastfm
from local_lastfm.covers import answered_picture, cover_id
from local_lastfm.render import PICTURES, STAR


def addresses(album: dict[str, Any]) -> list[str]:
    return [image["#text"] for image in album["image"]]


def test_an_album_has_the_same_cover_in_every_answer(
    demo: LocalLastfm, ask: Any
) -> None:
    with_cover = without = 0
    for artist in demo.world.artists[:12]:
        root = ask.json("artist.getTopAlbums", artist=artist.name, limit="50")
        for album in root["topalbums"]["album"]:
            names = {"artist": artist.name, "album": album["name"]}
            info = ask.json("album.getInfo", **names)["album"]
            assert addresses(album) == addresses(info)
            found = cover_id(artist.name, album["name"])
            if found:
                with_cover += 1
                assert addresses(info)[2] == f"{PICTURES}/174s/{found}.png"
            else:
                without += 1
                assert set(addresses(info)) == {""}
        about = ask.json("artist.getInfo", artist=artist.name)["artist"]
        assert all(address.endswith(STAR) for address in addresses(about))
    assert with_cover > without > 0


def test_the_server_has_the_picture_of_every_cover(demo: LocalLastfm, ask: Any) -> None:
    one, other = (f"/i/u/174s/{cover_id('A', name)}.png" for name in ("x", "z"))
    answer = ask.client.get(demo.base_url.rstrip("/") + one)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == answered_picture(one) != answered_picture(other)
    assert struct.unpack(">8xI4sII", answer.content[:24]) == (13, b"IHDR", 174, 174)
    at = answer.content.index(b"IDAT")
    (length,) = struct.unpack(">I", answer.content[at - 4 : at])
    pixels = zlib.decompress(answer.content[at + 4 : at + 4 + length])
    assert len(pixels) == 174 * 175
    assert len(set(pixels)) > 1


def test_no_other_path_is_a_picture(demo: LocalLastfm) -> None:
    good = f"/i/u/174s/{'a' * 32}.png"
    assert answered_picture(good)
    for path in (
        good.replace("174s", "99999999s"),
        good.replace("a" * 32, "a" * 31),
        good.replace(".png", ".svg"),
        good + "/",
        "/i/u/",
    ):
        assert answered_picture(path) is None, path
        with httpx2.Client() as client:
            answer = client.get(demo.base_url.rstrip("/") + path)
        assert answer.status_code == 404
