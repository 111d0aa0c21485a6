"""Real listening and recorded answers, served without a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from local_lastfm import LocalLastfm
from local_lastfm.worlds import open_world

UNKNOWN_BEFORE = 1_033_430_400  # 2002-10-01


@pytest.fixture(scope="module")
def hetrec(shared_dir: Path) -> LocalLastfm:
    return LocalLastfm(f"hetrec:{shared_dir}/datasets/hetrec2011-lastfm-2k")


@pytest.fixture(scope="module")
def ask_hetrec(hetrec: LocalLastfm, new_caller: Any) -> Any:
    return new_caller(hetrec, sockets=False)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_hetrec_gives_all_play_counts_and_artists(
    hetrec: LocalLastfm, ask_hetrec: Any
) -> None:
    rows, artists = 0, set()
    for user in hetrec.world.listeners:
        answer = ask_hetrec.json("user.getTopArtists", user=user, limit=1000)
        found = listed(answer["topartists"]["artist"])
        rows += len(found)
        artists |= {row["name"] for row in found}
    assert (len(hetrec.world.listeners), rows, len(artists)) == (1892, 92_834, 17_632)


def test_hetrec_gives_all_friends(hetrec: LocalLastfm, ask_hetrec: Any) -> None:
    pairs = 0
    for user in hetrec.world.listeners:
        answer = ask_hetrec.json("user.getFriends", user=user, limit=1000)
        pairs += len(listed(answer["friends"]["user"]))
    assert pairs == 25_434


def test_hetrec_gives_all_tags_with_the_impossible_years(
    hetrec: LocalLastfm, ask_hetrec: Any
) -> None:
    world = hetrec.world
    people = list(world.people.values())
    own = [tag for p in people for tag in world.personal_tags(p, world.now())]
    assert len(own) == 186_479
    impossible = [tag for tag in own if tag.uts < UNKNOWN_BEFORE]
    assert len(impossible) == 5
    for user, expected in (("1929", "294364800"), ("133", "-405129600")):
        dates = [
            row["date"]["uts"]
            for tag in ask_hetrec.json("user.getTopTags", user=user, limit=1000)[
                "toptags"
            ]["tag"]
            for row in ask_hetrec.json(
                "user.getPersonalTags",
                user=user,
                tag=tag["name"],
                taggingtype="artist",
                limit=1000,
            )["taggings"]["artists"]["artist"]
        ]
        assert expected in dates


def test_hetrec_reads_each_file_in_its_own_encoding(hetrec: LocalLastfm) -> None:
    assert "tropicália" in hetrec.world.tag_names
    assert hetrec.world.artist("Баста", hetrec.world.now()) is not None


def test_lastfm_1k_gives_5000_scrobbles_of_two_listeners(
    shared_dir: Path, new_caller: Any
) -> None:
    (file,) = (shared_dir / "datasets" / "lastfm-1k-sample").glob("*.tsv")
    lastfm = LocalLastfm(f"lastfm-1k:{file}")
    ask = new_caller(lastfm, sockets=False)
    assert lastfm.world.listeners == ("user_000001", "user_000002")
    rows = {name: ask.scrobbles(name, limit=1000) for name in lastfm.world.listeners}
    assert {name: len(found) for name, found in rows.items()} == {
        "user_000001": 4997,
        "user_000002": 3,
    }
    newest = rows["user_000001"][0]
    assert newest["date"] == {"uts": "1241478537", "#text": "04 May 2009, 23:08"}
    assert newest["artist"]["#text"] == "Deep Dish"


@pytest.fixture(scope="module")
def recordings(shared_dir: Path) -> Iterator[LocalLastfm]:
    with LocalLastfm(f"recordings:{shared_dir}/lastfm_api") as lastfm:
        yield lastfm


def test_every_recording_is_given_byte_for_byte_with_its_status(
    recordings: LocalLastfm, shared_dir: Path
) -> None:
    with httpx2.Client() as client:
        index = client.get(f"{recordings.base_url}recordings.json").json()
        assert len(index) == 227
        for entry in index:
            answer = client.get(
                recordings.url,
                params={
                    "method": entry["method"],
                    "recording": entry["recording"],
                    "format": "json",
                },
            )
            file = shared_dir / "lastfm_api" / entry["recording"]
            assert answer.content == file.read_bytes(), entry
            assert answer.status_code == entry["status"]
    assert {entry["status"] for entry in index} == {200, 400, 403}


def test_a_request_gets_the_recording_with_its_parameters(
    recordings: LocalLastfm,
) -> None:
    asked = {"method": "album.getInfo", "artist": "Radiohead", "album": "OK Computer"}
    with httpx2.Client() as client:
        answer = client.get(recordings.url, params=asked)
        assert "<name>OK Computer</name>" in answer.text
        friends = client.get(
            recordings.url, params={"method": "user.getFriends", "format": "json"}
        )
        wrong = client.get(recordings.url, params={"recording": "none", "method": "x"})
    # Recorded as XML only; an unknown user's friends come from no recording.
    assert friends.status_code in (400, 403, 404)
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    "spec", ["moon", "hetrec:/nowhere", "lastfm-1k:/nowhere", "recordings:/nowhere"]
)
def test_a_world_that_is_not_there_is_refused_by_name(spec: str) -> None:
    with pytest.raises(ValueError, match=r"world|no "):
        open_world(spec)
